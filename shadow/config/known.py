"""A file of known findings, read, and what is written into one."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from shadow.errors import ConfigError, nearest
from shadow.judge.accepted import Acceptance, Accepted
from shadow.model import Finding, Severity

_KEYS = tuple(each.name for each in msgspec.structs.fields(Accepted))
HEAD = """\
# Findings that were looked at and accepted. They stay silent until their last day (`until`), and a run says
# which of them are gone. An entry speaks of the finding with its `id`; without one, of all findings that its
# patterns `fault`, `endpoint` and `where` fit.
"""


def load_known(name: str, today: date) -> Acceptance | None:
    """The entries of the file called `name`; None for no name.

    Raises ConfigError that names the file, the entry and the way out.
    """
    if not name:
        return None
    return Acceptance(read_known(Path(name)), today)


def read_known(path: Path) -> tuple[Accepted, ...]:
    """The entries of the file at `path`. Raises ConfigError as `load_known` does."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        way_out = "make one with shadow known add"
        raise ConfigError(f"cannot read known findings {str(path)!r}: {error.strerror}; {way_out}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"known findings {str(path)!r} are no TOML: {error}") from error
    strangers = [key for key in tree if key != "known"]
    if strangers:
        raise ConfigError(f"{str(path)!r}: unknown key {strangers[0]!r}; entries stand under [[known]]")
    rows = tree.get("known", [])
    if not isinstance(rows, list):
        raise ConfigError(f"{str(path)!r}: [known] is one table; write [[known]] before each entry")
    entries = tuple(_entry(row, f"{str(path)!r}, entry {at}") for at, row in enumerate(rows, 1))
    seen: dict[str, int] = {}
    for at, each in enumerate(entries, 1):
        if each.id and each.id in seen:
            raise ConfigError(
                f"{str(path)!r}, entry {at}: id {each.id!r} stands in entry {seen[each.id]} already;"
                " take one of them out"
            )
        seen[each.id] = at
    return entries


def entry_text(finding: Finding, *, reason: str, by: str, on: date, until: date | None) -> str:
    """The entry that accepts `finding`, as TOML with an empty line before it."""
    rows: list[tuple[str, Any]] = [
        ("id", finding.id),
        ("title", finding.title),
        ("fault", finding.fault),
        ("severity", finding.severity),
        ("endpoint", finding.endpoint),
        ("where", list(finding.where)),
        ("mutator", finding.mutator or ""),
        ("reason", reason),
        ("by", by),
    ]
    lines = [f"{key} = {_toml(value)}" for key, value in rows if value]
    lines.append(f"on = {on.isoformat()}")
    lines += [f"until = {until.isoformat()}"] if until is not None else []
    return "\n".join(["", "[[known]]", *lines, ""])


def _entry(row: Any, place: str) -> Accepted:
    if not isinstance(row, dict):
        raise ConfigError(f"{place}: {row!r} is no table; write [[known]] and its keys below it")
    place = f"{place} ({row['id']})" if isinstance(row.get("id"), str) and row["id"] else place
    for key in row:
        if key not in _KEYS:
            hint = nearest(key, _KEYS) or f"; known keys: {', '.join(_KEYS)}"
            raise ConfigError(f"{place}: unknown key {key!r}{hint}")
    for key in ("reason", "endpoint"):
        if not row.get(key):
            what = {"reason": "why it is accepted", "endpoint": "the endpoint, as the finding has it"}[key]
            raise ConfigError(f"{place}: {key} is missing; say {what}")
    if not row.get("id") and set(str(row.get("fault", ""))) <= {"*", "?"}:
        raise ConfigError(
            f"{place}: neither an id nor a fault; without either it would accept all of its endpoint"
        )
    try:
        entry = msgspec.convert(row, Accepted)
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at `$.")
        key = at.removesuffix("`").partition("[")[0]
        what = f"choose one of {', '.join(Severity)}" if key == "severity" else what[0].lower() + what[1:]
        raise ConfigError(f"{place}: {key} is {_told(row.get(key))}: {what}") from error
    if entry.id and not _is_id(entry.id):
        raise ConfigError(f"{place}: id {entry.id!r} is no finding's; it has twelve digits from 0 to f")
    return entry


def _told(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else repr(value)


def _is_id(text: str) -> bool:
    return len(text) == 12 and all(char in "0123456789abcdef" for char in text)


def _toml(value: str | list[str]) -> str:
    """A basic string, or a list of them."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    number = ord(char)
    if 0xD800 <= number <= 0xDFFF:
        return f"\\\\u{number:04x}"  # TOML knows no lone surrogates
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
