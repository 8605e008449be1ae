"""What every mutator of conversations must keep to, and what other people's readers make of its mutants."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutators import CATALOG, SESSION_CATALOG, TALK_CATALOG, AnyMutator, TalkMutator, lifted, talk_mutator
from mutators._talk import MAX_BYTES, spoken
from shadow.model import (
    CONVERSATIONS,
    FRAMES,
    Ending,
    Exchange,
    Expect,
    Known,
    Level,
    Request,
    TalkEdit,
)
from tests.mutators.talks import CHATS, KNOWN, TALKS, chat, edits_of, heard, raw, talks, wire
from tests.mutators.test_mutators_dns import signed

LIFTED = lifted(CATALOG)
EVERY = (*TALK_CATALOG, *LIFTED)
BY_NAME = {each.name: each for each in TALK_CATALOG}
own = pytest.mark.parametrize("one", TALK_CATALOG, ids=lambda each: each.name)


def keeps_its_contract(one: TalkMutator, talk: Exchange, seed: int) -> None:
    edit = one(talk, Random(seed), KNOWN)
    assert edit == one(talk, Random(seed), KNOWN), "the same dice must give the same mutant"
    if edit is None:
        return
    assert talk.protocol in one.of
    assert edit.what
    unlike = (edit.messages, edit.request or talk.request, edit.ending)
    assert unlike != (talk.messages, talk.request, Ending.READ), "an edit must change something"
    assert sum(len(each.body) for each in edit.messages if each.is_from_client) < MAX_BYTES * 5
    assert edit.pause_seconds * len(edit.messages) <= 5
    if talk.protocol != "websocket":
        assert edit.request is None
        assert not any(each.kind for each in edit.messages)
    if talk.protocol in ("udp", "dns"):
        assert edit.ending is Ending.READ
        assert all(len(each.body) <= 65_507 for each in edit.messages if each.is_from_client)


@own
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(talk=talks(), seed=st.integers(0, 2**32))
def test_every_mutator_keeps_its_contract(one: TalkMutator, talk: Exchange, seed: int) -> None:
    keeps_its_contract(one, talk, seed)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(talk=talks(), seed=st.integers(0, 2**32))
def test_lifted_mutators_keep_it_too(talk: Exchange, seed: int) -> None:
    for one in LIFTED:
        keeps_its_contract(one, talk, seed)


@own
def test_every_mutator_finds_something_to_edit(one: TalkMutator) -> None:
    assert edits_of(one, *TALKS, raw("dns", signed())), "a mutator that never applies is dead"


@own
def test_every_mutator_states_its_reason_and_its_source(one: TalkMutator) -> None:
    assert len(one.reason) > 40
    if one.expect is not Expect.SURVIVE:
        assert "RFC" in one.reason
    assert set(one.of) <= CONVERSATIONS


def test_what_edits_calls_of_grpc_alone_is_not_lifted() -> None:
    over = {one.name for one in CATALOG if one.over}
    assert over
    assert not over & {one.name for one in LIFTED}


def test_names_are_those_of_no_other_mutator() -> None:
    every: tuple[AnyMutator, ...] = (*CATALOG, *SESSION_CATALOG, *TALK_CATALOG)
    names = [each.name for each in every]
    assert len(names) == len(set(names))


@own
def test_an_empty_conversation_raises_nothing(one: TalkMutator) -> None:
    for protocol in CONVERSATIONS:
        for seed in range(5):
            one(Exchange(0, "t", "s", 0.0, Request(b"", b""), protocol=protocol), Random(seed), Known())


SAME_FRAMES = [each for each in TALK_CATALOG if each.of == ("websocket",) and each.expect is Expect.SAME]


@pytest.mark.parametrize("one", SAME_FRAMES, ids=lambda each: each.name)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(talk=talks(), seed=st.integers(0, 2**32))
def test_a_same_mutant_is_the_same_messages_to_wsproto(one: TalkMutator, talk: Exchange, seed: int) -> None:
    edit = one(talk, Random(seed), Known())
    if edit is None:
        return
    said = [(each.kind, each.body) for each in (talk.messages[at] for at in spoken(talk))]
    closed = next((at for at, each in enumerate(talk.messages) if each.kind == "close"), None)
    if closed is None:
        assert heard(wire(edit.messages)) == (said, "")


FAULTS = [each for each in TALK_CATALOG if each.of == ("websocket",) and each.expect is Expect.REJECT]


@pytest.mark.parametrize(
    "one", [each for each in FAULTS if not each.name.startswith("handshake")], ids=lambda each: each.name
)
def test_a_rejected_mutant_fails_the_connection_at_wsproto(one: TalkMutator) -> None:
    for _, edit in edits_of(one, *CHATS):
        if one.name == "send_unmasked":
            assert edit.messages[-1].body[1] & 0x80 == 0
        elif one.name == "close_with_no_code":
            assert int.from_bytes(
                bytes(a ^ b for a, b in zip(edit.messages[-1].body[6:8], b"\x37\xfa", strict=True))
            ) not in range(3000, 5000)
        else:
            assert heard(wire(edit.messages))[1], edit.what


@pytest.mark.parametrize(
    "name",
    ["say_much", "many_tiny_frames", "flood_with_pings", "say_nothing", "swap_kind", "unfinished_message"],
)
def test_what_must_be_survived_breaks_no_rule_of_framing(name: str) -> None:
    for _, edit in edits_of(BY_NAME[name], *CHATS):
        assert heard(wire(edit.messages))[1] == ""


@pytest.mark.parametrize("name", ["say_bytewise", "split_message"])
def test_segments_put_together_are_what_was_said(name: str) -> None:
    for talk, edit in edits_of(BY_NAME[name]):
        assert wire_bytes(edit) == b"".join(each.body for each in talk.messages if each.is_from_client)
        assert len(edit.messages) > len(talk.messages)


def wire_bytes(edit: TalkEdit) -> bytes:
    return b"".join(each.body for each in edit.messages if each.is_from_client)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("drop_message", {b"ac", b"ab", b"bc"}),
        ("swap_messages", {b"bac", b"acb"}),
        ("cut_short", {b"a", b"ab"}),
        ("start_in_middle", {b"bc", b"c"}),
        ("say_all_at_once", {b"abc"}),
        ("reorder_messages", {b"acb", b"bac", b"bca", b"cab", b"cba"}),
    ],
)
def test_orders_are_those_named(name: str, expected: set[bytes]) -> None:
    talk = raw("tcp", b"a", b"1", b"b", b"2", b"c", b"3")
    made = edits_of(BY_NAME[name], talk, count=60)
    assert {wire_bytes(edit) for _, edit in made} == expected


def test_each_message_keeps_the_answer_that_is_waited_for() -> None:
    talk = raw("tcp", b"a", b"1", b"b", b"2")
    (_, edit), *_ = edits_of(BY_NAME["swap_messages"], talk)
    assert [each.body for each in edit.messages] == [b"b", b"2", b"a", b"1"]


def test_spliced_conversations_are_of_one_protocol() -> None:
    for talk, edit in edits_of(BY_NAME["splice_conversations"]):
        theirs = next(each for each in KNOWN.others if each.protocol == talk.protocol)
        assert edit.messages[-1] in theirs.messages


def test_lifted_mutators_edit_a_message_and_leave_the_rest() -> None:
    talk = CHATS[0]
    for one in LIFTED:
        for _, edit in edits_of(one, talk, count=3):
            changed = [at for at, each in enumerate(edit.messages) if each != talk.messages[at]]
            assert len(changed) == 1
            assert talk.messages[changed[0]].is_from_client
            edit.messages[changed[0]].body.decode()  # a text stays UTF-8
            assert one.expect in (Expect.SAME, Expect.SURVIVE)


def test_lines_of_json_are_edited_within_their_line() -> None:
    one = next(each for each in LIFTED if each.name == "space_json")
    made = edits_of(one, raw("tcp", b'{"a":1,"b":2}\r\n', b"{}\r\n"), count=40)
    assert made
    for _, edit in made:
        assert edit.messages[0].body.endswith(b"\r\n")
        assert edit.messages[0].body.count(b"\n") == 1


@pytest.mark.parametrize(
    "talk",
    [chat('{"a":1}', '{"a":1}'), chat('{"a":1}', "no json"), raw("udp", b'{"a":1}')],
    ids=["an echo", "an answer of another kind", "no answer"],
)
def test_what_may_not_be_parsed_has_no_mutant_of_the_same_meaning(talk: Exchange) -> None:
    for one in LIFTED:
        if one.expect is Expect.SAME:
            assert edits_of(one, talk, count=3) == []


def test_a_mutator_of_a_third_party_takes_ten_lines() -> None:
    @talk_mutator("tcp", level=Level.BYTES, expect=Expect.SURVIVE)
    def shout(talk: Exchange, rng: Random) -> TalkEdit | None:
        """Capitals are other commands to some, and none to others (CWE-178)."""
        places = spoken(talk)
        if not places:
            return None
        at = rng.choice(places)
        said = talk.messages[at]
        loud = type(said)(True, said.body.upper(), said.seen_at)
        return TalkEdit((*talk.messages[:at], loud, *talk.messages[at + 1 :]), "said in capitals")

    ((_, edit),) = edits_of(shout, raw("tcp", b"quit\n"), count=1)
    assert edit.messages[0].body == b"QUIT\n"
    assert edits_of(shout, CHATS[0]) == []


def test_compression_is_left_out_only_where_it_was_offered() -> None:
    one = BY_NAME["send_uncompressed"]
    assert edits_of(one, chat("a", "b"))
    assert not edits_of(one, chat("a", "b", compresses=False))
    assert all(edit.messages[0].kind == FRAMES for _, edit in edits_of(one, chat("a", "b")))
