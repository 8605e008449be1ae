"""DNS in real captures, where the folder of them exists: what tshark found in them is found here too.

tshark is a witness, not the truth. Where the two differ, EXPLAINED says what is really there.
"""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from shadow.model import Exchange, Settled
from shadow.taps.files import Recording
from shadow.wire.dns_message import parse
from shadow.wire.protocols import Spoken
from tests.taps.test_taps_captures import CAPTURES, TABLES, _cell, _short

NAMED: dict[int, Spoken] = {8053: "dns"}
"""A port at which one capture speaks DNS."""

type Seen = Counter[tuple[int, bool]]
"""Messages: id, and whether each is an answer."""


class Count(NamedTuple):
    """Messages in exchanges, and how many more are unparsed."""

    messages: int
    unparsed: int = 0


_ORPHAN = "answers whose queries are not in the capture"
_MALFORMED = "messages that end inside their question, or whose question is none"

EXPLAINED: dict[str, tuple[Count, str]] = {
    "arkime__arkime_synthetic": (
        Count(41, 3),
        _ORPHAN + "; tunnels are known by the port that is sent to, tshark takes the other as well",
    ),
    "PcapPlusPlus__DNS_NXDomain": (Count(0, 1), _ORPHAN),
    "PcapPlusPlus__Dns": (Count(0, 1), _ORPHAN),
    "PcapPlusPlus__Dns4": (Count(0, 1), _ORPHAN),
    "PcapPlusPlus__DnsEdit7": (Count(0, 1), _ORPHAN),
    "PcapPlusPlus__DnsTooManyResources": (Count(0, 1), _MALFORMED),
    "PcapPlusPlus__dns_over_tcp": (Count(2, 1), _ORPHAN),
    "PcapPlusPlus__dns_stack_overflow": (Count(0, 1), _MALFORMED),
    "tcpdump__dns-badlabel": (Count(0, 1), _MALFORMED),
    "tcpdump__dns_fwdptr": (Count(0, 1), _MALFORMED),
    "tcpdump__dns_udp_2": (Count(1), "the answer is longer than what was captured of it"),
    "zeek__dns-edns-ecs": (Count(35, 50), _ORPHAN),
    "zeek__dns-edns-ecs-bad": (Count(0, 4), _ORPHAN),
    "zeek__dns-huge-ttl": (Count(0, 1), _ORPHAN),
    "zeek__dns-svcb-rdlength-mismatch": (Count(0, 1), _ORPHAN),
    "zeek__dns-two-responses": (Count(2, 1), "a second answer to one query"),
    "zeek__dns53": (Count(0, 1), _ORPHAN),
    "zeek__dns-edns-bad-length": (Count(0, 1), _ORPHAN),
    "zeek__dns-invalid-names": (Count(0, 3), _MALFORMED),
    "zeek__dns_notify2": (Count(3, 1), _ORPHAN),
    "zeek__loc-invalid-length": (Count(0, 1), _ORPHAN),
    "zeek__max-compression-depth": (Count(0, 1), _ORPHAN),
    "zeek__geneve-vxlan-dns-truncated": (
        Count(0, 1),
        "query and answer are longer than what was captured of them",
    ),
}
MORE: dict[str, tuple[Count, str] | None] = {
    "PcapPlusPlus__Tests__Packet++Test__PacketExamples__Dns.pcap": (Count(2, 1), _ORPHAN),
    "PcapPlusPlus__Tests__Packet++Test__PacketExamples__GrePackets.pcap": (Count(0, 1), _ORPHAN),
    "PcapPlusPlus__Tests__Packet++Test__PacketExamples__NullLoopback.pcap": (Count(0), "no address family"),
    "PcapPlusPlus__Tests__Packet++Test__PacketExamples__SomeIpSd.pcapng": (
        Count(0),
        "SOME/IP, which tshark takes for DNS",
    ),
    "PcapPlusPlus__Tests__Packet++Test__PacketExamples__gtp.pcap": (
        Count(0),
        "GTP is known here by the port that it is sent to, not from",
    ),
    "PcapPlusPlus__Tests__Pcap++Test__PcapExamples__DnsPackets.pcap": (
        Count(459, 5),
        "announcements by multicast that nobody asked for",
    ),
    "PcapPlusPlus__Tests__Pcap++Test__PcapExamples__ip6_fragments.pcap": None,
    "PcapPlusPlus__Tests__Pcap++Test__PcapExamples__linktype_ipv4.pcap": None,
    "PcapPlusPlus__Tests__Pcap++Test__PcapExamples__many_interfaces-1.pcapng": None,
    "PcapPlusPlus__Tests__Pcap++Test__PcapExamples__null_loopback.pcap": (Count(0), "no address family"),
    "PcapPlusPlus__Tests__Pcap++Test__PcapExamples__too_many_interfaces.pcapng": None,
    "zeek__testing__btest__Traces__erspan.pcap": None,
    "zeek__testing__btest__Traces__pcapng-multi-interface.pcapng": None,
    "zeek__testing__btest__Traces__tunnels__gre-pptp.pcap": None,
    "zeek__testing__btest__Traces__tunnels__gre-sample.pcap": (
        Count(2),
        "tshark reads what ICMP quotes of two queries, too",
    ),
    "zeek__testing__btest__Traces__tunnels__vxlan-triple-v2.pcap": None,
    "zeek__testing__btest__Traces__var-services-std-ports.pcap": None,
    "zeek__testing__btest__Traces__wikipedia.pcap": (Count(39, 1), "an announcement by multicast"),
}
"""Captures with DNS of which there is no table, or with multicast DNS and LLMNR, which are in no table."""


