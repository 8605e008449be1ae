"""Bodies of gRPC-Web, in binary and as text."""

from collections.abc import Iterator

from comparators._body import Content, unequal
from comparators._contract import comparator
from comparators._web_call import WebCall, web_call
from comparators.grpc_body import compared
from shadow.content.entity import media_type
from shadow.model import Change, Difference, Response


@comparator
def grpc_web_body(control: Response, other: Response) -> Iterator[Difference]:
    """As of gRPC, whether in binary or in base64. The trailers at the end of the body, with the status, are
    compared as trailers (gRPC-Web, PROTOCOL-WEB.md).
    """
    if unequal(control, other, Content.GRPC_WEB) is None:
        return
    left, right = web_call(control), web_call(other)
    if left is None or right is None:
        if left is not right:
            yield Difference("body", Change.TYPE, _kind(left), _kind(right))
        return
    is_json = media_type(control.headers).endswith(b"+json")
    yield from compared(left.messages, right.messages, is_json=is_json)


def _kind(call: WebCall | None) -> str:
    return "no gRPC-Web frames" if call is None else "gRPC-Web frames"
