"""WebSockets pass the inline tap message by message, and are captured as one conversation."""

import asyncio
import os
import warnings
from typing import Any

import pytest
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from shadow.model import Exchange

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy.test import tflow

    from shadow.taps.mitm import MitmTap

from tests.taps.proxies import Proxy, Taken, proxied, serving
from tests.taps.websockets import Peer, echo, talking


async def _opened(proxy: Proxy, **settings: Any) -> Peer:
    peer = Peer(*await proxy.connect(), is_client=True, **settings)
    await peer.open()
    return peer


def _said(exchange: Exchange) -> list[tuple[bool, bytes, str]]:
    return [(each.is_from_client, each.body, each.kind) for each in exchange.messages]


@pytest.mark.parametrize("compresses", [False, True], ids=["plain", "compressed"])
async def test_messages_of_both_sides_are_captured_in_order(*, compresses: bool) -> None:
    taken = Taken()
    async with (
        serving(talking(echo, compresses=compresses)) as port,
        proxied(taken, port) as proxy,
    ):
        peer = await _opened(proxy, compresses=compresses)
        handshake = await taken.exchange()
        peer.send(TextMessage("zwölf"))
        assert await peer.next() == TextMessage("zwölf")
        peer.send(BytesMessage(b"\x00\xff"))
        assert await peer.next() == BytesMessage(b"\x00\xff")
        peer.send(Ping(b"still there?"))
        assert await peer.next() == Pong(b"still there?")
        peer.send(CloseConnection(1000, "done"))
        assert await peer.next() == CloseConnection(1000, "done")
        peer.writer.close()
        talk = await taken.exchange()
    assert (handshake.protocol, handshake.messages) == ("http", ())
    assert talk.protocol == "websocket"
    assert (talk.request, talk.response, talk.session) == (
        handshake.request,
        handshake.response,
        handshake.session,
    )
    assert talk.response is not None
    assert talk.response.status == 101
    assert _said(talk) == [
        (True, "zwölf".encode(), "text"),
        (False, "zwölf".encode(), "text"),
        (True, b"\x00\xff", "binary"),
        (False, b"\x00\xff", "binary"),
        (True, b"\x03\xe8done", "close"),
    ]
    assert talk.is_complete
    assert [each.seen_at for each in talk.messages] == sorted(each.seen_at for each in talk.messages)
    assert talk.index > handshake.index


async def test_a_message_of_many_fragments_is_one_message() -> None:
    taken = Taken()
    async with serving(talking(echo)) as port, proxied(taken, port) as proxy:
        peer = await _opened(proxy)
        peer.send(TextMessage("a", message_finished=False))
        peer.send(TextMessage("b", message_finished=False))
        peer.send(TextMessage("c"))
        assert [await peer.next() for _ in range(3)] == [
            TextMessage("a", message_finished=False),
            TextMessage("b", message_finished=False),
            TextMessage("c"),
        ]
        peer.writer.close()
        await taken.exchange()
        talk = await taken.exchange()
    assert _said(talk)[0] == (True, b"abc", "text")


async def test_a_socket_that_breaks_off_is_captured_without_a_close() -> None:
    taken = Taken()
    async with serving(talking(echo)) as port, proxied(taken, port) as proxy:
        peer = await _opened(proxy)
        peer.send(TextMessage("a"))
        await peer.next()
        peer.writer.close()
        await taken.exchange()
        talk = await taken.exchange()
    assert _said(talk) == [(True, b"a", "text"), (False, b"a", "text")]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"max_body_bytes": 1000}, 3, id="bytes of one conversation"),
        pytest.param({"max_held_bytes": 1500}, 3, id="bytes of all together"),
    ],
)
async def test_a_conversation_beyond_its_limit_passes_and_is_captured_up_to_it(
    settings: dict[str, Any], expected: int
) -> None:
    taken = Taken()
    async with serving(talking(echo)) as port, proxied(taken, port, **settings) as proxy:
        peer = await _opened(proxy)
        await taken.exchange()
        for _ in range(20):
            message = BytesMessage(os.urandom(300))
            peer.send(message)
            assert await peer.next() == message
        talk = await taken.exchange()
        peer.writer.close()
        assert taken.all.empty()
    assert (len(talk.messages), talk.is_complete) == (expected, False)


