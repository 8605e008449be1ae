"""What the user says of correlation: rules, pinned values, what is never exchanged, and what is refused."""

import json
from typing import Any

import pytest

from shadow.errors import ConfigError
from shadow.model import Headers, Request, Response, field
from shadow.replay._contract import Target
from shadow.replay.correlation import Correlation
from shadow.replay.rules import CorrelationTable, Rules, RuleSettings, ValueSettings

TARGET = Target("candidate", "http", "127.0.0.1", 9000)


def correlation(*rules: RuleSettings, **table: Any) -> Correlation:
    return Correlation(TARGET, rules=Rules(CorrelationTable(rules, **table)))


def answer(body: str = "", *headers: tuple[bytes, bytes]) -> Response:
    return Response(200, headers=headers, body=body.encode())


def learn(made: Correlation, live: Response, shadow: Response, line: str = "POST /login") -> None:
    method, target = line.encode().split()
    made.learn(live, shadow, "s", request=Request(method, target))


@pytest.mark.parametrize(
    ("take", "live", "shadow"),
    [
        ("body:$.data.ref", answer('{"data":{"ref":"aa"}}'), answer('{"data":{"ref":"bb"}}')),
        ("body:$.items[0].ref", answer('{"items":[{"ref":"aa"}]}'), answer('{"items":[{"ref":"bb"}]}')),
        ("body:$.items[].ref", answer('{"items":[{"ref":"aa"}]}'), answer('{"items":[{"ref":"bb"}]}')),
        ('body:$["a.b"]', answer('{"a.b":"aa"}'), answer('{"a.b":"bb"}')),
        ("header:X-Ticket", answer("", (b"x-ticket", b"aa")), answer("", (b"X-Ticket", b"bb"))),
        (
            "cookie:sid",
            answer("", (b"Set-Cookie", b"sid=aa; Path=/")),
            answer("", (b"set-cookie", b"sid=bb")),
        ),
        (
            "html:input[name=csrf]",
            answer('<form><input value="aa" name="csrf"></form>'),
            answer("<p></p><input name='csrf' value='bb'>"),
        ),
        ("html:meta[name=t]", answer('<meta name="t" content="aa">'), answer('<meta name="t" content="bb">')),
        ("html:b[id=x]", answer('<b id="x"> aa </b>'), answer('<b id="x">bb</b>')),
        (r"regex:var t = '(\w+)'", answer("var t = 'aa';"), answer("var t = 'bb';")),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_value_is_taken_from_where_the_rule_says(take: str, live: Response, shadow: Response) -> None:
    made = correlation(RuleSettings(take, ("header:x-put",)))
    learn(made, live, shadow)
    request = Request(b"GET", b"/x", headers=((b"X-Put", b"aa"), (b"X-Other", b"aa")))
    assert made.translate(request, "s").headers == ((b"X-Put", b"bb"), (b"X-Other", b"aa"))
    assert made.same("aa", "bb", "whatever")


@pytest.mark.parametrize(
    ("put", "request_", "expected"),
    [
        ("path:2", Request(b"GET", b"/x/aa?a=aa"), b"/x/bb?a=aa"),
        ("query:ref", Request(b"GET", b"/aa?a=aa&ref=aa"), b"/aa?a=aa&ref=bb"),
    ],
)
def test_a_value_is_put_into_targets_where_the_rule_says(
    put: str, request_: Request, expected: bytes
) -> None:
    made = correlation(RuleSettings("body:$.r", (put,)))
    learn(made, answer('{"r":"aa"}'), answer('{"r":"bb"}'))
    assert made.translate(request_, "s").target == expected


@pytest.mark.parametrize(
    ("live", "shadow", "before", "after"),
    [
        ('"aa"', '"bb"', '{"a": "aa", "ref" : "aa"}', '{"a": "aa", "ref" : "bb"}'),
        ("7", "12", '{"a":7,"ref":7}', '{"a":7,"ref":12}'),
        ("7", '"x1"', '{"ref":7}', '{"ref":"x1"}'),
        ('"ticket-1"', '"ticket-9"', '{"ref":"T:ticket-1:"}', '{"ref":"T:ticket-9:"}'),
        ('"aa"', '"bb"', '{"ref":"xaax"}', '{"ref":"xaax"}'),
    ],
    ids=["text", "number", "number to text", "part", "too short for a part"],
)
def test_a_value_is_put_into_bodies_where_the_rule_says(
    live: str, shadow: str, before: str, after: str
) -> None:
    made = correlation(RuleSettings("body:$.r", ("body:$.ref",)))
    learn(made, answer(f'{{"r":{live}}}'), answer(f'{{"r":{shadow}}}'))
    headers: Headers = ((b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(before)))
    told = made.translate(Request(b"POST", b"/x", headers=headers, body=before.encode()), "s")
    assert told.body == after.encode()
    assert field(told.headers, b"content-length") == b"%d" % len(after)


def test_a_cookie_is_put_among_others() -> None:
    made = correlation(RuleSettings("body:$.r", ("cookie:t",)))
    learn(made, answer('{"r":"aa"}'), answer('{"r":"bb"}'))
    told = made.translate(Request(b"GET", b"/", headers=((b"Cookie", b"a=aa; t=aa; b=1"),)), "s")
    assert told.headers == ((b"Cookie", b"a=aa; t=bb; b=1"),)


def test_a_rule_without_places_holds_everywhere() -> None:
    made = correlation(RuleSettings("body:$.word"))
    learn(made, answer('{"word":"sesame"}'), answer('{"word":"opensky"}'))
    told = made.translate(Request(b"GET", b"/x/sesame?w=sesame", headers=((b"X-W", b"sesame"),)), "s")
    assert (told.target, told.headers) == (b"/x/opensky?w=opensky", ((b"X-W", b"opensky"),))


def test_a_rule_holds_for_its_endpoints_alone() -> None:
    made = correlation(RuleSettings("body:$.r", ("header:x-t",), endpoint="POST /login*", into="GET /a/*"))
    learn(made, answer('{"r":"aa"}'), answer('{"r":"bb"}'), "POST /other")
    asked = Request(b"GET", b"/a/b", headers=((b"X-T", b"aa"),))
    assert made.translate(asked, "s") == asked
    learn(made, answer('{"r":"aa"}'), answer('{"r":"bb"}'), "POST /login/now")
    assert made.translate(asked, "s").headers == ((b"X-T", b"bb"),)
    elsewhere = Request(b"GET", b"/b/b", headers=((b"X-T", b"aa"),))
    assert made.translate(elsewhere, "s") == elsewhere


def test_a_session_prefers_what_its_own_answer_said() -> None:
    made = correlation(RuleSettings("body:$.r", ("header:x-t",)))
    for session, shadow in (("s", "bb"), ("other", "cc")):
        asked = Request(b"POST", b"/login")
        made.learn(answer('{"r":"aa"}'), answer(json.dumps({"r": shadow})), session, request=asked)
    request = Request(b"GET", b"/", headers=((b"X-T", b"aa"),))
    told = [made.translate(request, session).headers[0][1] for session in ("s", "other", "third")]
    assert told == [b"bb", b"cc", b"cc"]


def test_pinned_values_are_those_of_each_target_and_nothing_overrides_them() -> None:
    table = CorrelationTable(values=(ValueSettings("acct-live", "acct-c", "acct-b"),))
    request = Request(b"GET", b"/x/acct-live")
    for name, expected in (("candidate", b"/x/acct-c"), ("baseline", b"/x/acct-b")):
        made = Correlation(Target(name, "http", "h", 1), rules=Rules(table))
        learn(made, answer('{"account_id":"acct-live"}'), answer('{"account_id":"acct-9"}'))
        assert made.translate(request, "s").target == expected
        made.forget_all()
        assert made.translate(request, "s").target == expected
        assert made.same("acct-live", expected.decode()[3:])


@pytest.mark.parametrize(
    ("ignore", "body"),
    [("body:$.a_id", {"a_id": "x7y8z9", "n": 1}), ("value:x7y8z9", {"a_id": "x7y8z9"}),
     ("body:$.*_id", {"a_id": "x7y8z9"}), ("body:$.things", {"things": [{"id": "x7y8z9"}]})],
)  # fmt: skip
def test_what_is_ignored_in_answers_is_not_learned(ignore: str, body: dict[str, Any]) -> None:
    live = answer(json.dumps(body))
    shadow = answer(json.dumps(body).replace("x7y8z9", "a1b2c3"))
    request = Request(b"GET", b"/x?a_id=x7y8z9")
    made = correlation()
    learn(made, live, shadow)
    assert made.translate(request, "s").target == b"/x?a_id=a1b2c3"
    made = correlation(ignore=(ignore,))
    learn(made, live, shadow)
    assert made.translate(request, "s") == request


@pytest.mark.parametrize(
    ("ignore", "spared"),
    [
        ("header:x-a", (b"X-A", b"x7y8z9")),
        ("cookie:c", (b"Cookie", b"c=x7y8z9")),
    ],
)
def test_what_is_ignored_in_requests_stays(ignore: str, spared: tuple[bytes, bytes]) -> None:
    made = correlation(ignore=(ignore,))
    learn(made, answer('{"id":"x7y8z9"}'), answer('{"id":"a1b2c3"}'))
    told = made.translate(Request(b"GET", b"/", headers=(spared, (b"X-B", b"x7y8z9"))), "s")
    assert told.headers == (spared, (b"X-B", b"a1b2c3"))


def test_ignored_places_of_targets_and_bodies_stay() -> None:
    made = correlation(ignore=("path:1", "query:q", "body:$.keep"))
    learn(made, answer('{"id":"x7y8z9"}'), answer('{"id":"a1b2c3"}'))
    body = b'{"keep":"x7y8z9","id":"x7y8z9"}'
    told = made.translate(Request(b"POST", b"/x7y8z9/x7y8z9?q=x7y8z9&r=x7y8z9", body=body), "s")
    assert told.target == b"/x7y8z9/a1b2c3?q=x7y8z9&r=a1b2c3"
    assert told.body == b'{"keep":"x7y8z9","id":"a1b2c3"}'


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (CorrelationTable((RuleSettings("bodi:$.a"),)), r"rule\[1\].take is 'bodi:\$.a'.*mean 'body'"),
        (CorrelationTable((RuleSettings("$.a"),)), "begin it with one of body:"),
        (CorrelationTable((RuleSettings("body:a.b"),)), "write the path as"),
        (CorrelationTable((RuleSettings("body:$"),)), "write the path as"),
        (CorrelationTable((RuleSettings("body:$.a["),)), "write the path as"),
        (CorrelationTable((RuleSettings("html:input"),)), r"html:input\[name=csrf\]"),
        (CorrelationTable((RuleSettings("regex:("),)), "no regular expression"),
        (CorrelationTable((RuleSettings("regex:a"),)), "exactly one group"),
        (CorrelationTable((RuleSettings("regex:(a)(b)"),)), "exactly one group"),
        (CorrelationTable((RuleSettings("query:a"),)), "begin it with one of"),
        (CorrelationTable((RuleSettings("body:$.a", ("html:a[b=c]",)),)), r"rule\[1\].put"),
        (CorrelationTable((RuleSettings("body:$.a", ("path:0",)),)), "number the path's segments from 1"),
        (CorrelationTable((RuleSettings("body:$.a", ("path:x",)),)), "number the path's segments from 1"),
        (CorrelationTable((RuleSettings("body:$.a", endpoint="/login"),)), "endpoint is '/login'"),
        (CorrelationTable((RuleSettings("body:$.a", into="GET login"),)), "into is 'GET login'"),
        (CorrelationTable(values=(ValueSettings("", "a"),)), "live is empty"),
        (CorrelationTable(values=(ValueSettings("a"),)), "names neither candidate nor baseline"),
        (CorrelationTable(values=(ValueSettings("a", "b"), ValueSettings("a", "c"))), "stands there twice"),
        (CorrelationTable(ignore=("body:$",)), "covers too much"),
        (CorrelationTable(ignore=("what",)), "is no place"),
    ],
)  # fmt: skip
def test_a_rule_that_means_nothing_is_refused(table: CorrelationTable, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Rules(table)
