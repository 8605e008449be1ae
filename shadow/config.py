"""One TOML file, and the options that win over it, to frozen settings."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from shadow.auth import TokenSettings
from shadow.auth.keys import SigningKey, TokenKey
from shadow.auth.scheme import SigningSettings
from shadow.content.redaction import RedactionSettings
from shadow.errors import ConfigError, nearest
from shadow.model import Headers, Identity
from shadow.replay import Target
from shadow.replay.conditions import parse_conditions
from shadow.wire.protocols import Spoken

type Share = Annotated[float, Meta(gt=0.0, le=1.0)]
type Count = Annotated[int, Meta(ge=0)]
type AtLeastOne = Annotated[int, Meta(ge=1)]
type Patterns = tuple[str, ...]

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class IdentitySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One principal, as `[[identity]]`."""

    name: str
    """What findings call it."""
    role: str = ""
    """Free text such as ``"readonly"``; those of one role and tenant are never swapped for each other."""
    rank: int = 0
    """Higher may do more: what `may` does not list for a lower rank must be denied to it."""
    tenant: str = ""
    """Identities of different tenants must not reach each other's resources; empty for none."""
    key: str = ""
    """Id of the signing key it uses; empty where it signs nothing."""
    headers: dict[str, str] = {}
    """Header fields that carry its credentials: Authorization, Cookie, an API key."""
    may: Patterns | None = None
    """What it may do, as ``"METHOD path-glob"``: ``"GET *"``, ``"POST */start"``. Left out: not stated."""

    def to_identity(self) -> Identity:
        headers: Headers = tuple((key.encode(), value.encode()) for key, value in self.headers.items())
        return Identity(self.name, self.role, self.rank, self.key, headers, self.may, self.tenant)


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
    """What is spoken at which port, where nothing else tells: ``{9000 = "tcp"}``. It is not replayed."""

    @property
    def spoken(self) -> dict[int, Spoken]:
        """`protocols` by port number."""
        return {int(port): spoken for port, spoken in self.protocols.items()}


class SessionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a session, as `[session]`."""

    by: str = "connection"
    """``"connection"``, ``"identity"``, ``"header:NAME"`` or ``"cookie:NAME"``."""
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


class NoiseSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What may differ between two answers, as `[noise]`."""

    ignore: Patterns = ()
    """Places never reported: ``"header:x-build"``, ``"body:$.items[].seen_at"``; `*` matches any text."""
    clock_drift_seconds: Annotated[float, Meta(ge=0)] = 300.0
    """Two timestamps in one format this close are the same. In recorded traffic any distance is."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of a run. A command uses the part that concerns it."""

    live: str = ""
    """URL of the service whose traffic is tapped. It is never sent anything. `shadow proxy` also passes on
    ``tcp://HOST:PORT``, ``tls://``, ``udp://``, ``dtls://`` and ``dns://``."""
    live_ca: str = ""
    """PEM file of the authorities that vouch for a live service on TLS; empty for the system's own."""
    listen: str = "127.0.0.1:8080"
    """Where clients connect, for `shadow proxy`, or mirrors send, for `shadow mirror`."""
    certificate: str = ""
    """PEM file of the key and certificates that `shadow proxy` shows to clients on TLS; empty for none."""
    http3: bool = False
    """Whether clients of `shadow proxy` may also come by HTTP/3, on the UDP port of the same number."""
    front: Literal["mitm", "light"] = "mitm"
    """What `shadow proxy` puts in the way: mitmproxy, or a byte relay that carries far more."""
    candidate: str = ""
    """URL of the release under test, in the shadow environment."""
    baseline: str = ""
    """URL of the live release in the shadow environment; optional, advised."""
    out: str = "shadow-out"
    """The output folder. A run replaces the files of an earlier run there."""
    seed: int = 0
    """The same seed makes the same mutants of the same traffic."""
    mutants: Count = 3
    """Mutants per exchange; 0 replays only the originals."""
    mutators: Patterns = ("*",)
    """Which mutators are used: patterns of a name, ``"level:NAME"`` or ``"expect:NAME"``."""
    no_mutators: Patterns = ()
    """As `mutators`, for those to leave out; it wins."""
    rate: str | float = "max"
    """Requests per second to each target, or ``"max"``. It waits and never drops."""
    speed: str | float = "max"
    """Of recorded time: 1 is as recorded, 2 twice as fast, ``"max"`` without waiting."""
    concurrency: AtLeastOne = 8
    """Exchanges worked on at the same time."""
    queue_items: AtLeastOne = 2000
    """Exchanges waiting to be worked on; beyond it a tap's are dropped and counted, a file waits."""
    duration: str | float = ""
    """Stop after this time: seconds, or ``"30m"``."""
    timeout_seconds: Annotated[float, Meta(gt=0)] = 10.0
    """For one answer of a target; beyond it the answer is a hang."""
    metrics: str = ""
    """``HOST:PORT`` of the Prometheus endpoint; empty for none."""
    fail_on: Literal["low", "medium", "high", "never"] = "low"
    """The lowest severity that makes the exit code 1."""
    allow_writes: bool = False
    """Whether mutants of writing methods are sent. Originals always are."""
    confirmations: AtLeastOne = 3
    """How often a suspicion is sent again before it is reported."""
    transport: Literal["auto", "aiohttp", "raw"] = "auto"
    """``"auto"`` takes aiohttp where it can say an exchange and all its mutants exactly, else raw bytes."""
    host: Literal["target", "keep"] = "target"
    """The Host field sent: the target's own, or the recorded one."""
    condition: str = ""
    """A bad network on the way to the targets: ``"latency=200ms,jitter=50ms"``; see `--condition`."""
    max_body_bytes: AtLeastOne = 4 * 1024 * 1024
    """The most that the tap keeps of a body. A longer request is not replayed, a longer answer is cut."""
    keylog: str = ""
    """Key log (NSS format, as ``SSLKEYLOGFILE`` writes it) with the secrets of TLS in captures; may grow."""
    scope: ScopeSettings = ScopeSettings()
    """Which captured exchanges are replayed."""
    session: SessionSettings = SessionSettings()
    """What makes a session."""
    safety: SafetySettings = SafetySettings()
    """What may be sent where."""
    noise: NoiseSettings = NoiseSettings()
    """What may differ between two answers."""
    redaction: RedactionSettings = RedactionSettings()
    """What is masked besides what is known to be a secret."""
    signing: SigningSettings | None = None
    """How the service's requests are signed; left out where they are not."""
    tokens: TokenSettings | None = None
    """What bearer tokens are signed with, where the keys are known."""
    identity: tuple[IdentitySettings, ...] = ()
    """The principals that requests come from."""

    @property
    def duration_seconds(self) -> float | None:
        return parse_duration("duration", self.duration) if self.duration != "" else None

    @property
    def rate_per_second(self) -> float | None:
        """None for as fast as possible."""
        return _parse_rate(self.rate)

    @property
    def speed_factor(self) -> float | None:
        """None for as fast as possible."""
        return None if self.speed == "max" else _positive("speed", self.speed, "a positive number or 'max'")

    @property
    def identities(self) -> tuple[Identity, ...]:
        return tuple(each.to_identity() for each in self.identity)


