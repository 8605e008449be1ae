"""Strings of JSON bodies with other text: odd, long, short, almost valid, nearly the same."""

from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._json import STRINGS, document_of, nodes, replaced, rewritten, string_edit
from shadow.content import json
from shadow.content.json import Document, Node
from shadow.model import Edit, Expect, Level, Request

_NAMES_LOOKED_AT = 50


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def surrogate_in_json(request: Request, rng: Random) -> Edit | None:
    """A lone surrogate fits the JSON grammar but no Unicode text (RFC 8259 §8.2): taken or denied,
    never a crash.
    """
    piece = rng.choice(strings.LONE_SURROGATES)
    return string_edit(
        request, rng, lambda text: strings.inserted(text, piece, rng), "put a lone surrogate into"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def control_in_json(request: Request, rng: Random) -> Edit | None:
    """NUL and other control characters may be escaped into any string (RFC 8259 §7); text columns may
    refuse them.
    """
    piece = rng.choice(strings.CONTROL)
    return string_edit(
        request, rng, lambda text: strings.inserted(text, piece, rng), "put a control character into"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def unusual_text_in_json(request: Request, rng: Random) -> Edit | None:
    """Invisible, right-to-left, astral and combining characters are text like any other (Unicode TR 36)."""
    piece = rng.choice(strings.INVISIBLE + strings.BIDI + strings.EMOJI + strings.ODD)
    return string_edit(request, rng, lambda text: strings.inserted(text, piece, rng), "put unusual text into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def homoglyph_in_json(request: Request, rng: Random) -> Edit | None:
    """Letters that look alike are different text (Unicode TR 39): another value, which may be denied."""
    return string_edit(request, rng, lambda text: text.translate(strings.HOMOGLYPHS), "put look-alikes into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def normalise_json_text(request: Request, rng: Random) -> Edit | None:
    """Another normal form (UAX 15) is other code points that look the same: stored as sent, or denied."""
    return string_edit(request, rng, lambda text: strings.other_form(text, rng), "changed the normal form of")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def lengthen_json_text(request: Request, rng: Random) -> Edit | None:
    """A very long string may be denied (413, 422) but must not break or stall the service (CWE-400)."""
    size = rng.choice(strings.LONG_SIZES)
    return string_edit(
        request, rng, lambda text: strings.stretched(text or "a", size), f"made {size} characters long:"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def shorten_json_text(request: Request, rng: Random) -> Edit | None:
    """A string cut short, down to one character, is denied or taken: readers of fixed headers break
    here (CWE-125).
    """
    return string_edit(request, rng, lambda text: text[: rng.choice((1, 2, 3, len(text) // 2))], "cut short:")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def slow_pattern_in_json(request: Request, rng: Random) -> Edit | None:
    """A long run before a misfit makes a backtracking pattern exponential (CWE-1333): the answer must
    not hang.
    """
    return string_edit(request, rng, lambda text: strings.long_run(text, rng), "put a slow run into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def format_in_json(request: Request, rng: Random) -> Edit | None:
    """Format strings and templates are text: printed as they are, never evaluated (CWE-134, CWE-1336)."""
    piece = rng.choice(strings.FORMATS + strings.WORDS)
    return string_edit(
        request, rng, lambda text: strings.inserted(text, piece, rng), f"put {piece!r:.40} into"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def near_miss_in_json(request: Request, rng: Random) -> Edit | None:
    """Almost a date, UUID, address, URL or name: denied, or taken, but parsed without a crash (RFC
    3339, 9562, 5321).
    """
    return string_edit(
        request, rng, lambda text: strings.near_miss(text, rng), "put an almost valid format into"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def long_label_in_json(request: Request, rng: Random) -> Edit | None:
    """A label of a domain name has 63 characters at most (RFC 1035 §2.3.4): a longer one is denied, or breaks
    whoever puts it on the wire.
    """
    document = document_of(request)
    size = rng.choice((63, 64, 65, 64, 65, 64))
    found = [
        (node, longer)
        for node in (nodes(document, STRINGS)[:_NAMES_LOOKED_AT] if document else [])
        if document and (longer := strings.with_long_label(json.text_of(document.raw(node)), size))
    ]
    if document is None or not found:
        return None
    node, longer = rng.choice(found)
    text = json.replace(document, node, json.quote(longer))
    return rewritten(request, document, text, f"made a label of {size} characters in", node)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def neighbour_in_json(request: Request, rng: Random) -> Edit | None:
    """Beside a value of an enumeration lies none: denied, or matched leniently, never a crash (CATS
    enum fuzzers).
    """
    return string_edit(request, rng, lambda text: strings.neighbour(text, rng), "put a neighbour into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def growing_text_in_json(request: Request, rng: Random) -> Edit | None:
    """Letters that get longer as their case changes, and marks on marks, outgrow limits that were checked
    before (Unicode TR 36 §3.1, CWE-131).
    """
    piece = (
        rng.choice(strings.GROWING) * rng.choice((1, 8, 64))
        if rng.random() < 0.6
        else rng.choice(strings.STACKED)
    )
    return string_edit(request, rng, lambda text: strings.inserted(text, piece, rng), "put growing text into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def widen_json_text(request: Request, rng: Random) -> Edit | None:
    """Fullwidth letters and digits fold to plain ones (UAX 15): one name to whoever folds, another to who
    compares first (CWE-178, CWE-180).
    """

    def change(text: str) -> str | None:
        at = [place for place, char in enumerate(text) if "!" <= char <= "~"]
        chosen = set(at if rng.random() < 0.5 else at[:1])
        wide = "".join(
            chr(ord(char) + 0xFEE0) if place in chosen else char for place, char in enumerate(text)
        )
        return wide if chosen else None

    return string_edit(request, rng, change, "wrote in fullwidth letters")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def pad_json_text(request: Request, rng: Random) -> Edit | None:
    """White space of any kind before, behind, or instead of text: trimmed, kept or denied, and checked before
    as well as after (CATS leading, trailing and only spaces).
    """
    space = rng.choice((" ", "\t", "\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u1680", "\ufeff", "\x1f"))
    count = rng.choice((1, 1, 2, 300))

    def change(text: str) -> str:
        pad = space * count
        return rng.choice((pad + text, text + pad, pad, pad + text + pad))

    return string_edit(request, rng, change, f"padded with {space!r}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ordinal_in_json(request: Request, rng: Random) -> Edit | None:
    """The number of an enumeration's value, seconds for a date, a list of one for a value: coerced or denied,
    never a crash (CATS enum and date fuzzers).
    """
    values = (b"0", b"1", b"-1", b"99", b"1700000000", b"1700000000000", b"-62135596801", b"253402300800")

    def value(document: Document, node: Node) -> bytes:
        return rng.choice(
            (*values, b"[%b]" % document.raw(node), json.quote(json.text_of(document.raw(node)) + ","))
        )

    return replaced(request, rng, STRINGS, value, "put a number, or a list, for")
