"""HTTP/2 in a capture, replayed into releases that speak HTTP/1.1 alone, and into some that speak HTTP/2."""

from pathlib import Path

import pytest
from aiohttp import web

from bench.capture import Talk, pcap
from bench.http2 import Dialogue, request, response
from tests.end_to_end.conftest import Ask, Shop, answer, findings, ledger, serving, shadow

ITEM: Ask = ("GET", "/items/3", b"")
ORDER: Ask = ("POST", "/orders", b'{"lines":[{"item":3}]}')
COOKIES = ((b"cookie", b"session=42"), (b"cookie", b"theme=dark"))


class Listening(Shop):
    """A shop that remembers fields, too."""

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)
        self.fields: list[list[tuple[bytes, bytes]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.fields.append(list(request.raw_headers))
        return await super().handle(request)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Both asked over HTTP/2 with prior knowledge, and a call of gRPC beside them."""
    dialogue = Dialogue()
    for ask in (ITEM, ORDER):
        method, target, body = ask
        kind = ((b"content-type", b"application/json"),) if body else ()
        number = dialogue.ask(request(method.encode(), target.encode(), *COOKIES, *kind), body)
        status, headers, said = answer(ask)
        fields = ((name.lower().encode(), value.encode()) for name, value in headers.items())
        dialogue.answer(number, response(status, *fields), said)
    call = request(b"POST", b"/shop.Cart/Add", (b"content-type", b"application/grpc"))
    dialogue.answer(dialogue.ask(call, b"\0\0\0\0\0"), response(200), b"\0\0\0\0\0")
    path = tmp_path / "http2.pcap"
    path.write_bytes(pcap(dialogue.talk(Talk().open()).close().packets))
    return path


async def test_requests_are_said_again_over_http1_and_nothing_differs(tmp_path: Path, capture: Path) -> None:
    async with serving(Listening()) as candidate:
        ended = await shadow("replay", capture, "--mutants", "0", "--candidate", candidate.url, cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert isinstance(candidate, Listening)
        assert candidate.asked == [ITEM, ORDER]
        for fields in candidate.fields:
            names = [name.lower() for name, _ in fields]
            assert names[0] == b"host"
            assert [value for name, value in fields if name.lower() == b"cookie"] == [
                b"session=42; theme=dark"
            ]
            assert b"transfer-encoding" not in names
    assert findings(tmp_path / "shadow-out") == []
    counts = ledger(tmp_path / "shadow-out")
    assert (counts["captured"], counts["replayed"], counts["filtered"]) == (3, 2, 1)


async def test_regression_is_found_in_what_was_seen_over_http2(tmp_path: Path, capture: Path) -> None:
    async with serving(Listening("no price")) as candidate:
        ended = await shadow("replay", capture, "--mutants", "0", "--candidate", candidate.url, cwd=tmp_path)
    assert ended.code == 1, ended.err
    (found,) = findings(tmp_path / "shadow-out")
    assert found["where"] == ["body:$.price"]
