"""Cipher suites: the table says of each number what OpenSSL says of it."""

import ssl

import pytest

from shadow.wire.tls_suites import SUITES, Suite

_MODES = {"CCM8": "ccm8", "CCM": "ccm", "GCM": "gcm", "CHACHA20": "chacha20"}


def known() -> dict[int, tuple[str, Suite]]:
    """The suites of this OpenSSL that are read, by number: name, and what its description says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    found: dict[int, tuple[str, Suite]] = {}
    for each in context.get_ciphers():
        name, number = each["name"], each["id"] & 0xFFFF
        if any(word in name for word in ("ARIA", "CAMELLIA", "NULL", "SEED", "DES", "RC4", "IDEA")):
            continue
        mode = next((mode for word, mode in _MODES.items() if word in name), "cbc")
        digest = name.rsplit("-", 1)[-1].rsplit("_", 1)[-1].lower()
        mac = {"sha": "sha1", "sha256": "sha256", "sha384": "sha384"}.get(digest, "sha256")
        prf = mac if mac == "sha384" else "sha256"
        key_bytes = each["alg_bits"] // 8
        found[number] = name, Suite(mode, key_bytes, prf, mac if mode == "cbc" else "sha256")  # type: ignore[arg-type]  # literals
    return found


@pytest.mark.parametrize("number", known(), ids=hex)
def test_suite_is_what_openssl_says(number: int) -> None:
    name, suite = known()[number]
    assert SUITES[number] == suite, name


def test_many_suites_are_compared() -> None:
    assert len(known()) > 80


def test_no_suite_without_encryption_nor_one_that_is_not_supported_is_in_the_table() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:eNULL:@SECLEVEL=0")
    others = {each["id"] & 0xFFFF for each in context.get_ciphers()} - set(known())
    assert len(others) > 10
    assert not others & set(SUITES)
