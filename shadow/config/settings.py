"""All settings of a run, as the top level of the TOML file."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shadow.auth import TokenSettings
from shadow.auth.login import Login
from shadow.auth.settings import SigningSettings
from shadow.config.identities import IdentitySettings
from shadow.config.tables import (
    AtLeastOne,
    CompareSettings,
    Count,
    JudgeSettings,
    NoiseSettings,
    Patterns,
    SafetySettings,
    SchemaSettings,
    ScopeSettings,
    SessionSettings,
)
from shadow.config.values import parse_duration, parse_loops, parse_rate, positive
from shadow.content.redaction import RedactionSettings
from shadow.model import Identity
from shadow.pipeline.gauges import GaugeSettings
from shadow.pipeline.probes import ProbeSettings
from shadow.pipeline.pulse import HealthSettings
from shadow.pipeline.reshowing import MinimiseSettings
from shadow.replay import SafeModeSettings
from shadow.replay.conditions_reading import ConditionTable
from shadow.replay.reset import ResetSettings
from shadow.replay.rules import CorrelationTable


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
    """URL of the release under test, in the shadow environment: ``http://`` or ``https://``, which take
    WebSockets too, or ``tcp://HOST:PORT``, ``tls://``, ``udp://``, ``dns://`` for conversations."""
    baseline: str = ""
    """URL of the live release in the shadow environment; optional, advised."""
    out: str = "shadow-out"
    """The output folder. A run replaces the files of an earlier run there."""
    seed: int = 0
    """The same seed makes the same mutants of the same traffic."""
    mutants: Count = 3
    """Mutants per exchange, on average: endpoints that are rarely seen get more, requests that were refused
    live fewer. 0 replays only the originals."""
    stack: AtLeastOne = 3
    """Edits in one mutant, at most. Once every single edit was tried at an endpoint, a third of the mutants
    there have more than one; 1 for none."""
    mutants_per_endpoint: Count = 0
    """The most mutants that one endpoint gets in a run; sessions over the same endpoints are as one of their
    own. 0 is without limit."""
    mutants_per_minute: Count = 0
    """The most mutants in any minute, of all endpoints; 0 is without limit."""
    mutators: Patterns = ("*",)
    """Which mutators are used: patterns of a name, ``"level:NAME"`` or ``"expect:NAME"``."""
    no_mutators: Patterns = ()
    """As `mutators`, for those to leave out; it wins."""
    rate: str | float = "max"
    """Requests per second to each target, or ``"max"``. It waits and never drops."""
    speed: str | float = "max"
    """Of recorded time: 1 is as recorded, 2 twice as fast, ``"max"`` without waiting."""
    concurrency: AtLeastOne = 8
    """Exchanges worked on at the same time. With 1, a replay by one process sends the same in the same order
    each time."""
    workers: AtLeastOne = 1
    """Processes that share the work; each session stays with one of them."""
    queue_items: AtLeastOne = 2000
    """Exchanges waiting to be worked on; beyond it a tap's are dropped and counted, a file waits."""
    loops: str | int = 1
    """How often `shadow replay` goes through the files; 0 or ``"inf"`` for as long as `duration` lasts. Each
    pass has sessions of its own."""
    duration: str | float = ""
    """Stop after this time: seconds, or ``"30m"``."""
    timeout_seconds: Annotated[float, Meta(gt=0)] = 10.0
    """For one answer of a target; beyond it the answer is a hang."""
    metrics: str = ""
    """``HOST:PORT`` of the Prometheus endpoint; empty for none."""
    admin: str = ""
    """``HOST:PORT`` of the admin endpoint: ``GET /state``, ``POST /pause``, ``/resume``, ``/stop``. Empty for
    none. Others than loopback addresses need a token in ``SHADOW_ADMIN_TOKEN``."""
    fail_on: Literal["low", "medium", "high", "never"] = "low"
    """The lowest severity that makes the exit code 1."""
    known: str = ""
    """TOML file of findings that were accepted: these stay silent, and what is gone of them is said."""
    allow_writes: bool | None = None
    """Whether mutants of writing methods are sent. Originals always are. Left out: only where there is a
    `[reset]`."""
    confirmations: AtLeastOne = 3
    """How often a suspicion is sent again before it is reported."""
    transport: Literal["auto", "aiohttp", "raw", "http2"] = "auto"
    """``"auto"`` takes HTTP/2 for what was seen over it where the targets speak it; else the lean, byte-exact
    ``raw`` over plain TCP; over TLS aiohttp, where it can say an exchange and all its mutants exactly."""
    host: Literal["target", "keep"] = "target"
    """The Host field sent: the target's own, or the recorded one."""
    condition: str | tuple[str | ConditionTable, ...] = ""
    """Bad networks on the way to the targets: ``"latency=200ms,jitter=50ms"``, a list of such texts, or
    `[[condition]]` tables; docs/conditions.md has them all."""
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
    safe_mode: SafeModeSettings = SafeModeSettings()
    """When a shadow environment that suffers is asked less."""
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

    correlation: CorrelationTable = CorrelationTable()
    """How live values become those of the shadow environment."""
    explain_correlation: bool = False
    """Whether what was learned of live values is told at the end, and written to `correlation.jsonl`."""
    reset: ResetSettings | None = None
    """How candidate and baseline are put back; left out where they are not."""
    probe: tuple[ProbeSettings, ...] = ()
    """Requests whose answers tell the state."""
    gauges: GaugeSettings = GaugeSettings()
    """What the targets tell of themselves, such as the memory they hold, and must not grow."""
    minimise: MinimiseSettings = MinimiseSettings()
    """How much may be spent on making findings smaller."""
    schema: SchemaSettings = SchemaSettings()
    """What documents say that the service takes."""
    compare: CompareSettings = CompareSettings()
    """How answers are compared."""

    health: HealthSettings = HealthSettings()
    """What is done about a target that is unwell as a whole."""

    judge: JudgeSettings = JudgeSettings()
    """What answers amount to, and when they tell nothing."""

    @property
    def mutates_writes(self) -> bool:
        """Whether mutants of writing methods are sent."""
        return self.reset is not None if self.allow_writes is None else self.allow_writes

    @property
    def duration_seconds(self) -> float | None:
        return parse_duration("duration", self.duration) if self.duration != "" else None

    @property
    def passes(self) -> int | None:
        """Through recorded traffic; None for as many as there is time for."""
        return parse_loops(self.loops)

    @property
    def rate_per_second(self) -> float | None:
        """None for as fast as possible."""
        return parse_rate(self.rate)

    @property
    def speed_factor(self) -> float | None:
        """None for as fast as possible."""
        return None if self.speed == "max" else positive("speed", self.speed, "a positive number or 'max'")

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Raises ConfigError where a secret of one is not to be had."""
        return tuple(each.to_identity() for each in self.identity)

    @property
    def logins(self) -> dict[str, Login]:
        """How identities log in, by name. Raises ConfigError as `identities` does, and for what is wrong."""
        found = {each.name: each.to_login() for each in self.identity}
        return {name: login for name, login in found.items() if login is not None}
