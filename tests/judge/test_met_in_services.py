"""What services in use were seen to answer, distilled: what says nothing of a release, and what does."""

import pytest

from comparators import compare
from shadow.judge.noise import Noise, NoiseSettings, Witness
from shadow.judge.regression import Witnesses, regressions
from shadow.judge.renamed import without_renamed
from shadow.judge.roots import roots
from shadow.model import Difference, Headers, Reply, Response

OWN = ("127.0.0.1:8000", "127.0.0.1:9001", "127.0.0.1:9002")
IDS = {("fAyleVO", "x9Kd2La"), ("jjeJnJl", "kEerHEQ")}


def page(text: str, kind: str = "text/html; charset=utf-8", *more: tuple[bytes, bytes]) -> Response:
    headers: Headers = ((b"Content-Type", kind.encode()), *more)
    return Response(200, headers=headers, body=text.encode())


def json(text: str, *more: tuple[bytes, bytes]) -> Response:
    return page(text, "application/json", *more)


def cookie(name: str, value: str) -> Response:
    return page("ok", "text/plain", (b"Set-Cookie", f"{name}={value}; Path=/".encode()))


def told(live: Response, candidate: Response, baseline: Response | None = None) -> list[str]:
    """Places of the candidate's own differences, and how they changed."""
    noise = Noise(NoiseSettings(own=OWN))
    if baseline is not None:
        noise.observe("GET /x", compare(live, baseline), Witness.LIVE_RELEASE)

    def forgives(difference: Difference, *, window_seconds: float | None = None) -> bool:
        return noise.forgives("GET /x", difference, window_seconds=window_seconds)

    def same(left: object, right: object, key: str) -> bool:
        return left == right or (key.lower().endswith("id") and (left, right) in IDS)

    def comparing(control: Response, other: Response) -> tuple[Difference, ...]:
        return without_renamed(compare(control, other), OWN)

    given = Witnesses(live, Reply(candidate), None if baseline is None else Reply(baseline))
    found = regressions(given, compare=comparing, forgives=forgives, same=same)
    return [f"{each.where} {each.change}" for each in found]


