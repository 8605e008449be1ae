"""The header of a DNS message: flags, opcodes and counts (RFC 1035 §4.1.1)."""

from random import Random

from mutators._contract import talk_mutator
from mutators._dns import asked, asking, sent, written
from shadow.model import Exchange, Expect, Level, TalkEdit

_SECTIONS = ("questions", "answers", "authorities", "additions")
_QUERY, _IQUERY, _STATUS, _NOTIFY, _UPDATE, _DSO = 0, 1, 2, 4, 5, 6
_OPCODES = 0x7800


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_answer_for_query(talk: Exchange, rng: Random) -> TalkEdit | None:
    """QR says that a message is an answer (RFC 1035 §4.1.1). To answer an answer makes loops between servers
    (CVE-2004-0789), so it is dropped."""
    query = asked(talk)
    if query is None:
        return None
    flags = (query.flags | 0x8000) & ~_OPCODES | rng.choice((0, 0x0400, 0x0080, 0x0003))
    return sent(talk, written(query, flags=flags), f"flags {flags:#06x}, those of an answer")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_unknown_opcode(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A server that does not know the kind of query says NOTIMP (RFC 1035 §4.1.1); opcode 3 and those from 7
    on are of no kind, and the inverse query is gone (RFC 3425)."""
    query = asked(talk)
    if query is None:
        return None
    opcode = rng.choice((_IQUERY, 3, 7, 8, 9, 14, 15))
    return sent(talk, written(query, flags=query.flags & ~_OPCODES | opcode << 11), f"opcode {opcode}")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.SURVIVE)
def dns_other_opcode(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A question sent as STATUS, NOTIFY, UPDATE or DSO (RFC 1996, RFC 2136, RFC 8490): whether that is known,
    allowed or well-formed there depends on the server."""
    query = asked(talk)
    if query is None:
        return None
    opcode = rng.choice((_STATUS, _NOTIFY, _UPDATE, _DSO))
    return sent(talk, written(query, flags=query.flags & ~_OPCODES | opcode << 11), f"opcode {opcode}")


@talk_mutator("dns", level=Level.HEADER, expect=Expect.SURVIVE)
def dns_odd_flags(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Flags that a query has no use for, the bit that must be zero among them (RFC 1035 §4.1.1), AD and CD
    (RFC 4035 §3.2, RFC 6840 §5.7), no wish for recursion, a code: any clean answer."""
    query = asked(talk)
    if query is None:
        return None
    bits = rng.choice(
        (0x0040, 0x0020, 0x0010, 0x0030, 0x0070, 0x0100, 0x0200, 0x0400, 0x0080, 0x000F, 0x0003)
    )
    return sent(talk, written(query, flags=query.flags ^ bits), f"flags {query.flags ^ bits:#06x}")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_several_questions(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A query with more than one question is malformed, and FORMERR is the answer (RFC 9619 §4)."""
    query = asked(talk)
    if query is None:
        return None
    more = rng.choice((1, 1, 2, 20))
    other = asking(b"\xc0\x0c", rng.choice((1, 28, query.kind)))
    text = written(query, questions=query.question + other * more, counts=(more + 1, 0, 0, query.additions))
    return sent(talk, text, f"{more + 1} questions")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def dns_counts_too_many(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Counts that the message does not bear out are a format error (RFC 1035 §4.1.1, RFC 9267 §5): there is
    nothing to read where a record is stated (CWE-125). A widely used library puts the counts right."""
    query = asked(talk)
    if query is None:
        return None
    counts = [1, 0, 0, query.additions]
    which = rng.randrange(4)
    counts[which] += rng.choice((1, 2, 254, 0x7FFE))
    text = written(query, counts=(counts[0], counts[1], counts[2], counts[3]))
    return sent(talk, text, f"{counts[which]} {_SECTIONS[which]} stated")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.SURVIVE)
def dns_counts_too_few(talk: Exchange, rng: Random) -> TalkEdit | None:
    """No question, or an additional record that is not counted: bytes after the end. Some servers ignore
    those, and no question is allowed to a few extensions (RFC 9619 §3)."""
    query = asked(talk)
    if query is None:
        return None
    ways = [("no question stated", (0, 0, 0, query.additions)), ("nothing stated", (0, 0, 0, 0))]
    if query.additions:
        ways.append(("no addition stated", (1, 0, 0, 0)))
    what, counts = rng.choice(ways)
    return sent(talk, written(query, counts=counts), what)


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.SURVIVE)
def dns_no_question(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A header alone, or with its additional records and no question: a cookie may be asked for so
    (RFC 7873 §5.4)."""
    query = asked(talk)
    if query is None:
        return None
    if rng.random() < 0.5:
        return sent(talk, written(query, questions=b"", rest=b"", counts=(0, 0, 0, 0)), "a header alone")
    return sent(talk, written(query, questions=b"", counts=(0, 0, 0, query.additions)), "no question")
