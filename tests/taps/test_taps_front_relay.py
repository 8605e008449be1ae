"""The relay by itself, between transports without a network."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.taps.front_reading import Reading, Readings, opening
from shadow.taps.front_relay import Patience, Relay, Side
from shadow.wire.http1 import Limits
from tests.taps.proxies import GET, OK, Taken


class Socket:
    is_closed = False

    def setsockopt(self, level: int, option: int, value: object) -> None:
        if self.is_closed:
            raise OSError(9, "Bad file descriptor")


class FakeTransport(asyncio.Transport):
    """Remembers what is done with it. Closing and aborting take effect with `settle`."""

    def __init__(self, side: Side) -> None:
        super().__init__({"socket": Socket(), "peername": ("10.0.0.1", 4711)})
        self.written = b""
        self.is_paused = self.has_ended = self.is_aborted = False
        self.closing = asyncio.Event()
        self._side = side
        side.connection_made(self)

    def write(self, data: Any) -> None:
        assert not self.has_ended, "written to after its end"
        self.written += data

    def write_eof(self) -> None:
        self.has_ended = True

    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_closing(self) -> bool:
        return self.closing.is_set()

    def close(self) -> None:
        self.closing.set()

    def abort(self) -> None:
        self.is_aborted = True
        self.closing.set()

    def settle(self) -> None:
        if self.closing.is_set() and not self._side.is_lost:
            self._side.connection_lost(None)


class FakeFront:
    """Connects when it is told to."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(1 << 18))
        self.is_connecting = False
        self.left = 0

    def connect(self, relay: Relay) -> Callable[[], object]:
        self.is_connecting = True

        def stop() -> None:
            self.is_connecting = False

        return stop

    def leave(self, relay: Relay) -> None:
        self.left += 1


def say(side: Side, text: bytes) -> None:
    """As a transport does it."""
    side.get_buffer(-1)[: len(text)] = text
    side.buffer_updated(len(text))


class Scene:
    """A relay whose client is connected."""

    def __init__(self, patience: Patience | None = None) -> None:
        self.front = FakeFront()
        self.taken = Taken()
        self.readings = Readings(
            self.taken, live="live:80", max_held_bytes=1 << 20, open_with=opening(Limits(max_body_bytes=100))
        )
        self.relay = Relay(self.front, lambda client: Reading(self.readings, client), patience)
        self.client = FakeTransport(self.relay.client)
        self.live: FakeTransport | None = None

    def connect(self) -> FakeTransport:
        self.live = FakeTransport(self.relay.live)
        return self.live

    def settle(self) -> None:
        for _ in range(2):
            self.client.settle()
            if self.live is not None:
                self.live.settle()


MESSAGES = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\r\n",
]
STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(MESSAGES) | st.binary(min_size=1, max_size=40)), max_size=25
)


@given(steps=STEPS, cut=st.integers(1, 30), connects_at=st.integers(0, 10))
async def test_any_bytes_pass_unchanged_and_in_order_whenever_live_is_there(
    steps: list[tuple[int, bytes]], cut: int, connects_at: int
) -> None:
    scene, said = Scene(), [b"", b""]
    for at, (number, text) in enumerate(steps):
        if at == connects_at:
            scene.connect()
        if scene.live is None and number == 1:
            continue
        side = scene.relay.live if number else scene.relay.client
        for start in range(0, len(text), cut):
            say(side, text[start : start + cut])
        said[number] += text
    live = scene.live or scene.connect()
    assert (live.written, scene.client.written) == (said[0], said[1])
    scene.relay.client.connection_lost(None)
    scene.settle()
    assert scene.front.left >= 1
    assert scene.readings.room_bytes == 1 << 20


async def test_a_slow_reader_holds_back_who_speaks_to_it() -> None:
    scene = Scene()
    live = scene.connect()
    scene.relay.client.pause_writing()
    assert (live.is_paused, scene.client.is_paused) == (True, False)
    scene.relay.client.resume_writing()
    scene.relay.live.pause_writing()
    assert (live.is_paused, scene.client.is_paused) == (False, True)
    scene.relay.live.resume_writing()
    assert not scene.client.is_paused


async def test_a_client_is_held_back_until_live_is_there() -> None:
    scene = Scene()
    say(scene.relay.client, b"x" * 60_000)
    assert not scene.client.is_paused
    say(scene.relay.client, b"x" * 60_000)
    assert scene.client.is_paused
    live = scene.connect()
    assert (len(live.written), scene.client.is_paused) == (120_000, False)


async def test_an_end_that_came_before_live_was_there_is_passed_on() -> None:
    scene = Scene()
    say(scene.relay.client, GET)
    assert scene.relay.client.eof_received()
    live = scene.connect()
    assert (live.written, live.has_ended) == (GET, True)
    say(scene.relay.live, OK)
    assert (scene.client.written, scene.client.has_ended) == (OK, False)
    assert (await scene.taken.exchange()).response is not None
    assert not scene.relay.live.eof_received()


async def test_a_client_that_goes_before_live_is_there_ends_the_attempt() -> None:
    scene = Scene()
    assert scene.front.is_connecting
    scene.relay.client.connection_lost(None)
    assert (scene.front.is_connecting, scene.front.left) == (False, 1)
    late = scene.connect()
    assert late.is_aborted


@pytest.mark.parametrize(
    ("error", "is_aborted"), [(None, False), (ConnectionResetError(), True)], ids=["in order", "by a reset"]
)
async def test_one_connection_ends_as_the_other_did(error: Exception | None, *, is_aborted: bool) -> None:
    scene = Scene()
    live = scene.connect()
    scene.relay.live.connection_lost(error)
    assert (scene.client.is_closing(), scene.client.is_aborted) == (True, is_aborted)
    scene.settle()
    assert scene.front.left == 1
    assert not live.is_aborted


@pytest.mark.parametrize("number", [0, 1], ids=["the client", "live"])
async def test_silence_after_one_side_has_ended_ends_both(number: int) -> None:
    scene = Scene(Patience(client_ended_seconds=0.0, live_ended_seconds=0.0))
    live = scene.connect()
    side = scene.relay.live if number else scene.relay.client
    assert side.eof_received()
    await scene.client.closing.wait()
    assert live.is_aborted
    assert scene.client.is_aborted


async def test_a_client_that_waits_in_silence_is_let_go_when_live_does_not_take_it() -> None:
    scene = Scene(Patience(refused_seconds=0.0))
    scene.relay.refuse()
    await scene.client.closing.wait()
    scene.settle()
    assert scene.front.left == 1


async def test_reset_of_one_side_ends_the_other_although_its_socket_is_closed_below_its_tls() -> None:
    scene = Scene()
    scene.connect()
    scene.client.get_extra_info("socket").is_closed = True
    scene.relay.live.connection_lost(ConnectionResetError())
    assert scene.client.is_aborted


async def test_answer_whose_client_goes_is_cut_although_it_would_end_with_its_connection() -> None:
    scene = Scene()
    scene.connect()
    say(scene.relay.client, GET)
    say(scene.relay.live, b"HTTP/1.1 200 OK\r\n\r\nhalf")
    scene.relay.client.connection_lost(None)
    scene.settle()
    response = (await scene.taken.exchange()).response
    assert response is not None
    assert (response.body, response.is_complete) == (b"half", False)


async def test_nothing_is_waited_for_any_more_once_both_are_gone() -> None:
    scene = Scene()
    scene.connect()
    scene.relay.client.eof_received()
    waiting = scene.relay._timer
    assert waiting is not None
    scene.relay.live.connection_lost(None)
    scene.settle()
    assert waiting.cancelled()
