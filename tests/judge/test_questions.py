"""What the answers to an edit and its twins say together."""

import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge.questions import is_answered, is_delayed, tells, waited, waits_as_told, without_echo
from shadow.model import Edit, NoReply, Reply, Request, Response, Silence, Timing, Twin

WAYS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": lambda text: json.dumps(text)[1:-1],
    "json in utf-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "html": html.escape,
    "url": lambda text: quote(text, safe=""),
    "form": quote_plus,
}
texts = st.text(st.characters(codec="utf-8"), max_size=8)


def said(body: str) -> Reply:
    return Reply(
        Response(200, headers=((b"Content-Type", b"text/plain"), (b"ETag", b"1")), body=body.encode())
    )


@pytest.mark.parametrize("way", WAYS)
@given(was=texts)
def test_an_echo_is_taken_for_the_value_that_stood_there(way: str, was: str) -> None:
    text = was + "' and '4711'='4711"
    one, other = (without_echo(said(f"You asked: {WAYS[way](each)}."), text, was) for each in (text, was))
    assert one == other


def test_only_status_type_and_body_are_left() -> None:
    made = without_echo(said("a"), "", "")
    assert isinstance(made, Reply)
    assert made.response.headers == ((b"Content-Type", b"text/plain"),)
    silent = NoReply(Silence.RESET)
    assert without_echo(silent, "a", "b") is silent


def timed(seconds: float, held: float = 0.0) -> Reply:
    return Reply(Response(200), Timing(total_seconds=seconds, held_seconds=held))


def test_time_that_our_own_network_conditions_took_is_left_out() -> None:
    assert waited(timed(3.0, held=2.5), timed(0.25)) == pytest.approx(0.25)
    assert waited(NoReply(Silence.TIMED_OUT), timed(0.1)) is None


@pytest.mark.parametrize(
    ("first", "delay", "seconds", "is_obeyed"),
    [
        (1.0, 0.0, 0.05, True),
        (1.0, 0.0, 0.9, False),
        (1.0, 2.0, 2.0, True),
        (3.0, 2.0, 6.1, True),
        (1.0, 2.0, 1.0, False),
        (1.0, 2.0, 4.0, False),
        (1.0, 2.0, None, False),
    ],
    ids=["none", "slow anyway", "twice", "once per row", "constant", "out of proportion", "silent"],
)
def test_a_delay_is_obeyed_in_proportion(
    first: float, delay: float, seconds: float | None, *, is_obeyed: bool
) -> None:
    twin = Twin(Edit(Request(b"GET", b"/"), "a twin"), "text", delay_seconds=delay)
    assert waits_as_told(first, 1.0, twin, seconds) is is_obeyed


def test_what_can_be_held_against_another_answer() -> None:
    assert is_answered(timed(0))
    assert not is_answered(Reply(Response(404)))
    assert not is_answered(None)
    assert tells(Reply(Response(500)))
    assert not tells(Reply(Response(429)))
    assert not tells(NoReply(Silence.CLOSED))
    assert is_delayed(0.9, 1.0)
    assert not is_delayed(0.7, 1.0)
