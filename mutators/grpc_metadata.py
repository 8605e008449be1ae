"""What a gRPC call says before its messages: timeout, codings, metadata (gRPC over HTTP/2, Requests)."""

from random import Random

from mutators import _http2 as h2
from mutators._contract import GRPC, mutator
from mutators._message import appended, is_signed, with_headers
from shadow.model import Edit, Expect, Known, Level, Request, field, with_field, without_field
from shadow.wire.grpc import is_grpc

_LONG_TIMEOUTS = (b"3600S", b"100M", b"99999999m", b"10H", b"2000000S")
"""Below 2^31 ms: a widely used library counts in those, and has longer ones run out at once."""
_BAD_TIMEOUTS = (
    b"99999999H",
    b"99999999S",
    b"",
    b"1",
    b"S",
    b"-1S",
    b"1s",
    b"1.5S",
    b"100000000S",
    b"1 S",
    b"1SS",
    b"0x1S",
    b"+1S",
)
_CODINGS = (b"shadow", b"br", b"GZIP", b"gzip, shadow", b"x" * 300)
_BINARY = (b"!!!!", b"a", b"AQ=", b"AQID====", b"A Q=", b"\xc3\xb6", b"-_-_", b"AQI", b",", b"AQID,!!")
_RESERVED = (
    (b"grpc-shadow", b"1"),
    (b"grpc-status", b"0"),
    (b"grpc-message", b"shadow"),
    (b"grpc-tags-bin", b"!!"),
    (b"grpc-trace-bin", b"AA"),
    (b"grpc-previous-rpc-attempts", b"-1"),
    (b"grpc-retry-pushback-ms", b"x"),
    (b"grpc-internal-encoding-request", b"gzip"),
)
_TYPES = (b"application/grpc", b"application/grpc+proto")
_ODD_TYPES = (
    *(b"application/grpc+json", b"application/grpc+shadow", b"application/grpc;", b"application/grpc+"),
    *(b"APPLICATION/GRPC", b"application/grpcx", b"application/grpc-web"),
)
_OTHER_TYPES = (b"application/json", b"text/plain", b"", b"application/x-protobuf")


@mutator(level=Level.HEADER, expect=Expect.SAME, over=GRPC)
def long_grpc_timeout(request: Request, rng: Random) -> Edit | None:
    """A time limit that is not reached changes nothing (gRPC over HTTP/2, Timeout: up to eight digits and
    a unit; of a field like all others, RFC 9110 §5.1).
    """
    if not is_grpc(request.headers):
        return None
    return _with(request, b"grpc-timeout", rng.choice(_LONG_TIMEOUTS))


@mutator(level=Level.HEADER, expect=Expect.SURVIVE, over=GRPC)
def bad_grpc_timeout(request: Request, rng: Random) -> Edit | None:
    """A time limit that is none, or beyond what can be counted, is refused, left out or over at once (gRPC
    over HTTP/2, Timeout), and no crash."""
    if not is_grpc(request.headers):
        return None
    return _with(request, b"grpc-timeout", rng.choice(_BAD_TIMEOUTS))


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=GRPC)
def unknown_grpc_encoding(request: Request, rng: Random) -> Edit | None:
    """A compressed message in a coding that the server has not is refused by UNIMPLEMENTED (gRPC
    Compression, Specification; as RFC 9110 §15.5.16 has it of contents).
    """
    if not is_grpc(request.headers) or len(request.body) < 6 or request.body[0]:
        return None
    made = _with(request, b"grpc-encoding", rng.choice(_CODINGS))
    if made is None:
        return None
    flagged = b"\x01" + request.body[1:]
    one = made.request
    return Edit(Request(one.method, one.target, one.version, one.headers, flagged, one.trailers), made.what)


@mutator(level=Level.HEADER, expect=Expect.SURVIVE, over=GRPC)
def odd_accepted_encoding(request: Request, rng: Random) -> Edit | None:
    """Codings that the server has not are left out of account when it chooses one (gRPC Compression)."""
    if not is_grpc(request.headers):
        return None
    return _with(request, b"grpc-accept-encoding", rng.choice((b"", b"shadow", b"identity", b",,", b"gzip")))


