"""HTTP versions by all their names."""

import pytest

from shadow.taps.versions import name_of, version_of


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("HTTP/1.0", b"HTTP/1.0"),
        ("http/1.1", b"HTTP/1.1"),
        ("HTTP/1", b"HTTP/1.1"),
        ("h2", b"HTTP/2"),
        ("HTTP/2", b"HTTP/2"),
        ("HTTP/2.0", b"HTTP/2"),
        ("http/2.0", b"HTTP/2"),
        (" h3 ", b"HTTP/3"),
        ("", b"HTTP/1.1"),
        ("unknown", b"HTTP/1.1"),
        ("spdy/3", b"HTTP/1.1"),
    ],
)
def test_version_is_understood(name: str, version: bytes) -> None:
    assert version_of(name) == version
    assert version_of(name_of(version)) == version
