"""Live values in a WebSocket's messages exchanged for a target's own, as far as both sides speak JSON."""

from collections.abc import Sequence

import msgspec

from comparators.message_kinds import label
from shadow.model import Headers, Message, Request, Response
from shadow.replay import Correlation

_JSON: Headers = ((b"Content-Type", b"application/json"),)
_MAX_LEARNED_BYTES = 64 * 1024
_SAID = ("text", "binary")


class Rewording:
    """Of one conversation with one target. A message is to correlation as a body sent to the handshake's
    path, and what the server says as an answer to that.

    Messages of the server are paired in order, up to the first two of different kinds: from there on nothing
    says which belong together, and nothing is learned.
    """

    def __init__(
        self,
        correlation: Correlation,
        request: Request,
        recorded: Sequence[Message],
        session: str,
        *,
        is_shared: bool,
    ) -> None:
        """`request` is the handshake; other sessions learn of it where it `is_shared`."""
        self._correlation = correlation
        self._request = Request(b"POST", request.target, headers=_JSON)
        self._recorded = [each for each in recorded if not each.is_from_client and each.kind in _SAID]
        self._session = session
        self._is_shared = is_shared
        self._learned = 0

    def __call__(self, message: Message, heard: Sequence[Message]) -> Message:
        """`message` as it is to be said, now that the server has said what was `heard`."""
        self.learn(heard)
        if message.kind != "text" or message.body.lstrip()[:1] not in (b"{", b"["):
            return message
        asked = msgspec.structs.replace(self._request, body=message.body)
        made = self._correlation.translate(asked, self._session).body
        return message if made == message.body else msgspec.structs.replace(message, body=made)

    def learn(self, heard: Sequence[Message]) -> None:
        """Take in what the server has said since."""
        said = [each for each in heard if each.kind in _SAID]
        for at in range(self._learned, min(len(said), len(self._recorded))):
            live, shadow = self._recorded[at], said[at]
            if label(live) != label(shadow):
                self._recorded = self._recorded[:at]
                return
            self._learned = at + 1
            if live.kind == "text" and live.body != shadow.body and len(live.body) <= _MAX_LEARNED_BYTES:
                self._take(live.body, shadow.body)

    def _take(self, live: bytes, shadow: bytes) -> None:
        self._correlation.learn(
            Response(200, headers=_JSON, body=live),
            Response(200, headers=_JSON, body=shadow),
            self._session,
            request=self._request,
            is_shared=self._is_shared,
        )
