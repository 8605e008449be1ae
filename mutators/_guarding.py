"""Mutators of third parties, made harmless: what they raise, or hand back that is no edit, costs no run."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from mutators._contract import Mutator, Session, SessionMutator, TalkMutator
from shadow.model import Edit, Exchange, Known, Message, Request, Script, TalkEdit, Wire
from shadow.plugins import Trouble, raised

_MAX_BYTES = 8 * 1024 * 1024
"""More in one mutant is a load test, or a slip."""


def guarded(one: Mutator, trouble: Trouble) -> Mutator:
    """`one`, which makes no mutant where it fails; `trouble` is told each time."""

    def edit(request: Request, rng: Random, known: Known) -> Edit | None:
        return _tried(one.name, lambda: one(request, rng, known), _unsound, trouble)

    return replace(one, edit=edit, wants_known=True)


def guarded_session(one: SessionMutator, trouble: Trouble) -> SessionMutator:
    """As `guarded`, of a session mutator."""

    def plan(session: Session, rng: Random, known: Known) -> Script | None:
        return _tried(
            one.name,
            lambda: one(session, rng, known),
            lambda made: _unsound_script(made, len(session)),
            trouble,
        )

    return replace(one, plan=plan, wants_known=True)


def guarded_talk(one: TalkMutator, trouble: Trouble) -> TalkMutator:
    """As `guarded`, of a mutator of conversations."""

    def edit(talk: Exchange, rng: Random, known: Known) -> TalkEdit | None:
        return _tried(one.name, lambda: one(talk, rng, known), _unsound_talk, trouble)

    return replace(one, edit=edit, wants_known=True)


def _tried[T](
    name: str, make: Callable[[], T | None], unsound: Callable[[object], str], trouble: Trouble
) -> T | None:
    """What is made; None, with `trouble` told, where that raises or `unsound` says what is wrong with it."""
    try:
        made = make()
    except Exception as error:  # noqa: BLE001  # a stranger's code, whose bugs must not end a run
        trouble(name, raised(error))
        return None
    if made is not None and (why := unsound(made)):
        trouble(name, why)
        return None
    return made


def _unsound(made: object) -> str:
    """Why what a mutator handed back is no edit; empty where it is one."""
    if not isinstance(made, Edit):
        return f"handed back {type(made).__name__}, and neither an Edit nor None"
    if not _is_text(made.what):
        return "handed back an Edit without the text of what was changed"
    return _unsound_request(made.request) or _unsound_wire(made.wire)


def _unsound_request(request: object) -> str:
    if not isinstance(request, Request):
        return f"handed back an Edit of {type(request).__name__}, and not of a Request"
    for name in ("method", "target", "version", "body"):
        if not isinstance(getattr(request, name), bytes):
            return f"handed back a Request whose {name} is no bytes"
    for name in ("headers", "trailers"):
        lines = getattr(request, name)
        if not isinstance(lines, tuple) or not all(map(_is_line, lines)):
            return f"handed back a Request whose {name} are no tuple of pairs of bytes"
    return "handed back a mutant of over 8 MiB" if len(request.body) > _MAX_BYTES else ""


def _is_text(said: object) -> bool:
    return isinstance(said, str) and bool(said)


def _is_line(line: object) -> bool:
    return isinstance(line, tuple) and len(line) == 2 and all(isinstance(each, bytes) for each in line)


def _unsound_wire(wire: object) -> str:
    if wire is None:
        return ""
    if not isinstance(wire, Wire) or not wire.segments:
        return "handed back a wire without segments"
    segments: object = wire.segments
    if not isinstance(segments, tuple) or not all(isinstance(each, bytes) for each in segments):
        return "handed back a wire whose segments are no bytes"
    return "handed back a mutant of over 8 MiB" if sum(map(len, wire.segments)) > _MAX_BYTES else ""


def _unsound_talk(made: object) -> str:
    if not isinstance(made, TalkEdit):
        return f"handed back {type(made).__name__}, and neither a TalkEdit nor None"
    if not _is_text(made.what):
        return "handed back a TalkEdit without the text of what was changed"
    messages: object = made.messages
    if not isinstance(messages, tuple) or not all(isinstance(each, Message) for each in messages):
        return "handed back a TalkEdit whose messages are no tuple of Messages"
    if sum(len(each.body) for each in made.messages) > _MAX_BYTES:
        return "handed back a mutant of over 8 MiB"
    return "" if made.request is None else _unsound_request(made.request)


def _unsound_script(made: object, length: int) -> str:
    if not isinstance(made, Script):
        return f"handed back {type(made).__name__}, and neither a Script nor None"
    if not made.steps or not made.judged or not _is_text(made.what):
        return (
            "handed back a Script without steps, without judged ones, or without the text of what was changed"
        )
    if any(not 0 <= at < len(made.steps) for at in (*made.judged, *made.needs, *made.refused)):
        return "handed back a Script that judges or needs a step it does not have"
    length += len(made.others)
    for at, step in enumerate(made.steps):
        if not 0 <= step.origin < length:
            return f"handed back a step that stems from exchange {step.origin} of {length}"
        if step.same_as is not None and not 0 <= step.same_as < at:
            return f"handed back a step that is the same as step {step.same_as}, which does not go before it"
        if why := _unsound_request(step.request) or _unsound_wire(step.wire):
            return why
    return ""
