"""Looks at the state of candidate and baseline: what is asked, and what two answers say of a change."""

import re

import msgspec

from shadow.content.redaction import is_masked
from shadow.judge import classify, template
from shadow.model import (
    AnswerClass,
    Difference,
    Exchange,
    Outcome,
    Reply,
    Request,
    without_field,
)
from shadow.pipeline.endpoint import Endpoints, path_of
from shadow.pipeline.judging import Judging
from shadow.pipeline.link import Link
from shadow.pipeline.probes import Probe
from shadow.pipeline.ready import Ready

_OF_WRITES = (
    b"content-type content-length content-encoding transfer-encoding idempotency-key if-match if-none-match"
    b" if-unmodified-since expect digest content-digest content-md5"
).split()
"""Fields that belong to a body, or to a change."""
_THROTTLED = 429
_BODY_BYTES_MAX = 64 * 1024


class Look(msgspec.Struct, frozen=True):
    """One question about the state: a probe of the configuration, or the reading of what a write is about."""

    name: str
    endpoint: str
    request: Request
    """As recorded, or as configured."""
    exchange: Exchange | None = None
    """What the request stems from; None for a probe."""
    probe: Probe | None = None
    is_shared: bool = False
    """Whether it is of a collection, which others change too."""

    def ready(self, link: Link, session: str, salt: str) -> Ready:
        """The request for one target."""
        if self.exchange is None:
            identity = self.probe.identity if self.probe else None
            return link.own(self.request, identity)
        return link.prepare(self.exchange, session, salt=salt, request=self.request)


def look_at(exchange: Exchange, past: tuple[Exchange, ...], endpoints: Endpoints) -> Look | None:
    """The reading of what the write `exchange` is about; None where that is nothing that has a name.

    What its session read before comes first. Else it is the same path, or the nearest above it that ends in
    an identifier, asked for by the same client. Of a path without identifiers it is the collection, or the
    thing that the body names, if the session read it.
    """
    if is_masked(exchange.request):
        return None
    path = path_of(exchange.request.target)
    names = endpoints.name(exchange.request).partition(" ")[2].split("/")
    segments = path.split("/")
    ends = [at for at in range(len(segments), 1, -1) if at <= len(names) and names[at - 1] == "{id}"]
    read = {
        path_of(each.request.target): each
        for each in past
        if each.request.method == b"GET" and each.response is not None and each.response.status == 200
    }
    if not ends:
        known = read.get(path) or _named_in_body(exchange, read)
        if known is None:
            return None
        found = _look(known, known.request, endpoints)
        return msgspec.structs.replace(found, is_shared=known is read.get(path))
    for end in ends:
        known = read.get("/".join(segments[:end]))
        if known is not None:
            return _look(known, known.request, endpoints)
    made = exchange.request
    headers = made.headers
    for name in _OF_WRITES:
        headers = without_field(headers, name)
    target = "/".join(segments[: ends[0]]).encode("latin-1")
    return _look(exchange, Request(b"GET", target, made.version, headers), endpoints)


def _named_in_body(exchange: Exchange, read: dict[str, Exchange]) -> Exchange | None:
    """What the session read last of which the body of `exchange` names the last part: an id."""
    body = exchange.request.body[:_BODY_BYTES_MAX]
    for path in reversed(read):
        word = path.rpartition("/")[2].encode("latin-1")
        is_id = any(48 <= byte <= 57 for byte in word)
        if is_id and re.search(rb"(?<![0-9A-Za-z])" + re.escape(word) + rb"(?![0-9A-Za-z])", body):
            return read[path]
    return None


def probe_look(probe: Probe, endpoints: Endpoints) -> Look:
    return Look(f"probe {probe.name!r}", endpoints.name(probe.request), probe.request, probe=probe)


def changed(
    look: Look, before: Outcome | None, after: Outcome | None, judging: Judging
) -> tuple[Difference, ...]:
    """Where the state differs between two answers, noise left out; none where they cannot be compared."""
    if not isinstance(before, Reply) or not isinstance(after, Reply):
        return ()
    if classify(before) is not AnswerClass.SUCCESS or after.response.status == _THROTTLED:
        return ()
    if classify(after) not in (AnswerClass.SUCCESS, AnswerClass.REJECTED):
        return ()  # unwell, which is told elsewhere
    # under a name of its own: what drifts between live and shadow must stand still here
    found = judging.between(f"state of {look.endpoint}", before, after)
    return tuple(each for each in found if look.probe is None or look.probe.counts(each))


def beyond(differences: tuple[Difference, ...], *others: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """`differences` at places where none of `others` has any."""
    known = {template(each.where) for other in others for each in other}
    return tuple(each for each in differences if template(each.where) not in known)


def _look(exchange: Exchange, request: Request, endpoints: Endpoints) -> Look:
    name = endpoints.name(request)
    return Look(name, name, request, exchange)
