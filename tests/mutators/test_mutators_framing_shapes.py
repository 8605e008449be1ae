"""Every malformed shape that the framing family promises, from one GET, one POST and one chunked POST."""

import re

import pytest

from mutators import Mutator, dice
from shadow.model import Edit, Known, Request
from shadow.wire.http1 import serialise_request
from tests.mutators.test_mutators_framing_meaning import FAMILY

HEAD = ((b"Host", b"h.example"), (b"Accept", b"*/*"), (b"Shadow-Run", b"r1"), (b"Shadow-Trial", b"t1"))
COOKIES = (b"Cookie", b"sid=a1b2c3; theme=dark")
RECORDED = (
    Request(b"GET", b"/v1/items/42?limit=10&q=a", b"HTTP/1.1", (*HEAD, COOKIES)),
    Request(b"POST", b"/v1/items", b"HTTP/1.1", (*HEAD, (b"Content-Length", b"9")), b'{"a":"b"}'),
    Request(b"POST", b"/v1/items", b"HTTP/1.1", (*HEAD, (b"Transfer-Encoding", b"chunked")), b'{"a":"b"}'),
)
MUTANTS_MAX = 20_000
"""Within which every shape is dealt, where each mutator is dealt once to each exchange."""

NL = rb"\r\n"
TE = rb"\r\nTransfer-Encoding: "
CL = rb"\r\nContent-Length: "
CHUNKS = rb"\r\nTransfer-Encoding: chunked\r\n\r\n"
HIDDEN = rb"GET /shadow-smuggled HTTP/1\.1\r\n"

