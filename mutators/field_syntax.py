"""Field lines written oddly or wrongly (RFC 9112 §5)."""

from functools import lru_cache
from random import Random

from mutators._contract import mutator
from mutators._message import edit_lines, editable, insert_line, is_http11, joined, lines_of, odd_edit
from shadow.model import Edit, Ending, Expect, Known, Level, Request, field

_BAD_NAMES = (
    *(b"X-Shadow Y", b"X-Shadow(", b"X\x01", b"X\x00", b"X\xa0", b"X/Y", b'"X"', b"X\x7f", b"\xc3\xa9"),
    *(b"X\xe2\x80\x8b", b"\xef\xbb\xbfX", b"X\xcc\xb6\xcd\x9b", b"X\r", b"X\xf0\x9f\x98\x80"),
)
"""Delimiters, control characters, white space, and invisible, combining and other letters of Unicode."""
_LINE_BYTES = (b"a\x00b", b"a\rb", b"a\nb", b"a\x00", b"\x00", b"a\r", b"a\r\rb", b"a\n\rb", b"a\r\x00b")
_ODD_SPACES = (
    *(b"\x85", b"\xa0", b"\x0b", b"\x0c", b"\x1c", b"\x1f", b"\xc2\x85", b"\xc2\xa0"),
    *(b"\xe2\x80\x83", b"\xe2\x80\xa8", b"\xe3\x80\x80", b"\xe2\x80\x8b"),
)
"""What str.strip of some language takes for white space, and RFC 9110 §5.6.3 does not."""
_INVALID_HOSTS = (
    b"a b",
    b"a/b",
    b"a@b",
    b"[::1",
    b"a:b:c",
    b"a,b",
    b"\x00",
    b"a\xa0",
    b"a#b",
    b"%zz",
    b"a:99999",
)


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def space_before_value(request: Request, rng: Random, known: Known) -> Edit | None:
    """White space before a field value is not part of it (RFC 9112 §5.1)."""
    space = rng.choice((b"", b"  ", b"\t", b" \t ", b" " * 20))
    return _spaced(request, rng, known, space, b"", Ending.READ)


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def space_behind_value(request: Request, rng: Random, known: Known) -> Edit | None:
    """White space behind a field value is not part of it (RFC 9112 §5.1), yet llhttp leaves it there: a
    change of mind between releases is what counts.
    """
    space = rng.choice((b" ", b"\t", b" \t ", b" " * 20))
    return _spaced(request, rng, known, b" ", space, Ending.LISTEN)


