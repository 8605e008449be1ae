"""The method that a gRPC call names (gRPC over HTTP/2, Requests)."""

from random import Random

from mutators import _http2 as h2
from mutators._contract import GRPC, mutator
from mutators._message import with_method, with_target
from shadow.model import Edit, Expect, Known, Level, Request
from shadow.wire.grpc import is_grpc


@mutator(level=Level.TARGET, expect=Expect.REJECT, over=GRPC)
def unknown_grpc_method(request: Request, rng: Random) -> Edit | None:
    """A method or a service that the server has not is refused by UNIMPLEMENTED (gRPC, Status codes; 501 of
    RFC 9110 §15.6.2).
    """
    parts = _parts(request)
    if parts is None:
        return None
    service, method = parts
    target, what = rng.choice(
        (
            (b"/" + service + b"/Shadow" + method, "method"),
            (b"/" + service + b"/ShadowNothing", "method"),
            (b"/shadow." + service + b"/" + method, "service"),
            (b"/shadow.Nothing/" + method, "service"),
        )
    )
    return Edit(with_target(request, target), f"called the {what} {h2.shown(target)}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE, over=GRPC)
def odd_grpc_path(request: Request, rng: Random) -> Edit | None:
    """A path is /service/method, byte for byte (gRPC over HTTP/2, Path): others are refused by
    UNIMPLEMENTED, unless a library is lax.
    """
    parts = _parts(request)
    if parts is None:
        return None
    service, method = parts
    target = rng.choice(
        (
            b"/",
            b"/" + service,
            b"/" + service + b"/",
            b"//" + service + b"/" + method,
            b"/" + service + b"//" + method,
            b"/" + service + b"/" + method + b"/",
            b"/" + service + b"/" + method + b"?shadow=1",
            b"/" + service + b"/%s%%20" % method,
            b"/" + service.swapcase() + b"/" + method,
            b"/" + service + b"/" + method.swapcase(),
            b"/../" + service + b"/" + method,
            b"/" + service + b"/" + method * 200,
        )
    )
    if target == request.target:
        return None
    return Edit(with_target(request, target), f"called {h2.shown(target)}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=GRPC)
def other_method_of_http(request: Request, rng: Random, known: Known) -> Edit | None:
    """A call is a POST (gRPC over HTTP/2, Method): others are refused, by libraries that look."""
    one = h2.said(request, known)
    if one is None or not one.is_call:
        return None
    method = rng.choice((b"GET", b"PUT", b"HEAD", b"OPTIONS"))
    return h2.edit(
        one,
        f"made the method {method.decode()}",
        h2.message(one, 1, h2.with_pseudo(one.fields, b":method", method)),
    )


@mutator(level=Level.TARGET, expect=Expect.SURVIVE, over=GRPC)
def unknown_method_of_http(request: Request, rng: Random) -> Edit | None:
    """A call is a POST (gRPC over HTTP/2, Method): a method that nobody knows is refused, and no crash."""
    if not is_grpc(request.headers):
        return None
    method = rng.choice((b"SHADOW", b"post", b"POSTS"))
    return Edit(with_method(request, method), f"made the method {method.decode()}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE, over=GRPC)
def call_sibling_method(request: Request, rng: Random, known: Known) -> Edit | None:
    """Another recorded method of the same service takes other messages: what it cannot read is refused
    (protobuf.dev, Unknown Fields), and no crash.
    """
    parts = _parts(request)
    if parts is None:
        return None
    start = b"/" + parts[0] + b"/"
    others = {each.request.target for each in known.others}
    found = sorted(each for each in others if each.startswith(start) and each != request.target)
    if not found:
        return None
    target = rng.choice(found)
    return Edit(with_target(request, target), f"sent the messages to {h2.shown(target)}")


def _parts(request: Request) -> tuple[bytes, bytes] | None:
    """Service and method; None where the request is no call, or names none."""
    if not is_grpc(request.headers):
        return None
    service, _, method = request.target[1:].rpartition(b"/")
    return (service, method) if service and method and request.target[:1] == b"/" else None
