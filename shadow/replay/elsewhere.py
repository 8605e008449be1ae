"""Requests that ask whoever gets them to pass them on: a candidate that is a proxy would do so."""

import re

from shadow.model import Request, Wire, field
from shadow.replay._contract import Sending, Target
from shadow.wire.http2_said import said_fields

_ABSOLUTE = rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#\s]*)"
_START_LINE = re.compile(rb"[^\s]{1,64}[ \t]+" + _ABSOLUTE + rb"|CONNECT[ \t]+([^\s/]+)", re.IGNORECASE)
"""Anywhere in the bytes, for a body may turn out to be a request of its own."""
_NOWHERE = (b".invalid",)  # RFC 6761 §6.4: never resolved


def elsewhere(sending: Sending, target: Target) -> str:
    """Another place than `target` that the request asks to be passed on to; empty where it asks for none.

    That is what an absolute target names (RFC 9112 §3.2.2), and a CONNECT; in frames of HTTP/2 written byte
    for byte, an authority that is not the request's own Host as well. Names that cannot exist are no
    place.
    """
    authorities = _authorities(sending.request, sending.wire)
    if not authorities:
        return ""
    own = _own(target)
    for authority in authorities:
        if authority.lower() not in own and not authority.lower().partition(b":")[0].endswith(_NOWHERE):
            return authority.decode("latin-1")
    return ""


def _authorities(request: Request, wire: Wire | None) -> list[bytes]:
    if wire is not None:
        text = b"".join(wire.segments)
        framed = _said_in_frames(request, text) if wire.protocol == "http2" else []
        return [*framed, *_said_in_lines(text)]
    if request.target.startswith(b"/") and request.method != b"CONNECT":
        return []
    if request.method.upper() == b"CONNECT":
        return [] if b"/" in request.target else [request.target]
    absolute = re.match(_ABSOLUTE, request.target)
    return [absolute[1]] if absolute else []


def _said_in_lines(text: bytes) -> list[bytes]:
    lines = text.split(b"\n")
    likely = [line for line in lines if b"://" in line or line[:7].upper() == b"CONNECT"]
    return [found[1] or found[2] or b"" for found in map(_START_LINE.match, likely) if found]


def _said_in_frames(request: Request, text: bytes) -> list[bytes]:
    """What the frames of HTTP/2 in `text` name; the authority that `request` has as its Host is no news."""
    own = (field(request.headers, b"host") or b"").lower()
    found: list[bytes] = []
    for fields in said_fields(text):
        for name, value in fields:
            if name == b":authority" and value and value.lower() != own:
                found.append(value)
            elif name == b":path" and (absolute := re.match(_ABSOLUTE, value)):
                found.append(absolute[1])
    return found


def _own(target: Target) -> frozenset[bytes]:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return frozenset(each.lower().encode() for each in (target.authority, f"{host}:{target.port}", host))
