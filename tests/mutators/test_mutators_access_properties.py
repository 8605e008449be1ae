"""What every mutator of credentials, permissions and sessions must keep to, whatever the traffic."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutators import CATALOG, SESSION_CATALOG
from mutators._session import MAX_STEPS
from shadow.auth import SigningKey, SigningSettings, TokenKey, TokenSettings, signer_of
from shadow.model import Exchange, Expect, Headers, Identity, Known, Level, Request, Response
from tests.mutators.test_mutators_verifiers import LINES, signed

OWN = [one for one in CATALOG if one.level in (Level.AUTH, Level.PERMISSION)]
OF_SESSIONS = list(SESSION_CATALOG)
MAX_BYTES = 300_000
SIGNER = signer_of(
    SigningSettings(keys=(SigningKey("main", secret="s" * 32), SigningKey("x", secret="t" * 32))),
    TokenSettings((TokenKey("main", secret="s" * 32),)),
)
JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoxZTMwMH0.AAAAAAAAAAAAAAAA"
NAMES = [
    *(b"Authorization", b"Cookie", b"X-Api-Key", b"Signature-Input", b"Signature", b"Content-Digest"),
    *(b"X-Hub-Signature-256", b"X-Hub-Signature", b"Stripe-Signature", b"X-Slack-Signature"),
    *(b"X-Slack-Request-Timestamp", b"X-Amz-Date", b"X-Amz-Content-Sha256", b"X-Tenant-Id", b"Host"),
    *(b"If-None-Match", b"Idempotency-Key", b"Content-Type", b"x-extra"),
]
VALUES = [
    *(value for lines in LINES.values() for _, value in lines),
    *(b"", b"t=,v1=", b"t=9" + b"9" * 30 + b",v1=00", b"sha256=", b"v0=zz", b"sig=()", b"sig=::", b"sig"),
    *(b"sig=(;created=1", b'sig=("@method";req "x");expires=-1;keyid="k"', b'a=();keyid="k", b=();keyid="k"'),
    *(b"AWS4-HMAC-SHA256 ", b"AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;;, Signature="),
    *(b"bearer", b"Bearer ", b"Bearer eyJ.eyJ.", b"Bearer eyJhIjoxfQ.eyJhIjoxfQ.", b"Bearer " + JWT),
    *(b"Basic YTpi", b"Basic =", b"a=b; c", b"20150830T123600Z", b"2015", b"99999999T999999Z"),
    *(b"STREAMING-X", b"\xff", b"a, b", b"1", b"application/json"),
]  # fmt: skip
PRESIGNED = (
    b"/v1/x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k%2F20150830%2Fr%2Fs%2Faws4_request"
    b"&X-Amz-Date=1&X-Amz-Expires=99&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
)
values = st.sampled_from(VALUES) | st.binary(max_size=30).map(lambda raw: raw.translate(None, b"\r\n\0"))
fields: st.SearchStrategy[Headers] = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=6).map(
    tuple
)
targets = st.sampled_from(
    [
        *(
            b"/",
            b"",
            b"*",
            b"/v1/orders/41000001/lines/52000001?tenant_id=7",
            b"/v1/orders/41000002",
            b"/logout",
        ),
        PRESIGNED,
        b"/v1/x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=&X-Amz-Credential=",
        b"http://h/x?&&=",
    ]
)
bodies = st.sampled_from([b"", b"{}", b'{"a": 1}', b'{"id": "41000001"}', b"a=1", b"\xff\x00", b"[" * 50])
methods = st.sampled_from([b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"x"])
usual = st.sampled_from([signed(name) for name in LINES])
requests = st.builds(Request, methods, targets, headers=fields, body=bodies) | st.builds(
    lambda request, more: msgspec.structs.replace(request, headers=(*request.headers, *more)), usual, fields
)
responses = st.none() | st.builds(
    Response,
    st.sampled_from([200, 201, 204, 401, 403, 404, 409, 422]),
    body=bodies | st.just(b'{"kty":"RSA","e":"A"}'),
)
exchanges = st.builds(
    lambda request, response: Exchange(0, "har", "s", 0.0, request, response), requests, responses
)
ANN = Identity("ann", "user", 1, headers=((b"Authorization", b"Bearer " + JWT),), tenant="a")
BOB = Identity("bob", "admin", 2, key="main", tenant="b", may=("GET *",))
knowns = st.builds(
    lambda others, signer, owner, sessions: Known(
        values={"query:tenant_id": ("7", "8")},
        others=tuple(others),
        identities=(ANN, BOB),
        owner=owner,
        signer=signer,
        sessions=tuple(map(tuple, sessions)),
    ),
    st.lists(exchanges, max_size=4),
    st.sampled_from([None, SIGNER]),
    st.sampled_from([None, ANN, BOB]),
    st.lists(st.lists(exchanges, max_size=3), max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(requests, knowns, st.integers(0, 99))
def test_any_request_gives_the_same_small_mutant_twice(request: Request, known: Known, seed: int) -> None:
    for one in OWN:
        edit = one(request, Random(seed), known)
        assert edit == one(request, Random(seed), known), one.name
        if edit is not None:
            sent = edit.request
            assert sent != request or edit.wire is not None, one.name
            assert (
                len(sent.target) + len(sent.body) + sum(len(n) + len(v) for n, v in sent.headers) < MAX_BYTES
            )
            assert not any(mark in value for _, value in sent.headers for mark in (b"\r", b"\n")), one.name


@settings(max_examples=40, deadline=None)
@given(st.lists(exchanges, max_size=8), knowns, st.integers(0, 99))
def test_any_session_gives_the_same_short_script_twice(
    session: list[Exchange], known: Known, seed: int
) -> None:
    for one in OF_SESSIONS:
        script = one(session, Random(seed), known)
        assert script == one(session, Random(seed), known), one.name
        if script is None:
            continue
        count = len(script.steps)
        assert 0 < count <= MAX_STEPS, one.name
        assert script.judged, one.name
        assert {*script.judged, *script.needs, *script.refused} <= set(range(count)), one.name
        assert all(0 <= step.origin < len(session) + len(script.others) for step in script.steps), one.name
        assert sum(step.after_seconds for step in script.steps) <= 4, one.name
        for step in script.steps:
            assert step.edit is None or step.edit(step.request) == step.edit(step.request), one.name


@pytest.mark.parametrize("one", [*OWN, *OF_SESSIONS], ids=lambda one: one.name)
def test_reason_names_its_source_unless_only_agreement_is_expected(one: object) -> None:
    reason, expect = one.reason, one.expect  # type: ignore[attr-defined]
    sources = ("RFC", "CWE", "CVE", "OWASP", "NIST", "BIP", "FIPS", "WFC", "draft-", "SigV4", "Stripe")
    assert expect is Expect.AGREE or any(source in reason for source in sources)
