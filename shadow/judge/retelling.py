"""A conversation as something to paste into a shell, and its answers as something to read."""

import shlex
from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from shadow.model import Message, Reply, Request
from shadow.wire.dns_message import parse
from shadow.wire.dns_records import code_name, flag_names, sections, type_name
from shadow.wire.spoken import spoken

_MAX_PIECES = 50
_MAX_BYTES = 16_384
_MAX_SHOWN_MESSAGES = 100
_MAX_SHOWN_BYTES = 4096
_TLS = ("tls", "https")
_LISTEN_SECONDS = 2


def command(
    protocol: str, request: Request, messages: Sequence[Message], origin: str, *, is_exact: bool = False
) -> str | None:
    """A bash command line that says the client's part to `origin` (``"tcp://host:port"``), without waiting
    for more than a moment between two pieces. None where there is nothing to say, or too much for a line."""
    pieces = spoken(protocol, request, messages, is_exact=is_exact)
    if not pieces or len(pieces) > _MAX_PIECES or sum(map(len, pieces)) > _MAX_BYTES:
        return None
    parts = urlsplit(origin)
    host, port = parts.hostname or "", parts.port or {"https": 443, "dns": 53}.get(parts.scheme, 80)
    if protocol == "dns":
        return (None if is_exact else _dig(pieces[0], host, port)) or _by_socket(pieces, "udp", host, port)
    if parts.scheme in _TLS:
        said = "; sleep 1; ".join(map(_printed, pieces))
        return (
            f"({said}; sleep {_LISTEN_SECONDS}) | openssl s_client -quiet -connect {_authority(host, port)}"
        )
    return _by_socket(pieces, "udp" if protocol == "udp" else "tcp", host, port)


def readable(reply: Reply) -> dict[str, Any]:
    """What the peer said, as JSON: text where it is text, the records of DNS, base64 for all else."""
    shown: dict[str, Any] = {"protocol": reply.protocol}
    if reply.response.status:
        shown["status"] = reply.response.status
    shown["messages"] = [_message(reply.protocol, each) for each in reply.messages[:_MAX_SHOWN_MESSAGES]]
    shown["message_count"] = len(reply.messages)
    if reply.remarks:
        shown["remarks"] = list(reply.remarks)
    return shown


def _message(protocol: str, message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": message.kind} if message.kind else {}
    if protocol == "dns" and (answer := _dns(message.body)):
        return shown | {"dns": answer}
    if message.kind == "close":
        code = int.from_bytes(message.body[:2]) if len(message.body) >= 2 else None
        return shown | {"code": code, "text": message.body[2:].decode("utf-8", "backslashreplace")}
    shown["bytes"] = len(message.body)
    cut = message.body[:_MAX_SHOWN_BYTES]
    try:
        text = cut.decode()
    except UnicodeDecodeError:
        return shown | {"base64": b64encode(cut).decode()}
    return shown | ({"base64": b64encode(cut).decode()} if "\x00" in text else {"text": text})


def _dns(text: bytes) -> list[str] | None:
    """The answer in lines, as `dig` has them."""
    message = parse(text)
    if isinstance(message, str):
        return None
    lines = [" ".join([code_name(message, text), *flag_names(message)])]
    lines += [f"? {each.name} {type_name(each.kind)}" for each in message.questions]
    for name, records in zip(("answer", "authority", "additional"), sections(message, text), strict=True):
        lines += [f"{name}: {each.name} {each.ttl} {each.type} {each.data}" for each in records]
    return lines[:_MAX_SHOWN_MESSAGES]


def _dig(query: bytes, host: str, port: int) -> str | None:
    """None for what is no plain question."""
    message = parse(query)
    if isinstance(message, str) or message.opcode or len(message.questions) != 1 or message.sections.answers:
        return None
    name, kind, group = message.questions[0]
    if group != 1 or message.sections.authorities or message.sections.additions > 1:
        return None
    options = [] if "rd" in flag_names(message) else ["+norecurse"]
    options += [] if message.sections.additions else ["+noedns"]
    words = ["dig", f"@{host}", "-p", str(port), "-q", name, "-t", type_name(kind), "+nocookie", *options]
    return shlex.join(words)


def _by_socket(pieces: Sequence[bytes], kind: str, host: str, port: int) -> str:
    """By the sockets that bash has."""
    said = "; sleep 1; ".join(f"{_printed(piece)} >&3" for piece in pieces)
    return f"exec 3<>/dev/{kind}/{host}/{port}; {said}; timeout {_LISTEN_SECONDS} cat <&3; exec 3>&-"


def _printed(piece: bytes) -> str:
    """A command that prints `piece`, readable where it is text."""
    text = "".join(map(_escaped, piece))
    if b"\x00" not in piece and len(text) < 2 * len(piece) + 8:
        return f"printf %s $'{text}'"
    return f"printf %s {b64encode(piece).decode()} | base64 -d"


def _escaped(byte: int) -> str:
    char = chr(byte)
    if char in "'\\":
        return "\\" + char
    named = {"\r": "\\r", "\n": "\\n", "\t": "\\t"}.get(char)
    return named or (char if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
