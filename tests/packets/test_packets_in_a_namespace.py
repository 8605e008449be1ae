"""The command itself, as a user with the privilege runs it: in a network namespace made for the test."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shadow.errors import ConfigError, UnsafeError
from shadow.packets.wire import PacketSocket, check_place
from shadow.replay.guard import Address

NAMESERVER = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
is_careful = "careful" in sys.argv

def name(text, at, depth=0):
    if is_careful and depth > 20:
        raise ValueError
    length = text[at]
    if length & 0xC0 == 0xC0:
        return name(text, (length & 63) << 8 | text[at + 1], depth + 1)
    return at + 1 if not length else name(text, at + 1 + length, depth + 1)

while True:
    text, client = sock.recvfrom(65535)
    try:
        name(text, 12)
        sock.sendto(text[:2] + bytes([0x81, 0x80]) + text[4:], client)
    except (IndexError, ValueError):
        pass
"""
"""Follows compression pointers for as long as they lead on, unless it is careful."""

LINES = """
import socket, sys
host, port, is_careful = sys.argv[1], int(sys.argv[2]), "careful" in sys.argv
server = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
while True:
    client, _ = server.accept()
    client.settimeout(0.2)
    text = b""
    try:
        while not text.endswith(b"\\r\\n\\r\\n") and (part := client.recv(4096)):
            text += part
    except OSError:
        text = b""
    if text and not text.endswith(b"\\r\\n\\r\\n") and not is_careful:
        sys.exit(3)
    try:
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    except OSError:
        pass
    client.close()
"""
"""Ends with a client that says half a request and no more, unless it is careful."""

may_unshare = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make a network namespace")


def in_namespace(script: str) -> subprocess.CompletedProcess[str]:
    end = 'code=$?; [ -z "$pids" ] || kill $pids 2>/dev/null; exit $code'
    text = f"ip link set lo up\npids=\n{script}\n{end}"
    return subprocess.run(
        ["unshare", "-n", "sh", "-c", text], capture_output=True, text=True, timeout=60, check=False
    )


@may_unshare
@pytest.mark.slow
def test_the_packet_that_a_nameserver_dies_of_is_found(tmp_path: Path) -> None:
    server = tmp_path / "nameserver.py"
    server.write_text(NAMESERVER)
    start, out = f"{sys.executable} {server}", tmp_path / "out"
    ended = in_namespace(
        f'{start} 5300 2>/dev/null & pids=$!; {start} 5301 careful & pids="$pids $!"\n'
        f"{sys.executable} -c 'import tests.packets.test_packets_in_a_namespace as t; t.wait(5300, 5301)'\n"
        f"{sys.executable} -m shadow packets --candidate dns://127.0.0.1:5300"
        f" --baseline dns://127.0.0.1:5301 --restart '{start} 5300' --packets 120 --rate 2000 --out {out}"
    )
    assert ended.returncode == 1, ended.stderr + ended.stdout
    findings = [json.loads(line) for line in (out / "findings.jsonl").read_text().splitlines()]
    assert [(each["mutator"], each["severity"], each["confirmed"]) for each in findings] == [
        ("dns_compression_loop", "high", "3/3")
    ]
    assert findings[0]["baseline"] == {"class": "well"}
    assert (out / f"packets-{findings[0]['id']}.pcap").stat().st_size > 24


@may_unshare
@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"], ids=["ip4", "ip6"])
def test_what_a_service_dies_of_within_a_connection_is_found(tmp_path: Path, host: str) -> None:
    server = tmp_path / "lines.py"
    server.write_text(LINES)
    start, out = f"{sys.executable} {server} {host}", tmp_path / "out"
    shown = f"[{host}]" if ":" in host else host
    ended = in_namespace(
        f'{start} 8001 & pids=$!; {start} 8002 careful & pids="$pids $!"\n'
        f"{sys.executable} -c 'import tests.packets.test_packets_in_a_namespace as t;"
        f' t.wait_for_connections("{host}", 8001, 8002)\'\n'
        f"{sys.executable} -m shadow packets --candidate 'http://{shown}:8001'"
        f" --baseline 'http://{shown}:8002' --restart '{start} 8001' --mutator 'stream_early_end'"
        f" --packets 40 --rate 2000 --out {out}"
    )
    assert ended.returncode == 1, ended.stderr + ended.stdout
    findings = [json.loads(line) for line in (out / "findings.jsonl").read_text().splitlines()]
    assert [(each["mutator"], each["severity"], each["confirmed"]) for each in findings] == [
        ("stream_early_end", "high", "3/3")
    ]
    assert findings[0]["baseline"] == {"class": "well"}


@may_unshare
def test_what_is_not_well_before_is_not_blamed_on_packets(tmp_path: Path) -> None:
    ended = in_namespace(
        f"{sys.executable} -m shadow packets --candidate tcp://127.0.0.1:9 --out {tmp_path}/o"
    )
    assert (ended.returncode, "is not well before anything was sent" in ended.stderr) == (4, True)


def wait_for_connections(host: str, *ports: int) -> None:
    """Return when something listens at `ports`."""
    import socket

    for port in ports:
        for _ in range(100):
            try:
                socket.create_connection((host, port), 0.2).close()
                break
            except OSError:
                time.sleep(0.05)


def wait(*ports: int) -> None:
    """Return when nameservers answer at `ports`."""
    import socket

    query = bytes.fromhex("0001010000010000000000000161000001") + b"\x00\x01"
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", port))
            sock.settimeout(0.2)
            for _ in range(100):
                try:
                    sock.send(query)
                    sock.recv(100)
                    break
                except OSError:
                    continue


@pytest.mark.parametrize(
    ("ip", "allow", "is_namespaced", "is_allowed"),
    [
        ("127.0.0.1", (), False, True),
        ("10.0.0.1", (), True, True),
        ("10.0.0.1", ("10.0.0.0/8",), False, True),
        ("10.0.0.1", (), False, False),
        ("224.0.0.1", ("224.0.0.0/4",), True, False),
        ("255.255.255.255", ("0.0.0.0/0",), True, False),
    ],
)
def test_packets_go_only_where_nobody_else_is_or_where_it_is_allowed(
    ip: str, allow: tuple[str, ...], is_namespaced: bool, is_allowed: bool
) -> None:
    def check() -> None:
        check_place(Address(ip, 80), allow=allow, is_namespaced=is_namespaced)

    if is_allowed:
        check()
    else:
        with pytest.raises(UnsafeError):
            check()


@pytest.mark.skipif(os.geteuid() == 0, reason="root has the privilege")
def test_a_missing_privilege_is_told_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match="run as root or with CAP_NET_RAW"):
        PacketSocket(Address("127.0.0.1", 80))