def load(path: Path | None, options: Mapping[str, Any]) -> Settings:
    """Settings of the file at `path` (None for none), with `options` laid over it.

    Raises ConfigError for an unreadable file, TOML that does not parse, a key that is not known (naming the
    nearest) or a value of the wrong kind.
    """
    return _convert(_overlay(_read(path) if path else {}, options), str(path) if path else "the options")


def secrets(settings: Settings) -> dict[str, str]:
    """The secrets that stand in the environment or in files, by key id.

    Raises ConfigError for a variable that is not set, or a file that cannot be read.
    """
    keys: tuple[SigningKey | TokenKey, ...] = (
        *(settings.signing.keys if settings.signing else ()),
        *(settings.tokens.keys if settings.tokens else ()),
    )
    return {key.id: _secret(key) for key in keys if key.secret_env or key.secret_file}


def json_schema() -> dict[str, Any]:
    """JSON Schema of the configuration file."""
    return msgspec.json.schema(Settings)


def parse_target(name: str, url: str) -> Target:
    """The target called `name` at `url`. Raises ConfigError when it is no http(s) URL with a host."""
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{name} {url!r} is no URL: {error}; write it as http://HOST:PORT") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"{name} {url!r} is no http or https URL; write it as http://HOST:PORT")
    default = 443 if parts.scheme == "https" else 80
    return Target(
        name, parts.scheme, parts.hostname, default if port is None else port, parts.path.rstrip("/")
    )


def parse_live(url: str) -> Target:
    """The live service at `url`, which may speak more than HTTP. Raises ConfigError where it is none."""
    scheme = url.partition("://")[0]
    if scheme not in _LIVE_PORTS:
        return parse_target("live", url)
    try:
        parts = urlsplit(url)
        port = parts.port or _LIVE_PORTS[scheme]
    except ValueError as error:
        raise ConfigError(f"live {url!r} is no URL: {error}; write it as {scheme}://HOST:PORT") from error
    if not parts.hostname or not port or parts.path.strip("/") or parts.query or parts.username:
        raise ConfigError(f"live {url!r} must name a host and a port alone; write it as {scheme}://HOST:PORT")
    return Target("live", scheme, parts.hostname, port)


_LIVE_PORTS = {"tcp": None, "tls": None, "udp": None, "dtls": None, "dns": 53}
"""What a live service may speak besides HTTP, with the port where a URL names none."""


def parse_address(name: str, address: str) -> tuple[str, int]:
    """``HOST:PORT`` (``[::1]:80`` for IPv6, ``:80`` for every address). Raises ConfigError otherwise."""
    host, colon, port = address.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ConfigError(f"{name} {address!r} is no HOST:PORT with a port from 0 to 65535")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  # asked for by writing no host


