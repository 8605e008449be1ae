"""Signing schemes: every algorithm against an independent verification, settings, and hostile requests."""

import hashlib
import hmac
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from shadow.auth.algorithms import SECP256K1_ORDER
from shadow.auth.scheme import CanonicalScheme
from shadow.auth.settings import SigningSettings
from shadow.errors import ConfigError
from shadow.model import Request, Signs, field, with_field

NOW = 1_700_000_000
SECRETS = {
    "hmac-sha256": "11" * 32,
    "hmac-sha1": "12" * 20,
    "hmac-sha512": "13" * 64,
    "ed25519": "14" * 32,
    "secp256k1-recoverable": "15" * 32,
}
SETTINGS = """
[signing]
key_id = "X-Key-Id"
algorithm = "X-Algorithm"
timestamp = "X-Timestamp"
nonce = "X-Nonce"
body_digest = "X-Content-SHA256"
signature = "X-Signature"
""" + "".join(
    f'[[signing.keys]]\nid = "{name}"\nalgorithm = "{name}"\nsecret = "{secret}"\n'
    for name, secret in SECRETS.items()
)
REQUEST = Request(
    b"POST", b"/v1/instances/7/start?b=2&a=1", headers=((b"Host", b"live.test"),), body=b'{"x": 1}'
)


def scheme_of(toml: str) -> CanonicalScheme:
    return CanonicalScheme(msgspec.toml.decode(toml, type=dict[str, SigningSettings])["signing"])


def verify_hmac(digest: str) -> Callable[[bytes, bytes, bytes], None]:
    def verify(secret: bytes, message: bytes, signature: bytes) -> None:
        assert hmac.new(secret, message, digest).digest() == signature

    return verify


def verify_ed25519(secret: bytes, message: bytes, signature: bytes) -> None:
    Ed25519PrivateKey.from_private_bytes(secret).public_key().verify(signature, message)


def verify_secp256k1(secret: bytes, message: bytes, signature: bytes) -> None:
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    public = ec.derive_private_key(int.from_bytes(secret), ec.SECP256K1()).public_key()
    public.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    assert s <= SECP256K1_ORDER // 2
    assert signature[64] in range(4)


VERIFY = {
    "hmac-sha256": verify_hmac("sha256"),
    "hmac-sha1": verify_hmac("sha1"),
    "hmac-sha512": verify_hmac("sha512"),
    "ed25519": verify_ed25519,
    "secp256k1-recoverable": verify_secp256k1,
}


@pytest.mark.parametrize("name", SECRETS)
def test_signature_verifies_over_a_canonical_string_built_by_hand(name: str) -> None:
    signed = scheme_of(SETTINGS).sign(REQUEST, key=name, at=NOW + 0.9, nonce="n-1")
    assert signed is not None
    message = "\n".join(
        (
            "POST",
            "/v1/instances/7/start",
            "a=1&b=2",
            "1700000000",
            "n-1",
            hashlib.sha256(b'{"x": 1}').hexdigest(),
            "live.test",
        )
    )
    signature = bytes.fromhex((field(signed.headers, b"x-signature") or b"").decode())
    VERIFY[name](bytes.fromhex(SECRETS[name]), message.encode(), signature)
    assert field(signed.headers, b"x-algorithm") == name.encode()
    assert field(signed.headers, b"x-content-sha256") == hashlib.sha256(b'{"x": 1}').hexdigest().encode()


def test_independent_verification_can_fail() -> None:
    with pytest.raises(InvalidSignature):
        verify_ed25519(b"\x14" * 32, b"message", bytes(64))


@pytest.mark.parametrize("name", SECRETS)
def test_verifies_tells_right_from_wrong_signatures(name: str) -> None:
    scheme = scheme_of(SETTINGS)
    signed = scheme.sign(REQUEST, key=name, at=NOW, nonce="n")
    assert signed is not None
    assert scheme.verifies(signed) is True
    assert scheme.verifies(msgspec.structs.replace(signed, body=b"other")) is False
    assert scheme.verifies(msgspec.structs.replace(signed, method=b"PUT")) is False
    for wrong in (b"", b"zz", b"00" * 65, b"ff" * 65):
        headers = with_field(signed.headers, b"X-Signature", wrong)
        assert scheme.verifies(msgspec.structs.replace(signed, headers=headers)) is False
    assert scheme.verifies(REQUEST) is None


