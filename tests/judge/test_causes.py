"""One finding per cause: what is merged, what is kept apart, and what only follows."""

import base64
from typing import Any

import msgspec
import pytest

from shadow.judge.causes import Causes
from shadow.judge.fingerprint import causes_of, signature
from shadow.judge.report import finding, message
from shadow.model import (
    Change,
    Difference,
    Expect,
    Judgement,
    Kind,
    Level,
    NoReply,
    Outcome,
    Reply,
    Request,
    Response,
    Severity,
    Silence,
    Trial,
    Verdict,
)


def original(
    *differences: Difference, endpoint: str = "GET /v1/x/{id}", exchange: int = 0, **more: Any
) -> Trial:
    judgement = Judgement(
        Verdict.FAILED, "differs", None, more.pop("fault", "regression"), Severity.HIGH, differences
    )
    return Trial(
        exchange=exchange, endpoint=endpoint, kind=Kind.REGRESSION, mutator=None, judgement=judgement, **more
    )


def mutant(
    fault: str, mutator: str, endpoint: str = "POST /v1/x", answer: Outcome | None = None, **more: Any
) -> Trial:
    judgement = Judgement(Verdict.FAILED, more.pop("why", "why"), Expect.SURVIVE, fault, Severity.HIGH)
    return Trial(
        exchange=more.pop("exchange", 0), endpoint=endpoint, kind=Kind.MUTANT, mutator=mutator,
        judgement=judgement, answer=answer, **more,
    )  # fmt: skip


def gone(where: str) -> Difference:
    return Difference(where, Change.MISSING, 1, None)


def changed(where: str, left: Any = 1, right: Any = 2) -> Difference:
    return Difference(where, Change.VALUE, left, right)


def boom(body: bytes = b'{"error":{"code":"internal","message":"at 12:31"}}', status: int = 500) -> Reply:
    return Reply(Response(status, body=body))


def keys(trial: Trial) -> list[str]:
    return [cause.id for cause in causes_of(trial)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            original(gone("body:$.items[0].price"), gone("body:$.items[1].price")),
            original(gone("body:$.items[7].price")),
            id="a field gone in every item",
        ),
        pytest.param(
            original(gone("body:$.items[0].price")),
            original(gone("body:$.price"), endpoint="GET /v1/x"),
            id="listed or alone",
        ),
        pytest.param(
            original(gone("header:vary"), endpoint="GET /a"),
            original(gone("header:vary"), endpoint="GET /b"),
            id="header",
        ),
        pytest.param(
            original(changed("status", 404, 200), changed("body:$.a")),
            original(changed("status", 404, 200), gone("header:etag"), endpoint="GET /b"),
            id="a changed status explains the rest",
        ),
        pytest.param(
            original(
                changed("body:$.created_at", "2024-05-01T10:00:00Z", "2024-05-01 10:00:00"),
                changed("body:$.updated_at", "2024-05-01T10:00:00Z", "2024-05-01 10:00:00"),
            ),
            original(changed("body:$.at", "2024-05-01T10:00:00Z", "2024-05-01 10:00:00"), endpoint="GET /b"),
            id="one serialiser writes all timestamps",
        ),
        pytest.param(
            original(
                Difference("body:$.items", Change.LENGTH, 3, 2),
                gone("body:$.items[2]"),
                changed("body:$.items[0].id"),
            ),
            original(Difference("body:$.items", Change.LENGTH, 9, 8)),
            id="elements go with the length",
        ),
        pytest.param(
            original(changed("body:$.error.code", "a", "b"), changed("body:$.error.message", "x", "y")),
            original(changed("body:$.error.code", "a", "b")),
            id="one error object",
        ),
        pytest.param(
            mutant("F100", "nul", answer=boom()),
            mutant("F100", "surrogate", answer=boom(b'{"error":{"code":"internal","message":"at 12:35"}}')),
            id="one crash that two mutators run into",
        ),
        pytest.param(
            mutant("auth-bypass", "drop_signature", "GET /a"),
            mutant("auth-bypass", "drop_signature", "PUT /b"),
            id="bypass",
        ),
    ],
)
def test_one_cause_has_one_id(one: Trial, other: Trial) -> None:
    assert len(keys(one)) == 1
    assert keys(one) == keys(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (original(gone("body:$.a")), original(gone("body:$.b"))),
        (original(gone("body:$.a")), original(Difference("body:$.a", Change.TYPE, 1, "1"))),
        (original(changed("status", 404, 200)), original(changed("status", 409, 400))),
        (
            original(changed("status", 200, 500), endpoint="GET /a", fault="F100", answer=boom()),
            original(changed("status", 200, 500), endpoint="GET /b", fault="F100", answer=boom()),
        ),
        (mutant("F100", "nul", answer=boom()), mutant("F100", "nul", "PATCH /y", answer=boom())),
        (mutant("F100", "nul", answer=boom()), mutant("F100", "nul", answer=boom(b'{"oops":1}'))),
        (mutant("F100", "nul", answer=boom()), mutant("hang", "nul", answer=NoReply(Silence.TIMED_OUT))),
        (mutant("auth-bypass", "expired"), mutant("auth-bypass", "revoked")),
        (mutant("F206", "swap", "POST /stop"), mutant("F206", "swap", "POST /resize")),
    ],
)
def test_two_causes_have_two_ids(one: Trial, other: Trial) -> None:
    assert set(keys(one)).isdisjoint(keys(other))