_A_DURATION = "a positive duration such as 90, '30s' or '1h30m'"


def parse_duration(name: str, text: str | float) -> float:
    """Seconds of ``"30m"``, ``"1h30m"``, ``"500ms"`` or a plain number. Raises ConfigError otherwise."""
    if isinstance(text, int | float) or re.fullmatch(r"\d+(\.\d+)?", text):
        return _positive(name, text, _A_DURATION)
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", text):
        raise ConfigError(
            f"{name} {text!r} is no duration; write seconds, or for example '30s', '30m', '1h30m'"
        )
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return _positive(name, seconds, _A_DURATION)


def _secret(key: SigningKey | TokenKey) -> str:
    if key.secret_env:
        if key.secret_env not in os.environ:
            raise ConfigError(f"key {key.id!r}: the variable {key.secret_env!r} is not set")
        return os.environ[key.secret_env]
    try:
        return Path(key.secret_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"key {key.id!r}: cannot read {key.secret_file!r}: {error}") from error


def _parse_rate(rate: str | float) -> float | None:
    if rate == "max":
        return None
    number = rate.removesuffix("/s") if isinstance(rate, str) else rate
    return _positive("rate", number, "a positive number per second such as 500 or '500/s', or 'max'")


def _positive(name: str, value: str | float, form: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise ConfigError(f"{name} {value!r} is not {form}")
    return number


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration {str(path)!r}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {str(path)!r} is no TOML: {error}") from error


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, tables merged, all else replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both_tables = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[key] = _overlay(under, value) if both_tables else value  # type: ignore[arg-type]  # both_tables
    return merged


def _convert(tree: dict[str, Any], origin: str) -> Settings:
    _check_keys(tree, Settings, "", origin)
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {_wrong_value(tree, str(error))}") from error
    _check_values(settings)
    return settings


def _check_keys(tree: Any, kind: Any, path: str, origin: str) -> None:
    """Raises ConfigError for the first key that no settings struct has."""
    struct = _struct_of(kind)
    if struct is None:
        return
    for table in tree if isinstance(tree, list | tuple) else (tree,):
        if not isinstance(table, Mapping):
            continue
        known = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
        for key, value in table.items():
            if key not in known:
                place = f" in [{path}]" if path else ""
                hint = nearest(key, known) or f"; known keys: {', '.join(sorted(known))}"
                raise ConfigError(f"{origin}: unknown key {key!r}{place}{hint}")
            _check_keys(value, known[key], f"{path}.{key}" if path else key, origin)


def _struct_of(kind: Any) -> type[Struct] | None:
    """The settings struct inside a field's type: itself, optional, or the items of a tuple."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind
    return next((found for each in get_args(kind) if (found := _struct_of(each))), None)


def _wrong_value(tree: Any, message: str) -> str:
    """What msgspec says of a value, with its key and itself: ``"mutants is -1: expected `int` >= 0"``."""
    what, _, place = message.partition(" - at `$.")
    what = what[0].lower() + what[1:]
    key = place.removesuffix("`").removesuffix("[...]")
    for name, index in re.findall(r"\.?(\w+)|\[(\d+)\]", key):
        try:
            tree = tree[name] if name else tree[int(index)]
        except (KeyError, IndexError, TypeError):
            return f"{key}: {what}"
    choices = _choices(key)
    return f"{key} is {tree!r}: {f'choose one of {choices}' if choices else what}"


def _choices(key: str) -> str:
    """The values that the setting at the dotted `key` may have, where they can be counted."""
    kind: Any = Settings
    for name in key.split("."):
        struct = _struct_of(kind)
        kind = (
            next((each.type for each in msgspec.structs.fields(struct) if each.name == name), None)
            if struct
            else None
        )
    if get_origin(kind) is dict:
        kind = get_args(kind)[1]
    kind = getattr(kind, "__value__", kind)
    return ", ".join(map(repr, get_args(kind))) if get_origin(kind) is Literal else ""


def _check_values(settings: Settings) -> None:
    """Raises ConfigError for values that are of the right type and mean nothing."""
    if not settings.out:
        raise ConfigError("out is '': name the folder that the run is to write to")
    if settings.live:
        parse_live(settings.live)
    for name in ("candidate", "baseline"):
        if url := getattr(settings, name):
            parse_target(name, url)
    for name in ("listen", "metrics"):
        if address := getattr(settings, name):
            parse_address(name, address)
    for port in settings.scope.protocols:
        if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
            raise ConfigError(f"scope.protocols names {port!r}: a port is a number from 1 to 65535")
    parse_conditions(settings.condition)
    _ = settings.duration_seconds, settings.rate_per_second, settings.speed_factor
    by = settings.session.by
    if by not in {"connection", "identity"} and not re.fullmatch(r"(header|cookie):\S+", by):
        raise ConfigError(
            f"session.by {by!r} is not 'connection', 'identity', 'header:NAME' or 'cookie:NAME'"
        )
