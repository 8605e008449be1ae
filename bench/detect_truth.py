"""Where each bug of the reference service can show: what a finding must name to count as its detection.

For the benchmark alone, which knows what it put in. The tool is told nothing of it.
"""

from collections.abc import Collection
from fnmatch import fnmatchcase

import msgspec

_ANY = ("*",)
_SIGNED = ("* /v1/*",)
_BODIES = (
    *("POST /v1/accounts", "POST /v1/keys", "POST /v1/instances", "PATCH /v1/instances/{id}"),
    *("POST /v1/instances/{id}/*", "PUT /v1/instances/{id}/grants/{id}", "POST /v1/tools/*"),
    *("POST /v1/dns/records", "PUT /v1/dns/records/{id}"),
)
_NAMES = ("POST /v1/instances", "PATCH /v1/instances/{id}")
_TEXTS = (
    *_NAMES,
    *("POST /v1/accounts", "POST /v1/dns/records", "PUT /v1/dns/records/{id}", "POST /v1/tools/*"),
)
_INTEGERS = (
    *("POST /v1/instances", "POST /v1/instances/{id}/resize", "POST /v1/keys", "POST /v1/tools/quote"),
    *("POST /v1/dns/records", "PUT /v1/dns/records/{id}"),
)
_SHOWN = ("* /v1/instances", "* /v1/instances/{id}", "POST /v1/instances/{id}/*")
_LIST = ("GET /v1/instances",)
_ACCEPTED = ("auth-bypass", "illegal-transition")
_DENIED = ("F206", "auth-bypass")
_REGRESSIONS = ("regression", "mutation-regression", "metamorphic", "race")
_BREAKAGE = ("F100", "F209", "crash", "hang", "slow", "unhealthy", "F200")


class Place(msgspec.Struct, frozen=True):
    """What a finding must be for a bug to be the reason of it: one of each, by patterns."""

    kind: str
    """P: plain traffic shows the bug, M: a mutant, S: a sequence, R: a race."""
    endpoints: tuple[str, ...]
    """Those whose answer the guarded branch can affect."""
    faults: tuple[str, ...] = _ANY
    where: tuple[str, ...] = _ANY

    def fits(self, endpoints: Collection[str], fault: str, where: Collection[str]) -> bool:
        """Whether a finding of `fault` at one of `endpoints`, with these places that differ, tells of it."""
        return (
            any(_is_like(each, self.endpoints) for each in endpoints)
            and _is_like(fault, self.faults)
            and (self.where == _ANY or any(_is_like(each, self.where) for each in where))
        )


PLACES: dict[str, Place] = {
    "B01": Place("M", _SIGNED, _ACCEPTED),
    "B02": Place("M", _SIGNED, _ACCEPTED),
    "B03": Place("M", _BODIES, _ACCEPTED),
    "B04": Place("M", _SIGNED, _ACCEPTED),
    "B05": Place("M", _SIGNED, _ACCEPTED),
    "B06": Place("M", _SIGNED, _ACCEPTED),
    "B07": Place("M", _SIGNED, (*_ACCEPTED, "mutation-regression", "framing", "validation")),
    "B08": Place("M", _SIGNED, _ACCEPTED),
    "B09": Place("M", _SIGNED, _ACCEPTED),
    "B10": Place("M", _SIGNED, _ACCEPTED),
    "B11": Place("M", _SIGNED, _ACCEPTED),
    "B12": Place("M", _SIGNED, _ACCEPTED),
    "B13": Place("M", ("POST /v1/instances/{id}/stop",), _DENIED),
    "B14": Place("M", ("POST /v1/instances/{id}/resize",), _DENIED),
    "B15": Place("M", ("GET /v1/instances/{id}/metrics",), _DENIED),
    "B16": Place("M", ("PATCH /v1/instances/{id}",)),
    "B17": Place("M", ("PATCH /v1/instances/{id}",)),
    "B18": Place("M", ("POST /v1/instances/{id}/transfer",)),
    "B19": Place("R", ("POST /v1/transfers/{id}/accept",), ("race",)),
    "B20": Place("R", ("POST /v1/instances",), ("race",)),
    "B21": Place("S", ("POST /v1/instances/{id}/start",)),
    "B22": Place("S", ("POST /v1/instances/{id}/pause",), _BREAKAGE),
    "B23": Place("S", ("POST /v1/instances/{id}/stop",)),
    "B24": Place("M", _TEXTS),
    "B25": Place("M", _BODIES, _BREAKAGE),
    "B26": Place("M", _NAMES, _BREAKAGE),
    "B27": Place("M", _INTEGERS),
    "B28": Place("M", _NAMES),
    "B29": Place("M", _NAMES, ("crash", "framing")),
    "B30": Place("M", _BODIES),
    "B31": Place("M", _BODIES, _BREAKAGE),
    "B32": Place("M", _LIST, _BREAKAGE),
    "B33": Place("M", _LIST),
    "B34": Place("M", _LIST),
    "B35": Place("P", _SHOWN, where=("body:*image",)),
    "B36": Place("P", _SHOWN, where=("body:*memory_mb",)),
    "B37": Place("P", (*_SHOWN, "GET /v1/usage", "GET /v1/operations/{id}"), where=("body:*price*",)),
    "B38": Place("P", _SIGNED, where=("body:*at", "body:*as_of")),
    "B39": Place("P", _SHOWN, where=("header:etag", "header:vary")),
    "B40": Place("P", _LIST, where=("body:$.items*", "body:$.next_cursor")),
    "B41": Place("P", _LIST, where=("body:$.items*",)),
    "B42": Place("P", _SIGNED, where=("status",)),
    "B43": Place("P", ("POST /v1/*",), where=("body:$.error*",)),
    "B44": Place("P", _SHOWN, where=("body:*status",)),
    "B45": Place("P", _SHOWN, where=("body:*tags*",)),
    "B46": Place("P", _SHOWN, where=("body:*name",)),
    "B47": Place("M", _LIST, ("slow", "hang", "unhealthy", "regression")),
    "B48": Place("M", _ANY, ("growth",)),
    "B49": Place("M", ("PATCH /v1/instances/{id}",), ("left-trace",)),
    "B50": Place("M", ("PATCH /v1/instances/{id}", "DELETE /v1/instances/{id}")),
    "B51": Place("M", _SIGNED, ("framing",), ("surplus",)),
    "B52": Place("S", ("GET /v1/operations/{id}", "GET /v1/instances/{id}"), _REGRESSIONS),
    "B53": Place("M", _SIGNED),
    "B54": Place("M", ("POST /v1/tools/*",)),
    "B55": Place("S", ("* /v1/dns/records", "* /v1/dns/records/{id}")),
}


def _is_like(text: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
