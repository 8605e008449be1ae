"""What mutators may know: all of it bounded."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.content.secret_search import SecretSearch
from shadow.model import Documented, Exchange, Hint, Identity, Known, Reply, Response
from shadow.pipeline.knowledge import Knowledge
from shadow.schema import from_openapi
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
    seen = values(*(exchange(f"GET /x{n // 50}?p{n}=1") for n in range(2500)))
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


def known(*exchanges: Exchange, request: Exchange | None = None) -> Known:
    asked = (request or exchange("GET /")).request
    return learned(*exchanges).snapshot(asked, "candidate")


def test_values_are_learned_by_their_kind_with_their_place() -> None:
    kinds = known(exchange("GET /x?n=7&s=up", answer=reply(200, b'{"at": "2024-01-01"}'))).kinds
    assert kinds == {
        "integer": (("query:n", "7"),),
        "word": (("query:s", "up"),),
        "date": (("body:$.at", "2024-01-01"),),
    }


def test_ranges_are_those_of_numbers_in_bodies_and_texts() -> None:
    seen = [exchange(f"GET /x?n={n}", answer=reply(200, b'{"m": %d, "f": 0.5}' % -n)) for n in (5, 9, 7)]
    assert known(*seen).ranges == {"query:n": (5, 9), "body:$.m": (-9, -5), "body:$.f": (0.5, 0.5)}


def test_segments_that_name_things_are_learned_at_their_template() -> None:
    seen = known(exchange("GET /v1/things/7/parts/part-123456"), exchange("GET /v1/things/9"))
    assert seen.values["path:/v1/things/{id}"] == ("7", "9")
    assert seen.values["path:/v1/things/{id}/parts/{id}"] == ("part-123456",)


@pytest.mark.parametrize(
    "one",
    [
        exchange("GET /x", headers=((b"Authorization", b"Bearer hush-hush"), (b"X-Api-Key", b"hush-hush"))),
        exchange("GET /x", headers=((b"Cookie", b"session_token=hush-hush"),)),
        exchange("GET /x?password=hush-hush"),
        exchange("POST /x", body=b'{"password": "hush-hush", "deep": {"client_secret": "hush-hush"}}'),
        exchange("GET /x", answer=reply(200, b'{"access_token": "hush-hush"}')),
        exchange(
            "GET /x", answer=reply(200, b'{"note": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJodXNoIn0.hush-hush"}')
        ),
    ],
    ids=["fields", "cookie", "query", "body", "answer", "shape"],
)
def test_secrets_are_not_learned(one: Exchange) -> None:
    seen = known(one)
    assert "hush-hush" not in repr((seen.values, seen.kinds, seen.made, seen.shown))


def test_configured_names_are_secrets_too() -> None:
    knowledge = Knowledge(identities=(), signer=None, secrets=SecretSearch(("pin",), (), ()))
    one = exchange("GET /x?pin=1234&n=1")
    knowledge.learn(one, {"candidate": one})
    assert dict(knowledge.snapshot(one.request, "candidate").values) == {"query:n": ("1",)}


def test_ids_of_answers_are_known_by_what_they_are_of() -> None:
    seen = known(
        exchange(
            "GET /v1/things", answer=reply(200, b'{"items": [{"id": "t-1", "owner_id": 7}, {"id": "t-2"}]}')
        ),
        exchange("POST /v1/parts", answer=reply(201, b"", (b"Location", b"/v1/parts/p-9"))),
        exchange("GET /v1/things/t-3", answer=reply(404, b'{"id": "t-3"}')),
    )
    assert seen.made == {"thing": ("t-1", "t-2"), "owner": ("7",), "part": ("p-9",)}


def test_ids_are_known_by_whom_they_were_shown_to() -> None:
    def of(token: bytes, one: bytes) -> Exchange:
        return exchange(
            "GET /v1/things", headers=((b"Authorization", token),), answer=reply(200, b'[{"id": "%b"}]' % one)
        )

    seen = known(of(b"Bearer a", b"t-1"), of(b"Bearer b", b"t-2"), of(b"Bearer c", b"t-3"))
    assert seen.shown == {"ann": {"thing": ("t-1",)}, "bob": {"thing": ("t-2",)}}


def test_ids_stand_at_the_same_position_for_every_target() -> None:
    knowledge = Knowledge(identities=(), signer=None)
    for n in range(40):
        ours, theirs = (
            exchange("GET /v1/things", answer=reply(200, b'{"id": "%b-%d"}' % (w, n))) for w in (b"a", b"b")
        )
        knowledge.learn(ours, {"candidate": ours, "baseline": theirs})
        knowledge.learn(ours, {"candidate": ours, "baseline": exchange("GET /x", answer=reply(200, b"{}"))})
    asked = exchange("GET /").request
    own, other = (knowledge.snapshot(asked, name).made["thing"] for name in ("candidate", "baseline"))
    assert len(own) == 16
    assert [each.replace("a", "b") for each in own] == list(other)


def test_what_is_gone_after_a_reset_is_forgotten_and_words_are_not() -> None:
    one = exchange("GET /v1/things?s=up", answer=reply(200, b'{"id": "t-1"}'))
    knowledge = learned(one)
    knowledge.forget_state()
    after = knowledge.snapshot(one.request, "candidate")
    assert (after.made, after.shown, after.others) == ({}, {}, ())
    assert after.values["query:s"] == ("up",)


def test_refusals_give_hints_to_their_endpoint_alone() -> None:
    refused = exchange("GET /v1/things?limit=99", answer=reply(400, b'"limit must be at most 50"'))
    hint = Hint("query:limit", maximum=50)
    assert known(refused, request=exchange("GET /v1/things?limit=1")).hints == (hint,)
    assert known(refused, request=exchange("GET /v1/parts")).hints == ()


def test_refusals_of_mutants_give_hints_each_once() -> None:
    one = exchange("GET /v1/things?limit=9")
    knowledge = learned(one)
    for _ in range(3):
        knowledge.hear("GET /v1/things", one.request, Response(422, body=b'"limit must be at most 50"'))
    assert knowledge.snapshot(one.request, "candidate").hints == (Hint("query:limit", maximum=50),)


def test_hints_of_an_endpoint_are_bounded() -> None:
    one = exchange("GET /v1/things")
    knowledge = learned(one)
    for n in range(400):
        knowledge.hear("GET /v1/things", one.request, Response(400, body=b"limit must be at most %d" % n))
    assert len(knowledge.snapshot(one.request, "candidate").hints) == 64


def test_a_schema_tells_besides_refusals() -> None:
    document = {
        "openapi": "3.0.0",
        "paths": {"/x": {"get": {"parameters": [{"name": "n", "in": "query", "schema": {"maximum": 5}}]}}},
    }
    knowledge = Knowledge(identities=(), signer=None, schema=from_openapi(document, "api"))
    one = exchange("GET /x?n=9", answer=reply(400, b'"n must be at most 4"'))
    knowledge.learn(one, {"candidate": one})
    told = knowledge.snapshot(one.request, "candidate")
    assert told.hints == (Hint("query:n", maximum=5, is_documented=True), Hint("query:n", maximum=4))
    assert told.documented == Documented(("GET",), ("n",))


def test_the_same_body_again_costs_nothing_and_teaches_nothing() -> None:
    seen = [
        exchange("GET /x", answer=reply(200, b'{"a": 1}')),
        exchange("GET /y", answer=reply(200, b'{"a": 1}')),
    ]
    assert known(*seen).values == {"body:$.a": ("1",)}


def test_busy_endpoints_are_sampled_but_what_makes_something_never() -> None:
    seen = known(*(exchange(f"GET /x?n={n}") for n in range(200)))
    assert seen.ranges["query:n"] == (0, 192)
    assert seen.values["query:n"][-2:] == ("184", "192")
    made = known(*(exchange("POST /things", answer=reply(201, b'{"id": %d}' % n)) for n in range(200)))
    assert made.made["thing"][-1] == "199"
