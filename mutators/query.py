"""The query: spelled otherwise, dropped, doubled, with odd and recorded values."""

from collections.abc import Callable
from functools import lru_cache
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._message import is_signed, with_target
from mutators._pairs import recorded, shuffled, spelled_otherwise, with_text
from shadow.content.query import Pair, query_of, with_query
from shadow.model import Edit, Expect, Known, Level, Request

_BOUNDS = (
    "0",
    "-1",
    "1",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "1e400",
    "0.5",
)
_UNKNOWN = (
    b"shadow_unknown=1",
    b"=",
    b"=1",
    b"&",
    b"debug=true",
    b"__proto__[shadow]=1",
    b"%00=1",
    b"a[]=1",
    b"a[b][c]=1",
)
_ODD_BYTES = (
    b"%00",
    b"%ff",
    b"%ed%a0%80",
    b"%c0%af",
    b"%",
    b"%zz",
    b"%u0041",
    b"%0d%0aX-Shadow:%201",
    b"\xc3\xa9",
    b"%EF%BB%BF",
)


@mutator(level=Level.TARGET, expect=Expect.SAME)
def reorder_query(request: Request, rng: Random) -> Edit | None:
    """Parameters of different names are found by name; those of one name keep their order (WHATWG URL
    §5.1).
    """
    other = shuffled(query_of(request.target), rng)
    return None if other is None else _edit(request, other, "reordered the query")


