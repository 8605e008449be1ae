"""The messages of a gRPC call, framed otherwise or wrongly (gRPC over HTTP/2, Length-Prefixed-Message).

What cannot be read is refused by the library, by INTERNAL or another code; what the service gets is whole.
"""

import zlib
from random import Random

from mutators import _http2 as h2
from mutators._contract import GRPC, mutator
from mutators._grpc import body_of, call_of, prefixed, with_call_body
from shadow.model import Edit, Expect, Known, Level, Request, field, with_field
from shadow.wire import http2_writing as w

_LENGTHS = (1, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
"""More than there is; from 2^31 on the number is negative to who reads it with a sign."""


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=GRPC)
def split_grpc_messages(request: Request, rng: Random, known: Known) -> Edit | None:
    """Messages and DATA frames have nothing to do with each other: a frame may end within a prefix (gRPC
    over HTTP/2, Requests; RFC 9113 §8.1).
    """
    one, call = h2.said(request, known), call_of(request)
    if one is None or call is None or len(one.body) < 2:
        return None
    cut = rng.randint(1, min(len(one.body) - 1, 8))
    sizes = (cut, max(1, len(one.body) // rng.randint(1, 50)))
    return h2.edit(one, f"cut the messages after {cut} bytes", h2.head(one), h2.rest(one, 1, sizes))


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=GRPC)
def end_call_later(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A call may end on an empty DATA frame as well as on its last message (gRPC over HTTP/2, EOS;
    RFC 9113 §8.1).
    """
    one = h2.said(request, known)
    if one is None or one.trailers or not one.body or not one.is_call:
        return None
    head = w.headers(1, one.fields, ends_stream=False)
    body = h2.data(one.body, ends_stream=False)
    return h2.edit(one, "ended the call on an empty frame", head, body, w.data(1, b""))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=GRPC)
def compressed_flag_without_coding(request: Request, rng: Random) -> Edit | None:
    """A message that says it is compressed, in a call that states no coding, is refused by INTERNAL (gRPC
    Compression, Specification); a widely used library takes it as it is.
    """
    call = call_of(request)
    if call is None or not call.messages or any(flag for flag, _ in call.messages):
        return None
    if field(request.headers, b"grpc-encoding") not in (None, b"identity"):
        return None
    at = rng.randrange(len(call.messages))
    if not call.messages[at][1]:
        return None
    made = [(flag or place == at, text) for place, (flag, text) in enumerate(call.messages)]
    return with_call_body(request, body_of(tuple(made)), "set the compressed flag")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=GRPC)
def unknown_message_flag(request: Request, rng: Random) -> Edit | None:
    """The flag before a message is 0 or 1 (gRPC over HTTP/2, Compressed-Flag): others are refused, or taken
    for one of these.
    """
    call = call_of(request)
    if call is None or not call.messages:
        return None
    flag = rng.choice((2, 3, 0x80, 0xFF))
    first, left = call.messages[0][1], call.messages[1:]
    return with_call_body(
        request, prefixed(first, flag) + body_of(left), f"made the flag of a message {flag}"
    )


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=GRPC)
def too_long_message_length(request: Request, rng: Random) -> Edit | None:
    """A message of which the prefix promises more than comes is cut short: refused, and nothing of that
    size is set aside (gRPC over HTTP/2, Message-Length; CWE-789).
    """
    call = call_of(request)
    if call is None or not call.messages:
        return None
    flag, text = call.messages[-1]
    more = rng.choice(_LENGTHS)
    length = len(text) + more if more < 1 << 16 else more
    body = body_of(call.messages[:-1]) + prefixed(text, flag, length)
    return with_call_body(request, body, f"said that a message of {len(text)} bytes has {length}")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=GRPC)
def too_short_message_length(request: Request, rng: Random) -> Edit | None:
    """Of a message longer than its prefix says the rest is taken for the next prefix: refused, or what is
    left is answered (gRPC over HTTP/2, Message-Length; CWE-130).
    """
    call = call_of(request)
    if call is None or not call.messages or not call.messages[-1][1]:
        return None
    flag, text = call.messages[-1]
    length = rng.choice((0, len(text) - 1))
    body = body_of(call.messages[:-1]) + prefixed(text, flag, length)
    return with_call_body(request, body, f"said that a message of {len(text)} bytes has {length}")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=GRPC)
def cut_grpc_message(request: Request, rng: Random) -> Edit | None:
    """A call that ends within a prefix or a message is refused (gRPC over HTTP/2, Message)."""
    call = call_of(request)
    if call is None or not call.messages:
        return None
    begin = len(body_of(call.messages[:-1]))
    cut = rng.randint(begin + 1, len(request.body) - 1)
    return with_call_body(request, request.body[:cut], f"ended the call after {cut} bytes")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=GRPC)
def stray_bytes_after_message(request: Request, rng: Random) -> Edit | None:
    """Bytes after the last message are the beginning of another that never comes: refused, or left out
    (gRPC over HTTP/2, Length-Prefixed-Message).
    """
    call = call_of(request)
    if call is None:
        return None
    stray = rng.choice((b"\0", b"\0\0\0\0", b"shadow", bytes(4) + b"\x01"))
    return with_call_body(request, request.body + stray, f"put {len(stray)} bytes after the last message")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=GRPC)
def repeat_grpc_message(request: Request, rng: Random) -> Edit | None:
    """A second message in a call that takes one is refused by UNIMPLEMENTED or INTERNAL, or left out; in a
    stream it is one more (gRPC, Status codes).
    """
    call = call_of(request)
    if call is None or not call.messages:
        return None
    at, count = rng.randrange(len(call.messages)), rng.choice((1, 1, 50))
    count = max(1, min(count, 65_536 // (len(call.messages[at][1]) + 5)))
    made = (*call.messages[: at + 1], *(call.messages[at],) * count, *call.messages[at + 1 :])
    return with_call_body(request, body_of(made), f"sent a message {count + 1} times")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=GRPC)
def drop_grpc_messages(request: Request, rng: Random) -> Edit | None:
    """A call without the one message that it takes is refused by UNIMPLEMENTED or INTERNAL; a stream may
    have none (gRPC, Status codes).
    """
    call = call_of(request)
    if call is None or not call.messages:
        return None
    if len(call.messages) == 1 or rng.random() < 0.5:
        return with_call_body(request, b"", "sent no message")
    at = rng.randrange(len(call.messages))
    made = (*call.messages[:at], *call.messages[at + 1 :])
    return with_call_body(request, body_of(made), f"left out message {at}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE, over=GRPC)
def empty_grpc_message(request: Request, rng: Random) -> Edit | None:
    """A message of no bytes is one whose fields all have their default values (protobuf.dev, Field
    Presence): answered or refused.
    """
    call = call_of(request)
    if call is None or not call.messages:
        return None
    at = rng.randrange(len(call.messages))
    made = (*call.messages[:at], (False, b""), *call.messages[at + 1 :])
    return with_call_body(request, body_of(made), f"emptied message {at}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE, over=GRPC)
def reorder_grpc_messages(request: Request, rng: Random) -> Edit | None:
    """The messages of a stream in another order say something else, which no service may break of (gRPC
    keeps the order: Core concepts).
    """
    call = call_of(request)
    if call is None or len(call.messages) < 2:
        return None
    made = rng.sample(call.messages, len(call.messages))
    return with_call_body(request, body_of(tuple(made)), "reordered the messages")


@mutator(level=Level.BODY, expect=Expect.SURVIVE, over=GRPC)
def noise_as_grpc_message(request: Request, rng: Random) -> Edit | None:
    """A message that is no Protocol Buffers is refused by the library, or means little to the service
    (protobuf.dev, Encoding).
    """
    call = call_of(request)
    if call is None or not call.messages:
        return None
    at = rng.randrange(len(call.messages))
    noise = rng.choice((b"\xff" * 16, b"{}", b"\x0a\xff\xff\xff\xff\x0f", rng.randbytes(32)))
    made = (*call.messages[:at], (False, noise), *call.messages[at + 1 :])
    return with_call_body(request, body_of(made), f"made message {at} noise")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=GRPC)
def compress_grpc_messages(request: Request, _rng: Random) -> Edit | None:
    """A call in a coding that the server has means the same, and one that it has not is refused by
    UNIMPLEMENTED (gRPC Compression).
    """
    call = call_of(request)
    if call is None or not call.messages or any(flag for flag, _ in call.messages):
        return None
    if field(request.headers, b"grpc-encoding") is not None:
        return None
    body = b"".join(prefixed(_gzip(text), 1) for _, text in call.messages)
    edit = with_call_body(request, body, "compressed the messages by gzip")
    return edit and _stating(edit, b"gzip")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=GRPC)
def grpc_compression_bomb(request: Request, _rng: Random) -> Edit | None:
    """A few kilobytes that unpack to 16 MB are refused at the limit of a message's size (CWE-409)."""
    call = call_of(request)
    if call is None or not call.messages:
        return None
    edit = with_call_body(request, prefixed(_BOMB, 1), "sent a message that unpacks to 16 MB")
    return edit and _stating(edit, b"gzip")


def _stating(edit: Edit, coding: bytes) -> Edit:
    made = edit.request
    headers = with_field(made.headers, b"grpc-encoding", coding)
    return Edit(Request(made.method, made.target, made.version, headers, made.body, made.trailers), edit.what)


def _gzip(text: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(text) + packer.flush()


_BOMB = _gzip(bytes(16 << 20))