def test_secp256k1_signature_with_a_high_s_does_not_verify() -> None:
    scheme = scheme_of(SETTINGS)
    signed = scheme.sign(REQUEST, key="secp256k1-recoverable", at=NOW, nonce="n")
    assert signed is not None
    raw = bytes.fromhex((field(signed.headers, b"x-signature") or b"").decode())
    high = SECP256K1_ORDER - int.from_bytes(raw[32:64])
    malleated = raw[:32] + high.to_bytes(32) + bytes([raw[64] ^ 1])
    headers = with_field(signed.headers, b"X-Signature", malleated.hex().encode())
    assert scheme.verifies(msgspec.structs.replace(signed, headers=headers)) is False


@pytest.mark.parametrize(
    ("toml", "body", "signature"),
    [
        pytest.param(
            """[signing]
            signature = "X-Hub-Signature-256"
            signature_prefix = "sha256="
            canonical = ["body"]
            [[signing.keys]]
            id = "hook"
            secret = "It's a Secret to Everybody"
            secret_encoding = "utf-8"
            """,
            b"Hello, World!",
            b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            id="the example in GitHub's documentation of webhooks",
        ),
        pytest.param(
            f"""[signing]
            signature = "S"
            canonical = ["body"]
            [[signing.keys]]
            id = "k"
            secret = "{"0b" * 20}"
            """,
            b"Hi There",
            b"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            id="RFC 4231 test case 1",
        ),
        pytest.param(
            """[signing]
            signature = "S"
            canonical = ["body"]
            [[signing.keys]]
            id = "k"
            algorithm = "ed25519"
            secret = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
            """,
            b"\x72",
            b"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            b"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            id="RFC 8032 test 2",
        ),
    ],
)
def test_published_vectors(toml: str, body: bytes, signature: bytes) -> None:
    scheme = scheme_of(toml)
    signed = scheme.sign(Request(b"POST", b"/", body=body), key=scheme.keys()[0])
    assert signed is not None
    assert signed.headers[-1][1] == signature


def test_secp256k1_published_vector() -> None:
    scheme = scheme_of(
        '[signing]\nsignature = "S"\ncanonical = ["body"]\n[[signing.keys]]\nid = "k"\n'
        f'algorithm = "secp256k1-recoverable"\nsecret = "{1:064x}"\n'
    )
    signed = scheme.sign(Request(b"POST", b"/", body=b"Satoshi Nakamoto"), key="k")
    assert signed is not None
    assert signed.headers[-1][1].startswith(  # deterministic nonce of RFC 6979
        b"934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
        b"2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
    )


@pytest.mark.parametrize(
    ("encoding", "decode"),
    [
        ("hex", bytes.fromhex),
        ("base64", b64decode),
        ("base64url", lambda text: urlsafe_b64decode(text + "=" * (-len(text) % 4))),
    ],
)
def test_signature_encodings_hold_the_same_bytes(encoding: str, decode: Callable[[str], bytes]) -> None:
    scheme = scheme_of(SETTINGS.replace("[signing]", f'[signing]\nsignature_encoding = "{encoding}"', 1))
    signed = scheme.sign(REQUEST, key="ed25519", at=NOW, nonce="n")
    assert signed is not None
    assert len(decode((field(signed.headers, b"x-signature") or b"").decode())) == 64
    assert scheme.verifies(signed)


@pytest.mark.parametrize(
    ("timestamp_format", "text", "at"),
    [
        ("unix", b"1700000000", 1_700_000_000.0),
        ("unix_ms", b"1700000000500", 1_700_000_000.5),
        ("iso8601", b"2023-11-14T22:13:20Z", 1_700_000_000.0),
    ],
)
def test_timestamp_formats(timestamp_format: str, text: bytes, at: float) -> None:
    scheme = scheme_of(
        SETTINGS.replace("[signing]", f'[signing]\ntimestamp_format = "{timestamp_format}"', 1)
    )
    signed = scheme.sign(REQUEST, key="ed25519", at=NOW + 0.5, nonce="n")
    assert signed is not None
    assert field(signed.headers, b"x-timestamp") == text
    assert scheme.stated_time(signed) == at
    assert scheme.verifies(signed)


