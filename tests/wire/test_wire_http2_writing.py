"""Frames written byte for byte: what they are in hexadecimal, and what readers of others make of them."""

from typing import Any

import pytest
from hpack import Decoder
from hpack.exceptions import HPACKError, OversizedHeaderListError
from hyperframe.frame import Frame
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Headers
from shadow.wire import http2_writing as w
from shadow.wire.http2_shape import PREFACE

HEAD: Headers = ((b":method", b"GET"), (b":path", b"/"))


def frames(text: bytes) -> list[Any]:
    """Read by hyperframe, each of its own class."""
    found: list[Any] = []
    while text:
        frame, length = Frame.parse_frame_header(memoryview(text[:9]))
        frame.parse_body(memoryview(text[9 : 9 + length]))
        found.append(frame)
        text = text[9 + length :]
    return found


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(w.frame(0, 1, 3, b"hi"), "000002000100000003" + "6869", id="frame"),
        pytest.param(w.frame(0, 0, 1, b"", length=0xABCDEF), "abcdef000000000001", id="length that lies"),
        pytest.param(w.frame(0xFA, 0xFF, 0xFFFF_FFFF, b""), "000000faffffffffff", id="unknown, reserved bit"),
        pytest.param(w.data(1, b"a", pad=2), "000004000900000001" + "02" + "61" + "0000", id="padded data"),
        pytest.param(w.rst_stream(5, 8), "000004030000000005" + "00000008", id="reset"),
        pytest.param(w.settings_ack(), "000000040100000000", id="settings ack"),
        pytest.param(w.settings_frame(((4, 9),)), "000006040000000000" + "000400000009", id="settings"),
        pytest.param(w.ping(b"12345678"), "000008060000000000" + "3132333435363738", id="ping"),
        pytest.param(w.goaway(3, 1, b"x"), "000009070000000000" + "0000000300000001" + "78", id="goaway"),
        pytest.param(w.window_update(0, 0), "000004080000000000" + "00000000", id="increment of nothing"),
        pytest.param(w.priority(3, 3), "000005020000000003" + "000000030f", id="depends on itself"),
        pytest.param(w.field_block(((b"A", b"\r\n"),)), "00" + "0141" + "020d0a", id="field as it is"),
        pytest.param(w.indexed(0), "80", id="index of nothing"),
        pytest.param(w.indexed(127), "ff00", id="long index"),
        pytest.param(w.table_size_update(1337), "3f9a0a", id="table size, RFC 7541 C.1.2"),
    ],
)
def test_bytes_are_as_the_standard_draws_them(written: bytes, expected: str) -> None:
    assert written.hex() == expected


def test_connection_is_opened_with_preface_settings_and_wide_windows() -> None:
    text = w.opening()
    assert text.startswith(PREFACE)
    settings, update = frames(text[len(PREFACE) :])
    assert settings.settings == {2: 0, 4: 1 << 24}
    assert (update.stream_id, update.window_increment) == (0, (1 << 24) - 65_535)


@given(st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=300)), max_size=5), st.integers(1, 40))
def test_split_field_block_is_the_same_in_any_pieces(fields: list[tuple[bytes, bytes]], size: int) -> None:
    found = frames(w.split_headers(1, tuple(fields), size))
    assert ["END_HEADERS" in each.flags for each in found] == [False] * (len(found) - 1) + [True]
    assert "END_STREAM" in found[0].flags
    block = b"".join(each.data for each in found)
    assert Decoder().decode(block, raw=True) == fields


def test_flood_does_not_end_and_is_bounded() -> None:
    found = frames(w.continuation_flood(1, HEAD, 10**9))
    assert len(found) == 1 + w.MAX_REPEATED
    assert not any("END_HEADERS" in each.flags for each in found)


def test_bomb_is_small_on_the_wire_and_large_when_it_is_read() -> None:
    text = w.hpack_bomb(1, HEAD)
    block = b"".join(each.data for each in frames(text))
    assert len(text) < 10_000
    decoder = Decoder(max_header_list_size=10**9)
    assert sum(len(value) for _, value in decoder.decode(block, raw=True)) > 4000 * 4000
    with pytest.raises(OversizedHeaderListError):
        Decoder().decode(block)


def test_window_overflows_at_the_second_update() -> None:
    assert [each.window_increment for each in frames(w.window_overflow(0))] == [w.MAX_WINDOW] * 2


def test_each_rapid_reset_follows_its_headers() -> None:
    found = frames(w.rapid_resets(1, HEAD, 3))
    assert [(type(each).__name__, each.stream_id) for each in found] == [
        (name, number) for number in (1, 3, 5) for name in ("HeadersFrame", "RstStreamFrame")
    ]


def test_promise_names_its_stream() -> None:
    (found,) = frames(w.push_promise(1, 2, HEAD))
    assert (found.stream_id, found.promised_stream_id) == (1, 2)
    assert tuple(Decoder().decode(found.data, raw=True)) == HEAD


def test_reference_to_no_entry_is_an_error() -> None:
    with pytest.raises(HPACKError):
        Decoder().decode(w.indexed(62))
