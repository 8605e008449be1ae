"""The passive tap on the loopback interface. Listening needs a privilege; without it, that is told."""

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.capture import Talk
from shadow.errors import TapError
from shadow.model import Exchange
from shadow.taps.sniff import Sniffer, SniffSettings, bpf
from shadow.wire.remarks import TlsRemarks
from tests.certificates import server_tls, write_certificate

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"


class Taker:
    """Keeps what it is offered, and tells when there is `wanted` of it."""

    def __init__(self, wanted: int) -> None:
        self.taken: list[Exchange] = []
        self.skipped: list[str] = []
        self.full = threading.Event()
        self.counted = (0, 0)
        self._wanted = wanted

    def offer(self, exchange: Exchange) -> bool:
        self.taken.append(exchange)
        if len(self.taken) >= self._wanted:
            self.full.set()
        return True

    def skip(self, why: str) -> None:
        self.skipped.append(why)

    def frames(self, taken: int, lost: int) -> None:
        self.counted = taken, lost


@pytest.mark.parametrize("ports", [(80,), (80, 8080)])
def test_filter_names_every_port_and_lets_fragments_through(ports: tuple[int, ...]) -> None:
    expression = bpf(ports)
    assert all(f"tcp port {port}" in expression for port in ports)
    plain, mark, tagged = expression.partition("vlan")  # after the word every offset is a tagged frame's
    assert mark
    assert "ip[6:2] & 0x1fff" in plain
    assert "ip[6:2] & 0x1fff" in tagged


def test_filter_names_the_ports_of_other_protocols() -> None:
    expression = bpf((80,), {9000: "tcp", 5000: "udp", 5300: "dns"})
    for part in expression.split("vlan"):
        assert "tcp port 80 or tcp port 9000 or udp port 5000 or port 5300 or" in part


def test_unknown_interface_is_named_with_those_that_are_there() -> None:
    with pytest.raises(TapError, match=r"no interface 'nope0'; there are .*lo"):
        Sniffer(SniffSettings("nope0", (80,)))


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(ANSWER)
        await writer.drain()
        if reader.at_eof():
            break
    writer.close()


async def ask(port: int, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for n in range(count):
        writer.write(b"GET /item/%d HTTP/1.1\r\nHost: x\r\n\r\n" % n)
        await reader.readexactly(len(ANSWER))
    writer.close()
    await writer.wait_closed()


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await answer_all(reader, writer)
    except asyncio.IncompleteReadError:
        writer.close()


async def test_loopback_traffic_is_taken_once_and_byte_for_byte() -> None:
    server = await asyncio.start_server(answering, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    settings = SniffSettings("lo", (port,))
    if os.geteuid() != 0:
        with pytest.raises(TapError, match="run as root or with CAP_NET_RAW"):
            Sniffer(settings)
        server.close()
        return
    sniffer, taker, stop = Sniffer(settings), Taker(20), threading.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        listening = group.create_task(asyncio.to_thread(sniffer.run, taker, stop))
        await ask(port, 20)
        await asyncio.to_thread(taker.full.wait, 10)
        stop.set()
        await listening
    sniffer.close()
    server.close()
    assert [each.request.target for each in taker.taken] == [b"/item/%d" % n for n in range(20)]
    assert [each.index for each in taker.taken] == list(range(20))
    assert {(each.response.status, each.response.body) for each in taker.taken if each.response} == {
        (200, b"hello")
    }
    assert {each.live for each in taker.taken} == {f"127.0.0.1:{port}"}
    assert (taker.skipped, sniffer.lost_count) == ([], 0)
    assert sniffer.frame_count > 40


@pytest.mark.skipif(os.geteuid() != 0, reason="packet sockets need a privilege")
def test_every_frame_is_taken_or_counted_as_lost() -> None:
    port, stop, sent = 47_811, threading.Event(), 150_000
    # The addresses are nobody's: the kernel shows the frames, and answers none.
    packets = Talk(("10.77.0.1", 40_000), ("10.77.0.2", port)).open().say(0, b"x" * 1400).packets
    frame = packets[3][1]
    sniffer, taker = Sniffer(SniffSettings("lo", (port,))), Taker(1)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind(("lo", 0))
        for _ in range(sent):
            out.send(frame)
    stop.set()
    sniffer.run(taker, stop)
    sniffer.close()
    taken, lost = taker.counted
    assert taken + lost == sent
    assert taken > 0
    assert lost > 0


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(data.upper(), addr)


@pytest.mark.skipif(os.geteuid() != 0, reason="listening needs CAP_NET_RAW")
async def test_conversation_in_datagrams_is_taken_once() -> None:
    loop = asyncio.get_running_loop()
    serving, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    port: int = serving.get_extra_info("sockname")[1]
    sniffer = Sniffer(SniffSettings("lo", (1,), {port: "udp"}))
    taker, stop = Taker(1), threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            listening = group.create_task(asyncio.to_thread(sniffer.run, taker, stop), name="sniffer")
            for text in (b"one", b"two"):
                await loop.sock_sendto(client, text, ("127.0.0.1", port))
                assert await loop.sock_recv(client, 99) == text.upper()
            stop.set()
            await listening
    sniffer.close()
    serving.close()
    (found,) = taker.taken
    assert (found.protocol, found.live) == ("udp", f"127.0.0.1:{port}")
    assert [each.body for each in found.messages] == [b"one", b"ONE", b"two", b"TWO"]


_DROPPING = """
from shadow.taps.sniff import drop_privileges
drop_privileges()
for line in open("/proc/self/status"):
    if line.startswith(("CapEff", "NoNewPrivs")):
        print(*line.split())
"""


def test_every_capability_is_given_up_for_good() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _DROPPING], capture_output=True, text=True, check=True, timeout=30
    )
    assert ended.stdout.splitlines() == ["CapEff: 0000000000000000", "NoNewPrivs: 1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="packet sockets need a privilege")
async def test_tls_is_read_with_a_key_log_that_is_written_meanwhile(tmp_path: Path) -> None:
    certificate, log = write_certificate(tmp_path / "certificate.pem"), tmp_path / "keys.log"
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(certificate)
    server = await asyncio.start_server(answering, "127.0.0.1", 0, ssl=server_tls(certificate))
    port: int = server.sockets[0].getsockname()[1]
    sniffer = Sniffer(SniffSettings("lo", (port,), keylog=str(log)))
    taker, stop = Taker(3), threading.Event()
    client.keylog_filename = str(log)  # the file is there from now on
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        listening = group.create_task(asyncio.to_thread(sniffer.run, taker, stop), name="sniffer")
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        for number in range(3):
            writer.write(b"GET /item/%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
            assert await reader.readexactly(len(ANSWER)) == ANSWER
        await asyncio.to_thread(taker.full.wait, 10)  # before the connection ends
        stop.set()
        await listening
        writer.close()
    sniffer.close()
    server.close()
    assert [each.request.target for each in taker.taken] == [b"/item/%d" % number for number in range(3)]
    assert {each.response.body for each in taker.taken if each.response} == {b"hello"}
    assert sniffer.decryption is not None
    assert sniffer.decryption.remarks() == TlsRemarks(seen=1, read=1)


def test_key_log_that_cannot_be_read_is_named_before_anything_is_listened_to(tmp_path: Path) -> None:
    with pytest.raises(TapError, match=r"cannot read key log .*: Is a directory; check the path"):
        Sniffer(SniffSettings("lo", (80,), keylog=str(tmp_path)))