@mutator(level=Level.FRAMING, expect=Expect.REJECT)
def space_before_colon(request: Request, rng: Random, known: Known) -> Edit | None:
    """White space between a field's name and its colon must be answered 400 (RFC 9112 §5.1)."""
    found = editable(request, known)
    gap = rng.choice((b" ", b"\t"))
    if not found:
        return insert_line(request, rng, b"X-Shadow-Extra" + gap + b": 1", "put a space before a colon")
    at = rng.choice(found)
    name, value = request.headers[at]

    def change(lines: list[bytes]) -> None:
        lines[at + 1] = name + gap + b": " + value

    return edit_lines(request, change, f"put {gap!r} before the colon of {_shown(name)}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def no_colon(request: Request, rng: Random) -> Edit | None:
    """A line without a colon is no field (RFC 9112 §5): it should be answered 400 (§2.2), yet widely used
    servers leave such a line out.
    """
    line = rng.choice((b"shadow", b"X-Shadow 1", b"X-Shadow;1", b"GET / HTTP/1.1"))
    return insert_line(request, rng, line, f"put in the line {line!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def empty_name(request: Request, rng: Random) -> Edit | None:
    """A field name has one character at least (RFC 9110 §5.1): none should be answered 400 (RFC 9112 §2.2),
    yet widely used servers leave such a line out.
    """
    line = rng.choice((b": shadow", b":", b" : shadow", b"::"))
    return insert_line(request, rng, line, f"put in the line {line!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def bad_name(request: Request, rng: Random) -> Edit | None:
    """A field name is a token (RFC 9110 §5.1): anything else should be answered 400 (RFC 9112 §2.2), yet
    widely used servers pass such a field on, or leave it out.
    """
    name = rng.choice(_BAD_NAMES)
    return insert_line(request, rng, name + b": 1", f"put in a field with the name {name!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def line_bytes_in_value(request: Request, rng: Random) -> Edit | None:
    """NUL, CR and LF in a value are refused, or read as spaces (RFC 9110 §5.5), and never as the end of the
    field.
    """
    value = rng.choice(_LINE_BYTES)
    return insert_line(request, rng, b"X-Shadow-Extra: " + value, f"put in a field with the value {value!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def field_behind_line_byte(request: Request, rng: Random) -> Edit | None:
    """A field that begins behind a CR, LF or NUL within another's value is part of that value, or the whole
    is refused (RFC 9110 §5.5).
    """
    byte = rng.choice((b"\r", b"\n", b"\x00", b"\r\r", b"\n\r", b"\x85", b"\xe2\x80\xa8"))
    name, value = rng.choice(
        ((b"Host", b"shadow.invalid"), (b"Content-Length", b"1"), (b"X-Shadow-Extra", b"1"))
    )
    line = b"X-Shadow: a" + byte + name + b": " + value
    return insert_line(request, rng, line, f"put {name.decode()} behind {byte!r} in a value")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_space_around_value(request: Request, rng: Random) -> Edit | None:
    """White space is SP and HTAB alone (RFC 9110 §5.6.3): other bytes at a value's ends are part of it, or
    refused, and taken off only by mistake.
    """
    space = rng.choice(_ODD_SPACES)
    value = rng.choice((space + b"a", b"a" + space, space + b"a" + space, space))
    return insert_line(request, rng, b"X-Shadow-Extra: " + value, f"put in a field with the value {value!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def control_in_value(request: Request, rng: Random) -> Edit | None:
    """Control characters in a value are invalid and may be kept as they are where that is safe (RFC 9110
    §5.5), or be refused.
    """
    byte = bytes((rng.choice((*range(1, 9), *range(0x0E, 0x20), 0x7F)),))
    value = rng.choice((byte + b"a", b"a" + byte, b"a" + byte + b"b", byte))
    return insert_line(request, rng, b"X-Shadow-Extra: " + value, f"put in a field with the value {value!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def folded_field(request: Request, rng: Random) -> Edit | None:
    """A folded field line is refused, or read with spaces for the fold (RFC 9112 §5.2)."""
    fold = rng.choice(
        (b"a\r\n b", b"a\r\n\tb", b"\r\n a", b"a\r\n \r\n b", b"a\n b", b"a\r\n Host: shadow.invalid")
    )
    return insert_line(request, rng, b"X-Shadow-Extra: " + fold, "folded a field line")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def space_before_first_field(request: Request, rng: Random) -> Edit | None:
    """A line that begins with white space after the request line is refused, or left out (RFC 9112 §2.2)."""
    line = rng.choice((b" X-Shadow-Extra: 1", b"\tX-Shadow-Extra: 1", b" "))
    return edit_lines(request, lambda lines: lines.insert(1, line), "put white space before the first field")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def bare_line_feeds(request: Request, rng: Random) -> Edit | None:
    """A single LF may be read as a line end, or refused (RFC 9112 §2.2)."""
    return _ended_by(request, rng, b"\n", "LF")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def bare_returns(request: Request, rng: Random) -> Edit | None:
    """A bare CR is no line end: the element is invalid, or read with a space for it (RFC 9112 §2.2)."""
    return _ended_by(request, rng, b"\r", "CR")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def doubled_returns(request: Request, rng: Random) -> Edit | None:
    """CR CR LF is a line end behind a bare CR, which is invalid or read as a space (RFC 9112 §2.2)."""
    return _ended_by(request, rng, b"\r\r\n", "CR CR LF")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def no_host(request: Request, _rng: Random) -> Edit | None:
    """An HTTP/1.1 request without Host must be answered 400 (RFC 9112 §3.2); as many servers let it
    pass, only a change of mind between releases counts.
    """
    if not is_http11(request) or field(request.headers, b"host") is None:
        return None

    def change(lines: list[bytes]) -> None:
        lines[:] = [line for line in lines if not line.lower().startswith(b"host:")]

    return edit_lines(request, change, "left out Host")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def second_host(request: Request, rng: Random) -> Edit | None:
    """Two Hosts must be answered 400 (RFC 9112 §3.2); as many servers let it pass, only a change of mind
    between releases counts.
    """
    host = field(request.headers, b"host")
    if not is_http11(request) or host is None:
        return None
    value = rng.choice((b"shadow.invalid", b"shadow.invalid", host, b""))
    name = rng.choice((b"Host", b"host"))
    return insert_line(request, rng, name + b": " + value, f"put in a second Host {value!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def invalid_host(request: Request, rng: Random) -> Edit | None:
    """A Host that is no host must be answered 400 (RFC 9112 §3.2); as many servers let it pass, only a
    change of mind between releases counts.
    """
    if not is_http11(request) or field(request.headers, b"host") is None:
        return None
    host = rng.choice(_INVALID_HOSTS)

    def change(lines: list[bytes]) -> None:
        lines[:] = [b"Host: " + host if line.lower().startswith(b"host:") else line for line in lines]

    return edit_lines(request, change, f"made Host {host!r}")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def many_fields(request: Request, rng: Random) -> Edit | None:
    """A server may refuse fields beyond what it wishes to process (431, RFC 9110 §5.4), at no great cost."""
    count = rng.choice((101, 257, 1_001, 10_000))
    return edit_lines(request, lambda lines: lines.append(_fields(count)), f"added {count} fields")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def huge_field(request: Request, rng: Random) -> Edit | None:
    """A field larger than the server wishes to process is refused (4xx, RFC 9110 §5.4), at no great cost."""
    size = rng.choice((4_097, 8_193, 16_385, 65_537, 262_145))
    line = rng.choice((b"X-Shadow-Extra: " + b"a" * size, b"X-" + b"a" * size + b": 1"))
    return insert_line(request, rng, line, f"added a field of {size} bytes")


@lru_cache(maxsize=4)
def _fields(count: int) -> bytes:
    """So many field lines, without the last one's end."""
    return b"\r\n".join(b"X-Shadow-%d: %d" % (n, n) for n in range(count))


def _spaced(
    request: Request, rng: Random, known: Known, before: bytes, behind: bytes, ending: Ending
) -> Edit | None:
    """The value of one field with this white space around it."""
    found = editable(request, known)
    if not found:
        return None
    at = rng.choice(found)
    name, value = request.headers[at]

    def change(lines: list[bytes]) -> None:
        lines[at + 1] = name + b":" + before + value + behind

    return edit_lines(request, change, f"put other white space around the value of {_shown(name)}", ending)


def _ended_by(request: Request, rng: Random, end: bytes, name: str) -> Edit:
    """Every line of the head, or one of them, with another end."""
    lines, body = lines_of(request)
    if rng.random() < 0.5:
        return odd_edit(request, joined(lines, body, end), f"ended every line with {name}")
    at = rng.randrange(len(lines) + 1)  # the last is the empty line
    ends = [end if place == at else b"\r\n" for place in range(len(lines) + 1)]
    head = b"".join(line + line_end for line, line_end in zip([*lines, b""], ends, strict=True))
    return odd_edit(request, head + body, f"ended a line with {name}")


def _shown(name: bytes) -> str:
    return repr(name.decode("latin-1"))
