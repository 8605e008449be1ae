"""Canonical-string signing schemes as the configuration describes them, and the signer that follows one."""

import re
from collections.abc import Mapping

from shadow.auth.algorithms import ALGORITHMS
from shadow.auth.canonical import body_digest, reader
from shadow.auth.encoding import ENCODINGS, decode, encode
from shadow.auth.keyring import Keyring
from shadow.auth.keys import check_keys, loaded, one_of
from shadow.auth.place import PiecePlace, Place, place_of
from shadow.auth.placed import Placed
from shadow.auth.settings import SigningSettings
from shadow.auth.stamp import TIMESTAMP_FORMATS, write_time
from shadow.errors import ConfigError, nearest
from shadow.model import Request

_FORMATTED = ("signature", "key_id", "algorithm", "timestamp", "nonce")
"""What `signature_format` may hold."""
_HOLE = re.compile(r"\{(\w+)\}")


class CanonicalScheme(Placed):
    """Signs and recognises requests under one configured scheme. Implements `shadow.model.Signs`."""

    def __init__(
        self, settings: SigningSettings, secrets: Mapping[str, str] | None = None, *, is_text: bool = False
    ) -> None:
        """`secrets` maps a key's id to its secret as text, where it stood in the environment or a file;
        `is_text` as for `loaded`.

        A key without any secret is known by its id alone. Raises ConfigError for wrong settings.
        """
        _check(settings)
        self._settings = settings
        super().__init__(_places(settings), settings.timestamp_format)
        self._readers = tuple(reader(part, self._places) for part in settings.canonical)
        self._ring = Keyring(settings.keys, loaded(settings.keys, secrets or {}, is_text=is_text))

    def key_id(self, request: Request) -> str | None:
        if self.read(request, "signature") is None:
            return None
        if "key_id" in self._places:
            stated = self.read(request, "key_id")
            return None if stated is None else stated.decode("latin-1")
        keys = self._ring.ids
        made_it = (key for key in keys if self._is_made_by(request, key)) if len(keys) > 1 else ()
        return next(iter(made_it), None) or self._ring.first()

    def keys(self) -> tuple[str, ...]:
        return self._ring.with_status("active")

    def revoked_keys(self) -> tuple[str, ...]:
        return self._ring.with_status("revoked")

    def sign(
        self, request: Request, *, key: str | None = None, at: float | None = None, nonce: str | None = None
    ) -> Request | None:
        signing = self.key_id(request) if key is None else key
        made_with = self._ring.key(signing)
        if signing is None or made_with is None:
            return None
        stated = self._stated(request, signing, at, nonce)
        if stated is None:
            return None
        if self._settings.signature_format and self.read(request, "signature") is None:
            request = self._formatted(request, stated)
        for part, value in stated.items():
            request = self._places[part].put(request, value)
        signature = made_with.sign(self.canonical(request))
        return self._places["signature"].put(request, self._written(signature))

    def canonical(self, request: Request) -> bytes:
        """The bytes that the signature of `request` is made over."""
        return self._settings.separator.encode().join(read(request) for read in self._readers)

    def verifies(self, request: Request) -> bool | None:
        """Whether the signature is right, and the digest where the request states one; None when there is
        no signature or its key's secret is not configured."""
        key = self.key_id(request)
        if key is None or self._ring.key(key) is None:
            return None
        return self._is_made_by(request, key)

    def _is_made_by(self, request: Request, key_id: str) -> bool:
        key = self._ring.key(key_id)
        digest = self.read(request, "body_digest")
        if key is None or (digest is not None and digest.lower() != body_digest(request)):
            return False
        prefix = self._settings.signature_prefix.encode()
        value = self.read(request, "signature") or b""
        signature = decode(value.removeprefix(prefix), self._settings.signature_encoding)
        if signature is None or not value.startswith(prefix):
            return False
        return key.verify(self.canonical(request), signature)

    def _stated(
        self, request: Request, key: str, at: float | None, nonce: str | None
    ) -> dict[str, bytes] | None:
        """The value of every signing part but the signature; None when one cannot be said."""
        values = {
            "key_id": key.encode("latin-1", "replace"),
            "algorithm": self._ring.algorithm(key).encode(),
            "timestamp": self._time(request, at),
            "nonce": self.read(request, "nonce") if nonce is None else nonce.encode(),
            "body_digest": body_digest(request),
        }
        stated = {part: value for part, value in values.items() if part in self._places}
        said = {part: value for part, value in stated.items() if value is not None}
        return said if len(said) == len(stated) else None

    def _time(self, request: Request, at: float | None) -> bytes | None:
        if at is None:
            return self.read(request, "timestamp")
        return write_time(at, self._settings.timestamp_format)

    def _written(self, signature: bytes) -> bytes:
        text = encode(signature, self._settings.signature_encoding)
        return self._settings.signature_prefix.encode() + text

    def _formatted(self, request: Request, stated: Mapping[str, bytes]) -> Request:
        """`request` with a signature's field as its format wants it, for a signature yet to be made."""
        text = _HOLE.sub(
            lambda hole: stated.get(hole[1], b"0").decode("latin-1"), self._settings.signature_format
        )
        return place_of(self._settings.signature).put(request, text.encode("latin-1", "replace"))


