"""Findings as JSON lines, as `docs/output.md` describes them."""

import json
import math
from typing import Any

import msgspec

from shadow.model import Finding

_DECODER = msgspec.json.Decoder(Finding)


def finding_line(finding: Finding) -> bytes:
    """`finding` as one JSON line with its line end."""
    return json_line(msgspec.structs.asdict(finding))


def read_findings(lines: bytes) -> tuple[Finding, ...]:
    """The findings in `findings.jsonl`; a line that is none is left out."""
    found = []
    for line in lines.splitlines():
        try:
            found.append(_DECODER.decode(line))
        except msgspec.MsgspecError:
            continue
    return tuple(found)


def json_line(value: dict[str, Any]) -> bytes:
    """`value` as JSON that any parser takes, with a line end: no NaN, no lone surrogate, no bytes."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _plain(value: Any) -> Any:
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
        case bytes():
            return value.decode("latin-1")
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(inner) for inner in value]
        case bool() | int() | float() | None:
            return value
    return str(value)
