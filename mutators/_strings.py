"""Text that breaks software, by kind; shared by every part of a message that holds text."""

import re
import unicodedata
from random import Random

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

_MISFITS = ("!", "!", "<!>", "@!", "\x00", "\n")
"""What most patterns of names and words do not end in; the exclamation mark is the most usual of them."""

_LOOKS = (
    (re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), "uuid"),
    (re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.]+(Z|[+-]\d\d:?\d\d)?)?"), "date"),
    (re.compile(r"[^@\s]+@[^@\s]+"), "email"),
    (re.compile(r"\d{1,3}(\.\d{1,3}){3}"), "ipv4"),
    (re.compile(r"[a-z][a-z0-9+.-]*://\S+"), "url"),
    (re.compile(r"-?\d+"), "integer"),
    (re.compile(r"-?\d+\.\d+"), "decimal"),
    (re.compile(r"\+?\d[\d ()/.-]{6,18}\d"), "phone"),
    (re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+\.?", re.IGNORECASE), "name"),
    (re.compile(r"\s*[{\[].*[}\]]\s*", re.DOTALL), "json"),
    (re.compile(r"(?=.{16})[A-Za-z0-9+/_-]+={0,2}"), "base64"),
    (re.compile(r"\^.*|.*\$|.*[*+?]\)?.*"), "pattern"),
    (re.compile(r"\d\d:\d\d(:\d\d)?"), "time"),
    (re.compile(r"(?=[^:]*:[^:]*:)[0-9a-fA-F:.]{2,45}"), "ipv6"),
)
_NEAR_MISSES = {
    "uuid": (
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "{12345678-1234-1234-1234-123456789012}",
        "1234567-1234-1234-1234-123456789012",
        "g2345678-1234-1234-1234-123456789012",
        "12345678123412341234123456789012",
    ),
    "date": (
        "2023-02-29",
        "2024-02-30T00:00:00Z",
        "0000-00-00",
        "9999-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "2024-06-30T23:59:60Z",
        "2024-01-01T25:00:00Z",
        "2024-01-01T00:00:00+99:99",
        "1970-01-01T00:00:00Z",
        "01/02/2024",
        "1700000000",
    ),
    "email": (
        "a@",
        "@b",
        "a@b@c.example",
        "a b@c.example",
        '"a b"@c.example',
        "a@[127.0.0.1]",
        "a@c..example",
    ),
    "ipv4": (
        "256.1.1.1",
        "1.1.1",
        "1.1.1.1.1",
        "0.0.0.0",  # noqa: S104  # an address to send, not one to bind
        "127.1",
        "0x7f.1",
        "010.0.0.1",
        "::1",
        "1.1.1.1/33",
    ),
    "url": (
        "http://",
        "http:///a",
        "//a",
        "javascript:alert(1)",
        "http://[::1",
        "http://a:99999/",
        "file:///",
    ),
    "phone": (
        "+",
        "+1",
        "+0000000000000000000000",
        "00",
        "+1 (555",
        "+1-555-CALL-NOW",
        "tel:+15550100",
        "\uff0b\uff11\uff15",
        "+15550100;ext=1",
    ),
    "json": ("{", "[", "{}", "[]", "null", '{"a":}', '{"a":1}x', "[" * 2_000, '"', '{"a":NaN}', "{'a':1}"),
    "base64": (
        "=",
        "a",
        "aaa",
        "====",
        "YQ",
        "YQ=",
        "YQ===",
        "Y Q==",
        "-_-_",
        "+/+/",
        "Y\x00Q==",
        "YR==",
        "!!!!",
    ),
    "pattern": (
        "(",
        "[",
        "*",
        "(?P<a",
        "a{99999}",
        "(a+)+$",
        "\\\\",
        "(?<!a+)b",
        "[z-a]",
        "(?R)",
        "\\1",
        "a{2,1}",
    ),
    "ipv6": (
        "::",
        ":::",
        "::1%lo",
        "1::2::3",
        "::ffff:127.0.0.1",
        "fe80::1%25eth0",
        "g::1",
        "[::1]",
        "1:2:3:4:5:6:7",
    ),
    "time": ("24:00:00", "23:59:60", "25:00", "-01:00", "00:60", "12:00:00.1234567890", "1:2:3"),
    "integer": (
        "+1",
        "01",
        "1_000",
        "1e3",
        " 1",
        "1 ",
        "0x10",
        "\uff11",
        "\u0661",
        "1.0",
        "9223372036854775808",
        "-0",
    ),
    "decimal": (
        "1,5",
        ".5",
        "1.",
        "1e309",
        "NaN",
        "Infinity",
        "0.1000000000000000055511151231257827",
        "-0.0",
    ),
    "name": (
        "a..b",
        ".a.b",
        "a.b.",
        "-a.b",
        "a" * 64 + ".b",
        ".".join(["a" * 63] * 5),
        "xn--a",
        "a_b.c",
        "*.a",
    ),
}


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
    for shape, name in _LOOKS:
        if len(text) <= 2_000 and shape.fullmatch(text):
            return rng.choice(_NEAR_MISSES[name])
    return None


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


def long_run(text: str, rng: Random) -> str:
    """A run that makes backtracking patterns slow: one or two characters of `text`'s kind, then one
    that fits none.
    """
    seed = text[:1] or "a"
    plain = rng.choice((seed, seed, "a", "0"))
    pairs = (seed + "-", seed + ".", seed + " ", " ", "a@", "(", "/", seed * 2 + "-")
    unit = rng.choice((plain,) * 6 + pairs)
    size = rng.choice((26, 40, 2_000, 50_000))
    return (unit * size)[:size] + rng.choice(_MISFITS)


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
