"""What is wrong with settings, found before a run begins."""

import os
from datetime import date

import comparators
from shadow.config import Settings, secret_values
from shadow.config.known import load_known
from shadow.config.schemas import load_schema
from shadow.content.redaction import Redactor
from shadow.errors import ConfigError, nearest
from shadow.judge import Noise
from shadow.model import Outcome
from shadow.pipeline.probes import Probes
from shadow.pipeline.pulse import Pulse
from shadow.replay import Guard
from shadow.replay.rules import Rules
from shadow.run.admin import admin_settings
from shadow.run.catalogue import check_patterns
from shadow.run.configured import (
    configured_reset,
    configured_signer,
    guard_settings,
    noise_settings,
    success_rules,
    targets_of,
)


def check(settings: Settings) -> None:
    """Raises ConfigError for whatever a run with these settings would refuse before it begins."""
    targets = targets_of(settings)
    Guard(guard_settings(settings, len(targets), is_live=True), targets)
    Noise(noise_settings(settings, targets, is_live=True))
    Redactor(settings.redaction, b"")
    configured_signer(settings)
    _ = settings.logins, secret_values(settings)
    _check_identities(settings)
    check_patterns(settings)
    load_schema(settings.schema)
    load_known(settings.known, date.min)
    comparators.load_plugins()
    Rules(settings.correlation)
    configured_reset(settings)
    success_rules(settings)
    check_together(settings)
    Probes.of(settings.probe, settings.identities)
    Pulse(settings.health, _never_asked)
    admin_settings(settings, os.environ)


async def _never_asked(*_: object) -> Outcome:
    raise AssertionError


def check_together(settings: Settings) -> None:
    if settings.reset is not None and settings.workers > 1:
        raise ConfigError(
            f"workers = {settings.workers} and [reset] do not go together: nothing may be under"
            " way during a reset; leave one of them out"
        )


def _check_identities(settings: Settings) -> None:
    """An identity with a key that nobody has would own no request, unseen."""
    keys = [key.id for scheme in (settings.signing, settings.tokens) if scheme for key in scheme.keys]
    for identity in settings.identities:
        if identity.key and identity.key not in keys:
            hint = nearest(identity.key, keys)
            raise ConfigError(f"identity {identity.name!r}: no key {identity.key!r} is configured{hint}")
