"""A rise is suspected where it is large beside the baseline's, and is growth where every round shows it."""

import pytest

from shadow.judge.growth import Reading, Rise, copies, is_growth, is_suspect

MIB = 1 << 20


@pytest.mark.parametrize(
    ("gauge", "ours", "theirs", "is_it"),
    [
        ("memory_bytes", 17 * MIB, 0, True),
        ("memory_bytes", 15 * MIB, 0, False),
        ("memory_bytes", 60 * MIB, 40 * MIB, False),
        ("memory_bytes", 40 * MIB, -40 * MIB, True),
        ("memory_bytes", 60 * MIB, None, False),
        ("memory_bytes", 65 * MIB, None, True),
        ("open_fds", 65, 0, True),
        ("open_fds", 60, 0, False),
    ],
)
def test_suspicion(gauge: str, ours: float, theirs: float | None, *, is_it: bool) -> None:
    assert is_suspect(gauge, Rise(ours, theirs)) is is_it


@pytest.mark.parametrize(
    ("gauge", "rises", "is_it"),
    [
        ("memory_bytes", [(4 * MIB, 0), (4 * MIB, MIB), (4 * MIB, -MIB)], True),
        ("memory_bytes", [(4 * MIB, 0), (0, 0), (4 * MIB, 0)], False),
        ("memory_bytes", [(4 * MIB, 0), (4 * MIB, 2 * MIB)], False),
        ("memory_bytes", [(4 * MIB, None), (4 * MIB, None)], True),
        ("memory_bytes", [(100_000, 0)], False),
        ("open_fds", [(64, 0), (63, 1)], True),
        ("open_fds", [(10, 0)], False),
        ("open_fds", [], False),
    ],
)
def test_growth(gauge: str, rises: list[tuple[float, float | None]], *, is_it: bool) -> None:
    assert is_growth(gauge, [Rise(*each) for each in rises], 64) is is_it


@pytest.mark.parametrize(
    ("gauge", "grown", "count"),
    [
        ("memory_bytes", 65_536 * 1000, 64),
        ("memory_bytes", 4096 * 1000, 256),
        ("memory_bytes", 1000, 512),
        ("memory_bytes", 0, 512),
        ("open_fds", 1000, 64),
    ],
)
def test_slow_growth_takes_more_copies_to_show(gauge: str, grown: float, count: int) -> None:
    assert copies(gauge, Reading(0, 0.0, 0.0), Reading(1000, grown, 0.0)) == count