@pytest.mark.parametrize(
    ("live", "candidate"),
    [
        pytest.param(
            page("<h1>Order 7</h1>\n<p>2 of pear on Nov. 22, 2026, 2:38 p.m.</p>"),
            page("<h1>Order 7</h1>\n<p>2 of pear on Dec. 1, 2026, 3 p.m.</p>"),
            id="a date as pages write it",
        ),
        pytest.param(
            json('{"list": [{"node": {"id": "b1", "n": "A"}}, {"node": {"id": "9f31", "n": "new"}}]}'),
            json('{"list": [{"node": {"id": "b1", "n": "A"}}, {"node": {"id": "9f32", "n": "new"}}]}'),
            id="listed objects one level down that only ids of the target's own tell apart",
        ),
        pytest.param(
            json('{"key": "KwYUv8ftOxWKfUKKnlYf+QNB"}'),
            json('{"key": "Hg6QVHDNGnX/fqFaKtw31y8B"}'),
            id="tokens of base64 in which few digits stand",
        ),
        pytest.param(
            page("<p>It is 22 November 2026, 20:40:10, says server 3.</p>"),
            page("<p>It is 23 November 2026, 07:01:59, says server 3.</p>"),
            id="a date amid words",
        ),
        pytest.param(
            page('<script nonce="0b1d6c3f9a2e4d58b7c6a5f4e3d2c1b0">var a;</script>'),
            page('<script nonce="f0e1d2c3b4a5968778695a4b3c2d1e0f">var a;</script>'),
            id="nonce",
        ),
        pytest.param(
            page('<input type="hidden" name="csrftoken" value="IlFWbUl5YnVn.fAx1b-cQd9fGh2JkLm3"><p>x</p>'),
            page('<input type="hidden" name="csrftoken" value="IlAyMjdJd1o1.o99AbC4dEf5GhI6jKlm"><p>x</p>'),
            id="signed form token",
        ),
        pytest.param(
            page("ok", "text/plain", (b"Set-Cookie", b"sid=3f2a9c81d4e6470b8a1c; Path=/; HttpOnly")),
            page("ok", "text/plain", (b"Set-Cookie", b"sid=9b7e1d05c2f84a36b0d7; Path=/; HttpOnly")),
            id="session cookie",
        ),
        pytest.param(
            json('{"headers": {"Host": "127.0.0.1:8000"}}'),
            json('{"headers": {"Host": "127.0.0.1:9001", "Shadow-Run": "ab12", "Shadow-Trial": "7"}}'),
            id="echo of what is sent",
        ),
        pytest.param(
            page("host: 127.0.0.1:8000\n", "text/plain"),
            page("host: 127.0.0.1:9001\nshadow-run: ab12\n", "text/plain"),
            id="echo in text",
        ),
        pytest.param(
            json('{"id": "jjeJnJl"}', (b"Location", b"http://127.0.0.1:8000/posts/jjeJnJl")),
            json('{"id": "kEerHEQ"}', (b"Location", b"http://127.0.0.1:9001/posts/kEerHEQ")),
            id="short ids and the address of what was made",
        ),
        pytest.param(
            json('[{"id": "1", "title": "a"}, {"id": "fAyleVO", "title": "b"}]'),
            json('[{"id": "1", "title": "a"}, {"id": "x9Kd2La", "title": "b"}]'),
            id="a listed thing with an id of the target's own",
        ),
        pytest.param(
            json('{"pid": 4711, "threads": [{"ident": 140231, "name": "main"}]}'),
            json('{"pid": 815, "threads": [{"ident": 139877, "name": "main"}]}'),
            id="process and thread numbers",
        ),
        pytest.param(
            page("<ul>\n    <li>a</li>\n\n    <li>b</li>\n</ul>"),
            page("<ul>\n  <li>a</li>\n  <li>b</li>\n</ul>"),
            id="layout of a page",
        ),
        pytest.param(
            page("a,1\nb,2\n", "text/csv", (b"Content-Length", b"8"), (b"Date", b"x")),
            page("a,1\nb,2\n", "text/csv", (b"Transfer-Encoding", b"chunked"), (b"Date", b"y")),
            id="framing",
        ),
        pytest.param(
            cookie("username-127-0-0-1-8000", "2|a"),
            cookie("username-127-0-0-1-9001", "2|b"),
            id="a cookie named after the port",
        ),
        pytest.param(
            page('<a href="/login?next=http%3A%2F%2F127.0.0.1%3A8000%2Fadmin%2F">on</a>'),
            page('<a href="/login?next=http%3A%2F%2F127.0.0.1%3A9001%2Fadmin%2F">on</a>'),
            id="own address within an address",
        ),
        pytest.param(
            page("a", "text/csv", (b"Content-Disposition", b"attachment;filename=T_2026-11-23_07-25-43.csv")),
            page("a", "text/csv", (b"Content-Disposition", b"attachment;filename=T_2026-11-23_07-38-08.csv")),
            id="a file named after the time",
        ),
        pytest.param(
            json(
                '{"Table": {"CreationDateTime": 1795418774.115313}, "CreatedTimestamp": "1795418775.191492"}'
            ),
            json(
                '{"Table": {"CreationDateTime": 1795419850.884356}, "CreatedTimestamp": "1795419851.334244"}'
            ),
            id="seconds under a name of a time",
        ),
        pytest.param(
            json('{"at": "2026-11-23T07:25:43Z"}', (b"x-amz-crc32", b"557445683")),
            json('{"at": "2026-11-23T07:29:01Z"}', (b"x-amz-crc32", b"3104896524")),
            id="a checksum of the body",
        ),
        pytest.param(
            page('<R xmlns="urn:x"><Roles><Role><Id>AROA1B2C3D4E5F6G7H8I</Id></Role></Roles></R>'),
            page('<R xmlns="urn:x"><Roles><Role><Id>AROA9Z8Y7X6W5V4U3T2S</Id></Role></Roles></R>'),
            id="XML that is called a page",
        ),
        pytest.param(
            page("<GetRoleResponse><Role><RoleId>AROA1B2C3D4E5F6G7H8I</RoleId></Role></GetRoleResponse>"),
            page("<GetRoleResponse><Role><RoleId>AROA9Z8Y7X6W5V4U3T2S</RoleId></Role></GetRoleResponse>"),
            id="XML without a namespace that is called a page",
        ),
    ],
)
def test_what_differs_between_two_runs_of_one_release_is_no_regression(
    live: Response, candidate: Response
) -> None:
    assert told(live, candidate) == []


@pytest.mark.parametrize(
    ("live", "candidate", "expected"),
    [
        pytest.param(
            cookie("username-127-0-0-1-8000", "2|a"),
            page("ok", "text/plain"),
            ["header:set-cookie missing"],
            id="a cookie named after the port that is gone",
        ),
        pytest.param(
            page("ok", "text/plain", (b"Set-Cookie", b"sid-8000=a"), (b"Set-Cookie", b"b=1")),
            page("ok", "text/plain", (b"Set-Cookie", b"b=1")),
            ["header:set-cookie[sid-8000] missing"],
            id="one of two cookies, named after the port, that is gone",
        ),
        pytest.param(
            page("<title>Shop 1.4</title>\n<p>x</p>"),
            page("<title>Shop 1.5</title>\n<p>x</p>"),
            ["body:page.head.title:shop value"],
            id="version in a page",
        ),
        pytest.param(
            page("generated 2026-11-22 20:38:17 by worker 4 in Rome", "text/plain"),
            page("generated 2026-11-22 20:38:25 by worker 4 in Bonn", "text/plain"),
            ["body:line[0].worker-in value"],
            id="a word beside a time",
        ),
        pytest.param(
            page("<p>due 3 May 2026</p>"),
            page("<p>due 2026-05-03</p>"),
            ["body:page.p:due value"],
            id="a date in another form",
        ),
        pytest.param(
            page("<pre>\n  a\n</pre>"),
            page("<pre>\na\n</pre>"),
            ["body:page.pre value"],
            id="layout that shows",
        ),
        pytest.param(
            json('[{"id": "1", "title": "a"}, {"id": "fAyleVO", "title": "b"}]'),
            json('[{"id": "1", "title": "a"}, {"id": "x9Kd2La", "title": "c"}]'),
            ["body:$[1].title value"],
            id="another thing in a list",
        ),
        pytest.param(
            json('{"id": "premium"}'),
            json('{"id": "regular"}'),
            ["body:$.id value"],
            id="ids that people chose",
        ),
        pytest.param(
            json("{}", (b"Location", b"http://127.0.0.1:8000/posts/jjeJnJl")),
            json("{}", (b"Location", b"http://127.0.0.1:9001/post/kEerHEQ")),
            ["header:location value"],
            id="another address",
        ),
        pytest.param(
            json("{}", (b"Vary", b"Accept")),
            json("{}", (b"Vary", b"Accept, Authorization")),
            ["header:vary[authorization] added"],
            id="vary",
        ),
        pytest.param(
            page("<p>You have 2 messages</p>"),
            page("<p>You have 3 messages</p>"),
            ["body:page.p:you-have value"],
            id="a count in a page",
        ),
    ],
)
def test_what_a_release_changed_is_told(live: Response, candidate: Response, expected: list[str]) -> None:
    assert told(live, candidate) == expected
    assert told(live, candidate, baseline=live) == expected


