"""GraphQL schemas, as SDL or as the answer to an introspection: the types of the variables of a query."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from shadow.content import json
from shadow.content.json import member_step
from shadow.errors import ConfigError
from shadow.model import Hint, Request
from shadow.schema.described import Described

_TOKEN = re.compile(
    r'(?P<skip>"""(?:[^"\\]|\\.|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*|[\s,\ufeff]+)'
    r"|(?P<word>[_A-Za-z]\w*)|(?P<sign>\.\.\.|-?\d[\w.+-]*|[^\s\w])",
    re.ASCII,
)
_VARIABLE = re.compile(r"\$([_A-Za-z]\w*)\s*:\s*([\[\]!\w\s]{1,80}?)(?=\s*(?:[,)$=@]|$))")
_AWAITS = re.compile(r"(?:[|&=@]|\b(?:on|implements|scalar|type|union|interface|extend))$")
"""What a name must follow."""
_CLOSE = {"{": "}", "(": ")", "[": "]"}
_MAX_DEPTH = 6
_MAX_HINTS = 128
_INT = 1 << 31
_SCALARS = {"Int": "integer", "Float": "number", "String": "string", "Boolean": "boolean"}


class Types(msgspec.Struct, frozen=True):
    """What a schema has for variables."""

    inputs: Mapping[str, Mapping[str, str]]
    """Input objects: each field's type, as ``"[ID!]!"``; one that may be left out without its last mark."""
    enums: Mapping[str, tuple[str, ...]]


class GraphQL:
    """One GraphQL schema. Refusals come with 200, so what it says is a hint and no more."""

    def __init__(self, types: Types) -> None:
        self._types = types

    def describe(self, request: Request) -> Described:
        document = json.document(request) if request.body else None
        if document is None or document.root.kind is not json.Kind.OBJECT:
            return Described()
        query = next(
            (each for each in document.children(document.root) if document.raw_key(each) == b'"query"'), None
        )
        if query is None or query.kind is not json.Kind.STRING:
            return Described()
        found: list[Hint] = []
        for name, kind in _VARIABLE.findall(json.text_of(document.raw(query))[:20_000]):
            for hint in self._walk(re.sub(r"\s", "", kind), f"body:$.variables.{name}", 0):
                found.append(hint)
                if len(found) >= _MAX_HINTS:
                    return Described(tuple(found))
        return Described(tuple(found))

    def _walk(self, kind: str, place: str, depth: int) -> Iterator[Hint]:
        is_required = kind.endswith("!")
        name = kind.rstrip("!")
        rest = {"is_required": is_required, "is_nullable": not is_required}
        if name.startswith("["):
            yield Hint(place, **rest)  # type: ignore[arg-type]  # flags
            yield from self._walk(name[1:-1], f"{place}[]", depth + 1)
        elif name in self._types.enums:
            yield Hint(place, words=self._types.enums[name], **rest)  # type: ignore[arg-type]  # flags
        elif name in self._types.inputs and depth < _MAX_DEPTH:
            yield Hint(place, "object", is_closed=True, **rest)  # type: ignore[arg-type]  # flags
            for field, inner in self._types.inputs[name].items():
                yield from self._walk(inner, f"{place}{member_step(field)}", depth + 1)
        elif name == "Int":  # GraphQL §3.5.1: 32 bits
            yield Hint(place, "integer", -_INT, _INT - 1, **rest)  # type: ignore[arg-type]  # flags
        else:
            yield Hint(place, _SCALARS.get(name, ""), **rest)  # type: ignore[arg-type]  # flags


def from_sdl(text: str, origin: str) -> GraphQL:
    """The schema of an SDL document (GraphQL §3). Raises ConfigError that names the line."""
    reader = _Reader(text, origin)
    inputs, enums = dict[str, dict[str, str]](), dict[str, tuple[str, ...]]()
    is_any = False
    while (word := reader.word()) is not None:
        word = reader.need_word() if word == "extend" else word
        is_any = True
        if word == "input":
            name = reader.need_word()
            reader.directives()
            inputs[name] = inputs.get(name, {}) | dict(reader.fields())
        elif word == "enum":
            name = reader.need_word()
            reader.directives()
            enums[name] = (*enums.get(name, ()), *reader.values())
        elif word in _DEFINITIONS:
            reader.definition()
        else:
            raise reader.error(f"{word!r} begins no definition")
    if not is_any:
        raise ConfigError(
            f"{origin}: no definition of GraphQL in it; give an SDL file, or the answer to an introspection"
        )
    return GraphQL(Types(inputs, enums))


_DEFINITIONS = frozenset(["type", "interface", "union", "scalar", "schema", "directive"])


def from_introspection(document: Mapping[str, Any], origin: str) -> GraphQL:
    """The schema of an answer to the introspection query. Raises ConfigError."""
    held = document.get("data", document)
    schema = held.get("__schema") if isinstance(held, dict) else None
    types = schema.get("types") if isinstance(schema, dict) else None
    if not isinstance(types, list):
        raise ConfigError(
            f"{origin}: #/data/__schema/types is no list; give the whole answer to an introspection"
        )
    inputs, enums = dict[str, dict[str, str]](), dict[str, tuple[str, ...]]()
    for each in types:
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            continue
        if each.get("kind") == "INPUT_OBJECT":
            fields = [one for one in each.get("inputFields") or () if isinstance(one, dict)]
            inputs[each["name"]] = {str(one.get("name")): _told(one.get("type"), 0) for one in fields}
        elif each.get("kind") == "ENUM":
            values = [one for one in each.get("enumValues") or () if isinstance(one, dict)]
            enums[each["name"]] = tuple(str(one.get("name")) for one in values)
    return GraphQL(Types(inputs, enums))


def _told(kind: Any, depth: int) -> str:
    """A type as SDL writes it."""
    if not isinstance(kind, dict) or depth > 8:
        return ""
    match kind.get("kind"):
        case "NON_NULL":
            return _told(kind.get("ofType"), depth + 1) + "!"
        case "LIST":
            return f"[{_told(kind.get('ofType'), depth + 1)}]"
    return str(kind.get("name") or "")


class _Reader:
    """Reads SDL token by token."""

    def __init__(self, text: str, origin: str) -> None:
        self._text, self._origin = text, origin
        self._at = 0

    def error(self, why: str) -> ConfigError:
        line = self._text.count("\n", 0, self._at) + 1
        return ConfigError(f"{self._origin}: line {line}: {why}; give a valid SDL file")

    def peek(self) -> str | None:
        """The next token, None at the end."""
        while self._at < len(self._text):
            found = _TOKEN.match(self._text, self._at)
            if found is None:
                raise self.error(f"cannot read {self._text[self._at]!r}")
            if found["skip"] is None:
                return found[0]
            self._at = found.end()
        return None

    def word(self) -> str | None:
        token = self.peek()
        if token is not None:
            self._at += len(token)
        return token

    def need_word(self) -> str:
        token = self.word()
        if token is None or not token.isidentifier():
            raise self.error(
                f"a name is missing before {token!r}" if token else "it ends in the midst of a definition"
            )
        return token

    def need(self, sign: str) -> None:
        if (token := self.word()) != sign:
            raise self.error(f"{sign!r} is missing before {token!r}" if token else f"it ends before {sign!r}")

    def directives(self) -> None:
        while self.peek() == "@":
            self.word()
            self.need_word()
            if self.peek() == "(":
                self._skip()

    def fields(self) -> Iterator[tuple[str, str]]:
        """The fields of an input object, with their types; those with a default may be left out."""
        if self.peek() != "{":
            return
        self.need("{")
        while self.peek() != "}":
            name = self.need_word()
            self.need(":")
            kind = self._type()
            if self.peek() == "=":
                self.word()
                kind = kind.rstrip("!")
                self._value()
            self.directives()
            yield name, kind
        self.need("}")

    def values(self) -> list[str]:
        found: list[str] = []
        if self.peek() == "{":
            self.need("{")
            while self.peek() != "}":
                found.append(self.need_word())
                self.directives()
            self.need("}")
        return found

    def definition(self) -> None:
        """Pass over the rest of a definition that says nothing of variables."""
        while (said := self.peek()) is not None:
            if said in _CLOSE:
                self._skip()
                if said == "{":
                    return
            elif said in _STARTS and self._is_start():
                return
            else:
                self.word()

    def _is_start(self) -> bool:
        """Whether a keyword begins a definition, and is no name of one: a name follows it, or a brace."""
        return _AWAITS.search(self._text[max(0, self._at - 200) : self._at].rstrip()) is None

    def _type(self) -> str:
        said = self.word()
        if said is not None and said.isidentifier():
            kind = said
        elif said != "[":
            raise self.error(f"a type is missing before {said!r}" if said else "it ends before a type")
        else:
            inner = self._type()
            self.need("]")
            kind = f"[{inner}]"
        if self.peek() == "!":
            self.word()
            kind += "!"
        return kind

    def _value(self) -> None:
        if self._text[self._at :].lstrip().startswith('"'):
            return  # a text, which is passed over with the white space
        if self.peek() in _CLOSE:
            self._skip()
        else:
            self.word()

    def _skip(self) -> None:
        """Pass over what is in brackets."""
        opened: list[str] = []
        while (token := self.word()) is not None:
            if token in _CLOSE:
                opened.append(_CLOSE[token])
            elif opened and token == opened[-1]:
                opened.pop()
                if not opened:
                    return
        raise self.error("a bracket is not closed")


_STARTS = frozenset({*_DEFINITIONS, "input", "enum", "extend"})
