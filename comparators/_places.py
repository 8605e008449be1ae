"""How places in documents are written."""

import re

_MAX_KEY_CHARS = 80
_PLAIN = re.compile(r"[A-Za-z_@][A-Za-z0-9_-]*")


def member(where: str, name: str) -> str:
    """The place of what is called `name` in the object or element at `where`."""
    name = name[:_MAX_KEY_CHARS]
    if _PLAIN.fullmatch(name):
        return f"{where}.{name}"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{where}["{quoted}"]'
