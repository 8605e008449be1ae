"""Conversations over HTTP/2, written by the h2 library, and what is heard of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.http2 import CLIENT, SERVER, Dialogue, request, response
from shadow.model import Exchange, Response
from shadow.wire.direction import End
from shadow.wire.http1 import Limits
from shadow.wire.http2_shape import PREFACE
from tests.wire.hearing import Heard, Wire
from tests.wire.test_wire_http2_frames import frame

JSON = (b"content-type", b"application/json")


def play(dialogue: Dialogue, step: int | None = None) -> Heard:
    """What is heard of the whole conversation; nothing may be kept of it afterwards."""
    heard = Wire().play(dialogue.turns, step).end()
    assert heard.kept_bytes == 0
    return heard


def only(heard: Heard) -> Exchange:
    (exchange,) = heard.exchanges
    assert not heard.reasons
    return exchange


def answered(exchange: Exchange) -> Response:
    assert exchange.response is not None
    return exchange.response


def test_exchange_is_as_it_was_said() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(
        request(b"POST", b"/a?b=1", JSON, (b"x", b"1"), (b"x", b"2")), b"body", [(b"t", b"1")]
    )
    dialogue.answer(number, response(201, (b"location", b"/a/1")), b"made", [(b"u", b"2")])
    exchange = only(play(dialogue))
    asked, told = exchange.request, answered(exchange)
    assert (asked.method, asked.target, asked.version, asked.body) == (b"POST", b"/a?b=1", b"HTTP/2", b"body")
    assert asked.headers == ((b"host", b"api.example.com"), JSON, (b"x", b"1"), (b"x", b"2"))
    assert asked.trailers == ((b"t", b"1"),)
    assert (told.status, told.reason, told.version, told.body) == (201, b"", b"HTTP/2", b"made")
    assert (told.headers, told.trailers, told.is_complete) == (
        ((b"location", b"/a/1"),),
        ((b"u", b"2"),),
        True,
    )
    assert (exchange.protocol, exchange.messages, exchange.tap) == ("http", (), "test")
    assert (exchange.live, exchange.session) == ("10.0.0.2:80", "10.0.0.1:40000>10.0.0.2:80#1")


def test_host_that_was_sent_is_the_only_one() -> None:
    dialogue = Dialogue()
    dialogue.ask(request(b"GET", b"/", (b"host", b"other")))
    assert only(play(dialogue)).request.headers == ((b"host", b"other"),)


def test_time_is_that_of_the_first_byte_and_latency_up_to_the_final_answer() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(request(b"GET", b"/"))
    dialogue.answer(number, response(103), is_last=False)
    dialogue.answer(number, response(200), b"x")
    *greetings, asked, early, final = dialogue.turns
    wire = Wire().play(greetings)
    began = wire.time + 1
    wire.say(*asked, step=10).say(*early)
    answered_at = wire.time + 1
    exchange = only(wire.say(*final, step=5).end())
    assert exchange.seen_at == began
    assert exchange.latency_seconds == answered_at - began
    assert answered(exchange).status == 200


def test_answers_find_their_requests_in_any_order() -> None:
    dialogue = Dialogue()
    numbers = [dialogue.ask(request(b"GET", b"/%d" % at)) for at in range(5)]
    for at in (3, 0, 4, 2, 1):
        dialogue.answer(numbers[at], response(200, (b"x", b"%d" % at)), b"%d" % at)
    heard = play(dialogue)
    assert [each.request.target for each in heard.by_index()] == [b"/%d" % at for at in range(5)]
    for each in heard.exchanges:
        assert each.request.target == b"/" + answered(each).body


def test_request_begins_with_the_first_byte_of_its_head() -> None:
    dialogue = Dialogue()
    dialogue.ask(request(b"GET", b"/"))
    *greetings, (side, head) = dialogue.turns
    wire = Wire().play(greetings).say(side, head[:20])
    assert wire.heard.begun == [wire.time]
    wire.say(side, head[20:])
    assert wire.heard.begun == [wire.time - 1]


BODILESS = {"head": (b"HEAD", 200), "no content": (b"GET", 204), "not modified": (b"GET", 304)}


@pytest.mark.parametrize(("method", "status"), BODILESS.values(), ids=BODILESS)
def test_answer_without_a_body_is_complete(method: bytes, status: int) -> None:
    dialogue = Dialogue()
    number = dialogue.ask(request(method, b"/"))
    dialogue.answer(number, response(status, (b"content-length", b"10")))
    told = answered(only(play(dialogue)))
    assert (told.status, told.body, told.is_complete) == (status, b"", True)


def test_answer_that_comes_before_its_request_is_read_is_held() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(request(b"GET", b"/x"))
    dialogue.answer(number, response(200), b"x")
    *greetings, asked, told = dialogue.turns
    heard = Wire().play([*greetings, told, asked]).end()
    exchange = only(heard)
    assert (exchange.request.target, answered(exchange).body) == (b"/x", b"x")
    assert not heard.kept_bytes


def test_answer_whose_request_never_comes_is_unparsed() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(request(b"GET", b"/x"))
    dialogue.answer(number, response(200), b"x")
    *greetings, _, told = dialogue.turns
    heard = Wire().play([*greetings, told]).end()
    assert (heard.exchanges, heard.reasons, heard.kept_bytes) == ([], ["a response without its request"], 0)


def test_pushed_answer_is_an_exchange_with_the_promised_request() -> None:
    dialogue = Dialogue(pushes=True)
    number = dialogue.ask(request(b"GET", b"/page"))
    promised = dialogue.push(number, request(b"GET", b"/style"))
    dialogue.answer(number, response(200), b"page")
    dialogue.answer(promised, response(200), b"style")
    heard = play(dialogue)
    pairs = [(each.request.target, answered(each).body) for each in heard.by_index()]
    assert pairs == [(b"/page", b"page"), (b"/style", b"style")]


def test_connect_names_an_authority_and_what_follows_is_passed_over() -> None:
    dialogue = Dialogue()
    number = dialogue.ask([(b":method", b"CONNECT"), (b":authority", b"db:5432")], is_last=False)
    dialogue.answer(number, response(200), is_last=False)
    dialogue.data(CLIENT, number, b"question")
    dialogue.flush(CLIENT)
    dialogue.data(SERVER, number, b"answer!")
    dialogue.flush(SERVER)
    heard = play(dialogue)
    exchange = only(heard)
    assert (exchange.request.method, exchange.request.target) == (b"CONNECT", b"db:5432")
    assert answered(exchange).status == 200
    assert answered(exchange).is_complete
    assert heard.passed_bytes == len(b"question") + len(b"answer!")


def test_extended_connect_is_told_as_soon_as_it_is_granted() -> None:
    dialogue = Dialogue()
    fields = [(b":protocol", b"websocket"), (b"sec-websocket-version", b"13")]
    number = dialogue.ask([*request(b"CONNECT", b"/chat"), *fields], is_last=False)
    dialogue.answer(number, response(200), is_last=False)
    wire = Wire().play(dialogue.turns)
    exchange = only(wire.heard)
    assert (exchange.request.target, answered(exchange).status) == (b"/chat", 200)


def test_refused_connect_has_a_body() -> None:
    dialogue = Dialogue()
    number = dialogue.ask([(b":method", b"CONNECT"), (b":authority", b"db:5432")], is_last=False)
    dialogue.answer(number, response(403), b"no")
    assert answered(only(play(dialogue))).body == b"no"


def test_reset_answer_is_incomplete() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(request(b"GET", b"/"))
    dialogue.answer(number, response(200), b"half", is_last=False)
    dialogue.reset(CLIENT, number)
    told = answered(only(play(dialogue)))
    assert (told.body, told.is_complete) == (b"half", False)


def test_request_reset_before_any_answer_has_none() -> None:
    dialogue = Dialogue()
    dialogue.reset(CLIENT, dialogue.ask(request(b"GET", b"/")))
    assert only(play(dialogue)).response is None


def test_request_reset_before_its_end_is_unparsed() -> None:
    dialogue = Dialogue()
    dialogue.reset(CLIENT, dialogue.ask(request(b"POST", b"/"), b"half", is_last=False))
    heard = play(dialogue)
    assert (heard.exchanges, heard.reasons, heard.lost_indexes) == (
        [],
        ["the request was reset before its end"],
        [1],
    )


def test_answer_before_the_end_of_an_upload_waits_for_that() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(request(b"POST", b"/"), b"half", is_last=False)
    dialogue.answer(number, response(413), b"no")
    dialogue.data(CLIENT, number, b"more", is_last=True)
    dialogue.flush(CLIENT)
    exchange = only(play(dialogue))
    assert (exchange.request.body, answered(exchange).is_complete) == (b"halfmore", True)


def test_reset_without_error_after_a_complete_answer_leaves_the_upload_unparsed() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(request(b"POST", b"/"), b"half", is_last=False)
    dialogue.answer(number, response(413), b"no")
    dialogue.reset(SERVER, number, code=0)
    assert play(dialogue).reasons == ["the request was reset before its end"]


@pytest.mark.parametrize("how", list(End))
def test_end_of_the_connection_cuts_what_is_open(how: End) -> None:
    dialogue = Dialogue()
    dialogue.ask(request(b"GET", b"/unanswered"))
    cut = dialogue.ask(request(b"GET", b"/cut"))
    dialogue.answer(cut, response(200), b"half", is_last=False)
    dialogue.ask(request(b"POST", b"/upload"), b"half", is_last=False)
    heard = Wire().play(dialogue.turns).end(how)
    by_target = {each.request.target: each.response for each in heard.exchanges}
    assert by_target[b"/unanswered"] is None
    told = by_target[b"/cut"]
    assert told is not None
    assert (told.body, told.is_complete) == (b"half", False)
    assert heard.reasons == ["the connection ended inside the request"]
    assert heard.kept_bytes == 0


def test_request_cut_inside_its_head_is_unparsed() -> None:
    dialogue = Dialogue()
    dialogue.ask(request(b"GET", b"/"))
    *greetings, (side, text) = dialogue.turns
    heard = Wire().play(greetings).say(side, text[:-1]).end()
    assert (heard.exchanges, heard.reasons) == ([], ["the connection ended inside a field block"])


def test_settings_of_the_server_may_come_first() -> None:
    dialogue = Dialogue()
    number = dialogue.ask(request(b"GET", b"/x"))
    dialogue.answer(number, response(200), b"x")
    first, second, *rest = dialogue.turns
    assert (first[0], second[0]) == (CLIENT, SERVER)
    assert only(Wire().play([second, first, *rest]).end()).request.target == b"/x"


@pytest.mark.parametrize("sizes", [(0, 0), (65_536, 100), (100, 65_536)], ids=str)
def test_tables_of_any_size_are_followed(sizes: tuple[int, int]) -> None:
    dialogue = Dialogue(table_bytes=sizes)
    for at in range(30):
        fields = [(b"x-%d" % (at % 7), b"%d" % at * 20)]
        number = dialogue.ask(request(b"GET", b"/%d" % at, *fields))
        dialogue.answer(number, response(200, *fields))
    heard = play(dialogue)
    assert len(heard.exchanges) == 30
    for at, each in enumerate(heard.by_index()):
        assert each.request.headers[1:] == answered(each).headers == ((b"x-%d" % (at % 7), b"%d" % at * 20),)


def test_large_bodies_pass_windows_and_many_frames() -> None:
    dialogue = Dialogue()
    up, down = b"u" * 200_000, b"d" * 300_000
    number = dialogue.ask(request(b"PUT", b"/"), up)
    dialogue.answer(number, response(200), down)
    exchange = only(play(dialogue, step=1448))
    assert (exchange.request.body, answered(exchange).body) == (up, down)


def test_request_over_the_limit_is_unparsed_and_an_answer_is_cut() -> None:
    dialogue = Dialogue()
    for size_up, size_down in ((11, 0), (0, 11), (10, 10)):
        number = dialogue.ask(request(b"PUT", b"/%d" % size_up), b"u" * size_up)
        dialogue.answer(number, response(200), b"d" * size_down)
    heard = Wire(limits=Limits(max_body_bytes=10)).play(dialogue.turns).end()
    assert heard.reasons == ["the request is longer than may be kept"]
    assert [(answered(each).body, answered(each).is_complete) for each in heard.by_index()] == [
        (b"d" * 10, False),
        (b"d" * 10, True),
    ]


def test_head_over_the_limit_is_unparsed_and_the_next_is_read() -> None:
    dialogue = Dialogue()
    long = [(b"x-%d" % at, b"v" * 50) for at in range(40)]
    for fields in (long, long[-2:]):
        number = dialogue.ask(request(b"GET", b"/", *fields))
        dialogue.answer(number, response(200))
    heard = Wire(limits=Limits(max_head_bytes=2000)).play(dialogue.turns).end()
    assert heard.reasons == ["fields longer than 2000 bytes"]
    (exchange,) = heard.exchanges
    assert exchange.request.headers[1:] == tuple(long[-2:])


def test_where_all_keep_too_much_bodies_are_cut_and_nothing_stays() -> None:
    dialogue = Dialogue()
    for _ in range(20):
        number = dialogue.ask(request(b"PUT", b"/"), b"u" * 5000)
        dialogue.answer(number, response(200), b"d" * 5000, is_last=False)
    wire = Wire(room_bytes=60_000).play(dialogue.turns)
    assert wire.heard.most_bytes < 70_000
    heard = wire.end()
    assert heard.exchanges
    assert set(heard.reasons) == {"more is unfinished than may be kept"}
    assert len(heard.exchanges) + len(heard.reasons) == 20
    assert heard.kept_bytes == 0


def test_upload_that_is_more_than_may_be_kept_is_unparsed_and_the_next_is_read() -> None:
    dialogue = Dialogue()
    for size in (50_000, 10):
        dialogue.answer(dialogue.ask(request(b"PUT", b"/%d" % size), b"u" * size), response(200))
    heard = Wire(room_bytes=20_000).play(dialogue.turns, step=1448).end()
    assert heard.most_bytes < 22_000
    assert heard.reasons == ["the request is longer than may be kept"]
    assert [each.request.body for each in heard.exchanges] == [b"u" * 10]


def test_streams_beyond_the_bound_are_settled_the_oldest_first() -> None:
    dialogue = Dialogue()
    dialogue.ask(request(b"POST", b"/upload"), b"half", is_last=False)
    for at in range(1100):
        dialogue.ask(request(b"GET", b"/%d" % at))
    wire = Wire().play(dialogue.turns)
    assert len(wire.heard.exchanges) == 1100 - 1024
    assert [each.request.target for each in wire.heard.exchanges[:2]] == [b"/0", b"/1"]
    assert len(wire.heard.reasons) == 1
    assert len(wire.end().exchanges) == 1100


MALFORMED = {
    "no method": ([(b":path", b"/")], "a request without a method"),
    "no path": ([(b":method", b"GET")], "a request without a path"),
}


@pytest.mark.parametrize(("fields", "why"), MALFORMED.values(), ids=MALFORMED)
def test_request_that_is_none_is_unparsed_and_its_answer_goes_with_it(
    fields: list[tuple[bytes, bytes]], why: str
) -> None:
    dialogue = Dialogue()
    dialogue.answer(dialogue.ask(fields), response(400))
    heard = play(dialogue)
    assert (heard.exchanges, heard.reasons) == ([], [why])


@pytest.mark.parametrize("status", [b"", b"20", b"2000", b"abc", b"\xb2\xb2\xb2"])
def test_answer_without_a_status_is_unread_and_its_exchange_has_none(status: bytes) -> None:
    dialogue = Dialogue()
    number = dialogue.ask(request(b"GET", b"/"))
    dialogue.answer(number, [(b":status", status)] if status else [(b"x", b"y")], b"body")
    heard = play(dialogue)
    assert only(heard).response is None
    assert heard.unread_reasons == ["a response without a status"]
    assert heard.passed_bytes == len(b"body")


def test_upgraded_request_is_the_first_streams_and_is_answered_there() -> None:
    dialogue = Dialogue(upgrade=b"AAMAAABkAAQCAAAAAAIAAAAA")
    dialogue.answer(1, response(200), b"first")
    dialogue.answer(dialogue.ask(request(b"GET", b"/second")), response(200), b"second")
    wire = Wire()
    wire.say(
        CLIENT,
        b"GET /first HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nX: y\r\n\r\n",
    )
    asked_at = wire.time
    wire.say(SERVER, b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    heard = wire.play(dialogue.turns).end()
    switch, first, second = heard.by_index()
    assert (switch.request.version, answered(switch).status) == (b"HTTP/1.1", 101)
    assert (first.request.target, first.request.version, first.seen_at) == (b"/first", b"HTTP/2", asked_at)
    assert first.request.headers == ((b"Host", b"h"), (b"X", b"y"))
    assert answered(first).body == b"first"
    assert (second.request.target, answered(second).body) == (b"/second", b"second")
    assert heard.kept_bytes == 0


def test_http2_inside_a_tunnel_is_read() -> None:
    dialogue = Dialogue()
    dialogue.answer(dialogue.ask(request(b"GET", b"/inside")), response(200), b"x")
    wire = (
        Wire()
        .say(CLIENT, b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n")
        .say(SERVER, b"HTTP/1.1 200 OK\r\n\r\n")
    )
    connect, inside = wire.play(dialogue.turns).end().by_index()
    assert (connect.request.method, inside.request.target) == (b"CONNECT", b"/inside")


def test_proxy_header_before_the_preface_is_left_out() -> None:
    dialogue = Dialogue()
    dialogue.answer(dialogue.ask(request(b"GET", b"/x")), response(200))
    (side, text), *rest = dialogue.turns
    heard = Wire().play([(side, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + text), *rest]).end()
    assert only(heard).request.target == b"/x"


def conversation() -> Dialogue:
    """Something of everything."""
    dialogue = Dialogue(pushes=True)
    upload = dialogue.ask(request(b"POST", b"/upload", JSON), b"up" * 40, is_last=False)
    page = dialogue.ask(request(b"GET", b"/page", (b"cookie", b"a=1"), (b"cookie", b"b=2")))
    dialogue.answer(page, response(103, (b"link", b"</style>")), is_last=False)
    style = dialogue.push(page, request(b"GET", b"/style"))
    dialogue.answer(page, response(200, (b"x", b"long" * 300)), b"page" * 700, [(b"check", b"sum")])
    dialogue.data(CLIENT, upload, b"load", is_last=True)
    dialogue.flush(CLIENT)
    dialogue.answer(style, response(200), b"style")
    grpc = (b"content-type", b"application/grpc+proto")
    call = dialogue.ask(request(b"POST", b"/s.S/M", grpc), b"\0\0\0\0\3one\1\0\0\0\3two")
    dialogue.answer(call, response(200, grpc), b"\0\0\0\0\5three", [(b"grpc-status", b"0")])
    dialogue.answer(upload, response(204))
    return dialogue


def told(heard: Heard) -> list[tuple[object, ...]]:
    """All that does not depend on when segments were seen."""
    return [
        (each.index, each.request, each.response, each.protocol, [m[:2] for m in said(each)])
        for each in heard.by_index()
    ]


def said(exchange: Exchange) -> list[tuple[bool, bytes, str]]:
    return sorted((each.is_from_client, each.body, each.kind) for each in exchange.messages)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_any_slicing_gives_the_same_exchanges(steps: list[int]) -> None:
    turns = conversation().turns
    whole = Wire().play(turns).end()
    assert len(whole.exchanges) == 4
    wire = Wire()
    for at, (side, text) in enumerate(turns):
        wire.say(side, text, steps[at % len(steps)])
    heard = wire.end()
    assert told(heard) == told(whole)
    assert not heard.reasons
    assert heard.kept_bytes == 0


def test_every_byte_alone_gives_the_same_exchanges() -> None:
    turns = conversation().turns
    assert told(Wire().play(turns, step=1).end()) == told(Wire().play(turns).end())


BLOCKS = st.sampled_from(
    [b"\x82\x84\x86", b"\x88", b"\x82\x84\x86\x41\x01a", b"\x48\x03103", b"\xbe", b"\x80", b"\x20\x88", b""]
)
FRAMES = st.builds(
    frame,
    st.sampled_from([0, 0, 1, 1, 1, 3, 4, 5, 8, 9, 12]),
    st.sampled_from([0, 1, 4, 5, 8, 0x2D]),
    st.integers(0, 6),
    BLOCKS | st.binary(max_size=12),
)
STEPS = st.lists(
    st.tuples(st.integers(0, 1), FRAMES | st.binary(max_size=20) | st.integers(1, 30)), max_size=40
)


@settings(deadline=None)
@given(steps=STEPS, is_whole=st.booleans(), has_preface=st.booleans(), how=st.sampled_from(End))
def test_nothing_that_is_said_makes_it_raise_and_nothing_stays(
    steps: list[tuple[int, bytes | int]], is_whole: bool, has_preface: bool, how: End
) -> None:
    wire = Wire(is_whole=is_whole, limits=Limits(max_head_bytes=100, max_body_bytes=20))
    if has_preface:
        wire.say(CLIENT, PREFACE)
    for side, piece in steps:
        if isinstance(piece, bytes):
            wire.say(side, piece)
        else:
            wire.lose(side, piece)
    heard = wire.end(how)
    assert heard.kept_bytes == 0
    indexes = [each.index for each in heard.exchanges] + [each for each in heard.lost_indexes if each]
    assert len(indexes) == len(set(indexes)) == len(heard.begun)


@settings(max_examples=60, deadline=None)
@given(chances=st.lists(st.booleans(), max_size=60))
def test_order_in_which_the_sides_are_captured_changes_nothing(chances: list[bool]) -> None:
    """Each side's own order stays; which of them comes next is a matter of chance."""
    turns = conversation().turns
    rests = [[text for side, text in turns if side == each] for each in (CLIENT, SERVER)]
    wire = Wire()
    for chance in chances:
        if rests[chance]:
            wire.say(int(chance), rests[chance].pop(0))
    for side in (SERVER, CLIENT):
        wire.play((side, text) for text in rests[side])
    heard = wire.end()
    assert not heard.reasons
    assert _unordered(heard) == _unordered(Wire().play(turns).end())


def _unordered(heard: Heard) -> list[tuple[object, ...]]:
    return sorted((each[1:] for each in told(heard)), key=lambda each: str(each[0]))
