"""What kind of message it is, and which of several senders on one connection it comes from."""

import re
from typing import Any

import orjson

from shadow.model import Message

_NAMING = ("type", "event", "op", "action", "method", "cmd", "command", "kind", "channel", "topic", "msg")
"""Members that tell messages of one kind from those of another."""
_SENDERS = ("channel", "topic", "stream", "symbol", "product_id", "room", "subscription", "id", "request_id")
"""Members that name what a message is about: messages about different things have no order."""
_HEARTBEAT = re.compile(r"(?i)(?:ping|pong|heart_?beat(?:_?ack)?|keep[-_]?alive|hb)")
_ENGINE_HEARTBEATS = (b"2", b"3")
"""Ping and pong of Engine.IO (protocol 4)."""
_PACKET = re.compile(rb"(\d{1,3}(?:/[^,\[{]{0,64},)?\d{0,9})(?=[\[{])")
"""What Socket.IO puts before its JSON: kinds of packet, namespace, number of the acknowledgement."""
_MAX_BEAT_BYTES = 512
_MAX_SNIFFED_BYTES = 4096
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
_MAX_LABEL_CHARS = 80


def label(message: Message) -> str:
    """The kind of a message: what its naming member says, or what it is made of."""
    value = read(message.body)
    if isinstance(value, dict):
        named = [f"{name}={value[name]}" for name in _NAMING if isinstance(value.get(name), str | int | bool)]
        return f"object {named[0]}"[:_MAX_LABEL_CHARS] if named else "object"
    if isinstance(value, list):
        first = value[0] if value else None
        return f"array {first}"[:_MAX_LABEL_CHARS] if isinstance(first, str) else "array"
    return "text" if is_text(message.body) else "binary"


def sender(message: Message) -> str:
    """What the message is about, by a member that names it; empty where nothing tells."""
    value = read(message.body)
    if not isinstance(value, dict):
        return ""
    named = (f"{name}={value[name]}" for name in _SENDERS if isinstance(value.get(name), str | int))
    return next(named, "")[:_MAX_LABEL_CHARS]


def is_heartbeat(message: Message, *, is_engine: bool = False) -> bool:
    """Whether it only says that the sender is there, as often as its clock has it; `is_engine` where
    Engine.IO is spoken.
    """
    if len(message.body) > _MAX_BEAT_BYTES:
        return False
    if message.body in _ENGINE_HEARTBEATS:
        return is_engine
    kind = label(message)
    text = message.body.decode().strip() if kind == "text" else kind.partition("=")[2]
    return _HEARTBEAT.fullmatch(text) is not None


def read(body: bytes) -> Any:
    """The JSON object or array that a message holds; None for all else."""
    text = unwrapped(body)[1]
    if text.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def unwrapped(body: bytes) -> tuple[bytes, bytes]:
    """What stands before the JSON of a packet of Socket.IO, and the JSON; nothing and all for all else."""
    found = _PACKET.match(body)
    return (found[1], body[found.end() :]) if found else (b"", body)


def is_text(body: bytes) -> bool:
    """Whether people can read it."""
    head = body[:_MAX_SNIFFED_BYTES]
    if head.translate(None, _CONTROL_BYTES) != head:
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
