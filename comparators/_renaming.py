"""Members whose names are ids: two services that give ids of their own call the same entry differently."""

import re
from collections.abc import Mapping
from typing import Any

_SHAPES = {
    "uuid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "number": re.compile(r"\d+"),
    "hex": re.compile(r"(0x)?(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}"),
    "prefixed": re.compile(r"[A-Za-z]{1,12}[-_](?=[0-9A-Za-z]*\d)[0-9A-Za-z]{6,}"),
}


def renamed_ids(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, str]:
    """The right name for each left one that only the left object has, where both are ids of one shape.

    Matched in order, and only where there are as many on both sides: else an entry truly came or went.
    """
    ours = _by_shape(left, right)
    theirs = _by_shape(right, left)
    found: dict[str, str] = {}
    for shape, names in ours.items():
        others = theirs.get(shape, [])
        if len(names) == len(others):
            found.update(zip(names, others, strict=True))
    return found


def _by_shape(members: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in members:
        if name not in others:
            shape = next((shape for shape, form in _SHAPES.items() if form.fullmatch(name)), None)
            if shape is not None:
                found.setdefault(shape, []).append(name)
    return found
