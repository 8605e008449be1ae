"""Queries and answers, matched by way, id and question."""

import pytest

from shadow.wire.dns import _MAX_ALIKE, _MAX_EARLY, _MAX_WAITING, Asker, Queries, Seen
from tests.wire.listening import Heard, messages
from tests.wire.test_wire_dns_message import message, parsed, question, record

ASKER = Asker("pcap", "10.0.0.1:4000", "10.0.0.2:53")
A = question("a.example")
B = question("b.example")
WAY = ("ends", 7)


def seen(
    text: bytes, time: float, *, way: tuple[object, ...] = WAY, is_cut: bool = False, tags: bytes = b""
) -> Seen:
    return Seen(parsed(text), text, time, [way], tags, is_cut)


def query(at: float, asked: bytes = A, **options: object) -> Seen:
    return seen(message(7, 0x0100, (asked,)), at, **options)  # type: ignore[arg-type]  # as it takes them


def answer(at: float, asked: bytes | None = A, mark: int = 1, **options: object) -> Seen:
    data = (record(b"\xc0\x0c", 1, bytes([mark] * 4)),)
    return seen(message(7, 0x8180, (asked,) if asked else (), data), at, **options)  # type: ignore[arg-type]  # as it takes them


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def queries(heard: Heard) -> Queries:
    return Queries(heard)


def test_query_and_answer_are_one_exchange(queries: Queries, heard: Heard) -> None:
    asked, answered = query(10.0), answer(10.25)
    queries.ask(ASKER, asked)
    queries.answer(answered)
    (found,) = heard.exchanges
    assert (found.protocol, found.session, found.live) == ("dns", "10.0.0.1:4000", "10.0.0.2:53")
    assert (found.seen_at, found.latency_seconds, found.index) == (10.0, 0.25, 0)
    assert messages(found) == [("client", asked.text), ("server", answered.text)]
    assert (found.request.method, found.response, found.is_complete) == (b"", None, True)
    assert heard.kept_bytes == 0


def test_letter_case_of_the_answer_does_not_matter(queries: Queries, heard: Heard) -> None:
    queries.ask(ASKER, query(1.0, question("a.EXample")))
    queries.answer(answer(2.0, question("A.exAMPLE")))
    assert len(heard.exchanges[0].messages) == 2


@pytest.mark.parametrize(
    "other",
    [answer(2.0, B), answer(2.0, question("a.example", 28)), answer(2.0, way=("ends", 8))],
    ids=["name", "type", "way"],
)
def test_answer_to_something_else_answers_nothing(queries: Queries, heard: Heard, other: Seen) -> None:
    queries.ask(ASKER, query(1.0))
    queries.answer(other)
    queries.finish()
    assert heard.unparsed_why == ["a DNS answer without its query"]
    assert [len(each.messages) for each in heard.exchanges] == [1]


@pytest.mark.parametrize("order", [(A, B), (B, A)], ids=["in order", "crossed"])
def test_of_two_queries_with_one_id_the_question_tells(
    queries: Queries, heard: Heard, order: tuple[bytes, bytes]
) -> None:
    queries.ask(ASKER, query(1.0, A))
    queries.ask(ASKER, query(1.1, B))
    for at, asked in enumerate(order):
        queries.answer(answer(2.0 + at, asked))
    assert len(heard.exchanges) == 2
    for each in heard.exchanges:
        assert len({parsed(one.body).questions for one in each.messages}) == 1


def test_of_equal_queries_the_first_is_answered_first(queries: Queries, heard: Heard) -> None:
    queries.ask(ASKER, query(1.0))
    queries.ask(ASKER, query(2.0))
    queries.answer(answer(3.0, mark=1))
    queries.answer(answer(4.0, mark=2))
    assert [(each.seen_at, each.latency_seconds) for each in heard.exchanges] == [(1.0, 2.0), (2.0, 2.0)]
    assert [each.messages[1].body[-1] for each in heard.exchanges] == [1, 2]


def test_second_answer_to_one_query_is_unparsed(queries: Queries, heard: Heard) -> None:
    queries.ask(ASKER, query(1.0))
    queries.answer(answer(1.1))
    queries.answer(answer(1.2))
    queries.finish()
    assert len(heard.exchanges) == 1
    assert heard.unparsed_why == ["a DNS answer without its query"]


