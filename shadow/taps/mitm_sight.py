"""What the inline tap remembers of one HTTP flow, and the exchange that it makes of it."""

from mitmproxy import http

from shadow.model import Exchange, Headers, Message, Request, Response
from shadow.taps.mitm_body import BodyCopy
from shadow.taps.mitm_outlet import Outlet, session_of
from shadow.taps.mitm_talk import MESSAGES_MAX
from shadow.wire.grpc import is_grpc, messages_in

_VERSIONS = {b"HTTP/2.0": b"HTTP/2", b"HTTP/3.0": b"HTTP/3"}  # as others write them


class Sight:
    """What the tap remembers of one flow."""

    __slots__ = (
        "_outlet",
        "began_at",
        "fields",
        "index",
        "is_answered",
        "is_grpc",
        "is_over",
        "request_body",
        "response_body",
        "spent_seconds",
    )

    def __init__(self, outlet: Outlet, fields: Headers, *, is_grpc: bool = False) -> None:
        """`fields` are the request's."""
        self._outlet = outlet
        self.index = outlet.next_index()
        self.began_at: float | None = None
        """Unix time in seconds; None for the request's own."""
        self.fields = fields
        self.request_body = BodyCopy(outlet.held, outlet.max_body_bytes)
        self.response_body = BodyCopy(outlet.held, outlet.max_body_bytes)
        self.spent_seconds = 0.0
        self.is_grpc = is_grpc
        self.request_body.is_timed = self.response_body.is_timed = self.is_grpc
        self.is_answered = False
        self.is_over = False

    def close(self) -> None:
        self.is_over = True
        self.request_body.close()
        self.response_body.close()

    def exchange(self, flow: http.HTTPFlow) -> Exchange:
        """All of it, as far as it came."""
        request, response = _request(flow, self), None
        if flow.response is not None:
            response = _response(flow, flow.response, self)
        latency, began_at = None, self.began_at or flow.request.data.timestamp_start
        if flow.response is not None:
            latency = max(flow.response.data.timestamp_start - began_at, 0.0)
        messages: tuple[Message, ...] = ()
        is_complete = True
        if self.is_grpc:
            messages, is_complete = _messages(flow, self, request, response)
        return Exchange(
            index=self.index,
            tap=self._outlet.name,
            session=session_of(flow),
            seen_at=began_at,
            request=request,
            response=response,
            latency_seconds=latency,
            live=self._outlet.live_of(flow),
            protocol="grpc" if self.is_grpc else "http",
            messages=messages,
            is_complete=is_complete,
        )


def is_unseen(message: http.Message, copy: BodyCopy) -> bool:
    """Whether the body passed without being copied, as where another addon or an option streams it."""
    return message.data.content is None and bool(message.stream) and message.stream is not copy


def _request(flow: http.HTTPFlow, sight: Sight) -> Request:
    request = flow.request.data
    return Request(
        request.method,
        _target(request),
        _version(request.http_version),
        _with_host(sight.fields, request),
        request.content or sight.request_body.content(),
        _fields(request.trailers),
    )


def _response(flow: http.HTTPFlow, response: http.Response, sight: Sight) -> Response:
    seen = response.data
    return Response(
        status=seen.status_code,
        reason=seen.reason,
        version=_version(seen.http_version),
        headers=seen.headers.fields,
        body=seen.content or sight.response_body.content(),
        trailers=_fields(seen.trailers),
        is_complete=flow.error is None
        and not sight.response_body.is_cut
        and not is_unseen(response, sight.response_body),
    )


def _messages(
    flow: http.HTTPFlow, sight: Sight, request: Request, response: Response | None
) -> tuple[tuple[Message, ...], bool]:
    """The messages of a gRPC call in the order in which they were complete, and whether these are all."""
    ended_at = flow.request.data.timestamp_end or flow.request.data.timestamp_start
    found, is_complete = messages_in(
        request.body, lambda end: sight.request_body.time_of(end) or ended_at, is_from_client=True
    )
    is_complete &= flow.request.data.timestamp_end is not None and not sight.request_body.is_cut
    if response is not None and is_grpc(response.headers):
        answered_at = flow.response.data.timestamp_start if flow.response is not None else ended_at
        answers, is_whole = messages_in(
            response.body, lambda end: sight.response_body.time_of(end) or answered_at, is_from_client=False
        )
        found += answers
        is_complete &= is_whole and response.is_complete
    found.sort(key=lambda message: message.seen_at)
    return tuple(found[:MESSAGES_MAX]), is_complete and len(found) <= MESSAGES_MAX


def _fields(headers: http.Headers | None) -> Headers:
    return () if headers is None else headers.fields


def _version(version: bytes) -> bytes:
    return _VERSIONS.get(version, version)


def _target(request: http.RequestData) -> bytes:
    """The target as it was sent: some clients send HTTP/1 the whole URL."""
    if request.authority and request.http_version.startswith(b"HTTP/1"):
        return b"%s://%s%s" % (request.scheme, request.authority, request.path)
    return request.path


def _with_host(fields: Headers, request: http.RequestData) -> Headers:
    """`fields`, with HTTP/2's ``:authority`` as the Host field that HTTP/1 would have had."""
    if not request.authority or request.http_version.startswith(b"HTTP/1"):
        return fields
    if any(name.lower() == b"host" for name, _ in fields):
        return fields
    return ((b"host", request.authority), *fields)
