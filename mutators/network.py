"""The same bytes over a worse network: sliced, slow, cut off (toxiproxy's conditions, seen from the
client).
"""

import re
from itertools import islice
from random import Random

from mutators._contract import mutator
from mutators._message import asks_to_upgrade
from shadow.model import Edit, Ending, Expect, Level, Request, Wire
from shadow.wire.http1 import is_chunked, serialise_request

_LINE_END = re.compile(rb"\r\n")
_TOKEN = re.compile(rb"[0-9A-Za-z]+|[^0-9A-Za-z]+")
_CONTINUATION = re.compile(rb"[\x80-\xbf]")
_SINGLES = tuple(bytes((value,)) for value in range(256))
_MAX_SEGMENTS = 2_048
"""A segment each for a usual request; the rest of a larger one leaves whole, so that it takes no minutes."""


@mutator(level=Level.NETWORK, expect=Expect.SAME)
def byte_per_segment(request: Request, _rng: Random) -> Edit | None:
    """TCP is a byte stream (RFC 9293 §3.4): one byte to a segment is the same message."""
    text = serialise_request(request)
    singles = map(_SINGLES.__getitem__, text[:_MAX_SEGMENTS])
    return _sliced(request, (*singles, text[_MAX_SEGMENTS:]), "sent one byte per segment")


@mutator(level=Level.NETWORK, expect=Expect.SAME)
def split_line_end(request: Request, rng: Random) -> Edit | None:
    """TCP is a byte stream (RFC 9293 §3.4): a segment may end between CR and LF."""
    text = serialise_request(request)
    ends = [found.start() + 1 for found in islice(_LINE_END.finditer(text), 200)]
    cuts = sorted(rng.sample(ends, rng.randint(1, min(3, len(ends)))))
    return _sliced(request, _cut(text, cuts), f"split {len(cuts)} line ends between CR and LF", 0.01)


@mutator(level=Level.NETWORK, expect=Expect.SAME)
def split_head_from_body(request: Request, rng: Random) -> Edit | None:
    """Head and body are one message however they arrive (RFC 9112 §2.1, RFC 9293 §3.4)."""
    if not request.body:
        return None
    text = serialise_request(request)
    at = text.index(b"\r\n\r\n") + rng.choice((2, 3, 4))
    return _sliced(request, _cut(text, [at]), "sent the body after a pause", 0.05)


@mutator(level=Level.NETWORK, expect=Expect.SAME)
def split_inside_chunk_size(request: Request, rng: Random) -> Edit | None:
    """A segment may end within a chunk's size line (RFC 9293 §3.4): the size is known at its line end
    alone.
    """
    if not request.body or not is_chunked(request.headers):
        return None
    text = serialise_request(request)
    begin = text.index(b"\r\n\r\n") + 4
    cuts = sorted({begin + 1, text.index(b"\r\n", begin) + 1, text.rindex(b"0\r\n") + rng.choice((1, 2))})
    return _sliced(request, _cut(text, cuts), "split the chunks' size lines", 0.01)


@mutator(level=Level.NETWORK, expect=Expect.SAME)
def split_at_tokens(request: Request, _rng: Random) -> Edit | None:
    """A segment may end at every token's boundary (RFC 9293 §3.4): words, separators and white space each
    for themselves are the same message.
    """
    text = serialise_request(request)
    tokens = [found[0] for found in islice(_TOKEN.finditer(text), _MAX_SEGMENTS)]
    rest = text[sum(map(len, tokens)) :]
    return _sliced(request, (*tokens, rest), "sent a segment for each token")


@mutator(level=Level.NETWORK, expect=Expect.SAME)
def split_inside_character(request: Request, rng: Random) -> Edit | None:
    """A segment may end inside a UTF-8 sequence (RFC 9293 §3.4): decoding is not the network's affair."""
    text = serialise_request(request)
    inside = [found.start() for found in islice(_CONTINUATION.finditer(text), 1_000) if found.start()]
    if not inside:
        return None
    return _sliced(request, _cut(text, [rng.choice(inside)]), "split a UTF-8 sequence", 0.01)


