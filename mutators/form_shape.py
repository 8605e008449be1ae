"""Form bodies in the notations that frameworks make lists and objects of, and with other separators."""

from random import Random

from mutators._contract import mutator
from shadow.content.entity import replace_body
from shadow.content.form import form_of, with_form
from shadow.content.query import Pair, decode, encode, join_pairs
from shadow.model import Edit, Expect, Level, Request

_CHARSETS = (b"utf-16", b"iso-8859-1", b"utf-7", b"x-shadow", b"rot13", b"")


@mutator(level=Level.BODY, expect=Expect.SAME)
def encode_form_name(request: Request, rng: Random) -> Edit | None:
    """Names are percent-decoded as values are (WHATWG URL §5.1): an encoded letter is the same letter."""
    pairs = form_of(request) or []
    found = [at for at, pair in enumerate(pairs) if pair.name.isalpha()]
    if not found:
        return None
    at = rng.choice(found)
    name = pairs[at].name
    place = rng.randrange(len(name))
    other = name[:place] + b"%%%02X" % name[place] + name[place + 1 :]
    return _with(request, pairs, at, Pair(other, pairs[at].value), "percent-encoded a letter of the name")


@mutator(level=Level.BODY, expect=Expect.SAME)
def pad_form(request: Request, rng: Random) -> Edit | None:
    """Empty pieces between separators are skipped (WHATWG URL §5.1)."""
    pairs = form_of(request)
    if not pairs or any(not pair.name and pair.value is None for pair in pairs):
        return None
    text = join_pairs(pairs)
    padded = rng.choice((text + b"&", text.replace(b"&", b"&&", 1)))
    return None if padded == text else Edit(replace_body(request, padded), "put empty pieces into the form")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def nest_form_field(request: Request, rng: Random) -> Edit | None:
    """Brackets make objects within objects in many frameworks: limited, never out of stack (CWE-674)."""
    depth = rng.choice((6, 101, 2_000))
    return _renamed(request, rng, b"[a]" * depth, f"nested {depth} deep the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def index_form_field(request: Request, rng: Random) -> Edit | None:
    """A huge index must not make a huge array (CWE-770): limited, sparse, or refused."""
    index = rng.choice(
        (b"[21]", b"[1000001]", b"[4294967296]", b"[-1]", b"[99999999999999999999]", b"[0x7f]")
    )
    return _renamed(request, rng, index, f"gave the index {index.decode()} to the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def rename_form_field(request: Request, rng: Random) -> Edit | None:
    """A name in another case, with white space, a dot or NUL is another name: ignored, or folded to the same
    one in both releases.
    """
    pairs = form_of(request)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    key = decode(pairs[at].name)
    other = rng.choice(
        (key.upper(), key.title(), key + b" ", b" " + key, key + b"\x00", key + b".x", key[:-1])
    )
    return _with(request, pairs, at, Pair(encode(other), pairs[at].value), "renamed the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def separate_form_otherwise(request: Request, rng: Random) -> Edit | None:
    """A semicolon was a separator once (HTML 4.01 §B.2.2), and is text now (WHATWG URL §5.1): caches and
    services that disagree on it see other fields (CVE-2021-23336).
    """
    pairs = form_of(request)
    if not pairs or len(pairs) < 2:
        return None
    separator = rng.choice((b";", b"&amp;", b",", b"\n", b"\r\n", b"%26"))
    text = join_pairs(pairs).replace(b"&", separator)
    return Edit(replace_body(request, text), f"separated the fields by {separator!r}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def strip_form_value(request: Request, rng: Random) -> Edit | None:
    """A field that is empty, or has no value at all, may be refused as a missing one, but not crash."""
    pairs = form_of(request)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    value = rng.choice((None, b"", b"+", b"%20"))
    return _with(request, pairs, at, Pair(pairs[at].name, value), "emptied the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def state_form_charset(request: Request, rng: Random) -> Edit | None:
    """A form may name its character set in a field of its own (WHATWG HTML §4.10.18.5); one that does not
    exist is no crash.
    """
    pairs = form_of(request)
    if not pairs:
        return None
    charset = rng.choice(_CHARSETS)
    return Edit(
        with_form(request, [Pair(b"_charset_", charset), *pairs]), f"stated the charset {charset.decode()!r}"
    )


def _renamed(request: Request, rng: Random, suffix: bytes, what: str) -> Edit | None:
    pairs = form_of(request)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    return _with(request, pairs, at, Pair(pairs[at].name + suffix, pairs[at].value), what)


def _with(request: Request, pairs: list[Pair], at: int, pair: Pair, what: str) -> Edit | None:
    made = with_form(request, [*pairs[:at], pair, *pairs[at + 1 :]])
    return None if made.body == request.body else Edit(made, f"{what} {pairs[at].name!r}")
