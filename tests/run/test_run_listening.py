"""What is looked at before live traffic depends on it."""

import socket
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from shadow.config import Settings
from shadow.errors import ConfigError, TapError, UnsafeError
from shadow.replay import Guard, Target
from shadow.run.listening import check_live, with_listener

with warnings.catch_warnings():
    # mitmproxy uses names that its own dependencies have given up
    warnings.simplefilter("ignore", DeprecationWarning)
    from shadow.run.configured import guard_settings
    from shadow.run.inline import InlineTap


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_port_zero_becomes_a_free_one() -> None:
    host, _, port = with_listener(Settings(listen="127.0.0.1:0")).listen.rpartition(":")
    assert host == "127.0.0.1"
    assert 1 <= int(port) <= 65535


def test_free_port_stays_what_it_is(taken: int) -> None:
    settings = with_listener(Settings(listen="127.0.0.1:0"))
    assert with_listener(settings) == settings
    assert not settings.listen.endswith(f":{taken}")


def test_ipv6_address_keeps_its_brackets() -> None:
    if not socket.has_ipv6:
        return
    assert with_listener(Settings(listen="[::1]:0")).listen.startswith("[::1]:")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_port_that_is_taken_is_told_before_anything_is_begun(taken: int, host: str) -> None:
    with pytest.raises(TapError, match=f"cannot listen on '{host}:{taken}': Address already in use"):
        with_listener(Settings(listen=f"{host}:{taken}"))


def test_host_that_is_not_ours_is_told() -> None:
    with pytest.raises(TapError, match=r"cannot listen on '192\.0\.2\.1:0': "):
        with_listener(Settings(listen="192.0.2.1:0"))


@pytest.mark.parametrize(
    ("live", "listen", "is_refused"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("http://localhost:8080", "127.0.0.1:8080", True),
        ("http://127.0.0.1:8080/v1", "127.0.0.1:8080", True),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", False),
        ("tcp://localhost:8080", "127.0.0.1:8080", True),
        ("dns://127.0.0.1", "127.0.0.1:53", True),
        ("dns://127.0.0.1", "127.0.0.1:8080", False),
    ],
)
async def test_live_service_that_is_the_tap_itself_is_refused(
    live: str, listen: str, *, is_refused: bool
) -> None:
    settings = Settings(live=live, listen=listen)
    if not is_refused:
        await check_live(settings)
        return
    with pytest.raises(UnsafeError, match=r"is the tap's own --listen .*requests would go round for ever"):
        await check_live(settings)


@pytest.mark.parametrize(
    ("live", "kind"),
    [
        ("udp://127.0.0.1:1", socket.SOCK_DGRAM),
        ("dns://127.0.0.1", socket.SOCK_DGRAM),
        ("dns://127.0.0.1", socket.SOCK_STREAM),
        ("tcp://127.0.0.1:1", socket.SOCK_STREAM),
    ],
)
def test_port_that_is_taken_for_what_clients_speak_is_told(live: str, kind: socket.SocketKind) -> None:
    with socket.socket(type=kind) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        with pytest.raises(TapError, match=f"cannot listen on '127.0.0.1:{port}': Address already in use"):
            with_listener(Settings(live=live, listen=f"127.0.0.1:{port}"))


def test_port_that_is_taken_for_something_else_does_not_matter(taken: int) -> None:
    listen = f"127.0.0.1:{taken}"
    assert with_listener(Settings(live="udp://127.0.0.1:1", listen=listen)).listen == listen


@pytest.mark.parametrize(
    "live", ["tcp://127.0.0.1:9000", "tls://localhost:9000", "udp://127.0.0.1:9000", "dns://127.0.0.1:9000"]
)
async def test_live_service_of_any_protocol_is_never_a_target(live: str) -> None:
    settings = Settings(live=live, listen="127.0.0.1:8080")
    made = guard_settings(settings, 1, is_live=True)
    same = Guard(made, [Target("candidate", "http", "127.0.0.1", 9000)])
    with pytest.raises(UnsafeError, match="which is never sent anything"):
        await same.check()
    await Guard(made, [Target("candidate", "http", "127.0.0.1", 9001)]).check()


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"certificate": "/no/such.pem"}, TapError, "no usable certificate in '/no/such.pem'"),
        ({"http3": True}, TapError, "HTTP/3 needs a certificate"),
        ({"live": "tcp://127.0.0.1"}, ConfigError, "must name a host and a port"),
    ],
    ids=["certificate", "HTTP/3", "port"],
)
async def test_what_cannot_work_is_told_before_anything_is_begun(
    settings: dict[str, Any], error: type[Exception], told: str
) -> None:
    live = {"live": "http://127.0.0.1:1", "listen": "127.0.0.1:0"}
    with pytest.raises(error, match=told):
        await InlineTap(Settings(**(live | settings))).prepare()
