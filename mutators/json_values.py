"""JSON bodies with other values: edges of numbers, booleans, what traffic showed before."""

from random import Random

from mutators._contract import mutator
from mutators._json import NUMBERS, SCALARS, STRINGS, document_of, nodes, replaced, rewritten
from shadow.content import json
from shadow.content.json import Document, Kind, Node
from shadow.content.kinds import kind_of
from shadow.model import Edit, Expect, Known, Level, Request

_EDGES = (7, 8, 15, 16, 31, 32, 53, 63, 64, 128)
_FLOATS = (
    *(
        b"1e308",
        b"1.7976931348623157e308",
        b"1.7976931348623159e308",
        b"1e400",
        b"-1e400",
        b"5e-324",
        b"1e-400",
    ),
    *(b"-0", b"-0.0", b"0.1e1", b"0.30000000000000004", b"1e19", b"99999999999999999999.99", b"1E+2"),
    b"123456789e-9999",
)
_BEYOND = (
    *(b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"9007199254740993"),
    *(b"340282366920938463463374607431768211456", b"1" + b"0" * 100, b"-1" + b"0" * 400, b"9" * 4_301),
)
"""Over int64, uint64, exact doubles, 128 bits, and CPython's limit of 4 300 digits."""
_TRIES = 8
"""How many values are looked up before giving up; a path costs some microseconds."""
_CONSTANTS = (b"NaN", b"Infinity", b"-Infinity")
"""As the parsers of several languages take them unless they are told otherwise."""
_LOOKED_UP = 50
_OF_FRACTIONS = 0.8
_NOT_NUMBERS = (
    b"nan",
    b"inf",
    b"+1",
    b"01",
    b".5",
    b"1.",
    b"0x10",
    b"1_000",
    b"--1",
    b"1e",
)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def bound_json_number(request: Request, rng: Random) -> Edit | None:
    """At the edges of int8 to int128 and of exact doubles (RFC 8259 §6): taken or denied, never a crash."""
    edge = 1 << rng.choice(_EDGES)
    value = rng.choice((edge, edge - 1, edge + 1, -edge, -edge - 1, -edge + 1))
    return replaced(request, rng, NUMBERS, lambda _, __: b"%d" % value, f"set to {value}:")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def oversize_json_integer(request: Request, rng: Random) -> Edit | None:
    """Integers beyond 2^63 are legal JSON (RFC 8259 §6) that storage may not hold: denied, not a crash
    (CWE-190).
    """
    return replaced(request, rng, NUMBERS, lambda _, __: rng.choice(_BEYOND), "set beyond 64 bits:")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def extreme_json_float(request: Request, rng: Random) -> Edit | None:
    """Numbers that doubles cannot hold (1e400) or hold oddly (-0) are legal JSON (RFC 8259 §6): taken
    or denied.
    """
    return replaced(request, rng, NUMBERS, lambda _, __: rng.choice(_FLOATS), "set to an extreme float:")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def unjson_number(request: Request, rng: Random) -> Edit | None:
    """A sign, a leading zero, a base and the like make no JSON number (RFC 8259 §6); parsers may take
    extensions (§9), but must not echo them.
    """
    return replaced(
        request, rng, NUMBERS, lambda _, __: rng.choice(_NOT_NUMBERS), "set to what is no JSON number:"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def unjson_constant(request: Request, rng: Random, known: Known) -> Edit | None:
    """NaN and Infinity are no JSON (RFC 8259 §6): parsers that take them (§9) must not let them be echoed,
    nor compare them. Best where fractions go: whoever wants an integer refuses them.
    """
    document = document_of(request)
    found = nodes(document, NUMBERS) if document else []
    if document is None or not found:
        return None
    fractions = [node for node in found[:_LOOKED_UP] if _is_fraction(document, node, known)]
    node = rng.choice(fractions if fractions and rng.random() < _OF_FRACTIONS else found)
    text = json.replace(document, node, rng.choice(_CONSTANTS))
    return rewritten(request, document, text, "set to what is no JSON number:", node)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def nudge_json_number(request: Request, rng: Random) -> Edit | None:
    """One off, negated, zero or many times: limits are off by one more often than not (CWE-193)."""

    def value(document: Document, node: Node) -> bytes | None:
        raw = document.raw(node)
        if not raw.lstrip(b"-").isdigit() or len(raw) > 40:
            return rng.choice((b"0", b"-" + raw.lstrip(b"-"), b"0.5", b"-1"))
        number = int(raw)
        return b"%d" % rng.choice((number + 1, number - 1, -number, 0, number * 10, number * 1_000_000, -1))

    return replaced(request, rng, NUMBERS, value, "nudged")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def write_number_as_text(request: Request, rng: Random) -> Edit | None:
    """A number as a string, padded, grouped, in another script or base: coerced or denied, never a crash and
    never another number (CATS type coercion, CWE-704).
    """

    def value(document: Document, node: Node) -> bytes:
        raw = document.raw(node).decode()
        wide = "".join(chr(ord(char) + 0xFEE0) if char.isdigit() else char for char in raw)
        forms = (
            f" {raw}",
            f"{raw} ",
            f"0{raw}",
            f"+{raw}",
            f"{raw},0",
            f"{raw}.",
            f"{raw}e0",
            f"{raw}abc",
            wide,
        )
        return json.quote(
            rng.choice((*forms, f"{raw}\n", f"'{raw}", f"{raw}\x00", f"0x{raw}", f"{raw}%", ""))
        )

    return replaced(request, rng, NUMBERS, value, "wrote as text")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def lengthen_json_number(request: Request, rng: Random) -> Edit | None:
    """Thousands of digits are legal (RFC 8259 §6), and slow to those who convert them carelessly (CWE-400,
    CVE-2020-10735).
    """
    size = rng.choice((309, 4_301, 40_000))
    digits = b"9" * size
    number = rng.choice((digits, b"0." + digits, b"-" + digits, b"1e999999", digits + b"e-5"))
    return replaced(request, rng, NUMBERS, lambda _, __: number, "set to a very long number:")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def flip_json_boolean(request: Request, rng: Random) -> Edit | None:
    """The other truth value is as legal as the first: any clean answer (JSON has two, RFC 8259 §3)."""
    kinds = frozenset({Kind.BOOLEAN})
    return replaced(request, rng, kinds, lambda d, n: b"false" if d.raw(n) == b"true" else b"true", "flipped")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def recorded_in_json(request: Request, rng: Random, known: Known) -> Edit | None:
    """A value that traffic showed in the same place is one that the service knows; any clean answer
    will do.
    """
    document = document_of(request)
    found = nodes(document, SCALARS) if document else []
    if document is None or not found:
        return None
    for node in rng.sample(found, min(len(found), _TRIES)):
        seen = _seen(document, node, known)
        raw = _as_json(rng.choice(seen), node) if seen else None
        if raw is not None and raw != document.raw(node):
            return rewritten(
                request, document, json.replace(document, node, raw), "put a recorded value into", node
            )
    return None


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def foreign_in_json(request: Request, rng: Random, known: Known) -> Edit | None:
    """A value from another place, of the same type, is well formed and means something else: any clean
    answer.
    """
    document = document_of(request) if known.kinds else None
    found = nodes(document, STRINGS | NUMBERS) if document else []
    if document is None or not found:
        return None
    node = rng.choice(found)
    held = document.raw(node)
    kind = kind_of(json.text_of(held) if node.kind is Kind.STRING else held.decode("latin-1"))
    own = "body:" + json.place(document, node)
    alike = [each for each in known.kinds.get(kind, ()) if each[0] != own]
    if not alike:
        return None
    place, value = rng.choice(alike)
    new = _as_json(value, node)
    if new is None:
        return None
    return rewritten(
        request, document, json.replace(document, node, new), f"put a value of {place} into", node
    )


def _seen(document: Document, node: Node, known: Known) -> tuple[str, ...]:
    """What traffic showed in the same place, array positions told apart or not."""
    exact = known.values.get("body:" + json.path(document, node))
    return exact or known.values.get("body:" + json.place(document, node), ())


def _as_json(value: str, node: Node) -> bytes | None:
    """`value` as raw JSON of the node's type: it may be recorded as JSON text or as plain text; None if
    it fits none.
    """
    raw = value.encode("utf-8", "surrogatepass")
    if node.kind is Kind.STRING and raw[:1] != b'"':
        return json.quote(value)
    parsed = json.parse(raw) if len(raw) <= 4_096 else None
    if parsed is not None and parsed.root.kind is node.kind:
        return raw
    if node.kind is Kind.STRING:
        return json.quote(value)
    return None


def _is_fraction(document: Document, node: Node, known: Known) -> bool:
    """Whether the number is one, or traffic showed one in its place."""
    seen = known.values.get("body:" + json.place(document, node), ())
    return any(kind_of(each) == "decimal" for each in (document.raw(node)[:100].decode("latin-1"), *seen))
