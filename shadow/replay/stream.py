"""Recorded TCP conversations said again, over plain TCP or TLS."""

import ssl

from shadow.model import Ending, Message
from shadow.replay._contract import Sending, Target
from shadow.replay.conversing import Progress, TalkSettings, TalkTransport, converse
from shadow.replay.cues import Cue, cues
from shadow.replay.guard import Guard
from shadow.replay.hearing import Hearing
from shadow.replay.line import Line, abort_all, connect


class StreamTransport(TalkTransport):
    """Each conversation on a connection of its own. A message is what one side says until the other does."""

    name = "tcp"

    def __init__(
        self,
        target: Target,
        guard: Guard,
        settings: TalkSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(target, guard, settings)
        self._tls: ssl.SSLContext | None = None
        if target.scheme == "tls":
            self._tls = tls or plain_tls(verify=self.settings.verify_tls)
        self._lines: set[Line] = set()

    @property
    def open_connections(self) -> int:
        return len(self._lines)

    async def close(self) -> None:
        """Close every connection, and return when their sockets are gone."""
        await abort_all(self._lines)

    async def _talk(self, sending: Sending, progress: Progress) -> None:
        hearing = Hearing(joins=True, bytes_max=self.settings.bytes_max)
        line = await connect(
            self._guard,
            self.target,
            lambda: Line(hearing.hear, hearing.end, self._lines),
            progress,
            tls=self._tls,
            timeout_seconds=self.settings.connect_timeout_seconds,
        )
        progress.hearing = hearing

        async def say(message: Message) -> None:
            await line.say(message.body)

        def end(how: Ending) -> None:
            if how is Ending.RESET:
                line.reset()
            else:
                line.finish()

        script = cues(sending.messages, by_bytes=True, patience_seconds_max=sending.timeout_seconds)
        try:
            await converse(say, script, sending, progress, settings=self.settings, is_stream=True, end=end)
            await self._hear_out(line, script[-1], hearing, progress)
        except BaseException:
            line.abort()
            raise
        line.leave()

    async def _hear_out(self, line: Line, last: Cue, hearing: Hearing, progress: Progress) -> None:
        """Where nothing came that was due, the peer may be waiting for our end, which a capture does not
        tell."""
        is_silent = last.amount and hearing.ending is None and not hearing.has_turn
        if is_silent and line.finish():
            progress.remark("our side was closed, for the last answer did not come before")
            await hearing.until(hearing.amount + last.amount, last.patience_seconds)


def plain_tls(*, verify: bool) -> ssl.SSLContext:
    """A client's context for a protocol that is no HTTP."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
