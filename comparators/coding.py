"""Whether a body is in the content coding that its field states."""

from collections.abc import Iterator

from comparators._contract import comparator
from shadow.content.coding import Fault
from shadow.content.entity import content_encoding, undone
from shadow.model import Change, Difference, Response


@comparator
def coding(control: Response, other: Response) -> Iterator[Difference]:
    """A body that is not in the coding that Content-Encoding states, or ends before it does, cannot be read
    (RFC 9110 §8.4). One coding is as good as another: its name is compared with the fields.
    """
    ours, theirs = undone(control).fault, undone(other).fault
    if (ours is Fault.BROKEN) is not (theirs is Fault.BROKEN):
        yield Difference("body:coding", Change.TYPE, _shown(control, ours), _shown(other, theirs))


def _shown(response: Response, fault: Fault | None) -> str:
    stated = (content_encoding(response.headers) or b"identity").decode("latin-1")[:80]
    return f"broken {stated}" if fault is Fault.BROKEN else stated