SHAPES: dict[str, tuple[str, bytes]] = {
    # chunk sizes
    **{
        f"chunk-size {size!r}": ("bad_chunk_size", CHUNKS + re.escape(size) + NL)
        for size in (b"0_1", b"+1", b"-1", b"0x1", b"1zz", b"", b" ", b"g")
    },
    "chunk-size '  0'": ("odd_chunk_size", rb"\r\n  0\r\n\r\n"),
    "leading zeros in a chunk-size": ("odd_chunk_size", CHUNKS + rb"0{15,}9\r\n"),
    "space behind a chunk-size": ("odd_chunk_size", CHUNKS + rb"9 \r\n"),
    "tab behind a chunk-size": ("odd_chunk_size", CHUNKS + rb"9\t\r\n"),
    "chunk-size beyond 2^32": ("huge_chunk_size", CHUNKS + rb"100000009\r\n"),
    "chunk-size beyond 2^64": ("huge_chunk_size", CHUNKS + rb"10000000000000009\r\n"),
    "CR CR X behind a chunk-size": ("odd_chunk_line_end", CHUNKS + rb"9\r\rX"),
    "bare LF behind a chunk-size": ("odd_chunk_line_end", CHUNKS + rb"9\n"),
    "bare CR behind a chunk-size": ("odd_chunk_line_end", CHUNKS + rb'9\r\{"a'),
    "odd byte behind a chunk-size": ("odd_chunk_line_end", CHUNKS + rb"9[\x00X\x0b]\r\n"),
    "quoted extension": ("extend_chunks", CHUNKS + rb'[0-9a-f]+;a="b"\r\n'),
    "open quote in an extension": ("odd_chunk_extension", CHUNKS + rb'9;a="b\r\n'),
    "long extension": ("odd_chunk_extension", CHUNKS + rb"9;a=b{20000}\r\n"),
    "bare CR in an extension": ("odd_chunk_extension", CHUNKS + rb"9;a\rb"),
    "bare LF in an extension": ("odd_chunk_extension", CHUNKS + rb"9;a\nb"),
    "no CRLF behind chunk data": ("odd_chunk_data_end", rb"\}0\r\n\r\n$"),
    "other bytes for CRLF behind chunk data": ("odd_chunk_data_end", rb"\}XX0\r\n\r\n$"),
    "data beyond the chunk's": ("odd_chunk_data_end", rb"\}XX\r\n0\r\n\r\n$"),
    "bare LF in all chunks": ("bare_line_feeds_in_chunks", CHUNKS + rb"9\n[^\r\n]+\n0\n\n$"),
    "bytes behind the last chunk": ("bytes_after_last_chunk", rb"\r\n0\r\n\r\nX$"),
    "two terminators": ("bytes_after_last_chunk", rb"\r\n0\r\n\r\n0\r\n\r\n$"),
    "lone last chunk": ("lone_last_chunk", CHUNKS + rb"0\r\n$"),
    "Content-Length in trailers": ("odd_trailers", rb"\r\n0\r\nContent-Length: 1\r\n\r\n$"),
    "Host in trailers": ("odd_trailers", rb"\r\n0\r\nHost: shadow\.invalid\r\n\r\n$"),
    # lengths
    **{
        f"Content-Length {length!r}": ("bad_content_length", CL + re.escape(length) + NL)
        for length in (b"+9", b"-9", b"0_9", b"0x9", b"9Z", b"9e0", b"9.0", b"9 9")
    },
    "Content-Length with a leading zero": ("padded_content_length", CL + rb"0+9\r\n"),
    "Content-Length empty": ("empty_content_length", rb"\r\nContent-Length:\r\n"),
    "Content-Length, comma": ("listed_content_length", CL + rb"9,\r\n"),
    "comma, Content-Length": ("listed_content_length", CL + rb",9\r\n"),
    "Content-Length twice": ("repeated_content_length", CL + rb"9\r\nContent-Length: 9\r\n"),
    "two Content-Lengths": ("conflicting_content_lengths", CL + rb"9\r\nContent-Length: (?!9)"),
    "Content-Length on GET": ("content_on_any_method", rb"^GET (?s:.*)Content-Length: [1-9]"),
    "Content-Length with an odd byte before": (
        "spaced_length",
        rb"\r\nContent-Length:[\x01-\x1f\x7f-\xff]9\r\n",
    ),
    "Content-Length with an odd byte behind": ("spaced_length", CL + rb"9[\x01-\x1f\x7f-\xff]\r\n"),
    "Expect oddly": ("expect_oddly", rb"\r\nExpect: y 100-continue\r\n"),
    # codings
    "Transfer-Encoding twice": ("repeated_coding", TE + rb"chunked\r\nTransfer-Encoding: chunked\r\n"),
    "Content-Length and Transfer-Encoding": ("length_and_chunks", CL + rb"\d+\r\nTransfer-Encoding: chunked"),
    "Transfer-Encoding ,chunked": ("listed_coding", TE + rb",chunked\r\n"),
    "Transfer-Encoding \\xa0chunked\\xa0": ("disguised_chunked", TE + rb"\xa0chunked\xa0\r\n"),
    "Transfer-Encoding unknown": ("not_chunked_at_last", TE + rb"cow\r\n"),
    "Transfer-Encoding chunked, cow": ("not_chunked_at_last", TE + rb"chunked, cow\r\n"),
    "Transfer-Encoding in HTTP/1.0": ("chunks_in_http10", rb"^\S+ \S+ HTTP/1\.0\r\n(?s:.*)Transfer-Encoding"),
    **{
        f"coding {name}": ("disguised_coding_name", pattern)
        for name, pattern in {
            "underjoin": rb"\r\nTransfer_Encoding:",
            "spacejoin": rb"\r\nTransfer Encoding:",
            "space": rb"\r\nTransfer-Encoding :",
            "tab": rb"\r\nTransfer-Encoding\t:",
            "spjunk": rb"\r\nTransfer-Encoding x:",
            "backslash": rb"\r\nTransfer\\-Encoding:",
            "nbsp": rb"\r\nTransfer-Encoding\xa0:",
            "nel": rb"\r\nTransfer-Encoding\x85:",
            "shy": rb"\r\nTransfer\xadEncoding:",
            "nospace": rb"\r\nTransfer-Encoding:chunked",
            "valueprefix": rb"\r\nTransfer-Encoding:  chunked",
            "multiCase": rb"\r\ntRANSFER-eNCODING:",
            "UPPERCASE": rb"\r\nTRANSFER-ENCODING:",
        }.items()
    },
    **{
        f"coding {name}": ("wrapped_coding", pattern)
        for name, pattern in {
            "linewrapped": rb"\r\nTransfer-Encoding:\r\n chunked",
            "tabwrap": rb"\r\nTransfer-Encoding:\r\n\tchunked",
            "vertwrap": rb"\r\nTransfer-Encoding:\r\n\x0bchunked",
            "doublewrapped": rb"\r\nTransfer-Encoding:\r\n \r\n chunked",
            "nameprefix1": rb"\r\nX: x\r\n Transfer-Encoding:",
            "nameprefix2": rb"\r\nX: x\r\n\tTransfer-Encoding:",
            "0dspam": rb"\r\nTransfer\r-Encoding:",
            "0dsuffix": rb"Transfer-Encoding: chunked\r\r\n",
            "badsetupCR": rb"\r\nX: x\rTransfer-Encoding:",
            "badsetupLF": rb"\r\nX: x\nTransfer-Encoding:",
        }.items()
    },
    **{
        f"coding {name}": ("spaced_coding", pattern)
        for name, pattern in {
            "midspace": rb"\r\nTransfer-Encoding:[\x01-\x1f\x7f-\xff]chunked",
            "postspace": rb"\r\nTransfer-Encoding[\x01-\x1f\x7f-\xff]: chunked",
            "prespace": rb"\r\n[\x01-\x1f\x7f-\xff]Transfer-Encoding: chunked",
            "endspace": rb"\r\nTransfer-Encoding: chunked[\x01-\x1f\x7f-\xff]\r\n",
        }.items()
    },
    # smuggling
    "CL.TE": ("smuggle_by_disagreement", CL + rb"\d{2,}" + CHUNKS + rb"0\r\n\r\n" + HIDDEN),
    "TE.CL": (
        "smuggle_by_disagreement",
        TE + rb"chunked\r\nContent-Length: \d\r\n\r\n[0-9a-f]+\r\n" + HIDDEN,
    ),
    "CL.0": ("smuggle_as_content", CL + rb"\d{2,}\r\n\r\n" + HIDDEN),
    "TE.0": ("smuggle_as_content", CHUNKS + rb"[0-9a-f]+\r\n" + HIDDEN),
    "CL.CL": ("smuggle_by_two_lengths", CL + rb"\d+\r\nContent-Length: \d+\r\n\r\n(?s:.*)" + HIDDEN),
    "CL.TE in disguise": ("smuggle_by_disguise", rb"\r\n0\r\n\r\n" + HIDDEN),
    "hidden in an extension": ("smuggle_by_chunk_syntax", CHUNKS + rb"\d;\nxx(?s:.*)" + HIDDEN),
    "hidden behind chunk data": ("smuggle_by_chunk_syntax", CHUNKS + rb"1\r\nxXX0\r\n\r\n" + HIDDEN),
    # fields
    "space before the colon": ("space_before_colon", rb"\r\nAccept : "),
    "tab before the colon": ("space_before_colon", rb"\r\nAccept\t: "),
    "space before the first field": ("space_before_first_field", rb"^[^\r]+\r\n X-Shadow-Extra: 1"),
    "field without colon": ("no_colon", rb"\r\nshadow\r\n"),
    "empty field name": ("empty_name", rb"\r\n: shadow\r\n"),
    "NUL in a value": ("line_bytes_in_value", rb": a\x00b\r\n"),
    "CR in a value": ("line_bytes_in_value", rb": a\rb\r\n"),
    "LF in a value": ("line_bytes_in_value", rb": a\nb\r\n"),
    "\\x85 around a value": ("odd_space_around_value", rb": \x85a"),
    "\\xa0 around a value": ("odd_space_around_value", rb"a\xa0\r\n"),
    "zero width in a name": ("bad_name", rb"\r\nX\xe2\x80\x8b: 1"),
    "zalgo in a name": ("bad_name", rb"\r\nX\xcc\xb6\xcd\x9b: 1"),
    "control in a value": ("control_in_value", rb": a[\x01-\x08\x0e-\x1f\x7f]b\r\n"),
    "obs-fold": ("folded_field", rb": a\r\n b\r\n"),
    "bare LF": ("bare_line_feeds", rb"^[^\r\n]+\n[^\r]+\n\n"),
    "bare CR": ("bare_returns", rb"^[^\r\n]+\r[^\n]+\r\r"),
    "CR CR LF": ("doubled_returns", rb"\r\r\n"),
    "no Host": ("no_host", rb"\A(?i:(?!(?s:.*)\nHost:))"),
    "two Hosts": ("second_host", rb"(?i)\nHost: (?s:.*)\nHost: "),
    "10 000 fields": ("many_fields", rb"\r\nX-Shadow-9999: 9999\r\n"),
    "a huge field": ("huge_field", rb"a{262145}"),
    # request line
    "version 1.32": ("long_version", rb"^\S+ \S+ HTTP/1\.32\r\n"),
    "version 4294967295.255": ("long_version", rb"^\S+ \S+ HTTP/4294967295\.255\r\n"),
    "bad version": ("bad_version", rb"^\S+ \S+ HTTP/x\.1\r\n"),
    "bad method": ("bad_method", rb"^GE\(T "),
    "GET !": ("odd_target_form", rb"^\S+ ! HTTP/1\.1\r\n"),
    "a huge target": ("lengthen_path", rb"^\S+ \S{65537,} HTTP/1\.1\r\n"),
    # fields and targets as such
    "Content-Type unsupported": ("change_content_type", rb"\r\nContent-Type: application/x-shadow\r\n"),
    "Accept unsupported": ("accept_otherwise", rb"\r\nAccept: application/x-shadow\r\n"),
    "X-Original-URL": ("forward_from_elsewhere", rb"\r\nX-Original-URL: /"),
    "X-Rewrite-URL": ("forward_from_elsewhere", rb"\r\nX-Rewrite-URL: /"),
    "X-Forwarded-Host": ("forward_from_elsewhere", rb"\r\nX-Forwarded-Host: "),
    "hop-by-hop": ("name_hop_by_hop", rb"\r\nConnection: close, X-Forwarded-For\r\n"),
    "method override": ("override_method", rb"\r\nX-HTTP-Method-Override: "),
    "Range": ("ask_for_range", rb"\r\nRange: bytes=0-0\r\n"),
    "If-Range": ("ask_for_range_if", rb"\r\nIf-Range: "),
    "If-None-Match": ("add_precondition", rb"\r\nIf-None-Match: "),
    "Unicode white space around a value": ("blank_in_field", rb"\r\nAccept: \xe2\x80\x83\*/\*"),
    "cookie dropped": ("drop_cookie", rb"\r\nCookie: theme=dark\r\n"),
    "cookie twice": ("duplicate_cookie", rb"\r\nCookie: (?:theme|sid)=(?:shadow|1)?; sid="),
    "cookies reordered": ("reorder_cookies", rb"\r\nCookie: theme=dark; sid="),
    "cookie fixated": ("fixate_cookie", rb"\r\nCookie: sid=(?!a1b2c3)[abc123]{6}; "),
    "cookie malformed": ("malform_cookies", rb"\r\nCookie: =; "),
    "v?injected=1": ("corrupt_id", rb"/42\?injected_query_string=123"),
    "v/?/": ("corrupt_id", rb"/42/\?/"),
    "v??": ("corrupt_id", rb"/42\?\?"),
    "v/v": ("corrupt_id", rb"/42/42"),
    "{}": ("corrupt_id", rb"/items/\{\}"),
    "huge id": ("bound_id", rb"/99999999999999999999"),
    "negative id": ("bound_id", rb"/-1"),
    "id of another type": ("wrong_id", rb"/(?:true|null|\[\])\?"),
    "NUL in the path": ("odd_bytes_in_path", rb"^GET [^ ]*%00"),
    "overlong UTF-8 in the path": ("odd_bytes_in_path", rb"^GET [^ ]*%c0%af"),
    "encoded slash": ("respell_slashes", rb"^GET [^ ]*%2[fF]"),
    "doubled slash": ("respell_slashes", rb"^GET [^ ]*//"),
    "path parameter": ("add_path_parameter", rb"^GET [^ ?]*;"),
    "dot segment": ("add_dot_segment", rb"^GET [^ ]*/\./"),
    "traversal": ("traverse_path", rb"^GET [^ ]*\.\./"),
    "path case": ("swap_path_case", rb"^GET /V1/ITEMS"),
    "parameter twice": ("duplicate_parameter", rb"^GET \S*limit=\S*limit="),
    "array style": ("retype_parameter", rb"^GET \S*limit\[\]=10"),
    "parameter of another type": ("retype_parameter", rb"^GET \S*limit=true"),
    "empty query": ("empty_query", rb"^GET /v1/items/42\? HTTP"),
}
"""What is looked for in the bytes, and which mutator makes it."""


