"""JSON-RPC 2.0 requests: ids, batches, notifications, unknown methods."""

from random import Random

from mutators._bytes import repeats
from mutators._contract import mutator
from mutators._json import member, rewritten
from mutators._jsonrpc import call_of, set_member
from shadow.content import json
from shadow.content.json import Kind
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
    return set_member(request, rng, "id", _IDS)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def notify_instead(request: Request, _rng: Random) -> Edit | None:
    """Without an id a request is a notification, which is not answered with a result (JSON-RPC 2.0 §4.1)."""
    document = call_of(request)
    node = member(document, "id") if document else None
    if document is None or node is None:
        return None
    return rewritten(request, document, json.drop(document, node), "made the call a notification")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_rpc_method(request: Request, rng: Random) -> Edit | None:
    """An unknown method is error -32601, one that is no string -32600 (JSON-RPC 2.0 §5.1), never a crash."""
    return set_member(request, rng, "method", _METHODS)


@mutator(level=Level.BODY, expect=Expect.REJECT)
def unknown_rpc_method(request: Request, rng: Random) -> Edit | None:
    """A method that does not exist must be answered by an error (JSON-RPC 2.0 §5), -32601 (§5.1).

    Calls with an id alone: a notification is not answered.
    """
    document = call_of(request)
    node = member(document, "method") if document else None
    identity = member(document, "id") if document else None
    if document is None or node is None or identity is None or identity.kind is Kind.NULL:
        return None
    name = json.quote(f"shadow/unknown-{rng.getrandbits(32):08x}")
    return rewritten(request, document, json.replace(document, node, name), "called an unknown method as")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_rpc_version(request: Request, rng: Random) -> Edit | None:
    """The version must be exactly "2.0" (JSON-RPC 2.0 §4): else error -32600, never a crash."""
    return set_member(request, rng, "jsonrpc", _VERSIONS)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_rpc_params(request: Request, rng: Random) -> Edit | None:
    """Params are an object or an array that the method takes (JSON-RPC 2.0 §4.2): else error -32602,
    never a crash.
    """
    document = call_of(request)
    if document is None:
        return None
    if member(document, "params") is not None:
        return set_member(request, rng, "params", _PARAMS)
    text = json.add(document, document.root, b'"params":' + rng.choice(_PARAMS))
    return rewritten(request, document, text, "added params")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def batch_rpc(request: Request, rng: Random) -> Edit | None:
    """A batch is answered call by call, an empty one by a single error (JSON-RPC 2.0 §6), or batches
    are refused.
    """
    document = call_of(request)
    if document is None:
        return None
    calls = rng.choice(
        (
            [],
            [document.text],
            [document.text] * 2,
            [document.text] * repeats(document.text, 100),
            [b"1"],
            [document.text, b"1"],
        )
    )
    return rewritten(request, document, b"[" + b",".join(calls) + b"]", f"sent a batch of {len(calls)}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def reshape_rpc_params(request: Request, _rng: Random) -> Edit | None:
    """Params by name given by position, or the reverse (JSON-RPC 2.0 §4.2): taken, or error -32602."""
    document = call_of(request)
    params = member(document, "params") if document else None
    if document is None or params is None or not params.children:
        return None
    children = document.children(params)
    if params.kind is Kind.OBJECT:
        text = b"[%b]" % b",".join(document.raw(child) for child in children)
    else:
        named = (b'"p%d":%b' % (at, document.raw(child)) for at, child in enumerate(children))
        text = b"{%b}" % b",".join(named)
    return rewritten(request, document, json.replace(document, params, text), "gave in another shape", params)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_rpc_member(request: Request, rng: Random) -> Edit | None:
    """Without version, method or params a request is invalid, error -32600, or taken leniently (JSON-RPC 2.0
    §4, §5.1).
    """
    document = call_of(request)
    found = document.children(document.root) if document else ()
    if document is None or not found:
        return None
    node = rng.choice(found)
    return rewritten(request, document, json.drop(document, node), "dropped", node)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def add_rpc_member(request: Request, rng: Random) -> Edit | None:
    """A call that claims to be an answer too, or holds what the specification does not know: ignored, or
    error -32600 (JSON-RPC 2.0 §4, §5).
    """
    document = call_of(request)
    if document is None:
        return None
    error = b'"error":{"code":-1,"message":"shadow"}'
    extra = rng.choice((b'"result":{}', error, b'"auth":"shadow"', b'"id":1'))
    return rewritten(request, document, json.add(document, document.root, extra), f"added {extra.decode()}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def mix_rpc_batch(request: Request, rng: Random) -> Edit | None:
    """A batch in which two calls share an id, one is a notification, or one is another batch: each call is
    answered by itself (JSON-RPC 2.0 §6), or batches are refused.
    """
    document = call_of(request)
    identity = member(document, "id") if document else None
    if document is None or identity is None:
        return None
    call, notice = document.text, json.drop(document, identity)
    calls = rng.choice(([call, notice], [notice, notice], [b"[%b]" % call], [b"[]"], [call, b"{}", b"null"]))
    return rewritten(request, document, b"[%b]" % b",".join(calls), "sent a mixed batch")
