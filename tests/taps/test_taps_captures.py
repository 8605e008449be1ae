"""Real captures, where the folder of them exists: the HTTP/1 that tshark found in them is found here too.

tshark is a witness, not the truth. Where the two differ, EXPLAINED says what is really there.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from shadow.model import Exchange, Settled, field
from shadow.taps.files import Recording

CAPTURES = Path(__file__).parents[2].parent / "shared" / "pcaps"
TABLES = sorted((CAPTURES / "truth").glob("*.tsv")) if CAPTURES.is_dir() else []
NAMES = sorted({table.name.removesuffix(".tsv").removesuffix(".ooo") for table in TABLES})


class Count(NamedTuple):
    """Exchanges, how many of them have a response, and how many more could not be parsed."""

    exchanges: int
    responses: int
    unparsed: int = 0


_ORPHAN = "a response whose request is not in the capture"
_GAP = "tshark stalls at the gap; the response after it, or cut by it, is there"
_NO_LINE = "tshark takes lines for requests that are none: without target, version or space"
_SAME_TWICE = "one connection seen under several tags; tshark takes the others for retransmits"
_ENDS = "tshark wants the whole message; what the capture holds of it is there"

EXPLAINED: dict[str, tuple[Count, str]] = {
    "arkime__CVE-2018-6794": (
        Count(2, 2, 1),
        "a server that answers before it is asked, and once more after",
    ),
    "arkime__arkime_synthetic": (Count(23, 23, 3), "three requests announce a gigabyte that never comes"),
    "arkime__gre-erspan-vxlan": (Count(1, 1), "tshark cuts the target at its space"),
    "arkime__no-syn-ack": (Count(1, 1), _ENDS),
    "arkime__sctp-www": (Count(0, 0), "HTTP over SCTP"),
    "arkime__single-packets": (Count(8, 0, 1), _ORPHAN),
    "arkime__twovlan": (Count(1, 1), _ENDS),
    "PcapPlusPlus__http-packets2": (Count(57, 57, 1), _ORPHAN),
    "PcapPlusPlus__SllPacket": (Count(0, 0, 1), _ORPHAN),
    "PcapPlusPlus__TcpPacketNoOptions": (Count(0, 0, 1), _ORPHAN),
    "PcapPlusPlus__TcpPacketNoOptionsAccEcn": (Count(0, 0, 1), _ORPHAN),
    "PcapPlusPlus__pcapng-example": (Count(0, 0, 1), _ORPHAN),
    "PcapPlusPlus__raw_ip": (Count(19, 7), _ENDS),
    "tcpdump__accecn_handshake": (Count(1, 1), _ENDS),
    "tcpdump__ipv4_tcp_http_xml": (Count(0, 0, 1), _ORPHAN),
    "zeek__vxlan-overlapping-http-get": (Count(3, 3), _SAME_TWICE),
    "zeek__vlan-collisions": (Count(3, 3), _SAME_TWICE),
    "zeek__quickstart": (Count(2, 2), "a method of its own, unknown to tshark"),
    "zeek__query-method": (Count(1, 1), "a method unknown to tshark"),
    "zeek__query-method-non-standard-port": (Count(1, 1), "a method unknown to tshark"),
    "zeek__communityid__tcp": (
        Count(0, 0, 1),
        "each frame is cut after 96 bytes, inside the request's target",
    ),
    "zeek__erspan": (Count(22, 17), _GAP),
    "zeek__content-range-gap": (Count(1, 1), _GAP),
    "zeek__content-range-gap-skip": (Count(1, 1), _GAP),
    "zeek__entity_gap": (Count(1, 1), _GAP),
    "zeek__entity_gap2": (Count(1, 1), _GAP),
    "zeek__gap-recovery": (Count(10, 10), _GAP),
    "zeek__zero-length-bodies-with-drops": (Count(7, 7, 1), _GAP),
    "zeek__variant-01-chunk_2pow64_overflow": (Count(0, 0, 1), "a chunk size beyond 64 bits"),
    "zeek__variant-02-cl_uint64max": (
        Count(0, 0, 1),
        "a body length of 2^64 - 1, so all that follows is body",
    ),
    "zeek__variant-03-cl_negative": (Count(0, 0, 1), "a negative length: where the body ends cannot be told"),
    "zeek__variant-09-te_obs_fold": (Count(2, 0), "tshark does not unfold Transfer-Encoding"),
    "zeek__connect-with-smtp": (Count(1, 1), "tshark cuts the target at its space"),
    "zeek__get-to-ssh-server": (Count(1, 0), "tshark does not look for HTTP on port 22"),
    "zeek__http-on-port-5432": (Count(1, 1), "tshark does not look for HTTP on port 5432"),
    "zeek__http-09-content-length-confusion": (Count(0, 0, 1), _NO_LINE),
    "zeek__http-11-request-then-cruft": (Count(1, 1, 1), _NO_LINE),
    "zeek__http-bad-request-with-version": (Count(0, 0, 1), _NO_LINE),
    "zeek__methods": (Count(9, 9, 40), _NO_LINE),
    "zeek__mixed-vlan-mpls": (Count(1, 1), _NO_LINE),
    "zeek__no-uri": (Count(0, 0, 1), _NO_LINE),
    "zeek__http-desync-request-response-5": (Count(5, 5, 2), "two more responses than requests"),
    "zeek__putty-upload": (Count(1, 1, 1), "an upload answered although it is never sent to its end"),
    "zeek__pe_files_timestamp": (Count(2, 2), _ENDS),
    "zeek__tcp-http-with-padding": (Count(1, 1), "tshark misses a request that was typed byte by byte"),
    "zeek__ocsp-response-only": (Count(0, 0, 1), _ORPHAN),
    "zeek__gtp1_gn_normal_incl_fragmentation": (Count(1, 1), _ENDS),
}


class Seen(NamedTuple):
    """What a witness or a tap saw: request lines and status codes, interim ones left out."""

    requests: Counter[tuple[str, str]]
    statuses: Counter[str]


@pytest.mark.parametrize("name", NAMES)
def test_capture_holds_what_the_witness_saw_or_what_is_explained(name: str) -> None:
    items = list(Recording([CAPTURES / name]))
    exchanges = [each for each in items if isinstance(each, Exchange) and _is_http1(each)]
    explained = EXPLAINED.get(_short(name))
    if explained is not None:
        answered = sum(each.response is not None for each in exchanges)
        unparsed = sum(each.count for each in items if isinstance(each, Settled) and "DNS" not in each.why)
        assert Count(len(exchanges), answered, unparsed) == explained[0], explained[1]
        return
    assert _seen(exchanges) in _witnessed(name)


@pytest.mark.parametrize("name", NAMES)
def test_complete_messages_are_as_long_as_they_say(name: str) -> None:
    for each in Recording([CAPTURES / name]):
        if not isinstance(each, Exchange) or each.protocol != "http":
            continue
        announced = field(each.request.headers, b"content-length")
        if announced is not None and field(each.request.headers, b"transfer-encoding") is None:
            assert len(each.request.body) == int(announced)
        response = each.response
        if response is None or not response.is_complete or each.request.method == b"HEAD":
            continue
        announced = field(response.headers, b"content-length")
        if announced is not None and response.body and field(response.headers, b"transfer-encoding") is None:
            assert len(response.body) == int(announced)


@pytest.mark.skipif(not NAMES, reason="the captures are not here")
def test_every_explanation_is_of_a_capture_that_exists() -> None:
    assert set(EXPLAINED) <= {_short(name) for name in NAMES}


OTHERS = sorted(CAPTURES.glob("*__*")) if CAPTURES.is_dir() else []


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_every_capture_is_read_and_no_two_exchanges_share_an_index(path: Path) -> None:
    exchanges = [each for each in Recording([path]) if isinstance(each, Exchange)]
    assert len(exchanges) == len({each.index for each in exchanges})
    if path.name in NAMES:
        assert any(_is_http1(each) for each in exchanges) == _holds_exchanges(path.name)


def _is_http1(exchange: Exchange) -> bool:
    return exchange.protocol == "http" and exchange.request.version.startswith(b"HTTP/1")


def _short(name: str) -> str:
    """The source and the last part of a capture's name."""
    source, project, *rest = name.rsplit(".", 1)[0].split("__")
    return f"{source if source in ('arkime', 'zeek') else project}__" + _last(rest)


