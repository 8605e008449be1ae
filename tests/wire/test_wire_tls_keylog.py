"""Key logs, as browsers, servers and tools write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.wire.tls_keylog import KeyLog, Label

RANDOM = bytes(range(32))
SECRET = bytes(range(48))


def line(label: str = "CLIENT_RANDOM", secret: bytes = SECRET, random: bytes = RANDOM) -> bytes:
    return f"{label} {random.hex()} {secret.hex()}".encode()


def log(*lines: bytes) -> KeyLog:
    keys = KeyLog()
    keys.add(b"\n".join(lines))
    return keys


@pytest.mark.parametrize("label", Label, ids=lambda label: label.name)
def test_each_label_is_found_by_the_random_of_the_client(label: Label) -> None:
    keys = log(line(label.value.decode()))
    assert keys.secret(RANDOM, label) == SECRET
    assert keys.secret(RANDOM[::-1], label) is None
    assert (keys.secret_count, keys.junk_count) == (1, 0)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(line() + b"\r\n", id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + line(), id="byte order mark"),
        pytest.param(b"# a comment\n\n" + line() + b"\n# another", id="comments"),
        pytest.param(line().upper(), id="upper case"),
        pytest.param(b"  " + line().replace(b" ", b" \t") + b"  ", id="white space"),
    ],
)
def test_spelling_does_not_matter(text: bytes) -> None:
    keys = log(text)
    assert keys.secret(RANDOM, Label.MASTER) == SECRET
    assert keys.junk_count == 0


@pytest.mark.parametrize(
    "text",
    [
        line("EXPORTER_SECRET"),
        line("EARLY_EXPORTER_MASTER_SECRET"),
        line("ECH_SECRET", SECRET[:32]),
        b"RSA 0123456789abcdef " + SECRET.hex().encode(),
        b"RSA Session-ID:00ff Master-Key:" + SECRET.hex().encode(),
    ],
    ids=lambda text: text.split()[0].decode(),
)
def test_secrets_that_are_not_needed_are_no_junk(text: bytes) -> None:
    keys = log(text)
    assert (keys.secret_count, keys.junk_count) == (0, 0)


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense",
        b"\xd4\xc3\xb2\xa1\x02\x00",
        line().replace(b" ", b""),
        line()[:-1],
        line(secret=SECRET[:47]),
        line("CLIENT_TRAFFIC_SECRET_0", SECRET[:20]),
        line(random=RANDOM[:31]),
        b"x" * 100_000,
    ],
    ids=lambda text: text[:20].hex(),
)
def test_lines_that_are_no_secrets_are_counted_and_lose_no_others(text: bytes) -> None:
    keys = log(text, line())
    assert keys.secret(RANDOM, Label.MASTER) == SECRET
    assert (keys.secret_count, keys.junk_count) == (1, 1)


def test_later_secret_wins() -> None:
    assert log(line(), line(secret=SECRET[::-1])).secret(RANDOM, Label.MASTER) == SECRET[::-1]


def test_secret_that_is_missing_is_looked_for() -> None:
    coming = [line("CLIENT_TRAFFIC_SECRET_0"), line()]
    keys = KeyLog(lambda: keys.add(coming.pop()) if coming else None)
    assert keys.may_grow
    assert keys.secret(RANDOM, Label.MASTER) == SECRET
    assert keys.secret(RANDOM, Label.MASTER) == SECRET
    assert len(coming) == 1
    keys.look()
    assert not coming


def test_sessions_are_bounded_and_the_oldest_make_room() -> None:
    keys = KeyLog(max_sessions=10)
    for number in range(25):
        keys.add(line(random=bytes([number]) * 32))
    assert keys.dropped_count == 15
    assert keys.secret(bytes([14]) * 32, Label.MASTER) is None
    assert keys.secret(bytes([15]) * 32, Label.MASTER) == SECRET


PARTS = st.sampled_from([line(), line()[:-1], b"CLIENT_RANDOM", b" ", b"\n", b"RSA ", b"# ", b"\xff"])


@given(st.lists(PARTS | st.binary()))
def test_no_text_makes_it_raise(parts: list[bytes]) -> None:
    keys = log(*parts)
    assert keys.secret_count >= parts.count(line())
