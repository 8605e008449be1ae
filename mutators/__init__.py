"""The catalogue of mutators: what may be done to a request, a session or a conversation, and what must come
of it."""

from collections.abc import Iterable
from importlib.metadata import EntryPoint
from types import ModuleType

from mutators import (
    body_format,
    body_length,
    body_type,
    chunk_syntax,
    chunking,
    coding_disguise,
    coding_spelling,
    content_coding,
    conversation_order,
    cookie,
    datagram,
    dns_extension,
    dns_header,
    dns_length,
    dns_name,
    dns_question,
    documented,
    field_syntax,
    forgery,
    form_body,
    form_shape,
    graphql,
    graphql_spelling,
    grpc_messages,
    grpc_metadata,
    grpc_methods,
    header,
    hinted,
    http2_connection,
    http2_floods,
    http2_hpack,
    http2_layout,
    http2_malformed,
    http2_segments,
    http2_smuggling,
    http2_spelling,
    http2_streams,
    idempotency,
    identity,
    injection,
    injection_code,
    injection_query,
    injection_sql,
    json_members,
    json_patch,
    json_spelling,
    json_structure,
    json_syntax,
    json_text,
    json_values,
    jsonrpc,
    learned,
    lifecycle,
    mcp,
    method,
    multipart_body,
    multipart_boundary,
    multipart_head,
    network,
    protobuf_body,
    query,
    race,
    raw_blocks,
    raw_bytes,
    raw_words,
    sequence,
    signature,
    signature_amazon,
    signature_input,
    signature_kept,
    signature_scope,
    signature_transplant,
    signature_webhook,
    signing_key,
    smuggling,
    standard_field,
    start_line,
    stream,
    target,
    tenancy,
    token,
    token_claims,
    token_forged,
    traffic_identity,
    transfer_coding,
    websocket_faults,
    websocket_fragments,
    websocket_handshake,
    websocket_load,
    xml_body,
    xml_entities,
    xml_spelling,
)
from mutators._contract import (
    Mutator,
    Session,
    SessionMutator,
    TalkMutator,
    dice,
    mutator,
    session_mutator,
    talk_mutator,
)
from mutators._guarding import guarded, guarded_session, guarded_talk
from mutators._lifting import lifted
from mutators._stack import Stack, stack_of
from shadow.plugins import offered

PLUGIN_GROUP = "shadow.mutators"
"""Entry points of this group name mutators of third parties."""

_MODULES: tuple[ModuleType, ...] = (
    json_spelling,
    json_structure,
    json_members,
    json_values,
    json_text,
    json_syntax,
    json_patch,
    form_body,
    form_shape,
    multipart_body,
    multipart_boundary,
    multipart_head,
    xml_spelling,
    xml_body,
    xml_entities,
    graphql_spelling,
    graphql,
    jsonrpc,
    mcp,
    protobuf_body,
    grpc_messages,
    grpc_metadata,
    grpc_methods,
    body_format,
    body_type,
    coding_spelling,
    content_coding,
    raw_bytes,
    raw_blocks,
    raw_words,
    learned,
    hinted,
    documented,
    injection,
    injection_sql,
    injection_code,
    injection_query,
    method,
    target,
    query,
    header,
    standard_field,
    cookie,
    start_line,
    field_syntax,
    body_length,
    transfer_coding,
    coding_disguise,
    smuggling,
    chunking,
    chunk_syntax,
    network,
    http2_layout,
    http2_spelling,
    http2_segments,
    http2_connection,
    http2_streams,
    http2_hpack,
    http2_malformed,
    http2_smuggling,
    http2_floods,
    signature,
    signature_scope,
    signature_kept,
    signature_transplant,
    signature_input,
    signature_amazon,
    signature_webhook,
    signing_key,
    token,
    token_forged,
    token_claims,
    identity,
    traffic_identity,
    forgery,
    tenancy,
    sequence,
    lifecycle,
    idempotency,
    race,
    websocket_fragments,
    websocket_faults,
    websocket_load,
    websocket_handshake,
    stream,
    datagram,
    dns_name,
    dns_question,
    dns_header,
    dns_extension,
    dns_length,
    conversation_order,
)


type AnyMutator = Mutator | SessionMutator | TalkMutator


def members(module: ModuleType) -> tuple[AnyMutator, ...]:
    """The mutators that `module` itself defines, of every kind, in the order of its text."""
    found: list[AnyMutator] = []
    for name, member in vars(module).items():
        if isinstance(member, Mutator | SessionMutator | TalkMutator) and member.name == name:
            found.append(member)
    return tuple(found)


_MEMBERS = tuple(member for module in _MODULES for member in members(module))

CATALOG: tuple[Mutator, ...] = tuple(one for one in _MEMBERS if isinstance(one, Mutator))
"""Every mutator of one request, in the order of the modules above."""

SESSION_CATALOG: tuple[SessionMutator, ...] = tuple(
    one for one in _MEMBERS if isinstance(one, SessionMutator)
)
"""Every mutator of a session."""

TALK_CATALOG: tuple[TalkMutator, ...] = tuple(one for one in _MEMBERS if isinstance(one, TalkMutator))
"""Every mutator of a conversation, but for those of bodies that are `lifted` to messages."""


def load_plugins(
    points: Iterable[EntryPoint] | None = None,
) -> tuple[tuple[Mutator, ...], tuple[SessionMutator, ...], tuple[TalkMutator, ...]]:
    """What installed packages offer: each entry point names a mutator, or a module of them.

    `points` None stands for those that are installed in the group ``shadow.mutators``. Raises ConfigError
    where one cannot be imported, offers no mutator, or has a name that is taken.
    """
    found = offered(
        points,
        PLUGIN_GROUP,
        _members_of,
        (one.name for one in _MEMBERS),
        kind="mutator",
        made_with="@mutator, @session_mutator or @talk_mutator",
    )
    return (
        tuple(one for one in found if isinstance(one, Mutator)),
        tuple(one for one in found if isinstance(one, SessionMutator)),
        tuple(one for one in found if isinstance(one, TalkMutator)),
    )


def _members_of(thing: object) -> tuple[AnyMutator, ...]:
    if isinstance(thing, Mutator | SessionMutator | TalkMutator):
        return (thing,)
    if isinstance(thing, ModuleType):
        return members(thing)
    return ()


__all__ = [
    "CATALOG",
    "PLUGIN_GROUP",
    "SESSION_CATALOG",
    "TALK_CATALOG",
    "AnyMutator",
    "Mutator",
    "Session",
    "SessionMutator",
    "Stack",
    "TalkMutator",
    "dice",
    "guarded",
    "guarded_session",
    "guarded_talk",
    "lifted",
    "load_plugins",
    "members",
    "mutator",
    "session_mutator",
    "stack_of",
    "talk_mutator",
]
