"""What is fuzzed: each target takes any bytes, and must neither raise nor give more than its input allows.

A new reader is a line in `TARGETS`: how to feed it, and what to begin with.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import NamedTuple

from shadow.errors import TapError
from shadow.model import Exchange, Settled
from shadow.taps import jsonl
from shadow.taps.files import Recording
from shadow.taps.formats import FORMATS, Writer
from shadow.taps.keylog import decryption
from shadow.wire.direction import Conversation, End
from shadow.wire.dns_message import DnsMessage, parse
from shadow.wire.dns_records import answers, code_name
from shadow.wire.extraction import Extraction
from shadow.wire.http1 import RequestReader, ResponseReader
from shadow.wire.listener import Link
from shadow.wire.packet import Dissector
from shadow.wire.pcap import PcapReader
from shadow.wire.pcapng import PcapngReader
from shadow.wire.protocols import Protocols
from shadow.wire.tls_keylog import KeyLog, Label
from tests.fuzz import seeds
from tests.wire.listening import Heard

AT = 1_700_000_000.0
_SLICES = (1, 7, 64, 1000, 65_536)
_MOST_SLICES = 200
_METHODS = (b"GET", b"HEAD", b"CONNECT", b"POST")
_ACTIONS = 4
_LONG_GAP = 100_000


class Target(NamedTuple):
    """Something that reads bytes."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def read_file(text: bytes) -> None:
    """A file of any format, as a user would give it."""
    list(_recorded(text))


