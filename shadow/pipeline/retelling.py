"""Mutants of conversations in the words of their target: ids that it gave stand for those recorded."""

from collections.abc import Callable, Sequence

import msgspec

from shadow.model import STILL_THERE, Message, TalkEdit
from shadow.pipeline.rewording import Rewording

_PATIENCE_SECONDS = 0.5
"""Live never answered that ping, so this stands for how long it would have taken."""


class Retell(msgspec.Struct, frozen=True):
    """Makes a mutant again of the recorded conversation in other words."""

    protocol: str
    recorded: tuple[Message, ...]
    edit: Callable[[tuple[Message, ...]], TalkEdit | None]


class Retelling:
    """The wording of one mutant while it is said.

    Each of its messages may be made of any recorded one, in any form. So where the recorded ones would be
    said otherwise by now, the mutant is made of them anew, by the same dice, and goes on with its next
    message.
    """

    def __init__(self, wording: Rewording, retell: Retell, messages: Sequence[Message]) -> None:
        """`messages` are the mutant's, made of the recorded ones as they are."""
        self._wording = wording
        self._retell = retell
        self._mine = _mine(messages)
        self._said = 0
        self._heard = -1
        self._words = retell.recorded

    def __call__(self, message: Message, heard: Sequence[Message]) -> Message:
        at = self._said
        self._said += 1
        if len(heard) != self._heard and self._reworded(heard):
            edit = self._retell.edit(self._words)
            made = [] if edit is None else _mine(told(edit, self._retell.protocol))
            self._mine = made if len(made) == len(self._mine) else self._mine
        self._heard = len(heard)
        return self._mine[at] if at < len(self._mine) else message

    def _reworded(self, heard: Sequence[Message]) -> bool:
        """Whether the recorded messages would be said in other words now than before."""
        before = self._words
        self._words = tuple(
            self._wording(each, heard) if each.is_from_client else each for each in self._retell.recorded
        )
        return self._words != before


def told(edit: TalkEdit, protocol: str) -> tuple[Message, ...]:
    """All that is said of a mutant, and waited for."""
    return asking_after(edit.messages, protocol) if edit.asks_after else edit.messages


def asking_after(messages: tuple[Message, ...], protocol: str) -> tuple[Message, ...]:
    """`messages` with a ping that a WebSocket's server must answer if it still listens, and its answer,
    before the goodbye; other protocols have none."""
    if protocol != "websocket":
        return messages
    end = next((at for at, each in enumerate(messages) if each.kind == "close"), len(messages))
    at = messages[end - 1].seen_at if end else 0.0
    ping = Message(True, STILL_THERE, at, "ping")
    pong = Message(False, STILL_THERE, at + _PATIENCE_SECONDS, "pong")
    return (*messages[:end], ping, pong, *messages[end:])


def _mine(messages: Sequence[Message]) -> list[Message]:
    return [each for each in messages if each.is_from_client]
