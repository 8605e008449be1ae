"""Several edits in one mutant: which go together, what the whole must expect, and that none is lost."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutators import CATALOG, Mutator, Stack, dice, stack_of
from shadow.model import JOINT, Edit, Expect, Headers, Identity, Known, Level, Request, Wire
from tests.mutators.test_mutators_signature import CREATE, KEYS, SCHEME

BY_NAME = {each.name: each for each in CATALOG}
BODY = b'{"name": "a name", "n": 1, "of": [{"a": "b"}, "c", 2]}'
SIGNED = Known(
    identities=(Identity("alice", key=KEYS[0].id), Identity("bob", key=KEYS[1].id, rank=1)), signer=SCHEME
)


def request(*headers: tuple[bytes, bytes], body: bytes = BODY) -> Request:
    length = (b"Content-Length", b"%d" % len(body))
    return Request(
        b"POST",
        b"/v1/items/42?limit=10&q=a+b",
        headers=((b"Host", b"h"), (b"Content-Type", b"application/json"), length, *headers),
        body=body,
    )


def of(*names: str) -> Stack:
    stack = stack_of([BY_NAME[name] for name in names])
    assert stack is not None
    return stack


def made(stack: Stack, asked: Request, seed: int = 0, known: Known | None = None) -> Edit | None:
    return stack(asked, lambda name: dice(seed, 0, name), known or Known())


def adding(
    name: bytes, expect: Expect = Expect.SURVIVE, level: Level = Level.HEADER, **edit: object
) -> Mutator:
    def add(asked: Request, rng: object) -> Edit:
        headers: Headers = (*asked.headers, (name, b"1"))
        changed = Request(asked.method, asked.target, headers=headers, body=asked.body)
        return Edit(changed, f"added {name.decode()}", **edit)  # type: ignore[arg-type]

    return Mutator(f"add_{name.decode()}", level, expect, "Adds a field.", add, wants_known=False)


@pytest.mark.parametrize(
    ("names", "expect", "order"),
    [
        (("space_json", "reorder_query"), Expect.SAME, "space_json+reorder_query"),
        (("byte_per_segment", "space_json"), Expect.SAME, "space_json+byte_per_segment"),
        (("rechunk_body", "space_json"), Expect.SAME, "space_json+rechunk_body"),
        (("space_json", "surrogate_in_json"), Expect.SURVIVE, "space_json+surrogate_in_json"),
        (("surrogate_in_json", "byte_per_segment"), Expect.SURVIVE, "surrogate_in_json+byte_per_segment"),
        (("signature_zeroed", "space_json"), Expect.REJECT, "space_json+signature_zeroed"),
        (("bad_content_length", "reorder_query"), Expect.REJECT, "reorder_query+bad_content_length"),
        (("as_other_identity", "surrogate_in_json"), Expect.AGREE, "surrogate_in_json+as_other_identity"),
    ],
)
def test_edits_go_together_in_an_order_in_which_none_is_lost(
    names: tuple[str, ...], expect: Expect, order: str
) -> None:
    stack = of(*names)
    assert (stack.expect, stack.name) == (expect, order)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("signature_zeroed", "surrogate_in_json"), id="refused for the other edit"),
        pytest.param(("as_anonymous", "signature_zeroed"), id="two reasons to refuse"),
        pytest.param(("byte_per_segment", "rechunk_body"), id="exact bytes twice"),
        pytest.param(("byte_per_segment", "signature_zeroed"), id="bytes and a signature that are final"),
        pytest.param(("space_json", "space_json"), id="one edit twice"),
    ],
)
def test_edits_of_which_no_expectation_holds_together_are_not_combined(names: tuple[str, ...]) -> None:
    assert stack_of([BY_NAME[name] for name in names]) is None


@given(st.lists(st.sampled_from(CATALOG), min_size=2, max_size=4, unique=True), st.integers(0, 1000))
@settings(max_examples=600)
def test_any_stack_is_made_again_from_its_names_and_seed_and_never_raises(
    mutators: list[Mutator], seed: int
) -> None:
    stack = stack_of(mutators)
    if stack is None:
        return
    edit = made(stack, CREATE, seed, SIGNED)
    again = of(*stack.name.split(JOINT))
    assert made(again, CREATE, seed, SIGNED) == edit
    if edit is not None:
        assert len(edit.parts) == len(mutators)
        assert edit.wire is not None or edit.request != CREATE


SAME = [
    one
    for one in CATALOG
    if one.expect is Expect.SAME and one.level in (Level.BODY, Level.TARGET, Level.HEADER)
]


@given(st.lists(st.sampled_from(SAME), min_size=2, max_size=4, unique=True), st.integers(0, 1000))
@settings(max_examples=400)
def test_edits_that_keep_the_meaning_keep_it_together(mutators: list[Mutator], seed: int) -> None:
    stack = stack_of(mutators)
    assert stack is not None
    assert stack.expect is Expect.SAME
    edit = made(stack, request(), seed)
    if edit is not None:
        assert json.loads(edit.request.body) == json.loads(BODY)
        lengths = [value for name, value in edit.request.headers if name.lower() == b"content-length"]
        assert lengths == [b"%d" % len(edit.request.body)]


def test_a_part_alone_makes_the_edit_that_it_makes_within_the_stack() -> None:
    first = BY_NAME["surrogate_in_json"](request(), dice(3, 0, "surrogate_in_json"), Known())
    edit = made(of("surrogate_in_json", "reorder_query"), request(), 3)
    assert first is not None
    assert edit is not None
    assert (edit.request.body, edit.parts[0]) == (first.request.body, first.what)


def test_nothing_is_made_where_one_part_finds_nothing_to_edit() -> None:
    assert made(of("reorder_cookies", "space_json"), request()) is None


@pytest.mark.parametrize(
    "parts",
    [
        (adding(b"a", wire=Wire((b"x",))), adding(b"b")),
        (adding(b"a", signs_again=False), adding(b"b")),
    ],
    ids=["exact bytes", "a signature that is the point"],
)
def test_nothing_is_made_where_a_later_edit_would_lose_an_earlier_one(parts: tuple[Mutator, ...]) -> None:
    stack = stack_of(parts)
    assert stack is not None
    assert made(stack, request()) is None


def test_the_last_edit_of_a_signed_request_is_made_of_one_that_is_right() -> None:
    """What the wire says is final, so that nobody signs it afterwards."""
    edit = made(of("space_json", "byte_per_segment"), CREATE, 1, SIGNED)
    assert edit is not None
    assert edit.wire is not None
    assert edit.request.body != CREATE.body
    assert SCHEME.verifies(edit.request) is True


def test_a_bad_signature_is_bad_for_its_own_reason() -> None:
    """An old time, over a body that was edited before: all but the time is right."""
    edit = made(of("space_json", "expired_timestamp"), CREATE, 1, SIGNED)
    assert edit is not None
    assert edit.request.body != CREATE.body
    assert SCHEME.verifies(edit.request) is True
    assert SCHEME.stated_time(edit.request) != SCHEME.stated_time(CREATE)


def test_an_edit_of_a_huge_request_is_the_last() -> None:
    huge = request(body=b'{"a": "' + b"x" * 300_000 + b'"}')
    assert made(of("space_json", "reorder_query"), huge) is None


@pytest.mark.parametrize(
    ("levels", "level"),
    [
        ((Level.HEADER, Level.BODY), Level.BODY),
        ((Level.HEADER, Level.HEADER), Level.HEADER),
        ((Level.NETWORK, Level.BODY), Level.NETWORK),
        ((Level.BODY, Level.TARGET), Level.BODY),
    ],
)
def test_the_level_is_that_which_says_least_of_what_is_broken(
    levels: tuple[Level, ...], level: Level
) -> None:
    stack = stack_of([adding(b"%d" % at, level=each) for at, each in enumerate(levels)])
    assert stack is not None
    assert stack.level is level


def test_what_is_not_stated_for_one_is_not_stated_for_all() -> None:
    assert not of("space_json", "id_of_other_tenant").is_stated
    assert of("space_json", "reorder_query").is_stated


def test_dice_of_a_part_are_its_own() -> None:
    asked: list[str] = []

    def dice_of(name: str) -> Random:
        asked.append(name)
        return Random(0)

    of("space_json", "reorder_query")(request(), dice_of, Known())
    assert asked == ["space_json", "reorder_query"]
