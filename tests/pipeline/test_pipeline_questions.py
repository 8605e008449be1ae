"""Whether a service obeys what it is given as text: weak services are told from sound and ordinary ones."""

import html
import json
import re
import sqlite3
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jinja2
import pytest

from mutators import CATALOG, Mutator
from shadow.model import Exchange, NoReply, Outcome, Reply, Request, Response, Silence, Timing
from tests.pipeline.conftest import Answering, Bench, exchange, reply

BY_NAME = {one.name: one for one in CATALOG}
EVERY = tuple(one for one in CATALOG if one.edit.__module__.startswith("mutators.injection"))
ROWS = [
    (1, "web-01", "ann"),
    (2, "web-02", "bob"),
    (3, "db-01", "ann"),
    (4, "cache", "eve"),
    (5, "web", "zoe"),
]
QUICK_SECONDS = 0.01


def rows(sql: str, *values: object) -> list[Any]:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table t (id integer, name text, owner text)")
        connection.executemany("insert into t values (?, ?, ?)", ROWS)
        return list(connection.execute(sql, values))


def value_of(asked: Request, name: str) -> str:
    text = urlsplit(asked.target.decode("latin-1")).query
    if asked.body.startswith(b"{"):
        return str(json.loads(asked.body)[name])
    if asked.body:
        text = asked.body.decode("latin-1")
    return dict(parse_qsl(text, keep_blank_values=True))[name]


def told(found: list[Any], status: int = 200) -> Reply:
    return reply(status, json.dumps(found).encode())


def service(answer: Callable[[Request], Outcome]) -> Answering:
    """A service of one path, which answers 400 to whatever it cannot take."""

    def answering(asked: Request) -> Outcome:
        if asked.target.partition(b"?")[0] not in (b"/v1/things", b"/v1/find"):
            return reply(404, b'{"error":"none"}')
        try:
            return answer(asked)
        except (sqlite3.Error, KeyError, ValueError, TypeError, jinja2.TemplateError, OverflowError):
            return reply(400, b'{"error":"refused"}')

    return answering


def sql(statement: str, name: str = "q") -> Answering:
    return service(lambda asked: told(rows(statement.replace("?", value_of(asked, name)))))


def bound(statement: str, name: str = "q", pattern: str = "{}") -> Answering:
    return service(lambda asked: told(rows(statement, pattern.format(value_of(asked, name)))))


def page(write: Callable[[str], str], kind: bytes = b"text/html") -> Answering:
    def answer(asked: Request) -> Outcome:
        text = write(value_of(asked, "q")).encode("utf-8", "replace")
        return Reply(Response(200, headers=((b"Content-Type", kind),), body=text))

    return service(answer)


def delaying(pattern: str, seconds: Callable[[str], float] = float) -> Answering:
    """A service in which what `pattern` finds in the value is slept."""

    def answer(asked: Request) -> Outcome:
        found = re.search(pattern, value_of(asked, "q"))
        took = QUICK_SECONDS + (seconds(found[1]) if found else 0.0)
        return Reply(reply(200, b'{"ok":true}').response, Timing(total_seconds=took))

    return service(answer)


def operators(asked: Request) -> Outcome:
    wanted = json.loads(asked.body)["q"]
    if not isinstance(wanted, dict):
        return told([row for row in ROWS if row[1] == wanted])
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "$eq": lambda value, given: bool(value == given),
        "$ne": lambda value, given: bool(value != given),
        "$in": lambda value, given: value in given,
        "$nin": lambda value, given: value not in given,
    }
    return told([row for row in ROWS if all(tests[key](row[1], given) for key, given in wanted.items())])


def field_of(asked: Request) -> Outcome:
    lines = ("X-Next: " + value_of(asked, "q")).encode("utf-8", "replace").split(b"\r\n")
    headers = tuple(
        (name, value.strip()) for name, _, value in (line.partition(b":") for line in lines) if name
    )
    return Reply(Response(200, headers=headers))


def file_of(asked: Request) -> Outcome:
    name = value_of(asked, "q")
    is_there = "etc/passwd" in name
    return Reply(
        Response(200 if is_there else 404, body=b"root:x:0:0:root:/root:/bin/sh\n" if is_there else b"")
    )


def caller(asked: Request) -> Outcome:
    url = value_of(asked, "q")
    return reply(
        200, b'{"error":"[Errno 111] Connection refused"}' if "127.0.0.1" in url else b'{"error":"no"}'
    )


