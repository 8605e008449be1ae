"""What answers are read as: by settings, by what was learned, and held against another answer."""

import json
from typing import Any

import pytest

from shadow.errors import ConfigError
from shadow.judge.classes import classify, told_by
from shadow.judge.conventions import Conventions
from shadow.judge.readings import Readings
from shadow.judge.success_rules import SuccessRules, success_rule
from shadow.judge.turning import shows_nothing, turned
from shadow.model import AnswerClass, NoReply, Reply, Request, Response, Silence

JSON = ((b"Content-Type", b"application/json"),)
HTML = ((b"Content-Type", b"text/html"),)
GET = Request(b"GET", b"/api/notes?page=1")
FORM = b"<html><form><input name=p type='password'></form>"


def response(body: Any, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = JSON) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, headers=headers, body=raw)


TURNS: dict[str, tuple[Any, Any, bool]] = {
    "code, nothing left": ({"code": 0, "data": {"a": 1}}, {"code": 40101, "msg": "no"}, True),
    "code of an ack": ({"code": 0, "msg": "ok"}, {"code": 40101, "msg": "no"}, True),
    "code the other way round": ({"code": 1, "data": [1]}, {"code": 0, "msg": "bad", "data": None}, True),
    "code in a head": (
        {"header": {"rtnCode": "000000"}, "body": {"a": 1}},
        {"header": {"rtnCode": "E77", "rtnMsg": "no"}, "body": None},
        True,
    ),
    "lists emptied": (
        {"total": 3, "rows": [1], "code": 200, "msg": "ok"},
        {"total": 0, "rows": [], "code": 999, "msg": "no"},
        True,
    ),
    "a message in its place": ([1], {"message": "Unauthorized"}, True),
    "a word in its place": ({"a": 1}, {"status": "denied"}, True),
    "a toggle": ({"status": 1, "id": 2}, {"status": 0, "id": 2}, False),
    "a state": ({"status": "running", "id": 1}, {"status": "stopped", "id": 1}, False),
    "a state that was fine": ({"status": "ok", "load": 1}, {"status": "degraded", "load": 9}, False),
    "a result": ({"result": 5}, {"result": 6}, False),
    "a currency": ({"code": "USD", "rate": 1}, {"code": "EUR", "rate": 2}, False),
    "fewer items": ({"success": True, "items": [1]}, {"success": True, "items": []}, False),
    "an error gone null": ({"error": None, "a": 1}, {"error": None, "b": 1}, False),
}


@pytest.mark.parametrize(("good", "answer", "is_turn"), TURNS.values(), ids=TURNS)
def test_an_answer_is_held_against_a_good_one(good: Any, answer: Any, *, is_turn: bool) -> None:
    assert (turned(response(good), response(answer)) is not None) is is_turn
    assert turned(response(good), response(good)) is None


def test_a_login_page_in_place_of_content_is_a_refusal_and_by_itself_is_none() -> None:
    page, content = response(FORM, headers=HTML), response({"a": 1})
    read = Readings().against(Reply(content), Reply(page))
    assert classify(read) is AnswerClass.REJECTED
    assert told_by(read) == "the answer is a page that asks for a password"
    assert classify(Readings().against(Reply(page), Reply(page))) is AnswerClass.SUCCESS
    assert Readings().against(NoReply(Silence.RESET), Reply(page)) == Reply(page)


@pytest.mark.parametrize(
    ("good", "answer", "is_nothing"),
    [
        ([1, 2], [], True),
        ({"items": [1], "total": 1}, {"items": [], "total": 0}, True),
        ({"items": [1]}, b"", True),
        ({"id": 1}, {}, True),
        ([], [], False),
        ([1], [2], False),
        ({"items": [1], "owner": "bob"}, {"items": [], "owner": "bob"}, False),
        ({"id": 1}, {"id": 2}, False),
    ],
)
def test_an_answer_without_items_shows_nothing(good: Any, answer: Any, *, is_nothing: bool) -> None:
    assert shows_nothing(response(good), response(answer)) is is_nothing


