"""What of a run the settings say by themselves: its targets, its scope, what signs, masks and resets."""

from collections.abc import Callable, Sequence

from shadow.auth import signer_of
from shadow.config import Settings, parse_live, parse_target, secret_values, secrets
from shadow.config.tables import SuccessSettings
from shadow.content.redaction import Redactor
from shadow.content.secret_search import SecretSearch
from shadow.errors import ConfigError
from shadow.judge import NoiseSettings
from shadow.judge.success_rules import SuccessRule, SuccessRules, success_rule
from shadow.model import Event, Signs, StateChanged
from shadow.pipeline.scope import Scope
from shadow.replay import GuardSettings, Target
from shadow.replay.reset import Reset

_MAX_TROUBLES = 20
_SAME_KIND = {"https": "http", "tls": "tcp"}


def configured_signer(
    settings: Settings, targets: Sequence[Target] = (), hear: Callable[[Event], None] = lambda _: None
) -> Signs | None:
    """What signs requests under the configured scheme; None where none is configured. Raises ConfigError.

    What goes wrong with a callable is heard, each trouble once.
    """
    told: set[str] = set()

    def tell(why: str) -> None:
        if why not in told and len(told) < _MAX_TROUBLES:
            told.add(why)
            hear(StateChanged("partly-unsigned", why))

    url_scheme = targets[0].scheme if targets else "http"
    return signer_of(settings.signing, settings.tokens, secrets(settings), url_scheme=url_scheme, tell=tell)


def secret_search(settings: Settings) -> SecretSearch:
    """What finds secrets by the configured names and patterns, besides those that are known to be such."""
    redaction = settings.redaction
    return SecretSearch(redaction.names, redaction.patterns, redaction.keep)


def configured_redactor(settings: Settings, key: bytes) -> Redactor:
    """What masks secrets, those of the settings among them. Raises ConfigError."""
    redactor = Redactor(settings.redaction, key)
    for value in secret_values(settings):
        redactor.learn(value.encode(), for_good=True)
    return redactor


def scope_of(settings: Settings) -> Scope:
    """Which exchanges are worked on."""
    scope = settings.scope
    scheme = parse_target("candidate", settings.candidate).scheme if settings.candidate else ""
    return Scope(
        include=scope.include,
        exclude=scope.exclude,
        sample=scope.sample,
        seed=settings.seed,
        scheme=scheme,
    )


def targets_of(settings: Settings) -> list[Target]:
    """The candidate, and the baseline where there is one. Raises ConfigError."""
    targets = [parse_target(name, url) for name, url in _urls(settings)]
    kinds = {_SAME_KIND.get(each.scheme, each.scheme) for each in targets}
    if len(kinds) > 1:
        raise ConfigError(
            f"candidate {settings.candidate!r} and baseline {settings.baseline!r} speak different protocols;"
            " give both the same scheme"
        )
    return targets


def _urls(settings: Settings) -> list[tuple[str, str]]:
    named = (("candidate", settings.candidate), ("baseline", settings.baseline))
    return [(name, url) for name, url in named if url]


def guard_settings(settings: Settings, targets: int, *, is_live: bool) -> GuardSettings:
    """What a tap listens on is live too: what is sent there goes through to the live service. So is what
    answers on sniffed ports of this machine. The admin endpoint must not be reached by what is replayed."""
    rate = settings.rate_per_second
    sniffed = [f"0.0.0.0:{port}" for port in settings.scope.ports] if not settings.listen else []
    own = (settings.listen if is_live else "", settings.admin if not settings.admin.endswith(":0") else "")
    live = (settings.live, *own, *(sniffed if is_live else []))
    return GuardSettings(
        live=tuple(each for each in live if each),
        allow=settings.safety.allow,
        kill_file=settings.safety.kill_file,
        requests_max=settings.safety.max_requests or None,
        bytes_max=settings.safety.max_bytes or None,
        requests_per_second_max=rate * targets if rate and is_live else None,
    )


def noise_settings(settings: Settings, targets: list[Target], *, is_live: bool) -> NoiseSettings:
    """A tap's answers are as fresh as the shadow's, so their times must be near; a capture's may be
    years old."""
    live = [parse_live(settings.live)] if settings.live else []
    return NoiseSettings(
        ignore=settings.noise.ignore,
        pin=settings.noise.pin,
        own=tuple(each.authority for each in (*live, *targets)),
        window_seconds=settings.noise.clock_drift_seconds if is_live else None,
        float_tolerance=settings.compare.float_tolerance,
    )


def success_rules(settings: Settings) -> SuccessRules:
    """What the settings say of which answers are successes. Raises ConfigError."""

    def rules(key: str, tables: tuple[SuccessSettings, ...]) -> tuple[SuccessRule, ...]:
        return tuple(
            success_rule(
                f"judge.{key}[{at}]",
                endpoint=each.endpoint,
                status=each.status if isinstance(each.status, tuple) else (each.status,),
                at=each.at,
                value=each.value if isinstance(each.value, tuple) else (each.value,),
                pattern=each.pattern,
            )
            for at, each in enumerate(tables)
        )

    return SuccessRules(
        rejected=rules("rejected", settings.judge.rejected), success=rules("success", settings.judge.success)
    )


def configured_reset(settings: Settings) -> Reset | None:
    """What puts the environment back; None where nothing does. Raises ConfigError."""
    return Reset(settings.reset) if settings.reset is not None else None
