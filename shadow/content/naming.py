"""What a name says that a value is of: ``instance`` of ``instance_id``, ``instanceIds`` and
``/instances/7``."""

import re
from functools import lru_cache

_ENDS = re.compile(
    r"(.*?)(?:[_-](?:ids?|uuids?|refs?|keys?)|(?<=[a-z0-9])(?:Ids?|IDs?|Uuids?|UUIDs?|Refs?|Keys?))"
)
_BARE = frozenset({"id", "uuid", "_id", "guid", "identifier", "key", "ref"})
_HOLDERS = frozenset(
    {
        "items",
        "data",
        "results",
        "result",
        "content",
        "records",
        "entries",
        "list",
        "rows",
        "values",
        "value",
        "edges",
        "node",
    }
)
_PLACE_STEP = re.compile(r"\.([^.\[\]]+)|\[\"([^\"]*)\"\]|\[\]")


@lru_cache(4096)
def subject(place: str, collection: str) -> str:
    """What the value at a place (``body:$.items[].id``, ``query:instance_id``) is an id of; empty where it
    is none.

    `collection` is what a bare ``id`` is of that has no name around it.
    """
    names = [one or two for one, two in _PLACE_STEP.findall(place)] or [place.partition(":")[2].strip("<>")]
    names = [name for name in names if name]
    last = names[-1] if names else ""
    if last.lower() in _BARE:
        around = next((name for name in reversed(names[:-1]) if name.lower() not in _HOLDERS), collection)
        return plain(around)
    found = _ENDS.fullmatch(last)
    return plain(found[1]) if found and found[1] else ""


@lru_cache(4096)
def plain(name: str) -> str:
    """A word in the singular, lower case, without separators."""
    word = re.sub(r"[^a-z0-9]", "", name.lower())
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def collection_of(template: str) -> str:
    """The last word of a path template that names no single thing: ``instances`` of
    ``/v1/instances/{id}/start``
    and of ``/v1/instances``.
    """
    words = template.split("/")
    if "{id}" in words:
        at = len(words) - 1 - words[::-1].index("{id}")
        return words[at - 1] if at else ""
    return words[-1]
