"""Noise: what is learned, what may never be, and what is listed afterwards."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.errors import ConfigError
from shadow.judge.noise import Noise, NoiseSettings, Witness
from shadow.model import Change, Difference

EP = "GET /v1/x/{id}"


def value(where: str = "body:$.load", left: Any = 1, right: Any = 2) -> Difference:
    return Difference(where, Change.VALUE, left, right)


def learned(
    drifted: int, clean: int, witness: Witness = Witness.LIVE_RELEASE, *, noise: Noise | None = None
) -> Noise:
    noise = noise or Noise()
    for _ in range(clean):
        noise.observe(EP, (), witness)
    for _ in range(drifted):
        noise.observe(EP, (value(),), witness)
    return noise


def test_a_place_that_drifts_at_the_live_release_is_noise() -> None:
    noise = Noise()
    assert not noise.forgives(EP, value())
    noise.observe(EP, (value(),), Witness.LIVE_RELEASE)
    assert noise.forgives(EP, value(left=7, right=9))
    assert not noise.forgives("GET /other", value())
    assert not noise.forgives(EP, value("body:$.other"))


def test_array_positions_and_ids_share_what_was_learned() -> None:
    noise = Noise()
    noise.observe(EP, (value("body:$.items[3].load"), value("body:$.by_id.4711.load")), Witness.LIVE_RELEASE)
    assert noise.forgives(EP, value("body:$.items[9].load"))
    assert noise.forgives(EP, value("body:$.by_id.815.load"))


@pytest.mark.parametrize("change", [Change.MISSING, Change.ADDED, Change.TYPE, Change.LENGTH])
def test_structure_is_never_learned_to_be_noise(change: Change) -> None:
    noise = Noise()
    difference = Difference("body:$.load", change, 1, None)
    for _ in range(50):
        noise.observe(EP, (difference, value()), Witness.LIVE_RELEASE)
    assert noise.forgives(EP, value())
    assert not noise.forgives(EP, difference)


def test_a_status_is_never_noise_and_teaches_nothing() -> None:
    noise = Noise()
    for _ in range(9):
        noise.observe(EP, (Difference("status", Change.VALUE, 200, 404), value()), Witness.LIVE_RELEASE)
    assert not noise.forgives(EP, Difference("status", Change.VALUE, 200, 404))
    assert not noise.forgives(EP, value())


@pytest.mark.parametrize(
    ("drifted", "clean", "suspect_drifted", "suspect_clean", "is_forgiven"),
    [
        pytest.param(1, 0, 1, 0, True, id="nothing to tell them apart yet"),
        pytest.param(1, 29, 30, 0, False, id="once against always"),
        pytest.param(15, 15, 17, 13, True, id="about as often"),
        pytest.param(5, 95, 60, 40, False, id="twelve times as often"),
        pytest.param(30, 0, 30, 0, True, id="always on both"),
    ],
)
def test_a_candidate_that_drifts_far_more_often_is_not_forgiven(
    drifted: int, clean: int, suspect_drifted: int, suspect_clean: int, is_forgiven: bool
) -> None:
    noise = learned(drifted, clean)
    learned(suspect_drifted, suspect_clean, Witness.CANDIDATE, noise=noise)
    assert noise.forgives(EP, value()) is is_forgiven


def test_what_was_seen_once_fades() -> None:
    noise = Noise(NoiseSettings(half_life_comparisons=10))
    noise.observe(EP, (value(),), Witness.LIVE_RELEASE)
    assert noise.forgives(EP, value())
    learned(0, 25, noise=noise)
    assert not noise.forgives(EP, value())


def test_the_candidate_cannot_excuse_itself_where_there_is_a_baseline() -> None:
    noise = learned(5, 0, Witness.CANDIDATE_REPEAT)
    assert noise.forgives(EP, value())
    noise.observe(EP, (), Witness.LIVE_RELEASE)
    assert not noise.forgives(EP, value())


def reordered(*items: Any, where: str = "body:$.tags") -> Difference:
    return Difference(where, Change.ORDER, list(items), list(reversed(items)))


def test_an_array_of_scalars_is_taken_for_a_set_until_only_the_candidate_orders_it_otherwise() -> None:
    noise = learned(0, 30)
    for letter in "bcde":
        noise.observe(EP, (reordered("a", letter),), Witness.CANDIDATE)
        noise.observe(EP, (reordered(letter, "a"),), Witness.CANDIDATE)
    assert noise.forgives(EP, reordered("a", "b"))
    noise.observe(EP, (reordered("a", "f"),), Witness.CANDIDATE)
    assert not noise.forgives(EP, reordered("a", "b"))
    noise.observe("GET /other", (reordered("x", "y", where="body:$[3].tags"),), Witness.LIVE_RELEASE)
    assert noise.forgives(EP, reordered("a", "b"))


def objects(*numbers: int) -> Difference:
    return reordered(*({"id": number} for number in numbers), where="body:$.items")


def test_an_array_of_objects_counts_as_ordered_once_several_pairs_are_turned() -> None:
    noise = learned(0, 1)
    for _ in range(9):
        noise.observe(EP, (objects(1, 2),), Witness.CANDIDATE)
    assert noise.forgives(EP, objects(1, 2))
    noise.observe(EP, (objects(1, 2, 3, 4),), Witness.CANDIDATE)
    assert not noise.forgives(EP, objects(1, 2))
    noise.observe(EP, (objects(1, 2),), Witness.LIVE_RELEASE)
    assert noise.forgives(EP, objects(1, 2))


def test_the_candidates_own_reordering_excuses_it_only_without_a_baseline() -> None:
    noise = Noise()
    noise.observe(EP, (objects(1, 2, 3, 4),), Witness.CANDIDATE)
    assert not noise.forgives(EP, objects(1, 2))
    noise.observe(EP, (objects(1, 2),), Witness.CANDIDATE_REPEAT)
    assert noise.forgives(EP, objects(1, 2))
    noise.observe(EP, (), Witness.LIVE_RELEASE)
    assert not noise.forgives(EP, objects(1, 2))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param("BUILT", "built", id="letter case"),
        pytest.param("café", "cafe\u0301", id="unicode form"),
        pytest.param("2024-05-01T10:00:00Z", "2024-05-01 10:00:00", id="timestamp form"),
        pytest.param("a b", "a  b", id="white space"),
    ],
)
def test_another_way_of_writing_is_no_drift(left: str, right: str) -> None:
    noise = Noise()
    for _ in range(20):
        noise.observe(EP, (value("body:$.x", "BUILT", "BUILDING"),), Witness.LIVE_RELEASE)
    assert noise.forgives(EP, value("body:$.x", "BUILT", "BUILDING"))
    assert not noise.forgives(EP, value("body:$.x", left, right))


def test_what_is_volatile_by_kind_teaches_nothing_about_its_place() -> None:
    noise = Noise()
    for second in range(9):
        drift = value("body:$.created_at", f"2024-05-01T10:00:0{second}Z", "2024-05-01T11:00:00Z")
        noise.observe(EP, (drift,), Witness.LIVE_RELEASE)
    assert noise.forgives(EP, value("body:$.created_at", "2024-05-01T10:00:00Z", "2024-05-01T12:00:00Z"))
    assert not noise.forgives(EP, value("body:$.created_at", "2024-05-01T10:00:00Z", "2024-05-01 12:00:00"))


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        ("body:$.items[].load", "body:$.items[4].load"),
        ("$.items[*].load", "body:$.items[4].load"),
        ("body:$.meta", "body:$.meta.host"),
        ("body:$.*.host", "body:$.meta.host"),
        ("header:x-node", "header:x-node"),
        ("header:X-Node", "header:x-node"),
        ("header:vary", "header:vary[origin]"),
        ("status", "status"),
    ],
)
@pytest.mark.parametrize("change", list(Change))
def test_an_ignored_place_never_counts(pattern: str, where: str, change: Change) -> None:
    noise = Noise(NoiseSettings(ignore=(pattern,)))
    assert noise.forgives(EP, Difference(where, change, 1, None))
    assert not noise.forgives(EP, Difference("body:$.price", Change.MISSING, 1, None))


@pytest.mark.parametrize("pattern", ["*", "body", "body:$", "$", "body:$.*", "header:*", "price", ""])
def test_a_pattern_that_covers_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="ignore ="):
        Noise(NoiseSettings(ignore=(pattern,)))


def test_what_was_forgiven_is_listed() -> None:
    noise = learned(1, 0)
    noise.forgives(EP, value())
    noise.forgives(EP, value())
    noise.forgives(EP, value("body:$.request_id", "a", "b"))
    assert [(each.where, each.why, each.count) for each in noise.forgiven()] == [
        ("body:$.load", "drifts at the live release", 2),
        ("body:$.request_id", "volatile kind of value", 1),
    ]


def test_memory_is_bounded() -> None:
    noise = Noise(NoiseSettings(max_places=10))
    for number in range(40):
        noise.observe(
            EP, (value(f"body:$.field{chr(97 + number % 26)}{chr(97 + number // 26)}"),), Witness.LIVE_RELEASE
        )
    assert noise.forgives(EP, value("body:$.fieldaa"))
    assert not noise.forgives(EP, value("body:$.fieldza"))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60)
places = st.text('ab.$[]{}0123:"\\', max_size=20)
differences = st.builds(
    Difference,
    where=places.map("body:$".__add__) | places | places.map("header:".__add__),
    change=st.sampled_from(Change),
    left=scalars | st.lists(scalars, max_size=2),
    right=scalars | st.lists(scalars, max_size=2),
)


@given(st.lists(differences, max_size=6), differences)
def test_no_difference_is_too_odd_to_judge(seen: list[Difference], asked: Difference) -> None:
    noise = Noise()
    noise.observe(EP, seen, Witness.LIVE_RELEASE)
    if asked.change in (Change.MISSING, Change.ADDED, Change.TYPE, Change.LENGTH):
        assert not noise.forgives(EP, asked)
    else:
        assert noise.forgives(EP, asked) in (True, False)


def test_the_order_of_unlike_elements_is_told_until_the_live_release_shows_another() -> None:
    noise = Noise()
    turned = Difference("body:$.r:sequence", Change.ORDER, ["a", "b"], ["b", "a"])
    assert noise.without("GET /x", [turned]) == (turned,)
    noise.observe("GET /x", [turned], Witness.LIVE_RELEASE)
    assert noise.without("GET /x", [turned]) == ()


def test_an_echo_of_our_own_marks_in_a_page_is_no_difference() -> None:
    echo = Difference("body:page.li", Change.ADDED, None, "<li>Shadow-Run: ab12")
    assert Noise().without("GET /x", [echo]) == ()
    other = Difference("body:page.li", Change.ADDED, None, "<li>Accept: ab12")
    assert Noise().without("GET /x", [other]) == (other,)


def hashed(number: int, where: str = "body:$.commit", left: str = "") -> Difference:
    return Difference(
        where, Change.VALUE, left or "9fceb02d0ae598e95dc970b7", f"{number * 7919**6:024x}"[:24]
    )


@pytest.mark.parametrize(
    ("live", "candidate", "is_forgiven"),
    [
        pytest.param(0, 4, False, id="new in each answer of the candidate alone"),
        pytest.param(1, 4, True, id="it had changed at the live release too"),
        pytest.param(0, 1, True, id="once is no proof"),
        pytest.param(0, 0, True, id="another constant, as a build has"),
    ],
)
def test_a_token_that_never_changed_and_became_random_is_told(
    live: int, candidate: int, *, is_forgiven: bool
) -> None:
    noise = Noise()
    for at in range(6):
        noise.observe(EP, (hashed(at),) if at < live else (), Witness.LIVE_RELEASE)
    assert noise.wants_repeat(EP, (hashed(9),)) is (live == 0)
    for at in range(4):
        noise.observe(EP, (hashed(at),) if at < candidate else (), Witness.CANDIDATE_REPEAT)
    assert not noise.wants_repeat(EP, (hashed(9),))
    assert noise.forgives(EP, hashed(9)) is is_forgiven
    assert noise.insists(EP, hashed(9)) is not is_forgiven


@pytest.mark.parametrize(
    ("recorded", "changed", "is_forgiven"),
    [
        pytest.param(2, 0, True, id="recorded too seldom"),
        pytest.param(9, 0, False, id="constant at live"),
        pytest.param(9, 3, True, id="live changed it too"),
    ],
)
def test_without_a_baseline_what_was_constant_in_the_recording_may_not_become_random(
    recorded: int, changed: int, *, is_forgiven: bool
) -> None:
    noise = learned(8, 0, Witness.CANDIDATE_REPEAT)
    for at in range(recorded):
        noise.observe(EP, (value(),) if at < changed else (), Witness.LIVE_REPEAT)
    assert noise.forgives(EP, value(left=7, right=9)) is is_forgiven
    assert noise.forgiven() == () or noise.forgiven()[0].why == "drifts at the candidate"


@pytest.mark.parametrize(
    ("where", "known_here", "is_forgiven"),
    [
        pytest.param("header:x-node", 0, True, id="little is known of this endpoint"),
        pytest.param("header:x-node", 30, False, id="this one does not drift"),
        pytest.param("body:$.node", 0, False, id="a member of a body is not written for all"),
        pytest.param("header:set-cookie[a].path", 0, False, id="nor is a cookie"),
    ],
)
def test_a_header_that_drifts_at_other_endpoints_is_noise_at_one_that_is_new(
    where: str, known_here: int, *, is_forgiven: bool
) -> None:
    noise = Noise()
    for at in range(30):
        seen = (value(where, "a", "b"),) if at % 3 else ()
        noise.observe("GET /other", seen, Witness.LIVE_RELEASE)
    learned(0, known_here, noise=noise)
    assert noise.forgives(EP, value(where, "a", "c")) is is_forgiven


def test_a_present_moment_counts_where_it_is_far_from_the_baselines() -> None:
    noise = Noise()
    for at in range(5):
        seen = value("body:$.now", f"2026-03-01T09:00:0{at}Z", f"2026-03-01T09:10:0{at}Z")
        noise.observe(EP, (seen,), Witness.LIVE_REPEAT)
    asked = value("body:$.now", "2026-03-01T09:00:00Z", "2025-01-01T09:00:00Z")
    stored = value("body:$.made_at", "2026-03-01T09:00:00Z", "2025-01-01T09:00:00Z")
    assert noise.insists(EP, asked)
    assert not noise.insists(EP, stored)


def test_evidence_and_an_example_are_listed_with_what_was_forgiven() -> None:
    noise = learned(3, 7)
    noise.forgives(EP, value(left=41, right="x" * 9999))
    noise.forgives(EP, value(left=1, right=2))
    (listed,) = noise.forgiven()
    assert (listed.left, listed.count, listed.evidence) == (41, 2, {"live release": (3, 10)})
    assert len(listed.right) < 1000


@pytest.mark.parametrize(
    ("where", "change", "is_forgiven"),
    [
        ("body:$.next_cursor<base64>.a", Change.VALUE, True),
        ("body:$.next_cursor<base64>.a", Change.MISSING, False),
        ("body:$.settings<base64>.a", Change.VALUE, False),
    ],
)
def test_values_within_a_cursor_mean_something_to_its_maker_alone(
    where: str, change: Change, *, is_forgiven: bool
) -> None:
    assert Noise().forgives(EP, Difference(where, change, "north", "south")) is is_forgiven
