"""What was taken for noise, for the user who wants to pin or refuse a place: the file `noise.jsonl`."""

from typing import Any

from msgspec.structs import replace

from shadow.content.redaction import Redactor
from shadow.model import Event, Forgave, Forgiven
from shadow.sinks.folder import Folder, unwritable
from shadow.sinks.lines import json_line

_MAX_PLACES = 5000
_MAX_VALUE_CHARS = 200


class ForgivenPlaces:
    """Writes `noise.jsonl` when it is closed, the most frequent first. Examples are redacted."""

    def __init__(self, folder: Folder, redactor: Redactor) -> None:
        self._folder = folder
        self._redactor = redactor
        self._places: dict[tuple[str, str, str], Forgiven] = {}
        """By endpoint, place and why; of what several processes forgave, the counts are added."""

    def hear(self, event: Event) -> None:
        if not isinstance(event, Forgave):
            return
        for each in event.places:
            key = (each.endpoint, each.where, each.why)
            known = self._places.get(key)
            self._places[key] = each if known is None else replace(known, count=known.count + each.count)

    def close(self) -> None:
        """Raises SinkError where the file cannot be written."""
        places = sorted(self._places.values(), key=lambda each: (-each.count, each.endpoint, each.where))
        try:
            self._folder.replace("noise.jsonl", b"".join(map(self._line, places[:_MAX_PLACES])))
        except OSError as error:
            raise unwritable(self._folder.path, error) from error

    def _line(self, place: Forgiven) -> bytes:
        evidence = {
            witness: {"differed": differed, "compared": compared}
            for witness, (differed, compared) in place.evidence.items()
        }
        return json_line(
            {
                "endpoint": self._redactor.text(place.endpoint),
                "where": place.where,
                "why": place.why,
                "count": place.count,
                "evidence": evidence,
                "example": [self._shown(place.where, place.left), self._shown(place.where, place.right)],
            }
        )

    def _shown(self, where: str, value: Any) -> Any:
        """`value` as it may be shown, which stood at `where`."""
        part, _, name = where.partition(":")
        if isinstance(value, str) and part in ("header", "trailer"):
            field, _, rest = name.partition("[")
            raw = value.encode("utf-8", "surrogatepass")
            is_cookie = field == "set-cookie" and rest.endswith("]")
            masked = self._redactor.mask(raw) if is_cookie else self._redactor.field(field.encode(), raw)
            return masked.decode("utf-8", "replace")[:_MAX_VALUE_CHARS]
        key = name.rpartition(".")[2].strip('[]"')
        shown = self._redactor.value({key: value})[key]
        return shown[:_MAX_VALUE_CHARS] if isinstance(shown, str) else shown
