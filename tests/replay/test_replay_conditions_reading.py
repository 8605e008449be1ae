from typing import Any

import pytest

from shadow.config import load
from shadow.errors import ConfigError
from shadow.replay import Target
from shadow.replay.conditions import Condition, Direction
from shadow.replay.conditions_reading import ConditionTable, check_target, parse_conditions, read_conditions

UP, DOWN = Direction.UP, Direction.DOWN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("latency=200ms,jitter=50ms", (Condition(UP, latency_seconds=0.2, jitter_seconds=0.05),)),
        (" latency = 1.5s , slice=10B", (Condition(UP, latency_seconds=1.5, slice_bytes=10),)),
        ("bandwidth=2KiB/s", (Condition(UP, bandwidth_bytes_per_second=2048.0),)),
        ("reset_after=1kB,probability=20%", (Condition(UP, reset_after_bytes=1000, probability=0.2),)),
        ("reset_after=0B,probability=0.5", (Condition(UP, reset_after_bytes=0, probability=0.5),)),
        ("down.limit=1MB,seed=7", (Condition(DOWN, limit_bytes=1_000_000, seed=7),)),
        ("up.latency=1s", (Condition(UP, latency_seconds=1.0),)),
        (
            "both.latency=1s,down.slice=10B,probability=1%",
            (
                Condition(UP, latency_seconds=1.0, probability=0.01),
                Condition(DOWN, latency_seconds=1.0, slice_bytes=10, probability=0.01),
            ),
        ),
        ("black_hole=0s", (Condition(UP, black_hole_seconds=0.0),)),
        ("pattern=hex:00ff", (Condition(UP, pattern=b"\x00\xff"),)),
        ("pattern=abc", (Condition(UP, pattern=b"abc"),)),
        ("duplicate=2,reorder=5ms", (Condition(UP, duplicate_copies=2, reorder_seconds=0.005),)),
        ("slice=9B,slice_variation=3B", (Condition(UP, slice_bytes=9, slice_variation_bytes=3),)),
    ],
)
def test_conditions_are_read(text: str, expected: tuple[Condition, ...]) -> None:
    found = parse_conditions(text)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name in Condition.__struct_fields__:
            wanted = getattr(other, name)
            assert getattr(one, name) == (pytest.approx(wanted) if isinstance(wanted, float) else wanted)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latancy=200ms", "did you mean 'latency'"),
        ("down.latancy=200ms", "did you mean 'latency'"),
        ("dwn.latency=200ms", "unknown direction 'dwn'.*did you mean 'down'"),
        ("up.probability=1,latency=1s", "has no direction: write 'probability'"),
        ("latency", "no number of seconds"),
        ("latency=200", "unit of us, ms, s"),
        ("latency=-1s", "no number"),
        ("latency=٣s", "no number"),
        ("slice=1.2.3B", "no number of bytes"),
        ("latency=1s,probability=120%", "from 0 to 1"),
        ("probability=20%", "say what is to happen"),
        ("slice=5B,slice_variation=5B", "less than slice"),
        ("down.slice=5B,slice_delay=1ms", "needs up.slice"),
        ("pattern=hex:0", "is no hex"),
        ("pattern=", "has 0 bytes"),
        ("duplicate=1000", "at most 16"),
        ("=5", "unknown condition ''"),
    ],
)
def test_what_cannot_be_read_is_a_config_error(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_conditions(text)


def test_tables_say_the_same_as_texts() -> None:
    table = ConditionTable(direction="down", latency="200ms", jitter="50ms", probability="20%", seed=3)
    assert read_conditions((table, "limit=1kB")) == (
        *parse_conditions("down.latency=200ms,down.jitter=50ms,probability=20%,seed=3"),
        *parse_conditions("limit=1kB"),
    )


@pytest.mark.parametrize(
    ("setting", "count"),
    [
        ("latency=1s", 1),
        (["latency=1s", "both.slice=1B"], 3),
        ([{"direction": "both", "slice": "1B"}, {"dns_latency": "1s", "probability": 0.5}], 3),
    ],
    ids=["text", "texts", "tables"],
)
def test_settings_take_a_text_texts_and_tables(setting: Any, count: int) -> None:
    assert len(read_conditions(load(None, {"condition": setting}).condition)) == count


def test_unknown_key_of_a_table_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'latenzy' in \[condition\], did you mean 'latency'"):
        load(None, {"condition": [{"latenzy": "1s"}]})


@pytest.mark.parametrize("text", ["duplicate=1", "down.reorder=1ms"])
def test_datagram_troubles_do_not_apply_to_streams(text: str) -> None:
    conditions = parse_conditions(text)
    with pytest.raises(ConfigError, match="is of datagrams, and candidate http://h:8080 speaks in streams"):
        check_target(conditions, Target("candidate", "http", "h", 8080))
    check_target(conditions, Target("candidate", "dns", "h", 53))
