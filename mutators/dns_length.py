"""DNS messages that end early, or late."""

from random import Random

from mutators._contract import talk_mutator
from mutators._dns import asked, sent, written
from shadow.model import Exchange, Expect, Level, TalkEdit


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_cut_message(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A message that ends within its header or its question cannot be read: FORMERR, or nothing where
    there is not even an id (RFC 1035 §4.1; CWE-125)."""
    query = asked(talk)
    if query is None:
        return None
    text = written(query)
    end = len(text) - len(query.rest)
    size = rng.choice((0, 1, 2, 11, 12, end - 1, end - 2, rng.randrange(end)))
    return sent(talk, text[:size], f"{size} of {len(text)} bytes")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_cut_addition(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A message that ends within a record that is counted is a format error (RFC 1035 §4.1.1; CWE-125)."""
    query = asked(talk)
    if query is None or not query.records:
        return None
    text = written(query)
    last = query.records[-1]
    missing = rng.randint(1, last.end - last.start - 1)  # between two records it would be its counts that lie
    size = len(text) - len(query.rest) + last.end - missing
    return sent(talk, text[:size], f"{size} of {len(text)} bytes")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.SURVIVE)
def dns_trailing_bytes(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Bytes after the last record that is counted: no rule says whether they are an error, and none may make
    anything of them (CWE-130)."""
    query = asked(talk)
    if query is None:
        return None
    count = rng.choice((1, 2, 11, 512, 4_096, 40_000))
    tail = bytes(count) if rng.random() < 0.5 else rng.randbytes(count)
    return sent(talk, written(query) + tail, f"{count} bytes after the end")


@talk_mutator("dns", level=Level.BYTES, expect=Expect.SURVIVE)
def dns_turned_bytes(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A few bits of the query at random, but none of its id (zzuf, radamsa; RFC 9267): any clean answer, or
    none."""
    query = asked(talk)
    if query is None:
        return None
    text = bytearray(written(query))
    for _ in range(rng.randint(1, 4)):
        text[rng.randrange(4, len(text))] ^= 1 << rng.randrange(8)
    return sent(talk, bytes(text), "turned a few bits")
