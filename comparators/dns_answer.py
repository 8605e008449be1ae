"""DNS answers (RFC 1035), parsed: how it went, flags, and the records of each section as a set."""

from collections.abc import Iterator

import msgspec

from comparators._conversation import talk_comparator
from shadow.model import Change, Difference, Message, Reply
from shadow.wire.dns_message import DnsMessage, parse
from shadow.wire.dns_records import Record, code_name, flag_names, sections

_SECTIONS = ("answer", "authority", "additional")
_OPAQUE = frozenset({"OPT", "TSIG"})
"""Records that are about the transport, of which only their presence counts: cookies, sizes, signatures."""
_SIGNATURE = "RRSIG"
_COVERED_HEX = 4
"""Of a signature, made anew all the time, the type that it covers counts (RFC 4034 §3.1.1)."""
_NAMES = frozenset({"NS", "CNAME", "PTR", "MX", "SRV", "SOA", "DNAME"})
"""Records whose data hold names, which are one in any letter case (RFC 4343)."""
_MAX_SHOWN = 40


class Answer(msgspec.Struct, frozen=True):
    """One answer, of all its messages: a zone transfer takes many."""

    code: str
    flags: tuple[str, ...]
    is_cut: bool
    records: tuple[tuple[Record, ...], ...]
    """By section."""


@talk_comparator
def dns_answer(control: Reply, other: Reply) -> Iterator[Difference]:
    """Ids, the order of records, names compressed otherwise and letter case say nothing. Times to live count
    where both servers have authority: a cache gives whatever is left (RFC 1035 §7.3, RFC 2308)."""
    left, right = read(control.messages), read(other.messages)
    if left is None or right is None:
        if left is not right:
            yield Difference(
                "dns:rcode", Change.TYPE, *("DNS" if each else "no DNS" for each in (left, right))
            )
        return
    if left.code != right.code:
        yield Difference("dns:rcode", Change.VALUE, left.code, right.code)
        return
    if left.flags != right.flags:
        yield Difference("dns:flags", Change.VALUE, " ".join(left.flags), " ".join(right.flags))
    if left.is_cut or right.is_cut:
        return
    with_ttl = "aa" in left.flags and "aa" in right.flags
    for name, ours, theirs in zip(_SECTIONS, left.records, right.records, strict=True):
        yield from _section(ours, theirs, f"dns:{name}", with_ttl=with_ttl)


def read(messages: tuple[Message, ...]) -> Answer | None:
    """The answer that `messages` are; None where they are none."""
    read: list[tuple[DnsMessage, bytes]] = []
    for each in messages:
        message = parse(each.body)
        if isinstance(message, str):
            return None
        read.append((message, each.body))
    if not read:
        return None
    flags = flag_names(read[0][0])
    parts = [sections(message, text) for message, text in read]
    return Answer(
        code_name(*read[-1]),
        tuple(each for each in flags if each != "tc"),
        "tc" in flags,
        tuple(tuple(record for part in parts for record in part[at]) for at in range(len(_SECTIONS))),
    )


def _section(
    left: tuple[Record, ...], right: tuple[Record, ...], where: str, *, with_ttl: bool
) -> Iterator[Difference]:
    for kind in dict.fromkeys(each.type for each in (*left, *right)):
        ours, theirs = _of_kind(left, kind), _of_kind(right, kind)
        place = f"{where}.{kind}"
        if ours.keys() != theirs.keys():
            change = Change.ADDED if not ours else Change.MISSING if not theirs else Change.VALUE
            yield Difference(place, change, _shown(ours, theirs), _shown(theirs, ours))
        elif with_ttl and kind not in _OPAQUE and ours != theirs:
            unequal = [each for each in ours if ours[each] != theirs[each]]
            yield Difference(f"{where}.ttl", Change.VALUE, ours[unequal[0]], theirs[unequal[0]])


def _of_kind(records: tuple[Record, ...], kind: str) -> dict[tuple[str, str], int]:
    """Owner and data to time to live."""
    alike = [each for each in records if each.type == kind]
    if kind in _OPAQUE:
        return {("", ""): alike[0].ttl} if alike else {}
    return {(each.name.lower(), _data(each)): each.ttl for each in alike}


def _data(record: Record) -> str:
    if record.type == _SIGNATURE:
        return record.data[:_COVERED_HEX]
    return record.data.lower() if record.type in _NAMES else record.data


def _shown(mine: dict[tuple[str, str], int], other: dict[tuple[str, str], int]) -> list[str] | None:
    """The records that only one side has."""
    if not mine:
        return None
    apart = sorted(each for each in mine if each not in other)
    return [" ".join(filter(None, each)) for each in apart[:_MAX_SHOWN]]
