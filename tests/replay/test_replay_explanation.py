"""What was learned, where it was used, and what could not be mapped."""

import json
from typing import Any

from shadow.model import Learned, Missed, Request, Response
from shadow.replay._contract import Target
from shadow.replay.correlation import Correlation
from shadow.replay.explanation import Trace

TARGET = Target("candidate", "http", "h", 1)


def told(made: Correlation) -> tuple[tuple[Learned, ...], tuple[Missed, ...]]:
    assert made.trace is not None
    heard = made.trace.told("candidate")
    return heard.learned, heard.missed


def learn(made: Correlation, live: Any, shadow: Any, status: int = 200, **more: Any) -> None:
    request = Request(b"POST", b"/login?a=1")
    made.learn(
        Response(200, body=json.dumps(live).encode()),
        Response(status, body=json.dumps(shadow).encode()),
        "s",
        request=request,
        exchange=4,
        **more,
    )


def test_a_value_is_told_with_whence_it_is_known_and_where_it_was_put() -> None:
    made = Correlation(TARGET, trace=Trace())
    learn(made, {"token": "abc123", "same": "unchanged1"}, {"token": "def456", "same": "unchanged1"})
    for session in ("s", "s", "other"):
        made.translate(Request(b"GET", b"/x?q=1", headers=((b"X-T", b"abc123"),)), session)
    learned, missed = told(made)
    assert learned == (
        Learned("abc123", "def456", "", "s", 4, "POST /login", "body:$.token", 3, "GET /x header:x-t"),
    )
    assert missed == ()


def test_what_another_process_learned_is_told_once_it_is_used() -> None:
    made = Correlation(TARGET, trace=Trace())
    made.take_over("order", "7", "3")
    made.take_over("order", "8", "4")
    made.translate(Request(b"GET", b"/orders/7"), "s")
    assert told(made)[0] == (Learned("7", "3", "order", "", -1, "", "", 1, "GET /orders/7 path:2"),)


def test_places_are_told_as_rules_name_them() -> None:
    made = Correlation(TARGET, trace=Trace())
    learn(made, {"order_id": 7}, {"order_id": 3})
    for request, place in (
        (Request(b"GET", b"/orders/7"), "GET /orders/7 path:2"),
        (Request(b"GET", b"/x?order_id=7"), "GET /x query:order_id"),
        (Request(b"POST", b"/x", body=b'{"order_id":7}'), "POST /x body:$.order_id"),
        (Request(b"POST", b"/x", body=b'{"id":7}'), "POST /x body:$.id"),
    ):
        made.translate(request, "s")
        assert told(made)[0][0].last_place == place


def test_a_value_that_a_request_carries_and_no_answer_of_the_shadow_has_is_missed() -> None:
    made = Correlation(TARGET, trace=Trace())
    learn(made, {"word": "opensesame", "ref": "k2j4h6g8"}, {"word": "closedsesame"})
    made.translate(Request(b"GET", b"/x", headers=((b"X-Word", b"opensesame"),)), "s")
    made.translate(Request(b"GET", b"/y", headers=((b"X-Word", b"opensesame"), (b"X-R", b"k2j4h6g8"))), "s")
    missed = {each.live: each for each in told(made)[1]}
    assert missed["opensesame"] == Missed(
        "opensesame",
        4,
        "POST /login",
        "body:$.word",
        "it looks like no name, so nothing was learned",
        "GET /y header:x-word",
        2,
    )
    assert missed["k2j4h6g8"].why == "the shadow's answer has no such place"


def test_a_refusal_of_the_shadow_is_told_as_the_reason() -> None:
    made = Correlation(TARGET, trace=Trace())
    learn(made, {"id": "k2j4h6g8"}, {"error": "no"}, status=403)
    made.translate(Request(b"GET", b"/x/k2j4h6g8"), "s")
    assert [each.why for each in told(made)[1]] == ["the shadow answered 403 instead of 200"]


def test_what_nobody_carries_or_learned_later_is_not_missed() -> None:
    made = Correlation(TARGET, trace=Trace())
    learn(made, {"id": "k2j4h6g8", "other": "a1b2c3d4e5f6g7"}, {})
    learn(made, {"id": "k2j4h6g8"}, {"id": "z9y8x7w6"})
    made.translate(Request(b"GET", b"/x/k2j4h6g8"), "s")
    assert told(made)[1] == ()


def test_runs_of_their_own_are_not_told() -> None:
    made = Correlation(TARGET, trace=Trace())
    learn(made, {"token": "abc123"}, {"token": "def456"}, is_shared=False)
    assert told(made) == ((), ())
