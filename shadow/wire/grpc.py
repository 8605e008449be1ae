"""The messages in the bodies of gRPC (gRPC over HTTP/2: Length-Prefixed-Message)."""

from base64 import b64encode
from collections.abc import Callable, Iterator

import msgspec

from shadow.model import Exchange, Headers, Message, Request, field

_PREFIX_BYTES = 5
_MAX_MESSAGES = 65_536
"""Of one body. Each costs more than its five bytes, and may be empty."""


def is_grpc(headers: Headers) -> bool:
    """Whether the content is gRPC's."""
    return is_grpc_type(field(headers, b"content-type") or b"")


def is_grpc_type(content_type: bytes) -> bool:
    """Whether content of this type is gRPC's. That of gRPC-Web is framed likewise, but is ordinary HTTP."""
    return content_type[:16].lower() == b"application/grpc" and content_type[16:17] in (b"", b"+", b";", b" ")


def is_like_call(request: Request, call: Request) -> bool:
    """Whether `request`, made of `call`, is still a call of the same method, of whole messages.

    What is not never reaches the service: the library refuses it, each in its own way.
    """
    if request.method != call.method or request.target != call.target:
        return False
    if field(request.headers, b"content-type") != field(call.headers, b"content-type"):
        return False
    if bool(field(request.headers, b"host")) != bool(field(call.headers, b"host")):
        return False
    read, made = Prefixed(), Prefixed()
    read.take(call.body, 0.0)
    made.take(request.body, 0.0)
    flags = {flag for *_, flag in made.marks()}
    return made.is_whole and flags <= {flag for *_, flag in read.marks()} | {False}


def with_plain_metadata(exchange: Exchange) -> Exchange:
    """`exchange` without binary metadata said as bare bytes, which two peers may agree on (gRPC proposal
    G1): each value with a NUL before it. Base64 says the same to everybody.
    """
    request, response = exchange.request, exchange.response
    if not is_grpc(request.headers):
        return exchange
    headers = _plain(request.headers)
    if headers is not request.headers:
        request = msgspec.structs.replace(request, headers=headers)
    if response is not None:
        heads, trailers = _plain(response.headers), _plain(response.trailers)
        if heads is not response.headers or trailers is not response.trailers:
            response = msgspec.structs.replace(response, headers=heads, trailers=trailers)
    if request is exchange.request and response is exchange.response:
        return exchange
    return msgspec.structs.replace(exchange, request=request, response=response)


def _plain(headers: Headers) -> Headers:
    if not any(value[:1] == b"\0" for _, value in headers):
        return headers
    return tuple(
        (name, b64encode(value[1:]).rstrip(b"=") if _is_bare(name, value) else value)
        for name, value in headers
    )


def _is_bare(name: bytes, value: bytes) -> bool:
    return value[:1] == b"\0" and name.lower().endswith(b"-bin")


class Prefixed:
    """Notes where the messages of one body end, and when each was complete."""

    __slots__ = ("_end", "_is_broken", "_left", "_marks", "_prefix")

    def __init__(self) -> None:
        self._marks: list[tuple[float, int, int, bool]] = []
        """Unix time, where the message begins and ends in the body, whether it is compressed."""
        self._prefix = b""
        self._left = 0
        """Bytes of the message that are still to come; its prefix is to come first where 0."""
        self._end = 0
        """Where the last message that began ends."""
        self._is_broken = False

    def __len__(self) -> int:
        return len(self._marks)

    @property
    def is_whole(self) -> bool:
        """Whether the body read so far ends with a message."""
        return not (self._is_broken or self._left or self._prefix)

    def marks(self) -> Iterator[tuple[float, int, int, bool]]:
        """When each message was complete, where it begins and ends, and whether it is compressed."""
        return iter(self._marks)

    def take(self, piece: bytes, time: float) -> None:
        """Reads the next bytes of the body."""
        at, size = 0, len(piece)
        while at < size and not self._is_broken:
            if self._left:
                step = min(self._left, size - at)
                at += step
                self._left -= step
                if not self._left:
                    self._marks[-1] = (time, *self._marks[-1][1:])
                continue
            step = min(_PREFIX_BYTES - len(self._prefix), size - at)
            self._prefix += piece[at : at + step]
            at += step
            if len(self._prefix) == _PREFIX_BYTES:
                self._begin(time)

    def messages(self, body: bytes, *, is_from_client: bool) -> Iterator[Message]:
        """The messages that are whole in `body`, the same bytes as were read, as far as they were kept."""
        for at, (time, start, end, is_compressed) in enumerate(self._marks):
            if end > len(body) or (self._left and at == len(self._marks) - 1):
                return
            yield Message(is_from_client, body[start:end], time, "compressed" if is_compressed else "")

    def _begin(self, time: float) -> None:
        flag, length = self._prefix[0], int.from_bytes(self._prefix[1:])
        if flag > 1 or len(self._marks) == _MAX_MESSAGES:
            self._is_broken = True
            return
        self._prefix = b""
        start = self._end + _PREFIX_BYTES
        self._end = start + length
        self._left = length
        self._marks.append((time, start, self._end, flag == 1))


def messages_in(
    body: bytes, time_of: Callable[[int], float], *, is_from_client: bool
) -> tuple[list[Message], bool]:
    """The messages in a body that is known as a whole, and whether it ends with one of them.

    `time_of` gives the Unix time at which so many bytes of it had come.
    """
    read, found, end = Prefixed(), [], 0
    read.take(body, 0.0)
    for message in read.messages(body, is_from_client=is_from_client):
        end += _PREFIX_BYTES + len(message.body)
        found.append(msgspec.structs.replace(message, seen_at=time_of(end)))
    return found, read.is_whole


def in_order(asked: Iterator[Message], answered: Iterator[Message]) -> tuple[Message, ...]:
    """What both sides said, in order of time."""
    return tuple(sorted([*asked, *answered], key=lambda message: message.seen_at))
