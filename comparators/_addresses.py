"""Fields that hold addresses, compared by the parts of these: host, path, each parameter."""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import msgspec

from comparators._bounded import bounded_pair
from comparators._places import member
from shadow.model import Change, Difference

FIELDS = frozenset({b"location", b"content-location", b"link", b"refresh", b"sourcemap"})

_PORTS = {"http": 80, "https": 443}
_LINK = re.compile(r"<(?P<address>[^<>]*+)>(?P<settings>(?:[^,\"<]|\"(?:[^\"\\]|\\.)*+\")*+)")
_SETTING = re.compile(
    r";\s*+(?P<name>[\w!#$%&'*+.^`|~-]++)\s*+(?:=\s*+(?:\"(?P<quoted>(?:[^\"\\]|\\.)*+)\"|(?P<bare>[^\s;,\"]++)))?"
)
_REFRESH = re.compile(
    r"(?i)\s*(?P<seconds>[0-9]{1,12}(?:\.[0-9]{0,12})?)\s*"
    r"(?:[;,]\s*(?:url\s*=\s*)?['\"]?(?P<address>[^'\"]*))?.*"
)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_MAX_CHARS = 16_384


class Address(msgspec.Struct, frozen=True):
    """One address in its one form (RFC 3986 §6.2.2, §6.2.3)."""

    origin: str
    """``scheme://host:port``; empty for an address on the same host."""
    path: str
    parameters: dict[str, list[str]]
    fragment: str


def compared(name: bytes, where: str, left: str, right: str) -> Iterator[Difference]:
    """The differences of two values of the field `name`, which is one of `FIELDS`."""
    if name == b"link":
        yield from _links(where, left, right)
    elif name == b"refresh":
        yield from _refreshes(where, left, right)
    else:
        yield from addresses(where, left, right)


def addresses(where: str, left: str, right: str) -> Iterator[Difference]:
    """Another path at `where`; another host at ``where.origin``; parameters, in any order, by their names."""
    ours, theirs = address(left), address(right)
    if ours is None or theirs is None:
        if left != right:
            yield Difference(where, Change.VALUE, *bounded_pair(left, right))
        return
    if ours.origin != theirs.origin:
        yield Difference(f"{where}.origin", Change.VALUE, *bounded_pair(ours.origin, theirs.origin))
    if ours.path != theirs.path and not (_leads_to(ours, theirs) or _leads_to(theirs, ours)):
        yield Difference(where, Change.VALUE, *bounded_pair(ours.path, theirs.path))
    for name, values in ours.parameters.items():
        if name not in theirs.parameters:
            yield Difference(member(where, name), Change.MISSING, ", ".join(values)[:2048], None)
        elif theirs.parameters[name] != values:
            both = (", ".join(each) for each in (values, theirs.parameters[name]))
            yield Difference(member(where, name), Change.VALUE, *bounded_pair(*both))
    for name, values in theirs.parameters.items():
        if name not in ours.parameters:
            yield Difference(member(where, name), Change.ADDED, None, ", ".join(values)[:2048])
    if ours.fragment != theirs.fragment:
        yield Difference(f"{where}[fragment]", Change.VALUE, *bounded_pair(ours.fragment, theirs.fragment))


def address(text: str) -> Address | None:
    """`text` in parts; None for what is none, or too long."""
    if len(text) > _MAX_CHARS:
        return None
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), (parts.hostname or "")
    if scheme and not parts.netloc:  # mailto: and the like
        return Address("", text.strip(), {}, "")
    origin = ""
    if parts.netloc:
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        shown = f":{port}" if port is not None and _PORTS.get(scheme) != port else ""
        origin = f"{scheme}://{user}{host}{shown}" if scheme else f"//{user}{host}{shown}"
    path = _ESCAPE.sub(_escape, parts.path)
    return Address(origin, path or ("/" if origin else ""), _parameters(parts.query), parts.fragment)