def read_capture(text: bytes) -> None:
    """A capture in pieces of a size that its last byte says, read to the exchanges in it."""
    step = max(_SLICES[text[-1] % len(_SLICES)], len(text) // _MOST_SLICES) if text else 1
    for reader in (PcapReader(), PcapngReader()):
        numbers = count()
        extraction = Extraction("fuzz", lambda _, numbers=numbers: next(numbers))  # type: ignore[misc]  # bound at once
        captured = 0
        for at in range(0, len(text), step):
            records = reader.feed(text[at : at + step])
            captured += sum(len(frame) for _, _, frame in records)
            extraction.take_all(records)
        extraction.take_all(reader.flush())
        extraction.finish()
        reader.finish()
        assert captured <= len(text)
        indexes = [each.index for each in extraction.found if isinstance(each, Exchange)]
        assert len(indexes) == len(set(indexes))


def read_frame(text: bytes) -> None:
    """A frame after two bytes that say its link type; twice, since fragments are kept."""
    dissector = Dissector(datagram_ports=frozenset([53]))
    for _ in range(2):
        segment = dissector.segment(int.from_bytes(text[:2]), text[2:])
        if segment is not None:
            assert len(segment[4]) <= len(text)
            assert segment[5] >= 0


def read_requests(text: bytes) -> None:
    """Requests one after the other, in pieces."""
    step = _SLICES[text[-1] % len(_SLICES)] if text else 1
    reader = RequestReader(max_head_bytes=4096, max_body_bytes=10_000)
    for at in range(0, len(text), step):
        piece = text[at : at + step]
        while reader.error is None and (request := reader.feed(piece)) is not None:
            assert len(request.body) <= 10_000
            piece, reader = reader.surplus, RequestReader(max_head_bytes=4096, max_body_bytes=10_000)
            if not piece:
                break


def read_responses(text: bytes) -> None:
    """A response to a request with a method that its last byte says, in pieces."""
    step = _SLICES[text[-1] % len(_SLICES)] if text else 1
    reader = ResponseReader(_METHODS[text[-1] % 4 if text else 0], max_head_bytes=4096, max_body_bytes=10_000)
    for at in range(0, len(text), step):
        response = reader.feed(text[at : at + step])
        if response is not None:
            assert len(response.body) <= 10_000
            return
    reader.finish()


def heard_in(text: bytes, key_log: bytes = b"") -> Heard:
    """What both sides of a connection say: see `seeds.script` for what the bytes stand for."""
    heard, keys = Heard(), KeyLog()
    keys.add(key_log)
    port = (80, 53, 443, 8080)[text[0] & 3] if text else 80
    link = Link("fuzz", ("10.0.0.1:40000", f"10.0.0.2:{port}"), 1, not (text and text[0] & 4))
    secrets = decryption(keys) if key_log else None
    protocols = Protocols(heard, named={8080: "tcp"}, decryption=secrets)
    conversation: Conversation | None = protocols.open(link)
    seqs = [1000, 5000]
    time, at = AT, 1
    while conversation is not None and at + 3 <= len(text):
        code, size = text[at], int.from_bytes(text[at + 1 : at + 3], "little")
        side, action = code & 1, code >> 1 & 3
        payload = text[at + 3 : at + 3 + size]
        at += 3 + len(payload)
        time += (code >> 3) / 4
        if action == 3:
            gap = min(size, _LONG_GAP) + 1
            wants_more = conversation.skip(side, gap, time)
            seqs[side] += gap
        else:
            wants_more = not payload or conversation.take(side, payload, time, seqs[side], seqs[1 - side])
            seqs[side] += len(payload)
        if not wants_more:
            conversation = None
    if conversation is not None:
        for side in (0, 1):
            conversation.end(side, End.CLOSED if text[-1:] < b"\x80" else End.LOST)
    protocols.queries.finish()
    if secrets is not None:
        secrets.finish()
    assert heard.kept_bytes == 0, "what was kept is given back"
    assert heard.most_kept_bytes <= 64 * len(text) + 65_536
    return heard


def hear(text: bytes) -> None:
    """A connection."""
    heard_in(text)


def hear_tls(text: bytes) -> None:
    """As `hear`, with the secrets of its seeds' connections."""
    heard_in(text, seeds.KEY_LOG)


def read_key_log(text: bytes) -> None:
    """A key log, in lines."""
    keys = KeyLog(max_sessions=10)
    keys.add(text)
    keys.secret(b"\0" * 32, Label.CLIENT_TRAFFIC)
    assert keys.secret_count + keys.junk_count <= text.count(b"\n") + text.count(b"\r") + len(text)


def read_dns(text: bytes) -> None:
    """A DNS message, and its records in words."""
    message = parse(text)
    if isinstance(message, DnsMessage):
        code_name(message, text)
        assert len(answers(message, text)) * 11 <= len(text)


def write_formats(text: bytes) -> None:
    """Whatever exchange a line of JSON may hold, written in every format and read back."""
    exchange = jsonl.decode(text)
    if isinstance(exchange, str):
        return
    for form in FORMATS.values():
        parts: list[bytes] = []
        writer = Writer(form, parts.append)
        writer.add(exchange)
        writer.finish()
        if not writer.left_out:
            assert len(list(_recorded(b"".join(parts)))) == 1, form.name


TARGETS: dict[str, Target] = {
    "file": Target(read_file, seeds.files),
    "capture": Target(read_capture, seeds.captures),
    "frame": Target(read_frame, seeds.frames),
    "requests": Target(read_requests, seeds.requests),
    "responses": Target(read_responses, seeds.responses),
    "conversation": Target(hear, seeds.conversations),
    "tls": Target(hear_tls, seeds.secrets),
    "keylog": Target(
        read_key_log, lambda: [seeds.KEY_LOG, b"CLIENT_RANDOM " + b"0" * 64 + b" " + b"1" * 96 + b"\n"]
    ),
    "dns": Target(read_dns, seeds.dns),
    "formats": Target(write_formats, seeds.lines),
}


def _recorded(text: bytes) -> Iterator[Exchange | Settled]:
    """What a file with these bytes holds; nothing where it is no recording."""
    with _path_of(text) as path, suppress(TapError), Recording([path]) as recording:
        yield from recording


@contextmanager
def _path_of(text: bytes) -> Iterator[str]:
    """A file in memory."""
    descriptor = os.memfd_create("fuzz")
    try:
        os.write(descriptor, text)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
