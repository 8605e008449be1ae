"""The sender never waits, never raises, and accounts for everything, whatever the pipeline does."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import pytest

from shadow.errors import FeedError
from shadow.feed.frames import Ack, Bye, Frame, FrameReader, Hello, Ledger, encode
from shadow.feed.receiver import Gone, Listener, receiving
from shadow.feed.sender import PIPELINE_GONE, QUEUE_FULL, TOO_LARGE, UNSENDABLE, Sender, SenderSettings
from shadow.model import Exchange, Request

_PATIENCE_SECONDS = 10
_HELLO = Hello("mitm", run="r1", live="10.0.0.7:80")
_BRISK = SenderSettings(max_backoff_seconds=0.05, ledger_seconds=0.02, close_seconds=0.2)


def _exchange(index: int, body: bytes = b"") -> Exchange:
    return Exchange(index, "mitm", "s", 1.0, Request(b"POST", b"/", body=body))


def _adds_up(ledger: Ledger) -> bool:
    settled = ledger.acknowledged + sum(ledger.dropped.values()) + sum(ledger.unparsed.values())
    return ledger.captured == settled + ledger.in_flight and ledger.in_flight >= 0


class _Pipeline:
    """A pipeline's bare end: accepts when told to, acknowledges only when told to."""

    def __init__(self, path: Path) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._listening.settimeout(_PATIENCE_SECONDS)
        self._frames = FrameReader()
        self._waiting: list[Frame] = []
        self.connection = self._listening

    def accept(self) -> None:
        self.connection, _ = self._listening.accept()
        self.connection.settimeout(_PATIENCE_SECONDS)
        self._frames, self._waiting = FrameReader(), []

    def next(self) -> Frame | None:
        while not self._waiting:
            received = self.connection.recv(1 << 16)
            if not received:
                return None
            self._waiting = self._frames.feed(received)
        return self._waiting.pop(0)

    def until(self, holds: Callable[[Frame], bool]) -> Frame:
        while (frame := self.next()) is not None:
            if holds(frame):
                return frame
        raise AssertionError("the stream ended")

    def exchange(self) -> Exchange:
        frame = self.until(lambda frame: isinstance(frame, Exchange))
        assert isinstance(frame, Exchange)
        return frame

    def ledger(self, holds: Callable[[Ledger], bool]) -> Ledger:
        frame = self.until(lambda frame: isinstance(frame, Ledger) and holds(frame))
        assert isinstance(frame, Ledger)
        return frame

    def send(self, frame: Frame) -> None:
        self.connection.sendall(encode(frame))

    def close(self) -> None:
        self.connection.close()
        self._listening.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed.sock"


@pytest.fixture
def pipeline(path: Path) -> Iterator[_Pipeline]:
    pipeline = _Pipeline(path)
    yield pipeline
    pipeline.close()


def test_exchanges_arrive_in_order_after_hello(path: Path, pipeline: _Pipeline) -> None:
    sender = Sender(path, _HELLO, _BRISK)
    pipeline.accept()
    assert pipeline.next() == _HELLO
    for index in range(50):
        assert sender.offer(_exchange(index))
    assert [pipeline.exchange() for _ in range(50)] == [_exchange(index) for index in range(50)]
    pipeline.send(Ack(50))
    assert pipeline.ledger(lambda ledger: ledger.acknowledged == 50) == sender.ledger()
    pipeline.close()
    assert sender.close() == Ledger(captured=50, acknowledged=50)


def test_what_came_before_the_pipeline_is_kept(path: Path) -> None:
    sender = Sender(path, _HELLO, _BRISK)
    assert sender.offer(_exchange(0))
    pipeline = _Pipeline(path)
    pipeline.accept()
    assert pipeline.exchange() == _exchange(0)
    pipeline.close()
    sender.close()


