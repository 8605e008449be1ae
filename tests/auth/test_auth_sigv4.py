"""AWS Signature Version 4 against Amazon's examples and test suite, and against a verifier made by hand."""

import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.auth import SigningKey, SigningSettings
from shadow.auth.sigv4 import SigV4Scheme
from shadow.errors import ConfigError
from shadow.model import Headers, Request, Signs, field, with_field, without_field

SUITE = "AKIDEXAMPLE"
DOCS = "AKIAIOSFODNN7EXAMPLE"
SECRETS = {
    SUITE: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    DOCS: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
KEYS = tuple(SigningKey(id_, secret=secret) for id_, secret in SECRETS.items())
SCHEME = SigV4Scheme(SigningSettings(scheme="sigv4", keys=KEYS))
SIGNS: Signs = SCHEME
EMPTY = hashlib.sha256(b"").hexdigest()
BUCKET = "examplebucket.s3.amazonaws.com"
NOW = 1_700_000_000


def suite(line: str, signature: str, names: str = "host;x-amz-date", body: str = "", **more: str) -> Request:
    """A request of the aws-sig-v4-test-suite."""
    return signed(line, "20150830/us-east-1/service", SUITE, signature, names, body, **more)


def docs(line: str, signature: str, names: str, body: str = "", **more: str) -> Request:
    """An example of "Signature Calculations for the Authorization Header" in the S3 API reference."""
    digest = hashlib.sha256(body.encode()).hexdigest()
    more = {"host": BUCKET, "x_amz_content_sha256": digest} | more
    return signed(line, "20130524/us-east-1/s3", DOCS, signature, names, body, **more)


def signed(
    line: str, scope: str, key: str, signature: str, names: str, body: str = "", **more: str
) -> Request:
    method, target = line.encode().split(b" ", 1)
    day = scope[:8]
    moment = f"{day}T{'123600' if key == SUITE else '000000'}Z"
    fields = {"host": "example.amazonaws.com", "x_amz_date": moment} | more
    headers = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in fields.items())
    credential = f"Credential={key}/{scope}/aws4_request"
    value = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
    return Request(method, target, headers=(*headers, (b"Authorization", value.encode())), body=body.encode())


