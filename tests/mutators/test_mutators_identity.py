"""Permission mutators against a service with tenants and roles, and against the configuration's own words."""

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutators import identity
from mutators._contract import Mutator
from mutators._resource import is_id, resource_of
from shadow.auth.identity import allows, owner_of
from shadow.model import Edit, Exchange, Expect, Identity, Known, Request, Response

MUTATORS = {one.name: one for one in vars(identity).values() if isinstance(one, Mutator)}


def who(name: str, role: str, rank: int, tenant: str, *may: str) -> Identity:
    key = ((b"X-Api-Key", b"key-of-" + name.encode()),)
    return Identity(name, role, rank, headers=key, may=may or None, tenant=tenant)


READER = who("reader-a", "reader", 10, "a", "GET *")
OPERATOR = who("operator-a", "operator", 20, "a", "GET *", "POST */start")
OWNER = who("owner-a", "owner", 40, "a", "*")
OTHER = who("owner-b", "owner", 40, "b", "*")
OTHER_READER = who("reader-b", "reader", 10, "b", "GET *")
ADMIN = who("admin", "admin", 50, "", "GET *")
UNSAID = who("unsaid", "odd", 5, "a")
ANYBODY = Identity("anybody", may=("GET /health", "GET /v1/public/*"))
EVERYBODY = (READER, OPERATOR, OWNER, OTHER, OTHER_READER, ADMIN, UNSAID, ANYBODY)


def asked(by: Identity, method: bytes, target: bytes, body: bytes = b"") -> Request:
    return Request(method, target, headers=((b"Host", b"h"), *by.headers), body=body)


def exchange(by: Identity, method: bytes, target: bytes, status: int = 200) -> Exchange:
    return Exchange(0, "pcap", "s", 0.0, asked(by, method, target), Response(status))


OTHERS = (
    exchange(OTHER, b"GET", b"/v1/x/70"),
    exchange(OTHER, b"POST", b"/v1/x/71/start"),
    exchange(OTHER, b"GET", b"/v1/x/72", 404),
    exchange(OTHER, b"GET", b"/v1/x/73"),
    exchange(OWNER, b"GET", b"/v1/x/73/metrics"),
    exchange(OWNER, b"GET", b"/v1/x/5"),
    exchange(OTHER_READER, b"GET", b"/v1/x/74"),
)


def known_for(owner: Identity | None, others: tuple[Exchange, ...] = OTHERS) -> Known:
    return Known(others=others, identities=EVERYBODY, owner=owner)


def mutants(
    name: str, owner: Identity, request: Request, others: tuple[Exchange, ...] = OTHERS
) -> list[Edit]:
    found = (MUTATORS[name](request, Random(n), known_for(owner, others)) for n in range(40))
    return [edit for edit in found if edit is not None]


def askers(edits: list[Edit]) -> set[str]:
    owners = (owner_of(edit.request, EVERYBODY, None) for edit in edits)
    return {owner.name if owner else "nobody" for owner in owners}


START, STOP, READ, LIST = (
    (b"POST", b"/v1/x/5/start"),
    (b"POST", b"/v1/x/5/stop"),
    (b"GET", b"/v1/x/5?full=1"),
    (b"GET", b"/v1/x"),
)


@pytest.mark.parametrize(
    ("name", "owner", "what", "expected"),
    [
        ("as_anonymous", OWNER, STOP, {"nobody"}),
        ("as_anonymous", OWNER, LIST, {"nobody"}),
        ("as_anonymous", OWNER, (b"GET", b"/health"), set()),
        ("as_lower_rank", OWNER, STOP, {"reader-a", "operator-a"}),
        ("as_lower_rank", OWNER, START, {"reader-a"}),
        ("as_lower_rank", OPERATOR, START, {"reader-a"}),
        ("as_lower_rank", OWNER, READ, set()),
        ("as_lower_rank", READER, STOP, set()),
        ("as_role_without_permission", OWNER, STOP, {"admin"}),
        ("as_role_without_permission", READER, STOP, {"operator-a"}),
        ("as_role_without_permission", OWNER, READ, set()),
        ("as_other_tenant", OWNER, READ, {"owner-b", "reader-b"}),
        ("as_other_tenant", READER, READ, {"owner-b", "reader-b"}),
        ("as_other_tenant", OWNER, LIST, set()),
        ("as_other_tenant", OWNER, (b"POST", b"/v1/x"), set()),
        ("as_other_tenant", OWNER, (b"GET", b"/v1/public/7"), set()),
        ("as_other_tenant", ADMIN, READ, set()),
        (
            "as_other_identity",
            OWNER,
            LIST,
            {"reader-a", "operator-a", "owner-b", "reader-b", "admin", "unsaid"},
        ),
    ],
)
def test_who_is_sent_in_the_owners_place(
    name: str, owner: Identity, what: tuple[bytes, bytes], expected: set[str]
) -> None:
    edits = mutants(name, owner, asked(owner, *what))
    assert askers(edits) == expected
    assert all(edit.request.target == what[1] for edit in edits)


def test_lower_rank_of_the_own_tenant_comes_before_strangers() -> None:
    edits = mutants("as_lower_rank", OWNER, asked(OWNER, *STOP))
    assert "reader-b" not in askers(edits)


def test_resource_that_the_traffic_shows_to_be_shared_is_not_closed() -> None:
    shared = (exchange(OTHER, b"GET", b"/v1/x/5/metrics"),)
    assert askers(mutants("as_other_tenant", OWNER, asked(OWNER, *READ), shared)) == set()
    refused = (exchange(OTHER, b"GET", b"/v1/x/5/metrics", 404),)
    assert askers(mutants("as_other_tenant", OWNER, asked(OWNER, *READ), refused)) == {"owner-b", "reader-b"}


