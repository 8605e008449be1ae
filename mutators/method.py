"""Methods: swapped, unknown, overridden, written oddly (RFC 9110 §9)."""

from random import Random

from mutators._contract import mutator
from mutators._message import appended, edit_lines, with_method
from shadow.content.query import Pair, query_of, with_query
from shadow.model import Edit, Expect, Level, Request

_SAFE = (b"GET", b"HEAD", b"OPTIONS")
_WRITING = (b"POST", b"PUT", b"PATCH", b"DELETE")
_RARE = (b"TRACE", b"PROPFIND", b"SEARCH", b"REPORT", b"QUERY", b"LINK", b"DEBUG", b"PRI")
"""Without CONNECT: to close is a usual answer to it, as no tunnel is wanted (RFC 9110 §9.3.6)."""
_UNKNOWN = (b"SHADOW", b"get", b"Post", b"GETS", b"G" * 300, b"GET-X", b"*", b"!")
_BAD = (b"GE(T", b"GET/", b"\xc9GET", b"GE\x00T", b'"GET"', b"GET,", b"G@T", b"GET:", b"{}")
_OVERRIDES = (b"X-HTTP-Method-Override", b"X-Method-Override", b"X-HTTP-Method")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def swap_safe_method(request: Request, rng: Random) -> Edit | None:
    """Another safe method (RFC 9110 §9.2.1): served, or 405 with Allow (§15.5.6), and nothing is changed."""
    return _edit(request, rng.choice([method for method in _SAFE if method != request.method]))


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def swap_writing_method(request: Request, rng: Random) -> Edit | None:
    """A method the resource may not have: 405 with Allow, 4xx for what it lacks, or served (RFC 9110
    §15.5.6).
    """
    return _edit(request, rng.choice([method for method in _WRITING if method != request.method]))


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def use_rare_method(request: Request, rng: Random) -> Edit | None:
    """WebDAV and diagnostic methods: 405 or 501 where they are not meant (RFC 9110 §9.1), never a crash."""
    return _edit(request, rng.choice([method for method in _RARE if method != request.method]))


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def use_unknown_method(request: Request, rng: Random) -> Edit | None:
    """Method names are case-sensitive and open: an unknown one should be answered 501 (RFC 9110 §9.1)."""
    return _edit(request, rng.choice([method for method in _UNKNOWN if method != request.method]))


@mutator(level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def bad_method(request: Request, rng: Random) -> Edit | None:
    """A method is a token (RFC 9110 §9.1): a request line that breaks the grammar should be answered 400
    (RFC 9112 §3).
    """
    method = rng.choice(_BAD)

    def change(lines: list[bytes]) -> None:
        lines[0] = method + lines[0][len(request.method) :]

    return edit_lines(request, change, f"made the method {method!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def override_method(request: Request, rng: Random) -> Edit | None:
    """Method-override fields are no standard: ignored, or obeyed under all checks of the method they
    name (CWE-650). A safe request is overridden by safe methods alone.
    """
    is_safe = request.method in _SAFE
    method = rng.choice(
        [other for other in (_SAFE if is_safe else _SAFE + _WRITING) if other != request.method]
    )
    if rng.random() < 0.25:
        target = with_query(request.target, [*query_of(request.target), Pair(b"_method", method)])
        edited = Request(
            request.method, target, request.version, request.headers, request.body, request.trailers
        )
        return Edit(edited, f"overrode the method by _method={method.decode()}")
    name = rng.choice(_OVERRIDES)
    return Edit(
        appended(request, (name, method)), f"overrode the method by {name.decode()}: {method.decode()}"
    )


def _edit(request: Request, method: bytes) -> Edit:
    return Edit(with_method(request, method), f"made the method {method[:20].decode()}")