PRESIGNED = Request(
    b"GET",
    b"/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    b"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    b"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    b"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    headers=((b"Host", BUCKET.encode()),),
)
VECTORS = {
    "get-vanilla": suite("GET /", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "post-vanilla": suite("POST /", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "get-vanilla-query-order-key-case": suite(
        "GET /?Param2=value2&Param1=value1",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "post-x-www-form-urlencoded": suite(
        "POST /",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        "content-type;host;x-amz-date",
        "Param1=value1",
        content_type="application/x-www-form-urlencoded",
    ),
    "an address of IAM": signed(
        "GET /?Action=ListUsers&Version=2010-05-08",
        "20150830/us-east-1/iam",
        SUITE,
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        "content-type;host;x-amz-date",
        host="iam.amazonaws.com",
        content_type="application/x-www-form-urlencoded; charset=utf-8",
    ),
    "S3: get an object": docs(
        "GET /test.txt",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        "host;range;x-amz-content-sha256;x-amz-date",
        range="bytes=0-9",
    ),
    "S3: put an object": docs(
        "PUT /test$file.text",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "Welcome to Amazon S3.",
        date="Fri, 24 May 2013 00:00:00 GMT",
        x_amz_storage_class="REDUCED_REDUNDANCY",
    ),
    "S3: a parameter without a value": docs(
        "GET /?lifecycle",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        "host;x-amz-content-sha256;x-amz-date",
    ),
    "S3: list": docs(
        "GET /?max-keys=2&prefix=J",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        "host;x-amz-content-sha256;x-amz-date",
    ),
    "S3: presigned": PRESIGNED,
}


@pytest.mark.parametrize("name", VECTORS)
def test_published_vectors(name: str) -> None:
    request = VECTORS[name]
    assert SCHEME.verifies(request) is True
    assert SCHEME.sign(request) == request
    other = b"0" * 64
    assert SCHEME.verifies(SCHEME.put(request, "signature", other) or request) is False


def verified_by_hand(request: Request) -> bool:
    """A service's own check, written after the documentation, of requests with plain paths."""
    path, _, query = request.target.decode().partition("?")
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    header = (field(request.headers, b"authorization") or b"").decode()
    if header:
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(.*), SignedHeaders=(.*), Signature=([0-9a-f]{64})", header
        )
        assert found is not None
        credential, names, signature = found.groups()
        moment = (field(request.headers, b"x-amz-date") or b"").decode()
    else:
        credential, names = pairs["X-Amz-Credential"], pairs["X-Amz-SignedHeaders"]
        signature, moment = pairs.pop("X-Amz-Signature"), pairs["X-Amz-Date"]
    key, day, region, service, end = credential.split("/")
    digest = (field(request.headers, b"x-amz-content-sha256") or b"").decode()
    if not digest:
        is_open = service == "s3" and not header
        digest = "UNSIGNED-PAYLOAD" if is_open else hashlib.sha256(request.body).hexdigest()
    elif digest != "UNSIGNED-PAYLOAD" and digest != hashlib.sha256(request.body).hexdigest():
        return False
    listed = "&".join(
        sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs.items())
    )
    lines = "".join(
        f"{name}:{(field(request.headers, name.encode()) or b'').decode()}\n" for name in names.split(";")
    )
    creation = f"{request.method.decode()}\n{path}\n{listed}\n{lines}\n{names}\n{digest}"
    secret = b"AWS4" + SECRETS[key].encode()
    for step in (day, region, service, end):
        secret = hmac.new(secret, step.encode(), "sha256").digest()
    text = "\n".join(
        (
            "AWS4-HMAC-SHA256",
            moment,
            f"{day}/{region}/{service}/{end}",
            hashlib.sha256(creation.encode()).hexdigest(),
        )
    )
    assert moment.startswith(day), "the scope is of the day that is stated"
    return hmac.new(secret, text.encode(), "sha256").hexdigest() == signature


@pytest.mark.parametrize("name", [name for name in VECTORS if "$" not in VECTORS[name].target.decode()])
def test_edited_requests_are_signed_for_another_day_as_a_service_verifies_them(name: str) -> None:
    edited = msgspec.structs.replace(VECTORS[name], body=b'{"n": 1}')
    made = SCHEME.sign(edited, at=NOW)
    assert made is not None
    assert verified_by_hand(made)
    assert SCHEME.stated_time(made) == NOW
    assert SCHEME.verifies(made) is True


def test_a_service_refuses_what_was_changed_after_signing() -> None:
    request = VECTORS["S3: put an object"]
    assert verified_by_hand(msgspec.structs.replace(request, target=b"/test%24file.text"))
    assert not verified_by_hand(msgspec.structs.replace(request, body=b"other"))
    assert SCHEME.verifies(msgspec.structs.replace(request, body=b"other")) is False


def test_an_unsigned_payload_stays_unsigned() -> None:
    request = VECTORS["S3: get an object"]
    headers = with_field(request.headers, b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")
    made = SCHEME.sign(msgspec.structs.replace(request, headers=headers, body=b"anything"), at=NOW)
    assert made is not None
    assert field(made.headers, b"x-amz-content-sha256") == b"UNSIGNED-PAYLOAD"
    assert verified_by_hand(made)


def test_a_session_token_is_signed_with_the_rest() -> None:
    request = VECTORS["get-vanilla"]
    value = (field(request.headers, b"authorization") or b"").replace(
        b"x-amz-date", b"x-amz-date;x-amz-security-token"
    )
    headers = (
        *with_field(request.headers, b"authorization", value),
        (b"X-Amz-Security-Token", b"a/session+token=="),
    )
    made = SCHEME.sign(msgspec.structs.replace(request, headers=headers), at=NOW)
    assert made is not None
    assert verified_by_hand(made)
    other = with_field(made.headers, b"X-Amz-Security-Token", b"another")
    assert SCHEME.verifies(msgspec.structs.replace(made, headers=other)) is False
    assert field(SCHEME.bare(made).headers, b"x-amz-security-token") is None


def test_a_payload_that_is_signed_in_chunks_is_left_alone() -> None:
    request = VECTORS["S3: put an object"]
    headers = with_field(request.headers, b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    streamed = msgspec.structs.replace(request, headers=headers)
    assert SCHEME.key_id(streamed) == DOCS
    assert SCHEME.sign(streamed, at=NOW) is None
    assert SCHEME.verifies(streamed) is False, "so that it goes out as it was recorded"


def test_a_field_that_an_edit_took_away_is_no_longer_listed() -> None:
    request = VECTORS["S3: get an object"]
    bare = msgspec.structs.replace(request, headers=without_field(request.headers, b"range"))
    made = SCHEME.sign(bare)
    assert made is not None
    assert verified_by_hand(made)
    assert b"range" not in (field(made.headers, b"authorization") or b"")


def test_parts_stand_in_the_field_or_in_the_query() -> None:
    request = VECTORS["get-vanilla"]
    assert SCHEME.key_id(request) == SUITE
    assert SCHEME.read(request, "timestamp") == b"20150830T123600Z"
    assert SCHEME.read(request, "nonce") is None
    assert SCHEME.places(request)["signature"] == "Authorization"
    assert SCHEME.key_id(PRESIGNED) == DOCS
    assert SCHEME.places(PRESIGNED)["signature"] == "query:X-Amz-Signature"
    assert SCHEME.stated_time(PRESIGNED) == 1_369_353_600
    emptied = SCHEME.put(PRESIGNED, "signature", b"")
    assert emptied is not None
    assert emptied.target.endswith(b"X-Amz-Signature=")
    assert SCHEME.bare(PRESIGNED).target == b"/test.txt"
    assert SCHEME.key_id(SCHEME.bare(request)) is None


def test_another_key_signs_in_the_same_form() -> None:
    for request in (VECTORS["get-vanilla"], PRESIGNED):
        made = SCHEME.sign(request, key=DOCS if SCHEME.key_id(request) == SUITE else SUITE, at=NOW)
        assert made is not None
        assert SCHEME.key_id(made) != SCHEME.key_id(request)
        assert verified_by_hand(made)


def test_an_unsigned_request_is_signed_where_region_and_service_are_known() -> None:
    bare = Request(b"GET", b"/x", headers=((b"Host", b"h"), (b"Accept", b"*/*")))
    assert SCHEME.sign(bare, key=SUITE, at=NOW) is None
    scheme = SigV4Scheme(SigningSettings(scheme="sigv4", region="eu-west-1", service="s3", keys=KEYS))
    made = scheme.sign(bare, key=SUITE, at=NOW)
    assert made is not None
    assert verified_by_hand(made)
    assert b"SignedHeaders=host;x-amz-content-sha256;x-amz-date," in (
        field(made.headers, b"authorization") or b""
    )


def test_a_strangers_signature_is_known_and_cannot_be_made() -> None:
    request = VECTORS["get-vanilla"]
    strange = SCHEME.put(request, "key_id", b"AKIASTRANGER")
    assert strange is not None
    assert SCHEME.key_id(strange) == "AKIASTRANGER"
    assert SCHEME.verifies(strange) is None
    assert SCHEME.sign(strange, at=NOW) is None


def test_keys_of_another_kind_are_named() -> None:
    with pytest.raises(ConfigError, match="'ed25519', which is none of hmac-sha256"):
        SigV4Scheme(SigningSettings(keys=(SigningKey("k", algorithm="ed25519"),)))


values = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/r/s/aws4_request,SignedHeaders=a,Signature=0",
            b"AWS4-HMAC-SHA256 ",
            b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE, SignedHeaders=;;, Signature=",
            b"20150830T123600Z",
        ]
    ),
)
names = st.sampled_from([b"Authorization", b"X-Amz-Date", b"X-Amz-Content-Sha256", b"Host"])
headers_of: st.SearchStrategy[Headers] = st.lists(st.tuples(names, values), max_size=5).map(tuple)
targets = st.one_of(
    st.binary(max_size=30),
    st.just(PRESIGNED.target),
    st.binary(max_size=9).map(lambda raw: PRESIGNED.target.replace(b"%2F", raw, 1)),
)


@given(targets, headers_of, st.one_of(st.none(), st.floats()))
def test_any_request_is_signed_verifiably_or_not_at_all(
    target: bytes, headers: Headers, at: float | None
) -> None:
    request = Request(b"GET", target, headers=headers)
    SCHEME.stated_time(request)
    SCHEME.verifies(request)
    SCHEME.bare(request)
    made = SCHEME.sign(request, at=at)
    if made is not None:
        assert SCHEME.verifies(made) is True
        assert SCHEME.sign(made) == made
