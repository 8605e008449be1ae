"""Exceptions that a user can cause: wrong settings and unusable input. All else that raises is a bug.

ShadowError
├── ConfigError   a setting or option is wrong                      exit code 2
├── TapError      a capture or interface cannot be read             exit code 2
├── FeedError     tap and pipeline cannot reach each other          exit code 2
├── SinkError     findings or metrics cannot be written             exit code 2
├── UnsafeError   a safety rule forbids going on                    exit code 3
└── TargetError   the shadow environment cannot be used             exit code 4
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ShadowError(Exception):
    """Something the user can put right. The message is one line: what is wrong, the value, the way out."""

    exit_code = 2


class ConfigError(ShadowError):
    """A setting or an option is wrong."""


class TapError(ShadowError):
    """A capture file or an interface cannot be read."""


class FeedError(ShadowError):
    """The tap and the pipeline cannot reach each other."""


class SinkError(ShadowError):
    """Findings or metrics cannot be written or served."""


class UnsafeError(ShadowError):
    """A safety rule forbids going on."""

    exit_code = 3


class TargetError(ShadowError):
    """The shadow environment cannot be used."""

    exit_code = 4


def first_in(group: BaseExceptionGroup[BaseException]) -> ShadowError | None:
    """The first of the user's errors in `group`; None where it holds bugs alone."""
    found, _ = group.split(ShadowError)
    error: BaseException | None = found
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, ShadowError) else None


def nearest(word: str, choices: Iterable[str]) -> str:
    """``", did you mean 'x'?"`` for the closest of `choices`, or an empty string when none is close."""
    close = get_close_matches(word, list(choices), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
