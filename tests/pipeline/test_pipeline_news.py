"""What of an answer is new, and what that pays."""

import pytest

from shadow.model import NoReply, Outcome, Silence
from shadow.pipeline.news import News
from tests.pipeline.conftest import reply

OK, GONE, CLASH = reply(200), reply(404), reply(409)


@pytest.mark.parametrize(
    ("before", "mutator", "answer", "fault", "amount"),
    [
        ([], "m", GONE, "", 1.0),
        ([("", GONE, "")], "m", GONE, "", 0.6),
        ([("", GONE, ""), ("", CLASH, ""), ("m", GONE, "")], "m", CLASH, "", 0.2),
        ([("m", GONE, "")], "m", GONE, "", None),
        ([("m", GONE, "")], "m", GONE, "F205", 0.4),
        ([("m", GONE, "F205")], "m", GONE, "F205", None),
        ([("m", GONE, "F205")], "m", GONE, "F201", 0.4),
        ([("m", GONE, "")], "m", CLASH, "F205", 1.0),
        ([], "", OK, "", 0.0),
        ([("", OK, "")], "", OK, "", None),
        ([], "m", NoReply(Silence.REFUSED), "", None),
        ([], "m", NoReply(Silence.TIMED_OUT), "", 1.0),
    ],
    ids=[
        "new shape",
        "new class to it",
        "new shape to it",
        "nothing new",
        "new fault",
        "same fault",
        "another fault",
        "shape before fault",
        "original",
        "original again",
        "never sent",
        "hung",
    ],
)
def test_news_pays_by_what_is_new(
    before: list[tuple[str, Outcome, str]], mutator: str, answer: Outcome, fault: str, amount: float | None
) -> None:
    news = News()
    for who, what, why in before:
        news.of("e", who, what, why)
    told = news.of("e", mutator, answer, fault)
    assert (None if told is None else told.amount) == amount
    assert news.of("e", mutator, answer, fault) is None


def test_endpoints_are_apart() -> None:
    news = News()
    for endpoint in "ab":
        told = news.of(endpoint, "m", GONE, "")
        assert told is not None
        assert told.amount == 1.0


def test_news_of_others_is_none_here() -> None:
    here, there = News(), News()
    told = there.of("e", "m", GONE, "F205")
    assert told is not None
    here.take_over(told)
    assert here.of("e", "m", GONE, "F205") is None
    other = here.of("e", "n", GONE, "")
    assert other is not None
    assert other.amount == 0.6


def test_endpoint_that_makes_its_shapes_up_pays_no_more_for_them() -> None:
    news = News()
    amounts = []
    for number in range(400):
        name = "".join(chr(97 + int(digit)) for digit in str(number))
        told = news.of("e", "m", reply(200, b'{"%b":1}' % name.encode()), "")
        amounts.append(told.amount if told else None)
    assert amounts == [1.0] * 256 + [0.0] * 144
