"""Which request a response answers, by order and, after a gap, by sequence numbers."""

import pytest

from shadow.wire.unanswered import Asked, Unanswered, Unmatched, is_after


class Line:
    """Requests at client positions 100, 200, ... asked when the server had said 1000, 2000, ..."""

    def __init__(self, *numbers: int, pipelined: bool = False) -> None:
        self.settled: list[int] = []
        self.waiting = Unanswered(lambda asked: self.settled.append(asked.index))
        for number in numbers:
            self.add(number, 1000 if pipelined else 1000 * number)

    def add(self, number: int, ack: int) -> None:
        asked = Asked(number, 0.0, 100 * number, ack)
        asked.method = b"GET"
        self.waiting.add(asked)

    def match(self, seq: int, ack: int, *, is_behind: bool = False) -> int | Unmatched:
        found = self.waiting.match(seq, ack, is_behind=is_behind)
        if isinstance(found, Asked):
            self.waiting.remove(found)
            return found.index
        return found


def test_without_gaps_the_first_request_is_answered_whatever_the_numbers() -> None:
    line = Line(1, 2)
    assert [line.match(0, 0), line.match(0, 0)] == [1, 2]
    assert line.settled == []


def test_nothing_is_answered_when_nothing_was_asked() -> None:
    assert Line().match(0, 0) is Unmatched.ORPHAN
    assert Line().match(0, 0, is_behind=True) is Unmatched.LATER


def test_after_lost_responses_the_request_that_acknowledged_them_is_answered() -> None:
    line = Line(1, 2, 3)
    line.waiting.lose_responses()
    assert line.match(3000, 350) == 3
    assert line.settled == [1, 2]


def test_after_lost_responses_a_single_request_is_answered() -> None:
    line = Line(1)
    line.waiting.lose_responses()
    assert line.match(1500, 150) == 1


def test_after_a_lost_request_its_answer_is_nobodys() -> None:
    line = Line(1)
    line.waiting.lose_requests()
    line.add(3, 3000)
    assert line.match(1000, 150) == 1
    assert line.match(2000, 300) is Unmatched.ORPHAN
    assert line.match(3000, 350) == 3


@pytest.mark.parametrize("lose", ["responses", "requests"])
def test_pipelined_requests_after_a_gap_stay_without_answer(lose: str) -> None:
    line = Line(1, 2, pipelined=True)
    if lose == "requests":
        line.waiting.lose_requests()
        assert [line.match(1000, 900), line.match(1400, 900)] == [1, 2]
        line.add(3, 1000)
        line.add(4, 1000)
    else:
        line.waiting.lose_responses()
    assert line.match(1900, 900) is Unmatched.AMBIGUOUS
    assert len(line.settled) == 2


def test_answer_whose_request_may_still_be_read_waits() -> None:
    line = Line(1)
    line.waiting.lose_responses()
    assert line.match(2000, 250, is_behind=True) is Unmatched.LATER
    line.add(2, 2000)
    assert line.match(2000, 250) == 2


def test_requests_without_end_do_not_wait_for_ever() -> None:
    line = Line(*range(1, 2001))
    assert line.settled == list(range(1, 977))


@pytest.mark.parametrize(
    ("seq", "other", "after"), [(1, 0, True), (0, 0, False), (0, 1, False), (5, 0xFFFF_FFF0, True)]
)
def test_numbers_are_compared_modulo_their_size(seq: int, other: int, after: bool) -> None:
    assert is_after(seq, other) is after
