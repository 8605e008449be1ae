"""Mutants of conversations dealt, judged, confirmed and reported, over transports without a network."""

import json
from base64 import b64decode
from collections.abc import Callable
from random import Random

import dns.message
import pytest

from mutators import TALK_CATALOG, TalkMutator, talk_mutator
from mutators._talk import spoken, with_message
from shadow.model import (
    STILL_THERE,
    Exchange,
    Expect,
    Judged,
    Level,
    Message,
    NoReply,
    Parcel,
    Reply,
    Response,
    Silence,
    TalkEdit,
    Verdict,
)
from shadow.pipeline.retelling import asking_after
from shadow.pipeline.talk_trials import opening
from shadow.replay import Sending
from shadow.replay.fake import Answer
from tests.pipeline.test_pipeline_talks import Bench, always, saying, seen

type Answering = Callable[[Sending], Answer]


@talk_mutator("tcp", "websocket", "dns", level=Level.BODY, expect=Expect.SURVIVE)
def shout(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Capitals."""
    at = spoken(talk)[0]
    said = talk.messages[at]
    return TalkEdit(with_message(talk, at, Message(True, said.body.upper(), said.seen_at, said.kind)), "loud")


@talk_mutator("tcp", level=Level.NETWORK, expect=Expect.SAME)
def pause(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The same, in two pieces."""
    at = spoken(talk)[0]
    said = talk.messages[at]
    pieces = [Message(True, each, said.seen_at) for each in (said.body[:1], said.body[1:])]
    return TalkEdit(with_message(talk, at, *pieces), "in two pieces")


def named(name: str) -> TalkMutator:
    return next(each for each in TALK_CATALOG if each.name == name)


def asked(sending: Sending) -> bytes:
    return b"".join(each.body for each in sending.messages if each.is_from_client)


def is_loud(sending: Sending) -> bool:
    return sending.manner is not None and asked(sending) == b"ONE"


def echo(sending: Sending) -> Reply:
    return saying(asked(sending).lower())


def odd_when_loud(sending: Sending) -> Reply:
    return saying(b"odd") if is_loud(sending) else echo(sending)


ONE = seen("tcp", b"one", b"one")


async def test_mutant_is_said_after_the_original_and_a_control() -> None:
    bench = Bench(echo, echo, mutators=(shout,))
    await bench.conduct(ONE)
    assert bench.parcels[::2] == [Parcel.ORIGINAL, Parcel.REPEAT, Parcel.MUTANT, Parcel.PROBE]
    original, control, mutant, _ = bench.transports["candidate"].sent
    assert (original.manner, original.messages) == (None, control.messages)
    assert (mutant.manner, asked(mutant)) == (control.manner, b"ONE")
    assert (bench.verdicts, bench.findings) == ([Verdict.PASSED] * 2, [])


async def test_answer_that_only_the_candidate_gives_is_confirmed_and_reported() -> None:
    bench = Bench(odd_when_loud, echo, mutators=(shout,))
    await bench.conduct(ONE, seen("tcp", b"one", b"one", index=1))
    (found,) = bench.findings
    assert (found.fault, found.mutator, found.kind) == ("mutation-regression", "shout", "mutant")
    assert (found.confirmed, found.edits, found.count) == ("3/3", ("loud",), 2)
    assert found.endpoint == "TCP :7000"
    assert "printf %s $'ONE' >&3" in found.reproduce["shell"]
    assert bench.parcels.count(Parcel.CONFIRMATION) == 3 * 2 * 2


async def test_suspicion_that_does_not_last_is_not_reported() -> None:
    answers = iter([saying(b"odd")])
    bench = Bench(
        lambda each: next(answers, echo(each)) if is_loud(each) else echo(each), echo, mutators=(shout,)
    )
    await bench.conduct(ONE)
    assert (bench.verdicts, bench.findings) == ([Verdict.PASSED, Verdict.UNDECIDED], [])


async def test_what_live_does_as_well_is_no_finding() -> None:
    bench = Bench(odd_when_loud, odd_when_loud, mutators=(shout, pause))
    await bench.conduct(ONE)
    assert bench.findings == []


async def test_same_mutant_answered_otherwise_is_a_finding() -> None:
    def torn(sending: Sending) -> Reply:
        mine = [each for each in sending.messages if each.is_from_client]
        return saying(mine[0].body)

    bench = Bench(torn, echo, mutators=(pause,))
    await bench.conduct(ONE)
    assert [each.fault for each in bench.findings] == ["metamorphic"]


async def test_what_differs_each_time_is_not_held_against_a_mutant() -> None:
    count = iter(range(1000))

    def counting(_: Sending) -> Reply:
        return saying(b'{"n": %d}' % next(count))

    bench = Bench(counting, counting, mutators=(pause,))
    await bench.conduct(seen("tcp", b"one", b'{"n": 0}'))
    assert bench.findings == []


async def test_service_that_is_unwell_afterwards_is_blamed_on_the_mutant() -> None:
    heard: list[bytes] = []

    def fragile(sending: Sending) -> Answer:
        heard.append(asked(sending))
        return NoReply(Silence.TIMED_OUT) if b"ONE" in heard else echo(sending)

    bench = Bench(fragile, echo, mutators=(shout,))
    await bench.conduct(ONE)
    assert {each.fault for each in bench.findings} >= {"unhealthy"}
    assert {each.mutator for each in bench.findings} == {"shout"}


QUERY = dns.message.make_query("a.example", "A")
ANSWER = dns.message.make_response(QUERY).to_wire()


def dns_server(sending: Sending) -> Reply:
    code = 0 if asked(sending) == QUERY.to_wire() else 1
    return saying(ANSWER[:3] + bytes((ANSWER[3] & 0xF0 | code,)) + ANSWER[4:], protocol="dns")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.SURVIVE)
