import msgspec
import pytest

from shadow.model import Exchange, Fate, Headers, Request, Response
from shadow.pipeline.scope import Scope


def exchange(
    line: str = "GET /v1/x", session: str = "s", headers: Headers = (), protocol: str = "http"
) -> Exchange:
    method, target = line.encode().split()
    return Exchange(0, "test", session, 0.0, Request(method, target, headers=headers), protocol=protocol)


def scope(include: tuple[str, ...] = (), exclude: tuple[str, ...] = (), sample: float = 1.0) -> Scope:
    return Scope(include=include, exclude=exclude, sample=sample, seed=0)


@pytest.mark.parametrize(
    ("include", "exclude", "line", "is_taken"),
    [
        ((), (), "GET /a", True),
        (("GET *",), (), "GET /a/b?c=1", True),
        (("GET *",), (), "POST /a", False),
        (("* /v1/*",), (), "POST /v1/x", True),
        ((), ("* /health",), "GET /health?deep=1", False),
        (("GET *",), ("* /health",), "GET /health", False),
    ],
)
def test_filters_speak_of_method_and_path(
    include: tuple[str, ...], exclude: tuple[str, ...], line: str, *, is_taken: bool
) -> None:
    refusal = scope(include, exclude).refusal(exchange(line), "s")
    assert (refusal is None) == is_taken
    assert is_taken or (refusal is not None and refusal[0] is Fate.FILTERED)


def test_own_traffic_is_never_taken() -> None:
    own = exchange(headers=((b"shadow-RUN", b"r1"),))
    assert scope().refusal(own, "s") == (Fate.FILTERED, "sent by shadow itself")


@pytest.mark.parametrize(
    ("protocol", "why"),
    [
        ("gopher", "protocol gopher is not replayed"),
        ("dns", "dns needs a target of dns://, not http://"),
        ("tcp", "tcp needs a target of tcp:// or tls://, not http://"),
    ],
)
def test_protocols_that_the_target_cannot_carry_are_told(protocol: str, why: str) -> None:
    assert scope().refusal(exchange(protocol=protocol), "s") == (Fate.FILTERED, why)


def test_request_that_is_still_of_another_version_is_told() -> None:
    seen = msgspec.structs.replace(exchange(), request=Request(b"GET", b"/", b"HTTP/2", ((b"a", b"\n"),)))
    assert scope().refusal(seen, "s") == (Fate.FILTERED, "the request cannot be said over HTTP/1.1")


@pytest.mark.parametrize(("upgrade", "is_taken"), [(b"h2c", False), (b"H2C", False), (b"foo", True)])
def test_switch_to_http2_is_left_to_what_follows_it(upgrade: bytes, is_taken: bool) -> None:
    seen = msgspec.structs.replace(exchange(), response=Response(101, headers=((b"Upgrade", upgrade),)))
    assert (scope().refusal(seen, "s") is None) is is_taken


def test_sampling_keeps_sessions_whole_and_takes_the_stated_share() -> None:
    sampled = scope(sample=0.25)
    fates = {
        n: [sampled.refusal(exchange(session="a connection"), f"s{n}") for _ in range(3)] for n in range(2000)
    }
    assert all(len(set(each)) == 1 for each in fates.values())
    taken = sum(each[0] is None for each in fates.values())
    assert 420 < taken < 580
    assert {each[0] for each in fates.values()} == {None, (Fate.SAMPLED_OUT, "session not in the sample")}