async def test_a_conversation_of_very_many_messages_is_captured_up_to_the_limit() -> None:
    taken = Taken()
    async with serving(talking(echo)) as port, proxied(taken, port) as proxy:
        peer = await _opened(proxy)
        await taken.exchange()
        for _ in range(600):
            peer.send(TextMessage(""))
        for _ in range(600):
            await peer.next()
        talk = await taken.exchange()
        peer.writer.close()
    assert (len(talk.messages), talk.is_complete) == (1000, False)


async def test_a_socket_that_is_open_when_the_proxy_stops_is_captured_as_far_as_it_came() -> None:
    taken = Taken()
    async with serving(talking(echo)) as port:
        async with proxied(taken, port) as proxy:
            peer = await _opened(proxy)
            peer.send(TextMessage("a"))
            await peer.next()
        await taken.exchange()
        talk = await taken.exchange()
        peer.writer.close()
    assert _said(talk) == [(True, b"a", "text"), (False, b"a", "text")]
    assert not talk.is_complete
    assert taken.all.empty()


async def test_what_bears_our_mark_is_not_captured() -> None:
    taken = Taken()
    async with serving(talking(echo)) as port, proxied(taken, port) as proxy:
        peer = Peer(*await proxy.connect(), is_client=True)
        await peer.open(((b"Shadow-Run", b"r1"),))
        peer.send(TextMessage("a"))
        await peer.next()
        peer.send(CloseConnection(1000))
        await peer.next()
        peer.writer.close()
    assert taken.all.empty()


async def test_the_server_may_speak_first_and_close() -> None:
    async def talk(peer: Peer) -> None:
        peer.send(TextMessage("hello"))
        peer.send(CloseConnection(1001, "going"))
        await peer.next()

    taken = Taken()
    async with serving(talking(talk)) as port, proxied(taken, port) as proxy:
        peer = await _opened(proxy)
        assert await peer.next() == TextMessage("hello")
        assert await peer.next() == CloseConnection(1001, "going")
        await taken.exchange()
        exchange = await taken.exchange()
        peer.writer.close()
    assert _said(exchange) == [(False, b"hello", "text"), (False, b"\x03\xe9going", "close")]


@pytest.mark.parametrize("how", ["injected", "dropped"])
def test_what_other_addons_made_up_or_held_back_is_not_captured(how: str) -> None:
    taken = Taken()
    tap, flow = MitmTap(taken, is_alone=False), tflow.twebsocketflow()
    assert flow.websocket is not None
    said, flow.websocket.messages = flow.websocket.messages, []
    tap.requestheaders(flow)
    tap.response(flow)
    for message in said:
        flow.websocket.messages.append(message)
        setattr(message, how, message is said[0])
        tap.websocket_message(flow)
    tap.websocket_end(flow)
    assert isinstance(taken.all.get_nowait(), Exchange)
    talk = taken.all.get_nowait()
    assert isinstance(talk, Exchange)
    assert [each.body for each in talk.messages if each.kind != "close"] == [
        message.content for message in said[1:]
    ]
    assert flow.websocket.messages == said


async def test_many_sockets_at_once_are_captured_apart() -> None:
    async def talk(proxy: Proxy, number: int) -> None:
        peer = await _opened(proxy)
        for _ in range(3):
            peer.send(TextMessage(str(number)))
            assert await peer.next() == TextMessage(str(number))
        peer.send(CloseConnection(1000))
        await peer.next()
        peer.writer.close()

    taken = Taken()
    async with serving(talking(echo)) as port, proxied(taken, port) as proxy:
        async with asyncio.TaskGroup() as tasks:
            for number in range(10):
                tasks.create_task(talk(proxy, number))
        found = [await taken.exchange() for _ in range(20)]
    talks = [each for each in found if each.protocol == "websocket"]
    assert sorted({each.body for each in talk.messages if each.kind == "text"}.pop() for talk in talks) == [
        str(number).encode() for number in range(10)
    ]
    assert len({each.index for each in found}) == 20