def _last(parts: list[str]) -> str:
    return "__".join(parts[-2:]) if parts[-2:-1] in (["communityid"], ["file_heuristics"]) else parts[-1]


def _holds_exchanges(name: str) -> bool:
    explained = EXPLAINED.get(_short(name))
    if explained is not None:
        return explained[0].exchanges > 0
    return any(seen.requests for seen in _witnessed(name))


def _seen(exchanges: list[Exchange]) -> Seen:
    requests = Counter(
        (each.request.method.decode("latin-1"), each.request.target.decode("utf-8", "replace"))
        for each in exchanges
    )
    return Seen(
        requests, Counter(str(each.response.status) for each in exchanges if each.response is not None)
    )


def _witnessed(name: str) -> list[Seen]:
    """What tshark saw with its default reassembly, and with the one for segments out of order."""
    tables = [CAPTURES / "truth" / f"{name}{suffix}" for suffix in (".tsv", ".ooo.tsv")]
    return [_table(table) for table in tables if table.exists()]


def _table(path: Path) -> Seen:
    head, *lines = path.read_text("utf-8", "replace").split("\n")
    requests: Counter[tuple[str, str]] = Counter()
    statuses: Counter[str] = Counter()
    for line in lines:
        row = dict(zip(head.split("\t"), line.split("\t"), strict=False))
        methods, targets = _cell(row, "http.request.method"), _cell(row, "http.request.uri")
        requests.update(zip(methods, targets + [""] * (len(methods) - len(targets)), strict=False))
        codes = _cell(row, "http.response.code")
        statuses.update(code for code in codes if not code.startswith("1") or code == "101")
    return Seen(requests, statuses)


def _cell(row: dict[str, str], name: str) -> list[str]:
    return [value for value in row.get(name, "").split("|") if value]