def _leads_to(relative: Address, other: Address) -> bool:
    """Whether a path that is relative to the request's may be that of `other`, as far as it goes."""
    if (
        relative.origin
        or relative.path.startswith("/")
        or not relative.path
        or not other.path.startswith("/")
    ):
        return False
    steps = [step for step in relative.path.split("/") if step not in (".", "..")]
    return bool(any(steps)) and other.path.endswith("/" + "/".join(steps))


def _parameters(query: str) -> dict[str, list[str]]:
    """Values by name. A query that is one word is a parameter without a value."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=None):
        found.setdefault(name, []).append(value)
    return found


def _escape(found: re.Match[str]) -> str:
    """Escapes of what needs none say the same without; the letter case of others means nothing."""
    sign = chr(int(found[1], 16))
    return sign if sign in _UNRESERVED else found[0].upper()


def _links(where: str, left: str, right: str) -> Iterator[Difference]:
    """Targets by what they are to the resource (RFC 8288 §3): order means nothing but among those of one
    relation."""
    ours, theirs = _targets(left), _targets(right)
    for name, (target, settings) in ours.items():
        place = f"{where}[{name}]"
        if name not in theirs:
            yield Difference(place, Change.MISSING, target[:2048], None)
            continue
        other, others = theirs[name]
        yield from addresses(place, target, other)
        for key in sorted({*settings, *others}):
            if settings.get(key) != others.get(key):
                yield from _setting(member(place, key), settings.get(key), others.get(key))
    for name, (target, _) in theirs.items():
        if name not in ours:
            yield Difference(f"{where}[{name}]", Change.ADDED, None, target[:2048])


def _setting(where: str, left: str | None, right: str | None) -> Iterator[Difference]:
    if left is None:
        yield Difference(where, Change.ADDED, None, right)
    elif right is None:
        yield Difference(where, Change.MISSING, left, None)
    else:
        yield Difference(where, Change.VALUE, *bounded_pair(left, right))


def _targets(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    found: dict[str, tuple[str, dict[str, str]]] = {}
    copies = Counter[str]()
    for link in _LINK.finditer(text[:_MAX_CHARS]):
        settings = {
            each["name"].lower(): each["quoted"] if each["quoted"] is not None else each["bare"] or ""
            for each in _SETTING.finditer(link["settings"])
        }
        relation = " ".join(sorted(settings.pop("rel", "").lower().split()))[:80]
        copies[relation] += 1
        name = relation if copies[relation] == 1 else f"{relation}#{copies[relation]}"
        found[name] = (link["address"].strip(), settings)
    return found


def _refreshes(where: str, left: str, right: str) -> Iterator[Difference]:
    """Seconds, and the address to go to after these (HTML Living Standard §4.2.5.3)."""
    ours, theirs = _REFRESH.fullmatch(left[:_MAX_CHARS]), _REFRESH.fullmatch(right[:_MAX_CHARS])
    if ours is None or theirs is None:
        yield Difference(where, Change.VALUE, *bounded_pair(left, right))
        return
    if float(ours["seconds"]) != float(theirs["seconds"]):
        yield Difference(f"{where}.seconds", Change.VALUE, ours["seconds"][:40], theirs["seconds"][:40])
    yield from addresses(where, ours["address"] or "", theirs["address"] or "")


def filename(settings: dict[str, str]) -> dict[str, str]:
    """Parameters of Content-Disposition with the name of the file in its one form: ``filename*`` goes before
    ``filename`` and states its charset (RFC 6266 §4.3, RFC 8187 §3.2)."""
    extended = settings.get("filename*")
    if extended is None:
        return settings
    charset, _, rest = extended.partition("'")
    try:
        name = unquote_plus(rest.partition("'")[2].replace("+", "%2B"), charset or "utf-8", "strict")
    except (LookupError, ValueError):
        return settings
    return {**{key: value for key, value in settings.items() if key != "filename*"}, "filename": name}
