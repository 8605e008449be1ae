"""The tables of the TOML file."""

from typing import Annotated

from msgspec import Meta, Struct

from shadow.wire.protocols import Spoken

type Share = Annotated[float, Meta(gt=0.0, le=1.0)]
type Count = Annotated[int, Meta(ge=0)]
type AtLeastOne = Annotated[int, Meta(ge=1)]
type Patterns = tuple[str, ...]


class ScopeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which captured exchanges are replayed, as `[scope]`."""

    include: Patterns = ()
    """``"METHOD path-glob"``; empty takes everything."""
    exclude: Patterns = ()
    """As `include`, for what is not replayed; it wins."""
    sample: Share = 1.0
    """Share of sessions; chosen by a hash of the session, so sessions stay whole."""
    ports: tuple[int, ...] = ()
    """TCP ports of the service in captures; empty takes every port that speaks HTTP."""
    protocols: dict[str, Spoken] = {}
    """What is spoken at which port, where nothing else tells: ``{9000 = "tcp"}``. A target must speak it."""

    @property
    def spoken(self) -> dict[int, Spoken]:
        """`protocols` by port number."""
        return {int(port): spoken for port, spoken in self.protocols.items()}


class SessionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a session, as `[session]`."""

    by: str = "connection"
    """``"connection"``, ``"client"`` (its address without the port), ``"identity"`` (the signing key),
    ``"token"`` (the Authorization credential), ``"header:NAME"``, ``"cookie:NAME"``, ``"query:NAME"`` or
    ``"body:$.path"``. Where a request does not say, its connection."""
    idle_seconds: Annotated[float, Meta(gt=0)] = 5.0
    """A session quiet for this long is complete: sequence and race mutants of it are made then."""


class SafetySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be sent where, as `[safety]`."""

    allow: Patterns = ()
    """``"host"``, ``"host:port"`` or CIDR that targets must match; empty: the configured targets alone."""
    kill_file: str = ""
    """As soon as this file exists nothing more is sent, and the run ends with exit code 3."""
    max_requests: Count = 0
    """Stop after so many requests to the shadow environment; 0 is without limit."""
    max_bytes: Count = 0
    """Stop after so many bytes of requests to the shadow environment; 0 is without limit."""


class NoiseSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What may differ between two answers, as `[noise]`."""

    ignore: Patterns = ()
    """Places never reported: ``"header:x-build"``, ``"body:$.items[].seen_at"``; `*` matches any text. An
    endpoint may stand before: ``"GET /v1/x/{id} header:etag"``."""
    pin: Patterns = ()
    """Places, written likewise, that are never forgiven: not as ids, times or tokens, nor because they drift.
    What was forgiven stands in `noise.jsonl`."""
    clock_drift_seconds: Annotated[float, Meta(ge=0)] = 300.0
    """Two timestamps in one format this close are the same. In recorded traffic any distance is."""


class SchemaSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Documents that say what the service takes, as `[schema]`. They add mutants; nothing needs them."""

    files: Patterns = ()
    """OpenAPI 3.0, 3.1 or Swagger 2.0 as JSON or YAML; GraphQL as SDL or as the answer to an introspection.
    Nothing that they refer to is fetched."""
    base: str = ""
    """The path before all paths of an OpenAPI document; empty for what its servers say."""


class CompareSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How answers are compared, as `[compare]`."""

    float_tolerance: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """How far two fractions may lie apart, as a share of the larger: ``1e-6`` for sums in single precision.
    Numbers of two decimals or fewer, as money has them, are always compared exactly."""


class SuccessSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Answers that are meant, as `[[judge.success]]` or `[[judge.rejected]]`; all that is given must hold."""

    endpoint: str = ""
    """``"METHOD path-glob"``, as ``"POST /api/*"``; empty for every endpoint."""
    status: str | int | tuple[str | int, ...] = ()
    """``200``, ``"2xx"``, or a list of such; left out, every successful one."""
    at: str = ""
    """Where it stands: ``"body:$.code"``, a JSON pointer as ``"/code"``, or ``"header:x-error"``."""
    value: str | int | float | bool | tuple[str | int | float | bool, ...] = ()
    """What stands there, or a list of what may; left out with `pattern`, anything."""
    pattern: str = ""
    """A regular expression that is found in what stands there, of which the first 256 characters count."""


class JudgeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What answers amount to where their status does not tell, and when they tell nothing, as `[judge]`."""

    learn: bool = True
    """Whether it is learned from the live release's answers which member of a body says how it went."""
    success: tuple[SuccessSettings, ...] = ()
    """Answers that are successes. Where one is about an endpoint, what none of them fits is a refusal."""
    rejected: tuple[SuccessSettings, ...] = ()
    """Answers that are refusals, whatever their status; they go before `success`."""
    drift_limit: Share = 0.5
    """Of an endpoint's latest originals: where more are answered with another class of status, or with other
    resources, than by the baseline (by live, without one), its mutants are undecided. 1 for never. A change
    that shows every time, or was told as a regression, does not count."""
    drift_samples: AtLeastOne = 10
    """Originals of an endpoint before that is concluded."""
