"""What follows an answer on its connection: answers to requests that stood hidden behind the one asked."""

from shadow.model import Outcome, Reply
from shadow.wire.http1 import ResponseReader

_NO_REQUEST = frozenset({400, 408, 411, 413, 414, 431, 501, 505})
"""What is said of bytes that were taken for no request; a close without an answer says the same."""


def further_answers(outcome: Outcome, method: bytes = b"GET") -> int:
    """How many requests the server took from the bytes behind the first, as far as it answered them.

    `method` is the first request's: answers to HEAD have no body, those that follow included. Bytes that are
    no HTTP count for nothing, nor do refusals of bytes as no request.
    """
    if not isinstance(outcome, Reply):
        return 0
    count, rest = 0, outcome.surplus
    while rest:
        reader = ResponseReader(b"HEAD" if method == b"HEAD" else b"GET")
        response = reader.feed(rest) or reader.finish()
        if response is None:
            break
        count += response.status not in _NO_REQUEST
        rest = reader.surplus
    return count
