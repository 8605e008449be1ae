"""Mutants of signed requests against verifiers of others: each must fail there, and the unedited must pass.

Once with the service's key in the settings, once with no settings at all.
"""

import time
from collections.abc import Callable
from random import Random

import pytest

from mutators import CATALOG, Mutator
from shadow.auth import SigningKey, SigningSettings, signer_of
from shadow.model import Edit, Exchange, Expect, Known, Level, Request
from tests.mutators.verifiers import (
    SECRET,
    takes_amazon,
    takes_github,
    takes_message,
    takes_slack,
    takes_stripe,
)

NOW = int(time.time())
BODY = b'{"name": "x", "count": 12}'
SIGNER = signer_of(SigningSettings(keys=(SigningKey("main", secret=SECRET),)))
COVERED = b'("@method" "@path" "@query" "@authority" "x-extra" "content-digest")'
LINES = {
    "RFC 9421": (
        (b"Content-Digest", b"sha-256=:AAAA:"),
        (b"Signature-Input", b'sig=%b;created=%d;keyid="main";alg="hmac-sha256"' % (COVERED, NOW)),
        (b"Signature", b"sig=:AAAA:"),
    ),
    "SigV4": (
        (b"X-Amz-Date", b"20150830T123600Z"),
        (
            b"Authorization",
            (
                b"AWS4-HMAC-SHA256 Credential=main/20150830/r/s/aws4_request,"
                b" SignedHeaders=host;x-amz-date;x-extra, Signature=00"
            ),
        ),
    ),
    "Stripe": ((b"Stripe-Signature", b"t=1,v1=00"),),
    "Slack": ((b"X-Slack-Request-Timestamp", b"1"), (b"X-Slack-Signature", b"v0=00")),
    "GitHub": ((b"X-Hub-Signature-256", b"sha256=00"), (b"X-Hub-Signature", b"sha1=00")),
}
TAKES: dict[str, Callable[[Request], bool]] = {
    "RFC 9421": takes_message,
    "SigV4": takes_amazon,
    "Stripe": takes_stripe,
    "Slack": takes_slack,
    "GitHub": takes_github,
}
KEYLESS = {"RFC 9421": 24, "SigV4": 19, "Stripe": 16, "Slack": 16, "GitHub": 14}
"""At least so many mutators find something to edit where nothing is configured."""
DENIED = [one for one in CATALOG if one.level is Level.AUTH and one.expect is Expect.REJECT]


def signed(name: str, target: bytes = b"/v1/x?a=1", body: bytes = BODY) -> Request:
    assert SIGNER is not None
    headers = ((b"Host", b"api.test"), (b"X-Extra", b"7"), *LINES[name])
    bare = Request(b"POST", target, headers=headers, body=body)
    made = SIGNER.sign(bare, key="main", at=NOW if SIGNER.stated_time(bare) is not None else None)
    assert made is not None
    return made


def edits(one: Mutator, name: str, *, is_configured: bool) -> list[Edit]:
    others = (Exchange(0, "har", "s", NOW, signed(name, b"/v1/other", b'{"name": "other"}')),)
    known = Known(signer=SIGNER if is_configured else None, others=others)
    made = (one(signed(name), Random(seed), known) for seed in range(20))
    return [edit for edit in made if edit is not None]


@pytest.mark.parametrize("name", LINES)
def test_the_unedited_request_is_taken(name: str) -> None:
    assert TAKES[name](signed(name))


@pytest.mark.parametrize("is_configured", [True, False], ids=["with the key", "with nothing"])
@pytest.mark.parametrize("one", DENIED, ids=lambda one: one.name)
def test_what_must_be_denied_is_denied_by_a_verifier_of_others(one: Mutator, *, is_configured: bool) -> None:
    for name, takes in TAKES.items():
        taken = [edit.what for edit in edits(one, name, is_configured=is_configured) if takes(edit.request)]
        assert not taken, name


@pytest.mark.parametrize("name", LINES)
def test_most_need_no_settings(name: str) -> None:
    made = {one.name for one in DENIED if edits(one, name, is_configured=False)}
    assert len(made) >= KEYLESS[name], sorted(made)


@pytest.mark.parametrize("one", DENIED, ids=lambda one: one.name)
def test_what_nothing_states_counts_only_where_the_live_release_refuses_it(one: Mutator) -> None:
    for name in LINES:
        assert not any(edit.is_stated for edit in edits(one, name, is_configured=False)), name
        assert all(edit.is_stated for edit in edits(one, name, is_configured=True)), name


def test_a_reading_that_may_be_public_is_not_expected_to_need_its_signature() -> None:
    by_name = {one.name: one for one in DENIED}
    read = signed("SigV4")
    read = Request(b"GET", read.target, headers=read.headers)
    assert by_name["unsigned"](read, Random(1), Known()) is None
    assert by_name["unsigned"](read, Random(1), Known(signer=SIGNER)) is not None
