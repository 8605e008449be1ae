"""Requests said in frames of HTTP/2, to be put down in another way, or wrongly."""

from collections.abc import Iterable, Sequence
from random import Random

import msgspec

from shadow.model import Edit, Ending, Headers, Known, Request, Wire, field
from shadow.wire import http2_writing as w
from shadow.wire.grpc import is_grpc
from shadow.wire.http2_form import in_http2, trailers_in_http2, unsayable
from shadow.wire.http2_shape import PREFACE

MAX_BODY_BYTES = 32_768
"""Half of what may be sent before the other side widens its window (RFC 9113 §6.9.2)."""
MAX_BLOCK_BYTES = 8_192
"""Of fields, so that what is put to them still fits in one frame."""
MAX_FRAME_BYTES = 16_384
"""What every receiver takes (RFC 9113 §4.2)."""
_OPENING = w.opening()
SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS"})

type Fault = tuple[str, bytes]
"""What is wrong, for a person, and the frames that are."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """A request as HTTP/2 says it."""

    request: Request
    fields: Headers
    """Pseudo-fields first."""
    body: bytes
    trailers: Headers

    @property
    def is_safe(self) -> bool:
        """Whether it may be sent more than once, or half, without an effect."""
        return self.request.method in SAFE

    @property
    def is_call(self) -> bool:
        return is_grpc(self.request.headers)

    @property
    def ends_at_once(self) -> bool:
        """Whether the fields are all there is."""
        return not self.body and not self.trailers


def said(request: Request, known: Known) -> Said | None:
    """The request in HTTP/2; None where that cannot say it, or it does not fit into the first window."""
    if len(request.body) > MAX_BODY_BYTES or unsayable(request):
        return None
    fields = in_http2(request, known.scheme)
    if sum(len(name) + len(value) for name, value in fields) > MAX_BLOCK_BYTES:
        return None
    return Said(request, fields, request.body, trailers_in_http2(request))


def pseudo_count(fields: Headers) -> int:
    """How many pseudo-fields the fields begin with."""
    return sum(name[:1] == b":" for name, _ in fields)


def with_pseudo(fields: Headers, name: bytes, value: bytes | None) -> Headers:
    """The fields with another value of the pseudo-field `name`; without it where `value` is None."""
    made = [(key, text if key != name else value) for key, text in fields]
    return tuple((key, text) for key, text in made if text is not None)


def put(fields: Headers, rng: Random, line: tuple[bytes, bytes]) -> Headers:
    """The fields with one more, anywhere behind the pseudo-fields."""
    at = rng.randint(pseudo_count(fields), len(fields))
    return (*fields[:at], line, *fields[at:])


def head(one: Said, stream: int = 1, fields: Headers | None = None) -> bytes:
    """The request's HEADERS frame."""
    return w.headers(stream, one.fields if fields is None else fields, ends_stream=one.ends_at_once)


def rest(one: Said, stream: int = 1, sizes: Sequence[int] = (MAX_FRAME_BYTES,)) -> bytes:
    """What follows the fields: the body in DATA frames as `data` makes them, and the trailers."""
    if not one.trailers:
        return data(one.body, stream, sizes)
    return data(one.body, stream, sizes, ends_stream=False) + w.headers(stream, one.trailers)


def data(
    body: bytes, stream: int = 1, sizes: Sequence[int] = (MAX_FRAME_BYTES,), *, ends_stream: bool = True
) -> bytes:
    """`body` in DATA frames of `sizes` taken in turn, none longer than all servers take; no frame where it is
    empty."""
    out: list[bytes] = []
    at = turn = 0
    while at < len(body):
        size = min(max(1, sizes[turn % len(sizes)]), MAX_FRAME_BYTES)
        is_last = at + size >= len(body)
        out.append(w.data(stream, body[at : at + size], ends_stream=is_last and ends_stream))
        at, turn = at + size, turn + 1
    return b"".join(out)


def message(one: Said, stream: int = 1, fields: Headers | None = None) -> bytes:
    """All frames of the request."""
    return head(one, stream, fields) + rest(one, stream)


def edit(one: Said, what: str, *frames: bytes, start: bytes | None = None, stream: int = 1) -> Edit:
    """A mutant that says `frames` after what a connection begins with, or after `start`."""
    sent = (_OPENING if start is None else start) + b"".join(frames)
    return Edit(one.request, what, Wire((sent,), protocol="http2", stream=stream), signs_again=False)


def sliced(
    one: Said, what: str, segments: Iterable[bytes], pause_seconds: float = 0.0, ending: Ending = Ending.READ
) -> Edit:
    """A mutant said in several segments, with what a connection begins with in the first."""
    kept = tuple(segment for segment in segments if segment)
    return Edit(one.request, what, Wire(kept, pause_seconds, ending, "http2"), signs_again=False)


def fault_before(
    request: Request, rng: Random, known: Known, faults: Sequence[Fault], stream: int = 1
) -> Edit | None:
    """One of `faults`, which the connection must not outlive, then the request as it should be."""
    one = said(request, known)
    if one is None:
        return None
    what, frames = rng.choice(faults)
    return edit(one, what, frames, message(one, stream), stream=stream)


def other_fields(
    request: Request, rng: Random, known: Known, faults: Sequence[tuple[bytes, bytes]]
) -> Edit | None:
    """The request with one of `faults` among its regular fields."""
    one = said(request, known)
    if one is None:
        return None
    name, value = rng.choice(faults)
    return edit(
        one,
        f"put in the field {shown(name)}: {shown(value)}",
        message(one, 1, put(one.fields, rng, (name, value))),
    )


def other_pseudo(
    request: Request, rng: Random, known: Known, name: bytes, values: Sequence[bytes]
) -> Edit | None:
    """The request with one of `values` in its pseudo-field `name`."""
    one = said(request, known)
    if one is None:
        return None
    value = rng.choice(values)
    return edit(
        one, f"made {name.decode()} {shown(value)}", message(one, 1, with_pseudo(one.fields, name, value))
    )


def shown(text: bytes) -> str:
    """Bytes for a person, cut where they are many."""
    return repr(text[:40])[1:] + ("…" if len(text) > 40 else "")


def host_of(one: Said) -> bytes:
    return field(one.request.headers, b"host") or b""


def start_with(*settings: tuple[int, int], preface: bytes = PREFACE) -> bytes:
    """What a connection begins with, with these settings besides."""
    return w.opening(((w.ENABLE_PUSH, 0), *settings), preface=preface)