@mutator(level=Level.NETWORK, expect=Expect.SAME)
def split_at_random(request: Request, rng: Random) -> Edit | None:
    """Segments of any size carry the same bytes (RFC 9293 §3.4)."""
    text = serialise_request(request)
    cuts = sorted({rng.randrange(1, len(text)) for _ in range(rng.randint(1, 12))})
    return _sliced(request, _cut(text, cuts), f"sent {len(cuts) + 1} segments", rng.choice((0.0, 0.005)))


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def pipeline_requests(request: Request, rng: Random) -> Edit | None:
    """Requests may follow each other at once, and are answered in their order (RFC 9112 §9.3.2): the
    first answer is what it is alone. Safe requests only, as the second is served too.
    """
    if request.method not in {b"GET", b"HEAD"} or request.version != b"HTTP/1.1" or request.body:
        return None
    if asks_to_upgrade(request):  # what follows it is of the other protocol
        return None
    text = serialise_request(request)
    count = rng.choice((2, 2, 5))
    return Edit(
        request, f"sent the request {count} times in one segment", Wire((text * count,)), signs_again=False
    )


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE)
def slow_head(request: Request, rng: Random) -> Edit | None:
    """A head that trickles in may be timed out (408, RFC 9110 §15.5.9) but must not block others
    (CWE-400).
    """
    text = serialise_request(request)
    cuts = sorted({rng.randrange(1, max(2, text.index(b"\r\n\r\n"))) for _ in range(8)})
    return _sliced(request, _cut(text, cuts), "trickled the head", 0.25)


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE)
def slow_body(request: Request, rng: Random) -> Edit | None:
    """A body that trickles in may be timed out (408, RFC 9110 §15.5.9) but must not block others
    (CWE-400).
    """
    text = serialise_request(request)
    begin = text.index(b"\r\n\r\n") + 4
    if len(text) - begin < 2:
        return None
    cuts = sorted({begin, *(rng.randrange(begin + 1, len(text)) for _ in range(8))})
    return _sliced(request, _cut(text, cuts), "trickled the body", 0.25)


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE)
def stall_before_last_byte(request: Request, _rng: Random) -> Edit | None:
    """All but the last byte, then a pause of 2 s: answered or timed out, and nothing acted on before."""
    text = serialise_request(request)
    return _sliced(request, _cut(text, [len(text) - 1]), "held the last byte back", 2.0)


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE)
def half_close(request: Request, _rng: Random) -> Edit | None:
    """After the whole request our side is closed: a half-closed connection still carries the answer
    (RFC 9293 §3.6), though a server may take it for a client that left.
    """
    wire = Wire((serialise_request(request),), ending=Ending.HALF_CLOSE)
    return Edit(request, "closed our side after the request", wire, signs_again=False)


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE)
def close_early(request: Request, rng: Random) -> Edit | None:
    """A request cut short by FIN is incomplete (RFC 9112 §8): refused or closed, and not acted on."""
    return _cut_off(request, rng, Ending.HALF_CLOSE)


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE)
def reset_early(request: Request, rng: Random) -> Edit | None:
    """A request cut short by RST (RFC 9293 §3.5.2) is gone: the service must stay healthy."""
    return _cut_off(request, rng, Ending.RESET)


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE)
def reset_after_request(request: Request, _rng: Random) -> Edit | None:
    """RST right after the last byte: acted on or not, nobody reads the answer; the service must stay
    healthy.
    """
    wire = Wire((serialise_request(request),), ending=Ending.RESET)
    return Edit(request, "reset the connection after the request", wire, signs_again=False)


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE)
def fail_by_pattern(request: Request, rng: Random) -> Edit | None:
    """An intermittent network, its pattern drawn as bits: segments pass, pause or end the connection.
    Answered, refused or closed; the service must stay healthy.
    """
    text = serialise_request(request)
    pattern = rng.getrandbits(16)
    step = max(1, len(text) // 16)
    cuts = [at * step for at in range(1, 16) if pattern >> at & 1 and at * step < len(text)]
    ending = rng.choice((Ending.READ, Ending.READ, Ending.HALF_CLOSE, Ending.RESET))
    whole = _cut(text, cuts)
    kept = whole if ending is Ending.READ else whole[: max(1, len(whole) - 1)]
    what = f"let the network fail by the pattern {pattern:016b}"
    return Edit(request, what, Wire(kept, 0.03, ending), signs_again=False)


def _cut_off(request: Request, rng: Random, ending: Ending) -> Edit:
    text = serialise_request(request)
    head = text.index(b"\r\n\r\n")
    size = rng.choice(
        (1, head, head + 2, min(len(text) - 1, head + 4), len(text) - 1, rng.randrange(1, len(text)))
    )
    what = f"sent {size} of {len(text)} bytes, then {ending.value}"
    return Edit(request, what, Wire((text[:size],), ending=ending), signs_again=False)


def _sliced(request: Request, segments: tuple[bytes, ...], what: str, pause_seconds: float = 0.0) -> Edit:
    return Edit(request, what, Wire(tuple(filter(None, segments)), pause_seconds), signs_again=False)


def _cut(text: bytes, cuts: list[int]) -> tuple[bytes, ...]:
    """`text` cut at these ascending places."""
    begins = [0, *cuts]
    return tuple(text[start:end] for start, end in zip(begins, [*cuts, len(text)], strict=True))
