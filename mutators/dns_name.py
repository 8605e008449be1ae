"""Names in DNS questions: labels, lengths and compression (RFC 1035 §3.1, §4.1.4)."""

from random import Random

from mutators._contract import talk_mutator
from mutators._dns import Query, asked, asking, drawn, sent, written
from shadow.model import Exchange, Expect, Level, TalkEdit

_MOST_BYTES = 255
_LABEL = b"\x3f" + b"n" * 63


@talk_mutator("dns", level=Level.TARGET, expect=Expect.SAME)
def dns_letter_case(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Names are one in any letter case (RFC 4343 §3), and resolvers draw it by lot to tell forged answers:
    the records must be the same."""
    query = asked(talk)
    if query is None or query.is_signed:
        return None
    name = bytes(_flipped(byte, rng) for byte in query.name)
    return sent(
        talk, written(query, questions=asking(name, query.kind, query.group)), "letter case drawn by lot"
    )


@talk_mutator("dns", level=Level.TARGET, expect=Expect.SURVIVE)
def dns_long_label(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A label of 63 bytes is the longest (RFC 1035 §2.3.4), and a name with one is no other than the rest."""
    query = asked(talk)
    if query is None:
        return None
    room = _MOST_BYTES - len(query.name)
    if room < 2:
        return None
    size = rng.choice([each for each in (63, 62, 1, min(room - 1, 63)) if each < room])
    label = bytes((size,)) + b"n" * size
    return _named(talk, query, label + query.name, f"a label of {size} bytes")


@talk_mutator("dns", level=Level.TARGET, expect=Expect.SURVIVE)
def dns_full_name(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A name of 255 bytes is the longest (RFC 1035 §2.3.4), as is one of 127 labels: both are names."""
    query = asked(talk)
    if query is None:
        return None
    room = _MOST_BYTES - len(query.name)
    tiny = b"\x01a" * (room // 2)
    long = _LABEL * (room // 64)
    left = room - len(long)
    long += bytes((left - 1,)) + b"m" * (left - 1) if left > 1 else b""
    what, name = rng.choice((("many labels", tiny), ("long labels", long)))
    return _named(talk, query, name + query.name, f"a name of {len(name + query.name)} bytes, {what}")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_long_name(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A name has 255 bytes or fewer (RFC 1035 §2.3.4, §3.1); a longer one is a format error (CWE-120)."""
    query = asked(talk)
    if query is None:
        return None
    size = rng.choice((256, 257, 300, 1_000, 6_000))
    count, left = divmod(size - 1, len(_LABEL))
    name = _LABEL * count + (bytes((left - 1,)) + b"m" * (left - 1) if left else b"")
    return _named(talk, query, name + b"\x00", f"a name of {len(name) + 1} bytes")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_reserved_label(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Labels whose first bits are 01 or 10 are reserved (RFC 1035 §4.1.4, RFC 6891 §5): one of 64 bytes
    cannot be said, and none may be guessed at."""
    query = asked(talk)
    if query is None:
        return None
    first = rng.choice((0x40, 0x41, 0x7F, 0x80, 0x81, 0xBF))
    body = b"x" * (first & 0x7F if first < 0x80 else first & 0x3F)
    return _named(talk, query, bytes((first,)) + body + query.name, f"a label that begins with {first:#04x}")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_unfinished_name(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A name ends with the root's label, and labels within the message (RFC 1035 §3.1): what runs over the
    end is a format error (CWE-125)."""
    query = asked(talk)
    if query is None:
        return None
    ways = (
        ("a label longer than the message", b"\x3fabc"),
        ("a name without an end", query.name[:-1] or b"\x01a"),
    )
    what, name = rng.choice(ways)
    counts = (1, 0, 0, 0)
    return sent(talk, written(query, questions=name, rest=b"", counts=counts), what)


@talk_mutator("dns", level=Level.TARGET, expect=Expect.SURVIVE)
def dns_odd_label(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A label may hold any byte (RFC 2181 §11): NUL, dots, quotes, what is beyond ASCII, formats and
    markup (CWE-20, CWE-134)."""
    query = asked(talk)
    if query is None:
        return None
    odd = rng.choice(
        (
            b"\x00",
            b"a\x00b",
            b"a.b",
            b".",
            b"\\",
            b'"',
            b" ",
            b"*",
            b"_",
            b"-",
            b"\xff\xfe",
            "\u00e9".encode(),
            "\u202e".encode(),
            b"xn--",
            b"xn--a",
            b"%n%s%s",
            b"<script>",
            b"';--",
            b"$(id)",
            b"\r\n",
        )
    )
    if len(query.name) + len(odd) + 1 > _MOST_BYTES:
        return None
    return _named(talk, query, bytes((len(odd),)) + odd + query.name, f"the label {odd!r}")


@talk_mutator("dns", level=Level.TARGET, expect=Expect.SURVIVE)
def dns_empty_label(talk: Exchange, rng: Random) -> TalkEdit | None:
    """An empty label ends a name (RFC 1035 §3.1): within one it makes the rest something else, and at once
    it names the root."""
    query = asked(talk)
    if query is None:
        return None
    first = query.name[: query.name[0] + 1]
    ways = (
        ("the root's name", b"\x00"),
        ("an empty label within the name", first + b"\x00" + query.name[len(first) :]),
    )
    what, name = rng.choice(ways)
    return _named(talk, query, name, what)


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_compression_loop(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A pointer leads to an earlier name (RFC 1035 §4.1.4): one that leads back to itself has no end
    (CWE-835, RFC 9267 §2)."""
    query = asked(talk)
    if query is None:
        return None
    ways = (
        ("a name that points to itself", b"\xc0\x0c"),
        ("a label before a pointer back to it", b"\x01a\xc0\x0c"),
        ("two pointers to each other", b"\xc0\x0e\xc0\x0c"),
        ("a long label before a pointer back to it", _LABEL + b"\xc0\x0c"),
    )
    return drawn(talk, rng, tuple((what, _with_name(query, name)) for what, name in ways))


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.REJECT)
def dns_wild_pointer(talk: Exchange, rng: Random) -> TalkEdit | None:
    """A pointer leads to a prior name in the same message (RFC 1035 §4.1.4), so never beyond the end
    (CWE-125, RFC 9267 §2)."""
    query = asked(talk)
    if query is None:
        return None
    place = rng.choice((0x0FFF, 0x1FFF, 0x3FFF, 0x3000))
    return _named(talk, query, (0xC000 | place).to_bytes(2), f"a pointer to byte {place}")


@talk_mutator("dns", level=Level.FRAMING, expect=Expect.SURVIVE)
def dns_pointer_elsewhere(talk: Exchange, rng: Random) -> TalkEdit | None:
    """Pointers into the header, or ahead, lead to no prior name (RFC 1035 §4.1.4), yet many readers follow
    them: any clean answer."""
    query = asked(talk)
    if query is None:
        return None
    place = rng.choice((0, 2, 4, 11, 13, 14, 16, 18))
    name = (0xC000 | place).to_bytes(2)
    return _named(talk, query, rng.choice((name, b"\x01a" + name)), f"a pointer to byte {place}")


def _flipped(byte: int, rng: Random) -> int:
    is_letter = 0x41 <= byte & 0xDF <= 0x5A  # lengths are below 64, so none is taken for one
    return byte ^ 0x20 if is_letter and rng.random() < 0.5 else byte


def _with_name(query: Query, name: bytes) -> bytes:
    return written(query, questions=asking(name, query.kind, query.group))


def _named(talk: Exchange, query: Query, name: bytes, what: str) -> TalkEdit | None:
    return sent(talk, _with_name(query, name), what)
