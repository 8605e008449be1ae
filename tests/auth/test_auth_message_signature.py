"""RFC 9421 against its own examples (appendix B.2) and against an independent library."""

import base64
import time
import warnings
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import http_message_signatures as independent
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from http_message_signatures.signatures import SignatureVerifyWarning
from hypothesis import given
from hypothesis import strategies as st

from shadow.auth import SigningKey, SigningSettings
from shadow.auth.message_signature import MessageScheme
from shadow.errors import ConfigError
from shadow.model import Headers, Request, Signs, field, with_field, without_field

SHARED = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
ED25519_PEM = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
PSS_PEM = """-----BEGIN PRIVATE KEY-----
MIIEvgIBADALBgkqhkiG9w0BAQoEggSqMIIEpgIBAAKCAQEAr4tmm3r20Wd/Pbqv
P1s2+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry5
3mm+oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7Oyr
FAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUA
AN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw
9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oy
c6XI2wIDAQABAoIBAQCUB8ip+kJiiZVKF8AqfB/aUP0jTAqOQewK1kKJ/iQCXBCq
pbo360gvdt05H5VZ/RDVkEgO2k73VSsbulqezKs8RFs2tEmU+JgTI9MeQJPWcP6X
aKy6LIYs0E2cWgp8GADgoBs8llBq0UhX0KffglIeek3n7Z6Gt4YFge2TAcW2WbN4
XfK7lupFyo6HHyWRiYHMMARQXLJeOSdTn5aMBP0PO4bQyk5ORxTUSeOciPJUFktQ
HkvGbym7KryEfwH8Tks0L7WhzyP60PL3xS9FNOJi9m+zztwYIXGDQuKM2GDsITeD
2mI2oHoPMyAD0wdI7BwSVW18p1h+jgfc4dlexKYRAoGBAOVfuiEiOchGghV5vn5N
RDNscAFnpHj1QgMr6/UG05RTgmcLfVsI1I4bSkbrIuVKviGGf7atlkROALOG/xRx
DLadgBEeNyHL5lz6ihQaFJLVQ0u3U4SB67J0YtVO3R6lXcIjBDHuY8SjYJ7Ci6Z6
vuDcoaEujnlrtUhaMxvSfcUJAoGBAMPsCHXte1uWNAqYad2WdLjPDlKtQJK1diCm
rqmB2g8QE99hDOHItjDBEdpyFBKOIP+NpVtM2KLhRajjcL9Ph8jrID6XUqikQuVi
4J9FV2m42jXMuioTT13idAILanYg8D3idvy/3isDVkON0X3UAVKrgMEne0hJpkPL
FYqgetvDAoGBAKLQ6JZMbSe0pPIJkSamQhsehgL5Rs51iX4m1z7+sYFAJfhvN3Q/
OGIHDRp6HjMUcxHpHw7U+S1TETxePwKLnLKj6hw8jnX2/nZRgWHzgVcY+sPsReRx
NJVf+Cfh6yOtznfX00p+JWOXdSY8glSSHJwRAMog+hFGW1AYdt7w80XBAoGBAImR
NUugqapgaEA8TrFxkJmngXYaAqpA0iYRA7kv3S4QavPBUGtFJHBNULzitydkNtVZ
3w6hgce0h9YThTo/nKc+OZDZbgfN9s7cQ75x0PQCAO4fx2P91Q+mDzDUVTeG30mE
t2m3S0dGe47JiJxifV9P3wNBNrZGSIF3mrORBVNDAoGBAI0QKn2Iv7Sgo4T/XjND
dl2kZTXqGAk8dOhpUiw/HdM3OGWbhHj2NdCzBliOmPyQtAr770GITWvbAI+IRYyF
S7Fnk6ZVVVHsxjtaHy1uJGFlaZzKR4AGNaUTOJMs6NadzCmGPAxNQQOCqoUjn4XR
rOjr9w349JooGXhOxbu8nOxX
-----END PRIVATE KEY-----
"""
"""The keys of RFC 9421, appendix B.1: anybody's."""


def pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


KEYS = (
    SigningKey("test-shared-secret", secret=SHARED, secret_encoding="base64"),
    SigningKey("test-key-ed25519", algorithm="ed25519", secret=ED25519_PEM),
    SigningKey("test-key-rsa-pss", algorithm="rsa-pss-sha512", secret=PSS_PEM),
    SigningKey(
        "own-p256", algorithm="ecdsa-p256-sha256", secret=pem(ec.generate_private_key(ec.SECP256R1()))
    ),
    SigningKey("own-rsa", algorithm="rsa-v1_5-sha256", secret=pem(rsa.generate_private_key(65537, 2048))),
)
SCHEME = MessageScheme(SigningSettings(scheme="rfc9421", keys=KEYS))
SIGNS: Signs = SCHEME
DIGEST = b"sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
PLAIN = Request(
    b"POST",
    b"/foo?param=Value&Pet=dog",
    headers=(
        (b"Host", b"example.com"),
        (b"Date", b"Tue, 20 Apr 2021 02:07:55 GMT"),
        (b"Content-Type", b"application/json"),
        (b"Content-Digest", DIGEST),
        (b"Content-Length", b"18"),
    ),
    body=b'{"hello": "world"}',
)
NOW = int(time.time())
"""The library goes by the clock, and nothing else."""


