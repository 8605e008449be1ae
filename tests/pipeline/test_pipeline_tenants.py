"""Whose things are whose, and an answer that shows another's."""

import json
from typing import Any

import pytest

from shadow.model import Identity, NoReply, Reply, Request, Response, Silence
from shadow.pipeline.tenants import Tenants

ANN, BOB, EVE = "ann@a.example", "bob@b.example", "eve@e.example"
ORDER, OTHER = "8f14e45f-ceea-467f-a9b5-000000000001", "8f14e45f-ceea-467f-a9b5-000000000002"


def request(target: str, token: str = "", **fields: str) -> Request:
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    if token:
        headers.append((b"Authorization", f"Bearer {token}".encode()))
    return Request(b"GET", target.encode(), headers=tuple(headers))


def response(body: Any, status: int = 200) -> Response:
    return Response(status, headers=((b"Content-Type", b"application/json"),), body=json.dumps(body).encode())


def known() -> Tenants:
    """Knows Ann and Bob by what `/me` says, and of each an order that the other is not shown."""
    tenants = Tenants()
    for who, mail, order in (("t-ann", ANN, "8f14e45f-ceea-467f-a9b5-00000000000a"), ("t-bob", BOB, ORDER)):
        tenants.learn(request("/me", who), response({"id": 1, "email": mail}), teaches=True)
        both = [{"id": order}, {"id": order[:-1] + "f"}] if who == "t-bob" else [{"id": order}]
        tenants.learn(request("/orders", who), response(both), teaches=True)
    return tenants


def shown(tenants: Tenants, asked: Request, body: Any, *others: Any) -> str:
    answers = [Reply(response(each)) for each in others]
    found = tenants.foreign(asked, Reply(response(body, 403)), *answers)
    return "" if found is None else found.owner


@pytest.mark.parametrize(
    ("asked", "body", "owner"),
    [
        pytest.param(request("/x", "t-ann"), {"error": f"belongs to {BOB}"}, BOB, id="an address"),
        pytest.param(request("/x", "t-ann"), {"error": f"belongs to {BOB.upper()}"}, BOB, id="letter case"),
        pytest.param(request("/x"), {"mail": BOB}, BOB, id="shown to anyone"),
        pytest.param(request("/x", "t-ann"), [ORDER, ORDER[:-1] + "f"], BOB, id="two ids"),
        pytest.param(request("/x", "t-ann"), [ORDER], "", id="one id may be chance"),
        pytest.param(request("/x", "t-bob"), {"mail": BOB}, "", id="its own"),
        pytest.param(request("/x", "t-ann"), {"mail": ANN}, "", id="the asker's own"),
        pytest.param(request("/x", "t-who"), {"mail": BOB}, "", id="nobody knows who asks"),
        pytest.param(request("/x", "t-ann"), {"mail": EVE}, "", id="never seen"),
        pytest.param(request(f"/x?q={BOB}", "t-ann"), {"mail": BOB}, "", id="named by the request"),
        pytest.param(request("/x?q=bob%40b.example", "t-ann"), {"mail": BOB}, "", id="named with an escape"),
    ],
)
def test_what_is_anothers_is_told(asked: Request, body: Any, owner: str) -> None:
    assert shown(known(), asked, body) == owner


def test_what_a_good_answer_shows_is_nothing_new() -> None:
    assert shown(known(), request("/x", "t-ann"), {"mail": BOB}, {"by": BOB}) == ""
    assert known().foreign(request("/x", "t-ann"), NoReply(Silence.RESET)) is None


@pytest.mark.parametrize("who", ["", "t-ann", "t-eve"], ids=["anyone", "the other", "one who is not known"])
def test_what_others_were_shown_too_is_no_ones_own(who: str) -> None:
    tenants = known()
    tenants.learn(request("/news", who), response([{"by": BOB}]), teaches=True)
    assert shown(tenants, request("/x", "t-ann"), {"mail": BOB}) == ""


def test_what_one_alone_looked_at_is_not_its_own() -> None:
    tenants = known()
    for target in (f"/products/{OTHER}", "/products?page=3"):
        tenants.learn(request(target, "t-bob"), response({"id": OTHER, "by": EVE}), teaches=True)
    assert shown(tenants, request("/x", "t-ann"), {"mail": EVE}) == ""


def test_the_candidates_answers_teach_only_who_asks() -> None:
    tenants = known()
    tenants.learn(request("/me", "t-ann-of-the-shadow"), response({"email": ANN}), teaches=False)
    tenants.learn(request("/leaks", "t-ann"), response({"mail": BOB}), teaches=False)
    assert shown(tenants, request("/x", "t-ann-of-the-shadow"), {"mail": BOB}) == BOB


def test_a_credential_of_several_tells_nobody() -> None:
    tenants = known()
    tenants.learn(request("/me", "t-ann"), response({"email": EVE}), teaches=True)
    assert shown(tenants, request("/x", "t-ann"), {"mail": BOB}) == ""


def test_refusals_teach_nothing() -> None:
    tenants = known()
    tenants.learn(request("/orders", "t-ann"), response({"error": BOB}), teaches=True)
    tenants.learn(request("/orders", "t-ann"), response([BOB], 403), teaches=True)
    assert shown(tenants, request("/x", "t-ann"), {"mail": BOB}) == BOB


def test_configured_identities_are_known_without_learning() -> None:
    mine = tuple(Identity(name, headers=((b"X-Api-Key", f"key-{name}".encode()),)) for name in ("ann", "bob"))
    tenants = Tenants(lambda: mine)
    for name, mail in (("ann", ANN), ("bob", BOB)):
        asked = Request(b"GET", b"/list", headers=((b"X-Api-Key", f"key-{name}".encode()),))
        tenants.learn(asked, response([mail]), teaches=True)
    asked = Request(b"GET", b"/x", headers=((b"X-Api-Key", b"key-ann"),))
    assert shown(tenants, asked, {"mail": BOB}) == "bob"


@pytest.mark.parametrize("piece", [b"a.", b"a@a.", b"0" * 30, b"8f14e45f-", b"usr_1", b"A1", b"-"])
def test_a_body_built_to_be_hard_is_read_to_its_end(piece: bytes) -> None:
    body = Response(200, body=b'{"a":"' + piece * (200_000 // len(piece)) + b'"}')
    tenants = known()
    tenants.learn(request("/orders", "t-ann"), body, teaches=True)
    assert tenants.foreign(request("/x", "t-ann"), Reply(body)) is None
