"""What a user says of the inline proxy, in mitmproxy's own terms."""

import warnings
from pathlib import Path

import pytest

from shadow.errors import TapError

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from shadow.taps.mitm_settings import ProxySettings, authority_of, options


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a", "a:80"),
        ("https://a/", "a:443"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("tcp://a:5432", "a:5432"),
        ("tls://a:5432", "a:5432"),
        ("udp://a:9", "a:9"),
        ("dtls://a:9", "a:9"),
        ("dns://a", "a:53"),
    ],
)
def test_the_address_of_the_live_service_is_taken_from_its_url(url: str, expected: str) -> None:
    assert authority_of(url) == expected


@pytest.mark.parametrize("url", ["tcp://a", "udp://a/x", "quic://a:1", "dns://u@a", "tcp://:1"])
def test_a_url_that_names_no_place_is_told(url: str) -> None:
    with pytest.raises(TapError, match=f"the live service must be .*{url}"):
        authority_of(url)


@pytest.mark.parametrize(
    ("settings", "modes"),
    [
        (ProxySettings("http://a:8000"), ["reverse:http://a:8000"]),
        (
            ProxySettings("http://[::1]:8000", listen_port=8443, offers_http3=True),
            ["reverse:http://[::1]:8000", "reverse:http3://[::1]:8000@8443"],
        ),
        (ProxySettings("https://a", listen_port=8443, offers_http3=True), ["reverse:https://a"]),
        (ProxySettings("dns://a"), ["reverse:dns://a"]),
    ],
)
def test_each_live_service_has_its_modes(tmp_path: Path, settings: ProxySettings, modes: list[str]) -> None:
    assert options(settings, str(tmp_path)).mode == modes


@pytest.mark.parametrize(("url", "seconds"), [("http://a", 600), ("tcp://a:1", 86400), ("tls://a:1", 86400)])
def test_raw_connections_may_be_idle_for_long(tmp_path: Path, url: str, seconds: int) -> None:
    assert options(ProxySettings(url), str(tmp_path)).tcp_timeout == seconds


def test_servers_of_http2_are_not_pinged(tmp_path: Path) -> None:
    assert options(ProxySettings("http://a"), str(tmp_path)).http2_ping_keepalive == 0
