import pytest

from shadow.errors import ConfigError
from shadow.model import Ending, NoReply, Reply, Request, Response, Silence, Wire
from shadow.replay._contract import Sending
from shadow.replay.conditions import ConditionedTransport, Conditions, parse_conditions
from shadow.replay.fake import FakeTransport

ASK = Sending(Request(b"GET", b"/", headers=((b"Host", b"h"),)))
RAW = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Sleeps:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def around(conditions: Conditions, seed: int = 1) -> tuple[ConditionedTransport, FakeTransport, Sleeps]:
    fake, sleeps = FakeTransport(lambda _: Reply(Response(200))), Sleeps()
    return ConditionedTransport(fake, conditions, seed, sleep=sleeps), fake, sleeps


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Conditions()),
        ("latency=200ms,jitter=50ms", Conditions(latency_seconds=0.2, jitter_seconds=0.05)),
        (" latency = 1.5s , slice=10B", Conditions(latency_seconds=1.5, slice_bytes=10)),
        (
            "bandwidth=2KiB/s,slice_delay=5us",
            Conditions(bandwidth_bytes_per_second=2048.0, slice_delay_seconds=5e-6),
        ),
        ("reset_after=1kB,probability=20%", Conditions(reset_after_bytes=1000, probability=0.2)),
        ("reset_after=0B,probability=0.5", Conditions(reset_after_bytes=0, probability=0.5)),
    ],
)
def test_conditions_are_read(text: str, expected: Conditions) -> None:
    found = parse_conditions(text)
    assert found.slice_bytes == expected.slice_bytes
    assert found.reset_after_bytes == expected.reset_after_bytes
    for name in ("latency_seconds", "jitter_seconds", "bandwidth_bytes_per_second", "slice_delay_seconds"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name))
    assert found.probability == pytest.approx(expected.probability)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latancy=200ms", "did you mean 'latency'"),
        ("latency", "no number of seconds"),
        ("latency=200", "unit of us, ms, s"),
        ("latency=-1s", "no number"),
        ("latency=٣s", "no number"),
        ("slice=1.2.3B", "no number of bytes"),
        ("probability=120%", "from 0 to 1"),
        ("=5", "unknown condition ''"),
    ],
)
def test_what_cannot_be_read_is_a_config_error(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_conditions(text)


async def test_latency_and_jitter_come_before_the_request_and_off_its_time_limit() -> None:
    transport, fake, sleeps = around(Conditions(latency_seconds=1.0, jitter_seconds=0.5))
    for _ in range(20):
        await transport.send(ASK)
    assert all(0.5 <= seconds <= 1.5 for seconds in sleeps.seconds)
    assert len(set(sleeps.seconds)) == 20
    limits = [each.timeout_seconds for each in fake.sent]
    assert limits == pytest.approx([ASK.timeout_seconds - seconds for seconds in sleeps.seconds])


async def test_the_same_seed_makes_the_same_trouble() -> None:
    conditions = Conditions(latency_seconds=1.0, jitter_seconds=0.5, probability=0.5)
    runs = []
    for seed in (3, 3, 4):
        transport, _, sleeps = around(conditions, seed)
        for _ in range(20):
            await transport.send(ASK)
        runs.append(sleeps.seconds)
    assert runs[0] == runs[1] != runs[2]
    assert 0 < len(runs[0]) < 20


async def test_a_latency_beyond_the_time_limit_is_a_hang() -> None:
    transport, fake, sleeps = around(Conditions(latency_seconds=60.0))
    outcome = await transport.send(ASK)
    assert isinstance(outcome, NoReply)
    assert outcome.why is Silence.TIMED_OUT
    assert (fake.sent, sleeps.seconds) == ([], [ASK.timeout_seconds])


@pytest.mark.parametrize(
    ("conditions", "sizes", "pause", "ending"),
    [
        (Conditions(slice_bytes=10), [10, 10, 7], 0.0, Ending.READ),
        (Conditions(slice_bytes=10, slice_delay_seconds=0.1), [10, 10, 7], 0.1, Ending.READ),
        (Conditions(bandwidth_bytes_per_second=500.0), [10, 10, 7], 0.02, Ending.READ),
        (Conditions(reset_after_bytes=12), [12], 0.0, Ending.RESET),
        (Conditions(reset_after_bytes=12, slice_bytes=5), [5, 5, 2], 0.0, Ending.RESET),
        (Conditions(reset_after_bytes=0), [0], 0.0, Ending.RESET),
    ],
)
async def test_a_request_is_cut_into_pieces(
    conditions: Conditions, sizes: list[int], pause: float, ending: Ending
) -> None:
    transport, fake, _ = around(conditions)
    await transport.send(ASK)
    wire = fake.sent[0].wire
    assert wire is not None
    assert [len(segment) for segment in wire.segments] == sizes
    assert RAW.startswith(b"".join(wire.segments))
    assert (wire.pause_seconds, wire.ending) == (pause, ending)


async def test_a_wire_keeps_its_own_pieces_pause_and_ending() -> None:
    wire = Wire((b"abc", b"defgh"), pause_seconds=0.5, ending=Ending.HALF_CLOSE)
    transport, fake, _ = around(Conditions(slice_bytes=2))
    await transport.send(Sending(ASK.request, wire))
    assert fake.sent[0].wire == Wire((b"ab", b"c", b"de", b"fg", b"h"), 0.5, Ending.HALF_CLOSE)


def test_pieces_need_a_transport_that_can_send_them() -> None:
    fake = FakeTransport([], can_send=lambda sending: sending.wire is None)
    assert ConditionedTransport(fake, Conditions(latency_seconds=1), 1).can_send(ASK)
    assert not ConditionedTransport(fake, Conditions(slice_bytes=1), 1).can_send(ASK)


async def test_closing_closes_what_is_inside() -> None:
    transport, fake, _ = around(Conditions())
    await transport.close()
    assert fake.is_closed
