"""A finding: one cause, with everything that is needed to understand it and to see it again."""

from typing import Any

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One line of `findings.jsonl`; `docs/output.md` describes each key."""

    id: str
    """Stable fingerprint: the same cause has the same id in every run."""
    kind: str
    fault: str
    severity: str
    title: str
    endpoint: str
    """The first endpoint that showed it, as ``"GET /v1/x/{id}"``."""
    where: tuple[str, ...]
    """Places with array positions removed: ``"status"``, ``"header:etag"``, ``"body:$.items[].price"``."""
    mutator: str | None
    edits: tuple[str, ...]
    expect: str
    why: str
    exchanges: tuple[int, ...]
    """Indexes of all exchanges that showed it."""
    count: int
    control: dict[str, Any] | None
    answer: dict[str, Any] | None
    baseline: dict[str, Any] | None
    confirmed: str
    """``"5/5"``: how often it was seen again out of the times it was tried."""
    reproduce: dict[str, Any]
    """``{"curl": ..., "raw_base64": ..., "seed": ...}``"""
    endpoints: tuple[str, ...] = ()
    """Every endpoint that showed it."""
    minimised: dict[str, Any] | None = None
    """``{"from": {"edits": 3, "bytes": 2310}, "to": {"edits": 1, "bytes": 240}, "tries": 17}``"""
    also: tuple[str, ...] = ()
    """Ids of causes that showed in the same answers and are told as part of this one; they too are stable."""
    wfc: str | None = None
    """The code of the Web Fuzzing Commons, where there is one: ``"F208"``."""
    known: dict[str, Any] | None = None
    """``{"reason": ..., "by": ..., "until": ...}`` where it was accepted: then it is told nowhere else."""