def with_signature(said: str, signature: str, request: Request = PLAIN, label: str = "sig") -> Request:
    lines = (
        (b"Signature-Input", f"{label}={said}".encode()),
        (b"Signature", f"{label}=:{signature}:".encode()),
    )
    return msgspec.structs.replace(request, headers=(*request.headers, *lines))


VECTORS = {
    "B.2.1 minimal, rsa-pss-sha512": with_signature(
        '();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
        "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsck"
        "zXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehh"
        "WwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhh"
        "o8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==",
    ),
    "B.2.2 selective, with a parameter of the query": with_signature(
        '("@authority" "content-digest" "@query-param";name="Pet");created=1618884473'
        ';keyid="test-key-rsa-pss";tag="header-example"',
        "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSow"
        "OB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcA"
        "oFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0Ro"
        "KUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==",
    ),
    "B.2.3 full coverage": with_signature(
        '("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length")'
        ';created=1618884473;keyid="test-key-rsa-pss"',
        "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768Zr"
        "CUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW"
        "91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJz"
        "SRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==",
    ),
    "B.2.5 hmac-sha256": with_signature(
        '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
    ),
    "B.2.6 ed25519": with_signature(
        '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473'
        ';keyid="test-key-ed25519"',
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
    ),
}


class Keys(independent.HTTPSignatureKeyResolver):
    """The keys, as the independent library asks for them."""

    def resolve_public_key(self, key_id: str) -> Any:
        private = self.resolve_private_key(key_id)
        return private if isinstance(private, bytes) else private.public_key()

    def resolve_private_key(self, key_id: str) -> Any:
        key = next(each for each in KEYS if each.id == key_id)
        if key.secret_encoding == "base64":
            return base64.b64decode(key.secret)
        return load_pem_private_key(key.secret.encode(), None)


ALGORITHMS = {
    "test-shared-secret": independent.algorithms.HMAC_SHA256,
    "test-key-ed25519": independent.algorithms.ED25519,
    "test-key-rsa-pss": independent.algorithms.RSA_PSS_SHA512,
    "own-p256": independent.algorithms.ECDSA_P256_SHA256,
    "own-rsa": independent.algorithms.RSA_V1_5_SHA256,
}


