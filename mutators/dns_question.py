"""What is asked: types, classes, and records that stand where none belongs."""

from random import Random

from mutators._contract import talk_mutator
from mutators._dns import OPT, TSIG, asked, asking, record, sent, written
from mutators._talk import with_message
from shadow.model import Exchange, Expect, Level, TalkEdit

_TYPES = (
    0,
    1,
    2,
    5,
    6,
    10,
    12,
    15,
    16,
    28,
    33,
    39,
    43,
    46,
    47,
    48,
    64,
    65,
    99,
    128,
    256,
    257,
    0x7FFF,
    0x8000,
    65_280,
    0xFFFF,
)
_META_TYPES = (OPT, 249, TSIG, 251, 252, 253, 254, 255)
"""OPT, TKEY, TSIG, IXFR, AXFR, MAILB, MAILA and ANY ask for no record of their own."""
_CLASSES = (0, 2, 3, 4, 254, 255, 0x7FFF, 0x8001, 0xFFFF)


@talk_mutator("dns", level=Level.TARGET, expect=Expect.SURVIVE)
def dns_other_type(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Every type, known or not, may be asked for (RFC 3597 §3): data, none, or a refusal."""
    query = asked(talk)
    if query is None:
        return None
    kind = rng.choice(_TYPES)
    return sent(talk, written(query, questions=asking(query.name, kind, query.group)), f"type {kind}")


@talk_mutator("dns", level=Level.TARGET, expect=Expect.SURVIVE)
def dns_meta_type(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Types that are no data: ANY (RFC 8482), transfers over UDP, which are undefined (RFC 5936 §4.2), OPT
    and TSIG as what is asked for: a short answer or a refusal, never a flood (CWE-406)."""
    query = asked(talk)
    if query is None:
        return None
    kind = rng.choice(_META_TYPES)
    return sent(talk, written(query, questions=asking(query.name, kind, query.group)), f"type {kind}")


@talk_mutator("dns", level=Level.TARGET, expect=Expect.SURVIVE)
def dns_other_class(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Classes beside IN: CHAOS, which servers tell of themselves in, NONE, ANY, and none at all
    (RFC 6895 §3.2): any clean answer."""
    query = asked(talk)
    if query is None:
        return None
    group = rng.choice(_CLASSES)
    return sent(talk, written(query, questions=asking(query.name, query.kind, group)), f"class {group}")


@talk_mutator("dns", level=Level.TARGET, expect=Expect.SURVIVE)
def dns_ask_server_version(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Names in CHAOS tell a server's version and host (RFC 4892): an answer says what the releases differ in,
    and a refusal is better (CWE-200)."""
    query = asked(talk)
    if query is None:
        return None
    name = rng.choice((b"\x07version\x04bind\x00", b"\x02id\x06server\x00", b"\x08hostname\x04bind\x00"))
    return sent(talk, written(query, questions=asking(name, 16, 3)), "asked for the server's version")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.SURVIVE)
def dns_record_in_query(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Records in sections that a query leaves empty (RFC 1035 §4.1): ignored or refused, never believed
    (CWE-349)."""
    query = asked(talk)
    if query is None:
        return None
    made = record(1, 1, 60, b"\x7f\x00\x00\x01", name=b"\xc0\x0c")
    where = rng.choice((1, 2))
    counts = (1, 1, 0, query.additions) if where == 1 else (1, 0, 1, query.additions)
    text = written(query, counts=counts, rest=made + query.rest)
    return sent(talk, text, "an answer in the query" if where == 1 else "an authority in the query")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_lying_record(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A record whose data are longer than the message is a format error (RFC 1035 §3.2.1, RFC 9267 §4;
    CWE-130)."""
    query = asked(talk)
    if query is None:
        return None
    kind = rng.choice((1, 2, 5, 12, 15, 16, 28, 46))
    length = rng.choice((5, 0x7FFF, 0xFFFF))
    made = record(kind, 1, 60, b"abcd", name=b"\xc0\x0c", length=length)
    text = written(query, counts=(1, 0, 0, query.additions + 1), rest=query.rest + made)
    return sent(talk, text, f"a record of type {kind} that states {length} bytes and has 4")


@talk_mutator("dns", level=Level.AUTH, expect=Expect.REJECT, is_stated=False)
def dns_broken_tsig(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A signature whose record cannot be read is a format error, and one that no key here made is NOTAUTH
    (RFC 8945 §5.2, §5.3.2); a server without signatures knows nothing of them."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    times = bytes(6) + (300).to_bytes(2)
    algorithm = b"\x0bhmac-sha256\x00"
    whole = algorithm + times + (32).to_bytes(2) + rng.randbytes(32) + bytes(6)
    ways = (
        ("of an unknown key", record(TSIG, 255, 0, whole, name=b"\x06shadow\x00")),
        ("without data", record(TSIG, 255, 0, b"", name=b"\x06shadow\x00")),
        ("that ends early", record(TSIG, 255, 0, whole[:20], name=b"\x06shadow\x00")),
    )
    what, made = rng.choice(ways)
    text = written(query, counts=(1, 0, 0, query.additions + 1), rest=query.rest + made)
    return sent(talk, text, f"a signature {what}")


@talk_mutator("dns", level=Level.AUTH, expect=Expect.REJECT, is_stated=False)
def dns_flip_signature(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A signed query with one bit of its signature turned is not signed: BADSIG (RFC 8945 §5.2.2),
    wherever signatures are looked at."""
    query = asked(talk)
    if query is None or not query.is_signed:
        return None
    signature = query.records[-1]
    if signature.kind != TSIG or signature.end - signature.data < 40:
        return None
    at = signature.end - 8 - rng.randrange(8)  # within the digest: six bytes of id, error and length follow
    rest = bytearray(query.rest)
    rest[at] ^= 1 << rng.randrange(8)
    return sent(talk, written(query, rest=bytes(rest)), "one bit of the signature turned")


@talk_mutator("dns", level=Level.NETWORK, expect=Expect.SAME)
def dns_ask_twice(talk: Exchange, rng: Random) -> TalkEdit | None:  # noqa: ARG001  # nothing to draw
    """A query changes nothing, and networks deliver datagrams twice (RFC 1035 §4.2.1): both are answered the
    same."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    at = next(at for at, each in enumerate(talk.messages) if each.is_from_client)
    return TalkEdit(with_message(talk, at, *[talk.messages[at]] * 2), "the query came twice")
