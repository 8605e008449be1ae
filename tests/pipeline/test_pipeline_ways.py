"""What was seen over HTTP/2 goes over HTTP/2, with all that is made of it, where every target speaks it."""

import pytest
from msgspec.structs import replace

from mutators import Mutator
from mutators._contract import mutator
from shadow.model import (
    Edit,
    Exchange,
    Expect,
    Fate,
    Level,
    Request,
    Settled,
    StateChanged,
    Wire,
    with_field,
)
from shadow.pipeline.trials import Later
from tests.pipeline.conftest import Bench, always, exchange, reply

NO = "the target does not speak HTTP/2"
GRPC = (b"Content-Type", b"application/grpc")
FRAMED = b"\0\0\0\0\x02\x08\x07"


CONNECT = exchange("CONNECT /x")


def seen(line: str = "GET /x", index: int = 0) -> Exchange:
    return replace(exchange(line, index), seen_over=b"HTTP/2")


def call(index: int = 0) -> Exchange:
    return replace(
        exchange("POST /shop.Shop/Get", index, body=FRAMED, headers=(GRPC,)),
        protocol="grpc",
        seen_over=b"HTTP/2",
    )


@pytest.mark.parametrize(
    ("one", "transport", "refuses", "via"),
    [
        pytest.param(seen(), "auto", "", {"http2"}, id="seen over it"),
        pytest.param(exchange("GET /x"), "auto", "", {"aiohttp"}, id="seen over HTTP/1.1"),
        pytest.param(seen(), "auto", NO, {"aiohttp"}, id="not spoken"),
        pytest.param(seen(), "auto", None, {"aiohttp"}, id="no transport for it"),
        pytest.param(exchange("GET /x"), "http2", "", {"http2"}, id="as set"),
        pytest.param(seen(), "raw", "", {"raw"}, id="set otherwise"),
        pytest.param(call(), "auto", "", {"http2"}, id="gRPC"),
        pytest.param(replace(call(), protocol="http"), "auto", "", {"http2"}, id="gRPC that is not told"),
    ],
)
async def test_exchange_goes_the_way_it_came(
    one: Exchange, transport: str, refuses: str | None, via: set[str]
) -> None:
    bench = Bench(always(reply()), always(reply()), transport=transport, refuses_http2=refuses)
    await bench.conduct(one)
    assert bench.baseline is not None
    assert bench.candidate.via == bench.baseline.via == via


@pytest.mark.parametrize(
    ("one", "transport", "refuses", "why"),
    [
        pytest.param(call(), "auto", NO, f"gRPC goes over HTTP/2 alone: candidate: {NO}", id="not spoken"),
        pytest.param(
            call(), "raw", "", "gRPC goes over HTTP/2 alone: transport is 'raw'", id="set otherwise"
        ),
        pytest.param(
            CONNECT, "http2", "", "HTTP/2 cannot say the request exactly as it is", id="cannot be said"
        ),
    ],
)
async def test_what_cannot_go_over_http2_alone_is_filtered_with_the_reason(
    one: Exchange, transport: str, refuses: str, why: str
) -> None:
    bench = Bench(always(reply()), transport=transport, refuses_http2=refuses)
    await bench.run([one])
    assert bench.candidate.requests == []
    settled = [each for each in bench.heard if isinstance(each, Settled)]
    assert [(each.fate, each.why) for each in settled] == [(Fate.FILTERED, why)]


async def test_targets_are_asked_when_it_matters_and_the_user_is_told_once() -> None:
    bench = Bench(always(reply()), refuses_http2=NO)
    await bench.run([exchange("GET /a", 0), exchange("GET /b", 1)])
    assert bench.candidate.asked_for_http2 == 0
    bench = Bench(always(reply()), refuses_http2=NO)
    await bench.run([seen("GET /a", 0), seen("GET /b", 1), call(2)])
    told = [each for each in bench.heard if isinstance(each, StateChanged)]
    assert [each.state for each in told if "HTTP" in each.state] == ["without HTTP/2"]


def editing(name: str, edit: Edit, level: Level = Level.HEADER) -> Mutator:
    def change(request: Request, rng: object) -> Edit | None:
        """Edits."""
        return replace(edit, request=edit.request if edit.wire else _changed(request, name))

    change.__name__ = name
    return mutator(level=level, expect=Expect.SURVIVE)(change)


def _changed(request: Request, name: str) -> Request:
    match name:
        case "case":
            headers = tuple((key.upper(), value) for key, value in request.headers)
        case "value":
            headers = with_field(request.headers, b"X-New", b"1")
        case "content type":
            headers = with_field(request.headers, b"Content-Type", b"text/plain")
        case "twice":
            headers = (*request.headers, (b"Host", b"again"))
        case _:
            return replace(request, method=b"PUT")
    return replace(request, headers=headers)


EDIT = Edit(Request(b"GET", b"/"), "edited")
FRAMES = Wire((b"frames",), protocol="http2")
MUTATORS = (
    editing("case", EDIT),
    editing("value", EDIT),
    editing("twice", EDIT),
    editing("content type", EDIT),
    editing("method", EDIT),
    editing("bytes", replace(EDIT, wire=Wire((b"GET / HTTP/1.1\r\n\r\n",)))),
    editing("frames", replace(EDIT, wire=FRAMES)),
)


@pytest.mark.parametrize(
    ("one", "dealt"),
    [
        pytest.param(seen(), {"value", "content type", "method", "frames"}, id="HTTP/2"),
        pytest.param(call(), {"value"}, id="gRPC"),
    ],
)
async def test_only_mutants_are_dealt_that_can_be_said_and_are_others(one: Exchange, dealt: set[str]) -> None:
    bench = Bench(always(reply()), mutators=MUTATORS, refuses_http2="")
    case = bench.case(one)
    originals = bench.environment.prepare(one, one.session)
    found = bench.trials._dealing.mutants(case, originals.candidate, via="http2")
    assert {each.mutator.name for each in found} == dealt


async def test_slow_mutants_keep_the_way_of_their_original() -> None:
    pausing = replace(FRAMES, segments=(b"a", b"b"), pause_seconds=0.3)
    slow = editing("slow", replace(EDIT, wire=pausing), Level.NETWORK)
    bench = Bench(always(reply()), mutators=[slow], refuses_http2="")
    later, _ = await bench.conduct(seen())
    assert isinstance(later, Later)
    assert len(later.mutants) == 1
    await bench.trials.conduct_slow(later)
    assert bench.candidate.via == {"http2"}
