"""Where either transport connects to, and what it is kept from."""

import pytest

from shadow.model import NoReply, Reply, Silence
from shadow.replay._contract import Target
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.raw import RawTransport
from tests.replay.conftest import (
    BOTH,
    OK,
    Open,
    Serve,
    answering,
    open_sockets,
    response_of,
    sending,
    silent,
    why,
)


@pytest.mark.parametrize("kind", BOTH)
async def test_a_name_that_changes_to_the_live_service_after_the_check_gets_nothing(
    serve: Serve, transports: Open, kind: str
) -> None:
    live, candidate = await serve(), await serve()
    answers = iter([["127.0.0.1"], ["192.0.2.1"], ["127.0.0.1"], ["127.0.0.1"]])

    async def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    target = Target("candidate", "http", "candidate.test", live.port)
    guard = Guard(
        GuardSettings(live=(f"live.test:{live.port}",)), [target], resolve=resolve, is_local=lambda ip: False
    )
    await guard.check()
    transport = transports(kind, target, guard=guard)
    assert why(await transport.send(sending())) is Silence.UNSENT
    assert "is the live" in guard.halted
    assert why(await transport.send(sending())) is Silence.UNSENT
    assert live.peers == candidate.peers == []


@pytest.mark.parametrize("kind", BOTH)
async def test_the_address_that_was_checked_is_the_one_connected_to(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve()
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    target = Target("candidate", "http", "name.that.no.resolver.knows.test", server.port)
    transport = transports(kind, target, guard=Guard(GuardSettings(), [target], resolve=resolve))
    assert response_of(await transport.send(sending())).status == 200
    assert asked == [target.host]


@pytest.mark.parametrize("kind", BOTH)
async def test_every_address_is_tried(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve()

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.9.9.9", "127.0.0.1"]

    transport = transports(
        kind, server.target, guard=Guard(GuardSettings(), [server.target], resolve=resolve)
    )
    assert response_of(await transport.send(sending())).status == 200


@pytest.mark.parametrize("kind", BOTH)
async def test_a_name_without_address_is_refused(transports: Open, kind: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    target = Target("candidate", "http", "gone.test", 80)
    transport = transports(kind, target, guard=Guard(GuardSettings(), [target], resolve=resolve))
    assert why(await transport.send(sending())) is Silence.REFUSED


@pytest.mark.parametrize("kind", BOTH)
async def test_nothing_is_sent_once_the_budget_is_spent(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve()
    guard = Guard(GuardSettings(requests_max=2), [server.target])
    transport = transports(kind, server.target, guard=guard)
    outcomes = [await transport.send(sending()) for _ in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Reply, Reply, NoReply]
    assert why(outcomes[2]) is Silence.UNSENT
    assert sum(peer.count for peer in server.peers) == 2


async def test_closing_leaves_no_socket_open(serve: Serve) -> None:
    server = await serve(silent)
    before = set(open_sockets())
    transport = RawTransport(server.target, Guard(GuardSettings(), [server.target]))
    for lane in range(3):
        server.on_request = answering(OK)
        await transport.send(sending(lane=str(lane)))
        server.on_request = silent
        await transport.send(sending(timeout=0.01, lane=str(lane)))
    await transport.close()
    for peer in server.peers:
        await peer.closed.wait()
    assert set(open_sockets()) == before