def _places(settings: SigningSettings) -> dict[str, Place]:
    """The place of each part, in the order in which the parts are written to an unsigned request."""
    named = {
        "key_id": settings.key_id,
        "algorithm": settings.algorithm,
        "timestamp": settings.timestamp,
        "nonce": settings.nonce,
        "body_digest": settings.body_digest,
        "signature": settings.signature,
    }
    places = {part: place_of(name) for part, name in named.items() if name}
    return places | _pieces(settings)


def _pieces(settings: SigningSettings) -> dict[str, Place]:
    """The parts that stand in the signature's field by its format."""
    if not settings.signature_format:
        return {}
    parts = _HOLE.split(settings.signature_format)
    texts, holes = parts[::2], parts[1::2]
    ends = [text[:1] for text in texts[1:]]
    patterns = [f"([^{re.escape(end)}\\s]*)" if end.strip() else r"([^,;\s]*)" for end in ends]
    found: dict[str, Place] = {}
    for at, hole in enumerate(holes):
        open_patterns = [each if i == at else f"(?:{each[1:-1]})" for i, each in enumerate(patterns)]
        pattern = "".join(
            re.escape(text) + each for text, each in zip(texts, [*open_patterns, ""], strict=True)
        )
        found[hole] = PiecePlace(place_of(settings.signature), pattern.encode("latin-1", "replace"))
    return found


def _check(settings: SigningSettings) -> None:
    if not settings.signature:
        raise ConfigError("signing.signature is empty; name the header that carries the signature")
    one_of("signing.timestamp_format", settings.timestamp_format, TIMESTAMP_FORMATS)
    one_of("signing.signature_encoding", settings.signature_encoding, ENCODINGS)
    for part in ("signature", "key_id", "algorithm", "timestamp", "nonce", "body_digest"):
        name = getattr(settings, part).removeprefix("query:")
        if not name.isascii() or any(letter in name for letter in ": \t\r\n"):
            raise ConfigError(f"signing.{part} is {name!r}, which is no header name; use letters and hyphens")
    check_keys("signing.keys", settings.keys, ALGORITHMS)
    if settings.signature_format:
        _check_format(settings)


def _check_format(settings: SigningSettings) -> None:
    holes = _HOLE.findall(settings.signature_format)
    if "signature" not in holes or settings.signature.startswith("query:"):
        raise ConfigError(
            f"signing.signature_format is {settings.signature_format!r}, which says nothing of where in a"
            " header the signature stands; write {signature} there"
        )
    for hole in holes:
        if hole not in _FORMATTED:
            raise ConfigError(
                f"signing.signature_format has {'{' + hole + '}'!r}, which is none of"
                f" {', '.join(_FORMATTED)}{nearest(hole, _FORMATTED)}"
            )
        if holes.count(hole) > 1 or (hole != "signature" and getattr(settings, hole)):
            raise ConfigError(
                f"signing.signature_format has {hole!r}, which stands elsewhere too; say it once"
            )
