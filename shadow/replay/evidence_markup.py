"""What two texts of HTML or XML say of which value is which, well formed or not."""

import re
from collections.abc import Iterator
from itertools import zip_longest

from shadow.replay.evidence_text import URL_START, Asked, Evidence, named, urls
from shadow.replay.token import is_id_key, kind_of_key, kind_of_word

_TAG = re.compile(rb"<([A-Za-z][\w:.-]*+)([^<>]*+)>([^<>]*+)")
_ATTRIBUTE = re.compile(rb"""(?<![\w:.-])([\w:.-]++)\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'<>=`]++))""")
_NAME = re.compile(rb"""(?i:(?<![\w:.-])name)\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'<>=`]++))""")
_LEAF = re.compile(rb"<([A-Za-z][\w:.-]*+)(?:\s[^<>]*+)?>([^<>\s]++)</")
_LEAF_BYTES_MAX = 4096


def markup(live: bytes, shadow: bytes, asked: Asked) -> Iterator[Evidence]:
    """Evidence in two texts: named fields wherever they stand, then tag by tag while those are the same."""
    yield from form_fields(live, shadow, asked)
    yield from _tokens(live, shadow, asked)
    for mine, its in zip_longest(_TAG.finditer(live), _TAG.finditer(shadow)):
        if mine is None or its is None or mine[1] != its[1]:
            return
        if mine[2] != its[2]:
            yield from _attributes(mine[1], mine[2], its[2], asked)
        if mine[3] != its[3]:
            key = mine[1].rpartition(b":")[2].decode("latin-1")
            one, other = mine[3].strip().decode("latin-1"), its[3].strip().decode("latin-1")
            if one != other:
                kind, is_id = kind_of_key(key), is_id_key(key)
                kind = kind or (asked.kind if is_id else "")
                yield from named(one, other, kind, f"html:{key}", is_id=is_id)


def form_fields(live: bytes, shadow: bytes, asked: Asked) -> Iterator[Evidence]:
    """Evidence in named fields, wherever in two pages they stand."""
    theirs = _named_fields(shadow)
    for name, attributes in _named_fields(live).items():
        if attributes != theirs.get(name, attributes):
            yield from _attributes(name[0], attributes, theirs[name], asked)


def _tokens(live: bytes, shadow: bytes, asked: Asked) -> Iterator[Evidence]:
    """Evidence in elements that are called as ids and tokens are, and of which both texts have one: wherever
    they stand, as a cursor does beside a list."""
    theirs = _single_leaves(shadow)
    for name, value in _single_leaves(live).items():
        other = theirs.get(name)
        if other and other != value:
            kind = kind_of_key(name) or asked.kind
            mine, its = value.decode("latin-1"), other.decode("latin-1")
            yield from named(mine, its, kind, f"html:{name}", is_id=True)


def _single_leaves(text: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for leaf in _LEAF.finditer(text):
        name = leaf[1].rpartition(b":")[2].decode("latin-1")
        if is_id_key(name) and len(leaf[2]) <= _LEAF_BYTES_MAX:
            found[name] = b"" if name in found else leaf[2]
    return found


def attributes_of(raw: bytes) -> dict[str, str]:
    """The attributes of one tag, by name in lower case."""
    return {
        found[1].decode("latin-1").lower(): _value_of(found).decode("utf-8", "replace")
        for found in _ATTRIBUTE.finditer(raw)
    }


def tags(text: bytes, name: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The raw attributes of each tag called `name` (lower case), and the text that follows it."""
    return ((tag[2], tag[3]) for tag in _TAG.finditer(text) if tag[1].lower() == name)


def _value_of(attribute: re.Match[bytes]) -> bytes:
    return attribute[2] or attribute[3] or attribute[4] or b""


def _named_fields(text: bytes) -> dict[tuple[bytes, bytes], bytes]:
    """The attributes of each first ``input`` and ``meta`` with a name, by tag and name."""
    found: dict[tuple[bytes, bytes], bytes] = {}
    for tag in _TAG.finditer(text):
        if tag[1].lower() in (b"input", b"meta") and (name := _NAME.search(tag[2])):
            found.setdefault((tag[1].lower(), name[1] or name[2] or name[3] or b""), tag[2])
    return found


def _attributes(tag: bytes, live: bytes, shadow: bytes, asked: Asked) -> Iterator[Evidence]:
    theirs = {found[1]: _value_of(found) for found in _ATTRIBUTE.finditer(shadow)}
    known = {found[1]: _value_of(found) for found in _ATTRIBUTE.finditer(live)}
    title = (known.get(b"name") or known.get(b"id") or b"").decode("latin-1")
    element = tag.rpartition(b":")[2].decode("latin-1")
    for name, value in known.items():
        other = theirs.get(name)
        if not other or not value or other == value:
            continue
        mine, its = value.decode("latin-1"), other.decode("latin-1")
        place = f"html:{element}[{(title and f'name={title}') or name.decode('latin-1')}]"
        if URL_START.match(mine) and "/" in mine:
            yield from urls(mine, its, asked, place)
        else:
            key = title if name in (b"value", b"content") else name.decode("latin-1")
            is_id = is_id_key(key)
            kind = kind_of_key(key) or (kind_of_word(element) if is_id else "")
            yield from named(mine, its, kind, place, is_id=is_id)
