"""The messages inside bodies, and exchanges of gRPC as they are heard."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.http2 import CLIENT, SERVER, Dialogue, request, response
from shadow.model import Exchange, Message, Request, Response
from shadow.wire.grpc import Prefixed, is_grpc, with_plain_metadata
from tests.wire.hearing import Heard, Wire

GRPC = (b"content-type", b"application/grpc")
CALL = request(b"POST", b"/shop.Cart/Add", GRPC, (b"te", b"trailers"))

TYPES = {
    "bare": (b"application/grpc", True),
    "with a format": (b"application/grpc+proto", True),
    "with a parameter": (b"application/grpc; charset=x", True),
    "in capitals": (b"Application/gRPC", True),
    "web": (b"application/grpc-web+proto", False),
    "other": (b"application/json", False),
    "none": (b"", False),
}


def prefixed(text: bytes, *, is_compressed: bool = False) -> bytes:
    return bytes((is_compressed,)) + len(text).to_bytes(4) + text


def only(heard: Heard) -> Exchange:
    (exchange,) = heard.exchanges
    return exchange


def bodies(exchange: Exchange) -> list[tuple[bool, bytes, str]]:
    return [(each.is_from_client, each.body, each.kind) for each in exchange.messages]


@pytest.mark.parametrize(("value", "expected"), TYPES.values(), ids=TYPES)
def test_content_type_tells_grpc(value: bytes, expected: bool) -> None:
    assert is_grpc(((b"Content-Type", value),)) is expected
    assert not is_grpc(())


@settings(deadline=None)
@given(
    texts=st.lists(st.tuples(st.binary(max_size=30), st.booleans()), max_size=6),
    rest=st.binary(max_size=4),
    step=st.integers(1, 50),
)
def test_messages_are_found_in_any_slicing_and_a_rest_is_none(
    texts: list[tuple[bytes, bool]], rest: bytes, step: int
) -> None:
    body = b"".join(prefixed(text, is_compressed=flag) for text, flag in texts) + rest
    marks = Prefixed()
    for at in range(0, len(body), step):
        marks.take(body[at : at + step], float(at))
    found = list(marks.messages(body, is_from_client=True))
    assert [(each.body, each.kind == "compressed") for each in found] == texts
    assert marks.is_whole is (not rest)


def test_message_has_the_time_at_which_it_was_complete() -> None:
    marks, body = Prefixed(), prefixed(b"0123456789") + prefixed(b"")
    marks.take(body[:8], 1.0)
    marks.take(body[8:], 2.0)
    assert list(marks.messages(body, is_from_client=False)) == [
        Message(False, b"0123456789", 2.0),
        Message(False, b"", 2.0),
    ]


@settings(deadline=None)
@given(pieces=st.lists(st.binary(max_size=20), max_size=10))
def test_no_bytes_make_it_raise(pieces: list[bytes]) -> None:
    marks, body = Prefixed(), b"".join(pieces)
    for piece in pieces:
        marks.take(piece, 0.0)
    assert sum(len(each.body) + 5 for each in marks.messages(body, is_from_client=True)) <= len(body)


def test_body_that_is_not_prefixed_has_no_messages_and_is_not_whole() -> None:
    marks = Prefixed()
    marks.take(b"<html>", 0.0)
    assert list(marks.messages(b"<html>", is_from_client=False)) == []
    assert not marks.is_whole


def test_endless_empty_messages_are_bounded() -> None:
    marks, body = Prefixed(), prefixed(b"") * 70_000
    marks.take(body, 0.0)
    assert len(marks) == 65_536
    assert not marks.is_whole


def test_call_has_its_messages_and_keeps_its_bodies_as_sent() -> None:
    dialogue = Dialogue()
    asked, told = prefixed(b"add") + prefixed(b"more", is_compressed=True), prefixed(b"added")
    number = dialogue.ask(CALL, asked)
    dialogue.answer(number, response(200, GRPC), told, [(b"grpc-status", b"0")])
    exchange = only(Wire().play(dialogue.turns).end())
    assert (exchange.protocol, exchange.is_complete) == ("grpc", True)
    assert bodies(exchange) == [(True, b"add", ""), (True, b"more", "compressed"), (False, b"added", "")]
    assert exchange.request.body == asked
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.trailers) == (told, ((b"grpc-status", b"0"),))


def test_messages_of_a_stream_are_in_order_of_time() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(CALL, is_last=False)
    dialogue.answer(number, response(200, GRPC), is_last=False)
    for at in range(3):
        for side in (CLIENT, SERVER):
            dialogue.data(side, number, prefixed(b"%d" % at), is_last=at == 2)
            dialogue.flush(side)
    exchange = only(Wire().play(dialogue.turns).end())
    assert bodies(exchange) == [(side, b"%d" % at, "") for at in range(3) for side in (True, False)]
    times = [each.seen_at for each in exchange.messages]
    assert times == sorted(times)


def test_answer_of_trailers_alone_is_complete() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(CALL, prefixed(b"x"))
    dialogue.answer(number, response(200, GRPC, (b"grpc-status", b"12")))
    exchange = only(Wire().play(dialogue.turns).end())
    assert bodies(exchange) == [(True, b"x", "")]
    assert exchange.is_complete


def test_answer_that_is_no_grpc_has_no_messages() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(CALL, prefixed(b"x"))
    dialogue.answer(number, response(502, (b"content-type", b"text/html")), b"\0\0\0\0\1x")
    exchange = only(Wire().play(dialogue.turns).end())
    assert (exchange.protocol, bodies(exchange)) == ("grpc", [(True, b"x", "")])


def test_cancelled_call_has_the_messages_that_came() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(CALL, prefixed(b"x"))
    dialogue.answer(number, response(200, GRPC), prefixed(b"one") + prefixed(b"two")[:6], is_last=False)
    dialogue.reset(CLIENT, number)
    exchange = only(Wire().play(dialogue.turns).end())
    assert bodies(exchange) == [(True, b"x", ""), (False, b"one", "")]
    assert not exchange.is_complete


def test_messages_after_a_gap_are_left_out_and_the_exchange_says_so() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(CALL, prefixed(b"x"))
    dialogue.answer(
        number, response(200, GRPC), prefixed(b"one") + prefixed(b"t" * 5000) + prefixed(b"three")
    )
    *before, (side, text) = dialogue.turns
    wire = Wire().play(before).say(side, text[:1000]).lose(side, 1000).say(side, text[2000:])
    exchange = only(wire.end())
    assert bodies(exchange) == [(True, b"x", ""), (False, b"one", "")]
    assert not exchange.is_complete


def test_grpc_web_is_ordinary_http() -> None:
    dialogue = Dialogue()
    dialogue.ask(request(b"POST", b"/s/M", (b"content-type", b"application/grpc-web")), prefixed(b"x"))
    exchange = only(Wire().play(dialogue.turns).end())
    assert (exchange.protocol, exchange.messages) == ("http", ())


def test_metadata_said_as_bare_bytes_is_said_in_base64() -> None:
    kind = (b"content-type", b"application/grpc")
    asked = Request(b"POST", b"/s/M", b"HTTP/2", (kind, (b"x-trace-bin", b"\0\1\2\3"), (b"x-a", b"1")))
    answered = Response(200, headers=(kind,), trailers=((b"grpc-status-details-bin", b"\0\xff"),))
    made = with_plain_metadata(Exchange(0, "t", "s", 0.0, asked, answered))
    assert made.request.headers == (kind, (b"x-trace-bin", b"AQID"), (b"x-a", b"1"))
    assert made.response is not None
    assert made.response.trailers == ((b"grpc-status-details-bin", b"/w"),)
    assert with_plain_metadata(made) is made


def test_bytes_after_nul_stay_as_they_are_where_no_call_says_them() -> None:
    odd = Exchange(0, "t", "s", 0.0, Request(b"POST", b"/", headers=((b"x-trace-bin", b"\0\1"),)))
    assert with_plain_metadata(odd) is odd
