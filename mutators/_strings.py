"""Text that breaks software, by kind; shared by every part of a message that holds text."""

import re
import unicodedata
from random import Random

from mutators._formats import LOOKS, NEAR_MISSES

CONTROL = (
    "\x00",
    "a\x00b",
    "\x01",
    "\x08",
    "\x0b",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\r\n",
    "\t",
    "\u2028",
    "\u2029",
)
LONE_SURROGATES = ("\ud800", "\udfff", "a\ud800b", "\udc00\ud800", "\ud83d")
INVISIBLE = (
    "\u200b",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u00ad",
    "\u3164",
    "\u034f",
    "\u180e",
    "\u00a0",
    "\u2003",
)
BIDI = ("\u202e", "\u202d", "\u2066", "\u2069", "\u200f", "\u061c")
EMOJI = ("\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f")
ODD = (
    "\uffff",
    "\ufffd",
    "\U0010ffff",
    "\ufdfd",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b",
    "\u1e9e",
    "\u0130",
    "\ufb03",
)
"""Non-characters, combining marks, and letters whose case change alters their length."""
GROWING = ("\u1e9e", "\u0130", "\ufb03", "\u0390", "\u1f52", "\u00df", "\u0149", "\u01f0", "\u2c65", "\u023a")
"""Letters whose other case has more characters, or more bytes in UTF-8 (Unicode SpecialCasing)."""
STACKED = (
    "Z" + "\u0351\u036b\u0343\u036a" * 40,
    "\u0e01" + "\u0e49" * 60,
    "\u0bcc\u0bcb\u0bc6" * 8,
    "\ufdfa" * 4,
)
"""Marks on marks, signs of scripts that stack, and one character that folds to eighteen (NFKC)."""
HOMOGLYPHS = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")
"""Latin letters and the Cyrillic ones that look like them (Unicode TR 39)."""

LONG_SIZES = (129, 256, 1_025, 4_097, 65_536, 262_145)
"""Just over usual limits of names, columns, lines and buffers."""

FORMATS = ("%s%s%s%s%n", "%x" * 32, "{0}{1}", "{{7*7}}", "${7*7}", "<%= 7*7 %>", "#{7*7}", "%(shadow)s")
"""Format strings and templates: 49 in an answer means that a template was evaluated."""

WORDS = (
    "null",
    "None",
    "undefined",
    "NaN",
    "true",
    "0",
    "-1",
    "[object Object]",
    "*",
    "%",
    "_",
    ".",
    "..",
    "/",
    "\\",
)

_DOMAIN_NAME = re.compile(
    r"(?<![A-Za-z0-9_.-])(?:[A-Za-z0-9_-]{1,63}\.){1,40}[A-Za-z]{2,63}(?![A-Za-z0-9_-])"
)
_MISFITS = ("!", "!", "<!>", "@!", "\x00", "\n")
"""What most patterns of names and words do not end in; the exclamation mark is the most usual of them."""


def hostile(rng: Random) -> str:
    """A short string from any of the tables."""
    return rng.choice(rng.choice((CONTROL, LONE_SURROGATES, INVISIBLE, BIDI, EMOJI, ODD, FORMATS, WORDS)))


def inserted(text: str, piece: str, rng: Random) -> str:
    """`text` with `piece` before it, after it, within it, or instead of it."""
    at = rng.choice((0, len(text), rng.randint(0, len(text))))
    return piece if rng.random() < 0.25 else text[:at] + piece + text[at:]


def near_miss(text: str, rng: Random) -> str | None:
    """Something that is almost, or at the edge of, the format that `text` has; None where it has none
    we know.
    """
    for shape, name in LOOKS:
        if len(text) <= 2_000 and shape.fullmatch(text):
            return rng.choice(NEAR_MISSES[name])
    return None


def with_long_label(text: str, size: int) -> str | None:
    """`text` with `size` characters in the first label of the domain name that it is or has; None where there
    is none."""
    found = _DOMAIN_NAME.search(text[:2_000])
    if found is None:
        return None
    label = found[0].split(".", 1)[0]
    letter = label[0] if label[0].isalnum() else "a"  # labels neither begin nor end with a hyphen
    return text[: found.start()] + letter * size + text[found.start() + len(label) :]


def neighbour(text: str, rng: Random) -> str:
    """A word beside `text`, as enumerations have them: other case, one character off, white space round
    it.
    """
    swapped = text[1:2] + text[:1] + text[2:]
    near = (
        text.upper(),
        text.lower(),
        text.swapcase(),
        text + "s",
        text[:-1],
        f" {text}",
        f"{text} ",
        swapped,
        f"{text},{text}",
    )
    return rng.choice(near)


def stretched[T: (str, bytes)](text: T, size: int) -> T:
    """`text`, which is not empty, over and over until it is `size` long; cut short where it is longer."""
    return (text * (size // len(text) + 1))[:size]


def long_run(text: str, rng: Random) -> str:
    """A run that makes backtracking patterns slow: one or two characters of `text`'s kind, then one
    that fits none.
    """
    seed = text[:1] or "a"
    plain = rng.choice((seed, seed, "a", "0"))
    pairs = (seed + "-", seed + ".", seed + " ", " ", "a@", "(", "/", seed * 2 + "-")
    unit = rng.choice((plain,) * 6 + pairs)
    size = rng.choice((26, 40, 2_000, 50_000))
    return stretched(unit, size) + rng.choice(_MISFITS)


def other_form(text: str, rng: Random) -> str | None:
    """`text` in another Unicode normal form (UAX 15); with an accent put on its first letter where it
    has none.
    """
    forms = [
        form for name in ("NFC", "NFD", "NFKC", "NFKD") if (form := unicodedata.normalize(name, text)) != text
    ]
    if forms:
        return rng.choice(forms)
    at = next((at for at, char in enumerate(text) if char in "aeiouAEIOU"), None)
    return None if at is None else text[: at + 1] + "\u0301" + text[at + 1 :]


def raw(text: str) -> bytes:
    """`text` as UTF-8; lone surrogates as the three bytes that a careless encoder makes of them (CESU)."""
    return text.encode("utf-8", "surrogatepass")
