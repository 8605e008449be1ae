"""gRPC in a capture, replayed into real servers, of which one is worse."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # ships no stubs
import pytest
from grpc import aio

from bench.capture import Talk, pcap
from bench.http2 import Dialogue, request, response
from shadow.content.protobuf import LENGTH, VARINT, field_bytes, parse, varint
from tests.end_to_end.conftest import findings, ledger, shadow

ITEMS = {1: ("apple", 120), 2: ("pear", 80), 3: ("plum", 95)}
KIND = (b"content-type", b"application/grpc")
OK = ((b"grpc-status", b"0"),)


def item(number: int, price_factor: int = 1) -> bytes:
    name, price = ITEMS[number]
    return (
        field_bytes(1, VARINT, varint(number))
        + field_bytes(2, LENGTH, name.encode())
        + field_bytes(3, VARINT, varint(price * price_factor))
    )


def wanted(message: bytes) -> int:
    """The number that is asked for; 0 where none is."""
    found = parse(message)
    return message[found[0].content] if found and found[0].content < len(message) else 0


class Shop(grpc.GenericRpcHandler):  # type: ignore[misc]  # a class without types
    """A service of three methods. Faults: "price", "raises", "short", "wild"."""

    def __init__(self, *faults: str) -> None:
        self._faults = faults
        self.asked: list[tuple[str, bytes]] = []
        self.fields: list[dict[str, str | bytes]] = []

    def service(self, details: Any) -> Any:
        self.fields.append(dict(details.invocation_metadata))
        match details.method:
            case "/shop.Shop/Get":
                return grpc.unary_unary_rpc_method_handler(self._get)
            case "/shop.Shop/List":
                return grpc.unary_stream_rpc_method_handler(self._list)
            case "/shop.Shop/Total":
                return grpc.stream_unary_rpc_method_handler(self._total)
        return grpc.unary_unary_rpc_method_handler(self._get) if "wild" in self._faults else None

    async def _get(self, message: bytes, context: Any) -> bytes:
        self.asked.append(("Get", message))
        if wanted(message) not in ITEMS and "raises" not in self._faults:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such item")
        return item(wanted(message), 100 if "price" in self._faults else 1)

    async def _list(self, message: bytes, context: Any) -> AsyncIterator[bytes]:
        self.asked.append(("List", message))
        for number in list(ITEMS)[: 2 if "short" in self._faults else 3]:
            yield item(number)

    async def _total(self, messages: AsyncIterator[bytes], context: Any) -> bytes:
        total = 0
        async for message in messages:
            self.asked.append(("Total", message))
            total += ITEMS.get(wanted(message), ("", 0))[1]
        return field_bytes(1, VARINT, varint(total))


@asynccontextmanager
async def serving(shop: Shop) -> AsyncIterator[str]:
    """The URL of a real server."""
    server = aio.server()
    server.add_generic_rpc_handlers((shop,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop(None)


def framed(*messages: bytes) -> bytes:
    return b"".join(b"\0" + len(each).to_bytes(4) + each for each in messages)


def get(number: int) -> bytes:
    return field_bytes(1, VARINT, varint(number))


def calls() -> Iterator[tuple[bytes, bytes, bytes, tuple[tuple[bytes, bytes], ...]]]:
    """Method, messages, messages of the answer, trailers."""
    for number in ITEMS:
        yield b"Get", framed(get(number)), framed(item(number)), OK
    yield b"Get", framed(get(9)), b"", ((b"grpc-status", b"5"), (b"grpc-message", b"no such item"))
    yield b"List", framed(b""), framed(*map(item, ITEMS)), OK
    yield b"Total", framed(get(1), get(2)), framed(field_bytes(1, VARINT, varint(200))), OK


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Every kind of call, twice."""
    dialogue = Dialogue()
    for method, asked, answered, trailers in (*calls(), *calls()):
        path = b"/shop.Shop/" + method
        number = dialogue.ask(request(b"POST", path, (b"te", b"trailers"), KIND, (b"x-user", b"u1")), asked)
        dialogue.answer(number, response(200, KIND), answered, trailers)
    path_ = tmp_path / "grpc.pcap"
    path_.write_bytes(pcap(dialogue.talk(Talk().open()).close().packets))
    return path_


