"""The copy of a conversation stays within its limits, and gives back what it held."""

import warnings
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Exchange, Request

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from shadow.taps.mitm_outlet import Outlet
    from shadow.taps.mitm_talk import Talk

from tests.taps.proxies import Taken

_said = st.lists(st.tuples(st.booleans(), st.binary(max_size=40)), max_size=12)
_BEGUN = Exchange(0, "mitm", "s", 1.0, Request(b"", b"", b""), protocol="tcp")


def _ended(taken: Taken) -> Exchange | None:
    if taken.all.empty():
        return None
    exchange = taken.all.get_nowait()
    assert isinstance(exchange, Exchange)
    assert taken.all.empty()
    return exchange


@given(_said, st.integers(0, 200), st.integers(0, 3000))
def test_messages_are_kept_up_to_the_first_that_has_no_room(
    said: list[tuple[bool, bytes]], max_bytes: int, held_bytes: int
) -> None:
    taken = Taken()
    outlet = Outlet(taken, max_body_bytes=max_bytes, max_held_bytes=held_bytes)
    talk = Talk(outlet, _BEGUN)
    for is_from_client, body in said:
        talk.keep(is_from_client=is_from_client, body=body, seen_at=2.0)
        assert outlet.held.left_bytes >= 0
    talk.end()
    exchange = _ended(taken)
    kept = [] if exchange is None else [(each.is_from_client, each.body) for each in exchange.messages]
    assert kept == said[: len(kept)]
    assert sum(len(body) for _, body in kept) <= max_bytes
    if exchange is not None:
        assert exchange.is_complete is (kept == said)
    assert outlet.held.left_bytes == held_bytes


@given(_said, st.integers(0, 200))
def test_a_byte_stream_is_kept_in_turns(said: list[tuple[bool, bytes]], max_bytes: int) -> None:
    taken = Taken()
    outlet = Outlet(taken, max_body_bytes=max_bytes, max_held_bytes=10_000)
    talk = Talk(outlet, _BEGUN)
    for at, (is_from_client, body) in enumerate(said):
        talk.keep_bytes(is_from_client=is_from_client, body=body, seen_at=float(at))
    talk.end()
    exchange = _ended(taken)
    messages = () if exchange is None else exchange.messages
    for side in (False, True):
        kept = b"".join(each.body for each in messages if each.is_from_client is side)
        whole = b"".join(body for is_from_client, body in said if is_from_client is side)
        assert whole.startswith(kept)
    sides = [each.is_from_client for each in messages]
    assert all(one != other for one, other in pairwise(sides))
    assert sum(len(each.body) for each in messages) <= max_bytes
    assert outlet.held.left_bytes == 10_000


def test_a_conversation_is_handed_on_once() -> None:
    taken = Taken()
    talk = Talk(Outlet(taken), _BEGUN)
    talk.keep(is_from_client=True, body=b"a", seen_at=2.0)
    talk.end(is_complete=False)
    talk.keep(is_from_client=True, body=b"b", seen_at=3.0)
    talk.end()
    exchange = _ended(taken)
    assert exchange is not None
    assert ([each.body for each in exchange.messages], exchange.is_complete) == ([b"a"], False)


def test_a_connection_on_which_nothing_was_said_is_no_exchange() -> None:
    taken = Taken()
    Talk(Outlet(taken), _BEGUN).end()
    assert taken.all.empty()
