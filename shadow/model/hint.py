"""What is known of the values that an endpoint takes: mined from its refusals, or documented."""

import msgspec


class Hint(msgspec.Struct, frozen=True):
    """What was said of one value that requests of an endpoint carry."""

    place: str
    """``"body:$.a.b[]"``, ``"body:a"`` of a form, ``"query:a"``, ``"header:a"`` in lower case,
    ``"cookie:a"``,
    ``"path:-1"``: the last segment, ``-2`` the one before it: a target may have a prefix of its own."""
    kind: str = ""
    """As JSON Schema has it: "integer", "number", "string", "boolean", "array", "object"; empty for
    unknown."""
    minimum: float | None = None
    """The least number that is taken; the bound itself is refused where `is_above`."""
    maximum: float | None = None
    """The greatest number that is taken; the bound itself is refused where `is_below`."""
    is_above: bool = False
    is_below: bool = False
    min_size: int | None = None
    """Characters of a string, elements of an array."""
    max_size: int | None = None
    pattern: str = ""
    """A regular expression in the service's own dialect."""
    form: str = ""
    """The format's name: "uuid", "email", "date-time"."""
    words: tuple[str, ...] = ()
    """All that is taken, where it can be counted; numbers as text."""
    is_required: bool = False
    is_nullable: bool = False
    is_closed: bool = False
    """Whether an object takes no other members than those that are documented."""
    is_documented: bool = False
    """Whether a schema says so; otherwise it was read out of a refusal, and may be misread."""


class Documented(msgspec.Struct, frozen=True):
    """What a schema says of the endpoint of a request, besides the hints."""

    methods: tuple[str, ...]
    """Those documented for the path, upper case."""
    parameters: tuple[str, ...] = ()
    """Names in the query."""
    media_types: tuple[str, ...] = ()
    """What the body may be, lower case; empty where it has none."""
