"""Signature mutators against a strict verifier, and against the same verifier with one defect each."""

import hashlib
from collections.abc import Iterable
from random import Random
from types import ModuleType

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutators import signature, signature_scope, signature_transplant, signing_key
from mutators._contract import Mutator
from shadow.auth import CanonicalScheme, SigningKey, SigningSettings
from shadow.auth.algorithms import ALGORITHMS
from shadow.auth.encoding import decode
from shadow.model import Edit, Exchange, Expect, Identity, Known, Request, field, fields

NOW = 1_700_000_000
NAMES = {
    "key_id": "X-Key-Id",
    "algorithm": "X-Algorithm",
    "timestamp": "X-Timestamp",
    "nonce": "X-Nonce",
    "body_digest": "X-Content-SHA256",
    "signature": "X-Signature",
}
KEYS = tuple(
    SigningKey(id=f"{name}-{n}", algorithm=name, secret=f"{n}{at}" * 32, status=status)
    for at, name in enumerate(("hmac-sha256", "ed25519", "secp256k1-recoverable"))
    for n, status in ((1, "active"), (2, "active"), (3, "revoked"))
)
SETTINGS = msgspec.convert({**NAMES, "keys": KEYS}, SigningSettings)
SCHEME = CanonicalScheme(SETTINGS)
OWNERS = ("hmac-sha256-1", "ed25519-1", "secp256k1-recoverable-1")


def catalogue(*modules: ModuleType) -> dict[str, Mutator]:
    return {m.name: m for module in modules for m in vars(module).values() if isinstance(m, Mutator)}


MUTATORS = catalogue(signature, signature_scope, signature_transplant, signing_key)


def signed_request(
    method: bytes, target: bytes, key: str = OWNERS[0], body: bytes = b"", at: float = NOW
) -> Request:
    bare = Request(method, target, headers=((b"Host", b"api.test"), (b"Accept", b"*/*")), body=body)
    made = SCHEME.sign(bare, key=key, at=at, nonce=hashlib.sha256(target + body).hexdigest()[:16])
    assert made is not None
    return made


BODY = b'{"name": "a name that is longer than thirty-two bytes", "n": 1}'
LISTING = signed_request(b"GET", b"/v1/instances?limit=5&status=x")
CREATE = signed_request(b"POST", b"/v1/instances", body=BODY)
OTHERS = tuple(
    Exchange(i, "pcap", "s", NOW - 9_999, signed_request(method, target, key, body, NOW - 9_999))
    for i, (method, target, key, body) in enumerate(
        (
            (b"GET", b"/v1/instances/7", OWNERS[0], b""),
            (b"POST", b"/v1/dns", OWNERS[0], b"{}"),
            (b"POST", b"/v1/instances/9/start", OWNERS[1], b"{}"),
            (b"GET", b"/v1/usage", OWNERS[2], b""),
        )
    )
)
KNOWN = Known(others=OTHERS, signer=SCHEME)


class Service:
    """A verifier written after the scheme's description; `defects` switch single checks off."""

    def __init__(self, *defects: str) -> None:
        self.defects = defects
        self.heads: dict[bytes, bytes] = {}

    def one(self, request: Request, part: str) -> bytes | None:
        values = list(fields(request.headers, NAMES[part].lower().encode()))
        if len(values) == 1 or (values and "last duplicate wins" in self.defects):
            return values[-1]
        return None

    def accepts(self, request: Request) -> bool:
        said = {part: self.one(request, part) for part in NAMES}
        if "missing signature" in self.defects and said["signature"] is None:
            return True
        if any(value is None for value in said.values()):
            return False
        stated = {part: value or b"" for part, value in said.items()}
        if "algorithm none" in self.defects and stated["algorithm"] == b"none":
            return True
        return self.is_fresh(stated["timestamp"]) and self.is_proven(request, stated)

    def is_fresh(self, timestamp: bytes) -> bool:
        try:
            age = NOW - int(timestamp)
        except ValueError:
            return False
        return (age < 300 or "expired" in self.defects) and (age > -300 or "future" in self.defects)

    def is_proven(self, request: Request, stated: dict[str, bytes]) -> bool:
        digest = hashlib.sha256(request.body).hexdigest().encode()
        trusted = self.heads.setdefault(stated["body_digest"], request.body[:32]) == request.body[:32]
        if "digest of the header" in self.defects or ("first 32 bytes" in self.defects and trusted):
            digest = stated["body_digest"]
        elif stated["body_digest"] != digest:
            return False
        claimed = field(request.headers, b"x-original-url") if "override" in self.defects else None
        path, _, query = (claimed or request.target).partition(b"?")
        covered = {
            "method": request.method,
            "path": path,
            "query": b"&".join(sorted(query.split(b"&"))),
            "timestamp": stated["timestamp"],
            "nonce": stated["nonce"],
            "body": digest,
            "host": field(request.headers, b"host") or b"",
        }
        usable = [key for key in KEYS if key.status == "active" or "revoked" in self.defects]
        stating = [key for key in usable if key.id.encode() == stated["key_id"]]
        if not stating:
            return False
        candidates = usable if "any key" in self.defects else stating
        return any(
            key.algorithm.encode() == stated["algorithm"]
            and self.matches(key, b"\n".join(covered.values()), stated["signature"])
            for key in candidates
        )

    def matches(self, key: SigningKey, message: bytes, given: bytes) -> bool:
        secret = bytes.fromhex(key.secret)
        if key.algorithm == "hmac-sha256":
            expected = ALGORITHMS[key.algorithm].sign(secret, message).hex().encode()
            if "prefix" in self.defects:
                return bool(given) and expected.startswith(given)
            return given[:8] == expected[:8] if "first digits" in self.defects else given == expected
        raw = decode(given, "hex")
        return raw is not None and ALGORITHMS[key.algorithm].verify(secret, message, raw)


