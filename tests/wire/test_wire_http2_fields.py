"""Field blocks read by a listener, against the encoder and the decoder of the hpack library."""

import pytest
from hpack import Decoder, Encoder, HPACKError
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.wire.http2_fields import UNKNOWN_ENTRY, FieldDecoder, HuffmanTexts

NAMES = st.sampled_from([b":method", b":path", b"cookie", b"x-a", b"x-b", b"date", b"server"])
VALUES = st.sampled_from([b"GET", b"/", b"", b"1", b"x" * 70]) | st.binary(max_size=40)
FIELDS = st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=8)
SIZES = st.sampled_from([None, 0, 60, 200, 4096, 9000])
SOME = st.lists(FIELDS, max_size=6)
type Fields = list[tuple[bytes, bytes, bool]]


def decoder(max_list_bytes: int = 65_536, *, is_whole: bool = True) -> FieldDecoder:
    return FieldDecoder(max_list_bytes, HuffmanTexts(), is_whole=is_whole)


def plain(fields: Fields) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value, _ in fields]


@settings(deadline=None)
@given(
    blocks=st.lists(
        st.tuples(FIELDS, st.booleans(), st.sampled_from([None, 0, 60, 200, 4096, 9000])), max_size=12
    )
)
def test_what_an_encoder_writes_is_read_whatever_it_does_to_its_table(
    blocks: list[tuple[Fields, bool, int | None]],
) -> None:
    encoder, reader = Encoder(), decoder()
    for fields, is_coded, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        assert reader.decode(encoder.encode(fields, huffman=is_coded)) == (plain(fields), "")


@settings(deadline=None)
@given(
    before=st.lists(FIELDS, max_size=6), after=st.lists(FIELDS, max_size=6), lost=st.sets(st.integers(0, 5))
)
def test_fields_after_lost_blocks_are_right_or_said_to_be_unknown(
    before: list[Fields], after: list[Fields], lost: set[int]
) -> None:
    encoder, reader = Encoder(), decoder()
    for number, fields in enumerate(before):
        block = encoder.encode(fields)
        if number in lost:
            reader.lose()
        else:
            _assert_right(reader, block, fields)
    reader.lose()
    for fields in after:
        _assert_right(reader, encoder.encode(fields), fields)


def _assert_right(reader: FieldDecoder, block: bytes, fields: Fields) -> None:
    """All that is read is there, in this order; all that is there is read, or it is said that some is not."""
    found, why = reader.decode(block)
    rest = iter(plain(fields))
    assert all(each in rest for each in found)
    assert why in ("", UNKNOWN_ENTRY)
    assert len(found) == len(fields) or why


@settings(deadline=None)
@given(blocks=st.lists(st.binary(max_size=60), max_size=6), is_whole=st.booleans())
def test_no_bytes_make_it_raise(blocks: list[bytes], is_whole: bool) -> None:
    reader = decoder(200, is_whole=is_whole)
    for block in blocks:
        fields, _ = reader.decode(block)
        assert sum(32 + len(name) + len(value) for name, value in fields) <= 200


@settings(deadline=None)
@given(block=st.binary(max_size=60))
def test_it_reads_what_the_library_reads_and_refuses_what_that_refuses(block: bytes) -> None:
    library = Decoder(max_header_list_size=65_536)
    library.max_allowed_table_size = 2**40
    found, why = decoder().decode(block)
    try:
        expected = [tuple(each) for each in library.decode(block, raw=True)]
    except HPACKError:
        assert why
    else:
        assert (found, why) == (expected, "")


def test_block_over_the_limit_is_not_kept_and_the_table_stays_in_step() -> None:
    encoder, reader = Encoder(), decoder(1000)
    long = [(b"x-%d" % number, b"v" * 60, False) for number in range(20)]
    fields, why = reader.decode(encoder.encode(long))
    assert (fields, why) == ([], "fields longer than 1000 bytes")
    assert reader.decode(encoder.encode(long[-3:])) == (plain(long[-3:]), "")


def test_entries_that_were_added_since_the_loss_are_known() -> None:
    encoder, reader = Encoder(), decoder(is_whole=False)
    encoder.encode([(b"old", b"1", False)])
    assert reader.decode(encoder.encode([(b"new", b"2", False)])) == ([(b"new", b"2")], "")
    both = [(b"new", b"2", False), (b"old", b"1", False)]
    assert reader.decode(encoder.encode(both)) == ([(b"new", b"2")], UNKNOWN_ENTRY)


def test_table_that_was_emptied_is_known_again() -> None:
    reader = decoder(is_whole=False)
    assert reader.decode(b"\xbe")[1] == UNKNOWN_ENTRY
    reader.decode(b"\x20")
    assert reader.decode(b"\xbe")[1] == "a malformed field block: no entry has the index 62"


MALFORMED = {
    "index zero": b"\x80",
    "index beyond the table": b"\xbe",
    "endless integer": b"\xff\xff\xff\xff\xff\xff\xff",
    "cut inside an integer": b"\xff",
    "cut inside a string": b"\x40\x05ab",
    "bad Huffman code": b"\x40\x81\xfe\x01a",
    "table size after a field": b"\x82\x20",
}


@pytest.mark.parametrize("block", MALFORMED.values(), ids=MALFORMED)
def test_malformed_block_is_a_reason_and_the_table_is_lost(block: bytes) -> None:
    encoder, reader = Encoder(), decoder()
    reader.decode(encoder.encode([(b"a", b"b", False)]))
    reader.decode(b"\x20")
    assert reader.decode(block)[1]
    assert reader.table_bytes == 0
    assert reader.decode(encoder.encode([(b"a", b"b", False)])) == ([], UNKNOWN_ENTRY)


def test_table_never_takes_more_than_its_encoder_says() -> None:
    encoder, reader = Encoder(), decoder()
    encoder.header_table_size = 300
    for number in range(50):
        reader.decode(encoder.encode([(b"name-%d" % number, b"value", False)]))
        assert reader.table_bytes <= 300


def test_table_that_is_said_to_be_huge_is_bounded() -> None:
    reader = decoder()
    reader.decode(b"\x3f\xe1\xff\xff\x7f")  # 256 MiB
    entry = b"\x40\x01a\x7f\x81\x7f" + b"v" * 16_384
    for _ in range(100):
        reader.decode(entry)
    assert reader.table_bytes <= 1_048_576
    assert reader.decode(b"\xff\x20") == ([], UNKNOWN_ENTRY)
