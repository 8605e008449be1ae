"""Requests as they leave: translated, aimed, marked, signed anew."""

import re
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.auth import CanonicalScheme, SigningKey, SigningSettings
from shadow.model import Exchange, Headers, Request, Response, Signs, field
from shadow.pipeline.preparation import Preparation
from shadow.replay import Correlation, Target
from tests.pipeline.conftest import LIVE, NOW, SEEN_AT, exchange, request

SETTINGS = SigningSettings(
    signature="X-Signature",
    key_id="X-Key-Id",
    timestamp="X-Timestamp",
    nonce="X-Nonce",
    body_digest="X-Digest",
    keys=(SigningKey("ours", secret="aa" * 32), SigningKey("other", secret="bb" * 32)),
)
SCHEME = CanonicalScheme(SETTINGS)
STRANGER = CanonicalScheme(
    SigningSettings(
        signature="X-Signature",
        key_id="X-Key-Id",
        timestamp="X-Timestamp",
        nonce="X-Nonce",
        body_digest="X-Digest",
        keys=(SigningKey("ours", secret="cc" * 32), SigningKey("unknown", secret="dd" * 32)),
    )
)
UUID_A = "0f0e0d0c-0b0a-4908-8706-050403020100"
UUID_B = "f0e0d0c0-b0a0-4090-8070-605040302010"


def preparation(
    signer: Signs | None = SCHEME, *, prefix: str = "", keeps_host: bool = False, run: str = "r1"
) -> tuple[Preparation, Correlation]:
    target = Target("candidate", "http", "cand.test", 8080, prefix)
    correlation = Correlation(target, (LIVE,))
    made = Preparation(target, correlation, signer, run=run, keeps_host=keeps_host, clock=lambda: NOW)
    return made, correlation


def signed(
    line: str = "POST /v1/x",
    *,
    by: CanonicalScheme = SCHEME,
    key: str = "ours",
    at: float = SEEN_AT,
    nonce: str = "00ff" * 8,
    body: bytes = b"{}",
    headers: Headers = (),
) -> Exchange:
    made = by.sign(request(line, body, *headers), key=key, at=at, nonce=nonce)
    assert made is not None
    return Exchange(3, "test", "s", SEEN_AT, made, Response(200))


def learned(correlation: Correlation, session: str = "s") -> None:
    """Have the service call `UUID_A` by the name of `UUID_B`."""
    asked = request("POST /v1/x")
    correlation.learn(answer(UUID_A), answer(UUID_B), session, request=asked)


def answer(name: str) -> Response:
    body = b'{"id": "%s"}' % name.encode()
    return Response(201, headers=((b"Content-Type", b"application/json"),), body=body)


def header(made: Request, name: str) -> str:
    value = field(made.headers, name.encode())
    assert value is not None
    return value.decode()


def test_request_is_translated_aimed_and_marked() -> None:
    prepare, correlation = preparation(None)
    learned(correlation)
    made = prepare.of(exchange(f"GET /v1/x/{UUID_A}?of={UUID_A}"), "s", trial=7)
    assert made.target == f"/v1/x/{UUID_B}?of={UUID_B}".encode()
    assert header(made, "host") == "cand.test:8080"
    assert (header(made, "shadow-run"), header(made, "shadow-trial")) == ("r1", "7")


def test_marks_of_another_run_are_replaced_not_added_to() -> None:
    prepare, _ = preparation(None)
    marked = exchange("GET /", headers=((b"SHADOW-RUN", b"old"), (b"shadow-trial", b"1")))
    made = prepare.of(marked, "s", trial=2)
    names = [name.lower() for name, _ in made.headers]
    assert names.count(b"shadow-run") == names.count(b"shadow-trial") == 1
    assert header(made, "shadow-run") == "r1"


def test_recorded_host_is_kept_where_the_settings_say_so() -> None:
    prepare, _ = preparation(None, keeps_host=True)
    assert header(prepare.of(exchange("GET /"), "s", trial=1), "host") == LIVE


@pytest.mark.parametrize("skew", [0.0, -3600.0, 250.0])
def test_genuine_signature_is_renewed_and_its_distance_in_time_is_kept(skew: float) -> None:
    prepare, _ = preparation()
    recorded = signed(at=SEEN_AT + skew)
    made = prepare.of(recorded, "s", trial=1)
    assert SCHEME.verifies(made)
    assert SCHEME.stated_time(made) == NOW + skew
    assert header(made, "x-signature") != header(recorded.request, "x-signature")
    assert header(made, "x-key-id") == "ours"


def test_signature_covers_what_was_translated() -> None:
    prepare, correlation = preparation()
    learned(correlation)
    made = prepare.of(signed(f"PUT /v1/x/{UUID_A}", body=b'{"id": "%s"}' % UUID_A.encode()), "s", trial=1)
    assert UUID_B.encode() in made.target
    assert UUID_B.encode() in made.body
    assert SCHEME.verifies(made)


@pytest.mark.parametrize("key", ["ours", "unknown"])
def test_request_signed_by_a_stranger_goes_out_verbatim_but_for_the_marks(key: str) -> None:
    prepare, correlation = preparation()
    learned(correlation)
    recorded = signed(f"GET /v1/x/{UUID_A}", by=STRANGER, key=key)
    made = prepare.of(recorded, "s", trial=1, salt="again")
    assert made.headers[:-2] == recorded.request.headers
    assert (made.target, made.body) == (recorded.request.target, recorded.request.body)
    assert header(made, "shadow-run") == "r1"


def test_broken_signature_stays_broken() -> None:
    prepare, _ = preparation()
    genuine = signed()
    headers = tuple((n, b"0" * 64 if n == b"X-Signature" else v) for n, v in genuine.request.headers)
    broken = Exchange(
        0, "test", "s", SEEN_AT, Request(b"POST", b"/v1/x", headers=headers, body=b"{}"), Response(401)
    )
    assert not SCHEME.verifies(prepare.of(broken, "s", trial=1))


