"""The values that a finding's reason quotes: masked where the place that holds them is named as a secret."""

import re
from collections.abc import Callable

_CHANGE = re.compile(
    r"(?P<place>\S{1,500}) was (?P<left>.*), the candidate has (?P<right>.*?)"
    r"(?P<rest>(?:; the baseline (?:agrees with live|says so, live is unseen))?(?:; also seen by [^;']*)?)",
    re.DOTALL,
)
_NAME = re.compile(r"([A-Za-z0-9_@-]+)\"?\]?(?:\[\d*\]|<[a-z0-9]+>)*$")
_NOTHING = "nothing"


def masked_values(why: str, is_secret: Callable[[bytes], bool], mask: Callable[[bytes], bytes]) -> str:
    """`why`, which may say ``"PLACE was X, the candidate has Y"``, X and Y masked if PLACE is a secret's.

    The name of a member says so, not of what a token of that name holds.
    """
    found = _CHANGE.fullmatch(why)
    named = _NAME.search(found["place"]) if found else None
    if found is None or named is None or not is_secret(named[1].encode()):
        return why
    left, right = (_masked(found[side], mask) for side in ("left", "right"))
    return f"{found['place']} was {left}, the candidate has {right}{found['rest']}"


def _masked(shown: str, mask: Callable[[bytes], bytes]) -> str:
    return shown if shown == _NOTHING else mask(shown.encode("utf-8", "surrogatepass")).decode()
