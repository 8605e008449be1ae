"""Mutators over principals, parents and ids that only the traffic tells of."""

from collections.abc import Iterable
from random import Random

import pytest

from mutators import Mutator, tenancy, traffic_identity
from mutators.lifecycle import used_after_logout
from mutators.traffic_identity import (
    as_principal_of_traffic,
    id_of_traffic_in_field,
    id_of_traffic_in_path,
    id_of_traffic_in_query,
    under_other_parent,
)
from shadow.model import Edit, Exchange, Expect, Identity, Known, Request, Response, Script, field

ANN, BOB = (b"Authorization", b"Bearer ann-0123456789"), (b"Authorization", b"Bearer bob-0123456789")
MUTATORS = [one for one in vars(traffic_identity).values() if isinstance(one, Mutator)]


def seen(
    method: str,
    target: str,
    who: tuple[bytes, bytes] = ANN,
    status: int = 200,
    *,
    location: str = "",
    more: Iterable[tuple[bytes, bytes]] = (),
) -> Exchange:
    request = Request(method.encode(), target.encode(), headers=(who, *more))
    headers = ((b"Location", location.encode()),) if location else ()
    return Exchange(0, "har", "s", 0.0, request, Response(status, headers=headers))


def knowing(*others: Exchange, **values: tuple[str, ...]) -> Known:
    return Known(others=others, values={f"query:{name}": told for name, told in values.items()})


def edits(one: Mutator, request: Request, known: Known) -> list[Edit]:
    made = (one(request, Random(seed), known) for seed in range(10))
    return [edit for edit in made if edit is not None]


ORDER = seen("GET", "/v1/orders/41000001/lines/52000001")


def test_another_principal_of_the_traffic_asks_for_the_same() -> None:
    for edit in edits(as_principal_of_traffic, ORDER.request, knowing(seen("GET", "/v1/x", BOB))):
        assert field(edit.request.headers, b"authorization") == BOB[1]
        assert edit.request.target == ORDER.request.target
        assert not edit.signs_again
    assert edits(as_principal_of_traffic, ORDER.request, knowing(seen("GET", "/v1/x", BOB)))


@pytest.mark.parametrize(
    "known",
    [knowing(), knowing(seen("GET", "/v1/x")), knowing(seen("GET", "/v1/x", BOB, 401))],
    ids=["nobody", "itself", "one that was refused"],
)
def test_nobody_else_is_nobody(known: Known) -> None:
    assert not edits(as_principal_of_traffic, ORDER.request, known)


def test_configured_owner_is_swapped_elsewhere() -> None:
    known = Known(owner=Identity("ann", headers=(ANN,)), others=(seen("GET", "/v1/x", BOB),))
    assert not edits(as_principal_of_traffic, ORDER.request, known)


def test_reading_is_freed_of_conditions() -> None:
    """A 304 would not tell whether the other principal may see the thing (RFC 9110 §13.1)."""
    asked = seen("GET", "/v1/x", more=((b"If-None-Match", b'"1"'), (b"Accept", b"*/*")))
    (edit, *_) = edits(as_principal_of_traffic, asked.request, knowing(seen("GET", "/v1/x", BOB)))
    names = [name for name, _ in edit.request.headers]
    assert names == [b"Authorization", b"Accept"]


PARENTS = (seen("GET", "/v1/orders/41000001"), seen("GET", "/v1/orders/41000002"), ORDER)


def test_child_is_asked_for_under_another_parent_of_the_same_client() -> None:
    (edit, *_) = edits(under_other_parent, ORDER.request, knowing(*PARENTS))
    assert edit.request.target == b"/v1/orders/41000002/lines/52000001"


@pytest.mark.parametrize(
    ("request_", "others"),
    [
        (seen("GET", "/v1/orders/41000001/lines/1"), PARENTS),
        (ORDER, (PARENTS[0], seen("GET", "/v1/orders/41000002", BOB))),
        (ORDER, (*PARENTS, seen("DELETE", "/v1/orders/41000002"))),
        (ORDER, (*PARENTS, seen("GET", "/v1/orders/41000002/lines/52000001"))),
        (seen("GET", "/v1/orders/41000001"), PARENTS),
    ],
    ids=["a number below its parent", "a stranger's parent", "gone", "under both", "no parent"],
)
def test_parent_is_left_where_another_could_be_right(
    request_: Exchange, others: tuple[Exchange, ...]
) -> None:
    assert not edits(under_other_parent, request_.request, knowing(*others))