def test_id_of_another_tenant_is_one_that_it_reached_and_the_owner_did_not() -> None:
    targets = {edit.request.target for edit in mutants("id_of_other_tenant", OWNER, asked(OWNER, *READ))}
    assert targets == {b"/v1/x/70?full=1", b"/v1/x/71?full=1"}
    targets = {edit.request.target for edit in mutants("id_of_other_tenant", READER, asked(READER, *START))}
    assert targets == {b"/v1/x/70/start", b"/v1/x/71/start", b"/v1/x/74/start"}
    assert not mutants("id_of_other_tenant", ADMIN, asked(ADMIN, *READ))
    assert not mutants("id_of_other_tenant", OWNER, asked(OWNER, b"GET", b"/v1/y/5"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"id": 5, "n": 55}', {b'{"id": 70, "n": 55}', b'{"id": 71, "n": 55}'}),
        (b'{"id": "5"}', {b'{"id": "70"}', b'{"id": "71"}'}),
        (b"id=5&x=1", {b"id=70&x=1", b"id=71&x=1"}),
        (b'{"name": "55"}', set()),
        (b"", set()),
    ],
)
def test_body_that_names_the_paths_resource_names_anothers(body: bytes, expected: set[bytes]) -> None:
    request = asked(OWNER, b"PATCH", b"/v1/x/5", body)
    assert {edit.request.body for edit in mutants("body_id_of_other_tenant", OWNER, request)} == expected


def test_body_without_an_id_is_given_one_for_both_versions_to_agree() -> None:
    request = asked(OWNER, b"PATCH", b"/v1/x/5", b'{"n": 1}')
    bodies = {edit.request.body for edit in mutants("body_id_added", OWNER, request)}
    assert bodies == {b'{"id": 70, "n": 1}', b'{"id": 71, "n": 1}'}
    for body in (b"[1]", b'{"id": 5}', b"", b"{}"):
        assert not mutants("body_id_added", OWNER, asked(OWNER, b"PATCH", b"/v1/x/5", body))


@pytest.mark.parametrize(
    ("segment", "answer"),
    [
        (b"7", True),
        (b"0f8fad5b-d9cb-469f-a165-70867728950e", True),
        (b"0x52908400098527886E0F7030069857D2E4169EE7", True),
        (b"inst-7", True),
        (b"vm_12ab", True),
        (b"01ARZ3NDEKTSV4RRFFQ69G5FAV", True),
        (b"v1", False),
        (b"v2beta1", False),
        (b"2024-01-31", False),
        (b"instances", False),
        (b"user-settings", False),
        (b"", False),
        (b"\xff7", False),
    ],
)
def test_ids_are_told_by_their_looks(segment: bytes, answer: bool) -> None:
    assert is_id(segment) is answer


@pytest.mark.parametrize(
    ("target", "resource"),
    [
        (b"/v1/x/7/start?y=8", b"/v1/x/7"),
        (b"/v1/x/7/grants/0xab", b"/v1/x/7/grants/0xab"),
        (b"/v1/x", None),
        (b"/v1/x?id=7", None),
    ],
)
def test_resource_is_the_path_up_to_its_last_id(target: bytes, resource: bytes | None) -> None:
    assert resource_of(Request(b"GET", target)) == resource


@pytest.mark.parametrize("name", MUTATORS)
def test_without_an_owner_there_is_nothing_to_expect(name: str) -> None:
    assert MUTATORS[name](asked(OWNER, *STOP), Random(1), known_for(None)) is None


@pytest.mark.parametrize("name", MUTATORS)
def test_reason_says_why_with_its_source(name: str) -> None:
    assert MUTATORS[name].expect is not Expect.REJECT or "OWASP" in MUTATORS[name].reason


targets = st.one_of(
    st.binary(max_size=20), st.sampled_from([b"/v1/x/5", b"/v1/x/5/start", b"/v1/x", b"/v1/x/5/y/6?q"])
)
requests = st.builds(
    asked,
    st.sampled_from(EVERYBODY),
    st.sampled_from([b"GET", b"POST", b"PATCH", b"DELETE", b"\xff"]),
    targets,
    st.one_of(st.binary(max_size=20), st.sampled_from([b'{"id": 5}', b'{"n": 1}'])),
)


@given(requests, st.sampled_from([None, *EVERYBODY]), st.integers(0, 99), st.lists(requests, max_size=5))
def test_any_request_gives_the_same_mutant_twice_and_never_raises(
    request: Request, owner: Identity | None, seed: int, seen: list[Request]
) -> None:
    others = tuple(Exchange(i, "pcap", "s", 0.0, one, Response(200)) for i, one in enumerate(seen))
    known = known_for(owner, OTHERS + others)
    for one in MUTATORS.values():
        edit = one(request, Random(seed), known)
        assert edit == one(request, Random(seed), known)
        if edit is not None and one.name in ("as_lower_rank", "as_role_without_permission"):
            sender = owner_of(edit.request, EVERYBODY, None)
            assert sender is not None
            assert allows(sender, edit.request) is False


def test_unstated_permission_is_never_taken_for_a_denial() -> None:
    known = msgspec.structs.replace(known_for(OWNER), identities=(OWNER, UNSAID))
    assert MUTATORS["as_lower_rank"](asked(OWNER, *STOP), Random(1), known) is None
