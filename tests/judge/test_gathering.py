"""What is told once although it shows at many places: pages, errors and documents made anew."""

import pytest

from shadow.judge.causes import Causes, Sighting
from shadow.judge.gathering import MAX_SAID, MAX_TOLD_APART
from shadow.model import Change, Difference, Judgement, Kind, Level, Reply, Response, Severity, Trial, Verdict


def line(at: int, name: str = "", change: Change = Change.VALUE) -> Difference:
    where = f"body:line[{at}].{name}" if name else f"body:line[{at}]"
    return Difference(where, change, "a" if change is not Change.ADDED else None, "b")


def member(path: str, change: Change = Change.VALUE) -> Difference:
    return Difference(f"body:$.{path}", change, "a", "b" if change is Change.VALUE else None)


def spot(path: str, change: Change = Change.VALUE) -> Difference:
    return Difference(f"body:page.{path}", change, "a", "b" if change is Change.VALUE else None)


def seen(causes: Causes, *differences: Difference, endpoint: str = "GET /x") -> list[Sighting]:
    judgement = Judgement(Verdict.FAILED, "why", None, "regression", Severity.MEDIUM, differences)
    return list(causes.add(Trial(0, endpoint, Kind.REGRESSION, None, judgement)))


def test_lines_that_change_together_are_one_cause() -> None:
    causes = Causes()
    (found,) = seen(causes, line(3, "title"), line(9, "p-total"), line(12, "", Change.ADDED))
    assert found.is_new
    assert found.cause.where == ("body:line[].title", "body:line[].p-total", "body:line[]")


def test_a_line_that_is_known_from_another_page_is_not_told_again_and_a_new_one_is() -> None:
    causes = Causes()
    (first,) = seen(causes, line(3, "title"), line(90, "footer"))
    (again,) = seen(causes, line(40, "footer"), endpoint="GET /y")
    assert (again.cause.id, again.is_new) == (first.cause.id, False)
    known, new = seen(causes, line(40, "footer"), line(7, "price"), endpoint="GET /z")
    assert (known.cause.id, known.is_new, new.is_new) == (first.cause.id, False, True)
    assert new.cause.where == ("body:line[].price",)
    assert first.record.count == 3


def test_nameless_lines_of_two_pages_do_not_join_their_causes() -> None:
    causes = Causes()
    (one,) = seen(causes, line(3, "title"), line(4))
    (other,) = seen(causes, line(8, "heading"), line(9), endpoint="GET /y")
    assert one.cause.id != other.cause.id
    (alone,) = seen(causes, line(5), endpoint="GET /z")
    assert alone.cause.id not in (one.cause.id, other.cause.id)


def test_what_changes_in_one_error_is_one_cause_in_every_answer() -> None:
    causes = Causes()
    (first,) = seen(causes, member("detail[0].msg"), member("detail[0].url", Change.MISSING))
    (later,) = seen(causes, member("detail[0].msg"), member("detail[0].ctx.limit", Change.MISSING))
    assert (later.cause.id, later.is_new) == (first.cause.id, False)


@pytest.mark.parametrize(
    ("count", "expected"), [(MAX_TOLD_APART, MAX_TOLD_APART), (MAX_TOLD_APART + 1, 1)], ids=["few", "many"]
)
def test_a_document_made_anew_is_told_once(count: int, expected: int) -> None:
    assert len(seen(Causes(), *(member(f"field_{chr(97 + at)}") for at in range(count)))) == expected


def test_what_an_object_gains_is_told_once_and_what_it_loses_one_by_one() -> None:
    def told(change: Change) -> list[tuple[str, ...]]:
        given = (Difference(f"body:$.a.{name}", change, None, 1) for name in ("x", "y"))
        return [each.cause.where for each in seen(Causes(), *given)]

    assert told(Change.ADDED) == [("body:$.a.x", "body:$.a.y")]
    assert told(Change.MISSING) == [("body:$.a.x",), ("body:$.a.y",)]


def test_header_and_status_stay_apart_from_the_page() -> None:
    found = seen(
        Causes(), line(1, "title"), line(2, "p"), Difference("header:vary", Change.MISSING, "a", None)
    )
    assert [each.cause.where[0] for each in found] == ["body:line[].title", "header:vary"]


def test_a_cause_that_is_forgotten_takes_its_other_names_along() -> None:
    causes = Causes()
    (first,) = seen(causes, line(3, "title"), line(9, "footer"))
    causes.forget(first.cause.id)
    (again,) = seen(causes, line(9, "footer"))
    assert again.is_new
    assert again.cause.where == ("body:line[].footer",)


def test_what_reads_cookies_breaks_for_all_endpoints_at_once() -> None:
    def broken(endpoint: str, level: Level) -> str:
        judgement = Judgement(Verdict.FAILED, "500", None, "F100", Severity.HIGH)
        answer = Reply(Response(500, body=b"Internal Server Error"))
        trial = Trial(0, endpoint, Kind.MUTANT, "m", judgement, level=level, answer=answer)
        (found,) = Causes().add(trial)
        return found.cause.id

    assert broken("GET /a", Level.COOKIE) == broken("GET /b", Level.COOKIE)
    assert broken("GET /a", Level.BODY) != broken("GET /b", Level.BODY)


def test_the_markup_of_a_page_is_one_cause_and_what_it_says_are_others() -> None:
    markup = [spot("head.script@defer", Change.MISSING), spot("ul.li@class"), spot("nav", Change.MISSING)]
    said = [spot("p:you-have"), spot("form#login.input[user]@value")]
    found = seen(Causes(), *markup, *said)
    assert sorted(len(each.cause.differences) for each in found) == [1, 1, 3]


def test_many_texts_of_one_page_are_one_cause_with_its_markup() -> None:
    said = [spot(f"p:word-{'abcdefgh'[at]}") for at in range(MAX_SAID + 1)]
    (found,) = seen(Causes(), spot("ul.li@class"), *said)
    assert len(found.cause.differences) == MAX_SAID + 2


def test_code_in_a_page_is_markup() -> None:
    (found,) = seen(Causes(), spot("head.style:body"), spot("script:var-a"), spot("ul.li@class"))
    assert len(found.cause.differences) == 3


def test_what_is_told_of_joined_causes_is_of_the_place_that_stands_first() -> None:
    for differences in (
        (spot("a@x", Change.MISSING), spot("b@y")),
        (spot("b@y"), spot("a@x", Change.MISSING)),
    ):
        (found,) = seen(Causes(), *differences)
        assert found.cause.what == ("missing" if differences[0].change is Change.MISSING else "value")
        assert found.cause.where[0] == differences[0].where


def test_a_value_of_a_page_is_told_beside_the_order_of_what_holds_it() -> None:
    order = Difference("body:page.ul", Change.ORDER, ["li a", "li b"], ["li b", "li a"])
    found = seen(Causes(), order, spot("ul.li:price"))
    assert [place for each in found for place in each.cause.where] == [
        "body:page.ul",
        "body:page.ul.li:price",
    ]
