"""What mutators may know: all of it bounded."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Exchange, Identity, Reply, Response
from shadow.pipeline.knowledge import Knowledge
from tests.pipeline.conftest import exchange, reply

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)
ANN = Identity("ann", headers=((b"Authorization", b"Bearer a"),))
BOB = Identity("bob", headers=((b"Authorization", b"Bearer b"),))


def learned(*exchanges: Exchange) -> Knowledge:
    knowledge = Knowledge(identities=(ANN, BOB), signer=None)
    for each in exchanges:
        knowledge.learn(each, {"candidate": each})
    return knowledge


def values(*exchanges: Exchange) -> dict[str, tuple[str, ...]]:
    return dict(learned(*exchanges).snapshot(exchange("GET /").request, "candidate").values)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (exchange("GET /x?a=1&b=x%20y&c"), {"query:a": ("1",), "query:b": ("x y",)}),
        (
            exchange("POST /x", body=b'{"a": "x", "b": [1, 2.5], "c": {"d": true, "e": null}}'),
            {"body:$.a": ("x",), "body:$.b[]": ("1", "2.5")},
        ),
        (exchange("GET /x", answer=reply(200, b'[{"id": 7}]')), {"body:$[].id": ("7",)}),
        (
            exchange("GET /x", answer=reply(200, b'{"a": 1}', (b"Content-Encoding", b"gzip"))),
            {},
        ),
        (exchange("POST /x", body=b'{"a": '), {}),
        (exchange("POST /x", body=b"a=1"), {}),
        (exchange("POST /x", body=b'{"a":' * 9 + b"1" + b"}" * 9), {}),
        (exchange("POST /x", body=b'{"a": "%s"}' % (b"x" * 300_000)), {}),
        (exchange("POST /x", body=b'{"a": "%s"}' % (b"x" * 999)), {"body:$.a": ("x" * 256,)}),
    ],
    ids=["query", "request", "answer", "coded answer", "cut", "no JSON", "deep", "large", "long value"],
)
def test_values_are_learned_by_their_place(one: Exchange, expected: dict[str, tuple[str, ...]]) -> None:
    assert values(one) == expected


def test_latest_sixteen_values_of_a_place_are_kept_each_once() -> None:
    seen = values(*(exchange(f"GET /x?a={n % 40}") for n in range(100)))
    assert len(seen["query:a"]) == 16
    assert len(set(seen["query:a"])) == 16


def test_places_are_bounded() -> None:
    seen = values(*(exchange(f"GET /x?p{n}=1") for n in range(2500)))
    assert len(seen) == 2000


def test_long_lists_are_learned_from_their_beginning() -> None:
    body = b"[%s]" % b",".join(b"%d" % n for n in range(100))
    assert values(exchange("GET /x", answer=reply(200, body)))["body:$[]"] == tuple(map(str, range(8)))


def test_each_target_knows_exchanges_as_it_saw_them_the_latest_sixty_four() -> None:
    knowledge = Knowledge(identities=(), signer=None)
    for n in range(70):
        one = exchange(f"GET /x/{n}", n)
        knowledge.learn(one, {"candidate": msgspec.structs.replace(one, index=n + 1000), "baseline": one})
    asked = exchange("GET /").request
    assert [e.index for e in knowledge.snapshot(asked, "candidate").others] == list(range(1006, 1070))
    assert [e.index for e in knowledge.snapshot(asked, "baseline").others] == list(range(6, 70))
    assert knowledge.snapshot(asked, "nobody").others == ()


@pytest.mark.parametrize(("token", "owner"), [(b"Bearer a", ANN), (b"Bearer b", BOB), (b"Bearer c", None)])
def test_owner_is_who_the_credentials_belong_to(token: bytes, owner: Identity | None) -> None:
    asked = exchange("GET /", headers=((b"authorization", token),)).request
    known = learned().snapshot(asked, "candidate")
    assert known.owner == owner
    assert known.identities == (ANN, BOB)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=40))
def test_no_exchange_makes_learning_raise(body: bytes, answer: bytes, query: bytes) -> None:
    one = exchange("GET /", answer=Reply(Response(200, body=answer)))
    asked = msgspec.structs.replace(one.request, target=b"/?" + query, body=body)
    learned(msgspec.structs.replace(one, request=asked))


@given(TREES)
def test_every_learned_value_is_short_text_at_a_place_of_the_body(tree: object) -> None:
    seen = values(exchange("GET /", answer=reply(200, msgspec.json.encode(tree))))
    assert all(place.startswith("body:$") for place in seen)
    assert all(len(each) <= 256 for found in seen.values() for each in found)


def test_snapshot_stays_what_it_was_when_more_is_learned() -> None:
    one, two = exchange("GET /x?a=1"), exchange("GET /x?a=2&b=3")
    knowledge = learned(one)
    before = knowledge.snapshot(one.request, "candidate")
    knowledge.learn(two, {"candidate": two})
    assert dict(before.values) == {"query:a": ("1",)}
    assert dict(knowledge.snapshot(one.request, "candidate").values) == {
        "query:a": ("1", "2"),
        "query:b": ("3",),
    }
