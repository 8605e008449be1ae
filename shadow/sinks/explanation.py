"""What correlation learned and missed, for the user who has to write a rule: a file, and a few lines."""

from typing import Any, TextIO

from shadow.content.redaction import Redactor
from shadow.model import Correlated, Event, Learned, Missed
from shadow.sinks.console import shown
from shadow.sinks.folder import Folder, unwritable
from shadow.sinks.lines import json_line

_LINES_MAX = 40


class Explanation:
    """Writes `correlation.jsonl` when it is closed. Values that are secrets are masked, equal ones alike."""

    def __init__(self, folder: Folder, redactor: Redactor, out: TextIO | None) -> None:
        """`out` is where a person reads; None for nobody."""
        self._folder = folder
        self._redactor = redactor
        self._out = out
        self._heard: list[Correlated] = []

    def hear(self, event: Event) -> None:
        if isinstance(event, Correlated):
            self._heard.append(event)

    def close(self) -> None:
        """Raises SinkError where the file cannot be written."""
        learned, missed = self._learned(), self._missed()
        try:
            self._folder.replace("correlation.jsonl", b"".join(map(json_line, (*learned, *missed))))
        except OSError as error:
            raise unwritable(self._folder.path, error) from error
        if self._out is not None:
            self._tell(self._out, learned, missed)

    def _learned(self) -> list[dict[str, Any]]:
        """One entry for each live value, with what it is for each target; the most used first."""
        found: dict[tuple[str, str, str], dict[str, Any]] = {}
        whence: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        """What a target has for a live value, wherever it is used."""
        told = [(heard.target, each) for heard in self._heard for each in heard.learned]
        told.sort(key=lambda of_target: of_target[1].exchange)  # others know it from whoever was first
        for target, each in told:
            if not each.asked:
                continue
            entry = found.setdefault(
                (each.session, each.kind, each.live),
                {
                    "live": self._masked(each.live, each.place),
                    "kind": each.kind or None,
                    "session": self._redactor.text(each.session),
                    "learned": self._whence(each),
                    "targets": {},
                },
            )
            before = entry["targets"].get(target, {"applied": 0})
            entry["targets"][target] = {
                "value": self._masked(each.shadow, each.place),
                "applied": before["applied"] + each.applied,
                "last_place": self._used(each.last_place),
            }
            whence.setdefault((target, each.kind, each.live, each.shadow), entry["targets"][target])
        for target, each in told:
            elsewhere = whence.get((target, each.kind, each.live, each.shadow))
            if not each.asked and elsewhere is not None:  # None: it has gone with the worker that learned it
                elsewhere["applied"] += each.applied
                elsewhere["last_place"] = self._used(each.last_place)
        return sorted(found.values(), key=lambda entry: -_applied(entry))

    def _missed(self) -> list[dict[str, Any]]:
        """One entry for each value that could not be mapped for a target."""
        return [
            {
                "missed": self._masked(each.live, each.place),
                "target": heard.target,
                "told": self._whence(each),
                "why": each.why,
                "carried": self._used(each.carried),
                "times": each.times,
            }
            for heard in self._heard
            for each in heard.missed
        ]

    def _whence(self, each: Learned | Missed) -> dict[str, Any]:
        return {
            "exchange": each.exchange,
            "asked": self._used(each.asked),
            "place": each.place,
        }

    def _used(self, where: str) -> str:
        """``"METHOD path place"`` as it may be shown; a place holds names alone."""
        method, _, rest = where.partition(" ")
        path, blank, place = rest.partition(" ")
        shown_path = self._redactor.target(path.encode("utf-8", "replace")).decode("utf-8", "replace")
        return f"{method} {shown_path}{blank}{place}".strip()

    def _masked(self, value: str, place: str) -> str:
        """`value` as it may be shown, which stood at `place`."""
        part, _, name = place.partition(":")
        raw = value.encode("utf-8", "surrogatepass")
        if part == "cookie":
            masked = self._redactor.mask(raw)
        elif part == "header":
            masked = self._redactor.field(name.encode(), raw)
        else:
            key = name.rpartition("name=")[2].rstrip("]") if part == "html" else name.rpartition(".")[2]
            key = key.strip('[]"')
            return str(self._redactor.value({key: value})[key])
        return masked.decode("utf-8", "replace")

    def _tell(self, out: TextIO, learned: list[dict[str, Any]], missed: list[dict[str, Any]]) -> None:
        told = f"correlation: {len(learned)} live values learned, {len(missed)} could not be mapped"
        lines = [f"{told}; all of it is in {self._folder.path / 'correlation.jsonl'}"]
        lines += [
            f"  missed {shown(entry['missed'], 60)} for the {entry['target']}: {entry['why']}; told by"
            f" {_where(entry['told'])}, carried by {shown(entry['carried'])} ({entry['times']} times)"
            for entry in missed[:_LINES_MAX]
        ]
        for entry in learned[:_LINES_MAX]:
            values = ", ".join(
                f"{name} {shown(each['value'], 60)}" for name, each in entry["targets"].items()
            )
            last = next((each["last_place"] for each in entry["targets"].values() if each["last_place"]), "")
            used = f"put in {_applied(entry)} times, last {shown(last)}" if last else "not used"
            kind = f" ({entry['kind']})" if entry["kind"] else ""
            lines.append(
                f"  {shown(entry['live'], 60)}{kind} → {values}; told by {_where(entry['learned'])}; {used}"
            )
        if (more := len(learned) + len(missed) - len(lines) + 1) > 0:
            lines.append(f"  and {more} more")
        out.write("".join(f"{line}\n" for line in lines))
        out.flush()


def _applied(entry: dict[str, Any]) -> int:
    return max(int(each["applied"]) for each in entry["targets"].values())


def _where(whence: dict[str, Any]) -> str:
    return f"{shown(whence['asked'])} {whence['place']} (exchange {whence['exchange']})"
