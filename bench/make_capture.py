"""Writes a capture of HTTP/1.1 traffic: gzip, chunked and plain answers, GET and POST, over many connections.

python -m bench.make_capture FILE [--megabytes 200] [--seed 1]
"""

import argparse
import gzip
import json
import struct
from pathlib import Path
from random import Random
from typing import BinaryIO

from bench.capture import Packet, Talk, pcap

_CONNECTIONS = 64
_EXCHANGES_PER_CONNECTION = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with options.file.open("wb") as stream:
        exchanges, packets = write(stream, options.megabytes * 1_000_000, Random(options.seed))
    print(f"{options.file}: {exchanges} exchanges in {packets} packets")


def write(stream: BinaryIO, size: int, rng: Random) -> tuple[int, int]:
    """Writes about `size` bytes of capture; how many exchanges and packets those are."""
    stream.write(pcap([]))
    written = exchanges = packets = port = 0
    bodies = [_document(rng) for _ in range(40)]
    while written < size:
        talks = [
            Talk((f"10.1.{at}.{rng.randrange(1, 255)}", 10_000 + port % 50_000), ("10.9.9.9", 8080))
            for at in range(64)
        ]
        port += 1
        for talk in talks:
            talk.time += port * 100 + rng.random()
            _converse(talk, rng, bodies)
        batch = sorted((packet for talk in talks for packet in talk.packets), key=lambda packet: packet[0])
        exchanges += _CONNECTIONS * _EXCHANGES_PER_CONNECTION
        packets += len(batch)
        written += _append(stream, batch)
    return exchanges, packets


def _converse(talk: Talk, rng: Random, bodies: list[bytes]) -> None:
    talk.open()
    fields = (
        b"Host: api.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux)\r\nAccept: application/json\r\n"
        b"Accept-Encoding: gzip, deflate, br\r\nAuthorization: Bearer %032x\r\nCookie: session=%032x\r\n"
    ) % (rng.getrandbits(128), rng.getrandbits(128))
    for _ in range(_EXCHANGES_PER_CONNECTION):
        talk.say(0, _request(rng, fields, bodies)).say(1, _response(rng, rng.choice(bodies)))
        talk.time += rng.random() * 0.1
    talk.close()


def _request(rng: Random, fields: bytes, bodies: list[bytes]) -> bytes:
    """A request of a client that says `fields` each time."""
    path = b"/v1/instances/%08x?limit=%d" % (rng.getrandbits(32), rng.randrange(100))
    if rng.random() < 0.7:
        return b"GET %b HTTP/1.1\r\n%b\r\n" % (path, fields)
    body = rng.choice(bodies)[: rng.randrange(200, 3000)]
    length = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return b"POST %b HTTP/1.1\r\n%b%b\r\n%b" % (path, fields, length, body)


def _response(rng: Random, body: bytes) -> bytes:
    head = (
        b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\nX-Request-Id: %032x\r\n"
        % (rng.getrandbits(128))
    )
    kind = rng.random()
    if kind < 0.3:
        body = gzip.compress(body, 1)
        return head + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    if kind < 0.6:
        chunks = [body[at : at + 2000] for at in range(0, len(body), 2000)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _document(rng: Random) -> bytes:
    rows = [
        {"id": rng.getrandbits(64), "name": f"instance-{at}", "tags": ["a", "b"], "price": rng.random()}
        for at in range(rng.randrange(4, 115))
    ]
    return json.dumps({"items": rows}).encode()


def _append(stream: BinaryIO, packets: list[Packet]) -> int:
    parts = []
    for time, frame in packets:
        parts += [struct.pack("<IIII", int(time), int(time % 1 * 1e6), len(frame), len(frame)), frame]
    text = b"".join(parts)
    stream.write(text)
    return len(text)


if __name__ == "__main__":
    main()
