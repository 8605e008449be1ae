"""What two JSON trees, gone through side by side, say of which value is which."""

import re
from base64 import urlsafe_b64decode
from binascii import Error as NoBase64
from collections.abc import Iterator
from typing import Any

import msgspec

from shadow.replay.alignment import aligned
from shadow.replay.evidence_text import URL_START, Asked, Evidence, named, urls
from shadow.replay.token import are_drawn, is_id_key, is_token, kind_of_key, kind_of_word

_DEPTH_MAX = 64
_NESTED_CHARS_MAX = 64 * 1024
_JWT = re.compile(r"eyJ[\w-]{6,}\.([\w-]{4,})\.[\w-]*", re.ASCII)
_KEYS_MAX = 64


class Walk:
    """Goes through two trees. To be used once."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._place = ["body:$"]

    def pairs(self, live: Any, shadow: Any) -> Iterator[Evidence]:
        """Evidence in the two trees, each pair once per place."""
        yield from self._pair(live, shadow, key="", kind="", is_sure=True, depth=0)

    def _pair(
        self, live: Any, shadow: Any, *, key: str, kind: str, is_sure: bool, depth: int, is_item: bool = False
    ) -> Iterator[Evidence]:
        """Evidence in two values under `key`, inside a thing of `kind` (empty where nothing says so)."""
        if depth > _DEPTH_MAX or type(live) is not type(shadow):
            return
        if live == shadow:
            # among things that differ: it stands for itself, and no later guess may say otherwise
            if isinstance(live, str) and depth and is_token(live, has_id_key=is_id_key(key)):
                yield Evidence(live, live, place=self._here)
            elif type(live) is int and depth and is_id_key(key):
                yield from self._numbers(str(live), str(live), key, kind, is_sure=is_sure)
            return
        if isinstance(live, dict):
            yield from self._objects(live, shadow, kind_of_word(key) or kind, is_sure=is_sure, depth=depth)
        elif isinstance(live, list):
            for one, other, is_certain in aligned(live, shadow, lambda text: self._asked.find(text, None)):
                self._place.append("[]")
                yield from self._pair(
                    one, other, key=key, kind=kind, is_sure=is_sure and is_certain, depth=depth + 1,
                    is_item=True,
                )  # fmt: skip
                self._place.pop()
        elif isinstance(live, str):
            yield from self._texts(live, shadow, key, kind, is_sure=is_sure, depth=depth, is_item=is_item)
        elif isinstance(live, int) and not isinstance(live, bool):
            if is_id_key(key):
                yield from self._numbers(str(live), str(shadow), key, kind, is_sure=is_sure)
            elif is_item and self._asked.is_making:
                yield from self._numbers(str(live), str(shadow), "", kind, is_sure=is_sure)

    @property
    def _here(self) -> str:
        return "".join(self._place)

    def _objects(
        self, live: dict[str, Any], shadow: dict[str, Any], kind: str, *, is_sure: bool, depth: int
    ) -> Iterator[Evidence]:
        for name, value in live.items():
            if name in shadow:
                self._place.append(f".{name}" if name.isidentifier() else f'["{name}"]')
                yield from self._pair(
                    value, shadow[name], key=name, kind=kind, is_sure=is_sure, depth=depth + 1
                )
                self._place.pop()
        mine, its = _only(live, shadow), _only(shadow, live)
        if not mine or len(mine) != len(its) or not all(map(_may_name, (*mine, *its))):
            return
        certain = is_sure and len(mine) == 1
        for one, other in zip(mine, its, strict=True):
            yield from named(one, other, kind, f"{self._here}.{{key}}", is_id=True, is_sure=certain)
            self._place.append(".{id}")
            yield from self._pair(
                live[one], shadow[other], key="", kind=kind, is_sure=certain, depth=depth + 1
            )
            self._place.pop()

    def _texts(
        self, live: str, shadow: str, key: str, kind: str, *, is_sure: bool, depth: int, is_item: bool
    ) -> Iterator[Evidence]:
        if "/" in live and URL_START.match(live) and URL_START.match(shadow):
            yield from urls(live, shadow, self._asked, self._here)
            return
        if inner := _inside(live, shadow):
            self._place.append("(json)")
            yield from self._pair(*inner, key="", kind=kind, is_sure=is_sure, depth=depth + 1)
            self._place.pop()
            if live[0] in "{[":
                return
        meant, is_id = self._meant(live, key, kind), is_id_key(key)
        if is_item and self._asked.is_making and not is_id:  # what a list of names says was made
            meant, is_id = kind or self._asked.kind, are_drawn(live, shadow) or _may_name(live)
        yield from named(live, shadow, meant, self._here, is_id=is_id, is_sure=is_sure)

    def _numbers(self, live: str, shadow: str, key: str, kind: str, *, is_sure: bool) -> Iterator[Evidence]:
        if len(live) >= 9:  # snowflakes and the like stand for themselves
            yield Evidence(live, shadow, None, is_sure, place=self._here)
        meant = self._meant(live, key, kind)
        if meant:
            yield Evidence(live, shadow, meant, is_sure, place=self._here)

    def _meant(self, live: str, key: str, kind: str) -> str:
        """The kind of thing that `live` names: the key's own, that of what holds it, or that of the path."""
        own = kind_of_key(key)
        if own and own != "u":
            return own
        path = self._asked.segments
        if live in path:
            return kind_of_word(path[path.index(live) - 1]) or kind or self._asked.kind
        return kind or self._asked.kind


def _only(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The first keys of `one` that `other` lacks."""
    found = [key for key in one if key not in other]
    return found if len(found) <= _KEYS_MAX else []


def _may_name(text: str) -> bool:
    return (
        text.isdigit() or is_token(text, has_id_key=True) or (len(text) < 6 and any(map(str.isdigit, text)))
    )


def _inside(live: str, shadow: str) -> tuple[Any, Any] | None:
    """The JSON that stands inside two texts: as text, or as the claims of a token (RFC 7519 §3)."""
    if max(len(live), len(shadow)) > _NESTED_CHARS_MAX:
        return None
    if live[:1] in ("{", "["):
        raw, other = live.encode("utf-8", "replace"), shadow.encode("utf-8", "replace")
    else:
        mine, its = _JWT.fullmatch(live), _JWT.fullmatch(shadow)
        if mine is None or its is None:
            return None
        try:
            raw, other = (urlsafe_b64decode(each[1] + "==") for each in (mine, its))
        except NoBase64:
            return None
    try:
        return msgspec.json.decode(raw), msgspec.json.decode(other)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