@mutator(level=Level.HEADER, expect=Expect.SURVIVE, over=GRPC)
def bad_binary_metadata(request: Request, rng: Random) -> Edit | None:
    """Metadata whose name ends in -bin is Base64, padded or not (gRPC over HTTP/2, Custom-Metadata): what
    is none is refused, and no crash.
    """
    if not is_grpc(request.headers):
        return None
    found = [name for name, _ in request.headers if name.lower().endswith(b"-bin")]
    value = rng.choice(_BINARY)
    name = rng.choice(found) if found else b"x-shadow-extra-bin"
    edited = with_headers(request, with_field(request.headers, name, value))
    return None if edited == request else Edit(edited, f"made {h2.shown(name)} {h2.shown(value)}")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE, over=GRPC)
def reserved_metadata(request: Request, rng: Random) -> Edit | None:
    """Names that begin with grpc- are the library's own (gRPC over HTTP/2, Custom-Metadata): unknown ones
    are left out, and those of answers believed by nobody.
    """
    if not is_grpc(request.headers):
        return None
    name, value = rng.choice(_RESERVED)
    return Edit(appended(request, (name, value)), f"put in the field {name.decode()}: {value.decode()}")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE, over=GRPC)
def huge_metadata(request: Request, rng: Random) -> Edit | None:
    """Metadata beyond a server's limit, 8 kB as a rule, is refused by RESOURCE_EXHAUSTED or by HTTP (gRPC
    over HTTP/2, Requests).
    """
    if not is_grpc(request.headers):
        return None
    if rng.random() < 0.5:
        size = rng.choice((4_000, 60_000))
        return Edit(appended(request, (b"x-shadow-extra", b"a" * size)), f"put in metadata of {size} bytes")
    lines = tuple((b"x-shadow-extra-%d" % at, b"1") for at in range(500))
    return Edit(appended(request, *lines), "put in metadata of 500 names")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE, over=GRPC)
def repeat_metadata(request: Request, rng: Random, known: Known) -> Edit | None:
    """Metadata of one name may stand more than once, and all of its values count (gRPC over HTTP/2,
    Custom-Metadata): no crash.
    """
    if not is_grpc(request.headers) or is_signed(request, known):
        return None
    found = [line for line in request.headers if line[0].lower().startswith(b"x-")]
    line = rng.choice(found) if found else (b"x-shadow-extra", b"1")
    return Edit(appended(request, line, line), f"repeated {h2.shown(line[0])}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=GRPC)
def without_te(request: Request, _rng: Random, known: Known) -> Edit | None:
    """TE: trailers tells that no proxy in between drops them (gRPC over HTTP/2, TE); servers may insist."""
    one = h2.said(request, known)
    if one is None or not one.is_call:
        return None
    fields = without_field(one.fields, b"te")
    return h2.edit(one, "left out te", h2.message(one, 1, fields))


@mutator(level=Level.HEADER, expect=Expect.SAME, over=GRPC)
def other_grpc_type(request: Request, rng: Random) -> Edit | None:
    """application/grpc stands for application/grpc+proto (gRPC over HTTP/2, Content-Type; RFC 6839 has the
    suffix).
    """
    kind = field(request.headers, b"content-type")
    if kind not in _TYPES:
        return None
    return _with(request, b"content-type", rng.choice([each for each in _TYPES if each != kind]))


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=GRPC)
def odd_grpc_type(request: Request, rng: Random) -> Edit | None:
    """A content type that only begins like gRPC's is served, or refused (gRPC over HTTP/2, Content-Type)."""
    if not is_grpc(request.headers):
        return None
    return _with(request, b"content-type", rng.choice(_ODD_TYPES))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=GRPC)
def no_grpc_type(request: Request, rng: Random, known: Known) -> Edit | None:
    """Without a content type that begins with application/grpc the answer should be 415 (gRPC over HTTP/2,
    Content-Type); not all libraries look.
    """
    one = h2.said(request, known)
    if one is None or not one.is_call:
        return None
    kind = rng.choice(_OTHER_TYPES)
    fields = tuple((name, value if name != b"content-type" else kind) for name, value in one.fields)
    return h2.edit(one, f"made the content type {h2.shown(kind)}", h2.message(one, 1, fields))


def _with(request: Request, name: bytes, value: bytes) -> Edit | None:
    headers = with_field(without_field(request.headers, name), name, value)
    if field(request.headers, name) == value:
        return None
    return Edit(with_headers(request, headers), f"made {name.decode()} {h2.shown(value)}")