@pytest.mark.parametrize("has_pipeline", [True, False], ids=["stalled pipeline", "no pipeline"])
def test_a_full_queue_drops_the_newest_and_says_why(path: Path, *, has_pipeline: bool) -> None:
    pipeline = _Pipeline(path)
    sender = Sender(path, _HELLO, SenderSettings(max_queue_items=5, close_seconds=0.1))
    if has_pipeline:
        pipeline.accept()
        pipeline.until(lambda frame: isinstance(frame, Ledger))  # it is connected, and then never read again
    else:
        pipeline.close()
    body = b"x" * (1 << 20)
    offered = 0
    while sender.offer(_exchange(offered, body)):
        offered += 1
    ledger = sender.ledger()
    assert _adds_up(ledger)
    assert ledger.in_flight == offered
    if has_pipeline:
        assert ledger.dropped == {QUEUE_FULL: 1}
    else:
        assert set(ledger.dropped) <= {QUEUE_FULL, PIPELINE_GONE}
    pipeline.close()
    final = sender.close()
    assert final.in_flight == 0
    assert sum(final.dropped.values()) == final.captured == offered + 1


def test_the_queue_is_bounded_in_bytes_too(path: Path) -> None:
    sender = Sender(path, _HELLO, SenderSettings(max_queue_bytes=10_000))
    body = b"x" * 3000
    assert [sender.offer(_exchange(index, body)) for index in range(4)] == [True, True, False, False]
    assert sender.close().dropped == {PIPELINE_GONE: 4}


def test_one_exchange_over_the_limit_is_dropped_as_too_large(path: Path) -> None:
    sender = Sender(path, _HELLO, SenderSettings(max_exchange_bytes=5000))
    assert not sender.offer(_exchange(0, b"x" * 5000))
    assert sender.close() == Ledger(captured=1, dropped={TOO_LARGE: 1})


def test_what_was_not_acknowledged_is_dropped_once_and_never_sent_again(
    path: Path, pipeline: _Pipeline
) -> None:
    sender = Sender(path, _HELLO, _BRISK)
    pipeline.accept()
    for index in range(10):
        sender.offer(_exchange(index))
    for _ in range(10):
        pipeline.exchange()
    pipeline.send(Ack(4))
    pipeline.ledger(lambda ledger: ledger.acknowledged == 4)
    pipeline.connection.close()
    pipeline.accept()
    assert pipeline.next() == _HELLO
    assert sender.offer(_exchange(10))
    assert pipeline.exchange() == _exchange(10)
    pipeline.send(Ack(1))
    ledger = pipeline.ledger(lambda ledger: ledger.acknowledged == 5)
    assert ledger == Ledger(captured=11, acknowledged=5, dropped={PIPELINE_GONE: 6})
    assert sender.close() == ledger


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(encode(Ack(2)), id="acknowledges more than was sent"),
        pytest.param(encode(Ack(-1)), id="acknowledges less than nothing"),
        pytest.param(encode(Bye()), id="a frame that is no acknowledgement"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="another protocol"),
    ],
)
def test_a_pipeline_that_talks_nonsense_is_left(path: Path, pipeline: _Pipeline, answer: bytes) -> None:
    sender = Sender(path, _HELLO, _BRISK)
    pipeline.accept()
    sender.offer(_exchange(0))
    pipeline.exchange()
    pipeline.connection.sendall(answer)
    pipeline.connection.close()
    pipeline.accept()
    assert pipeline.next() == _HELLO
    assert sender.close() == Ledger(captured=1, dropped={PIPELINE_GONE: 1})


def test_an_exchange_that_cannot_be_encoded_does_not_stop_the_rest(path: Path, pipeline: _Pipeline) -> None:
    sender = Sender(path, _HELLO, _BRISK)
    pipeline.accept()
    sender.offer(Exchange(0, "mitm", "\udcff", 1.0, Request(b"GET", b"/")))
    sender.offer(_exchange(1))
    assert pipeline.exchange() == _exchange(1)
    pipeline.send(Ack(1))
    assert pipeline.ledger(lambda ledger: not ledger.in_flight).dropped == {UNSENDABLE: 1}
    sender.close()


def test_close_sends_the_rest_and_then_says_goodbye(path: Path, pipeline: _Pipeline) -> None:
    sender = Sender(path, _HELLO, SenderSettings(close_seconds=_PATIENCE_SECONDS))
    closed: Queue[Ledger] = Queue()
    for index in range(3):
        sender.offer(_exchange(index))
    closing = threading.Thread(target=lambda: closed.put(sender.close()))
    pipeline.accept()
    closing.start()
    assert [pipeline.exchange().index for _ in range(3)] == [0, 1, 2]
    pipeline.send(Ack(3))
    last = pipeline.ledger(lambda ledger: not ledger.in_flight)
    assert pipeline.next() == Bye()
    assert pipeline.next() is None
    pipeline.connection.close()
    assert closed.get(timeout=_PATIENCE_SECONDS) == last == Ledger(captured=3, acknowledged=3)
    closing.join()