@mutator(level=Level.TARGET, expect=Expect.SAME)
def encode_unreserved_in_query(request: Request, rng: Random, known: Known) -> Edit | None:
    """An unreserved character and its percent-encoding are equivalent (RFC 3986 §2.3, §6.2.2.2).

    Signed requests are left alone: schemes differ in the spelling that they sign.
    """
    other = None if is_signed(request, known) else spelled_otherwise(query_of(request.target), rng)
    return None if other is None else _edit(request, other, "percent-encoded a character of the query")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def swap_plus_in_query(request: Request, _rng: Random) -> Edit | None:
    """``+`` and ``%20`` are one to a form decoder (WHATWG URL §5.1), and two to a plain URI parser (RFC
    3986).
    """
    authority_path, mark, query = request.target.partition(b"?")
    plus = query.replace(b"+", b"%20") if b"+" in query else query.replace(b"%20", b"+")
    if plus == query:
        return None
    return Edit(with_target(request, authority_path + mark + plus), "swapped + and %20 in the query")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def drop_parameter(request: Request, rng: Random) -> Edit | None:
    """A missing parameter may be required or not: any clean answer will do."""
    pairs = query_of(request.target)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    return _edit(request, pairs[:at] + pairs[at + 1 :], f"dropped the parameter {pairs[at].name!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def add_parameter(request: Request, rng: Random) -> Edit | None:
    """A parameter that is not known is ignored or refused, never a crash."""
    piece = rng.choice(_UNKNOWN)
    joint = b"&" if b"?" in request.target else b"?"
    return Edit(with_target(request, request.target + joint + piece), f"added the parameter {piece!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def duplicate_parameter(request: Request, rng: Random) -> Edit | None:
    """Which of two parameters of one name counts is not said anywhere (CWE-235): releases must agree on
    it.
    """
    pairs = query_of(request.target)
    if not pairs:
        return None
    pair = rng.choice(pairs)
    other = Pair(pair.name, rng.choice((pair.value, b"", b"shadow", b"0")))
    doubled = [other, *pairs] if rng.random() < 0.5 else [*pairs, other]
    return _edit(request, doubled, f"sent the parameter {pair.name!r} twice")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def empty_parameter(request: Request, rng: Random) -> Edit | None:
    """An empty value, or none at all, is taken for absent or refused, never a crash."""
    value = rng.choice((b"", None))
    return _with_raw(request, rng, lambda _: value, "emptied")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def empty_query(request: Request, rng: Random) -> Edit | None:
    """No query, an empty one, or one of separators alone: all parameters are absent then (WHATWG URL §5.1),
    and any clean answer will do.
    """
    before, mark, query = request.target.partition(b"?")
    target = before + rng.choice((b"", b"?", b"?&", b"?=", b"??", b"?&&=&"))
    if not before or target == before + mark + query:
        return None
    return Edit(with_target(request, target), f"made the query {target[len(before) :]!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def bound_parameter(request: Request, rng: Random) -> Edit | None:
    """Zero, negative and huge numbers, where a page size or an offset may stand: refused or taken
    (CWE-190).
    """
    return _with_text(request, rng, lambda _: rng.choice(_BOUNDS), "set to a bound:")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def retype_parameter(request: Request, rng: Random) -> Edit | None:
    """A list, an object or a word where a scalar stood, in the array styles that frameworks know: any
    clean answer.
    """
    pairs = query_of(request.target)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    name, value = pairs[at].name, pairs[at].value or b""
    other = rng.choice(
        (
            Pair(name + b"[]", value),
            Pair(name + b"[0]", value),
            Pair(name + b"[shadow]", value),
            Pair(name + b"%5B$ne%5D", value),
            Pair(name, value + b"," + value),
            Pair(name, b"%7B%7D"),
            Pair(name, b"true"),
            Pair(name, b"null"),
        )
    )
    return _edit(request, [*pairs[:at], other, *pairs[at + 1 :]], f"retyped the parameter {name!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def rename_parameter(request: Request, rng: Random) -> Edit | None:
    """A near miss of a name is an unknown parameter: ignored or refused."""
    pairs = query_of(request.target)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    name = pairs[at].name
    other = rng.choice((name.upper(), name + b"%20", name + b"s", name[:-1], name + b"%00", b"%20" + name))
    return _edit(request, [*pairs[:at], Pair(other, pairs[at].value), *pairs[at + 1 :]], f"renamed {name!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def lengthen_parameter(request: Request, rng: Random) -> Edit | None:
    """A target longer than the server wishes to parse is answered 414 (RFC 9112 §3), cheaply."""
    size = rng.choice((256, 1_025, 4_097, 7_000, 65_537))
    return _with_raw(
        request, rng, lambda value: strings.stretched(value or b"a", size), f"made {size} bytes long:"
    )


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def many_parameters(request: Request, rng: Random) -> Edit | None:
    """Hundreds of parameters may be refused, at a cost that does not grow out of hand (CWE-407)."""
    count = rng.choice((101, 1_001))
    return _edit(request, [*query_of(request.target), *_parameters(count)], f"added {count} parameters")


@lru_cache(maxsize=2)
def _parameters(count: int) -> tuple[Pair, ...]:
    return tuple(Pair(b"shadow%d" % n, b"1") for n in range(count))


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def hostile_parameter(request: Request, rng: Random) -> Edit | None:
    """Control characters, odd Unicode, templates and words are text, properly encoded: taken or refused."""
    return _with_text(
        request, rng, lambda text: strings.inserted(text, strings.hostile(rng), rng), "put odd text into"
    )


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def near_miss_parameter(request: Request, rng: Random) -> Edit | None:
    """Almost a date, number, UUID or address, or beside an enumeration's word: refused or read, never a
    crash.
    """
    return _with_text(
        request,
        rng,
        lambda text: strings.near_miss(text, rng) or strings.neighbour(text, rng),
        "put a near miss into",
    )


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def slow_pattern_in_parameter(request: Request, rng: Random) -> Edit | None:
    """A long run before a misfit makes a backtracking pattern exponential (CWE-1333): the answer must
    not hang.
    """
    return _with_text(request, rng, lambda text: strings.long_run(text, rng)[-4_000:], "put a slow run into")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def odd_bytes_in_parameter(request: Request, rng: Random) -> Edit | None:
    """NUL, bytes that are no UTF-8 and broken percent-encodings: refused or taken literally (WHATWG URL
    §1.3).
    """
    piece = rng.choice(_ODD_BYTES)
    return _with_raw(request, rng, lambda value: (value or b"") + piece, f"put {piece!r} into")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def wildcard_parameter(request: Request, rng: Random) -> Edit | None:
    """A wildcard is a value like any other: it must not widen what the client may see (CWE-155)."""
    value = rng.choice((b"*", b"*", b"*", b"%25", b"_", b"all", b".*", b"%2A%2A", b"null", b"0"))
    return _with_raw(request, rng, lambda _: value, f"put {value!r} into")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def recorded_in_query(request: Request, rng: Random, known: Known) -> Edit | None:
    """A value that traffic showed for the same parameter is one that the service knows; any clean answer."""
    found = recorded(query_of(request.target), known, "query", rng)
    return None if found is None else _edit(request, found[0], f"put a recorded value into {found[1]!r}")


def _with_raw(
    request: Request, rng: Random, change: Callable[[bytes | None], bytes | None], what: str
) -> Edit | None:
    """An edit of the raw value of one parameter, drawn by the dice."""
    pairs = query_of(request.target)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    pair = Pair(pairs[at].name, change(pairs[at].value))
    return _edit(request, [*pairs[:at], pair, *pairs[at + 1 :]], f"{what} the parameter {pair.name!r}")


def _with_text(request: Request, rng: Random, change: Callable[[str], str], what: str) -> Edit | None:
    """An edit of one parameter's decoded text, encoded again in full."""
    return _with_raw(request, rng, lambda value: with_text(value, change), what)


def _edit(request: Request, pairs: list[Pair], what: str) -> Edit | None:
    target = with_query(request.target, pairs)
    return None if target == request.target else Edit(with_target(request, target), what)
