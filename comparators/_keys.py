"""Members as parts of a place: fields by their names, entries of a map by braces, that all pool as one."""

import json
import re

MAP_MIN_KEYS = 51
"""An object with more members than this holds entries, not fields; its keys are written in braces."""
_MAX_KEY_CHARS = 80
_MAX_FIELD_CHARS = 100
"""Nobody names a field with more."""
_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_ENTRY = re.compile(
    r"[0-9].*"
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|[A-Za-z]{1,32}[-:][0-9]{1,18}"
    r"|[^@\s]{1,64}@[^@\s]{1,190}\.[A-Za-z]{2,}"
    r"|/.*"
    r"|[a-z][a-z0-9+.-]{0,15}://.*"
    r"|[0-9A-Fa-f:]{2,40}:[0-9A-Fa-f:.]{0,40}",
    re.DOTALL,
)
"""What begins with a digit (numbers, dates, IPv4), UUIDs, counted names, mail addresses, paths, URLs,
IPv6."""
_NO_BRACES = str.maketrans("{}", "()")


def member(where: str, key: str, *, is_map: bool) -> str:
    """The place of member `key` of the object at `where`."""
    if _PLAIN.fullmatch(key) and not is_map and len(key) <= _MAX_KEY_CHARS:
        return f"{where}.{key}" if not _is_entry(key) else f"{where}{{{key}}}"
    is_named = not is_map and len(key) <= _MAX_FIELD_CHARS and not _is_entry(key)
    key = key[:_MAX_KEY_CHARS]
    return f"{where}[{json.dumps(key)}]" if is_named else f"{where}{{{key.translate(_NO_BRACES)}}}"


def _is_entry(key: str) -> bool:
    return _ENTRY.fullmatch(key) is not None
