"""Hosts and ports as they stand in URLs and Host fields."""

from urllib.parse import urlsplit

import pytest

from shadow.model import authority


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        pytest.param("shop.test", 80, "shop.test:80", id="name"),
        pytest.param("10.0.0.1", None, "10.0.0.1", id="IPv4 without a port"),
        pytest.param("::1", 81, "[::1]:81", id="IPv6"),
        pytest.param("2001:db8::1", None, "[2001:db8::1]", id="IPv6 without a port"),
        pytest.param("", 0, ":0", id="nothing"),
    ],
)
def test_authority_can_be_told_apart_again(host: str, port: int | None, expected: str) -> None:
    assert authority(host, port) == expected
    parts = urlsplit(f"//{expected}")
    assert (parts.hostname or "", parts.port) == (host, port)
