"""Field lines written oddly or wrongly (RFC 9112 §5)."""

from functools import lru_cache
from random import Random

from mutators._contract import mutator
from mutators._message import edit_lines, editable, insert_line, is_http11, joined, lines_of, raw_edit
from shadow.model import Edit, Expect, Known, Level, Request, field

_NO_FIELDS = (b"shadow", b": shadow", b":", b"X-Shadow Y: 1", b"X-Shadow(: 1", b"\xc3\xa9: 1", b"X\x01: 1")
_ODD_VALUES = (b"a\x00b", b"a\rb", b"a\x01b", b"a\x7fb", b"\x85a", b"a\xa0", b"\xff", b"a\x0bb", b"a\nb")


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def space_around_value(request: Request, rng: Random, known: Known) -> Edit | None:
    """White space around a field value is not part of it (RFC 9112 §5.1)."""
    found = editable(request, known)
    if not found:
        return None
    at = rng.choice(found)
    name, value = request.headers[at]
    before, after = rng.choice(((b"", b""), (b"  ", b" "), (b"\t", b""), (b" \t ", b"\t"), (b" ", b" ")))

    def change(lines: list[bytes]) -> None:
        lines[at + 1] = name + b":" + before + value + after

    return edit_lines(request, change, f"put other white space around the value of {_shown(name)}")


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
def no_field_at_all(request: Request, rng: Random) -> Edit | None:
    """A line without a colon, or with an empty or impossible name, breaks the grammar (RFC 9112 §5): it
    should be answered 400 (§2.2), yet widely used servers leave such a line out.
    """
    line = rng.choice(_NO_FIELDS)
    return insert_line(request, rng, line, f"put in the line {line!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_bytes_in_value(request: Request, rng: Random) -> Edit | None:
    """NUL, CR and LF in a value are refused or read as spaces (RFC 9110 §5.5); others kept, dropped or
    refused.
    """
    value = rng.choice(_ODD_VALUES)
    return insert_line(request, rng, b"X-Shadow-Extra: " + value, f"put in a field with the value {value!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def folded_field(request: Request, rng: Random) -> Edit | None:
    """A folded field line is refused, or read with spaces for the fold (RFC 9112 §5.2)."""
    fold = rng.choice((b"a\r\n b", b"a\r\n\tb", b"\r\n a", b"a\r\n \r\n b"))
    return insert_line(request, rng, b"X-Shadow-Extra: " + fold, "folded a field line")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def space_before_first_field(request: Request, rng: Random) -> Edit | None:
    """A line that begins with white space after the request line is refused, or left out (RFC 9112 §2.2)."""
    line = rng.choice((b" X-Shadow-Extra: 1", b"\tX-Shadow-Extra: 1", b" "))
    return edit_lines(request, lambda lines: lines.insert(1, line), "put white space before the first field")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def bare_line_feeds(request: Request, rng: Random) -> Edit | None:
    """A single LF may be read as a line end, or refused (RFC 9112 §2.2)."""
    lines, body = lines_of(request)
    if rng.random() < 0.5:
        return raw_edit(request, joined(lines, body, b"\n"), "ended every line with LF alone")
    at = rng.randrange(len(lines))
    head = b"\r\n".join(lines[: at + 1]) + b"\n" + b"\r\n".join(lines[at + 1 :])
    end = b"\r\n\r\n" if at + 1 < len(lines) else b"\r\n"
    return raw_edit(request, head + end + body, "ended a line with LF alone")


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
def odd_host(request: Request, rng: Random) -> Edit | None:
    """Two Hosts or an invalid one must be answered 400 (RFC 9112 §3.2); as many servers let it pass,
    only a change of mind between releases counts.
    """
    if not is_http11(request):
        return None
    line = rng.choice(
        (b"Host: shadow.invalid", b"host: a b", b"Host: a/b", b"Host: a@b", b"Host: [::1", b"Host: a:b:c")
    )
    return insert_line(request, rng, line, f"put in a second {line!r}")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def many_fields(request: Request, rng: Random) -> Edit | None:
    """A server may refuse fields beyond what it wishes to process (431, RFC 9110 §5.4), at no great cost."""
    count = rng.choice((101, 257, 1_001, 10_000))
    return edit_lines(request, lambda lines: lines.append(_fields(count)), f"added {count} fields")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def huge_field(request: Request, rng: Random) -> Edit | None:
    """A field larger than the server wishes to process is refused (4xx, RFC 9110 §5.4), at no great cost."""
    size = rng.choice((4_097, 8_193, 16_385, 65_537, 1_000_000))
    line = rng.choice((b"X-Shadow-Extra: " + b"a" * size, b"X-" + b"a" * size + b": 1"))
    return insert_line(request, rng, line, f"added a field of {size} bytes")


@lru_cache(maxsize=4)
def _fields(count: int) -> bytes:
    """So many field lines, without the last one's end."""
    return b"\r\n".join(b"X-Shadow-%d: %d" % (n, n) for n in range(count))


def _shown(name: bytes) -> str:
    return repr(name.decode("latin-1"))
