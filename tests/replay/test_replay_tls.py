"""TLS to targets, with a certificate of the tests' own."""

from pathlib import Path

import pytest

from shadow.model import NoReply, Silence
from shadow.replay.dialling import UNTRUSTED
from tests.certificates import server_tls, write_certificate
from tests.replay.conftest import (
    BOTH,
    Open,
    Serve,
    request,
    response_of,
    sending,
    tls_target,
    why,
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.mark.parametrize("kind", BOTH)
async def test_tls_without_verification_takes_any_certificate(
    serve: Serve, transports: Open, kind: str, certificate: Path
) -> None:
    server = await serve(tls=server_tls(certificate))
    transport = transports(kind, tls_target(server), verify_tls=False)
    assert response_of(await transport.send(sending())).body == b"hi"
    assert response_of(await transport.send(sending(request(b"POST", b"/", b"x")))).body == b"hi"
    assert sum(peer.count for peer in server.peers) == 2


@pytest.mark.parametrize("kind", BOTH)
async def test_tls_with_an_unknown_issuer_is_refused(
    serve: Serve, transports: Open, kind: str, certificate: Path
) -> None:
    server = await serve(tls=server_tls(certificate))
    outcome = await transports(kind, tls_target(server)).send(sending())
    assert why(outcome) is Silence.REFUSED
    assert isinstance(outcome, NoReply)
    assert outcome.detail.startswith(UNTRUSTED)
    assert "SSL_CERT_FILE" in outcome.detail


@pytest.mark.parametrize("kind", BOTH)
async def test_tls_to_a_plain_server_is_refused(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(on_bytes=lambda peer: peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert why(await transports(kind, tls_target(server)).send(sending())) is Silence.REFUSED
