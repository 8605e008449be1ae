"""Schemes that requests show by themselves, presets of webhooks, and several schemes over one request."""

import hmac
from hashlib import sha256

import jwt as pyjwt
import msgspec
import pytest

from shadow.auth import SigningKey, SigningSettings, TokenKey, TokenSettings, signer_of
from shadow.errors import ConfigError
from shadow.model import Request, Signs, field, with_field

NOW = 1_700_000_000
SECRET = "whsec_a secret of a webhook"
BODY = b'{"id": "evt_1"}'
SHOWN = SigningSettings(
    keys=(
        SigningKey("AKIDEXAMPLE", secret=SECRET),
        SigningKey("old", secret="another secret"),
        SigningKey("t-1", algorithm="HS256", secret=SECRET * 2),
    )
)
POST = Request(b"POST", b"/hook", headers=((b"Host", b"h"),), body=BODY)


def shown() -> Signs:
    signer = signer_of(SHOWN)
    assert signer is not None
    return signer


def mac(text: bytes, digest: str = "sha256", secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), text, digest).hexdigest().encode()


def with_headers(*lines: tuple[bytes, bytes], body: bytes = BODY) -> Request:
    return msgspec.structs.replace(POST, headers=(*POST.headers, *lines), body=body)


def github(body: bytes = BODY) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"X-Hub-Signature", b"sha1=" + mac(body, "sha1")),
        (b"X-Hub-Signature-256", b"sha256=" + mac(body)),
    )


def slack(body: bytes = BODY, at: int = NOW) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"X-Slack-Request-Timestamp", b"%d" % at),
        (b"X-Slack-Signature", b"v0=" + mac(b"v0:%d:%b" % (at, body))),
    )


def stripe(body: bytes = BODY, at: int = NOW) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"Stripe-Signature", b"t=%d,v1=%b,v0=%b" % (at, mac(b"%d.%b" % (at, body)), b"6f" * 32)),)


@pytest.mark.parametrize("made", [github, slack, stripe], ids=["GitHub", "Slack", "Stripe"])
def test_a_webhook_is_recognised_and_signed_anew_after_an_edit(made: object) -> None:
    assert callable(made)
    signer = shown()
    recorded = with_headers(*made())
    assert signer.key_id(recorded) == "AKIDEXAMPLE"
    assert signer.verifies(recorded) is True
    assert signer.sign(recorded) == recorded
    edited = msgspec.structs.replace(recorded, body=b"[]")
    assert signer.verifies(edited) is False
    again = signer.sign(edited, at=NOW if signer.stated_time(recorded) else None)
    assert again == with_headers(*made(b"[]"), body=b"[]")


def test_the_time_of_a_webhook_is_stated_anew() -> None:
    for made in (slack, stripe):
        assert shown().stated_time(with_headers(*made())) == NOW
        assert shown().sign(with_headers(*made()), at=NOW + 99) == with_headers(*made(at=NOW + 99))
    assert shown().stated_time(with_headers(*github())) is None


def test_the_key_of_a_webhook_is_the_one_that_made_it() -> None:
    signer = shown()
    line = (b"X-Hub-Signature-256", b"sha256=" + mac(BODY, secret="another secret"))
    assert signer.key_id(with_headers(line)) == "old"
    strange = (b"X-Hub-Signature-256", b"sha256=" + b"0" * 64)
    assert signer.verifies(with_headers(strange)) is False
    assert signer.key_id(POST) is None


def test_every_kind_of_key_is_left_to_the_schemes_that_it_fits() -> None:
    signer = shown()
    token = pyjwt.encode({"sub": "a", "exp": NOW}, SECRET * 2, algorithm="HS256").encode()
    request = with_headers((b"Authorization", b"Bearer " + token))
    assert signer.key_id(request) == "t-1"
    moved = signer.sign(request, at=NOW + 5)
    assert moved is not None
    assert signer.stated_time(moved) == NOW + 5
    said = b'sig=("@method");created=1;keyid="AKIDEXAMPLE"'
    message = signer.sign(with_headers((b"Signature-Input", said), (b"Signature", b"sig=:AAAA:")))
    assert message is not None
    assert signer.verifies(message) is True
    amazon = (
        b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/r/s/aws4_request,"
        b" SignedHeaders=host;x-amz-date, Signature=0"
    )
    moment = (b"X-Amz-Date", b"20150830T123600Z")
    made = signer.sign(with_headers(moment, (b"Authorization", amazon)), at=NOW)
    assert made is not None
    assert signer.verifies(made) is True
    assert signer.keys() == ("AKIDEXAMPLE", "old", "t-1")