def _rows(table: Path) -> Iterator[dict[str, str]]:
    head, *lines = table.read_text("utf-8", "replace").split("\n")
    for line in lines:
        row = dict(zip(head.split("\t"), line.split("\t"), strict=False))
        if row.get("dns.id"):
            yield row


NAMES = sorted(
    {table.name.removesuffix(".tsv").removesuffix(".ooo") for table in TABLES if any(_rows(table))}
)


def _recorded(path: Path) -> tuple[list[Exchange], int]:
    """The DNS exchanges, and how many more messages could not be parsed."""
    items = list(Recording([path], protocols=NAMED))
    unparsed = sum(each.count for each in items if isinstance(each, Settled) and "DNS" in each.why)
    return [each for each in items if isinstance(each, Exchange) and each.protocol == "dns"], unparsed


def _messages(exchanges: list[Exchange]) -> Seen:
    parsed = [parse(message.body) for each in exchanges for message in each.messages]
    return Counter((each.id, each.is_answer) for each in parsed if not isinstance(each, str))


def _is_unicast(exchange: Exchange) -> bool:
    return not exchange.live.endswith((":5353", ":5355"))


@pytest.mark.parametrize("name", NAMES)
def test_capture_holds_what_the_witness_saw_or_what_is_explained(name: str) -> None:
    exchanges, unparsed = _recorded(CAPTURES / name)
    found = _messages([each for each in exchanges if _is_unicast(each)])
    explained = EXPLAINED.get(_short(name))
    if explained is not None:
        assert Count(found.total(), unparsed) == explained[0], explained[1]
        return
    seen: Seen = Counter()
    for row in _rows(CAPTURES / "truth" / f"{name}.tsv"):
        pairs = zip(_cell(row, "dns.id"), _cell(row, "dns.flags.response"), strict=True)
        seen.update((int(ident, 16), is_answer == "1") for ident, is_answer in pairs)
    assert found == seen


@pytest.mark.parametrize("name", [name for name in NAMES if _short(name) not in EXPLAINED])
def test_questions_and_codes_are_those_that_the_witness_read(name: str) -> None:
    questions: Counter[tuple[str, str]] = Counter()
    codes: Counter[int] = Counter()
    for exchange in filter(_is_unicast, _recorded(CAPTURES / name)[0]):
        for each in exchange.messages:
            message = parse(each.body)
            assert not isinstance(message, str)
            questions.update((asked.name, str(asked.kind)) for asked in message.questions)
            codes.update([message.flags & 15] if message.is_answer else [])
    seen: Counter[tuple[str, str]] = Counter()
    seen_codes: Counter[int] = Counter()
    for row in _rows(CAPTURES / "truth" / f"{name}.tsv"):
        names = (_plain(each) for each in _cell(row, "dns.qry.name"))
        seen.update(zip(names, _cell(row, "dns.qry.type"), strict=True))
        seen_codes.update(map(int, _cell(row, "dns.flags.rcode")))
    assert questions == seen
    assert codes == seen_codes


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.skipif(not TABLES, reason="the captures are not here")
@pytest.mark.parametrize("name", MORE)
def test_capture_without_a_table_holds_what_the_witness_says(name: str) -> None:
    (path,) = CAPTURES.glob(f"*__{name}")
    exchanges, unparsed = _recorded(path)
    explained = MORE[name]
    if explained is not None:
        assert Count(_messages(exchanges).total(), unparsed) == explained[0], explained[1]
    else:
        assert _messages(exchanges) == _asked(path)


@pytest.mark.skipif(not NAMES, reason="the captures are not here")
def test_every_explanation_is_of_a_capture_that_exists() -> None:
    assert set(EXPLAINED) <= {_short(name) for name in NAMES}


def _plain(name: str) -> str:
    return "." if name == "<Root>" else name


def _asked(path: Path) -> Seen:
    """What tshark says when it is asked."""
    fields = ["-E", "occurrence=a", "-E", "aggregator=|", "-e", "dns.id", "-e", "dns.flags.response"]
    said = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-Y", "dns || mdns || llmnr", "-T", "fields", *fields],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    seen: Seen = Counter()
    for line in said.stdout.splitlines():
        idents, answers = line.split("\t")
        pairs = zip(idents.split("|"), answers.split("|"), strict=True)
        seen.update((int(ident, 16), answer in ("1", "True")) for ident, answer in pairs)
    return seen