GET, NUMBER = "GET /v1/things?q=web", "GET /v1/things?q=3"
POST_JSON = ("POST /v1/find", b'{"q":"web"}', b"application/json")
WEAK = [
    ("sql string", GET, sql("select * from t where name = '?'"), "ask_sql_string", "F200"),
    ("sql pattern", GET, sql("select * from t where name like '%?%'"), "ask_sql_pattern", "F200"),
    ("sql number", NUMBER, sql("select * from t where id = ?"), "ask_sql_number", "F200"),
    ("sql bracket", GET, sql("select * from t where (name = '?') and id > 0"), "ask_sql_closing", "F200"),
    (
        "sql comment",
        GET,
        sql("select * from t where name = '?' and lower('x') = 'x'"),
        "ask_sql_closing",
        "F200",
    ),
    ("sql in json", POST_JSON, sql("select * from t where name = '?'"), "ask_sql_string", "F200"),
    ("sql delay", GET, delaying(r"sleep\((\d)"), "ask_sql_delay", "F200"),
    ("shell delay", GET, delaying(r"sleep (\d)"), "ask_shell_delay", "code-injection"),
    (
        "delay twice",
        GET,
        delaying(r"sleep (\d)", lambda text: 2 * float(text)),
        "ask_shell_delay",
        "code-injection",
    ),
    (
        "template",
        GET,
        page(lambda text: jinja2.Template(text).render(), b"text/plain"),
        "inject_template",
        "code-injection",
    ),
    ("markup", GET, page(lambda text: f"<p>{text}</p>"), "inject_markup", "F201"),
    (
        "attribute",
        GET,
        page(lambda text: f'<input value="{text.replace("<", "&lt;")}">'),
        "inject_markup",
        "F201",
    ),
    ("field", GET, service(field_of), "inject_line_end", "field-injection"),
    ("file", GET, service(file_of), "inject_file_path", "file-disclosure"),
    ("call", GET, service(caller), "inject_address", "F202"),
    ("operator", POST_JSON, service(operators), "ask_operator", "nosql-injection"),
]


def asks(given: object, index: int, answering: Answering) -> Exchange:
    """A recorded exchange that the service itself answered."""
    line, body, kind = given if isinstance(given, tuple) else (given, b"", b"")
    headers = ((b"Content-Type", kind),) if kind else ()
    plain = exchange(line, index, body=body, headers=headers)
    answer = answering(plain.request)
    assert isinstance(answer, Reply)
    return exchange(line, index, body=body, headers=headers, answer=answer)


async def faults(
    given: object,
    answering: Answering,
    *mutators: Mutator,
    baseline: Answering | None = None,
    count: int = 24,
) -> set[str]:
    bench = Bench(answering, baseline, mutators=mutators, mutants=50)
    for index in range(count):
        await bench.conduct(asks(given, index, answering))
    return {each.fault for each in bench.findings.values()}


@pytest.mark.parametrize(
    ("given", "answering", "name", "fault"), [each[1:] for each in WEAK], ids=[each[0] for each in WEAK]
)
async def test_a_weak_service_is_found(given: object, answering: Answering, name: str, fault: str) -> None:
    assert await faults(given, answering, BY_NAME[name]) == {fault}


def words(asked: Request, *, wants_all: bool) -> Outcome:
    """Full text search, which leaves out small words as such search does."""
    small = {"and", "or", "not", "like", "nad"}
    wanted = [each for each in re.findall(r"[a-z0-9]+", value_of(asked, "q").lower()) if each not in small]
    test = all if wants_all else any
    return told([row for row in ROWS if test(each in row[1] for each in wanted)])


def leading_number(asked: Request) -> Outcome:
    found = re.match(r"\d+", value_of(asked, "q"))
    return told(rows("select * from t where id = ?", int(found[0]) if found else -1))


def filtered(asked: Request) -> Outcome:
    """Behind a filter that knows comparisons when it sees them."""
    if re.search(r"<>|!=|=", value_of(asked, "q")):
        return reply(403, b'{"error":"filtered"}')
    return told(rows("select * from t"))


