"""Mutants of DNS queries, as dnspython reads them."""

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutators import TALK_CATALOG, dice
from mutators._dns import query_of, talk_of
from shadow.model import Expect, Known, TalkEdit
from tests.mutators.talks import QUERIES, QUERY, edits_of, raw

BY_NAME = {each.name: each for each in TALK_CATALOG if each.of == ("dns",)}
KEYS = dns.tsigkeyring.from_text({"key.example.": "c2VjcmV0c2VjcmV0c2VjcmV0"})


def signed() -> bytes:
    query = dns.message.make_query("www.example.org", "A", id=3)
    query.use_tsig(KEYS, algorithm=dns.tsig.HMAC_SHA256)
    return query.to_wire()


def texts(name: str, *, of: bytes = QUERY, count: int = 40) -> list[bytes]:
    return [edit.messages[0].body for _, edit in edits_of(BY_NAME[name], raw("dns", of), count=count)]


UNREADABLE = (
    "dns_long_name",
    "dns_reserved_label",
    "dns_unfinished_name",
    "dns_compression_loop",
    "dns_wild_pointer",
    "dns_counts_too_many",
    "dns_two_opt_records",
    "dns_broken_option",
    "dns_lying_record",
    "dns_cut_message",
    "dns_cut_addition",
)


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_cannot_be_read_by_dnspython(name: str) -> None:
    made = texts(name)
    assert made
    for text in made:
        with pytest.raises((dns.exception.DNSException, ValueError)):
            dns.message.from_wire(text)


@pytest.mark.parametrize("name", ["dns_letter_case", "dns_unknown_option", "dns_ask_twice"])
@given(
    seed=st.integers(0, 10_000), host=st.from_regex(r"[a-z]{1,20}(\.[a-zA-Z0-9-]{1,10}){0,3}", fullmatch=True)
)
def test_the_same_is_asked_to_dnspython(name: str, seed: int, host: str) -> None:
    text = dns.message.make_query(host, "MX", use_edns=0, id=9).to_wire()
    edit = BY_NAME[name](talk_of(text), dice(seed, 0, name), Known())
    if edit is None:
        return
    before = dns.message.from_wire(text)
    for each in edit.messages:
        after = dns.message.from_wire(each.body)
        assert after.question == before.question
        assert (after.id, after.flags, after.payload) == (before.id, before.flags, before.payload)
        assert [one for one in after.options if one.otype < 65_001] == list(before.options)


@pytest.mark.parametrize("text", [QUERY + b"\0" * 40, signed()], ids=["bytes after the end", "two records"])
def test_what_is_cut_ends_within_its_last_record(text: bytes) -> None:
    query = query_of(text)
    assert query is not None
    last, start = query.records[-1], len(text) - len(query.rest)
    sizes = {len(each) for each in texts("dns_cut_addition", of=text)}
    assert len(sizes) > 1
    assert sizes <= set(range(start + last.start + 1, start + last.end))


def test_letter_case_is_changed() -> None:
    assert {text.lower() for text in texts("dns_letter_case")} == {QUERY.lower()}
    assert len(set(texts("dns_letter_case"))) > 10


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("dns_answer_for_query", lambda each: each.flags & dns.flags.QR),
        ("dns_unknown_opcode", lambda each: each.opcode() in (1, 3, 7, 8, 9, 14, 15)),
        ("dns_several_questions", lambda each: len(each.question) > 1),
        ("dns_other_edns_version", lambda each: each.edns > 0),
        ("dns_full_name", lambda each: len(each.question[0].name.to_wire()) in (254, 255)),
        ("dns_long_label", lambda each: len(each.question[0].name.labels[0]) in (1, 62, 63)),
        ("dns_without_edns", lambda each: each.edns < 0),
        ("dns_odd_cookie", lambda each: each.options[0].otype == dns.edns.COOKIE),
        ("dns_meta_type", lambda each: dns.rdatatype.is_metatype(each.question[0].rdtype)),
        ("dns_ask_server_version", lambda each: each.question[0].rdclass == 3),
    ],
)
def test_what_is_odd_is_what_it_says_and_nothing_else(name: str, reads: object) -> None:
    made = texts(name)
    assert made
    for text in made:
        if name == "dns_odd_cookie" and not _is_readable(text):
            continue  # dnspython reads none of a length that is none
        message = dns.message.from_wire(text, ignore_trailing=True)
        assert reads(message)  # type: ignore[operator]  # a reader of messages
        assert message.id == 0x1234


def test_a_signed_query_loses_its_signature_alone() -> None:
    made = texts("dns_flip_signature", of=signed())
    assert made
    for text in made:
        with pytest.raises(dns.tsig.BadSignature):
            dns.message.from_wire(text, keyring=KEYS)
    for each in BY_NAME.values():
        if each.expect is Expect.SAME:
            assert edits_of(each, raw("dns", signed())) == []


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_the_id_stays_so_that_the_answer_is_known(name: str) -> None:
    for talk, edit in edits_of(BY_NAME[name], *QUERIES):
        for each in _asked(edit):
            assert talk.messages[0].body.startswith(each[:2])


@given(st.binary(max_size=80))
def test_parts_put_together_are_the_query_again(text: bytes) -> None:
    for each in (text, QUERY[: len(text)], QUERY + text):
        found = query_of(each)
        assert found is None or found.text == each


def _is_readable(text: bytes) -> bool:
    try:
        dns.message.from_wire(text)
    except (dns.exception.DNSException, ValueError):
        return False
    return True


def _asked(edit: TalkEdit) -> list[bytes]:
    return [each.body for each in edit.messages if each.is_from_client]
