"""What fuzzing begins with: small inputs that reach far, made here and never recorded.

python -m tests.fuzz.seeds FOLDER    writes them, a folder for each target
"""

import bz2
import lzma
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import zstandard

from bench.capture import Talk, ethernet, ip, pcap, pcapng, tcp
from shadow.content.coding import gzip
from shadow.model import Exchange, Message, Request, Response
from shadow.taps.formats import FORMATS, Writer
from tests.wire.sealing import Sealed

AT = 1_700_000_000.0
GET = b"GET /a?b=c HTTP/1.1\r\nHost: h\r\nCookie: a=1\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = (
    b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: 1\r\n\r\n"
)
CONNECT = b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"
UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nhi"
CODED = (
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n18\r\n%b\r\n0\r\n\r\n"
)
CLOSED = b"HTTP/1.0 200 OK\r\n\r\nuntil the end"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
SAID = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
"""A masked text frame: "Hello" (RFC 6455 §5.7)."""
DEFLATED = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"
"""The same, compressed (RFC 7692 §7.2.3.1)."""
QUERY = b"\x12\x34\x01\x00\0\1\0\0\0\0\0\1\3www\7example\0\0\1\0\1\0\0\x29\x10\0\0\0\0\0\0\0"
ANSWER = (
    b"\x12\x34\x81\x80\0\1\0\3\0\0\0\0\3www\7example\0\0\1\0\1"
    b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1a\xc0\x10\1a\xc0\x10\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1"
    b"\xc0\x0c\0\x10\0\1\0\0\0\x3c\0\6\5hello"
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TLS = b"\x16\x03\x01\0\x2f\1\0\0\x2b\3\3" + b"r" * 32 + b"\0\0\4\x13\1\x13\2\1\0"


def script(steps: Iterable[tuple[int, bytes | int]], *, first: int = 0) -> bytes:
    """What both sides of a connection say: side 0 or 1 and its bytes, or how many of them are missing.

    `first` chooses the server's port by its lowest two bits; with 4 the connection's start was not seen.
    """
    parts = [bytes([first])]
    for side, said in steps:
        action, size = (3, said) if isinstance(said, int) else (0, len(said))
        parts.append(bytes([side | action << 1]) + size.to_bytes(2, "little"))
        parts.append(b"" if isinstance(said, int) else said)
    return b"".join(parts)


def talks() -> list[Talk]:
    """Connections of every kind."""
    plain = Talk(at=AT).open().say(0, GET).say(1, OK).say(0, POST).say(1, CLOSED).close()
    pipelined = Talk(("10.0.0.1", 2), at=AT).open().say(0, GET * 3).say(1, OK * 3)
    socket = Talk(("10.0.0.1", 3), at=AT).open().say(0, UPGRADE).say(1, SWITCH).say(0, SAID).say(1, DEFLATED)
    names = Talk(("10.0.0.1", 4), ("10.0.0.2", 53), at=AT).open()
    for side, text in enumerate((QUERY, ANSWER)):
        names.say(side, len(text).to_bytes(2) + text)
    late = Talk(("::1", 5), ("::2", 80), at=AT).say(1, OK).say(0, CHUNKED).say(1, CONTINUE + OK)
    swapped = Talk(("10.0.0.1", 6), at=AT).open().say(0, GET, mss=10)
    swapped.packets[3:5] = swapped.packets[4:2:-1]
    return [plain, pipelined, socket, names, late, swapped]


def captures() -> list[bytes]:
    """Captures, whole and cut, in both formats."""
    found = [pcap(talk.packets) for talk in talks()]
    every = sorted((packet for talk in talks() for packet in talk.packets), key=lambda packet: packet[0])
    found += [
        pcapng(every),
        pcapng(every[:9], order=">", resolution=6),
        pcap(every[:9], order=">", nano=True),
    ]
    found += [pcap(every[:5]) + b"\xff" * 40 + pcap(every[5:12])[24:], pcap(every[:5]) + pcap(every[5:9])]
    found += [pcapng(every[:3]) + b"junk" * 9 + pcapng(every[3:6]), pcap(every)[:-7]]
    query = ethernet(ip("10.0.0.1", "10.0.0.2", 17, _datagram(5000, 53, QUERY)))
    answer = ethernet(ip("10.0.0.2", "10.0.0.1", 17, _datagram(53, 5000, ANSWER)))
    return [*found, pcap([(AT, query), (AT + 1, answer)])]


def frames() -> list[bytes]:
    """Frames after two bytes with their link type."""
    segment = tcp(40000, 80, 1, 1, 24, GET)
    four, six = ip("10.0.0.1", "10.0.0.2", 6, segment), ip("::1", "::2", 6, segment)
    plain = ethernet(four)
    udp = [(4789, b"\x08\0\0\0\0\0\x2a\0" + plain), (6081, b"\0\0\x65\x58\0\0\7\0" + plain)]
    udp += [(2152, b"\x30\xff" + b"\0" * 6 + four), (4754, b"\0\0\x08\0" + four), (3544, six)]
    udp += [(5072, b"\x41\x52\x11\x29" + b"\0" * 40 + six), (1701, b"\0\2\0\1\0\2\xff\3\0\x21" + four)]
    tunnels = [ethernet(ip("1.1.1.1", "2.2.2.2", 17, _datagram(5, port, text))) for port, text in udp]
    tunnels += [
        ethernet(ip("1.1.1.1", "2.2.2.2", 47, head + four))
        for head in (b"\0\0\x08\0", b"\xb0\0\x08\0" + b"\0" * 12)
    ]
    halves = [
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), 7, flags, 64, 6, 0) + b"\1" * 8 + part
        for part, flags in ((segment[:24], 0x2000), (segment[24:], 3))
    ]
    links = [
        (1, plain),
        (1, ethernet(six, b"\x81\0\0\5", True)),
        (0, b"\2\0\0\0" + four),
        (101, six),
        (113, b"\0" * 14 + b"\x08\0" + four),
    ]
    links += [
        (276, b"\x08\0" + b"\0" * 18 + four),
        (9, b"\xff\3\0\x21" + four),
        (105, b"\x08\1" + b"\0" * 22 + b"\xaa\xaa\3\0\0\0\x08\0" + four),
    ]
    links += [
        (192, b"\0\0\x08\0\x69\0\0\0" + b"\x08\1" + b"\0" * 22 + b"\xaa\xaa\3\0\0\0\x08\0" + four),
        (239, b"\2\0\0\0" + struct.pack("<HH", 4 + len(four), 9) + four),
    ]
    links += [(107, b"\x18\x41\3\xcc" + four), (258, struct.pack("<III", 108, 1, 1) + b"\0" * 96 + plain)]
    return [
        link.to_bytes(2) + frame
        for link, frame in [*links, *((1, each) for each in tunnels), *((101, each) for each in halves)]
    ]