SOUND = [
    ("bound", GET, bound("select * from t where name = ?")),
    ("bound pattern", GET, bound("select * from t where name like ?", pattern="%{}%")),
    (
        "beginning",
        GET,
        service(
            lambda asked: told(rows("select * from t where name like ?", value_of(asked, "q")[:3] + "%"))
        ),
    ),
    ("ignored", GET, service(lambda _: told(rows("select * from t")))),
    ("echoed", GET, service(lambda asked: told([value_of(asked, "q"), *rows("select * from t")]))),
    ("any word", GET, service(lambda asked: words(asked, wants_all=False))),
    ("every word", GET, service(lambda asked: words(asked, wants_all=True))),
    (
        "first word",
        GET,
        service(
            lambda asked: told(
                rows("select * from t where name = ?", re.split(r"\W", value_of(asked, "q"))[0])
            )
        ),
    ),
    ("leading number", NUMBER, service(leading_number)),
    ("filtered", GET, service(filtered)),
    (
        "escaped page",
        GET,
        page(lambda text: f"<title>{html.escape(text)}</title><p title='{html.escape(text)}'>"),
    ),
    ("text in a script", GET, page(lambda text: f"<textarea>{text.replace('</', '')}</textarea>")),
    ("markup as json", GET, service(lambda asked: told([value_of(asked, "q")]))),
    ("markup as text", GET, page(lambda text: f"<p>{text}</p>", b"text/plain")),
    ("json", POST_JSON, bound("select * from t where name = ?")),
    ("unquoted", GET, service(lambda asked: told([unquote(value_of(asked, "q"))]))),
]


@pytest.mark.parametrize(
    ("given", "answering"), [each[1:] for each in SOUND], ids=[each[0] for each in SOUND]
)
async def test_a_sound_or_ordinary_service_is_not_accused(given: object, answering: Answering) -> None:
    assert await faults(given, answering, *EVERY, count=8) == set()


async def test_a_service_that_is_slow_now_and_then_obeys_no_delay() -> None:
    calls = 0

    def slow_now_and_then(asked: Request) -> Outcome:
        nonlocal calls
        calls += 1
        took = 1.2 if calls % 3 == 0 else QUICK_SECONDS
        return Reply(reply(200, b"{}").response, Timing(total_seconds=took))

    found = await faults(GET, slow_now_and_then, BY_NAME["ask_shell_delay"], BY_NAME["ask_sql_delay"])
    assert not found & {"F200", "code-injection"}


async def test_a_service_that_is_slow_for_long_values_obeys_no_delay() -> None:
    def by_length(asked: Request) -> Outcome:
        took = 1.0 if len(value_of(asked, "q")) > 5 else QUICK_SECONDS
        return Reply(reply(200, b"{}").response, Timing(total_seconds=took))

    found = await faults(GET, by_length, BY_NAME["ask_shell_delay"])
    assert not found & {"F200", "code-injection"}


@pytest.mark.parametrize("is_weak_on_both", [False, True])
async def test_a_weakness_of_the_live_release_too_weighs_less(*, is_weak_on_both: bool) -> None:
    weak, sound = sql("select * from t where name = '?'"), bound("select * from t where name = ?")
    bench = Bench(weak, weak if is_weak_on_both else sound, mutators=[BY_NAME["ask_sql_string"]])
    for index in range(8):
        await bench.conduct(asks(GET, index, weak))
    (found,) = bench.findings.values()
    assert (found.fault, found.confirmed) == ("F200", "3/3")
    assert b"GET /v1/things?q=web" in b64decode(found.reproduce["raw_base64"])
    assert ("the live release does the same" in found.why) is is_weak_on_both
    assert found.severity == ("medium" if is_weak_on_both else "high")


async def test_a_question_that_is_not_raised_costs_nothing() -> None:
    bench = Bench(bound("select * from t where name = ?"), mutators=[BY_NAME["ask_sql_string"]])
    for index in range(5):
        await bench.conduct(asks(GET, index, bound("select * from t where name = ?")))
    assert "confirmation" not in {parcel for _, parcel in bench.sent}


async def test_an_ignored_value_is_told_by_one_twin_and_asked_no_more_after_a_while() -> None:
    ignoring = service(lambda _: told(rows("select * from t")))
    bench = Bench(ignoring, mutators=[BY_NAME["ask_sql_string"]])
    for index in range(12):
        await bench.conduct(asks(GET, index, ignoring))
    twins = [parcel for _, parcel in bench.sent if parcel == "confirmation"]
    assert 1 <= len(twins) <= 5


async def test_a_target_that_goes_silent_proves_nothing() -> None:
    weak = sql("select * from t where name = '?'")

    def silent_at_odd_text(asked: Request) -> Outcome:
        if " nad " in value_of(asked, "q") or "!=" in value_of(asked, "q"):
            return NoReply(Silence.RESET)
        return weak(asked)  # type: ignore[return-value]

    found = await faults(GET, silent_at_odd_text, BY_NAME["ask_sql_string"])
    assert "F200" not in found