def test_unsigned_request_gets_no_signature() -> None:
    prepare, _ = preparation()
    assert field(prepare.of(exchange("GET /"), "s", trial=1).headers, b"x-signature") is None


def test_recorded_nonce_becomes_one_nonce_for_each_salt_and_use() -> None:
    prepare, _ = preparation()
    first, replayed, another = signed(), signed(), signed(nonce="11ee" * 8)

    def nonce(of: Exchange, salt: str, use: int) -> str:
        return header(prepare.of(of, "s", trial=1, salt=salt, use=use), "x-nonce")

    assert nonce(first, "", 0) == nonce(replayed, "", 0), "what was replayed live is replayed"
    made = {nonce(each, salt, use) for each in (first, another) for salt in ("", "a", "b") for use in (0, 1)}
    assert len(made) == 12
    assert not made & {"00ff" * 8, "11ee" * 8}


@pytest.mark.parametrize(
    ("nonce", "form"),
    [
        (UUID_A, r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("1234567890", r"\d{10}"),
        ("0" * 200, r"\d{200}"),
        ("abcdef", r"[0-9a-f]{6}"),
        ("x" * 300, r"[0-9a-f]{300}"),
    ],
    ids=["uuid", "digits", "many digits", "short", "long"],
)
def test_new_nonce_has_the_form_of_the_recorded_one(nonce: str, form: str) -> None:
    prepare, _ = preparation()
    assert re.fullmatch(form, header(prepare.of(signed(nonce=nonce), "s", trial=1), "x-nonce"))


def test_runs_do_not_share_nonces() -> None:
    made = {header(preparation(run=run)[0].of(signed(), "s", trial=1), "x-nonce") for run in ("r1", "r2")}
    assert len(made) == 2


def test_idempotency_key_is_kept_for_the_original_and_renewed_with_a_salt() -> None:
    prepare, _ = preparation()
    recorded = signed(headers=((b"Idempotency-Key", UUID_A.encode()),))

    def key(salt: str) -> str:
        made = prepare.of(recorded, "s", trial=1, salt=salt)
        assert SCHEME.verifies(made)
        return header(made, "idempotency-key")

    assert key("") == UUID_A
    assert len({key(""), key("a"), key("b")}) == 3
    assert key("a") == key("a")


def test_edit_brings_in_live_values_and_they_are_translated_and_signed() -> None:
    prepare, correlation = preparation()
    learned(correlation)
    ready = prepare.of(signed("GET /v1/x/none", body=b""), "s", trial=1)
    target = f"/v1/x/{UUID_A}".encode()
    edited = Request(ready.method, target, headers=ready.headers, body=ready.body)
    made = prepare.edited(edited, "s", salt="m", before=ready)
    assert made.target == f"/v1/x/{UUID_B}".encode()
    assert SCHEME.verifies(made)
    assert header(made, "x-nonce") != header(ready, "x-nonce")


def test_edit_of_a_foreign_key_is_not_signed_by_us() -> None:
    prepare, _ = preparation()
    ready = prepare.of(signed(), "s", trial=1)
    headers = tuple((n, b"nobody" if n == b"X-Key-Id" else v) for n, v in ready.headers)
    edit = Request(b"POST", b"/v1/x", headers=headers, body=b"{}")
    made = prepare.edited(edit, "s", salt="m", before=ready)
    assert header(made, "x-signature") == header(ready, "x-signature")


def test_path_prefix_is_put_before_once_whatever_is_done_after() -> None:
    prepare, correlation = preparation(None, prefix="/stage")
    learned(correlation)
    made = prepare.of(exchange(f"GET /v1/x/{UUID_A}"), "s", trial=1)
    assert made.target == f"/stage/v1/x/{UUID_B}".encode()
    assert prepare.edited(made, "s", salt="m", before=made).target == made.target
    assert prepare.of(exchange("GET /stage/x"), "s", trial=1).target == b"/stage/stage/x"


@given(st.text("ab/?=&.-_~0123456789", max_size=40))
def test_without_knowledge_a_target_stays_what_it_was(text: str) -> None:
    prepare, _ = preparation(None)
    target = f"/{text}"
    recorded = Exchange(0, "t", "s", 0.0, Request(b"GET", target.encode(), headers=((b"Host", b"a"),)))
    made = prepare.of(recorded, "s", trial=1)
    assert made.target.decode() == target
    assert parse_qs(urlsplit(made.target.decode()).query) == parse_qs(urlsplit(target).query)


def test_edit_translates_what_it_brought_in_and_nothing_twice() -> None:
    """A value of the target's own may be what a live value looks like; an edit elsewhere leaves it alone."""
    prepare, correlation = preparation(None)
    learned(correlation)
    own = f"/v1/x/{UUID_A}".encode()
    ready = prepare.of(exchange("GET /v1/x/none"), "s", trial=1)
    before = msgspec.structs.replace(ready, target=own)
    headers = ((b"X-Parent", UUID_A.encode()), *before.headers, (b"X-Last", b"1"))
    made = prepare.edited(msgspec.structs.replace(before, headers=headers), "s", salt="m", before=before)
    assert made.target == own
    assert header(made, "x-parent") == UUID_B
    assert made.headers[1:] == headers[1:]
    assert prepare.edited(before, "s", salt="m", before=before) == before
    body = b'{"parent": "%b"}' % UUID_A.encode()
    made = prepare.edited(msgspec.structs.replace(before, body=body), "s", salt="m", before=before)
    assert (made.target, made.body) == (own, body.replace(UUID_A.encode(), UUID_B.encode()))
