"""The catalogue of mutators: what may be done to a request, or to a session, and what must come of it."""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
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
    cookie,
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
    target,
    tenancy,
    token,
    token_claims,
    token_forged,
    traffic_identity,
    transfer_coding,
    xml_body,
    xml_entities,
    xml_spelling,
)
from mutators._contract import Mutator, Session, SessionMutator, dice, mutator, session_mutator
from mutators._guarding import guarded, guarded_session
from mutators._stack import Stack, stack_of
from shadow.errors import ConfigError

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
)


def members(module: ModuleType) -> tuple[Mutator | SessionMutator, ...]:
    """The mutators that `module` itself defines, of both kinds, in the order of its text."""
    found: list[Mutator | SessionMutator] = []
    for name, member in vars(module).items():
        if isinstance(member, Mutator | SessionMutator) and member.name == name:
            found.append(member)
    return tuple(found)


_MEMBERS = tuple(member for module in _MODULES for member in members(module))

CATALOG: tuple[Mutator, ...] = tuple(one for one in _MEMBERS if isinstance(one, Mutator))
"""Every mutator of one request, in the order of the modules above."""

SESSION_CATALOG: tuple[SessionMutator, ...] = tuple(
    one for one in _MEMBERS if isinstance(one, SessionMutator)
)
"""Every mutator of a session."""


def load_plugins(
    points: Iterable[EntryPoint] | None = None,
) -> tuple[tuple[Mutator, ...], tuple[SessionMutator, ...]]:
    """What installed packages offer: each entry point names a mutator, or a module of them.

    `points` None stands for those that are installed in the group ``shadow.mutators``. Raises ConfigError
    where one cannot be imported, offers no mutator, or has a name that is taken.
    """
    singles: list[Mutator] = []
    sessions: list[SessionMutator] = []
    taken = {one.name for one in _MEMBERS}
    for point in sorted(entry_points(group=PLUGIN_GROUP) if points is None else points):
        try:
            offered = point.load()
        except Exception as error:  # a stranger's module may raise anything
            raise ConfigError(
                f"cannot import the mutator {point.value!r}: {error}; reinstall or remove it"
            ) from error
        found = _offered(offered)
        if not found:
            raise ConfigError(
                f"{point.value!r} offers no mutator; make one with @mutator or @session_mutator"
            )
        for one in found:
            if one.name in taken:
                raise ConfigError(
                    f"the mutator {one.name!r} of {point.value!r} has a name that is taken; rename it"
                )
            taken.add(one.name)
        singles += [one for one in found if isinstance(one, Mutator)]
        sessions += [one for one in found if isinstance(one, SessionMutator)]
    return tuple(singles), tuple(sessions)


def _offered(thing: object) -> tuple[Mutator | SessionMutator, ...]:
    if isinstance(thing, Mutator | SessionMutator):
        return (thing,)
    if isinstance(thing, ModuleType):
        return members(thing)
    return ()


__all__ = [
    "CATALOG",
    "PLUGIN_GROUP",
    "SESSION_CATALOG",
    "Mutator",
    "Session",
    "SessionMutator",
    "Stack",
    "dice",
    "guarded",
    "guarded_session",
    "load_plugins",
    "members",
    "mutator",
    "session_mutator",
    "stack_of",
]