def requests() -> list[bytes]:
    return [GET, POST, CHUNKED, CONNECT, UPGRADE, GET + POST + CHUNKED, b"\r\n" + GET, PREFACE]


def responses() -> list[bytes]:
    return [
        OK,
        CODED % gzip(b"hi")[:24],
        CLOSED,
        CONTINUE + OK,
        SWITCH + SAID,
        b"HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n",
    ]


def conversations() -> list[bytes]:
    """Scripts: see `script`."""
    names = [(side, len(text).to_bytes(2) + text) for side, text in enumerate((QUERY, ANSWER))]
    return [
        script([(0, GET), (1, OK), (0, POST), (1, CLOSED)]),
        script([(0, GET * 2 + POST[:30]), (0, POST[30:]), (1, OK), (1, CONTINUE + OK * 2)]),
        script([(0, UPGRADE), (1, SWITCH + DEFLATED), (0, SAID), (0, b"\x88\x82\0\0\0\0\3\xe8")]),
        script([(0, CONNECT), (1, b"HTTP/1.1 200 \r\n\r\n"), (0, GET), (1, OK)]),
        script([(1, OK), (0, GET), (1, 500), (1, OK), (0, 9), (0, POST), (1, OK)], first=4),
        script([(0, POST[:40]), (0, 6), (1, OK), (0, GET), (1, OK[:10]), (1, 20), (1, OK)]),
        script(names, first=1),
        script(http2()),
        script(http2()[2:], first=4),
        script([(0, TLS), (1, TLS)], first=2),
        script([(0, b"hello"), (1, b"world"), (0, 3), (1, b"more")], first=3),
    ]


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    """One of HTTP/2."""
    return len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + body


