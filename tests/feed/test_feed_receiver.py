"""The receiver serves taps that come and go, refuses what is no tap, and takes only a safe place."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shadow.errors import FeedError
from shadow.feed.frames import Ack, Bye, Frame, FrameReader, Hello, Ledger, encode
from shadow.feed.receiver import Gone, Listener, receive, receiving
from shadow.model import Exchange, Request

_PATIENCE_SECONDS = 10


def _exchange(index: int) -> Exchange:
    return Exchange(index, "t", "s", 1.0, Request(b"GET", b"/", body=b"x" * 100))


class _Heard:
    """Writes down what a receiver tells, in order."""

    def __init__(self) -> None:
        self.all: asyncio.Queue[object] = asyncio.Queue()

    def listener(self) -> Listener:
        put = self.all.put_nowait
        return Listener(put, lambda hello, ledger: put((hello.tap, ledger)), put, put)

    async def next(self) -> object:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self.all.get()


class _Tap:
    """A tap's bare socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._frames = FrameReader()

    def send(self, *frames: Frame) -> None:
        self.writer.write(b"".join(map(encode, frames)))

    async def receive(self) -> list[Frame]:
        """The next frames; empty at the end of the stream."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while received := await self._reader.read(1000):
                if frames := self._frames.feed(received):
                    return frames
        return []

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _exists(path: Path) -> bool:
    return path.exists()


async def _connected(path: Path) -> _Tap:
    return _Tap(*await asyncio.open_unix_connection(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "feed.sock"


@pytest.fixture
async def heard(path: Path) -> AsyncIterator[_Heard]:
    heard = _Heard()
    async with receiving(path, heard.listener()):
        yield heard


async def test_frames_are_told_in_order_and_exchanges_acknowledged(path: Path, heard: _Heard) -> None:
    tap = await _connected(path)
    tap.send(Hello("mitm"), _exchange(0), _exchange(1), Ledger(captured=2), Bye())
    assert [await heard.next() for _ in range(4)] == [
        Hello("mitm"),
        _exchange(0),
        _exchange(1),
        ("mitm", Ledger(captured=2)),
    ]
    assert (await tap.receive())[-1] == Ack(2)
    await tap.close()
    assert await heard.next() == Gone("mitm", is_in_order=True)


async def test_several_taps_are_served_at_once_and_one_may_come_again(path: Path, heard: _Heard) -> None:
    one, two = await _connected(path), await _connected(path)
    one.send(Hello("one"))
    assert await heard.next() == Hello("one")
    two.send(Hello("two"))
    assert await heard.next() == Hello("two")
    await one.close()
    assert await heard.next() == Gone("one", is_in_order=False)
    one = await _connected(path)
    one.send(Hello("one"), _exchange(7))
    assert [await heard.next(), await heard.next()] == [Hello("one"), _exchange(7)]
    assert await one.receive() == [Ack(1)]
    two.send(_exchange(8))
    assert await heard.next() == _exchange(8)
    await one.close()
    await two.close()


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "frame of", id="no feed at all"),
        pytest.param(encode(_exchange(0)), "began with Exchange, not with Hello", id="no hello"),
        pytest.param(encode(Hello("t", version=99)), "speaks version 99", id="another version"),
        pytest.param(encode(Hello("t")) + encode(Ack(1)), "sent Ack", id="the pipeline's own frame"),
    ],
)
async def test_what_is_no_tap_is_cut_off_and_others_are_served(
    path: Path, heard: _Heard, stream: bytes, why: str
) -> None:
    stranger = await _connected(path)
    stranger.writer.write(stream)
    gone = await heard.next()
    while not isinstance(gone, Gone):
        gone = await heard.next()
    assert why in gone.why
    assert not gone.is_in_order
    stranger.writer.close()
    tap = await _connected(path)
    tap.send(Hello("mitm"))
    assert await heard.next() == Hello("mitm")
    await tap.close()


async def test_frames_cut_by_the_end_of_the_stream_are_not_told(path: Path, heard: _Heard) -> None:
    tap = await _connected(path)
    tap.writer.write(encode(Hello("mitm")) + encode(_exchange(0))[:-1])
    await tap.close()
    assert [await heard.next(), await heard.next()] == [Hello("mitm"), Gone("mitm", is_in_order=False)]


async def test_only_the_owner_can_reach_the_socket_and_it_goes_with_the_receiver(path: Path) -> None:
    async with receiving(path, _Heard().listener()):
        assert _mode(path) == 0o600
        assert _mode(path.parent) == 0o700
    assert not _exists(path)


async def test_the_socket_of_a_dead_pipeline_is_replaced(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    heard = _Heard()
    async with receiving(path, heard.listener()):
        tap = await _connected(path)
        tap.send(Hello("mitm"))
        assert await heard.next() == Hello("mitm")
        await tap.close()


async def test_a_living_pipeline_keeps_its_socket(path: Path) -> None:
    heard = _Heard()
    async with receiving(path, heard.listener()):
        with pytest.raises(FeedError, match="another pipeline listens at"):
            async with receiving(path, _Heard().listener()):
                pass
        tap = await _connected(path)
        tap.send(Hello("mitm"))
        while await heard.next() != Hello("mitm"):
            pass  # the second pipeline's knock at the door is heard as well
        await tap.close()


@pytest.fixture
def file(path: Path) -> Iterator[Path]:
    path.parent.mkdir(mode=0o700)
    path.write_text("precious")
    yield path
    assert path.read_text() == "precious"


async def test_a_file_that_is_no_socket_is_left_alone(file: Path) -> None:
    with pytest.raises(FeedError, match="is no socket"):
        async with receiving(file, _Heard().listener()):
            pass


async def test_a_folder_that_others_may_write_to_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)
    with pytest.raises(FeedError, match="others may write to"):
        async with receiving(path, _Heard().listener()):
            pass


async def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="the system allows 107"):
        async with receiving(tmp_path / ("x" * 108), _Heard().listener()):
            pass


async def test_a_folder_that_cannot_be_made_is_told() -> None:
    with pytest.raises(FeedError, match="cannot use the folder"):
        async with receiving(Path("/proc/none/feed.sock"), _Heard().listener()):
            pass


async def test_receive_serves_until_it_is_stopped(path: Path) -> None:
    stop, listening, heard = asyncio.Event(), asyncio.Event(), _Heard()
    async with asyncio.timeout(_PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(receive(path, heard.listener(), stop=stop, ready=listening.set))
        await listening.wait()
        tap = await _connected(path)
        tap.send(Hello("mitm"))
        assert await heard.next() == Hello("mitm")
        stop.set()
        assert await tap.receive() == []
        await tap.close()
    assert not _exists(path)


async def _cancelled_once_it_listens(path: Path) -> None:
    async with asyncio.timeout(None) as soon:

        def ready() -> None:
            soon.reschedule(asyncio.get_running_loop().time())

        await receive(path, _Heard().listener(), stop=asyncio.Event(), ready=ready)


async def test_a_cancelled_receiver_leaves_no_socket(path: Path) -> None:
    with pytest.raises(TimeoutError):
        await _cancelled_once_it_listens(path)
    assert _exists(path.parent)
    assert not _exists(path)
