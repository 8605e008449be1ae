"""The reference parts of `docs/`, made of the code's own docstrings: `python -m shadow.reference docs`.

Pure but for the last function, which writes a part between its two markers in the document.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAliasType, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from mutators import CATALOG, SESSION_CATALOG, TALK_CATALOG, AnyMutator, TalkMutator, lifted
from mutators._packet import PacketMutator
from mutators._packet_catalog import PACKET_CATALOG
from shadow.config import Settings
from shadow.model import Level

type Entry = AnyMutator | PacketMutator
"""A mutator of any contract."""

WIDTH = 120
"""Of a line of Markdown; a table's row cannot be broken."""

_LEVELS: Mapping[Level, str] = MappingProxyType(
    {
        Level.BODY: "the body: JSON, forms, multipart, XML, GraphQL, JSON-RPC, protobuf",
        Level.TARGET: "method, path and query",
        Level.HEADER: "header fields",
        Level.COOKIE: "cookies",
        Level.AUTH: "signatures, keys and tokens",
        Level.PERMISSION: "who asks, and for whose resource",
        Level.SEQUENCE: "the order of a session's requests",
        Level.RACE: "requests at the same moment",
        Level.FRAMING: "where a message ends",
        Level.BYTES: "the raw bytes of a message",
        Level.NETWORK: "how bytes arrive",
        Level.PACKET: "packets, which `shadow packets` alone sends",
    }
)
_SCALARS: Mapping[object, str] = MappingProxyType(
    {str: "string", int: "integer", float: "number", bool: "boolean"}
)


def settings() -> str:
    """A table for the keys at the top of the file, and one for each table in it, as Markdown."""
    parts = [f"### {heading}\n\n{_table(struct)}" for heading, struct in _tables(Settings, "")]
    return "\n\n".join(parts)


def mutators() -> str:
    """Every mutator of the catalogue with what it expects and why, grouped by level, as Markdown."""
    every: tuple[Entry, ...] = (*CATALOG, *SESSION_CATALOG, *TALK_CATALOG, *PACKET_CATALOG)
    count = len(lifted(CATALOG))
    parts = [
        (
            f"There are {len(every)} mutators. {len(TALK_CATALOG)} are of conversations, and say of which;"
            f" {count}\nof bodies edit the messages of WebSockets, TCP and UDP too, where they expect SAME at"
            " most."
        )
    ]
    for level, what in _LEVELS.items():
        members = [each for each in every if each.level is level]
        entries = "\n".join(map(_mutator, members))
        parts.append(f"### {level.value}\n\nEdits {what}. {len(members)} mutators.\n\n{entries}")
    return "\n\n".join(parts)


PARTS: Mapping[str, Callable[[], str]] = MappingProxyType({"settings": settings, "mutators": mutators})
"""Name of a generated part, as its markers have it, and what makes it."""


def refreshed(text: str) -> str:
    """The document `text` with each generated part made anew. Raises KeyError for a part unknown here."""

    def made(found: re.Match[str]) -> str:
        return f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}"

    return _MARKED.sub(made, text)


def refresh(folder: Path) -> list[Path]:
    """Write the generated parts of the documents in `folder` anew; those that changed."""
    changed = []
    for path in sorted(folder.glob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = refreshed(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed


_MARKED = re.compile(
    r"(<!-- generated: (\w+), write it again with `make docs` -->\n).*?(<!-- end -->)", re.DOTALL
)


def _tables(struct: type[Struct], path: str) -> Iterator[tuple[str, type[Struct]]]:
    """Headings as in TOML (``[scope]``, ``[[signing.keys]]``) with each table's struct, outermost first."""
    if not path:
        yield "Top of the file", struct
    for each in msgspec.structs.fields(struct):
        inner = _struct_of(each.type)
        if inner is None:
            continue
        name = f"{path}{each.encode_name}"
        yield (f"`[[{name}]]`" if _is_array(each.type) else f"`[{name}]`"), inner
        yield from _tables(inner, f"{name}.")


def _table(struct: type[Struct]) -> str:
    says = docstrings(struct)
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for each in msgspec.structs.fields(struct):
        if _struct_of(each.type) is not None:
            continue
        cells = (f"`{each.encode_name}`", _type(each.type), _default(each), says.get(each.name, ""))
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)


def docstrings(struct: type[Struct]) -> dict[str, str]:
    """What stands below each field of `struct` in its source, as one line of Markdown, by field."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(struct)))
    assert isinstance(tree.body[0], ast.ClassDef)
    found, name = {}, ""
    for node in tree.body[0].body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)):
                pass
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                found[name] = _line(text)
            case _:
                name = ""
    return found


def _line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _mutator(one: Entry) -> str:
    weaker = (
        "" if isinstance(one, PacketMutator) or one.is_stated else ", unless the live release accepts it too"
    )
    of = f"; {', '.join(one.of)}" if isinstance(one, TalkMutator) else ""
    text = f"- `{one.name}` ({one.expect.value}{weaker}{of}): {_line(one.reason)}"
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return "none" if value is None else f"`{_toml(value)}`"


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return msgspec.json.encode(value).decode()
        case tuple() | list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{key} = {_toml(each)}' for key, each in value.items())}}}"
    return str(value)


def _type(kind: Any) -> str:
    """A type as a reader of TOML says it; raises TypeError for one that has no word yet."""
    kind, limits = _plain(kind)
    if kind is Any:
        return "value"
    if kind in _SCALARS:
        return _SCALARS[kind] + " and".join(limits)
    match get_origin(kind):
        case origin if origin is tuple:
            return f"list of {_type(get_args(kind)[0])}s"
        case origin if origin is dict:
            values = _type(get_args(kind)[1])
            return f"table of {values}" if values.endswith("`") else f"table of {values}s"
        case origin if origin is Literal:
            return " or ".join(f"`{_toml(each)}`" for each in get_args(kind))
    if choices := _choices(kind):
        return " or ".join(_type(each) for each in choices)
    raise TypeError(f"no words for the type {kind!r} of a setting: add them here")


def _plain(kind: Any) -> tuple[Any, list[str]]:
    """The type without its names and limits, and the limits in words."""
    limits: list[str] = []
    while True:
        if isinstance(kind, TypeAliasType):
            kind = kind.__value__
        elif get_origin(kind) is Annotated:
            kind, *notes = get_args(kind)
            limits += [limit for each in notes if isinstance(each, Meta) for limit in _limits(each)]
        else:
            return kind, limits


def _limits(meta: Meta) -> list[str]:
    signs = ((">", meta.gt), ("≥", meta.ge), ("<", meta.lt), ("≤", meta.le))
    return [f" {sign} {limit:g}" for sign, limit in signs if limit is not None]


def _choices(kind: Any) -> tuple[Any, ...]:
    """The members of a union but None; empty where it is none."""
    is_union = get_origin(kind) is Union or type(kind).__name__ == "UnionType"
    return tuple(each for each in get_args(kind) if each is not type(None)) if is_union else ()


def _is_array(kind: Any) -> bool:
    return get_origin(_plain(kind)[0]) is tuple


def _struct_of(kind: Any) -> type[Struct] | None:
    """The struct that a field's type is or holds; None where it is a value."""
    kind, _ = _plain(kind)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind
    return next((found for each in get_args(kind) if (found := _struct_of(each))), None)


if __name__ == "__main__":
    for _changed in refresh(Path(sys.argv[1])):
        sys.stdout.write(f"{_changed}\n")
