"""Mutators of bodies, lifted to the messages of conversations: the message is a body like any other."""

from collections.abc import Iterable
from random import Random

import orjson

from mutators._contract import Mutator, TalkMutator
from mutators._talk import edited, spoken
from shadow.content.protobuf import message_of
from shadow.model import Exchange, Expect, Known, Level, Message, Request, TalkEdit

_LEVELS = frozenset({Level.BODY, Level.BYTES})
_OF = ("websocket", "tcp", "udp")
_JSON, _XML, _TEXT = b"application/json", b"application/xml", b"text/plain"
_PROTOBUF, _BYTES = b"application/x-protobuf", b"application/octet-stream"
_MAX_SNIFFED_BYTES = 64 * 1024
_MAX_LOOKED_AT = 3
"""Messages that are tried before there is said to be nothing to edit."""


def lifted(mutators: Iterable[Mutator]) -> tuple[TalkMutator, ...]:
    """Those of `mutators` that edit any body, as mutators of conversations, under their own names.

    What they expect is SAME at most, and that only where both sides are seen to speak JSON: no message says
    what it is, and no protocol what refuses it.
    """
    return tuple(_lifted(each) for each in mutators if each.level in _LEVELS and not each.over)


def _lifted(one: Mutator) -> TalkMutator:
    is_same = one.expect is Expect.SAME

    def edit(talk: Exchange, rng: Random, known: Known) -> TalkEdit | None:
        places = spoken(talk)
        if is_same and not _is_parsed(talk):
            return None
        for at in rng.sample(places, min(len(places), _MAX_LOOKED_AT)):
            body = _edited(one, talk.messages[at], rng, known, is_same=is_same)
            if body is not None:
                return edited(talk, at, body[0], f"message {places.index(at) + 1}: {body[1]}")
        return None

    expect = one.expect if is_same else Expect.SURVIVE
    return TalkMutator(
        one.name, _OF, one.level, expect, one.reason, edit, wants_known=True, is_stated=one.is_stated
    )


def _edited(
    one: Mutator, message: Message, rng: Random, known: Known, *, is_same: bool
) -> tuple[bytes, str] | None:
    """The message's body as the mutator makes it, and what it did; None where it edits nothing of it."""
    content, end = _content(message)
    kind = _media_type(content, message.kind)
    if is_same and kind != _JSON:
        return None
    headers = ((b"Content-Type", kind), (b"Content-Length", b"%d" % len(content)))
    request = Request(b"POST", b"/", headers=headers, body=content)
    made = one(request, rng, known)
    if made is None or made.wire is not None or made.request.body == content:
        return None
    if [line for line in made.request.headers if line[0] != b"Content-Length"] != [headers[0]]:
        return None  # what the fields say otherwise cannot be said here
    body = made.request.body
    if is_same and end and end[-1:] in body:
        return None  # where lines end messages, it would be two
    if message.kind == "text" and not _is_utf8(body):
        return None
    return body + end, made.what


def _content(message: Message) -> tuple[bytes, bytes]:
    """A message without the line's end that it ends with, and that end."""
    body = message.body
    if message.kind or not body.endswith(b"\n"):
        return body, b""
    size = 2 if body.endswith(b"\r\n") else 1
    return body[:-size], body[-size:]


def _media_type(content: bytes, kind: str) -> bytes:
    if _is_json(content):
        return _JSON
    if content.lstrip()[:1] == b"<":
        return _XML
    if kind == "text" or (kind == "" and _is_utf8(content)):
        return _TEXT
    asked = Request(b"POST", b"/", headers=((b"Content-Type", _PROTOBUF),), body=content)
    return _PROTOBUF if content and message_of(asked) is not None else _BYTES


def _is_parsed(talk: Exchange) -> bool:
    """Whether what both sides say is JSON, and the peer does not merely repeat it."""
    theirs = [
        each.body for each in talk.messages if not each.is_from_client and each.kind in ("text", "binary", "")
    ]
    mine = {each.body for each in talk.messages if each.is_from_client}
    return bool(theirs) and all(_is_json(each) for each in theirs) and not mine.intersection(theirs)


def _is_json(content: bytes) -> bool:
    """Whether it is one object or array."""
    if content.lstrip()[:1] not in (b"{", b"[") or len(content) > _MAX_SNIFFED_BYTES:
        return False
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