def test_ids_of_another_client_are_put_into_the_path() -> None:
    known = knowing(
        seen("GET", "/v1/orders/41000007/lines/52000007", BOB), seen("GET", "/v1/orders/41000008", BOB)
    )
    assert {edit.request.target for edit in edits(id_of_traffic_in_path, ORDER.request, known)} == {
        b"/v1/orders/41000007/lines/52000007"
    }
    assert not edits(id_of_traffic_in_path, ORDER.request, knowing(ORDER))


def test_tenants_of_others_are_put_into_query_and_fields() -> None:
    asked = seen("GET", "/v1/x?limit=2&tenant_id=7", more=((b"X-Tenant-Id", b"7"),)).request
    known = Known(
        values={"query:tenant_id": ("7", "9"), "query:limit": ("2", "3")},
        others=(seen("GET", "/v1/x", BOB, more=((b"x-tenant-id", b"8"),)),),
    )
    targets = {edit.request.target for edit in edits(id_of_traffic_in_query, asked, known)}
    tenants = {
        field(edit.request.headers, b"x-tenant-id") for edit in edits(id_of_traffic_in_field, asked, known)
    }
    assert (targets, tenants) == ({b"/v1/x?limit=2&tenant_id=9"}, {b"8"})


@pytest.mark.parametrize("one", MUTATORS, ids=lambda one: one.name)
def test_what_only_the_traffic_tells_is_not_taken_for_a_rule(one: Mutator) -> None:
    assert one.expect is Expect.AGREE or not one.is_stated


NOTHING = Known()


def plans(one: object, session: list[Exchange], known: Known = NOTHING) -> list[Script]:
    made = (one(session, Random(seed), known) for seed in range(10))  # type: ignore[operator]
    return [script for script in made if script is not None]


DENIED = seen("PUT", "/v1/orders/41000002", ANN, 403)


def test_denied_id_is_held_against_one_that_nobody_has() -> None:
    for script in plans(tenancy.existence_told, [PARENTS[0], DENIED]):
        assert script.judged == (len(script.steps) - 1,)
        there, not_there = (step.request.target for step in script.steps[-2:])
        assert there == b"/v1/orders/41000002"
        assert not_there != there
        assert len(not_there) == len(there)
    assert plans(tenancy.existence_told, [PARENTS[0], DENIED])
    assert not plans(tenancy.existence_told, [PARENTS[0], seen("PUT", "/v1/orders/41000002", ANN, 404)])


def test_who_may_not_change_may_not_delete() -> None:
    (script, *_) = plans(tenancy.deleted_after_denied_change, [PARENTS[0], DENIED])
    assert [step.request.method for step in script.steps] == [b"PUT", b"DELETE"]
    assert (script.refused, script.judged) == ((0,), (1,))
    assert not plans(tenancy.deleted_after_denied_change, [seen("PUT", "/v1/orders/41000002/pay", ANN, 403)])


def test_id_that_another_session_made_is_made_again_and_asked_for() -> None:
    other = (seen("POST", "/v1/orders", BOB, 201, location="/v1/orders/41000009"),)
    (script, *_) = plans(tenancy.id_of_other_session, [PARENTS[0]], Known(sessions=(other,)))
    assert [step.request.target for step in script.steps] == [b"/v1/orders", b"/v1/orders/41000009"]
    assert [step.origin for step in script.steps] == [1, 0]
    assert script.others == other
    assert not plans(tenancy.id_of_other_session, [PARENTS[0]])


LOGOUT = seen("POST", "/v1/logout", ANN, 204)


def test_reading_after_logout_must_be_refused() -> None:
    (script, *_) = plans(used_after_logout, [PARENTS[0], LOGOUT])
    assert [step.request.target for step in script.steps[-3:]] == [
        b"/v1/logout",
        *[b"/v1/orders/41000001"] * 2,
    ]
    bare = script.steps[-2].edit
    assert bare is not None
    assert field(bare(script.steps[-2].request).headers, b"authorization") is None  # type: ignore[union-attr]
    assert (script.refused, script.judged) == ((2,), (3,))


@pytest.mark.parametrize(
    "session",
    [[LOGOUT, PARENTS[0]], [seen("GET", "/v1/orders/41000001", BOB), LOGOUT], [PARENTS[0]]],
    ids=["before", "another's", "nobody left"],
)
def test_logout_ends_nothing_else(session: list[Exchange]) -> None:
    assert not plans(used_after_logout, session)
