"""Where one batch ends and the next begins; nothing is lost or changes its order within a session."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Exchange
from shadow.pipeline.batching import BOUNDARY, Batches, BySession, Counted, Whole
from shadow.pipeline.intake import Intake
from tests.pipeline.conftest import exchange

type Told = list[str]


def items(text: str, apart_seconds: float = 0.0) -> list[Exchange]:
    """One exchange for each letter, of the session called so."""
    return [
        exchange("GET /", at, session=letter, seen_at=at * apart_seconds) for at, letter in enumerate(text)
    ]


def by_session(held_max: int = 100, idle_seconds: float = 5.0) -> BySession:
    return BySession(lambda each: each.session, idle_seconds=idle_seconds, held_max=held_max)


async def cut(batches: Batches, exchanges: Sequence[Exchange]) -> str:
    """The sessions in the order in which they are given on, with ``|`` for each boundary."""
    intake = Intake(1000)
    for each in exchanges:
        assert intake.offer(each)
    await intake.close()
    told: Told = []
    async with asyncio.timeout(5):
        while (item := await batches.take(intake)) is not None:
            told.append("|" if item is BOUNDARY else item.session if isinstance(item, Exchange) else "?")
    return "".join(told)


@pytest.mark.parametrize(
    ("size", "came", "cut_"),
    [(2, "abcde", "ab|cd|e"), (2, "abcd", "ab|cd"), (1, "abc", "a|b|c"), (9, "abc", "abc"), (2, "", "")],
)
async def test_counted_batches(size: int, came: str, cut_: str) -> None:
    assert await cut(Counted(size), items(came)) == cut_


async def test_without_batches_all_comes_as_it_is() -> None:
    assert await cut(Whole(), items("abab")) == "abab"


@pytest.mark.parametrize(
    ("came", "cut_"), [("ababcb", "aa|bbb|c"), ("aaa", "aaa"), ("", ""), ("abcabc", "aa|bb|cc")]
)
async def test_each_session_is_a_batch(came: str, cut_: str) -> None:
    assert await cut(by_session(), items(came)) == cut_


async def test_a_session_that_has_been_quiet_goes_before_the_end() -> None:
    batches, intake = by_session(), Intake(100)
    for each in items("abbb", apart_seconds=3.0):
        intake.offer(each)
    taken = [await batches.take(intake)]
    assert [each.session for each in taken if isinstance(each, Exchange)] == ["a"]
    assert [each.session for each in batches.rest()] == ["b", "b"]


async def test_no_more_is_held_than_allowed() -> None:
    batches, intake = by_session(held_max=3), Intake(100)
    for each in items("abcdefgh"):
        intake.offer(each)
    while await batches.take(intake) is not None and len(intake):
        assert len(batches.rest()) <= 3


async def test_a_session_goes_when_nothing_comes_for_a_while() -> None:
    batches, intake = by_session(idle_seconds=0.01), Intake(100)
    intake.offer(items("a")[0])
    async with asyncio.timeout(5):
        item = await batches.take(intake)
    assert isinstance(item, Exchange)
    assert item.session == "a"


@given(came=st.text("abcd", max_size=30), held_max=st.integers(1, 40), size=st.integers(1, 10))
async def test_all_that_came_is_given_on_in_its_sessions_order(came: str, held_max: int, size: int) -> None:
    for batches in (by_session(held_max), Counted(size)):
        intake = Intake(1000)
        for each in items(came):
            intake.offer(each)
        await intake.close()
        found: list[Exchange] = []
        last = None
        while (item := await batches.take(intake)) is not None:
            assert not (item is BOUNDARY and (last is BOUNDARY or last is None))
            last = item
            if isinstance(item, Exchange):
                found.append(item)
        assert last is not BOUNDARY
        assert sorted(each.index for each in found) == list(range(len(came)))
        for letter in set(came):
            indexes = [each.index for each in found if each.session == letter]
            assert indexes == sorted(indexes)