def test_an_answer_with_two_roots_shows_two_causes() -> None:
    trial = original(
        Difference("header:etag", Change.TYPE, '"a"', 'W/"a"'),
        gone("header:vary"),
        gone("body:$.items[0].price"),
    )
    assert [cause.where for cause in causes_of(trial)] == [
        ("header:etag",),
        ("header:vary",),
        ("body:$.items[].price",),
    ]


def test_a_field_gone_is_told_beside_a_changed_length() -> None:
    trial = original(Difference("body:$.items", Change.LENGTH, 3, 2), gone("body:$.items[0].price"))
    assert len(keys(trial)) == 2


def test_ids_do_not_change_between_runs() -> None:
    assert keys(original(gone("body:$.items[0].price"))) == ["7b4e4df4fbe2"]


def test_occurrences_are_gathered_under_their_cause() -> None:
    causes = Causes()
    (first,) = causes.add(original(gone("header:vary"), endpoint="GET /a", exchange=3))
    (second,) = causes.add(original(gone("header:vary"), endpoint="GET /b", exchange=1))
    assert (first.is_new, second.is_new, len(causes)) == (True, False, 1)
    record = causes.record(first.cause.id)
    assert record is not None
    assert (record.count, sorted(record.exchanges), list(record.endpoints)) == (
        2,
        [1, 3],
        ["GET /a", "GET /b"],
    )


def test_a_cause_that_was_not_confirmed_is_new_when_seen_again() -> None:
    causes = Causes()
    (seen,) = causes.add(original(gone("header:vary")))
    causes.forget(seen.cause.id)
    assert causes.record(seen.cause.id) is None
    (again,) = causes.add(original(gone("header:vary")))
    assert again.is_new


def test_the_number_of_causes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadow.judge.causes.MAX_CAUSES", 2)
    causes = Causes()
    for letter in "abcd":
        causes.add(original(gone(f"body:$.{letter}")))
    assert (len(causes), causes.overflowed) == (2, 2)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (boom(), boom(b'{"error":{"message":"else","code":"internal"}}'), True),
        (boom(), boom(b'{"error":{"message":"else","code":"database"}}'), False),
        (boom(b"Error 17 at line 4"), boom(b"Error 99 at line 5"), True),
        (boom(b"Error 17 at line 4"), boom(b"No such host"), False),
        (boom(), boom(status=502), False),
        (NoReply(Silence.CLOSED), NoReply(Silence.CLOSED), True),
        (boom(b'[{"path":"name"}]', 422), boom(b'[{"path":"size"}]', 422), False),
    ],
)
def test_a_signature_keeps_what_lasts(one: Outcome, other: Outcome, is_same: bool) -> None:
    assert (signature(one) == signature(other)) is is_same


