"""A signing scheme that the user's own Python function knows."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from shadow.auth.algorithms import ALGORITHMS
from shadow.auth.keys import check_keys, one_of, secrets_of
from shadow.auth.place import place_of, put_field
from shadow.auth.placed import Placed
from shadow.auth.settings import SigningSettings
from shadow.auth.stamp import TIMESTAMP_FORMATS
from shadow.errors import ConfigError
from shadow.model import Request

type Tell = Callable[[str], None]
"""Tells the user what went wrong."""
type SigningFunction = Callable[..., Any]
"""``sign(method, target, headers, body, *, key_id, secret, at, nonce)`` gives the fields to set, by name.

``method`` and ``target`` are text, ``headers`` a list of pairs of text without those that the signature is
made of, ``body`` is bytes. ``secret`` is bytes, ``at`` the Unix time to state (None where none is stated),
``nonce`` text or None. What comes back maps names of fields to text; None where it cannot sign.
"""


class CallableScheme(Placed):
    """Signs by a function, and recognises requests by the field that the settings name as `signature`.

    Implements `shadow.model.Signs`. Whatever the function raises is told, and the request counts as one that
    cannot be signed. A signature is genuine where the function makes the same one again.
    """

    def __init__(
        self,
        settings: SigningSettings,
        secrets: Mapping[str, str] | None,
        function: SigningFunction,
        tell: Tell,
    ) -> None:
        """`secrets` as for `CanonicalScheme`. Raises ConfigError."""
        if not settings.signature:
            raise ConfigError("signing.signature is empty; name the header that the callable sets")
        one_of("signing.timestamp_format", settings.timestamp_format, TIMESTAMP_FORMATS)
        check_keys("signing.keys", settings.keys, ALGORITHMS)
        self._settings = settings
        self._function = function
        self._tell = tell
        self._secrets = secrets_of(settings.keys, secrets or {}, is_text=True)
        self._status = {key.id: key.status for key in settings.keys}
        named = ("key_id", "algorithm", "timestamp", "nonce", "body_digest", "signature")
        places = {part: place_of(name) for part in named if (name := getattr(settings, part))}
        super().__init__(places, settings.timestamp_format)

    def key_id(self, request: Request) -> str | None:
        if self.read(request, "signature") is None:
            return None
        if "key_id" in self._places:
            stated = self.read(request, "key_id")
            return None if stated is None else stated.decode("latin-1")
        return next((id_ for id_, status in self._status.items() if status == "active"), None)

    def keys(self) -> tuple[str, ...]:
        return self._with_status("active")

    def revoked_keys(self) -> tuple[str, ...]:
        return self._with_status("revoked")

    def verifies(self, request: Request) -> bool | None:
        if self.key_id(request) not in self._secrets:
            return None
        made = self.sign(request)
        return made is not None and self.read(made, "signature") == self.read(request, "signature")

    def sign(
        self, request: Request, *, key: str | None = None, at: float | None = None, nonce: str | None = None
    ) -> Request | None:
        signing = self.key_id(request) if key is None else key
        if signing is None or signing not in self._secrets:
            return None
        if nonce is None and (recorded := self.read(request, "nonce")) is not None:
            nonce = recorded.decode("latin-1")
        made = self._made(request, signing, self.stated_time(request) if at is None else at, nonce)
        for name, value in made.items() if made else ():
            headers = put_field(request.headers, name, value.encode("latin-1", "replace"))
            request = msgspec.structs.replace(request, headers=headers)
        return request if made else None

    def _made(self, request: Request, key: str, at: float | None, nonce: str | None) -> dict[str, str] | None:
        """The fields that the function sets; None where it sets none that can be used."""
        own = {place.name.lower() for place in self._places.values()}
        told = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
        try:
            made = self._function(
                request.method.decode("latin-1"),
                request.target.decode("latin-1"),
                [(name, value) for name, value in told if name.lower() not in own],
                request.body,
                key_id=key,
                secret=self._secrets[key],
                at=at,
                nonce=nonce,
            )
        except Exception as error:  # noqa: BLE001  # the user's code may raise anything, and a run goes on
            self._tell(f"{self._settings.callable!r} raised {type(error).__name__}: {error}; not signed anew")
            return None
        is_usable = isinstance(made, Mapping) and all(_is_field(*pair) for pair in made.items())
        if made is not None and not is_usable:
            self._tell(
                f"{self._settings.callable!r} gave {type(made).__name__} where a dict of header names and"
                " their text is wanted; not signed anew"
            )
        return dict(made) if is_usable else None

    def _with_status(self, status: str) -> tuple[str, ...]:
        return tuple(id_ for id_ in self._secrets if self._status[id_] == status)


def imported(path: str) -> SigningFunction:
    """The function that ``"package.module:function"`` names, from the working directory or installed.

    Raises ConfigError where there is none.
    """
    module, _, name = path.partition(":")
    if not module or not name:
        raise ConfigError(f"signing.callable is {path!r}; write it as 'package.module:function'")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found: object = import_module(module)
    except Exception as error:  # importing runs the user's code, which may raise anything
        why = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"signing.callable {path!r} cannot be imported: {why}; it is looked for in {here!r} and among"
            " the installed packages"
        ) from error
    finally:
        sys.path.remove(here)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ConfigError(f"signing.callable {path!r}: {module!r} has no function {name!r}")
    return found


def _is_field(name: object, value: object) -> bool:
    texts = isinstance(name, str) and isinstance(value, str)
    return texts and not any(mark in f"{name}{value}" for mark in "\r\n\0") and bool(name)
