"""The handshake of a WebSocket (RFC 6455 §4): what a server must refuse, and what must make no difference.

Accepted is what is answered with 101. All else refuses, a page with 200 too.
"""

from random import Random

from msgspec.structs import replace

from mutators._contract import talk_mutator
from shadow.model import Exchange, Expect, Headers, Level, TalkEdit, field, with_field, without_field

_KEY = b"Sec-WebSocket-Key"
_VERSION = b"Sec-WebSocket-Version"
_EXTENSIONS = b"Sec-WebSocket-Extensions"
_PROTOCOL = b"Sec-WebSocket-Protocol"


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.REJECT)
def handshake_of_other_version(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Version 13 is the only one; for another the server must abort the handshake, with 426 or the like
    (RFC 6455 §4.2.2, §4.4). Widely used libraries know 8 too, a draft's, and take any number that is 13."""
    version = rng.choice((b"0", b"7", b"12", b"14", b"255", b"-13", b"x", b""))
    return _refused(talk, with_field(talk.request.headers, _VERSION, version), f"version {version!r}")


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.REJECT)
def handshake_without_key(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A handshake has a key, and a server must stop where a field that must be there is not
    (RFC 6455 §4.2.1)."""
    name = rng.choice((_KEY, _KEY, _VERSION))
    return _refused(talk, without_field(talk.request.headers, name), f"no {name.decode()}")


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.REJECT, is_stated=False)
def handshake_with_bad_key(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The key is 16 bytes in base64 (RFC 6455 §4.2.1): shorter, longer, or no base64 at all is none. A server
    need not decode it (§4.2.2), and some look at no more than that it is there."""
    key = rng.choice(
        (b"", b"c2hvcnQ=", b"dGhlIHNhbXBsZSBub25jZSBpcyBsb25n", b"not base64 at all!!!!!==", b"==")
    )
    return _refused(talk, with_field(talk.request.headers, _KEY, key), f"key {key!r}")


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.REJECT, is_stated=False)
def handshake_with_two_keys(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The key must not appear more than once (RFC 6455 §11.3.1); a server that takes one of two may answer
    another than a proxy before it looked at."""
    headers = talk.request.headers
    if field(headers, _KEY.lower()) is None:
        return None
    more = (_KEY, rng.choice((b"x3JJHMbDL1EzLkh9GBhXDw==", b"AAAAAAAAAAAAAAAAAAAAAA==")))
    return _refused(talk, (*headers, more), "two keys")


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.REJECT, is_stated=False)
def handshake_by_other_method(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The method of a handshake must be GET, over HTTP/1.1 or later (RFC 6455 §4.1, §4.2.1); several servers
    look at the method alone, or take HEAD wherever they take GET."""
    method, version = rng.choice(((b"HEAD", b"HTTP/1.1"), (b"OPTIONS", b"HTTP/1.1"), (b"GET", b"HTTP/1.0")))
    if talk.request.method != b"GET":
        return None
    request = replace(talk.request, method=method, version=version)
    return TalkEdit((), f"a handshake by {method.decode()} over {version.decode()}", request)


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.REJECT)
def handshake_of_other_upgrade(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Upgrade must hold ``websocket`` and Connection ``Upgrade`` (RFC 6455 §4.2.1); who asks for
    something else must not get it."""
    name, value = rng.choice(
        (
            (b"Upgrade", b"websockets"),
            (b"Upgrade", b"web socket"),
            (b"Upgrade", b"xwebsocket"),
            (b"Upgrade", b"h2c"),
            (b"Connection", b"keep-alive"),
            (b"Connection", b"close"),
        )
    )
    what = f"{name.decode()}: {value.decode()}"
    return _refused(talk, with_field(talk.request.headers, name, value), what)


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.SAME)
def respell_upgrade(talk: Exchange, rng: Random) -> TalkEdit | None:
    """``websocket`` and ``Upgrade`` are compared without regard to case, and Connection is a list
    (RFC 6455 §4.2.1, RFC 9110 §7.6.1)."""
    name, value = rng.choice(
        (
            (b"Upgrade", b"WebSocket"),
            (b"Upgrade", b"WEBSOCKET"),
            (b"Connection", b"upgrade"),
            (b"Connection", b"UPGRADE"),
            (b"Connection", b"keep-alive, Upgrade"),
            (b"Connection", b"Upgrade, keep-alive"),
        )
    )
    return _same(talk, with_field(talk.request.headers, name, value), f"{name.decode()}: {value.decode()}")


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.SAME)
def offer_unknown_extension(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A server takes none of the extensions that it does not know, and goes on without (RFC 6455 §9.1)."""
    name = b"x-shadow-%d" % rng.randrange(1000)
    offered = field(talk.request.headers, _EXTENSIONS.lower())
    value = b", ".join(filter(None, (offered, rng.choice((name, name + b"; mode=1", name + b'; q="a"')))))
    return _same(talk, with_field(talk.request.headers, _EXTENSIONS, value), f"offered {name.decode()}")


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.SAME)
def offer_no_compression(talk: Exchange, rng: Random) -> TalkEdit | None:  # noqa: ARG001  # nothing to draw
    """A client need not offer compression, and messages are the same without it (RFC 7692 §5, §6)."""
    headers = talk.request.headers
    if field(headers, _EXTENSIONS.lower()) is None:
        return None
    return _same(talk, without_field(headers, _EXTENSIONS), "offered no extension")


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.SURVIVE)
def ask_for_other_subprotocol(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A server that knows none of the subprotocols goes on without one, or refuses (RFC 6455 §4.2.2)."""
    value = rng.choice((b"x-shadow", b"x-shadow, x-other", b"", b",", b"x" * 4000))
    return _same(talk, with_field(talk.request.headers, _PROTOCOL, value), f"subprotocol {value[:20]!r}")


@talk_mutator("websocket", level=Level.HEADER, expect=Expect.SURVIVE)
def break_extension_offer(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Parameters that no compression has, or that are no grammar, are declined or refused
    (RFC 7692 §7.1, RFC 6455 §9.1)."""
    value = rng.choice(
        (
            b"permessage-deflate; server_max_window_bits=7",
            b"permessage-deflate; server_max_window_bits=16; server_max_window_bits=8",
            b"permessage-deflate; client_max_window_bits=a",
            b"permessage-deflate; no_such_parameter",
            b";;==,",
            b"permessage-deflate, " * 200,
        )
    )
    return _refused(talk, with_field(talk.request.headers, _EXTENSIONS, value), f"offered {value[:40]!r}")


@talk_mutator("websocket", level=Level.PERMISSION, expect=Expect.REJECT, is_stated=False)
def handshake_from_foreign_origin(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A browser sends its cookies with a handshake from any page, so a service that knows its clients by
    cookies must look at Origin (RFC 6455 §10.2, CWE-1385)."""
    headers = talk.request.headers
    if field(headers, b"cookie") is None or field(headers, b"origin") is None:
        return None
    origin = rng.choice((b"https://evil.example", b"null", b"http://localhost.evil.example"))
    return _refused(talk, with_field(headers, b"Origin", origin), f"from {origin.decode()}")


def _refused(talk: Exchange, headers: Headers, what: str) -> TalkEdit | None:
    """The handshake alone: there is nothing to be said afterwards."""
    if headers == talk.request.headers:
        return None
    return TalkEdit((), what, replace(talk.request, headers=headers))


def _same(talk: Exchange, headers: Headers, what: str) -> TalkEdit | None:
    """The whole conversation, after another handshake."""
    if headers == talk.request.headers:
        return None
    return TalkEdit(talk.messages, what, replace(talk.request, headers=headers))