def verified_elsewhere(request: Request, key: str, url_scheme: str = "http", label: str = "sig") -> bool:
    """Whether the independent library takes the signature."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        text = value.decode("latin-1")
        known = name.decode().title()
        headers[known] = f"{headers[known]}, {text}" if known in headers else text
    message = SimpleNamespace(
        method=request.method.decode(),
        url=f"{url_scheme}://{headers['Host']}{request.target.decode()}",
        headers=headers,
    )
    verifier = ByLabel(signature_algorithm=ALGORITHMS[key], key_resolver=Keys())
    try:
        with warnings.catch_warnings(category=SignatureVerifyWarning, action="ignore"):
            verifier.verify(message, max_age=timedelta(days=36_500), expect_label=label)
    except independent.InvalidSignature:
        return False
    return True


class ByLabel(independent.HTTPMessageVerifier):
    """A verifier that is content with a label to choose by."""

    allow_label_only_selection = True


@pytest.mark.parametrize("name", VECTORS)
def test_examples_of_the_standard(name: str) -> None:
    request = VECTORS[name]
    assert SCHEME.verifies(request) is True
    assert SCHEME.sign(request) == request
    assert SCHEME.stated_time(request) == 1_618_884_473
    assert SCHEME.verifies(msgspec.structs.replace(request, body=b"{}")) is False, "the digest is wrong"


COVERED = (
    '("@method" "@target-uri" "@authority" "@scheme" "@request-target" "@path" "@query"'
    ' "@query-param";name="Pet" "content-type" "content-digest" "date";bs "x-list";sf "x-map";key="b")'
)
RICH = msgspec.structs.replace(
    PLAIN,
    headers=(*PLAIN.headers, (b"X-List", b"a,   b;x=1 ,  c"), (b"X-Map", b'a=1, b=(1 "two");q=2,  c')),
)


@pytest.mark.parametrize("url_scheme", ["http", "https"])
@pytest.mark.parametrize("key", list(ALGORITHMS))
def test_an_edited_request_is_signed_as_an_independent_library_verifies_it(key: str, url_scheme: str) -> None:
    scheme = MessageScheme(SigningSettings(scheme="rfc9421", keys=KEYS), url_scheme=url_scheme)
    algorithm = next(each.algorithm for each in KEYS if each.id == key)
    covered = COVERED.replace(' "x-list";sf', "")
    times = "created=1618884473;expires=1618884773"
    said = f'{covered};{times};nonce="n-1";keyid="{key}";alg="{algorithm}";tag="app"'
    recorded = with_signature(said, "AAAA", RICH)
    edited = msgspec.structs.replace(recorded, body=b'{"hello": "there"}', target=b"/bar?Pet=a%20cat~&x=1")
    made = scheme.sign(edited, at=NOW, nonce="n-2")
    assert made is not None
    assert scheme.verifies(made) is True
    assert verified_elsewhere(made, key, url_scheme)
    told = field(made.headers, b"signature-input") or b""
    assert b";created=%d;expires=%d;" % (NOW, NOW + 300) in told
    assert b'nonce="n-2"' in told
    assert field(made.headers, b"content-digest") != DIGEST
    for spoiled in (
        msgspec.structs.replace(made, target=b"/bar?Pet=a%20cat~&x=2"),
        msgspec.structs.replace(made, method=b"PUT"),
        msgspec.structs.replace(made, headers=with_field(made.headers, b"content-type", b"text/plain")),
    ):
        assert scheme.verifies(spoiled) is False
        assert not verified_elsewhere(spoiled, key, url_scheme)


def test_a_structured_field_is_covered_as_the_standard_writes_it() -> None:
    recorded = with_signature('("x-list";sf);created=1;keyid="test-shared-secret"', "AAAA", RICH)
    spaced = SCHEME.sign(recorded)
    plain = msgspec.structs.replace(recorded, headers=with_field(RICH.headers, b"x-list", b"a, b;x=1, c"))
    tight = SCHEME.sign(msgspec.structs.replace(plain, headers=(*plain.headers, *recorded.headers[-2:])))
    assert spaced is not None
    assert tight is not None
    assert field(spaced.headers, b"signature") == field(tight.headers, b"signature")


def test_what_the_independent_library_signs_is_recognised() -> None:
    headers = {name.decode(): value.decode() for name, value in PLAIN.headers}
    message = SimpleNamespace(
        method="POST", url="https://example.com/foo?param=Value&Pet=dog", headers=headers
    )
    signer = independent.HTTPMessageSigner(signature_algorithm=ALGORITHMS["own-p256"], key_resolver=Keys())
    signer.sign(
        message,
        key_id="own-p256",
        created=datetime.fromtimestamp(NOW),  # noqa: DTZ006 - the library wants it so
        label="theirs",
        covered_component_ids=("@method", "@target-uri", "content-digest"),
        use_existing_digest=True,
    )
    signed = (
        (b"signature-input", headers["Signature-Input"].encode()),
        (b"signature", headers["Signature"].encode()),
    )
    request = msgspec.structs.replace(PLAIN, headers=(*PLAIN.headers, *signed))
    assert SCHEME.key_id(request) == "own-p256"
    assert SCHEME.verifies(request) is True, "recorded behind TLS, though the target is not"
    made = SCHEME.sign(request, at=NOW - 60)
    assert made is not None
    assert verified_elsewhere(made, "own-p256", label="theirs")


def two_signatures(second: str = "test-key-ed25519") -> Request:
    first = SCHEME.sign(
        with_signature('("@method");created=1;keyid="test-shared-secret"', "AAAA", label="one")
    )
    assert first is not None
    lines = (
        (b"Signature-Input", f'two=("@path" "signature";key="one");created=5;keyid="{second}"'.encode()),
        (b"Signature", b"two=:AAAA:"),
    )
    made = SCHEME.sign(msgspec.structs.replace(first, headers=(*first.headers, *lines)))
    assert made is not None
    return made


def test_several_signatures_are_made_anew_in_their_order() -> None:
    made = SCHEME.sign(two_signatures(), at=101)
    assert made is not None
    told = field(made.headers, b"signature-input") or b""
    assert told.index(b"one=") < told.index(b"two=")
    assert b"created=101" in told
    assert b"created=105" in told, "all times move alike"
    assert verified_elsewhere(made, "test-shared-secret", label="one")
    assert verified_elsewhere(made, "test-key-ed25519", label="two")
    assert SCHEME.read(made, "signature") is None, "a service may be content with either"
    assert SCHEME.read(made, "key_id") == b"test-shared-secret"


def test_a_strangers_signature_beside_ours_stays_as_it_is() -> None:
    both = two_signatures("a stranger")
    made = SCHEME.sign(msgspec.structs.replace(both, method=b"PUT"), at=101)
    assert made is not None
    assert b"two=:AAAA:" in (field(made.headers, b"signature") or b"")
    assert verified_elsewhere(made, "test-shared-secret", label="one")


def test_a_strangers_signature_is_known_and_cannot_be_made() -> None:
    request = with_signature('();created=1;keyid="nobody"', "AAAA")
    assert SCHEME.key_id(request) == "nobody"
    assert SCHEME.verifies(request) is None
    assert SCHEME.sign(request, at=NOW) is None


def test_a_signature_without_a_key_id_is_of_the_key_that_fits() -> None:
    made = SCHEME.sign(with_signature("();created=1", "AAAA"), key="test-key-ed25519")
    assert made is not None
    assert SCHEME.key_id(made) == "test-key-ed25519"
    assert SCHEME.verifies(made) is True


def test_parts_are_read_and_put_where_they_stand() -> None:
    request = VECTORS["B.2.1 minimal, rsa-pss-sha512"]
    assert SCHEME.read(request, "nonce") == b"b3k2pp5k7z-50gnwp.yemd"
    assert SCHEME.read(request, "algorithm") is None
    assert SCHEME.places(request)["nonce"] == "Signature-Input"
    assert "algorithm" not in SCHEME.places(request)
    changed = SCHEME.put(request, "nonce", b'a "quoted" one')
    assert changed is not None
    assert SCHEME.read(changed, "nonce") == b'a "quoted" one'
    assert SCHEME.verifies(changed) is False
    assert field(SCHEME.bare(request).headers, b"signature-input") is None


def test_a_component_that_an_edit_took_away_is_no_longer_covered() -> None:
    request = VECTORS["B.2.5 hmac-sha256"]
    made = SCHEME.sign(
        msgspec.structs.replace(request, headers=without_field(request.headers, b"date")), at=NOW
    )
    assert made is not None
    assert verified_elsewhere(made, "test-shared-secret")


def test_an_unsigned_request_is_signed_as_the_settings_have_it() -> None:
    scheme = MessageScheme(
        SigningSettings(scheme="rfc9421", keys=KEYS, label="mine", components=("@method", "date", "x-none"))
    )
    made = scheme.sign(PLAIN, key="own-rsa", at=NOW, nonce="n")
    assert made is not None
    assert field(made.headers, b"signature-input") == (
        b'mine=("@method" "date");created=%d;keyid="own-rsa";nonce="n"' % NOW
    )
    assert verified_elsewhere(made, "own-rsa", label="mine")
    assert scheme.sign(PLAIN, at=NOW) is None


def test_a_parameter_of_the_query_that_occurs_twice_cannot_be_covered() -> None:
    request = with_signature(
        '("@query-param";name="a");created=1;keyid="test-shared-secret"',
        "AAAA",
        msgspec.structs.replace(PLAIN, target=b"/?a=1&a=2"),
    )
    made = SCHEME.sign(request)
    assert made is not None
    assert (field(made.headers, b"signature-input") or b"").startswith(b"sig=();")


def test_keys_are_checked() -> None:
    with pytest.raises(ConfigError, match="no private key in PEM for ecdsa-p256-sha256"):
        MessageScheme(
            SigningSettings(keys=(SigningKey("k", algorithm="ecdsa-p256-sha256", secret=ED25519_PEM),))
        )
    raw = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    scheme = MessageScheme(
        SigningSettings(keys=(SigningKey("k", algorithm="ed25519", secret=bytes(range(32)).hex()),))
    )
    made = scheme.sign(PLAIN, key="k", at=NOW)
    same = MessageScheme(SigningSettings(keys=(SigningKey("k", algorithm="ed25519", secret=pem(raw)),)))
    assert made is not None
    assert same.verifies(made) is True


pieces = st.sampled_from(
    [b"sig", b"=", b"(", b")", b'"@method"', b'"date"', b";", b"key", b'"', b"\\", b",", b":", b"AAAA", b" ",
     b"created=1", b'keyid="test-shared-secret"', b"*", b"\x00", b"\xff"]
)  # fmt: skip
texts = st.lists(pieces, max_size=14).map(b"".join)
headers_of: st.SearchStrategy[Headers] = st.tuples(texts, texts).map(
    lambda pair: ((b"Host", b"h"), (b"Signature-Input", pair[0]), (b"Signature", pair[1]))
)


@given(headers_of, st.one_of(st.none(), st.floats()))
def test_any_request_is_signed_verifiably_or_not_at_all(headers: Headers, at: float | None) -> None:
    request = Request(b"GET", b"/", headers=headers)
    SCHEME.stated_time(request)
    SCHEME.verifies(request)
    SCHEME.places(request)
    made = SCHEME.sign(request, at=at)
    if made is not None:
        assert SCHEME.verifies(made) is True
        assert SCHEME.sign(made) == made