def test_close_makes_one_last_attempt_at_a_pipeline_that_was_gone(path: Path) -> None:
    settings = SenderSettings(max_backoff_seconds=1000, close_seconds=_PATIENCE_SECONDS)
    sender = Sender(path, _HELLO, settings)
    sender.offer(_exchange(0))
    pipeline = _Pipeline(path)
    closing = threading.Thread(target=sender.close)
    closing.start()
    pipeline.accept()
    assert pipeline.exchange() == _exchange(0)
    pipeline.send(Ack(1))
    assert pipeline.until(lambda frame: isinstance(frame, Bye)) == Bye()
    pipeline.close()
    closing.join()
    assert sender.ledger() == Ledger(captured=1, acknowledged=1)


def test_after_close_everything_is_dropped(path: Path) -> None:
    sender = Sender(path, _HELLO, _BRISK)
    sender.close()
    assert not sender.offer(_exchange(0))
    assert sender.ledger().dropped == {PIPELINE_GONE: 1}


def test_what_is_skipped_and_timed_stands_in_the_ledger(path: Path) -> None:
    sender = Sender(path, _HELLO, _BRISK)
    sender.skip("incomplete_request")
    sender.time(3e-6)
    sender.time(10.0)
    ledger = sender.close()
    assert ledger.captured == 1
    assert ledger.unparsed == {"incomplete_request": 1}
    assert (ledger.tap_seconds.counts[0], ledger.tap_seconds.counts[-1]) == (1, 1)
    assert ledger.tap_seconds.sum_seconds == pytest.approx(10.000003)


def test_a_path_too_long_for_a_socket_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="the system allows 107"):
        Sender(tmp_path / ("x" * 108), _HELLO)


async def test_sender_and_receiver_account_for_everything_through_restarts(tmp_path: Path) -> None:
    """Offers run on while the pipeline dies and comes again; nothing is lost uncounted or told twice."""
    path = tmp_path / "private" / "feed.sock"
    sender = Sender(path, _HELLO, SenderSettings(max_queue_items=50, max_backoff_seconds=0.05))
    told: list[int] = []
    offered = 0
    for restart in range(3):
        arrived, gone = asyncio.Event(), asyncio.Event()

        def take(exchange: Exchange, arrived: asyncio.Event = arrived) -> None:
            told.append(exchange.index)
            arrived.set()

        def part(_: Gone, gone: asyncio.Event = gone) -> None:
            gone.set()

        async with asyncio.timeout(_PATIENCE_SECONDS), receiving(path, Listener(take, on_gone=part)):
            while not arrived.is_set():
                sender.offer(_exchange(offered))
                offered += 1
                await asyncio.sleep(0)  # let the receiver have its turn
            if restart == 2:
                ledger = await asyncio.to_thread(sender.close)
                await gone.wait()
        for _ in range(30 if restart < 2 else 0):
            sender.offer(_exchange(offered))
            offered += 1
    assert ledger.captured == offered
    assert _adds_up(ledger)
    assert ledger.in_flight == 0
    assert told == sorted(set(told))
    # What was told and its acknowledgement lost on the way counts as dropped: never the other way round.
    assert ledger.acknowledged <= len(told) <= ledger.captured


def test_the_ledger_adds_up_while_offers_run(path: Path, pipeline: _Pipeline) -> None:
    sender = Sender(path, _HELLO, SenderSettings(max_queue_items=20, close_seconds=0.1))
    stop = threading.Event()

    def offer() -> None:
        index = 0
        while not stop.is_set():
            sender.offer(_exchange(index))
            sender.skip("incomplete_request")
            index += 1

    offering = threading.Thread(target=offer)
    offering.start()
    try:
        pipeline.accept()
        for _ in range(2000):
            assert _adds_up(sender.ledger())
    finally:
        stop.set()
        offering.join()
    pipeline.close()
    assert sender.close().in_flight == 0