async def test_calls_are_said_again_as_they_were_and_nothing_differs(tmp_path: Path, capture: Path) -> None:
    shop = Shop()
    async with serving(shop) as candidate, serving(Shop()) as baseline:
        ended = await shadow(
            "replay", capture, "--candidate", candidate, "--baseline", baseline, cwd=tmp_path
        )
    assert ended.code == 0, ended.err
    assert findings(tmp_path / "shadow-out") == []
    counts = ledger(tmp_path / "shadow-out")
    assert (counts["captured"], counts["replayed"]) == (12, 12)
    assert sorted(set(shop.asked)) == sorted(
        [
            *(("Get", get(number)) for number in (1, 2, 3, 9)),
            ("List", b""),
            ("Total", get(1)),
            ("Total", get(2)),
        ]
    )
    assert {each["x-user"] for each in shop.fields} == {"u1"}


async def test_each_fault_of_the_candidate_is_one_finding(tmp_path: Path, capture: Path) -> None:
    async with serving(Shop("price", "raises", "short")) as candidate, serving(Shop()) as baseline:
        ended = await shadow(
            "replay", capture, "--candidate", candidate, "--baseline", baseline, cwd=tmp_path
        )
    assert ended.code == 1, ended.err
    found = {each["endpoint"] + " " + each["where"][0]: each for each in findings(tmp_path / "shadow-out")}
    assert found.keys() == {
        "POST /shop.Shop/Get status",
        "POST /shop.Shop/Get body:$.f3",
        "POST /shop.Shop/List body:$",
    }
    status = found["POST /shop.Shop/Get status"]
    assert (status["fault"], status["severity"]) == ("F100", "high")
    assert "'5 NOT_FOUND'" in status["why"]
    assert "--http2-prior-knowledge" in status["reproduce"]["curl"]


async def test_mutants_of_calls_are_calls_and_harm_no_sound_service(tmp_path: Path, capture: Path) -> None:
    async with serving(Shop()) as candidate, serving(Shop()) as baseline:
        ended = await shadow(
            *("replay", capture, "--candidate", candidate, "--baseline", baseline),
            *(
                "--allow-writes",
                "--mutants",
                "4",
                "--mutator",
                "level:header",
                "--mutator",
                "*protobuf_fields",
            ),
            cwd=tmp_path,
        )
    assert ended.code == 0, ended.err
    assert findings(tmp_path / "shadow-out") == []


async def test_method_that_nobody_defined_must_not_be_served(tmp_path: Path, capture: Path) -> None:
    async with serving(Shop("wild")) as candidate, serving(Shop()) as baseline:
        ended = await shadow(
            *("replay", capture, "--candidate", candidate, "--baseline", baseline),
            *("--allow-writes", "--mutants", "1", "--mutator", "unknown_grpc_method"),
            cwd=tmp_path,
        )
    assert ended.code == 1, ended.err
    found = findings(tmp_path / "shadow-out")
    assert {(each["mutator"], each["expect"]) for each in found} == {("unknown_grpc_method", "reject")}


@pytest.mark.slow
async def test_mutants_of_paths_and_metadata_find_nothing_in_two_servers_alike(
    tmp_path: Path, capture: Path
) -> None:
    """Without those that leave a message out: this server waits for it until the caller gives up."""
    async with serving(Shop()) as candidate, serving(Shop()) as baseline:
        ended = await shadow(
            *("replay", capture, "--candidate", candidate, "--baseline", baseline),
            *("--allow-writes", "--mutants", "3", "--mutator", "*grpc*", "--no-mutator", "*message*"),
            cwd=tmp_path,
        )
    assert ended.code == 0, ended.err
    assert findings(tmp_path / "shadow-out") == []