def test_a_written_date_must_be_near_where_there_is_a_baseline() -> None:
    def due(day: int) -> Response:
        return page(f"<p>due on May {day}, 2026 at noon</p>")

    assert told(due(3), due(4), baseline=due(3)) == ["body:page.p:due-on value"]
    assert told(due(3), due(4)) == []


def test_only_the_stretch_that_drifts_is_forgiven() -> None:
    def served(worker: int, total: int) -> Response:
        return page(f"served by worker {worker}, total {total}\n", "text/plain")

    assert told(served(1, 10), served(2, 10), baseline=served(3, 10)) == []
    assert told(served(1, 10), served(2, 11), baseline=served(3, 10)) == ["body:line[0].worker-total value"]


def test_an_answer_that_the_live_release_always_cut_and_the_candidate_completes_is_told() -> None:
    whole = page("x" * 50, "application/octet-stream")
    cut = Response(200, headers=whole.headers, body=b"", is_complete=False)
    assert told(cut, whole, baseline=cut) == ["body:end added"]
    assert told(whole, cut, baseline=whole) == ["body:end missing"]


def test_an_answer_that_only_the_capture_cut_is_not() -> None:
    whole = page("x" * 50, "application/octet-stream")
    cut = Response(200, headers=whole.headers, body=b"xx", is_complete=False)
    assert told(cut, whole) == []
    assert told(cut, whole, baseline=whole) == []


def keys(live: Response, candidate: Response) -> list[tuple[str, ...]]:
    """Roots of the differences of two answers."""
    return [each.key for each in roots(compare(live, candidate))]


@pytest.mark.parametrize(
    ("live", "candidate", "expected"),
    [
        pytest.param(
            Response(302, headers=((b"Location", b"/home"),), body=b"Found. Redirecting to /home"),
            Response(302, headers=((b"Location", b"/start"),), body=b"Found. Redirecting to /start"),
            [("header:location", "value")],
            id="a page of a redirect that says where it leads",
        ),
        pytest.param(
            page("a", "text/html; charset=utf-8"),
            page("a", "text/plain"),
            [("header:content-type", "value")],
            id="parameters of another media type",
        ),
        pytest.param(
            page("<r><a>1</a><b>2</b><q><c>1</c><d>2</d></q></r>", "text/xml"),
            page("<r><b>2</b><a>1</a><q><d>2</d><c>1</c></q></r>", "text/xml"),
            [("sequence",)],
            id="elements in another order throughout",
        ),
        pytest.param(
            page("<pre>Error: no<br>  at a.b (/x/lib/a.js:1:2)<br>  at /x/lib/c.js:3:4<br></pre>"),
            page(
                "<pre>Error: no<br>  at a.c (/x/a.js:7:2)<br>  at /x/c.js:9:4<br>  at d (/d.js:1:1)<br></pre>"
            ),
            [("stack trace",)],
            id="lines of a stack trace",
        ),
        pytest.param(
            json('{"b": {"c": "2"}, "d": ["3", "4"], "e": 1}'),
            json('{"b[c]": "2", "d[]": ["3", "4"], "f": 1}'),
            [
                ("body:b", "renamed", 'body:$["b[c]"]'),
                ("body:d", "renamed", 'body:$["d[]"]'),
                ("body:e", "missing"),
                ("body:f", "added"),
            ],
            id="members under other names, by what they hold",
        ),
        pytest.param(
            json('{"error_code": 1, "total": 7}'),
            json('{"errorCode": 2, "size": 8}'),
            [
                ("body:error_code", "renamed", "body:errorCode"),
                ("body:total", "missing"),
                ("body:size", "added"),
            ],
            id="members under other names, by how these are spelt",
        ),
    ],
)
def test_what_follows_from_one_change_is_told_with_it(
    live: Response, candidate: Response, expected: list[tuple[str, ...]]
) -> None:
    assert keys(live, candidate) == expected
