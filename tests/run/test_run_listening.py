"""What is looked at before live traffic depends on it."""

import socket
from collections.abc import Iterator

import pytest

from shadow.config import Settings
from shadow.errors import TapError, UnsafeError
from shadow.run.listening import check_live, with_listener


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
