"""permessage-deflate: what was agreed on, and messages that refer to others before them."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.wire.websocket_deflate import Inflater, inflaters

PLENTY = 1 << 20


def deflated(compressor: "zlib._Compress", message: bytes) -> bytes:
    return (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(
        b"\x00\x00\xff\xff"
    )


def compressor(bits: int = 15) -> "zlib._Compress":
    return zlib.compressobj(wbits=-bits)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"Hello"),
        (b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", b"Hello"),
        (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello"),
        (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", b"Hello"),
        (b"\x00", b""),
    ],
    ids=["one block", "no compression", "final block", "two blocks", "empty"],
)
def test_examples_of_the_standard_are_inflated(payload: bytes, message: bytes) -> None:
    assert Inflater().inflate(payload, PLENTY) == message


@given(bodies=st.lists(st.binary(max_size=500), max_size=6), bits=st.integers(9, 15), keeps=st.booleans())
def test_messages_come_back_with_and_without_context(bodies: list[bytes], bits: int, keeps: bool) -> None:
    inflater, one = Inflater(bits, keeps_context=keeps), compressor(bits)
    for body in bodies:
        one = one if keeps else compressor(bits)
        assert inflater.inflate(deflated(one, body * 3), PLENTY) == body * 3


def test_what_follows_a_final_block_may_refer_to_what_was_before() -> None:
    first, inflater = b"a text that comes twice, a text that comes twice", Inflater()
    one = compressor()
    final = one.compress(first) + one.flush(zlib.Z_FINISH)
    again = zlib.compressobj(wbits=-15, zdict=first)
    assert inflater.inflate(final + b"\x00", PLENTY) == first
    assert inflater.inflate(deflated(again, first), PLENTY) == first


def test_message_that_is_too_long_is_cut_after_one_byte_more() -> None:
    bomb = deflated(compressor(), bytes(50_000_000))
    assert len(bomb) < 100_000
    assert Inflater().inflate(bomb, 1000) == bytes(1001)


def test_message_of_final_blocks_without_end_is_given_up() -> None:
    inflater = Inflater()
    assert inflater.inflate(b"\x03\x00" * 100_000, PLENTY) is None
    assert inflater.is_lost


@pytest.mark.parametrize("keeps", [True, False], ids=["context", "no context"])
def test_after_a_missed_message_only_what_needs_no_context_is_inflated(keeps: bool) -> None:
    inflater = Inflater(keeps_context=keeps)
    inflater.miss()
    assert inflater.inflate(deflated(compressor(), b"Hello"), PLENTY) == (None if keeps else b"Hello")


@given(payloads=st.lists(st.binary(max_size=300), max_size=5), keeps=st.booleans())
def test_garbage_never_raises_and_stays_within_its_bound(payloads: list[bytes], keeps: bool) -> None:
    inflater = Inflater(keeps_context=keeps)
    for payload in payloads:
        assert len(inflater.inflate(payload, 100) or b"") <= 101


@pytest.mark.parametrize(
    ("lines", "client", "server"),
    [
        ([b"permessage-deflate"], True, True),
        ([b"permessage-deflate; client_no_context_takeover"], False, True),
        ([b"other, permessage-deflate ; Server_No_Context_Takeover"], True, False),
        (
            [b"other", b'permessage-deflate; client_max_window_bits="10"; server_max_window_bits=9'],
            True,
            True,
        ),
        ([b"permessage-deflate; server_max_window_bits=99; client_max_window_bits=x"], True, True),
    ],
    ids=["plain", "client", "server", "bits", "nonsense"],
)
def test_handshake_says_who_keeps_context(lines: list[bytes], client: bool, server: bool) -> None:
    agreed = inflaters(tuple((b"Sec-WebSocket-Extensions", line) for line in lines))
    assert agreed is not None
    for inflater, keeps in zip(agreed, (client, server), strict=True):
        one = compressor(9)
        assert inflater.inflate(deflated(one, b"the same words"), PLENTY) == b"the same words"
        second = inflater.inflate(deflated(one, b"the same words"), PLENTY)
        assert (second == b"the same words") is keeps


def test_window_of_the_handshake_is_the_one_that_is_read_with() -> None:
    agreed = inflaters(((b"sec-websocket-extensions", b"permessage-deflate; client_max_window_bits=9"),))
    assert agreed is not None
    one, words = compressor(15), bytes(range(256))
    texts = [deflated(one, body) for body in (words, bytes(5000), words)]
    assert [agreed[0].inflate(text, PLENTY) for text in texts] == [words, bytes(5000), None]
    assert [agreed[1].inflate(text, PLENTY) for text in texts] == [words, bytes(5000), words]


@pytest.mark.parametrize("line", [b"", b"x-webkit-deflate-frame", b"permessage-bzip2", b";,;="])
def test_without_the_extension_nothing_is_inflated(line: bytes) -> None:
    assert inflaters(((b"sec-websocket-extensions", line),)) is None


@pytest.mark.parametrize("bits", [b"00159", b"0015" + b"9" * 30, b"9" * 5000, b"16", b"7", b"x", b""])
def test_window_that_cannot_be_is_the_largest(bits: bytes) -> None:
    agreed = inflaters(
        ((b"Sec-WebSocket-Extensions", b"permessage-deflate; server_max_window_bits=" + bits),)
    )
    assert agreed is not None
    assert agreed[1].inflate(deflated(compressor(), b"Hello"), PLENTY) == b"Hello"
