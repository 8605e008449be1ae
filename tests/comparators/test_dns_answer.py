"""DNS answers compared, with dnspython as the writer that knows the standard without us."""

from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparators import compare_talks
from shadow.model import NO_RESPONSE, Message, Reply

AA = dns.flags.AA


def answer(
    *records: str,
    section: str = "answer",
    flags: int = AA,
    ttl: int = 60,
    code: str = "NOERROR",
    **options: Any,
) -> Reply:
    """An answer about www.example whose records are given as ``"NAME TYPE DATA"``."""
    asked = dns.message.make_query("www.example", "A", id=options.pop("ident", 7))
    made = dns.message.make_response(asked, **options)
    made.flags |= flags
    made.set_rcode(dns.rcode.from_text(code))
    for record in records:
        name, kind, data = record.split(" ", 2)
        getattr(made, section).append(dns.rrset.from_text(name, ttl, "IN", kind, data))
    return heard(made.to_wire())


def heard(*texts: bytes) -> Reply:
    messages = tuple(Message(False, text, 1.0) for text in texts)
    return Reply(NO_RESPONSE, protocol="dns", messages=messages)


ONE, TWO = "www.example. A 192.0.2.1", "www.example. A 192.0.2.2"


@pytest.mark.parametrize(
    ("control", "other", "expected"),
    [
        pytest.param(answer(ONE), answer(ONE, ident=9), [], id="another id"),
        pytest.param(answer(ONE, TWO), answer(TWO, ONE), [], id="another order"),
        pytest.param(answer(ONE), answer("WWW.example. A 192.0.2.1"), [], id="letter case"),
        pytest.param(answer(ONE), answer(TWO), ["dns:answer.A value"], id="another address"),
        pytest.param(answer(ONE, TWO), answer(ONE), ["dns:answer.A value"], id="one less"),
        pytest.param(answer(ONE), answer(), ["dns:answer.A missing"], id="none"),
        pytest.param(answer(), answer(ONE), ["dns:answer.A added"], id="some"),
        pytest.param(
            answer("www.example. TXT a"),
            answer("www.example. TXT A"),
            ["dns:answer.TXT value"],
            id="text case",
        ),
        pytest.param(answer(ONE), answer(ONE, ttl=5), ["dns:answer.ttl value"], id="ttl with authority"),
        pytest.param(answer(ONE, flags=0), answer(ONE, flags=0, ttl=5), [], id="ttl of a cache"),
        pytest.param(answer(ONE), answer(ONE, flags=0), ["dns:flags value"], id="authority lost"),
        pytest.param(answer(ONE), answer(code="NXDOMAIN"), ["dns:rcode value"], id="another code"),
        pytest.param(
            answer(ONE, section="additional"), answer(), ["dns:additional.A missing"], id="another section"
        ),
        pytest.param(answer(ONE), answer(flags=AA | dns.flags.TC), [], id="cut"),
    ],
)
def test_differences_of_dns_answers(control: Reply, other: Reply, expected: list[str]) -> None:
    assert [f"{each.where} {each.change}" for each in compare_talks(control, other)] == expected


def test_what_is_no_dns_differs_from_what_is() -> None:
    assert [each.where for each in compare_talks(answer(ONE), heard(b"x"))] == ["dns:rcode"]
    assert compare_talks(heard(b"x"), heard(b"y")) == ()


def test_records_of_a_transfer_are_one_set_however_they_are_cut_into_messages() -> None:
    both, first, second = answer(ONE, TWO), answer(ONE), answer(TWO)
    cut = heard(first.messages[0].body, second.messages[0].body)
    assert compare_talks(both, cut) == ()


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_are_compared(left: bytes, right: bytes) -> None:
    header = b"\x00\x07\x84\x00\x00\x00\x00\x02\x00\x01\x00\x01"
    assert compare_talks(heard(header + left), heard(header + left)) == ()
    compare_talks(heard(header + left), heard(header + right))