class Uncovering(Service):
    """The same service and its clients, who leave one part out of what the service checks."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self.part = part

    def accepts(self, request: Request) -> bool:
        """Accepts a signature over any value of `part`: the service does not look at it."""
        tried = [request, *self.varied(request)]
        return any(super(Uncovering, self).accepts(one) for one in tried)

    def varied(self, request: Request) -> Iterable[Request]:
        replace = msgspec.structs.replace
        match self.part:
            case "method":
                return [
                    replace(request, method=m)
                    for m in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE")
                ]
            case "path":
                return [replace(request, target=request.target.replace(b"instances", b"instances0"))]
            case "query":
                return [replace(request, target=t) for t in (b"/v1/instances", b"/v1/instances?limit=1")]
            case _:
                names = [(k, b"other.invalid" if k == b"Host" else v) for k, v in request.headers]
                return [replace(request, headers=tuple(names))]


def mutants(name: str, requests: Iterable[Request], known: Known = KNOWN, attempts: int = 30) -> list[Edit]:
    found = (MUTATORS[name](request, Random(n), known) for request in requests for n in range(attempts))
    return [edit for edit in found if edit is not None]


REQUESTS = [
    *(signed_request(b"GET", b"/v1/instances?limit=5&status=x", key) for key in OWNERS),
    *(signed_request(b"POST", b"/v1/instances", key, BODY) for key in OWNERS),
]
REJECTED = [name for name, one in MUTATORS.items() if one.expect is Expect.REJECT]


def test_strict_service_accepts_the_requests_themselves() -> None:
    assert all(Service().accepts(request) for request in REQUESTS)


@pytest.mark.parametrize("name", REJECTED)
def test_strict_service_rejects_every_mutant_that_must_be_rejected(name: str) -> None:
    made = mutants(name, REQUESTS)
    assert made, "the mutator found nothing to edit in any request"
    assert not [edit.what for edit in made if Service().accepts(edit.request)]
    assert not any(edit.signs_again for edit in made)


@pytest.mark.parametrize(
    ("service", "name"),
    [
        (Service("missing signature"), "signature_dropped"),
        (Service("missing signature"), "unsigned"),
        (Service("digest of the header"), "digest_of_other_body"),
        (Service("digest of the header"), "body_changed_after_signing"),
        (Service("first 32 bytes"), "body_changed_after_signing"),
        (Service("first 32 bytes"), "body_extended_after_signing"),
        (Service("override"), "signature_for_path_in_override"),
        (Service("algorithm none"), "algorithm_none"),
        (Service("algorithm none"), "algorithm_none_unsigned"),
        (Service("prefix"), "signature_truncated"),
        (Service("first digits"), "signature_tail_changed"),
        (Service("last duplicate wins"), "signature_field_doubled"),
        (Service("expired"), "expired_timestamp"),
        (Service("future"), "future_timestamp"),
        (Service("revoked"), "revoked_key"),
        (Service("any key"), "signed_by_key_of_another"),
        (Service("any key"), "key_of_another_stated"),
        (Uncovering("method"), "signature_for_other_method"),
        (Uncovering("path"), "signature_for_other_path"),
        (Uncovering("query"), "signature_for_other_query"),
        (Uncovering("host"), "signature_for_other_host"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "part", None) or value.defects[0],
)
def test_defect_lets_a_mutant_through(service: Service, name: str) -> None:
    assert all(service.accepts(request) for request in REQUESTS)
    assert any(service.accepts(edit.request) for edit in mutants(name, REQUESTS))


def test_signature_for_another_last_byte_is_sent_with_the_body_itself() -> None:
    edit = MUTATORS["signature_for_other_body_end"](CREATE, Random(0), KNOWN)
    assert edit is not None
    other = SCHEME.sign(msgspec.structs.replace(CREATE, body=BODY[:-1] + b"|"))
    assert SCHEME.verifies(edit.request) is False
    assert other is not None
    assert field(edit.request.headers, b"x-signature") == field(other.headers, b"x-signature")
    assert edit.request.body == BODY


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("signature_for_other_method", ("path", "query", "body_digest", "timestamp", "nonce", "host")),
        ("signature_for_other_path", ("method", "query", "body_digest", "timestamp", "nonce", "host")),
        ("signature_for_other_query", ("method", "path", "body_digest", "timestamp", "nonce", "host")),
        ("signature_for_other_body", ("method", "path", "query", "timestamp", "nonce", "host")),
        ("signature_for_other_body_end", ("method", "path", "query", "timestamp", "nonce", "host")),
        ("body_extended_after_signing", ("method", "path", "query", "timestamp", "nonce", "host")),
        ("body_changed_after_signing", ("method", "path", "query", "timestamp", "nonce", "host")),
        ("signature_for_other_host", ("method", "path", "query", "body_digest", "timestamp", "nonce")),
        ("signature_for_other_time", ("method", "path", "query", "body_digest", "nonce", "host")),
        ("signature_for_other_nonce", ("method", "path", "query", "body_digest", "timestamp", "host")),
    ],
)
def test_part_that_the_scheme_leaves_out_is_not_expected_to_be_covered(
    name: str, canonical: tuple[str, ...]
) -> None:
    scheme = CanonicalScheme(msgspec.structs.replace(SETTINGS, canonical=canonical))
    request = scheme.sign(CREATE)
    assert request is not None
    assert MUTATORS[name](request, Random(1), Known(signer=scheme)) is None
    assert MUTATORS[name](CREATE, Random(1), KNOWN) is not None


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (b'{"a": "xyz"}', [b'{"a": "xya"}']),
        (b'{"a": 19, "b": [true, 28]}', [b'{"a": 11, "b": [true, 28]}', b'{"a": 19, "b": [true, 29]}']),
        (b'{"key": true, "c": 5}', []),
        (b"a=12&b=", [b"a=13&b="]),
    ],
)
def test_changed_body_still_means_something(body: bytes, changed: list[bytes]) -> None:
    request = signed_request(b"POST", b"/v1/x", body=body)
    assert {edit.request.body for edit in mutants("body_changed_after_signing", [request])} == set(changed)


@pytest.mark.parametrize("name", MUTATORS)
@pytest.mark.parametrize(
    ("request_", "known"),
    [
        pytest.param(Request(b"GET", b"/"), KNOWN, id="not signed"),
        pytest.param(LISTING, Known(), id="no scheme"),
        pytest.param(
            LISTING,
            msgspec.structs.replace(KNOWN, identities=(Identity("anyone", may=("GET /v1/*",)),)),
            id="open to anybody",
        ),
    ],
)
def test_nothing_to_edit_is_none(name: str, request_: Request, known: Known) -> None:
    assert MUTATORS[name](request_, Random(1), known) is None


def test_key_without_secret_leaves_the_mutators_of_the_value_at_work() -> None:
    scheme = CanonicalScheme(msgspec.structs.replace(SETTINGS, keys=()))
    known = Known(signer=scheme, others=OTHERS)
    working = {name for name in MUTATORS if mutants(name, REQUESTS, known, attempts=3)}
    assert {"unsigned", "signature_bit_flipped", "unknown_key", "algorithm_none"} <= working
    assert "signature_of_other_request" in working, "a recorded signature needs no key"
    assert not working & {"revoked_key", "expired_timestamp", "signature_for_other_path"}


@pytest.mark.parametrize("name", MUTATORS)
def test_reason_says_why_with_its_source(name: str) -> None:
    reason = MUTATORS[name].reason
    assert len(reason) > 40
    if MUTATORS[name].expect is Expect.REJECT:
        assert any(source in reason for source in ("RFC", "CWE", "CVE", "OWASP", "NIST", "BIP"))


words = st.sampled_from(
    [b"X-Signature", b"x-signature", b"X-Key-Id", b"X-Timestamp", b"X-Nonce", b"X-Algorithm"]
)
hostile = st.builds(
    Request,
    st.sampled_from([b"GET", b"POST", b"", b"\xff"]),
    st.one_of(st.binary(max_size=12), st.just(b"/v1/instances?a")),
    headers=st.lists(
        st.tuples(
            words, st.one_of(st.binary(max_size=90), st.sampled_from([b"0" * 130, b"ed25519-1", b"5"]))
        ),
        max_size=7,
    ).map(tuple),
    body=st.binary(max_size=50),
)


@settings(max_examples=150)
@given(st.one_of(hostile, st.sampled_from(REQUESTS)), st.integers(0, 99))
def test_any_request_gives_the_same_mutant_twice_and_never_raises(request: Request, seed: int) -> None:
    for one in MUTATORS.values():
        edit = one(request, Random(seed), KNOWN)
        assert edit == one(request, Random(seed), KNOWN)
        if edit is not None:
            assert edit.request != request
            assert edit.what


@settings(max_examples=60)
@given(st.sampled_from(REQUESTS), st.integers(0, 10**9), st.sampled_from(REJECTED))
def test_strict_service_rejects_whatever_the_dice_say(request: Request, seed: int, name: str) -> None:
    edit = MUTATORS[name](request, Random(seed), KNOWN)
    assert edit is None or not Service().accepts(edit.request)
