"""Comparators: one file per kind of content. They only notice differences; the oracle alone judges them."""

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint
from itertools import islice

from comparators._body import Content, read
from comparators._contract import Comparator, comparator
from comparators._conversation import TalkComparator, talk_comparator
from comparators._plugins import Compare, comparing, members_of
from comparators._web_call import with_web_trailers
from comparators.binary_body import binary_body
from comparators.coding import coding
from comparators.dns_answer import dns_answer
from comparators.event_stream import event_stream
from comparators.form_body import form_body
from comparators.grpc_body import grpc_body
from comparators.grpc_web_body import grpc_web_body
from comparators.headers import headers, is_free
from comparators.html_body import html_body
from comparators.json_body import compared as compared_json
from comparators.json_body import json_body
from comparators.json_lines import json_lines
from comparators.messages import close, messages
from comparators.metrics_body import metrics_body
from comparators.multipart_body import multipart_body
from comparators.packed_body import packed_body
from comparators.presence import presence
from comparators.protobuf_body import protobuf_body
from comparators.status import completeness, is_reason_free, reason, status
from comparators.table_body import table_body
from comparators.text_body import text_body
from comparators.xml_body import xml_body
from shadow.content.coding import Fault
from shadow.model import Change, Difference, Reply, Response, field
from shadow.plugins import Trouble, offered
from shadow.wire.grpc_status import with_trailers

__all__ = [
    "CATALOG",
    "MAX_DIFFERENCES",
    "PLUGIN_GROUP",
    "TALK_CATALOG",
    "Comparator",
    "Compare",
    "TalkComparator",
    "comparator",
    "compare",
    "compare_talks",
    "compare_with",
    "load_plugins",
    "talk_comparator",
]

PLUGIN_GROUP = "shadow.comparators"
"""Entry points of this group name comparators of third parties."""

CATALOG: tuple[Comparator, ...] = (
    status,
    completeness,
    headers,
    reason,
    coding,
    presence,
    json_body,
    json_lines,
    event_stream,
    xml_body,
    html_body,
    table_body,
    metrics_body,
    multipart_body,
    form_body,
    grpc_body,
    grpc_web_body,
    protobuf_body,
    packed_body,
    text_body,
    binary_body,
)
"""In the order in which differences are told."""

TALK_CATALOG: tuple[TalkComparator, ...] = (close, messages, dns_answer)
"""Of conversations, likewise."""

MAX_DIFFERENCES = 1000
"""More than this many places say no more about the cause."""

_OF_HEAD = (status, completeness, headers, reason)
_OF_BODY = {
    Content.JSON: json_body,
    Content.JSON_LINES: json_lines,
    Content.EVENTS: event_stream,
    Content.XML: xml_body,
    Content.HTML: html_body,
    Content.TABLE: table_body,
    Content.METRICS: metrics_body,
    Content.MULTIPART: multipart_body,
    Content.FORM: form_body,
    Content.GRPC: grpc_body,
    Content.GRPC_WEB: grpc_web_body,
    Content.PROTOBUF: protobuf_body,
    Content.PACKED: packed_body,
    Content.TEXT: text_body,
    Content.BINARY: binary_body,
}


def compare(control: Response, other: Response) -> tuple[Difference, ...]:
    """The places in which two answers differ, at most `MAX_DIFFERENCES`; `other` is what is in question.

    The body of an answer that was recorded only in part is not compared.
    """
    if control.body == other.body and _differ_by_chance(control, other):
        return ()
    control, other = _with_trailers(control), _with_trailers(other)
    found = [difference for member in _OF_HEAD for difference in member(control, other)]
    if control.is_complete and other.is_complete and not _has_same_body(control, other):
        found.extend(islice(_of_body(control, other), MAX_DIFFERENCES))
    return tuple(found[:MAX_DIFFERENCES])


def load_plugins(points: Iterable[EntryPoint] | None = None) -> tuple[Comparator, ...]:
    """The comparators of third parties; as `mutators.load_plugins`, of the group ``shadow.comparators``."""
    taken = [*(each.name for each in CATALOG), *(each.name for each in TALK_CATALOG)]
    return offered(points, PLUGIN_GROUP, members_of, taken, kind="comparator", made_with="@comparator")


def compare_with(plugins: Sequence[Comparator], trouble: Trouble) -> Compare:
    """`compare` with comparators of third parties after its own; `trouble` is told of each that fails."""
    return comparing(compare, plugins, trouble, MAX_DIFFERENCES)


def _differ_by_chance(control: Response, other: Response) -> bool:
    """A glance at two answers with one body: whether no more differs than fields that are not compared."""
    if control.status != other.status or control.is_complete is not other.is_complete:
        return False
    if control.reason != other.reason and not is_reason_free(control, other):
        return False
    if control.trailers != other.trailers or len(control.headers) != len(other.headers):
        return False
    for mine, its in zip(control.headers, other.headers, strict=True):
        if mine != its and (mine[0] != its[0] or not is_free(mine[0].lower())):
            return False
    return True


def _with_trailers(response: Response) -> Response:
    """`response`; where it answers a call, with its trailers wherever the server put them."""
    if b"grpc" not in (field(response.headers, b"content-type") or b"").lower():
        return response
    return with_web_trailers(with_trailers(response))


def compare_talks(control: Reply, other: Reply) -> tuple[Difference, ...]:
    """The places in which two peers of one recorded conversation differ, at most `MAX_DIFFERENCES`.

    Of handshakes the status alone: they are compared as the exchanges of HTTP that they are.
    """
    left, right = control.response.status, other.response.status
    if left != right:
        return (Difference("status", Change.VALUE, left, right),)
    members = (dns_answer,) if control.protocol == "dns" else (close, messages)
    found = (difference for member in members for difference in member(control, other))
    return tuple(islice(found, MAX_DIFFERENCES))


def _of_body(control: Response, other: Response) -> Iterator[Difference]:
    ours, theirs = read(control), read(other)
    faults = {ours.fault, theirs.fault}
    if Fault.TOO_LARGE in faults:
        return  # the rest of what is compared would be missing
    if Fault.BROKEN in faults:
        yield from coding(control, other)
    if ours.fault is not theirs.fault and Fault.BROKEN in faults:
        return  # that is why the rest differs
    if ours.kind is not theirs.kind:
        yield from presence(control, other)
    elif ours.kind is Content.JSON:  # the most frequent kind: read once
        if ours.body != theirs.body:
            yield from compared_json(ours.body, theirs.body)
    elif member := _OF_BODY.get(ours.kind):
        yield from member(control, other)


def _has_same_body(control: Response, other: Response) -> bool:
    """Equal bytes under an equal coding need no closer look."""
    return control.body == other.body and _coding(control) == _coding(other)


def _coding(response: Response) -> bytes | None:
    return field(response.headers, b"content-encoding") if response.body else None
