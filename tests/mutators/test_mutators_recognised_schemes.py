"""Mutators of signatures over the schemes that requests show by themselves: a strict service denies each."""

import hmac
import re
from hashlib import sha256
from random import Random

import msgspec
import pytest

from mutators import CATALOG, Mutator
from mutators.signature import signature_field_doubled, unsigned
from shadow.auth import SigningKey, SigningSettings, signer_of
from shadow.model import Edit, Exchange, Expect, Known, Level, Request

NOW = 1_700_000_000
SECRET = "a secret of a service"
SIGNER = signer_of(
    SigningSettings(
        keys=(
            SigningKey("main", secret=SECRET),
            SigningKey("other", secret="another secret"),
            SigningKey("gone", secret="a third secret", status="revoked"),
        )
    )
)
assert SIGNER is not None
BODY = b'{"name": "x", "count": 12}'
HOST = (b"Host", b"api.test")


def signed(*lines: tuple[bytes, bytes], target: bytes = b"/v1/x?a=1", key: str = "main") -> Request:
    """The request with a true signature in the place of the one in `lines`."""
    assert SIGNER is not None
    bare = Request(b"POST", target, headers=(HOST, *lines), body=BODY)
    made = SIGNER.sign(bare, key=key, at=NOW if SIGNER.stated_time(bare) is not None else None)
    assert made is not None
    assert SIGNER.verifies(made) is True
    return made


def amazon(key: str) -> bytes:
    return (
        b"AWS4-HMAC-SHA256 Credential=%b/20150830/r/s/aws4_request, SignedHeaders=host;x-amz-date,"
        b" Signature=00" % key.encode()
    )


def message(key: str) -> bytes:
    said = (
        b'sig=("@method" "@target-uri" "content-digest" "@authority");created=1;nonce="n-1";keyid="%b"'
        b';alg="hmac-sha256"'
    )
    return said % key.encode()


SCOPES = re.compile(rb"/r/s3?/aws4_request")
COMPONENTS = (b'"@method"', b'"@target-uri"', b'"content-digest"', b'"@authority"')
DIGEST = (b"Content-Digest", b"sha-256=:AAAA:")
REQUESTS = {
    "SigV4": signed((b"X-Amz-Date", b"20150830T123600Z"), (b"Authorization", amazon("main"))),
    "SigV4 of S3": signed(
        (b"X-Amz-Date", b"20150830T123600Z"),
        (b"X-Amz-Content-Sha256", b"00"),
        (b"Authorization", amazon("main").replace(b"/r/s/", b"/r/s3/")),
    ),
    "presigned": signed(
        target=b"/v1/x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=main%2F20150830%2Fr%2Fs%2Faws4_request"
        b"&X-Amz-Date=20150830T123600Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
    ),
    "RFC 9421": signed(DIGEST, (b"Signature-Input", message("main")), (b"Signature", b"sig=:AAAA:")),
    "Stripe": signed((b"Stripe-Signature", b"t=1,v1=00")),
    "Slack": signed((b"X-Slack-Request-Timestamp", b"1"), (b"X-Slack-Signature", b"v0=00")),
    "GitHub": signed((b"X-Hub-Signature-256", b"sha256=00")),
}
OTHERS = tuple(
    Exchange(at, "har", "s", NOW, msgspec.structs.replace(request))
    for at, request in enumerate(
        (
            signed(
                (b"X-Amz-Date", b"20150830T123600Z"),
                (b"Authorization", amazon("other")),
                target=b"/v1/y",
                key="other",
            ),
            signed(
                DIGEST,
                (b"Signature-Input", message("main")),
                (b"Signature", b"sig=:AAAA:"),
                target=b"/v1/z",
            ),
        )
    )
)
KNOWN = Known(signer=SIGNER, others=OTHERS)
DENIED = tuple(one for one in CATALOG if one.level is Level.AUTH and one.expect is Expect.REJECT)
MADE = {
    "SigV4": 18,
    "SigV4 of S3": 18,
    "presigned": 14,
    "RFC 9421": 18,
    "Stripe": 11,
    "Slack": 11,
    "GitHub": 8,
}
"""At least so many mutators find something to edit."""


def is_accepted(request: Request) -> bool:
    """Whether a service with the keys, a clock and five minutes of patience takes it."""
    assert SIGNER is not None
    if SIGNER.verifies(request) is not True or SIGNER.key_id(request) in SIGNER.revoked_keys():
        return False
    said = b" ".join(value for _, value in request.headers) + request.target.replace(b"%2F", b"/")
    if b"aws4_request" in said and (b"SignedHeaders=x-amz" in said or not SCOPES.search(said)):
        return False  # not for this host, or for another service or region
    if b"X-Amz-Expires=604801" in said:
        return False
    if b"sig=(" in said and not all(name in said for name in COMPONENTS):
        return False
    at = SIGNER.stated_time(request)
    patience = 604_800 if b"X-Amz-Expires=604800" in request.target else 300
    return at is None or abs(NOW - at) <= 300 or 0 <= NOW - at <= patience


def edits(mutator: Mutator, request: Request) -> list[Edit]:
    made = (mutator(request, Random(seed), KNOWN) for seed in range(12))
    return [edit for edit in made if edit is not None]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_strict_service_denies_every_mutant(name: str) -> None:
    request = REQUESTS[name]
    assert is_accepted(request)
    made = {mutator.name: edits(mutator, request) for mutator in DENIED}
    accepted = [
        (mutator, edit.what) for mutator, found in made.items() for edit in found if is_accepted(edit.request)
    ]
    assert not accepted
    assert sum(bool(found) for found in made.values()) >= MADE[name], made


@pytest.mark.parametrize("name", REQUESTS)
def test_mutants_reach_the_service_as_they_are(name: str) -> None:
    for mutator in DENIED:
        for edit in edits(mutator, REQUESTS[name]):
            assert not edit.signs_again, mutator.name


@pytest.mark.parametrize("name", ["SigV4", "presigned", "RFC 9421", "Stripe"])
def test_a_signature_that_shares_its_field_is_not_sent_twice(name: str) -> None:
    assert not edits(signature_field_doubled, REQUESTS[name])


@pytest.mark.parametrize("name", REQUESTS)
def test_an_unsigned_request_bears_no_part_of_a_signature(name: str) -> None:
    assert SIGNER is not None
    for edit in edits(unsigned, REQUESTS[name]):
        assert SIGNER.key_id(edit.request) is None
        assert b"X-Amz-Signature" not in edit.request.target


def test_one_of_several_signatures_is_left_alone() -> None:
    both = signed(
        DIGEST,
        (b"Signature-Input", message("main") + b', b=("@method");created=1;keyid="other"'),
        (b"Signature", b"sig=:AAAA:, b=:AAAA:"),
    )
    names = {mutator.name for mutator in DENIED if edits(mutator, both)}
    assert not {name for name in names if name.startswith("signature_")}


def test_the_service_of_this_test_can_say_no() -> None:
    request = REQUESTS["GitHub"]
    wrong = hmac.new(b"x", BODY, sha256).hexdigest().encode()
    spoiled = msgspec.structs.replace(request, headers=(HOST, (b"X-Hub-Signature-256", b"sha256=" + wrong)))
    assert not is_accepted(spoiled)
