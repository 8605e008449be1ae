"""The database of a run: complete, counted, redacted, and off the loop."""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bench.store import QUERIES, fill
from shadow.content.redaction import RedactionSettings, Redactor
from shadow.errors import SinkError
from shadow.model import Expect, Fate, Finding, Found, Judged, Judgement, Kind, Settled, Trial, Verdict
from shadow.sinks.store import Store, StoreSettings


def judged(
    exchange: int = 0, endpoint: str = "GET /x", verdict: Verdict = Verdict.PASSED, **says: Any
) -> Judged:
    return Judged(
        Trial(exchange, endpoint, Kind.MUTANT, says.pop("mutator", "m"), Judgement(verdict), **says)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def open_store(path: Path) -> Callable[..., Store]:
    """Opens a store whose clock ticks a second at each finding."""
    ticks = count(1000)

    def open_it(**settings: Any) -> Store:
        redactor = Redactor(RedactionSettings(), b"k")
        return Store(path, redactor, StoreSettings(**settings), wall_clock=lambda: float(next(ticks)))

    return open_it


@pytest.fixture
def rows(path: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    def query(statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as database:
            return database.execute(statement).fetchall()

    return query


def test_findings_occurrences_and_trials_are_in_the_file(
    open_store: Callable[..., Store],
    rows: Callable[[str], list[tuple[Any, ...]]],
    finding: Callable[..., Finding],
    path: Path,
) -> None:
    store = open_store()
    store.hear(judged(1, "GET /a", Verdict.FAILED, expect=Expect.REJECT))
    store.hear(judged(2, "GET /b", Verdict.FAILED, expect=Expect.REJECT))
    store.hear(Found(finding(endpoint="GET /a", title="accepted token=hunter2")))
    store.hear(Found(finding(endpoint="GET /a", exchanges=(1, 2), count=2), is_new=False))
    for _ in range(500):
        store.hear(judged(3, mutator=None))
    store.hear(Settled("pcap", Fate.REPLAYED))
    store.close()
    assert rows("select id, count, first_at, last_at from findings") == [("f1", 2, 1000.0, 1001.0)]
    assert rows("select finding, exchange, endpoint from occurrences order by exchange") == [
        ("f1", 1, "GET /a"),
        ("f1", 2, "GET /b"),
    ]
    assert rows("select * from trials order by count desc, endpoint") == [
        ("GET /x", "", "", "passed", 500),
        ("GET /a", "m", "reject", "failed", 1),
        ("GET /b", "m", "reject", "failed", 1),
    ]
    ((line,),) = rows("select json from findings")
    assert json.loads(line)["exchanges"] == [1, 2]
    assert b"hunter2" not in path.read_bytes()
    assert not path.with_name("store.db-wal").exists()


def test_counts_add_up_over_many_writes(
    open_store: Callable[..., Store],
    rows: Callable[[str], list[tuple[Any, ...]]],
    finding: Callable[..., Finding],
) -> None:
    store = open_store(flush_seconds=0.001)
    for at in range(2000):
        store.hear(judged(at))
        store.hear(Found(finding(exchanges=tuple(range(at % 50)), count=at + 1)))
    store.close()
    assert rows("select count from trials") == [(2000,)]
    assert rows("select count from findings") == [(2000,)]
    assert rows("select count(*) from occurrences") == [(49,)]


def test_what_finds_no_room_is_counted(
    open_store: Callable[..., Store],
    rows: Callable[[str], list[tuple[Any, ...]]],
    finding: Callable[..., Finding],
) -> None:
    store = open_store(max_pending=2, flush_seconds=3600.0, max_occurrences=3)
    for at in range(5):
        store.hear(judged(at, f"GET /{at}"))
        store.hear(Found(finding(id=f"f{at}", exchanges=tuple(range(10)))))
    store.close()
    assert store.lost == 6
    assert rows("select count(*) from trials") == [(2,)]
    assert rows("select finding, count(*) from occurrences group by finding") == [("f0", 3), ("f1", 3)]


def test_a_busy_database_loses_nothing_and_is_said_once(
    open_store: Callable[..., Store],
    rows: Callable[[str], list[tuple[Any, ...]]],
    finding: Callable[..., Finding],
    path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = open_store(flush_seconds=0.001, busy_seconds=0.001)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        store.hear(judged())
        store.hear(Found(finding()))
        while store.trouble is None:
            store.hear(judged())
        other.execute("rollback")
    store.hear(judged(verdict=Verdict.FAILED))
    store.hear(Found(finding(count=9)))
    store.close()
    assert store.lost == 0
    assert rows("select sum(count) > 1 from trials") == [(1,)]
    assert rows("select count, first_at from findings") == [(9, 1000.0)]
    assert [record.message for record in caplog.records] == [store.trouble]
    assert "database is locked" in str(store.trouble)


def test_hostile_text_is_stored(
    open_store: Callable[..., Store],
    rows: Callable[[str], list[tuple[Any, ...]]],
    finding: Callable[..., Finding],
) -> None:
    store = open_store()
    store.hear(judged(endpoint="GET /\ud800'; drop table findings; --\x00"))
    store.hear(Found(finding(title="\ud800\x00", mutator="\udfff", control={"a": "\ud800"})))
    store.close()
    assert rows("select endpoint from trials") == [("GET /\\ud800'; drop table findings; --\x00",)]
    assert rows("select title, mutator from findings") == [("\\ud800\x00", "\\udfff")]


def test_quick_queries_use_an_index(
    open_store: Callable[..., Store], rows: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    open_store().close()
    for query in (
        "select * from findings where severity = 'high' order by count desc",
        "select * from findings where endpoint = 'x'",
        "select * from occurrences where finding = 'x'",
        "select * from occurrences where exchange = 1",
        "select * from trials where mutator = 'm' and verdict = 'failed'",
    ):
        plan = " ".join(str(row) for row in rows(f"explain query plan {query}"))
        assert "SEARCH" in plan
        assert "TEMP B-TREE" not in plan


def test_a_store_that_cannot_be_made_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot make '.*store.db': unable to open .*choose another --out"):
        Store(tmp_path / "no" / "store.db", Redactor(RedactionSettings(), b"k"), StoreSettings())


def test_bug_in_writing_loses_what_it_met_and_counts_it_and_the_store_goes_on(
    path: Path,
    open_store: Callable[..., Store],
    finding: Callable[..., Finding],
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = open_store(flush_seconds=0.001)
    store.hear(Found(finding(exchanges=None)))
    while not store.broken:
        time.sleep(0.001)
    store.hear(judged())
    store.close()
    assert (store.lost, store.broken) == (1, 1)
    assert "the sink 'store' broke (TypeError at store.py:" in caplog.text
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("select count from trials").fetchall() == [(1,)]


def test_counts_by_endpoint_and_minute_add_up(
    open_store: Callable[..., Store],
    rows: Callable[[str], list[tuple[Any, ...]]],
    finding: Callable[..., Finding],
) -> None:
    store = open_store(max_occurrences=3)
    for last in (2, 5):
        for at in range(last):
            store.hear(judged(at, f"GET /{at % 2}", Verdict.FAILED))
        store.hear(Found(finding(exchanges=tuple(range(last)), count=last * 10)))
        store.hear(Found(finding(id="f2", count=1, known={"reason": "wanted"})))
        store.flush()
    store.close()
    assert rows("select endpoint, finding, count from endpoints where finding = 'f1'") == [
        ("GET /0", "f1", 2),
        ("GET /1", "f1", 1),
    ]
    assert rows("select finding, sum(count) from minutes group by finding") == [
        ("", 50),
        ("f1", 50),
        ("f2", 1),
    ]
    assert rows("select id, known from findings order by id") == [("f1", None), ("f2", "wanted")]


def test_what_a_page_asks_walks_no_table_of_occurrences(tmp_path: Path) -> None:
    fill(tmp_path / "store.db", 2000)
    with closing(sqlite3.connect(tmp_path / "store.db")) as database:
        for name, (query, values) in QUERIES.items():
            plan = [str(row[-1]) for row in database.execute(f"explain query plan {query}", values)]
            assert not [each for each in plan if each == "SCAN occurrences"], name
            assert not [each for each in plan if "TEMP B-TREE" in each and "occurrences" in query], name
