"""What a GraphQL request asks for, by a reader that shares no code with the project: fragments written out,
variables put in, fields of one response key merged.
"""

import json
import re
from typing import Any

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\.\.\.|[A-Za-z_]\w*|-?\d+(?:\.\d+)?|[^\s,]')


def asked(body: bytes) -> Any:
    """(kind, selection) of the operation. Raises ValueError for what does not parse."""
    request = json.loads(body)
    text = re.sub(r"#[^\n]*", " ", request["query"])
    reader = _Reader(_TOKEN.findall(text))
    operation, fragments = reader.document()
    kind, defaults, selection = operation
    values = {**defaults, **(request.get("variables") or {})}
    return kind, _merged(selection, fragments, values)


def _merged(selection: list[Any], fragments: dict[str, list[Any]], values: dict[str, Any]) -> Any:
    found: dict[str, Any] = {}
    for item in selection:
        if item[0] == "field":
            _, key, name, arguments, inner = item
            said = (name, {each: _value(one, values) for each, one in arguments.items()})
            _add(found, key, said, _merged(inner, fragments, values))
        else:
            inner = fragments[item[1]] if item[0] == "spread" else item[1]
            for key, (said, deeper) in _merged(inner, fragments, values).items():
                _add(found, key, said, deeper)
    return found


def _add(found: dict[str, Any], key: str, said: Any, inner: Any) -> None:
    if key in found and found[key][0] != said:
        raise ValueError(f"two fields for {key}")
    found[key] = (said, {**(found[key][1] if key in found else {}), **inner})


def _value(text: str, values: dict[str, Any]) -> Any:
    if text.startswith("$"):
        value = values[text[1:]]
        return value if isinstance(value, str) else json.loads(json.dumps(value))
    return json.loads(text)


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def take(self, wanted: str = "") -> str:
        if self.at >= len(self.tokens) or (wanted and self.tokens[self.at] != wanted):
            raise ValueError(f"wanted {wanted!r} at {self.tokens[self.at : self.at + 5]}")
        self.at += 1
        return self.tokens[self.at - 1]

    def sees(self, token: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] == token

    def document(self) -> tuple[Any, dict[str, list[Any]]]:
        operation, fragments = None, {}
        while self.at < len(self.tokens):
            if self.sees("fragment"):
                self.take()
                name = self.take()
                self.take("on")
                self.take()
                fragments[name] = self.selection()
            else:
                operation = self.operation()
        if operation is None:
            raise ValueError("no operation")
        return operation, fragments

    def operation(self) -> tuple[str, dict[str, Any], list[Any]]:
        kind = "query" if self.sees("{") else self.take()
        defaults: dict[str, Any] = {}
        if not self.sees("{") and not self.sees("("):
            self.take()
        if self.sees("("):
            self.take()
            while not self.sees(")"):
                self.take("$")
                name = self.take()
                self.take(":")
                self.take()
                while self.sees("!"):
                    self.take()
                if self.sees("="):
                    self.take()
                    defaults[name] = json.loads(self.take())
            self.take(")")
        return kind, defaults, self.selection()

    def selection(self) -> list[Any]:
        self.take("{")
        found: list[Any] = []
        while not self.sees("}"):
            found.append(self.item())
        self.take("}")
        return found

    def item(self) -> Any:
        if not self.sees("..."):
            return self.field()
        self.take()
        if self.sees("on"):
            self.take()
            self.take()
        elif not self.sees("{") and not self.sees("@"):
            return ("spread", self.take())
        if self.sees("@"):  # only such as always let it in
            for wanted in ("@", None, "(", "if", ":", None, ")"):
                self.take(wanted or "")
        return ("inline", self.selection())

    def field(self) -> Any:
        key = name = self.take()
        if self.sees(":"):
            self.take()
            name = self.take()
        arguments: dict[str, str] = {}
        if self.sees("("):
            self.take()
            while not self.sees(")"):
                argument = self.take()
                self.take(":")
                arguments[argument] = self.take() + (self.take() if self.tokens[self.at - 1] == "$" else "")
            self.take(")")
        return ("field", key, name, arguments, self.selection() if self.sees("{") else [])