class TestConventions:
    FINE = ({"code": 7000, "data": {"a": 1}}, {"code": 0, "data": {"a": 1}}, {"code": 0, "data": [3]})
    POOR = ({"code": 7001, "msg": "no such"}, {"code": 7002, "msg": "gone"})

    def learned(self, *bodies: Any) -> Conventions:
        conventions = Conventions()
        for body in bodies:
            conventions.hear(response(body))
        return conventions

    def test_are_learned_from_answers_of_both_kinds(self) -> None:
        conventions = self.learned(*self.FINE[1:], *self.POOR)
        assert [(each.place, set(each.fine)) for each in conventions.known] == [("$.code", {"0"})]
        assert conventions.refusal(response({"code": 9, "msg": "q"})) == (
            "the body says code=9, and 0 of successes"
        )
        assert conventions.refusal(response({"code": 0, "msg": "q"})) == ""
        assert conventions.refusal(response({"code": 9, "data": [1]})) == ""
        assert conventions.refusal(response({"code": 9, "msg": "q"}, 404)) == ""

    @pytest.mark.parametrize(
        "bodies",
        [FINE[1:], POOR, (*FINE[1:], POOR[0]), (*FINE, *POOR), (*FINE[1:], *POOR, FINE[0])],
        ids=["no refusal", "no success", "one refusal", "a state first", "a state at last"],
    )
    def test_are_not_learned_of_less(self, bodies: tuple[Any, ...]) -> None:
        assert self.learned(*bodies).known == ()

    def test_are_learned_from_what_the_live_release_must_refuse_and_are_told_to_others(self) -> None:
        mine, theirs = Readings(), Readings()
        mine.conventions.on_learned = theirs.conventions.take_over
        for number in (1, 2):
            good = Reply(response({"code": 0, "data": {"a": number}}))
            mine.hear_pair(good, Reply(response({"code": 40101, "msg": "no"})))
        refused = Reply(response({"code": 5, "msg": "x"}))
        for readings in (mine, theirs):
            assert classify(readings.read(GET, refused)) is AnswerClass.REJECTED
        assert classify(Readings().read(GET, refused)) is AnswerClass.SUCCESS

    def test_nothing_is_learned_where_the_settings_say_so(self) -> None:
        readings = Readings(learns=False)
        for body in (*self.FINE[1:], *self.POOR):
            readings.hear(response(body))
        assert readings.conventions.known == ()

    def test_remember_so_many_members_at_most(self) -> None:
        wide = [{"meta": {f"x{at}code": 0, "msg": "ok"}, "data": [at]} for at in range(500)]
        assert len(self.learned(*wide)._members) <= 100


def rules(**more: Any) -> SuccessRules:
    def made(key: str) -> Any:
        plain = {"endpoint": "", "status": (), "at": "", "value": (), "pattern": ""}
        return tuple(
            success_rule(f"judge.{key}[{at}]", **(plain | each)) for at, each in enumerate(more.get(key, ()))
        )

    return SuccessRules(rejected=made("rejected"), success=made("success"))


CODE = {"at": "body:$.code", "value": (0,)}


@pytest.mark.parametrize(
    ("given", "answer", "expected"),
    [
        pytest.param({"success": [CODE]}, response({"code": 0}), "success", id="success holds"),
        pytest.param({"success": [CODE]}, response({"code": 3}), "rejected", id="success does not hold"),
        pytest.param({"success": [CODE]}, response({"a": 3}), "rejected", id="nothing there"),
        pytest.param({"success": [CODE]}, response({"code": False}), "rejected", id="false is no nought"),
        pytest.param({"success": [CODE]}, response({"code": 3}, 404), "rejected", id="status still rules"),
        pytest.param(
            {"success": [CODE | {"endpoint": "POST *"}]}, response({"code": 3}), "success", id="elsewhere"
        ),
        pytest.param(
            {"success": [CODE, {"at": "/ok", "value": (True,)}]},
            response({"ok": True}),
            "success",
            id="any of",
        ),
        pytest.param(
            {"success": [{"at": "", "status": ("404",)}]}, response({}, 404), "success", id="by status"
        ),
        pytest.param(
            {"rejected": [{"at": "header:content-type", "pattern": "json"}]},
            response({}),
            "rejected",
            id="field",
        ),
        pytest.param(
            {"rejected": [{"at": "$.items[].error"}]},
            response({"items": [{}, {"error": 1}]}),
            "rejected",
            id="in",
        ),
        pytest.param(
            {"rejected": [CODE], "success": [CODE]},
            response({"code": 0}),
            "rejected",
            id="rejected goes first",
        ),
        pytest.param(
            {"success": [{"at": "body:$.success", "value": (False,)}]},
            response({"success": False}),
            "success",
            id="conventions give way",
        ),
    ],
)
def test_settings_say_what_answers_amount_to(given: Any, answer: Response, expected: str) -> None:
    read = Readings(rules(**given)).read(GET, Reply(answer))
    assert classify(read) == expected


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({}, "judge.success[0] says neither at nor status"),
        ({"endpoint": "/api", "status": ("200",)}, "write a method and a path"),
        ({"status": ("20x",)}, "judge.success[0].status is '20x'"),
        ({"at": "code"}, "judge.success[0].at is 'code'"),
        ({"at": "body:$.a..b"}, "judge.success[0].at"),
        ({"at": "/a", "value": (1,), "pattern": "x"}, "both value and pattern"),
        ({"at": "/a", "pattern": "("}, "no regular expression"),
        ({"status": ("200",), "value": (1,)}, "a value and no place"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_by_its_key(rule: Any, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rules(success=[rule])
    assert complaint in str(caught.value)