def test_answer_without_a_question_answers_the_first_query(queries: Queries, heard: Heard) -> None:
    queries.ask(ASKER, query(1.0))
    queries.answer(answer(1.1, None))
    assert len(heard.exchanges[0].messages) == 2


def test_query_waits_thirty_seconds_of_captured_time(queries: Queries, heard: Heard) -> None:
    queries.ask(ASKER, query(1.0))
    queries.expire(31.0)
    assert not heard.exchanges
    queries.expire(31.1)
    assert [(len(each.messages), each.latency_seconds) for each in heard.exchanges] == [(1, None)]


def test_answer_that_was_captured_before_its_query_is_its_answer(queries: Queries, heard: Heard) -> None:
    queries.answer(answer(1.5))
    queries.ask(ASKER, query(1.4))
    assert [len(each.messages) for each in heard.exchanges] == [2]
    assert heard.exchanges[0].latency_seconds == pytest.approx(0.1)
    queries.finish()
    assert not heard.unparsed_why
    assert heard.kept_bytes == 0


def test_answer_that_is_older_than_a_query_is_not_its_answer(queries: Queries, heard: Heard) -> None:
    queries.answer(answer(1.5))
    queries.ask(ASKER, query(1.6))
    queries.finish()
    assert [len(each.messages) for each in heard.exchanges] == [1]
    assert len(heard.unparsed_why) == 1


def test_answer_that_travelled_under_the_same_tags_is_preferred(queries: Queries, heard: Heard) -> None:
    queries.ask(ASKER, query(1.0, tags=b"v1"))
    queries.ask(ASKER, query(2.0, tags=b"v2"))
    queries.answer(answer(3.0, tags=b"v2"))
    queries.answer(answer(4.0, tags=b"v3"))
    assert [each.seen_at for each in heard.exchanges] == [2.0, 1.0]


def test_query_that_the_capture_cut_is_unparsed_and_takes_its_answer_along(
    queries: Queries, heard: Heard
) -> None:
    queries.ask(ASKER, query(1.0, is_cut=True))
    queries.answer(answer(1.1))
    assert heard.unparsed_why == ["a DNS query longer than what was captured of it"]
    assert not heard.exchanges
    assert not heard.begun


def test_answer_that_the_capture_cut_is_missing_from_its_exchange(queries: Queries, heard: Heard) -> None:
    queries.ask(ASKER, query(1.0))
    queries.answer(answer(1.5, is_cut=True))
    (found,) = heard.exchanges
    assert (len(found.messages), found.is_complete, found.latency_seconds) == (1, False, 0.5)


def test_zone_transfer_has_as_many_answers_as_it_takes(queries: Queries, heard: Heard) -> None:
    zone = question("example", 252)
    queries.ask(ASKER, query(1.0, zone))
    for at in range(5):
        queries.answer(answer(1.0 + 20 * at, zone))
        queries.expire(1.0 + 20 * at)
    assert not heard.exchanges
    queries.expire(120.0)
    (found,) = heard.exchanges
    assert (len(found.messages), found.is_complete) == (6, True)
    assert heard.kept_bytes == 0


def test_number_of_waiting_queries_is_bounded(queries: Queries, heard: Heard) -> None:
    for number in range(_MAX_WAITING + 3):
        queries.ask(ASKER, query(1.0, way=("ends", number)))
    assert len(heard.exchanges) == 3
    queries.finish()
    assert len(heard.exchanges) == _MAX_WAITING + 3


def test_number_of_queries_that_look_alike_is_bounded(queries: Queries, heard: Heard) -> None:
    for _ in range(_MAX_ALIKE + 2):
        queries.ask(ASKER, query(1.0))
    assert len(heard.exchanges) == 2


def test_number_of_early_answers_is_bounded(queries: Queries, heard: Heard) -> None:
    for number in range(_MAX_EARLY + 2):
        queries.answer(answer(1.0, way=("ends", number)))
    assert len(heard.unparsed_why) == 2
    queries.expire(2.5)
    assert len(heard.unparsed_why) == _MAX_EARLY + 2
    assert heard.kept_bytes == 0


def test_where_too_much_is_kept_the_oldest_queries_are_told() -> None:
    heard = Heard(room_bytes=100)
    queries = Queries(heard)
    for at in range(10):
        queries.ask(ASKER, query(float(at)))
    assert len(heard.exchanges) == 10 - 100 // len(query(0.0).text)