def update(talk: Exchange, rng: Random) -> TalkEdit | None:
    """The opcode of RFC 2136."""
    body = talk.messages[0].body
    return TalkEdit((Message(True, body[:2] + b"\x28" + body[3:], 0.0), *talk.messages[1:]), "an update")


@pytest.mark.parametrize(
    ("one", "mutator", "is_said"),
    [
        (ONE, shout, False),
        (seen("websocket", b"hi", b"ok"), shout, False),
        (seen("websocket", b"hi", b"ok"), named("handshake_of_other_version"), True),
        (seen("dns", QUERY.to_wire(), ANSWER), named("dns_compression_loop"), True),
        (seen("dns", QUERY.to_wire(), ANSWER), update, False),
    ],
    ids=["tcp", "websocket", "a handshake alone", "a query", "a query made an update"],
)
async def test_without_leave_to_write_only_what_reads_is_said(
    one: Exchange, mutator: TalkMutator, is_said: bool
) -> None:
    reply = dns_server if one.protocol == "dns" else always(saying(b"ok", protocol=one.protocol))
    bench = Bench(reply, may_write=False, mutators=(mutator,), seed=4)
    await bench.conduct(one)
    assert (Parcel.MUTANT in bench.parcels) is is_said


async def test_accepted_handshake_that_must_be_refused_is_a_finding() -> None:
    pong = Message(False, STILL_THERE, 0.0, "pong")

    def lax(sending: Sending) -> Reply:
        return Reply(Response(101), protocol="websocket", messages=(Message(False, b"ok", 0.0, "text"), pong))

    def strict(sending: Sending) -> Reply:
        version = dict(sending.request.headers).get(b"Sec-WebSocket-Version", b"13")
        return lax(sending) if version == b"13" else saying(protocol="websocket", response=Response(426))

    bench = Bench(lax, strict, mutators=(named("handshake_of_other_version"),))
    await bench.conduct(seen("websocket", b"hi", b"ok"))
    (found,) = bench.findings
    assert (found.fault, found.endpoint) == ("validation", "WS /chat")
    assert b"Sec-WebSocket-Version: " in b64decode(found.reproduce["raw_base64"])


async def test_ids_that_the_server_gives_are_said_by_mutants_too() -> None:
    """The mutant is made anew of what is to be said now, in whatever form."""
    heard: list[str] = []

    def server(sending: Sending) -> Reply:
        name = f"shadow-{len(heard) + 1000:04d}"
        greeting = Message(False, json.dumps({"type": "hi", "session_id": name}).encode(), 0.0, "text")
        wording = sending.wording
        assert wording is not None
        for each in sending.messages:
            if each.is_from_client and each.kind == "text":
                heard.append(wording(each, (greeting,)).body.decode() + name)
            elif each.is_from_client:
                wording(each, (greeting,))
        return Reply(Response(101), protocol="websocket", messages=(greeting,))

    said = (
        Message(False, b'{"type": "hi", "session_id": "live-0001-abcdef"}', 100.0, "text"),
        Message(True, b'{"op": "join", "session_id": "live-0001-abcdef"}', 100.1, "text"),
    )
    one = seen("websocket")
    bench = Bench(server, mutators=(turn_round,))
    await bench.conduct(Exchange(0, "t", "s", 100.0, one.request, one.response, 0.1, "l", "websocket", said))
    mutant = next(each for each in heard if each.startswith('{"session_id"'))
    assert "live-0001" not in mutant
    assert mutant.count(mutant[-11:]) == 2, heard


@talk_mutator("websocket", level=Level.BODY, expect=Expect.SAME)
def turn_round(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Members the other way round."""
    at = spoken(talk)[0]
    value = json.loads(talk.messages[at].body)
    body = json.dumps(dict(reversed(value.items()))).encode()
    return TalkEdit(with_message(talk, at, Message(True, body, 100.1, "text")), "turned round")


def test_long_conversation_is_mutated_in_its_beginning() -> None:
    assert opening(ONE) is ONE
    assert len(opening(seen("tcp", *[b"x"] * 200)).messages) == 60
    assert len(opening(seen("tcp", b"a", b"b", b"x" * 200_000)).messages) == 2


def test_server_is_asked_before_the_goodbye() -> None:
    close = Message(True, b"\x03\xe8", 5.0, "close")
    text = Message(True, b"hi", 4.0, "text")
    kinds = [each.kind for each in asking_after((text, close), "websocket")]
    assert kinds == ["text", "ping", "pong", "close"]
    assert [each.kind for each in asking_after((), "websocket")] == ["ping", "pong"]
    assert asking_after((text,), "tcp") == (text,)


async def test_each_trial_is_told() -> None:
    bench = Bench(echo, echo, mutators=(shout, pause))
    await bench.conduct(ONE)
    trials = [each.trial for each in bench.heard if isinstance(each, Judged)]
    assert {(each.mutator, each.expect) for each in trials} == {
        (None, None),
        ("shout", Expect.SURVIVE),
        ("pause", Expect.SAME),
    }
