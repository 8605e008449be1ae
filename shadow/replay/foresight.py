"""What rewriting a request would ask for: where none of it is known, the request can stay as it is.

Most requests name little that is known, and their parts come again and again. What a part asks for is worked
out once, by rewriting it with nothing known.
"""

from functools import lru_cache

import msgspec

from shadow.model import Headers, Request
from shadow.replay.aim import Aim
from shadow.replay.memory import Key, Memory, Place, is_notable
from shadow.replay.rewrite import CONDITIONS, rewrite_fields, rewrite_target

_TARGETS = 4096
_HEADERS = 1024
_MAX_TARGET_BYTES = 512
_MAX_HEADER_BYTES = 4096


class Asked(msgspec.Struct, frozen=True):
    """What one part of a request asks for."""

    found: tuple[Key, ...]
    """What would change it, were it known."""
    bare: tuple[str, ...]
    """The same, of whatever kind."""
    noted: tuple[Key, ...]
    """What the client used."""
    kind: str = ""
    """Of a target: the kind of thing that it is about."""

    def may_be_known(self, memory: Memory) -> bool:
        """Whether anything of this is in `memory`."""
        values, kinds = memory.values, memory.kinds
        if not values:
            return False
        for key in self.found:
            if key in values:
                return True
        return any(text in kinds for text in self.bare)


class Foresight:
    """Tells what requests ask for. `aim` and `keeps_host` are those of all rewriting."""

    def __init__(self, aim: Aim, *, keeps_host: bool = False) -> None:
        self._aim = aim
        self._keeps_host = keeps_host
        self._target = lru_cache(_TARGETS)(self._of_target)
        self._fields = lru_cache(_HEADERS)(self._of_fields)

    def of(self, request: Request) -> tuple[Asked, Asked] | None:
        """What the target and the fields of `request` ask for; None where it must be rewritten to tell, for
        its body or its length, or since it changes in any case."""
        if request.body or len(request.target) > _MAX_TARGET_BYTES:
            return None
        target = self._target(request.target)
        if target is None or sum([len(value) for _, value in request.headers]) > _MAX_HEADER_BYTES:
            return None
        fields = self._fields(request.headers, target.kind)
        return None if fields is None else (target, fields)

    def _of_target(self, target: bytes) -> Asked | None:
        record = _Record()
        made, kind = rewrite_target(target, record, self._aim)
        return record.asked(kind) if made == target else None

    def _of_fields(self, headers: Headers, kind: str) -> Asked | None:
        if any(name.lower() in CONDITIONS for name, _ in headers):
            return None  # they depend on the whole path
        record = _Record()
        made = rewrite_fields(headers, kind, record, self._aim, keeps_host=self._keeps_host)
        return record.asked() if made == headers else None


class _Record:
    """Knows nothing, and remembers what it was asked."""

    def __init__(self) -> None:
        self._found: dict[Key, None] = {}
        self._bare: dict[str, None] = {}
        self._noted: dict[Key, None] = {}
        self.place: Place = ("", "")

    def find(self, text: str, kind: str | None) -> str | None:
        self._found[kind, text] = None
        return None

    knows = find

    def find_bare(self, text: str) -> str | None:
        self._bare[text] = None
        return None

    def note(self, text: str, kind: str | None) -> None:
        if is_notable(text, kind):
            self._noted[kind, text] = None

    def asked(self, kind: str = "") -> Asked:
        return Asked(tuple(self._found), tuple(self._bare), tuple(self._noted), kind)
