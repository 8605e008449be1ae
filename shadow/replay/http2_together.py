"""Requests over HTTP/2 completed at one moment: their last frames are held back, then said in one write."""

import asyncio
from collections.abc import Awaitable, Callable

from shadow.model import Headers, Silence
from shadow.replay._contract import Sending
from shadow.replay.http2_connection import Http2Connection
from shadow.replay.http2_stream import Stream

type Reach = Callable[[Stream], Awaitable[Http2Connection | None]]
"""A new connection for a stream; None, and the stream knows why, where there is none."""
type Says = Callable[[Sending], tuple[Headers, bytes, Headers]]
"""Fields, body and trailers of a sending."""
type _Group = tuple[Http2Connection, list[Stream]]


async def complete_together(
    streams: list[Stream], reach: Reach, said: Says, *, ping_seconds_max: float
) -> None:
    """Say all streams but their ends, then the ends, and wait for the answers; all connections are closed.

    `ping_seconds_max` is how long a peer may take to say that it has heard what was said ahead.
    """
    timeout_seconds = max(stream.sending.timeout_seconds for stream in streams)
    connections: list[Http2Connection] = []
    try:
        async with asyncio.timeout(timeout_seconds):
            groups = await _held(streams, connections, reach, said)
            for connection, _ in groups:
                await connection.answers_ping(ping_seconds_max)
            waited_seconds = 0.0
            for after in sorted({stream.sending.after_seconds for stream in streams}):
                if after > waited_seconds:
                    await asyncio.sleep(after - waited_seconds)
                    waited_seconds = after
                for connection, group in groups:
                    connection.release(each for each in group if each.sending.after_seconds == after)
            for stream in streams:
                await stream.done
    except TimeoutError:
        for stream in streams:
            if not stream.is_done:
                stream.time_out(is_connected=bool(connections))
    finally:
        for connection in connections:
            connection.abort()


async def _held(
    streams: list[Stream], connections: list[Http2Connection], reach: Reach, said: Says
) -> list[_Group]:
    """Connections on which all of `streams` have been said but their ends.

    There are several where the peer takes fewer streams at a time; each is added to `connections`.
    """
    groups: list[_Group] = []
    left = list(streams)
    while left:
        connection = await reach(left[0])
        if connection is None:
            for stream in left[1:]:
                stream.lose(*(left[0].trouble or (Silence.REFUSED, "no connection")))
                stream.settle()
            break
        connections.append(connection)
        await connection.settled()
        count = max(connection.streams_max, 1)
        group, left = left[:count], left[count:]
        for stream in group:
            await connection.hold(stream, *said(stream.sending))
        groups.append((connection, group))
    return groups