def test_a_finding_tells_all_that_showed_it() -> None:
    causes = Causes()
    causes.add(original(gone("body:$.items[0].price"), endpoint="GET /v1/x", exchange=4))
    trial = original(
        gone("body:$.price"),
        exchange=2,
        seed=7,
        sent=b"GET /v1/x/1 HTTP/1.1\r\n\r\n",
        control=Reply(Response(200, headers=((b"A", b"b"),), body=b'{"price":1}')),
        answer=Reply(Response(200, body=b"\x00\xff"), surplus=b"more"),
        baseline=Reply(Response(200, body=b'{"price":1}')),
    )
    (sighting,) = causes.add(trial)
    found = finding(
        trial, sighting, confirmed="5/5", request=Request(b"GET", b"/v1/x/1"), origin="http://127.0.0.1:1"
    )
    assert (found.kind, found.fault, found.severity, found.expect) == (
        "regression",
        "regression",
        "high",
        "same",
    )
    assert found.where == ("body:$.items[].price", "body:$.price")
    assert found.exchanges == (2, 4)
    assert (found.count, found.endpoint, found.endpoints) == (
        2,
        trial.endpoint,
        ("GET /v1/x", "GET /v1/x/{id}"),
    )
    assert found.title == "field price: missing (GET /v1/x/{id} and 1 more)"
    assert found.why == "body:$.price was 1, the candidate has nothing; the baseline agrees with live"
    unseen = msgspec.structs.replace(trial, has_live=False)
    other = finding(
        unseen, sighting, confirmed="5/5", request=Request(b"GET", b"/"), origin="http://127.0.0.1:1"
    )
    assert other.why == "body:$.price was 1, the candidate has nothing; the baseline says so, live is unseen"
    assert found.control == {
        "class": "success",
        "status": 200,
        "headers": [["A", "b"]],
        "body_bytes": 11,
        "body": '{"price":1}',
    }
    assert found.answer is not None
    assert (found.answer["body_base64"], found.answer["surplus_base64"]) == (
        "AP8=",
        base64.b64encode(b"more").decode(),
    )
    assert found.baseline is not None
    assert found.baseline["status"] == 200
    assert found.reproduce["curl"].endswith("http://127.0.0.1:1/v1/x/1")
    assert base64.b64decode(found.reproduce["raw_base64"]) == trial.sent
    assert found.reproduce["seed"] == 7


def test_silence_is_shown_as_such() -> None:
    assert message(NoReply(Silence.CLOSED, "eof")) == {
        "class": "rejected",
        "silence": "closed",
        "detail": "eof",
    }
    assert message(None) is None


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (
            Difference("header:etag", Change.TYPE, '"a"', 'W/"a"'),
            "header etag: strong to weak (GET /v1/x/{id})",
        ),
        (Difference("body", Change.TYPE, "json", "text"), "body: json to text (GET /v1/x/{id})"),
        (Difference("body:$", Change.TYPE, {}, None), "body: object to null (GET /v1/x/{id})"),
        (Difference("body:$.a.b", Change.TYPE, 1, "1"), "field a.b: number to string (GET /v1/x/{id})"),
        (Difference("body:$.p", Change.VALUE, 1.239, 1.24), "field p: rounded (GET /v1/x/{id})"),
        (Difference("body:$.s", Change.VALUE, "UP", "up"), "field s: letter case (GET /v1/x/{id})"),
        (Difference("body:$.s", Change.VALUE, "a b", "a  b"), "field s: white space (GET /v1/x/{id})"),
        (Difference("status", Change.VALUE, 409, 400), "status: 409 to 400 (GET /v1/x/{id})"),
        (Difference("surplus", Change.ADDED, None, "3 bytes"), "surplus: added (GET /v1/x/{id})"),
    ],
)
def test_a_title_says_what_changed_where(difference: Difference, expected: str) -> None:
    trial = original(difference)
    (sighting,) = Causes().add(trial)
    assert finding(trial, sighting).title == expected


