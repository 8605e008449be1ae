"""Transcripts: order, joining, bounds, and that they are told once."""

from hypothesis import given
from hypothesis import strategies as st

from shadow.wire.http1 import Limits
from shadow.wire.transcript import Transcript
from tests.wire.listening import HANDSHAKE, Heard, messages


def transcript(max_bytes: int = 1000) -> tuple[Transcript, Heard]:
    heard = Heard()
    return Transcript(HANDSHAKE, heard, Limits(max_body_bytes=max_bytes)), heard


def test_message_of_an_earlier_time_is_put_in_its_place() -> None:
    one, heard = transcript()
    one.add(b"a", 10.0, is_from_client=True)
    one.add(b"b", 30.0, is_from_client=False)
    one.add(b"c", 20.0, is_from_client=True)
    one.tell()
    assert [each.body for each in heard.exchanges[0].messages] == [b"a", b"c", b"b"]


def test_joined_message_has_the_time_of_its_last_piece() -> None:
    one, heard = transcript()
    one.join(b"a", 10.0, is_from_client=True)
    one.join(b"b", 12.0, is_from_client=True)
    one.tell()
    (message,) = heard.exchanges[0].messages
    assert (message.body, message.seen_at) == (b"ab", 12.0)


def test_it_is_told_once_and_keeps_nothing_afterwards() -> None:
    one, heard = transcript()
    one.add(b"a", 10.0, is_from_client=True)
    one.hold(50)
    one.tell()
    one.tell()
    assert len(heard.exchanges) == 1
    assert heard.kept_bytes == 0


def test_room_is_what_is_left_of_the_bound() -> None:
    one, heard = transcript(10)
    assert one.add(bytes(6), 1.0, is_from_client=True)
    assert one.room_bytes == 4
    assert not one.join(bytes(5), 2.0, is_from_client=True)
    one.tell()
    assert [len(each.body) for each in heard.exchanges[0].messages] == [6]


@given(
    said=st.lists(
        st.tuples(st.booleans(), st.binary(min_size=1, max_size=4), st.floats(0, 9), st.booleans()),
        max_size=30,
    )
)
def test_each_side_keeps_its_order_and_all_is_in_order_of_time(
    said: list[tuple[bool, bytes, float, bool]],
) -> None:
    one, heard = transcript()
    for is_from_client, body, time, is_joined in said:
        (one.join if is_joined else one.add)(body, time, is_from_client=is_from_client)
    one.tell()
    found = heard.exchanges[0].messages
    assert [each.seen_at for each in found] == sorted(each.seen_at for each in found)
    for side in (True, False):
        assert b"".join(each.body for each in found if each.is_from_client is side) == b"".join(
            body for is_from_client, body, _, _ in said if is_from_client is side
        )


def test_text_of_messages_is_kept_as_it_is() -> None:
    one, heard = transcript()
    one.add(b"a", 1.0, "text", is_from_client=False)
    one.tell()
    assert messages(heard.exchanges[0]) == [("server text", b"a")]


def test_messages_are_bounded_by_their_number() -> None:
    one, heard = transcript()
    for _ in range(65_536):
        assert one.add(b"", 1.0, is_from_client=True)
    assert not one.add(b"", 1.0, is_from_client=True)
    one.tell()
    assert len(heard.exchanges[0].messages) == 65_536
