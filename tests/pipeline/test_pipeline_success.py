"""Trials against services that answer 200 to everything, and against such as show too much."""

import pytest

from shadow.model import Expect, Level, Outcome, Reply, Verdict
from tests.pipeline.conftest import Bench, always, by_edit, edits, exchange, reply

FINE = reply(200, b'{"code":0,"data":{"id":1}}')
REFUSED = reply(200, b'{"code":40101,"msg":"who are you"}')
MUST_BE_REFUSED = edits(Expect.REJECT, level=Level.AUTH, name="credential_gone")
ANY = edits(Expect.SURVIVE, name="any")
HASH = b'"$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"'


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (REFUSED, None),
        (FINE, "auth-bypass"),
        (reply(302, b"", (b"Location", b"/login?next=/a")), None),
        (reply(200, b"<form><input type=password>", (b"Content-Type", b"text/html")), "auth-bypass"),
    ],
    ids=["a code", "accepted", "led to a login", "markup that is stated to be JSON"],
)
@pytest.mark.parametrize("has_baseline", [True, False])
async def test_refusal_in_the_body_is_no_acceptance(
    answer: Outcome, fault: str | None, *, has_baseline: bool
) -> None:
    baseline = by_edit(FINE, answer) if has_baseline else None
    bench = Bench(by_edit(FINE, answer), baseline, mutators=[MUST_BE_REFUSED])
    await bench.conduct(exchange("GET /a", answer=FINE))
    assert {each.fault for each in bench.findings.values()} == ({fault} if fault else set())


async def test_candidate_that_lets_in_what_the_baseline_refuses_in_its_body_is_found() -> None:
    bench = Bench(always(FINE), by_edit(FINE, REFUSED), mutators=[MUST_BE_REFUSED])
    await bench.conduct(exchange("GET /a", answer=FINE))
    (found,) = bench.findings.values()
    assert (found.fault, found.severity) == ("auth-bypass", "high")
    assert found.baseline is not None
    assert found.baseline["class"] == "rejected"
    assert found.baseline["class_by"] == "the body says code=40101, and code=0 of a success"


@pytest.mark.parametrize("has_baseline", [True, False])
async def test_original_that_is_refused_in_its_body_alone_is_one_finding(*, has_baseline: bool) -> None:
    refused = reply(200, b'{"success":false,"msg":"no","errors":[1]}')
    live = reply(200, b'{"success":true,"a":1,"b":{"c":2}}')
    bench = Bench(always(refused), always(live) if has_baseline else None, mutators=[])
    await bench.conduct(exchange("GET /a", answer=live))
    (found,) = bench.findings.values()
    assert (found.fault, found.severity, found.where) == ("regression", "high", ("status",))
    assert "200 refused" in found.title
    assert "the body says success=false" in found.why


async def test_refusal_that_the_baseline_gives_too_is_drift() -> None:
    refused = reply(200, b'{"success":false,"msg":"no such note"}')
    bench = Bench(always(refused), always(refused), mutators=[])
    await bench.conduct(exchange("GET /a", answer=reply(200, b'{"success":true,"a":1}')))
    assert not bench.findings


@pytest.mark.parametrize("has_baseline", [True, False])
async def test_original_that_shows_a_secret_is_told_as_a_leak(*, has_baseline: bool) -> None:
    live = reply(200, b'{"id":1}')
    bench = Bench(
        always(reply(200, b'{"id":1,"pw":' + HASH + b"}")),
        always(live) if has_baseline else None,
        mutators=[],
    )
    await bench.conduct(exchange("GET /me", answer=live))
    (found,) = bench.findings.values()
    assert (found.fault, found.severity, found.confirmed) == ("secret-leak", "high", "3/3")
    assert found.title == "a password hash in the answer (GET /me)"


async def test_mutant_whose_answer_shows_anothers_address_is_found_and_what_is_public_is_not() -> None:
    def mine(name: str) -> Reply:
        return reply(200, b'{"email":"%b@x.example"}' % name.encode())

    leaking = reply(200, b'{"error":"of bob@x.example, see press@x.example"}')
    bench = Bench(by_edit(mine("ann"), leaking), by_edit(mine("ann"), reply(400)), mutators=[ANY])
    ann, bob = (((b"Authorization", b"Bearer " + each),) for each in (b"ann", b"bob"))
    for headers, name in ((ann, "ann"), (bob, "bob")):
        bench.judging.hear(exchange("GET /me", headers=headers, answer=mine(name)))
        bench.judging.hear(exchange("GET /a", headers=headers, answer=reply(200, b'["press@x.example"]')))
    await bench.conduct(exchange("GET /me", headers=ann, answer=mine("ann")))
    found = [each for each in bench.findings.values() if each.fault == "F206"]
    assert [each.where for each in found] == [("status",)]
    assert "bob@x.example" in found[0].why


async def test_write_that_was_refused_in_the_body_makes_nothing_drift() -> None:
    refused = reply(200, b'{"success":false,"msg":"no"}')
    bench = Bench(always(refused), always(reply(409)), mutators=[])
    await bench.conduct(exchange("POST /a", body=b"{}", answer=refused))
    assert not bench.judging.is_drifted
    assert bench.verdicts[None] is not Verdict.UNDECIDED