def test_a_mutants_finding_names_the_other_mutators() -> None:
    causes = Causes()
    causes.add(mutant("F100", "nul", answer=boom()))
    trial = mutant("F100", "surrogate", answer=boom(), why="500")
    (sighting,) = causes.add(trial)
    found = finding(trial, sighting)
    assert (found.title, found.why) == ("server error on POST /v1/x (surrogate)", "500; also seen by nul")
    assert found.reproduce["curl"] is None
    assert found.severity == "high"


def test_bodies_in_findings_are_bounded_and_cut_between_characters() -> None:
    shown = message(Reply(Response(200, body="ü".encode() * 5000 + b"x")))
    assert shown is not None
    assert shown["body"] == "ü" * 2048
    shown = message(Reply(Response(200, body=b"x" + "ü".encode() * 5000)))
    assert shown is not None
    assert shown["body"] == "x" + "ü" * 2047


@pytest.mark.parametrize(
    ("names", "level", "expect", "is_one"),
    [
        (("space_json+bad_chunk_size", "bad_chunk_size"), Level.FRAMING, Expect.AGREE, True),
        (("space_json+unsigned", "reorder_query+unsigned"), Level.AUTH, Expect.REJECT, True),
        (("space_json+reorder_query", "reorder_query+space_json"), Level.BODY, Expect.SAME, True),
        (("space_json+reorder_query", "reorder_query"), Level.BODY, Expect.SAME, False),
        (("space_json+bad_chunk_size", "space_json+rechunk_body"), Level.FRAMING, Expect.AGREE, False),
    ],
    ids=["exact bytes", "what must be refused", "any order", "both are needed", "other bytes"],
)
def test_of_several_edits_the_cause_is_that_which_the_others_came_along_with(
    names: tuple[str, str], level: Level, expect: Expect, *, is_one: bool
) -> None:
    judgement = Judgement(Verdict.FAILED, expect=expect, fault="metamorphic")
    ids = {
        causes_of(Trial(0, "GET /x", Kind.MUTANT, name, judgement, expect=expect, level=level))[0].id
        for name in names
    }
    assert (len(ids) == 1) == is_one


def test_a_dropped_connection_is_one_cause_however_it_was_dropped() -> None:
    judgement = Judgement(Verdict.FAILED, expect=Expect.SURVIVE, fault="crash")
    ids = {
        causes_of(Trial(0, "GET /x", Kind.MUTANT, "m", judgement, answer=NoReply(why)))[0].id
        for why in (Silence.RESET, Silence.CLOSED)
    }
    assert len(ids) == 1


def test_malformed_bytes_read_differently_are_one_cause_for_each_mutator_wherever_they_show() -> None:
    def seen(mutator: str, endpoint: str, refusal: bytes) -> str:
        trial = mutant(
            "mutation-regression",
            mutator,
            endpoint,
            boom(refusal, 400),
            baseline=boom(b"{}", 200),
            level=Level.FRAMING,
        )
        return causes_of(trial)[0].id

    first = seen("bad_name", "GET /a", b"invalid field 'X Y'")
    assert first == seen("bad_name", "POST /b", b"invalid field 'X/Y'")
    assert first != seen("no_host", "GET /a", b"invalid field 'X Y'")


def test_objects_that_differ_as_a_whole_are_no_counts_of_elements() -> None:
    length = Difference("body:$.items", Change.LENGTH, 2, 1)
    whole = Difference("body:$.a", Change.VALUE, {"b": 1}, {"b": 2})
    assert [each.where for each in causes_of(original(length, whole))] == [("body:$.items",), ("body:$.a",)]


def test_an_original_told_of_late_counts_once() -> None:
    causes = Causes()
    gone = Difference("body:$.a", Change.MISSING, 1, None)
    causes.add(original(gone, exchange=1))
    (again,) = causes.add(original(gone, exchange=1, is_late=True))
    (first,) = causes.add(original(gone, exchange=2, is_late=True))
    assert (again.is_again, first.is_again) == (True, False)
    assert (first.record.count, first.record.indexes) == (2, (1, 2))
