"""Numbers that a process tells of itself, as Prometheus text or OpenMetrics."""

import math
from collections.abc import Collection

_MAX_BYTES = 4 << 20
"""A longer page is read so far."""


def samples(page: bytes, names: Collection[str]) -> dict[str, float]:
    """The finite values of `names` on a page of metrics, by name; those of one name are added up over its
    labels. What the page does not have is left out."""
    wanted = {name.encode(): name for name in names}
    found: dict[str, float] = {}
    for line in page[:_MAX_BYTES].split(b"\n"):
        name = wanted.get(line.split(b"{", 1)[0].split(b" ", 1)[0])
        if name is not None and (value := _value(line[len(name) :])) is not None:
            found[name] = found.get(name, 0.0) + value
    return found


def _value(rest: bytes) -> float | None:
    """The number after a sample's labels, where it has any; before its time and its exemplar."""
    rest = rest.split(b" # ", 1)[0]
    fields = rest[rest.rfind(b"}") + 1 :].split()
    try:
        value = float(fields[0])
    except (IndexError, ValueError):
        return None
    return value if math.isfinite(value) else None
