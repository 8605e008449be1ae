"""As much of Structured Field Values (RFC 8941) as signatures need: dictionaries, inner lists, parameters."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_KEY = rb"[a-z*][a-z0-9_.*-]*"
_STRING = rb'"(?:[^"\\]|\\.)*"'
_BARE = rb'(?:"(?:[^"\\]|\\.)*"|:[A-Za-z0-9+/=]*:|\?[01]|-?[0-9][0-9.]*|[A-Za-z*][^\s;,()="]*)'
_MEMBER_KEY = re.compile(rb"[ \t]*(" + _KEY + rb")(=?)")
_VALUE = re.compile(rb'(?:"(?:[^"\\]|\\.)*"|[^",])*')
"""Up to the next comma outside a string."""
_PARAMETER = re.compile(rb"[ ]*;[ ]*(" + _KEY + rb")(?:=(" + _BARE + rb"))?")
_ITEM = re.compile(rb"[ ]*(" + _STRING + rb")")
_ODD_SPACE = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t]*(,)[ \t]*|[ \t]*(;)[ \t]*|[ \t]*(\))|(\()[ \t]*|[ \t]+')


class Parameter(NamedTuple):
    """One parameter; `raw` is its value as written, empty for a flag."""

    name: bytes
    raw: bytes

    def text(self) -> bytes:
        return b";" + self.name + (b"=" + self.raw if self.raw else b"")


class Item(NamedTuple):
    """A string with parameters, as in ``"content-type";sf``."""

    value: bytes
    """Without quotes."""
    parameters: tuple[Parameter, ...] = ()

    def text(self) -> bytes:
        return quoted(self.value) + b"".join(each.text() for each in self.parameters)

    def parameter(self, name: bytes) -> bytes | None:
        """The parameter's value, without quotes; empty for a flag, None where there is none."""
        raw = next((each.raw for each in self.parameters if each.name == name), None)
        return None if raw is None else unquoted(raw)


class InnerList(NamedTuple):
    """``("a" "b";x);p=1``"""

    items: tuple[Item, ...]
    parameters: tuple[Parameter, ...] = ()

    def text(self) -> bytes:
        inside = b" ".join(item.text() for item in self.items)
        return b"(" + inside + b")" + b"".join(each.text() for each in self.parameters)

    def parameter(self, name: bytes) -> bytes | None:
        """As for `Item`."""
        return Item(b"", self.parameters).parameter(name)

    def with_parameter(self, name: bytes, raw: bytes) -> "InnerList":
        """The list with that parameter set to `raw`, in its place or at the end."""
        kept = [Parameter(name, raw) if each.name == name else each for each in self.parameters]
        if all(each.name != name for each in self.parameters):
            kept.append(Parameter(name, raw))
        return self._replace(parameters=tuple(kept))


def dictionary(value: bytes) -> dict[bytes, bytes]:
    """The members of a dictionary by key, each as written after its ``=``; what follows an error is left out.

    Of several of one key the last counts (RFC 8941 §4.2.2).
    """
    return dict(_members(value))


def inner_list(text: bytes) -> InnerList | None:
    """What `text` says; None where it is no inner list of strings."""
    if not text.startswith(b"("):
        return None
    items, at = [], 1
    while found := _ITEM.match(text, at):
        parameters, at = _parameters(text, found.end())
        items.append(Item(unquoted(found[1]), parameters))
    end = re.compile(rb"[ ]*\)").match(text, at)
    if end is None:
        return None
    parameters, at = _parameters(text, end.end())
    return InnerList(tuple(items), parameters) if not text[at:].strip() else None


def strict(value: bytes) -> bytes:
    """`value` with the white space that RFC 8941 §4.1 writes; numbers stay as they are."""

    def spaced(found: re.Match[bytes]) -> bytes:
        if found[2]:
            return b", "
        return found[1] or found[3] or found[4] or found[5] or b" "

    return _ODD_SPACE.sub(spaced, value.strip())


def quoted(text: bytes) -> bytes:
    """`text` as a string."""
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def unquoted(raw: bytes) -> bytes:
    """A string without its quotes; anything else as it is."""
    if len(raw) < 2 or raw[:1] != b'"' or raw[-1:] != b'"':
        return raw
    return re.sub(rb"\\(.)", rb"\1", raw[1:-1])


def _members(value: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while found := _MEMBER_KEY.match(value, at):
        said = _VALUE.match(value, found.end())
        end = said.end() if said else found.end()
        yield found[1], value[found.end() : end].strip()
        if value[end : end + 1] != b",":
            return
        at = end + 1


def _parameters(text: bytes, at: int) -> tuple[tuple[Parameter, ...], int]:
    found = []
    while one := _PARAMETER.match(text, at):
        found.append(Parameter(one[1], one[2] or b""))
        at = one.end()
    return tuple(found), at
