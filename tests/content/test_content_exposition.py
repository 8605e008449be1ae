"""Samples of metrics are read by name, whatever else the page holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.content.exposition import samples

PAGE = b"""# HELP held_bytes What is held.
# TYPE held_bytes gauge
held_bytes 1.5e+06
held_bytes_total 7
areas_bytes{area="heap",id="a}b"} 10 1700000000000
areas_bytes{area="other"} 20 # {trace_id="x"} 3.0
open_fds{} 12\r
odd_bytes NaN
bare
"""


def test_samples_of_one_name_are_added_up() -> None:
    names = ("held_bytes", "areas_bytes", "open_fds", "odd_bytes", "bare", "absent")
    assert samples(PAGE, names) == {"held_bytes": 1_500_000.0, "areas_bytes": 30.0, "open_fds": 12.0}


@pytest.mark.parametrize("page", [b"", b"held_bytes", b"held_bytes{", b"held_bytes }", b"held_bytes +Inf\n"])
def test_what_is_no_sample_is_left_out(page: bytes) -> None:
    assert samples(page, ("held_bytes",)) == {}


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(page: bytes) -> None:
    assert all(name == "a" for name in samples(b"a " + page + b"\na{" + page, ("a",)))
