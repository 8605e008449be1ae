"""What is shipped for proxies that mirror: nginx with a real one, the others as far as their text tells."""

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.nginx import mirroring_nginx, nginx_path, write_configuration
from tests.taps.proxies import PATIENCE_SECONDS, Taken, serving
from tests.taps.test_taps_mirror import mirrored

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
LIVE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlive"


def load(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(DEPLOY / name / "mirror.yaml")


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A live service on kept connections."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
        writer.write(LIVE)


async def ask(port: int, *requests: bytes) -> list[bytes]:
    """What comes back for each, one after the other on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    bodies = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        for request in requests:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            bodies.append(await reader.readexactly(4))
    writer.close()
    await writer.wait_closed()
    return bodies


GET = b"GET /x%2fy/../z?q=%20 HTTP/1.1\r\nHost: api.test:81\r\nX-A: 1\r\nx-a: 2\r\n\r\n"


def test_nginx_accepts_the_shipped_configuration(tmp_path: Path) -> None:
    write_configuration(tmp_path, live="127.0.0.1:8000", shadow="127.0.0.1:8090")
    command = [nginx_path(), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


async def test_nginx_sends_the_tap_what_clients_sent(tmp_path: Path) -> None:
    taken, body = Taken(), bytes(range(256)) * 12_000  # longer than any buffer on the way
    post = b"POST /form HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\nContent-Length: %d\r\n\r\n"
    async with (
        serving(answer_all) as live,
        mirrored(taken, live="api.test:81", max_body_bytes=len(body)) as tap,
        mirroring_nginx(tmp_path, live=f"127.0.0.1:{live}", shadow=f"127.0.0.1:{tap.port}") as port,
    ):
        assert await ask(port, GET, post % len(body) + body, GET) == [b"live"] * 3
        first, second, third = [await taken.exchange() for _ in range(3)]
    assert (first.request.method, first.request.target) == (b"GET", b"/x%2fy/../z?q=%20")
    assert first.request.headers == (
        (b"Host", b"api.test:81"),
        (b"X-Forwarded-For", b"127.0.0.1"),
        (b"X-A", b"1"),
        (b"x-a", b"2"),
    )
    assert (second.request.target, second.request.body) == (b"/form", body)
    assert second.session == "mirror:203.0.113.7"
    assert first.session == third.session == "mirror:127.0.0.1"
    assert (first.response, first.live) == (None, "api.test:81")


async def test_clients_of_nginx_do_not_feel_a_tap_that_is_down(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        shadow = nobody.getsockname()[1]
    async with (
        serving(answer_all) as live,
        mirroring_nginx(tmp_path, live=f"127.0.0.1:{live}", shadow=f"127.0.0.1:{shadow}") as port,
    ):
        assert await ask(port, *[GET] * 20) == [b"live"] * 20


async def test_a_tap_that_is_full_costs_clients_of_nginx_nothing(tmp_path: Path) -> None:
    taken = Taken()
    async with (
        serving(answer_all) as live,
        mirrored(taken, max_connections=0) as tap,
        mirroring_nginx(tmp_path, live=f"127.0.0.1:{live}", shadow=f"127.0.0.1:{tap.port}") as port,
    ):
        assert await ask(port, *[GET] * 20) == [b"live"] * 20
        assert [await taken.next() for _ in range(20)] == ["too_many_connections"] * 20


def clusters(bootstrap: dict[str, Any]) -> dict[str, str]:
    """Name and ``host:port`` of each."""
    return {
        each["name"]: "{address}:{port_value}".format(
            **each["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"][
                "socket_address"
            ]
        )
        for each in bootstrap["static_resources"]["clusters"]
    }


def test_envoy_mirrors_all_of_live_to_the_tap_in_http_1() -> None:
    bootstrap = load("envoy")
    known = clusters(bootstrap)
    manager = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert known[route["route"]["cluster"]] == "127.0.0.1:8000"
    (mirror,) = route["route"]["request_mirror_policies"]
    assert known[mirror["cluster"]] == "127.0.0.1:8090"
    assert "runtime_fraction" not in mirror
    assert "http2_protocol_options" not in str(bootstrap)
    assert manager["use_remote_address"] is True


def test_istio_mirrors_all_of_the_service_to_the_tap() -> None:
    spec = load("istio")["spec"]
    (http,) = spec["http"]
    assert [each["destination"]["host"] for each in http["route"]] == spec["hosts"]
    assert http["mirror"] == {"host": "shadow-mirror", "port": {"number": 8090}}
    assert http["mirrorPercentage"] == {"value": 100.0}


def test_traefik_mirrors_all_of_live_to_the_tap() -> None:
    http = load("traefik")["http"]
    services = http["services"]
    mirroring = services[http["routers"]["all"]["service"]]["mirroring"]
    (mirror,) = mirroring["mirrors"]
    assert mirror["percent"] == 100
    urls = {
        name: services[name]["loadBalancer"]["servers"][0]["url"]
        for name in (mirroring["service"], mirror["name"])
    }
    assert urls == {"live": "http://127.0.0.1:8000", "shadow": "http://127.0.0.1:8090"}


def shown() -> Iterator[Any]:
    """The pieces of configuration in the documentation, with the folder that they are from."""
    name = ""
    lines = (ROOT / "docs" / "mirroring.md").read_text(encoding="utf-8").splitlines()
    block: list[str] | None = None
    for line in lines:
        if line.startswith("## "):
            name = line.removeprefix("## ").lower()
        elif line in {"```nginx", "```yaml"}:
            block = []
        elif line == "```" and block is not None:
            yield pytest.param(name, block, id=f"{name} {block[0].strip()}")
            block = None
        elif block is not None:
            block.append(line)


@pytest.mark.parametrize(("name", "block"), list(shown()))
def test_what_the_documentation_shows_is_what_is_shipped(name: str, block: list[str]) -> None:
    (file,) = (DEPLOY / name).iterdir()
    shipped = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    wanted = [line.strip() for line in block]
    assert any(shipped[at : at + len(wanted)] == wanted for at in range(len(shipped)))
