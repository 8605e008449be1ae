"""JSON-RPC 2.0 requests, and so MCP's: ids, batches, notifications, unknown methods."""

from random import Random

from mutators._contract import mutator
from mutators._json import document_of, rewritten
from shadow.content import json
from shadow.content.json import Document, Kind, Node
from shadow.model import Edit, Expect, Level, Request

_IDS = (
    b'"shadow"',
    b"0",
    b"-1",
    b"1.5",
    b"null",
    b"{}",
    b"[]",
    b"true",
    b"9223372036854775808",
    b'""',
    b'"' + b"a" * 5_000 + b'"',
)
_METHODS = (
    b'"shadow/unknown"',
    b'"rpc.discover"',
    b'""',
    b"null",
    b"1",
    b'"__proto__"',
    b'"tools/list"',
    b'"initialize"',
    b'"../admin"',
)
_VERSIONS = (b'"1.0"', b"2.0", b'"2.1"', b"null", b'""', b"2")
_PARAMS = (
    b"{}",
    b"[]",
    b"null",
    b"1",
    b'"shadow"',
    b"[[]]",
    b'{"arguments":null}',
    b'{"name":"shadow","arguments":{}}',
)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_rpc_id(request: Request, rng: Random) -> Edit | None:
    """An id is a string, a number or null, and comes back as it was (JSON-RPC 2.0 §4, §5); others are
    refused.
    """
    return _replace(request, rng, "id", _IDS)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def notify_instead(request: Request, _rng: Random) -> Edit | None:
    """Without an id a request is a notification, which is not answered with a result (JSON-RPC 2.0 §4.1)."""
    document = _call(request)
    node = _member(document, "id") if document else None
    if document is None or node is None:
        return None
    return rewritten(request, document, json.drop(document, node), "made the call a notification")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_rpc_method(request: Request, rng: Random) -> Edit | None:
    """An unknown method is error -32601, one that is no string -32600 (JSON-RPC 2.0 §5.1), never a crash."""
    return _replace(request, rng, "method", _METHODS)


@mutator(level=Level.BODY, expect=Expect.REJECT)
def unknown_rpc_method(request: Request, rng: Random) -> Edit | None:
    """A method that does not exist must be answered by an error (JSON-RPC 2.0 §5), -32601 (§5.1).

    Calls with an id alone: a notification is not answered.
    """
    document = _call(request)
    node = _member(document, "method") if document else None
    identity = _member(document, "id") if document else None
    if document is None or node is None or identity is None or identity.kind is Kind.NULL:
        return None
    name = json.quote(f"shadow/unknown-{rng.getrandbits(32):08x}")
    return rewritten(request, document, json.replace(document, node, name), "called an unknown method as")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_rpc_version(request: Request, rng: Random) -> Edit | None:
    """The version must be exactly "2.0" (JSON-RPC 2.0 §4): else error -32600, never a crash."""
    return _replace(request, rng, "jsonrpc", _VERSIONS)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_rpc_params(request: Request, rng: Random) -> Edit | None:
    """Params are an object or an array that the method takes (JSON-RPC 2.0 §4.2): else error -32602,
    never a crash.
    """
    document = _call(request)
    if document is None:
        return None
    if _member(document, "params") is not None:
        return _replace(request, rng, "params", _PARAMS)
    text = json.add(document, document.root, b'"params":' + rng.choice(_PARAMS))
    return rewritten(request, document, text, "added params")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def batch_rpc(request: Request, rng: Random) -> Edit | None:
    """A batch is answered call by call, an empty one by a single error (JSON-RPC 2.0 §6), or batches
    are refused.
    """
    document = _call(request)
    if document is None:
        return None
    calls = rng.choice(
        ([], [document.text], [document.text] * 2, [document.text] * 100, [b"1"], [document.text, b"1"])
    )
    return rewritten(request, document, b"[" + b",".join(calls) + b"]", f"sent a batch of {len(calls)}")


def _call(request: Request) -> Document | None:
    """The body where it is a single JSON-RPC call."""
    document = document_of(request) if b'"jsonrpc"' in request.body else None
    if document is None or document.root.kind is not Kind.OBJECT or _member(document, "method") is None:
        return None
    return document


def _member(document: Document, name: str) -> Node | None:
    key = b'"%b"' % name.encode()
    return next((child for child in document.children(document.root) if document.raw_key(child) == key), None)


def _replace(request: Request, rng: Random, name: str, values: tuple[bytes, ...]) -> Edit | None:
    document = _call(request)
    node = _member(document, name) if document else None
    if document is None or node is None:
        return None
    value = rng.choice(values)
    shown = value[:40].decode()
    return rewritten(request, document, json.replace(document, node, value), f"set {shown} as", node)
