"""Every target over its seeds, over seeds that were changed, and over whatever once made it fail."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import mutated
from tests.fuzz.run import CRASHES
from tests.fuzz.seeds import KEY_LOG
from tests.fuzz.targets import TARGETS, heard_in
from tests.fuzz.work import bytes_within, steps_within

EVERY = pytest.mark.parametrize("name", TARGETS)
SEEDS = {name: target.seeds() for name, target in TARGETS.items()}
KEPT = sorted(CRASHES.glob("*/*"))
_STEPS_AT_LEAST, _STEPS_PER_BYTE = 20_000, 100
_HELD_AT_LEAST, _HELD_PER_BYTE = 24_000_000, 400
"""What packing and its like take at once, however small the input is."""


def run(name: str, text: bytes) -> None:
    with steps_within(_STEPS_AT_LEAST + _STEPS_PER_BYTE * len(text)):
        TARGETS[name].run(text)


@EVERY
def test_seeds_are_read_with_work_in_proportion(name: str) -> None:
    seeds = SEEDS[name]
    assert len(seeds) >= 2
    for text in [*seeds, b"".join(seeds), b"", *(text * 20 for text in seeds)]:
        run(name, text)


def test_seeds_reach_every_protocol() -> None:
    found = Counter(each.protocol for text in SEEDS["conversation"] for each in heard_in(text).exchanges)
    inside = Counter(each.protocol for text in SEEDS["tls"] for each in heard_in(text, KEY_LOG).exchanges)
    assert found.keys() == {"http", "websocket", "grpc", "dns", "tcp"}
    assert inside.keys() == {"http", "grpc"}
    assert inside.total() >= 6


@EVERY
@settings(max_examples=150)
@given(data=st.data())
def test_changed_seeds_are_read_with_work_in_proportion(name: str, data: st.DataObject) -> None:
    run(name, mutated(data.draw(st.randoms(use_true_random=False)), SEEDS[name]))


@EVERY
@settings(max_examples=50)
@given(text=st.binary(max_size=300))
def test_any_bytes_are_read_with_work_in_proportion(name: str, text: bytes) -> None:
    run(name, text)


@EVERY
def test_what_is_held_is_bounded(name: str) -> None:
    rng, seeds = Random(name), SEEDS[name]
    for text in [*seeds, *(mutated(rng, seeds) for _ in range(60))]:
        with bytes_within(_HELD_AT_LEAST + _HELD_PER_BYTE * len(text)):
            TARGETS[name].run(text)


@pytest.mark.skipif(not KEPT, reason="nothing has failed so far")
@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name[:16]}")
def test_what_once_failed_is_read(path: Path) -> None:
    run(path.parent.name, path.read_bytes())