@pytest.mark.parametrize("value", [b"", b"soon", b"nan", b"inf", b"1e999", b"\xff", b"99999-01-01"])
@pytest.mark.parametrize("timestamp_format", ["unix", "unix_ms", "iso8601"])
def test_unreadable_timestamp_is_none(value: bytes, timestamp_format: str) -> None:
    scheme = scheme_of(
        SETTINGS.replace("[signing]", f'[signing]\ntimestamp_format = "{timestamp_format}"', 1)
    )
    request = Request(b"GET", b"/", headers=((b"X-Timestamp", value),))
    assert scheme.stated_time(request) is None


def test_time_that_the_format_cannot_say_is_not_signed() -> None:
    scheme = scheme_of(SETTINGS.replace("[signing]", '[signing]\ntimestamp_format = "iso8601"', 1))
    assert scheme.sign(REQUEST, key="ed25519", at=1e15, nonce="n") is None
    assert scheme.sign(REQUEST, key="ed25519", at=float("nan"), nonce="n") is None


def test_signing_again_keeps_time_and_nonce_and_field_places() -> None:
    scheme = scheme_of(SETTINGS)
    headers = (
        (b"x-signature", b"old"),
        (b"X-KEY-ID", b"ed25519"),
        (b"X-Timestamp", b"12"),
        (b"X-Nonce", b"kept"),
        (b"X-Signature", b"a duplicate"),
        (b"Host", b"h"),
    )
    signed = scheme.sign(Request(b"GET", b"/", headers=headers))
    assert signed is not None
    assert [name for name, _ in signed.headers] == [
        b"x-signature", b"X-KEY-ID", b"X-Timestamp", b"X-Nonce", b"Host", b"X-Algorithm", b"X-Content-SHA256"
    ]  # fmt: skip
    assert field(signed.headers, b"x-nonce") == b"kept"
    assert scheme.stated_time(signed) == 12
    assert scheme.verifies(signed)
    assert scheme.sign(signed) == signed


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param((), id="not signed"),
        pytest.param(((b"X-Key-Id", b"ed25519"),), id="no signature"),
        pytest.param(((b"X-Key-Id", b"stranger"), (b"X-Signature", b"00")), id="a key without a secret"),
        pytest.param(((b"X-Key-Id", b"ed25519"), (b"X-Signature", b"00")), id="no time and no nonce"),
    ],
)
def test_what_cannot_be_signed_is_none(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert scheme_of(SETTINGS).sign(Request(b"GET", b"/", headers=headers)) is None


def test_key_without_secret_is_known_by_its_id_only() -> None:
    scheme = scheme_of(
        '[signing]\nkey_id = "K"\nsignature = "S"\ncanonical = ["path"]\n[[signing.keys]]\nid = "a"\n'
    )
    request = Request(b"GET", b"/", headers=((b"K", b"a"), (b"S", b"00")))
    assert scheme.key_id(request) == "a"
    assert scheme.sign(request) is None
    assert scheme.verifies(request) is None
    assert scheme.keys() == ()


def test_resolved_secret_is_used_in_place_of_the_inline_one() -> None:
    toml = '[signing]\nsignature = "S"\ncanonical = ["path"]\n[[signing.keys]]\nid = "a"\nsecret_env = "E"\n'
    settings = msgspec.toml.decode(toml, type=dict[str, SigningSettings])["signing"]
    scheme = CanonicalScheme(settings, {"a": "00ff\n"})
    signed = scheme.sign(Request(b"GET", b"/p"), key="a")
    assert signed is not None
    assert signed.headers == ((b"S", hmac.new(b"\x00\xff", b"/p", "sha256").hexdigest().encode()),)


def test_revoked_keys_sign_but_are_listed_apart() -> None:
    scheme = scheme_of(SETTINGS + 'status = "revoked"\n')
    assert scheme.revoked_keys() == ("secp256k1-recoverable",)
    assert scheme.keys() == tuple(SECRETS)[:-1]
    assert scheme.sign(REQUEST, key="secp256k1-recoverable", at=NOW, nonce="n") is not None


def test_literals_headers_and_separator_stand_in_the_canonical_string() -> None:
    scheme = scheme_of(
        """[signing]
        signature = "S"
        key_id = "K"
        separator = "|"
        canonical = ["'v1:'", "key_id", "header:X-Tag", "target", "body", "query"]
        """
    )
    headers = ((b"K", b"k1"), (b"x-tag", b"a"), (b"X-Tag", b"b"))
    request = Request(b"GET", b"http://h/p?z&a=%20", headers=headers, body=b"\xff")
    assert scheme.canonical(request) == b"v1:|k1|a, b|http://h/p?z&a=%20|\xff|a=%20&z"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a?b", b"/a"),
        (b"http://h:1/a/b?c", b"/a/b"),
        (b"http://h", b"/"),
        (b"*", b"*"),
        (b"/a://b", b"/a://b"),
    ],
)
def test_path_is_raw_and_without_query(target: bytes, path: bytes) -> None:
    scheme = scheme_of('[signing]\nsignature = "S"\ncanonical = ["path"]\n')
    assert scheme.canonical(Request(b"GET", target)) == path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"X-Signature"', '""'), "signing.signature is empty"),
        (("[signing]", '[signing]\ntimestamp_format = "unixms"'), "did you mean 'unix_ms'"),
        (("[signing]", '[signing]\nsignature_encoding = "hexx"'), "none of hex, base64, base64url"),
        (("[signing]", '[signing]\ncanonical = ["methd"]'), "'methd'.*did you mean 'method'"),
        (("[signing]", '[signing]\ncanonical = ["header:"]'), "'header:'"),
        (('timestamp = "X-Timestamp"', ""), "signing.timestamp names no header"),
        (('"X-Nonce"', '"X Nonce"'), "'X Nonce', which is no header name"),
        (('algorithm = "ed25519"', 'algorithm = "ed448"'), "'ed448'.*hmac-sha256"),
        (('algorithm = "ed25519"', 'status = "gone"\nalgorithm = "ed25519"'), "none of active, revoked"),
        (('id = "ed25519"', 'id = "hmac-sha1"'), "'hmac-sha1' twice"),
        (('"' + "14" * 32 + '"', '"1414"'), "has 2 bytes where 32 are needed"),
        (('"' + "15" * 32 + '"', '"' + "ff" * 32 + '"'), "not between 1 and"),
        (('"' + "11" * 32 + '"', '"top secret"'), "is not hex"),
    ],
)
def test_wrong_settings_are_named_with_the_way_out(change: tuple[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        scheme_of(SETTINGS.replace(*change))
    assert "top secret" not in str(raised.value)


def test_a_key_shows_no_secret() -> None:
    settings = msgspec.toml.decode(SETTINGS, type=dict[str, SigningSettings])["signing"]
    assert not any(secret in repr(settings) for secret in SECRETS.values())


names = st.sampled_from([b"X-Key-Id", b"x-key-id", b"X-Signature", b"X-Timestamp", b"X-Nonce", b"Host", b"Q"])
values = st.one_of(st.binary(max_size=12), st.sampled_from([b"ed25519", b"hmac-sha1", b"0", b"00" * 32]))
requests = st.builds(
    Request,
    st.binary(max_size=6),
    st.binary(max_size=20),
    headers=st.lists(st.tuples(names, values), max_size=8).map(tuple),
    body=st.binary(max_size=40),
)
SCHEME = scheme_of(SETTINGS)
SIGNS: Signs = SCHEME


@given(requests, st.sampled_from([None, *SECRETS]), st.one_of(st.none(), st.floats()))
def test_any_request_is_signed_verifiably_or_not_at_all(
    request: Request, key: str | None, at: float | None
) -> None:
    SCHEME.stated_time(request)
    SCHEME.verifies(request)
    signed = SCHEME.sign(request, key=key, at=at, nonce="n")
    if signed is not None:
        assert SCHEME.verifies(signed) is True
        assert SCHEME.key_id(signed) == (SCHEME.key_id(request) if key is None else key)
        assert SCHEME.sign(signed) == signed
