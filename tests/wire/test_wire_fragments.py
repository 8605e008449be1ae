"""IP fragments in any order, and more of them than anybody should send."""

from hypothesis import given
from hypothesis import strategies as st

from shadow.wire.fragments import Fragments


@given(text=st.binary(min_size=1, max_size=200), data=st.data())
def test_fragments_in_any_order_with_repeats_give_the_datagram_once(text: bytes, data: st.DataObject) -> None:
    pieces = [(at, text[at : at + 8]) for at in range(0, len(text), 8)]
    order = data.draw(st.permutations(pieces + data.draw(st.lists(st.sampled_from(pieces), max_size=3))))
    fragments = Fragments()
    whole = [
        found
        for at, piece in order
        if (found := fragments.add(b"key", at, piece, is_last=at + len(piece) == len(text))) is not None
    ]
    assert text in whole


def test_overlapping_fragments_keep_what_begins_earlier() -> None:
    fragments = Fragments()
    assert fragments.add(b"key", 8, b"BBBBBBBB", is_last=True) is None
    assert fragments.add(b"key", 0, b"AAAAAAAAAAAA", is_last=False) == b"AAAAAAAAAAAABBBB"


def test_fragment_beyond_the_largest_datagram_is_dropped() -> None:
    assert Fragments().add(b"key", 65_528, b"12345678", is_last=True) is None


def test_pieces_of_one_datagram_are_bounded() -> None:
    fragments = Fragments()
    for at in range(5000):
        fragments.add(b"key", 8 * at, b"x", is_last=False)
    assert len(fragments._waiting[b"key"]) <= 256