def bytes_of(edit: Edit) -> bytes:
    return serialise_request(edit.request) if edit.wire is None else b"".join(edit.wire.segments)


BY_NAME = {one.name: one for one in FAMILY}


@pytest.mark.parametrize("shape", SHAPES)
def test_its_mutator_makes_every_shape(shape: str) -> None:
    name, pattern = SHAPES[shape]
    one = BY_NAME[name]
    drawn = (
        one(request, dice(7, attempt, name), Known()) for attempt in range(1_000) for request in RECORDED
    )
    assert any(edit is not None and re.search(pattern, bytes_of(edit)) for edit in drawn)


def test_a_run_deals_every_shape_within_its_budget() -> None:
    wanted: dict[str, list[re.Pattern[bytes]]] = {}
    for name, pattern in SHAPES.values():
        wanted.setdefault(name, []).append(re.compile(pattern))
    count = index = 0
    while wanted and count < MUTANTS_MAX:
        request = RECORDED[index % len(RECORDED)]
        for one in FAMILY:
            edit = one(request, dice(7, index, one.name), Known())
            count += edit is not None
            if edit is not None and one.name in wanted:
                _strike(wanted, one, bytes_of(edit))
        index += 1
    assert not wanted, f"not dealt in {count} mutants of {index} exchanges"


def _strike(wanted: dict[str, list[re.Pattern[bytes]]], one: Mutator, text: bytes) -> None:
    """Take off what `text` shows."""
    left = [pattern for pattern in wanted[one.name] if not pattern.search(text)]
    if left:
        wanted[one.name] = left
    else:
        del wanted[one.name]
