"""A transport whose sendings go through a relay, and whose outcomes never blame the target for our doing."""

from collections.abc import Callable

import msgspec

from shadow.model import Event, NoReply, Outcome, Reply, Silence, Timing
from shadow.replay._contract import Sending, Transport
from shadow.replay.passage import Passage
from shadow.replay.relay import Relay

_OWN_SHARE_OF_TIME = 0.25
"""Of the time limit: where conditions took more of it, running into it is not held against the target."""


class ConditionedTransport:
    """Sends through `inner`, over the relay that the guard of `inner` asks for addresses.

    What a condition broke has the outcome CUT, whatever `inner` made of it; what it held up says how long.
    Several transports to one target share a relay; the first to be closed closes it.
    """

    def __init__(self, inner: Transport, relay: Relay, *, hear: Callable[[Event], None]) -> None:
        self.name = inner.name
        self._inner = inner
        self._relay = relay
        self._hear = hear

    def can_send(self, sending: Sending) -> bool:
        return self._inner.can_send(sending)

    async def send(self, sending: Sending) -> Outcome:
        """The answer to `sending`; time under way counts towards its limit."""
        passage = self._relay.begin(sending.lane, sending.protocol)
        leave = self._relay.enclose(passage)
        try:
            outcome = await self._inner.send(sending)
        finally:
            leave()
            self._relay.end(passage)
        outcome = self._judged(outcome, passage, sending.timeout_seconds)
        for event in self._relay.told():
            self._hear(event)
        return outcome

    async def close(self) -> None:
        await self._inner.close()
        await self._relay.close()
        for event in self._relay.told():
            self._hear(event)

    def _judged(self, outcome: Outcome, passage: Passage, timeout_seconds: float) -> Outcome:
        if isinstance(outcome, NoReply) and outcome.why is Silence.UNSENT:
            return outcome
        if strikes := self._relay.strikes(passage):
            return NoReply(Silence.CUT, strikes[0].what, outcome.timing)
        held_seconds = passage.held_seconds
        timing = msgspec.structs.replace(outcome.timing, held_seconds=held_seconds)
        if isinstance(outcome, Reply):
            return msgspec.structs.replace(outcome, timing=timing) if held_seconds else outcome
        return _silence(outcome, passage, timing, timeout_seconds)


def _silence(outcome: NoReply, passage: Passage, timing: Timing, timeout_seconds: float) -> NoReply:
    if outcome.why is Silence.TIMED_OUT and passage.is_refused:
        return NoReply(Silence.REFUSED, "nobody listens there, as ICMP says", timing)
    is_ours = passage.is_resolving or timing.held_seconds > _OWN_SHARE_OF_TIME * timeout_seconds
    if is_ours and outcome.why in (Silence.TIMED_OUT, Silence.REFUSED):
        what = f"held up for {timing.held_seconds:.3g} s by network conditions, then: {outcome.detail}"
        return NoReply(Silence.CUT, what, timing)
    return msgspec.structs.replace(outcome, timing=timing) if timing.held_seconds else outcome
