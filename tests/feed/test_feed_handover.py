"""Frames between a run and its workers, over a real pair of sockets."""

import asyncio
import socket
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shadow.feed.handover import End, Handing, Handover, Release, join
from shadow.model import Exchange, Judgement, Kind, NoReply, Reply, Request, Response, Silence, Trial, Verdict

EXCHANGE = Exchange(3, "test", "s", 1.5, Request(b"GET", b"/\xff"), Response(200, body=b"\x00" * 100_000))


async def test_exchanges_and_words_arrive_as_they_were_and_in_order() -> None:
    here, there = socket.socketpair()
    heard: list[Any] = []
    gone, all_heard = asyncio.Event(), asyncio.Event()

    def hear(told: Any) -> None:
        heard.append(told)
        if told == End():
            all_heard.set()

    one = await join(here, lambda _: None, lambda: None)
    other = await join(there, hear, gone.set)
    trial = Trial(
        1,
        "GET /",
        Kind.MUTANT,
        "m",
        Judgement(Verdict.FAILED),
        control=Reply(Response(200)),
        answer=NoReply(Silence.RESET),
    )
    handings = [Handing(7, True, EXCHANGE, 2.5), Handing(8, False, EXCHANGE)]
    for word in (Release([7, 8]), trial):
        one.say(word)
    one.hand(handings)
    one.say(End())
    async with asyncio.timeout(10):
        await all_heard.wait()
    assert heard == [Release([7, 8]), trial, handings, End()]
    one.close()
    async with asyncio.timeout(10):
        await gone.wait()
    other.close()


@given(cuts=st.lists(st.integers(1, 40), max_size=60))
def test_frames_are_found_however_the_stream_is_cut(cuts: list[int]) -> None:
    written, heard = bytearray(), list[Any]()

    class Kept(asyncio.Transport):
        def write(self, data: Any) -> None:
            written.extend(data)

        def is_closing(self) -> bool:
            return False

    sender, receiver = Handover(lambda _: None, lambda: None), Handover(heard.append, lambda: None)
    sender.connection_made(Kept())
    small = Exchange(0, "t", "s", 0.0, Request(b"GET", b"/"))
    sender.hand([Handing(1, False, small)])
    sender.say(Release([1]))
    sender.say(End())
    at = 0
    for cut in [*cuts, len(written)]:
        receiver.data_received(bytes(written[at : at + cut]))
        at += cut
    assert heard == [[Handing(1, False, small)], Release([1]), End()]
