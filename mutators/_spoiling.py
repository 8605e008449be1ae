"""Spoils a request's credential as it leaves, so that it is the target's own that is spoiled."""

from random import Random

import msgspec

from mutators._forging import FORGERIES, forging, key_confused, signature_flipped
from mutators._spoils import Spoil, garbled, truncated
from shadow.auth.credentials import CREDENTIAL_FIELDS
from shadow.model import Request, field, with_field, without_field

_WORDS = (b"null", b"undefined", b"*", b"%", b"0", b"' OR '1'='1", b"true")


def _worded(_name: bytes, value: bytes, rng: Random) -> tuple[bytes, str] | None:
    word = rng.choice(_WORDS)
    return value[: value.rfind(b" ") + 1] + word, f"put {word!r} for the credential"


_SPOILS: dict[str, Spoil] = {
    **{name: forging(forge) for name, forge in FORGERIES.items()},
    "one bit": forging(signature_flipped),
    "garbled": garbled,
    "truncated": truncated,
    "word": _worded,
}


class Spoiling(msgspec.Struct, frozen=True):
    """Edits a request as it is about to leave: its own credential there, spoiled in one of the known ways."""

    field: bytes
    """Lower-case name of the field that carries the credential; every other credential goes."""
    way: str
    """One of the ways above; ``"dropped"``, or ``"public key"``."""
    seed: int
    public: tuple[bytes, ...] = ()

    def __call__(self, request: Request) -> Request | None:
        value = field(request.headers, self.field)
        if value is None:
            return None
        headers = request.headers
        for name in CREDENTIAL_FIELDS - {self.field}:
            headers = without_field(headers, name)
        if self.way == "dropped":
            return msgspec.structs.replace(request, headers=without_field(headers, self.field))
        made = self._spoil()(self.field, value, Random(self.seed))
        if made is None or made[0] == value:
            return None
        return msgspec.structs.replace(request, headers=with_field(headers, self.field, made[0]))

    def _spoil(self) -> Spoil:
        if self.way != "public key":
            return _SPOILS[self.way]
        return forging(lambda token, rng: key_confused(token, rng, self.public))
