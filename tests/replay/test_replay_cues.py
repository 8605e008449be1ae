"""When each message of a recorded conversation may be said again."""

import pytest

from shadow.replay.cues import PATIENCE_SECONDS_MIN, cues
from tests.replay.talks import script

MIN = PATIENCE_SECONDS_MIN


@pytest.mark.parametrize(
    ("said", "by_bytes", "amounts"),
    [
        pytest.param((), False, [0], id="nothing"),
        pytest.param((">a",), False, [0, 0], id="only the client"),
        pytest.param(("<hello", ">a", "<b"), False, [1, 1], id="the peer begins"),
        pytest.param((">a", "<b", "<cd", ">e", ">f", "<g"), False, [0, 2, 0, 1], id="by messages"),
        pytest.param((">a", "<b", "<cd", ">e", ">f", "<g"), True, [0, 3, 0, 1], id="by bytes"),
    ],
)
def test_message_waits_for_what_the_peer_had_said_since_the_last(
    said: tuple[str, ...], by_bytes: bool, amounts: list[int]
) -> None:
    found = cues(script(*said), by_bytes=by_bytes, patience_seconds_max=10.0)
    assert [cue.amount for cue in found] == amounts
    assert [cue.message for cue in found[:-1]] == [each for each in script(*said) if each.is_from_client]
    assert found[-1].message is None


@pytest.mark.parametrize(
    ("gap_seconds", "patience_seconds", "is_clipped"),
    [(0.0, MIN, False), (2.0, MIN + 4.0, False), (6.0, 10.0, False), (30.0, 10.0, True)],
)
def test_patience_grows_with_the_time_that_live_took_up_to_a_limit(
    gap_seconds: float, patience_seconds: float, is_clipped: bool
) -> None:
    last = cues(script(">a", "<b", gap_seconds=gap_seconds), by_bytes=False, patience_seconds_max=10.0)[-1]
    assert (last.patience_seconds, last.is_clipped) == (patience_seconds, is_clipped)
