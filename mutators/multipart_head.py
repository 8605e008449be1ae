"""Heads of the parts of multipart bodies: names, file names, types, codings, spelled otherwise or tricky."""

import re
from random import Random

from mutators._contract import mutator
from mutators._multipart import change_part
from shadow.content.multipart import Part, disposition
from shadow.model import Edit, Expect, Level, Request

_NAME = re.compile(rb'(?<![\w*])name="((?:[^"\\\r\n]|\\.)*)"')
_LINE = re.compile(rb"(?im)^(content-disposition|content-type)(:[ \t]*)")
_CODINGS = (b"base64", b"quoted-printable", b"binary", b"8bit", b"x-shadow", b"gzip", b"")


@mutator(level=Level.BODY, expect=Expect.SAME)
def flip_part_field_case(request: Request, rng: Random) -> Edit | None:
    """Names of a part's fields are case-insensitive, as those of mail are (RFC 2045 §1, RFC 5322 §1.2.2)."""

    def change(part: Part) -> Part:
        head = _LINE.sub(lambda found: found[1].swapcase() + found[2], part.head)
        return Part(head, part.body, part.delimiter_tail, part.blank)

    return change_part(request, rng, change, "flipped the case of the field names of")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def trick_part_name(request: Request, rng: Random) -> Edit | None:
    """A name twice, in the extended notation, without quotes or with escapes: which one counts parsers and
    filters before them disagree about (CWE-436, RFC 7578 §4.2).
    """
    form = rng.choice(
        (
            b'name="%b"; name="shadow"',
            b'name="shadow"; name="%b"',
            b"name*=UTF-8''%b",
            b"name=%b",
            b"name='%b'",
            b'name="%b\\""',
            b'name="%b',
            b'name="%b\x00"',
            b'NAME="%b"',
            b'name = "%b"',
            b"name=\"%b\"; name*=UTF-8''shadow",
            b'name*0="%b"; name*1="shadow"',
            b'name="=?utf-8?q?%b?="',
        )
    )

    def change(part: Part) -> Part:
        head = _NAME.sub(lambda found: form % found[1], part.head, count=1)
        return Part(head, part.body, part.delimiter_tail, part.blank)

    return change_part(request, rng, change, f"wrote the name as {form!r} in")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def extend_file_name(request: Request, rng: Random) -> Edit | None:
    """``filename*`` must not be used in forms (RFC 7578 §4.2): ignored or refused; where it is read, in
    whatever charset, it is no path (CWE-22).
    """
    value = rng.choice(
        (
            b"UTF-8''..%2f..%2fshadow.txt",
            b"utf-16''%fe%ff",
            b"x-shadow''a.txt",
            b"UTF-8''%ff%fe",
            b"''a.txt",
            b"UTF-8'en'a%00.txt",
            b'"a.txt"',
        )
    )

    def change(part: Part) -> Part:
        is_file = disposition(part.head, b"filename") is not None
        more = b"; filename*=" + value if is_file else b'; filename="a.txt"; filename*=' + value
        head = re.sub(rb"(?im)^(content-disposition:[^\r\n]*)", lambda found: found[1] + more, part.head)
        return Part(head, part.body, part.delimiter_tail, part.blank)

    return change_part(request, rng, change, f"added filename*={value.decode('latin-1')} to")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def code_part(request: Request, rng: Random) -> Edit | None:
    """Content-Transfer-Encoding is deprecated in forms (RFC 7578 §4.7): ignored, or undone, never a crash
    over one that is wrong.
    """
    coding = rng.choice(_CODINGS)
    return _with_line(request, rng, b"Content-Transfer-Encoding: " + coding, "stated a transfer encoding of")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def state_part_charset(request: Request, rng: Random) -> Edit | None:
    """A text part may state its charset (RFC 7578 §4.4, §4.6); one that is wrong or unknown is no crash."""
    charset = rng.choice((b"utf-16", b"utf-7", b"x-shadow", b"rot13", b"\xff", b""))
    return _with_line(request, rng, b"Content-Type: text/plain; charset=" + charset, "stated a charset of")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def fold_part_field(request: Request, rng: Random) -> Edit | None:
    """A field of a part folded over two lines is one field to mail (RFC 5322 §2.2.3), and two or none to
    parsers that do not unfold: releases must agree.
    """

    def change(part: Part) -> Part:
        head = re.sub(rb";[ \t]*", rng.choice((b";\r\n ", b";\r\n\t")), part.head, count=1)
        return Part(head, part.body, part.delimiter_tail, part.blank)

    return change_part(request, rng, change, "folded a field of")


def _with_line(request: Request, rng: Random, line: bytes, what: str) -> Edit | None:
    """An edit with `line` in the head of a part, in place of one of that name."""
    name = line.partition(b":")[0]

    def change(part: Part) -> Part:
        head = re.sub(rb"(?im)^" + re.escape(name) + rb":[^\r\n]*\r\n", b"", part.head) + line + b"\r\n"
        return Part(head, part.body, part.delimiter_tail, part.blank)

    return change_part(request, rng, change, what)
