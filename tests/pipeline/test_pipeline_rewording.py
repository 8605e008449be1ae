"""Live values in a WebSocket's messages exchanged for a target's own."""

import json

from shadow.model import Message, Request
from shadow.pipeline.rewording import Rewording
from shadow.replay import Correlation, Target

TARGET = Target("candidate", "http", "127.0.0.1", 8000)
CHAT = Request(b"GET", b"/chat")
LIVE_ID, SHADOW_ID = "ord-0123456789ab", "ord-ba9876543210"


def message(value: object, *, mine: bool = False, kind: str = "text") -> Message:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Message(mine, body, 1.0, kind)


def rewording(*recorded: Message, correlation: Correlation | None = None) -> Rewording:
    known = correlation or Correlation(TARGET)
    return Rewording(known, CHAT, recorded, "s", is_shared=True)


def test_id_that_the_server_gave_anew_is_used_in_later_messages() -> None:
    words = rewording(message({"type": "ordered", "id": LIVE_ID}))
    cancel = message({"op": "cancel", "id": LIVE_ID}, mine=True)
    said = words(cancel, (message({"type": "ordered", "id": SHADOW_ID}),))
    assert json.loads(said.body) == {"op": "cancel", "id": SHADOW_ID}


def test_what_was_learned_is_known_to_other_conversations() -> None:
    correlation = Correlation(TARGET)
    first = rewording(message({"type": "ordered", "id": LIVE_ID}), correlation=correlation)
    first.learn((message({"type": "ordered", "id": SHADOW_ID}),))
    said = rewording(correlation=correlation)(message({"id": LIVE_ID}, mine=True), ())
    assert json.loads(said.body) == {"id": SHADOW_ID}


def test_nothing_is_learned_from_messages_of_different_kinds() -> None:
    words = rewording(message({"type": "hello"}), message({"type": "ordered", "id": LIVE_ID}))
    words.learn((message({"type": "busy"}), message({"type": "ordered", "id": SHADOW_ID})))
    cancel = message({"id": LIVE_ID}, mine=True)
    assert words(cancel, ()) == cancel


def test_what_is_no_json_stays_as_it_is() -> None:
    words = rewording(message({"id": LIVE_ID}))
    words.learn((message({"id": SHADOW_ID}),))
    for each in (message(LIVE_ID.encode(), mine=True), message(b'{"id": "', mine=True, kind="binary")):
        assert words(each, ()) is each
