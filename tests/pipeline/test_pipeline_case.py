"""One exchange under work."""

import pytest

from mutators import Mutator
from shadow.model import Exchange, Expect, Request, Wire
from shadow.pipeline.case import Mutant
from shadow.pipeline.environment import Pair
from shadow.pipeline.ready import Ready
from tests.pipeline.conftest import Bench, always, edits, exchange, reply, request

BENCH = Bench(always(reply()))
MADE = exchange("POST /v1/x", 0, answer=reply(201, b'{"id": "41000042"}'))


@pytest.mark.parametrize(
    ("line", "past", "is_own"),
    [
        ("POST /v1/x", (), True),
        ("GET /v1/x", (MADE,), False),
        ("GET /v1/x/41000042", (MADE,), True),
        ("GET /v1/x/41000042?by=7", (MADE,), True),
        ("GET /v1/x/41000043", (MADE,), False),
        ("GET http://live.test/v1/x/41000042", (MADE,), True),
        ("GET /v1/x/4100", (MADE,), False),
        ("GET /v1/x/2", (MADE,), False),
        ("GET /v1/x/41000042/y/9", (MADE,), False),
        ("GET /v1/x/41000042", (), False),
        ("GET /v1/x/41000042", (exchange("GET /v1/x", answer=reply(200, b"41000042")),), False),
        ("GET /v1/x/41000042", (exchange("POST /v1/x", answer=reply(409, b"41000042")),), False),
    ],
    ids=[
        "makes something new",
        "reads what is everyone's",
        "made it",
        "query does not count",
        "another",
        "absolute form",
        "the beginning of a name",
        "the end of a name",
        "one of two",
        "no past",
        "only read it",
        "was refused",
    ],
)
def test_case_is_about_its_own_where_the_session_made_all_that_the_path_names(
    line: str, past: tuple[Exchange, ...], *, is_own: bool
) -> None:
    assert BENCH.case(exchange(line, 5), past).is_about_own == is_own


@pytest.mark.parametrize(("line", "is_write"), [("GET /", False), ("DELETE /", True), ("ODD /", True)])
def test_method_tells_whether_a_case_writes(line: str, *, is_write: bool) -> None:
    assert BENCH.case(exchange(line)).is_write == is_write


def test_retelling_is_the_session_up_to_the_exchange_with_that_judged() -> None:
    asked = exchange("POST /v1/x/41000042/start", 2)
    script, told = BENCH.case(asked, (MADE, exchange("GET /v1/x", 1))).retelling()
    assert [each.index for each in told] == [0, 1, 2]
    assert [(step.request, step.origin) for step in script.steps] == [
        (each.request, at) for at, each in enumerate(told)
    ]
    assert script.judged == (2,)


def mutant(mutator: Mutator, wire: Wire | None) -> Mutant:
    ready = Ready(request("GET /"), wire)
    return Mutant(mutator, 0, lambda _: lambda _: None, Pair(ready, None), ready)


@pytest.mark.parametrize(
    ("wire", "is_slow"),
    [
        (None, False),
        (Wire((b"a",) * 50), False),
        (Wire((b"a", b"b"), 0.1), False),
        (Wire((b"a",) * 4, 0.1), True),
    ],
)
def test_mutant_is_slow_by_what_sending_it_takes(wire: Wire | None, *, is_slow: bool) -> None:
    assert mutant(edits(Expect.SURVIVE), wire).is_slow == is_slow


def test_endpoint_and_knowledge_are_those_of_the_exchange() -> None:
    case = BENCH.case(exchange("GET /v1/x/7"))
    assert case.endpoint == "GET /v1/x/{id}"
    assert set(case.known) == {"candidate"}
    assert case.exchange.request == Request(b"GET", b"/v1/x/7", headers=((b"Host", b"live.test:80"),))
