"""Model Context Protocol requests (MCP, 2025-06-18): tools, versions, progress, cancelling, sessions."""

from random import Random

from mutators._contract import mutator
from mutators._json import SCALARS, member, rewritten
from mutators._jsonrpc import call_of
from mutators._message import appended, with_headers
from shadow.content import json
from shadow.content.json import Document, Kind, Node
from shadow.model import Edit, Expect, Level, Request, field, with_field, without_field

_TOOLS = ("shadow_unknown", "", "../tools", "__proto__", "tools/call", "a" * 5_000, "\u0000")
_ARGUMENTS = (b"{}", b"null", b"[]", b'"shadow"', b"1", b'{"shadow_unknown":1}')
_VERSIONS = ("1900-01-01", "2099-01-01", "2024-11-05", "", "latest", "1.0")
_METHODS = (
    *("initialize", "ping", "tools/list", "resources/list", "resources/read", "prompts/get", "prompts/list"),
    *("logging/setLevel", "completion/complete", "sampling/createMessage", "roots/list"),
    *("resources/subscribe", "notifications/initialized", "notifications/cancelled", "elicitation/create"),
)
_TOKENS = (b'"shadow"', b"0", b"-1", b"null", b"{}", b"1.5", b'""')
_URIS = ("file:///etc/passwd", "file:///", "", "http://127.0.0.1:1/", "shadow://x", "..", "data:,x")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def call_unknown_tool(request: Request, rng: Random) -> Edit | None:
    """A tool that does not exist is error -32602, or a result that says so (MCP, Tools, Error Handling)."""
    return _in_params(request, "name", json.quote(rng.choice(_TOOLS)), "called the tool")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_tool_arguments(request: Request, rng: Random) -> Edit | None:
    """Servers must validate all inputs of tools (MCP, Tools, Security): wrong ones are an error, no crash."""
    return _in_params(request, "arguments", rng.choice(_ARGUMENTS), "gave the arguments")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_one_argument(request: Request, rng: Random) -> Edit | None:
    """An argument of another type is an error by the tool's input schema (MCP, Tools), never a crash."""
    found = _params(request)
    arguments = member(found[0], "arguments", found[1]) if found else None
    if found is None or arguments is None or not arguments.children:
        return None
    document = found[0]
    node = rng.choice(document.children(arguments))
    values = (b"null", b"[]", b"{}", b"true", b"-1", b'"shadow"', b"1e400", b"[%b]" % document.raw(node))
    value = rng.choice(values if node.kind in SCALARS else values[:1])
    return rewritten(request, document, json.replace(document, node, value), "changed the argument", node)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_protocol_version(request: Request, rng: Random) -> Edit | None:
    """A version that the server does not have is answered by one that it has, or an error (MCP, Lifecycle,
    Version Negotiation).
    """
    version = json.quote(rng.choice(_VERSIONS))
    return _in_params(request, "protocolVersion", version, "asked for the version")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def call_other_mcp_method(request: Request, rng: Random) -> Edit | None:
    """Another method of the protocol, a second `initialize` and the server's own among them: answered, or an
    error (MCP, Lifecycle).
    """
    found = _params(request)
    method = member(found[0], "method") if found else None
    if found is None or method is None:
        return None
    name = rng.choice(_METHODS)
    text = json.replace(found[0], method, json.quote(name))
    return rewritten(request, found[0], text, f"called {name} as", method)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def cancel_mcp_request(request: Request, rng: Random) -> Edit | None:
    """Cancelling what is unknown or done is ignored (MCP, Cancellation), and so is progress on it."""
    found = _params(request)
    if found is None:
        return None
    method, params = rng.choice(
        (
            (b"notifications/cancelled", b'{"requestId":"shadow","reason":"x"}'),
            (b"notifications/cancelled", b'{"requestId":null}'),
            (b"notifications/cancelled", b"{}"),
            (b"notifications/progress", b'{"progressToken":"shadow","progress":2,"total":1}'),
            (b"notifications/progress", b'{"progress":"x"}'),
        )
    )
    text = b'{"jsonrpc":"2.0","method":"%b","params":%b}' % (method, params)
    return rewritten(request, found[0], text, f"sent {method.decode()}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_progress_token(request: Request, rng: Random) -> Edit | None:
    """A progress token is a string or an integer of the sender's choice (MCP, Progress): others are an error
    or ignored.
    """
    found = _params(request)
    if found is None:
        return None
    document, params = found
    meta = b'{"progressToken":%b}' % rng.choice(_TOKENS)
    held = member(document, "_meta", params)
    if held is not None:
        text = json.replace(document, held, meta)
    else:
        text = json.add(document, params, b'"_meta":' + meta)
    return rewritten(request, document, text, "set a progress token in", params)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def read_other_resource(request: Request, rng: Random) -> Edit | None:
    """URIs of resources must be validated (MCP, Resources, Security): one that is none is error -32002, and
    no file of the system (CWE-22, CWE-918).
    """
    return _in_params(request, "uri", json.quote(rng.choice(_URIS)), "asked for the resource")


@mutator(level=Level.HEADER, expect=Expect.REJECT, is_stated=False)
def unknown_mcp_version(request: Request, _rng: Random) -> Edit | None:
    """A version in MCP-Protocol-Version that the server does not support must be answered 400
    (MCP 2025-06-18, Transports); servers of earlier revisions do not know the field.
    """
    if field(request.headers, b"mcp-protocol-version") is None:
        return None
    headers = with_field(request.headers, b"MCP-Protocol-Version", b"1900-01-01")
    return Edit(with_headers(request, headers), "stated the version 1900-01-01")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def change_mcp_session(request: Request, rng: Random) -> Edit | None:
    """A session that is not there is 404, one that is needed and missing 400 (MCP, Transports, Session
    Management).
    """
    if field(request.headers, b"mcp-session-id") is None:
        return None
    bare = with_headers(request, without_field(request.headers, b"mcp-session-id"))
    value = rng.choice((b"", b"shadow", b"00000000-0000-4000-8000-000000000000", b"a" * 5_000))
    return Edit(appended(bare, (b"Mcp-Session-Id", value)) if value else bare, "changed the session")


def _params(request: Request) -> tuple[Document, Node] | None:
    """(call, its params) of a call that may be MCP's: params by name, a method of two words or known."""
    document = call_of(request)
    params = member(document, "params") if document else None
    method = member(document, "method") if document else None
    if document is None or params is None or method is None or params.kind is not Kind.OBJECT:
        return None
    name = json.text_of(document.raw(method))
    return (document, params) if "/" in name or name in {"initialize", "ping"} else None


def _in_params(request: Request, name: str, value: bytes, what: str) -> Edit | None:
    found = _params(request)
    node = member(found[0], name, found[1]) if found else None
    if found is None or node is None:
        return None
    shown = value[:40].decode("utf-8", "replace")
    return rewritten(request, found[0], json.replace(found[0], node, value), f"{what} {shown} in", node)
