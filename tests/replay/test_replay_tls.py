"""TLS to targets, with a certificate of the tests' own."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shadow.model import Silence
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
    """A certificate for 127.0.0.1 that signs itself, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shadow")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("kind", BOTH)
async def test_tls_without_verification_takes_any_certificate(
    serve: Serve, transports: Open, kind: str, certificate: Path
) -> None:
    server = await serve(tls=server_context(certificate))
    transport = transports(kind, tls_target(server), verify_tls=False)
    assert response_of(await transport.send(sending())).body == b"hi"
    assert response_of(await transport.send(sending(request(b"POST", b"/", b"x")))).body == b"hi"
    assert sum(peer.count for peer in server.peers) == 2


@pytest.mark.parametrize("kind", BOTH)
async def test_tls_with_an_unknown_issuer_is_refused(
    serve: Serve, transports: Open, kind: str, certificate: Path
) -> None:
    server = await serve(tls=server_context(certificate))
    outcome = await transports(kind, tls_target(server)).send(sending())
    assert why(outcome) is Silence.REFUSED
    assert "certificate" in str(outcome)


@pytest.mark.parametrize("kind", BOTH)
async def test_tls_to_a_plain_server_is_refused(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(on_bytes=lambda peer: peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert why(await transports(kind, tls_target(server)).send(sending())) is Silence.REFUSED