def test_a_request_without_a_signature_is_not_given_one_by_guessing() -> None:
    assert shown().sign(POST, key="AKIDEXAMPLE", at=NOW) is None
    named = signer_of(msgspec.structs.replace(SHOWN, scheme="stripe", keys=SHOWN.keys[:1]))
    assert named is not None
    assert named.sign(POST, key="AKIDEXAMPLE", at=NOW) == with_headers(
        (b"Stripe-Signature", stripe()[0][1].partition(b",v0")[0])
    )


def test_a_token_beside_a_signature_is_issued_anew_before_it_is_covered() -> None:
    signing = SigningSettings(
        signature="S",
        timestamp="T",
        canonical=("header:Authorization",),
        keys=(SigningKey("k", secret="aa"),),
    )
    signer = signer_of(signing, TokenSettings(keys=(TokenKey("t", secret=SECRET * 2),)))
    assert signer is not None
    token = pyjwt.encode({"exp": NOW + 60, "iat": NOW - 5}, SECRET * 2, algorithm="HS256").encode()
    request = signer.sign(with_headers((b"Authorization", b"Bearer " + token)), key="k", at=NOW)
    assert request is None, "it would be the token's scheme that knows it"
    bare = with_headers((b"Authorization", b"Bearer " + token), (b"T", b"%d" % NOW), (b"S", b"00"))
    made = signer.sign(bare, at=NOW + 1000)
    assert made is not None
    assert signer.verifies(made) is True
    text = (field(made.headers, b"authorization") or b"").split()[1]
    options = {"verify_exp": False, "verify_iat": False}
    claims = pyjwt.decode(text, SECRET * 2, algorithms=["HS256"], options=options)  # type: ignore[arg-type] # as it has them
    assert claims == {"exp": NOW + 1060, "iat": NOW + 995}
    forged = with_field(bare.headers, b"authorization", b"Bearer " + token[:-4] + b"AAAA")
    kept = signer.sign(msgspec.structs.replace(bare, headers=forged), at=NOW + 1000)
    assert kept is not None
    assert field(kept.headers, b"authorization") == b"Bearer " + token[:-4] + b"AAAA", "a forged one stays so"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SigningSettings(), "names neither keys nor a scheme"),
        (SigningSettings(scheme="sigv5"), "did you mean 'sigv4'"),
        (SigningSettings(scheme="callable", signature="S"), "signing.callable is empty"),
        (SigningSettings(keys=(SigningKey("k", algorithm="HS265"),)), "did you mean 'HS256'"),
        (SigningSettings(scheme="sigv4", keys=(SigningKey("k", algorithm="HS256"),)), "none of hmac-sha256"),
        (SigningSettings(signature="S", signature_format="v1={signatur}"), "says nothing of where"),
        (SigningSettings(signature="S", signature_format="{signature}{nonse}"), "did you mean 'nonce'"),
        (
            SigningSettings(signature="S", timestamp="T", signature_format="{timestamp}.{signature}"),
            "'timestamp', which stands elsewhere too",
        ),
        (SigningSettings(signature="query:s", signature_format="{signature}"), "says nothing of where"),
    ],
)
def test_wrong_settings_are_named_with_the_way_out(settings: SigningSettings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        signer_of(settings)


def test_a_format_puts_all_parts_into_one_field() -> None:
    signer = signer_of(
        SigningSettings(
            signature="Authorization",
            signature_format='ACME-HMAC key="{key_id}", ts={timestamp}; nonce={nonce}, sig={signature}',
            signature_encoding="base64",
            canonical=("method", "target", "timestamp", "nonce"),
            keys=(SigningKey("k/1", secret="aabb"), SigningKey("k/2", secret="ccdd")),
        )
    )
    assert signer is not None
    made = signer.sign(POST, key="k/2", at=NOW, nonce="n-1")
    assert made is not None
    assert (field(made.headers, b"authorization") or b"").startswith(
        b'ACME-HMAC key="k/2", ts=1700000000; nonce=n-1, sig='
    )
    assert signer.key_id(made) == "k/2"
    assert signer.verifies(made) is True
    assert signer.stated_time(made) == NOW
    later = signer.sign(made, at=NOW + 1, nonce="n-2", key="k/1")
    assert later is not None
    assert signer.read(later, "nonce") == b"n-2"
    assert signer.verifies(later) is True


def test_parts_in_the_query_are_signed_without_the_signature_itself() -> None:
    signer = signer_of(
        SigningSettings(
            signature="query:sig",
            timestamp="query:t",
            canonical=("path", "query"),
            keys=(SigningKey("k", secret="aabb"),),
        )
    )
    assert signer is not None
    made = signer.sign(Request(b"GET", b"/x?b=2&a=1"), key="k", at=NOW)
    assert made is not None
    text = b"/x\na=1&b=2&t=1700000000"
    signature = hmac.new(b"\xaa\xbb", text, sha256).hexdigest().encode()
    assert made.target == b"/x?b=2&a=1&t=1700000000&sig=" + signature
    assert signer.verifies(made) is True
    assert signer.bare(made).target == b"/x?b=2&a=1"
