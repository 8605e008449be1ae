"""DNS messages as mitmproxy keeps them, member by member, and as they are on the wire (RFC 1035 §4)."""

import struct
from typing import Any

from shadow.wire.dns_message import read_name

_HEADER = struct.Struct("!HHHHHH")
_FLAGS = (
    ("authoritative_answer", 10),
    ("truncation", 9),
    ("recursion_desired", 8),
    ("recursion_available", 7),
)
"""Members and the bits that they stand for."""
_SECTIONS = ("answers", "authorities", "additionals")
_MAX_RECORDS = 8192
"""More do not fit into a message."""
_BEFORE_NAMES = {2: 0, 5: 0, 6: 0, 12: 0, 15: 2, 33: 6, 39: 0}
"""Types whose data has a name in it, which may point elsewhere, and how many bytes stand before that."""

type State = dict[str, Any]


def packed(state: State) -> bytes:
    """The message on the wire, without compressed names. Raises what a state of another shape makes it raise:
    KeyError, TypeError, ValueError; and ValueError for numbers that do not fit."""
    flags = 0 if state["query"] else 0x8000
    flags |= (int(state["op_code"]) & 15) << 11 | (int(state["reserved"]) & 7) << 4
    flags |= int(state["response_code"]) & 15
    for member, bit in _FLAGS:
        flags |= bool(state[member]) << bit
    records = [state[section] for section in _SECTIONS]
    try:
        counts = len(state["questions"]), *map(len, records)
        parts = [_HEADER.pack(state["id"], flags, *counts)]
        parts += (_packed_question(each) for each in state["questions"])
        parts += (_packed_record(each) for section in records for each in section)
    except struct.error as error:
        raise ValueError(str(error)) from error
    return b"".join(parts)


def _packed_question(asked: State) -> bytes:
    return _packed_name(asked["name"]) + struct.pack("!HH", asked["type"], asked["class_"])


def _packed_record(record: State) -> bytes:
    data = record["data"]
    head = struct.pack("!HHIH", record["type"], record["class_"], record["ttl"], len(data))
    return _packed_name(record["name"]) + head + bytes(data)


def unpacked(text: bytes, timestamp: float) -> State | None:
    """The members of a message; None where it is none, or has names that mitmproxy cannot have."""
    try:
        return _unpacked(text, timestamp)
    except (struct.error, IndexError, ValueError):
        return None


def _unpacked(text: bytes, timestamp: float) -> State:
    ident, flags, *counts = _HEADER.unpack_from(text)
    if sum(counts) > _MAX_RECORDS:
        raise ValueError("too many records")
    state: State = {
        "id": ident,
        "query": not flags & 0x8000,
        "op_code": flags >> 11 & 15,
        "reserved": flags >> 4 & 7,
        "response_code": flags & 15,
        "questions": [],
        "timestamp": timestamp,
        **{member: bool(flags >> bit & 1) for member, bit in _FLAGS},
    }
    at = _HEADER.size
    for _ in range(counts[0]):
        name, at = _name(text, at)
        kind, group = struct.unpack_from("!HH", text, at)
        state["questions"].append({"name": name, "type": kind, "class_": group})
        at += 4
    for section, count in zip(_SECTIONS, counts[1:], strict=True):
        state[section] = []
        for _ in range(count):
            record, at = _record(text, at)
            state[section].append(record)
    if at != len(text):
        raise ValueError("bytes after its end")
    return state


def _record(text: bytes, at: int) -> tuple[State, int]:
    name, at = _name(text, at)
    kind, group, ttl, size = struct.unpack_from("!HHIH", text, at)
    at += 10
    end = at + size
    if end > len(text):
        raise ValueError("a record reaches beyond the message")
    record = {
        "name": name,
        "type": kind,
        "class_": group,
        "ttl": ttl,
        "data": _data(text, at, end, kind),
    }
    return record, end


def _data(text: bytes, at: int, end: int, kind: int) -> bytes:
    """A record's data, the names in it whole."""
    before = _BEFORE_NAMES.get(kind)
    if before is None or at + before >= end:
        return text[at:end]
    data, at = text[at : at + before], at + before
    for _ in range(2 if kind == 6 else 1):
        name, at = _name(text, at)
        data += _packed_name(name)
    return data + text[at:end]


def _name(text: bytes, at: int) -> tuple[str, int]:
    """The name at `at`, and the position after it. ValueError where there is none that mitmproxy can have."""
    found = read_name(text, at)
    if found is None or "\\" in found[0]:
        raise ValueError("no name, or one with signs in it that stand for something else")
    return "" if found[0] == "." else found[0], found[1]


def _packed_name(name: object) -> bytes:
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
    labels = [
        label.encode("ascii") if label.isascii() else label.encode("idna")
        for label in text.split(".")
        if label
    ]
    if any(len(label) > 63 for label in labels):
        raise ValueError("a label that is too long")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