def http2() -> list[tuple[int, bytes | int]]:
    """A conversation: two requests, one with a body and trailers, and their answers; a gap in the second."""
    asked = frame(1, 5, 1, b"\x82\x86\x84\x41\1h") + frame(
        1, 4, 3, b"\x83\x86\x44\2/p\x0f\x10\x10application/grpc"
    )
    said = frame(0, 0, 3, b"\0\0\0\0\2hi") + frame(1, 1, 3, b"\0") + frame(9, 4, 3, b"\1x\1y")
    answered = (
        frame(1, 4, 1, b"\x88\x5c\x012")
        + frame(0, 1, 1, b"ok")
        + frame(1, 4, 3, b"\x88\x0f\x10\x10application/grpc")
    )
    return [
        (0, PREFACE + frame(4, 0, 0, b"\0\1\0\0\x10\0")),
        (1, frame(4, 0, 0) + frame(4, 1, 0)),
        (0, asked + said),
        (1, answered + frame(0, 0, 3, b"\0\0\0\0\2hi")[:12]),
        (1, 4),
        (1, frame(1, 5, 3, b"\x40\x0bgrpc-status\x010") + frame(7, 0, 0, b"\0" * 8)),
    ]


def secrets() -> list[bytes]:
    """Scripts of connections over TLS 1.3, whose secrets `KEY_LOG` has: HTTP/1, HTTP/2, one with a gap."""
    plain = Sealed().open().say(0, GET).say(1, OK).update(0).say(0, POST).say(1, CLOSED).close()
    second = Sealed().open()
    for side, text in http2():
        if isinstance(text, bytes):
            second.say(side, text)
    found = [script(_said(each.talk), first=2) for each in (plain, second)]
    steps = list(_said(plain.talk))
    return [
        *found,
        script([*steps[:-3], (steps[-3][0], 40), *steps[-2:]], first=2),
        script(steps[3:], first=6),
    ]


KEY_LOG = Sealed().key_log()


def dns() -> list[bytes]:
    return [QUERY, ANSWER]


def exchanges() -> list[Exchange]:
    """One of each protocol."""
    headers = ((b"Host", b"h"), (b"X", b"\xe9"), (b"Content-Encoding", b"gzip"))
    request = Request(b"POST", b"/p?q=%20", b"HTTP/1.1", headers, b"a=1&b=\xff", ((b"T", b"1"),))
    response = Response(200, b"OK", b"HTTP/2", headers, gzip(b"hi"), is_complete=False)
    said = (Message(True, b"hi", AT, "text"), Message(False, b"\xff", AT + 1, "binary"))
    names = (Message(True, QUERY, AT), Message(False, ANSWER, AT + 1))
    nothing = Request(b"", b"", b"")
    return [
        Exchange(0, "pcap", "10.0.0.1:1>10.0.0.2:80#1", AT, request, response, 0.5, "10.0.0.2:80"),
        Exchange(1, "pcap", "s", AT, request, None, None, "[::1]:443"),
        Exchange(2, "pcap", "s", AT, request, response, 0.5, "h:80", "websocket", said, False),
        Exchange(3, "pcap", "s", AT, nothing, None, 0.5, "h:53", "dns", names),
        Exchange(4, "pcap", "s", AT, nothing, None, None, "h:9", "tcp", said),
    ]


def lines() -> list[bytes]:
    return [FORMATS["jsonl"].encode(each) or b"" for each in exchanges()]


def files() -> list[bytes]:
    """A file in every format, packed in every way."""
    found = []
    for form in FORMATS.values():
        parts: list[bytes] = []
        writer = Writer(form, parts.append)
        for each in exchanges():
            writer.add(each)
        writer.finish()
        found.append(b"".join(parts))
    small = captures()[0]
    packed = [gzip(small), bz2.compress(small), lzma.compress(small), zstandard.compress(small)]
    return [*found, *captures(), *packed, gzip(b"".join(lines()))]


def main() -> None:
    """Writes the seeds of every target to a folder of its own."""
    from tests.fuzz.targets import TARGETS

    for name, target in TARGETS.items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(target.seeds()):
            (folder / f"seed{number:02}").write_bytes(text)


def _said(talk: Talk) -> Iterator[tuple[int, bytes]]:
    """What the segments of `talk` hold, and whose they are."""
    for _, packet in talk.packets:
        size = 34 + int.from_bytes(packet[16:18]) - 20
        payload = packet[34 + (packet[46] >> 4) * 4 : size]
        if payload:
            yield int(packet[29] != 1), payload


def _datagram(source: int, target: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


if __name__ == "__main__":
    main()
