"""The messages inside the bodies of a gRPC call.

Each is preceded by one byte that says whether it is compressed and four that say how long it is
(https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, Length-Prefixed-Message).
"""

from collections.abc import Callable, Iterator

from shadow.model import Message

_PREFIX_BYTES = 5
_COMPRESSED = 1

type TimeOf = Callable[[int], float]
"""Unix time in seconds at which so many bytes of a body had come."""


def is_grpc(content_type: bytes) -> bool:
    """Whether a message of this Content-Type is one of gRPC; gRPC-Web is another protocol."""
    if not content_type[:16].lower().startswith(b"application/grpc"):
        return False
    kind = content_type.partition(b";")[0].strip().lower()
    return kind == b"application/grpc" or kind.startswith(b"application/grpc+")


def messages_in(body: bytes, time_of: TimeOf, *, is_from_client: bool) -> Iterator[Message | None]:
    """The messages in `body`, in order; then None where it ends inside of one."""
    at = 0
    while at < len(body):
        start = at + _PREFIX_BYTES
        end = start + int.from_bytes(body[at + 1 : start])
        if start > len(body) or end > len(body):
            yield None
            return
        kind = "compressed" if body[at] == _COMPRESSED else ""
        yield Message(is_from_client, body[start:end], time_of(end), kind)
        at = end
