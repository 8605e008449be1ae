"""Cipher suites of TLS that can be read, by their numbers in the IANA registry."""

from typing import Literal, NamedTuple

type Mode = Literal["gcm", "ccm", "ccm8", "chacha20", "cbc"]
type Hash = Literal["sha1", "sha256", "sha384"]


class Suite(NamedTuple):
    """How the records of a connection are protected, and what its keys are derived with."""

    mode: Mode
    key_bytes: int
    prf: Hash
    """Of the key derivation, from TLS 1.2 on."""
    mac: Hash = "sha256"
    """Of the records, in CBC mode."""


SUITES: dict[int, Suite] = {
    0x1301: Suite("gcm", 16, "sha256"),
    0x1302: Suite("gcm", 32, "sha384"),
    0x1303: Suite("chacha20", 32, "sha256"),
    0x1304: Suite("ccm", 16, "sha256"),
    0x1305: Suite("ccm8", 16, "sha256"),
}
"""The first five are of TLS 1.3; key exchange and signature do not matter to who has the secrets."""


def _add(suite: Suite, numbers: str) -> None:
    SUITES.update((int(number, 16), suite) for number in numbers.split())


_add(Suite("gcm", 16, "sha256"), "9c 9e a0 a2 a4 a6 a8 aa ac c02b c02d c02f c031 d001")
_add(Suite("gcm", 32, "sha384"), "9d 9f a1 a3 a5 a7 a9 ab ad c02c c02e c030 c032 d002")
_add(Suite("ccm", 16, "sha256"), "c09c c09e c0a4 c0a6 c0ac d005")
_add(Suite("ccm", 32, "sha256"), "c09d c09f c0a5 c0a7 c0ad")
_add(Suite("ccm8", 16, "sha256"), "c0a0 c0a2 c0a8 c0aa c0ae d003")
_add(Suite("ccm8", 32, "sha256"), "c0a1 c0a3 c0a9 c0ab c0af")
_add(Suite("chacha20", 32, "sha256"), "cca8 cca9 ccaa ccab ccac ccad ccae")
_add(
    Suite("cbc", 16, "sha256", "sha1"),
    "2f 30 31 32 33 34 8c 90 94 c004 c009 c00e c013 c018 c01d c01e c01f c035",
)
_add(
    Suite("cbc", 32, "sha256", "sha1"),
    "35 36 37 38 39 3a 8d 91 95 c005 c00a c00f c014 c019 c020 c021 c022 c036",
)
_add(Suite("cbc", 16, "sha256", "sha256"), "3c 3e 3f 40 67 6c ae b2 b6 c023 c025 c027 c029 c037")
_add(Suite("cbc", 32, "sha256", "sha256"), "3d 68 69 6a 6b 6d")
_add(Suite("cbc", 32, "sha384", "sha384"), "af b3 b7 c024 c026 c028 c02a c038")
