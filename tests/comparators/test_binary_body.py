"""Binary content: pictures by their size, archives by what they hold."""

import gzip
from io import BytesIO
from struct import pack
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparators import compare
from comparators._archives import unpacked
from comparators._pictures import Size, kind_of, size_of
from shadow.model import Response

JFIF = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def png(width: int, height: int, more: bytes = b"") -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + pack(">II", width, height) + b"\x08\x06\x00\x00\x00" + more
    )


def jpeg(width: int, height: int, more: bytes = b"") -> bytes:
    return JFIF + b"\xff\xff\xc2\x00\x11\x08" + pack(">HH", height, width) + b"\x03" + more


def webp(form: bytes, head: bytes) -> bytes:
    return b"RIFF\x00\x00\x00\x00WEBP" + form + b"\x00\x00\x00\x00" + head


def archive(year: int, text: str = "hello", packing: int = ZIP_DEFLATED) -> bytes:
    out = BytesIO()
    with ZipFile(out, "w", packing) as made:
        made.writestr(ZipInfo("a.txt", (year, 1, 1, 0, 0, 0)), text, packing)
        made.writestr(ZipInfo("b/c.txt", (year, 1, 1, 0, 0, 0)), "x", packing)
    return out.getvalue()


def pdf(made: bytes, pages: int) -> bytes:
    page = b"<< /Type /Page >>\n" * pages
    return (
        b"%PDF-1.4\n\xe2\xe3\x00\n"
        + page
        + b"/CreationDate (D:"
        + made
        + b") /ID [<"
        + made
        + b"><00>]\n%%EOF"
    )


def told(left: bytes, right: bytes) -> list[tuple[str, str]]:
    one, other = (Response(200, headers=((b"Content-Type", b"x/y"),), body=each) for each in (left, right))
    return [(each.where, each.change.value) for each in compare(one, other)]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(png(3, 4, b"a\0"), png(3, 4, b"bcd\0"), [("body", "value")], id="encoded anew"),
        pytest.param(png(3, 4), png(3, 5), [("body:size", "value")], id="another size"),
        pytest.param(jpeg(9, 4, b"\0"), jpeg(9, 5, b"\0\0"), [("body:size", "value")], id="jpeg"),
        pytest.param(png(3, 4), jpeg(3, 4), [("body", "type")], id="another format"),
        pytest.param(png(3, 4), png(3, 4)[:12], [("body:size", "value")], id="cut"),
        pytest.param(archive(1990), archive(2020), [], id="packed at another time"),
        pytest.param(archive(1990), archive(1990, packing=ZIP_STORED), [], id="packed in another way"),
        pytest.param(
            archive(1990), archive(1990, "hullo"), [('body:$["a.txt"].crc32', "value")], id="member"
        ),
        pytest.param(archive(1990), archive(1990)[:-30], [("body", "length")], id="archive that was cut"),
        pytest.param(gzip.compress(b"a\nb", 9, mtime=1), gzip.compress(b"a\nb", 1, mtime=2), [], id="gzip"),
        pytest.param(
            gzip.compress(b"a\nb"), gzip.compress(b"a\nc"), [("body:line[1]", "value")], id="text in it"
        ),
        pytest.param(gzip.compress(b"\0\1"), gzip.compress(b"\0\2"), [("body", "value")], id="bytes in it"),
        pytest.param(
            gzip.compress(b"ab")[:-9], gzip.compress(b"ab"), [("body", "length")], id="gzip that was cut"
        ),
        pytest.param(pdf(b"2020", 2), pdf(b"2024", 2), [], id="made at another time"),
        pytest.param(pdf(b"2020", 2).replace(b"\xe2\xe3\0", b""), pdf(b"2024", 2), [], id="of text alone"),
        pytest.param(pdf(b"2020", 2), pdf(b"2024", 3), [("body:pages", "value")], id="pages"),
        pytest.param(b"\0\1", b"\0\2", [("body", "value")], id="bytes"),
        pytest.param(b"\0\1", b"\0", [("body", "length")], id="fewer bytes"),
    ],
)
def test_binary_content_is_compared_by_what_it_is(
    left: bytes, right: bytes, expected: list[tuple[str, str]]
) -> None:
    assert told(left, right) == expected


@pytest.mark.parametrize(
    ("body", "kind", "size"),
    [
        pytest.param(png(640, 480), "png", Size(640, 480), id="png"),
        pytest.param(jpeg(640, 480), "jpeg", Size(640, 480), id="jpeg, progressive, with a fill byte"),
        pytest.param(b"GIF89a" + pack("<HH", 640, 480), "gif", Size(640, 480), id="gif"),
        pytest.param(
            b"BM" + bytes(16) + pack("<ii", 640, -480), "bmp", Size(640, 480), id="bmp from the top"
        ),
        pytest.param(b"\0\0\1\0\1\0\x10\0", "ico", Size(16, 256), id="ico"),
        pytest.param(
            webp(b"VP8X", b"\0\0\0\0" + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
            "webp",
            Size(640, 480),
            id="webp, extended",
        ),
        pytest.param(
            webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + pack("<HH", 640 | 0x4000, 480)),
            "webp",
            Size(640, 480),
            id="webp",
        ),
        pytest.param(
            webp(b"VP8L", b"\x2f" + (639 | 479 << 14).to_bytes(4, "little")),
            "webp",
            Size(640, 480),
            id="lossless",
        ),
    ],
)
def test_sizes_of_pictures_are_read_as_their_formats_say(body: bytes, kind: str, size: Size) -> None:
    assert kind_of(body) == kind
    assert size_of(body, kind) == size


@given(st.sampled_from(["png", "jpeg", "gif", "bmp", "ico", "webp"]), st.binary(max_size=60))
def test_any_bytes_have_a_size_or_none(kind: str, body: bytes) -> None:
    found = size_of(body, kind)
    assert found is None or found.width >= 0


@given(
    st.binary(max_size=80),
    st.binary(max_size=80),
    st.sampled_from([b"PK\3\4", b"\x1f\x8b\x08", b"%PDF-\0", b""]),
)
def test_any_two_binary_bodies_can_be_compared(left: bytes, right: bytes, magic: bytes) -> None:
    assert told(magic + left + b"\0", magic + left + b"\0") == []
    assert bool(told(magic + left + b"\0", magic + right + b"\0")) is bool(
        told(magic + right + b"\0", magic + left + b"\0")
    )


def test_what_unpacks_to_far_too_much_is_not_unpacked() -> None:
    assert unpacked(gzip.compress(bytes(40 << 20))) is None
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"
