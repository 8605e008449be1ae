"""EDNS: the OPT record and its options (RFC 6891). What is broken in a record of our own is broken alone."""

from random import Random

from mutators._contract import talk_mutator
from mutators._dns import OPT, Query, asked, drawn, option, record, sent, written
from shadow.model import Exchange, Expect, Level, TalkEdit

_COOKIE, _SUBNET, _PADDING = 10, 8, 12
_LOCAL = 65_001
"""RFC 6891 §9: options from here on are for local use."""


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_other_edns_version(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A server answers a version that it does not know with BADVERS (RFC 6891 §6.1.3): there is only 0."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    version = rng.choice((1, 2, 100, 255))
    return _with_opt(talk, query, record(OPT, 1232, version << 16, b""), f"EDNS version {version}")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_two_opt_records(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A query with more than one OPT record must be answered with FORMERR (RFC 6891 §6.1.1)."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    one = record(OPT, 1232, 0, b"")
    return _with_opt(
        talk, query, one + record(OPT, rng.choice((512, 1232, 4096)), 0, b""), "two OPT records", 2
    )


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_broken_option(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Options that are longer than their record, or a record longer than the message, are a format error
    (RFC 6891 §6.1.2, RFC 9267 §4; CWE-130)."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    ways = (
        ("options longer than the message", record(OPT, 1232, 0, b"", length=0xFFFF)),
        ("an option longer than its record", record(OPT, 1232, 0, b"\x00\x0a\xff\xffabcd")),
        ("half an option", record(OPT, 1232, 0, b"\x00\x0a\x00")),
    )
    what, made = rng.choice(ways)
    return _with_opt(talk, query, made, what)


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def dns_misplaced_opt(talk: Exchange, rng: Random) -> TalkEdit | None:
    """OPT belongs to the root and stands among the additional records (RFC 6891 §6.1.1, §6.1.2); what a
    server does about another one is not said there."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    made = record(OPT, 1232, 0, b"")
    bare = _without_opt(query)
    count = query.additions - (query.opt is not None)
    ways = (
        ("OPT among the answers", written(query, counts=(1, 1, 0, count), rest=made + bare)),
        ("OPT among the authorities", written(query, counts=(1, 0, 1, count), rest=made + bare)),
        (
            "OPT with a name",
            written(
                query, counts=(1, 0, 0, count + 1), rest=bare + record(OPT, 1232, 0, b"", name=b"\xc0\x0c")
            ),
        ),
    )
    return drawn(talk, rng, ways)


@talk_mutator("dns", level=Level.HEADER, expect=Expect.SAME)
def dns_unknown_option(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Options that a server does not know must be ignored (RFC 6891 §6.1.2): the records are the same."""
    query = asked(talk)
    if query is None or query.is_signed or query.opt is None:
        return None
    code, data = _LOCAL + rng.randrange(500), rng.randbytes(rng.choice((0, 1, 16)))
    start, head, end = query.opt.start, query.opt.data, query.opt.end
    options = query.rest[head:end] + option(code, data)
    made = query.rest[start : head - 2] + len(options).to_bytes(2) + options
    text = written(query, rest=query.rest[:start] + made + query.rest[end:])
    return sent(talk, text, f"option {code} of {len(data)} bytes")


@talk_mutator("dns", level=Level.HEADER, expect=Expect.SURVIVE)
def dns_odd_size(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Sizes below 512 count as 512, and larger ones than a server likes as its own (RFC 6891 §6.2.3, §6.2.5):
    the answer fits, or is cut."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    size = rng.choice((0, 1, 12, 100, 511, 512, 513, 1232, 4096, 0xFFFF))
    return _with_opt(talk, query, record(OPT, size, 0, b""), f"a size of {size}")


@talk_mutator("dns", level=Level.HEADER, expect=Expect.SURVIVE)
def dns_odd_cookie(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Cookies have 8 bytes, or 16 to 40 (RFC 7873 §4, RFC 9018): others are FORMERR to a server that knows
    them, and nothing to one that does not."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    size = rng.choice((0, 1, 7, 8, 9, 15, 16, 24, 40, 41, 1000))
    made = record(OPT, 1232, 0, option(_COOKIE, rng.randbytes(size)))
    return _with_opt(talk, query, made, f"a cookie of {size} bytes")


@talk_mutator("dns", level=Level.HEADER, expect=Expect.SURVIVE)
def dns_odd_subnet(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A client subnet of no family, of more bits than an address has, or with a scope (RFC 7871 §6): FORMERR
    from a server that knows it, and nothing to one that does not."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    data = rng.choice(
        (
            b"\x00\x01\x18\x00\xc0\x00\x02",
            b"\x00\x01\xff\xff\x01",
            b"\x00\x00\x08\x00\x01",
            b"\x00\x63\x08\x00\x01",
            b"\x00\x01\x20\x20\xc0\x00\x02\x01",
            b"\x00\x02\x81\x00" + bytes(17),
            b"\x00",
        )
    )
    return _with_opt(talk, query, record(OPT, 1232, 0, option(_SUBNET, data)), f"a subnet of {data.hex()}")


@talk_mutator("dns", level=Level.HEADER, expect=Expect.SURVIVE)
def dns_odd_options(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Many options, the same one twice, padding as long as can be, every flag of EDNS (RFC 6891 §6.1.4,
    RFC 7830): any clean answer."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    ways = (
        ("100 empty options", record(OPT, 1232, 0, option(_LOCAL, b"") * 100)),
        ("two cookies", record(OPT, 1232, 0, option(_COOKIE, bytes(8)) * 2)),
        ("padding of 1000 bytes", record(OPT, 1232, 0, option(_PADDING, bytes(1000)))),
        ("every flag", record(OPT, 1232, 0xFFFF, b"")),
        ("an extended code", record(OPT, 1232, 0xFF00_0000, b"")),
        ("signatures wanted", record(OPT, 1232, 0x8000, b"")),
    )
    what, made = rng.choice(ways)
    return _with_opt(talk, query, made, what)


@talk_mutator("dns", level=Level.HEADER, expect=Expect.SURVIVE)
def dns_without_edns(talk: Exchange, rng: Random) -> TalkEdit | None:  # noqa: ARG001  # nothing to draw
    """Without OPT an answer has 512 bytes at most (RFC 1035 §4.2.1), and is cut where it does not fit."""
    query = asked(talk)
    if query is None or query.is_signed or query.opt is None:
        return None
    text = written(query, counts=(1, 0, 0, query.additions - 1), rest=_without_opt(query))
    return sent(talk, text, "no OPT record")


def _with_opt(talk: Exchange, query: Query, made: bytes, what: str, count: int = 1) -> TalkEdit | None:
    """The query with these in the place of its OPT record, or as its first."""
    rest = _without_opt(query)
    additions = query.additions - (query.opt is not None) + count
    return sent(talk, written(query, counts=(1, 0, 0, additions), rest=rest + made), what)


def _without_opt(query: Query) -> bytes:
    if query.opt is None:
        return query.rest
    return query.rest[: query.opt.start] + query.rest[query.opt.end :]
