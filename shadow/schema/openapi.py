"""OpenAPI 3.0 and 3.1, and Swagger 2.0: what a document says of a request."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from shadow.content.entity import media_type
from shadow.errors import ConfigError
from shadow.model import Documented, Hint, Request
from shadow.schema.constraints import MAX_HINTS, hints_at
from shadow.schema.described import Described
from shadow.schema.paths import Paths, base_of, variables_of
from shadow.schema.references import References

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_MAX_DESCRIBED = 4096


def from_openapi(document: Mapping[str, Any], origin: str, *, base: str = "") -> "OpenApi":
    """The schema that `document` is. `base` is the path before all of its paths, in place of what it says
    itself.

    Raises ConfigError that names `origin`, the place and the way out.
    """
    version = str(document.get("openapi") or document.get("swagger") or "")
    if not version.startswith(("3.", "2.")):
        said = f"version {version!r}" if version else "neither 'openapi' nor 'swagger'"
        raise ConfigError(f"{origin}: #: has {said}; OpenAPI 3.0, 3.1 and Swagger 2.0 are read")
    paths = document.get("paths")
    if not isinstance(paths, dict):
        raise ConfigError(f"{origin}: #/paths is no object; give a document that describes paths")
    for path, item in paths.items():
        if not isinstance(path, str) or not isinstance(item, dict):
            raise ConfigError(
                f"{origin}: #/paths/{path!s:.60}: a path is a text that begins with '/', over an object"
            )
    references = References(document, origin)
    references.check()
    return OpenApi(document, references, Paths(_templates(paths), _bases(document, base), origin))


class OpenApi:
    """One document, read path by path as requests ask for them."""

    def __init__(self, document: Mapping[str, Any], references: References, paths: Paths) -> None:
        self._document = document
        self._references = references
        self._paths = paths
        self._described: dict[tuple[str, str, str], Described] = {}

    def describe(self, request: Request) -> Described:
        template = self._paths.find(request.target)
        if template is None:
            return Described()
        method, kind = request.method.decode("latin-1").lower(), media_type(request.headers).decode("latin-1")
        key = (method, template, kind)
        found = self._described.get(key)
        if found is None:
            found = self._operation(method, template, kind)
            if len(self._described) < _MAX_DESCRIBED:
                self._described[key] = found
        return found

    def _operation(self, method: str, template: str, kind: str) -> Described:
        item = self._references.resolve(self._document["paths"][template])
        methods = tuple(each.upper() for each in _METHODS if isinstance(item.get(each), dict))
        operation = item.get(method) if method in _METHODS else None
        if not isinstance(operation, dict):
            return Described((), Documented(methods))
        parameters = self._parameters(item, operation)
        media_types, body = self._body(operation, parameters, kind)
        hints = [hint for each in parameters for hint in self._of_parameter(each, template)]
        hints += body
        query = tuple(each["name"] for each in parameters if each["in"] == "query")
        return Described(tuple(hints[:MAX_HINTS]), Documented(methods, query, media_types))

    def _parameters(self, item: Mapping[str, Any], operation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Those of the path and of the operation, which win."""
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for listed in (item.get("parameters"), operation.get("parameters")):
            for each in listed if isinstance(listed, list) else ():
                parameter = self._references.resolve(each)
                name, where = parameter.get("name"), parameter.get("in")
                if isinstance(name, str) and isinstance(where, str):
                    found[where, name] = parameter
        return list(found.values())

    def _of_parameter(self, parameter: Mapping[str, Any], template: str) -> list[Hint]:
        name, where = parameter["name"], parameter["in"]
        if where == "path":
            at = variables_of(template).get(name)
            place = "" if at is None else f"path:{at}"
        else:
            places = {
                "query": f"query:{name}",
                "header": f"header:{name.lower()}",
                "cookie": f"cookie:{name}",
            }
            place = places.get(where, "")
        if not place:
            return []
        schema = parameter.get("schema", parameter if "type" in parameter else None)
        if schema is None and isinstance(parameter.get("content"), dict):
            return [Hint(place, is_required=parameter.get("required") is True, is_documented=True)]
        own = [hint for hint in hints_at(schema or {}, place, self._references) if hint.place == place][:1]
        hint = own[0] if own else Hint(place, is_documented=True)
        is_required = parameter.get("required") is True
        return [msgspec.structs.replace(hint, is_required=is_required, is_nullable=False)]

    def _body(
        self, operation: Mapping[str, Any], parameters: list[Mapping[str, Any]], kind: str
    ) -> tuple[tuple[str, ...], list[Hint]]:
        """Media types of the body, and its hints where it is of the type `kind`."""
        stated = self._references.resolve(operation.get("requestBody"))
        content = stated.get("content")
        if isinstance(content, dict):
            types = {str(each).partition(";")[0].strip().lower(): value for each, value in content.items()}
            name = _closest(kind, types)
            schema = self._references.resolve(types.get(name)).get("schema")
            if schema is None:
                return tuple(types), []
            return tuple(types), list(
                self._of_media(kind or name, schema, is_required=stated.get("required") is True)
            )
        return self._body_of_swagger(operation, parameters)

    def _body_of_swagger(
        self, operation: Mapping[str, Any], parameters: list[Mapping[str, Any]]
    ) -> tuple[tuple[str, ...], list[Hint]]:
        consumes = operation.get("consumes", self._document.get("consumes"))
        types = tuple(str(each).lower() for each in consumes) if isinstance(consumes, list) else ()
        body = next((each for each in parameters if each["in"] == "body"), None)
        if body is not None:
            is_json = not types or any(_is_json(each) for each in types)
            schema = body.get("schema", {})
            is_required = body.get("required") is True
            return types, hints_at(
                schema, "body:$", self._references, is_required=is_required
            ) if is_json else []
        fields = [each for each in parameters if each["in"] == "formData"]
        hints = []
        for each in fields:
            is_required = each.get("required") is True
            hints += hints_at(each, f"body:{each['name']}", self._references, is_required=is_required)[:1]
        return (types or _FORMS[:1] if fields else ()), hints

    def _of_media(self, name: str, schema: Any, *, is_required: bool) -> Iterator[Hint]:
        if _is_json(name):
            yield from hints_at(schema, "body:$", self._references, is_required=is_required)
        elif name in _FORMS:
            for hint in hints_at(schema, "body:$", self._references):
                field = hint.place.removeprefix("body:$.")
                if field and field != hint.place and not set(field) & {".", "["}:
                    yield msgspec.structs.replace(hint, place=f"body:{field}")


def _closest(kind: str, types: Mapping[str, Any]) -> str:
    """The documented type that a body of the type `kind` is of (OpenAPI 3.1 §4.8.13: the most specific); of
    one that does not say, the only one. Empty where there is none.
    """
    if not kind:
        return next(iter(types)) if len(types) == 1 else ""
    ranges = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    return next((each for each in ranges if each in types), "")


def _is_json(name: str) -> bool:
    return name.endswith(("/json", "+json")) or name == "*/*"


def _templates(paths: Mapping[str, Any]) -> list[str]:
    return [path for path in paths if path.startswith("/")]


def _bases(document: Mapping[str, Any], base: str) -> list[str]:
    if base:
        return ["/" + base.strip("/")]
    if isinstance(document.get("basePath"), str):
        return [base_of(document["basePath"], {})]
    servers = document.get("servers")
    found = []
    for server in servers if isinstance(servers, list) else ():
        if isinstance(server, dict) and isinstance(server.get("url"), str):
            stated = server.get("variables")
            named = stated.items() if isinstance(stated, dict) else ()
            variables = {
                str(key): str(value.get("default", "")) for key, value in named if isinstance(value, dict)
            }
            found.append(base_of(server["url"], variables))
    return found
