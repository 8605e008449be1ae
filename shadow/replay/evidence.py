"""What two answers to one request say about which live value is which shadow value."""

import re
from collections.abc import Iterator

import msgspec

from shadow.content.cookie import crumbs
from shadow.content.entity import entity, media_type
from shadow.model import Response, field, fields
from shadow.replay.evidence_markup import form_fields, markup
from shadow.replay.evidence_text import URL_START, Asked, Evidence, named, pairs, urls
from shadow.replay.evidence_tree import Walk
from shadow.replay.token import is_id_key, is_token, kind_of_key

BODY_BYTES_MAX = 1 << 20
"""Larger bodies are listings and files; what they name is learned where it was made."""
_TEXT_CHARS_MAX = 128
_JAR_MAX = 50
_VOLATILE = frozenset(
    b"age date expires last-modified server via content-length content-type content-encoding"
    b" transfer-encoding"
    b" cache-control connection keep-alive vary set-cookie location content-location etag link retry-after"
    b" alt-svc strict-transport-security server-timing traceparent tracestate x-request-id request-id"
    b" x-correlation-id x-trace-id x-runtime x-response-time x-amzn-trace-id cf-ray nel report-to".split()
)
"""Fields that no client sends back, or that are read apart."""


_CURSOR = re.compile(r"(?i:token|cursor|marker)$")
"""Of places: that of what says where a list goes on."""
_EVER_NEW = _VOLATILE - frozenset(b"set-cookie location content-location etag link".split())
"""Fields that are read by nobody here."""


def may_tell(live: Response, shadow: Response) -> bool:
    """False where a glance shows that two answers are evidence of nothing: equal, but for what every answer
    has anew."""
    if live.body != shadow.body or len(live.headers) != len(shadow.headers):
        return True
    for mine, its in zip(live.headers, shadow.headers, strict=True):
        if mine != its and (mine[0] != its[0] or mine[0].lower() not in _EVER_NEW):
            return True
    return False


def gather(live: Response, shadow: Response, asked: Asked) -> Iterator[Evidence]:
    """All evidence in two answers to one request, each pair once per place.

    Where one succeeded and the other did not, nothing is to be learned, and of two errors only what the
    client is to send back: cookies, and the fields of a form that is shown again.
    """
    if live.status // 100 != shadow.status // 100 or live.status < 200:
        return
    yield from _cookies(live, shadow, asked)
    if live.status >= 400:
        yield from _forms(live, shadow, asked)
        return
    yield from _fields(live, shadow, asked)
    if live.body != shadow.body:
        yield from _bodies(live, shadow, asked)


def _cookies(live: Response, shadow: Response, asked: Asked) -> Iterator[Evidence]:
    theirs = dict(_set_cookies(shadow))
    for name, value in _set_cookies(live):
        other = theirs.get(asked.cookie_name(name))
        if other and value and other != value:
            yield Evidence(value, other, f"cookie:{name}", is_told=True, place=f"cookie:{name}")
            if is_token(value, has_id_key=True):
                yield Evidence(value, other, is_told=True, place=f"cookie:{name}")


def held_cookies(live: Response, shadow: Response, asked: Asked, jar: dict[str, str]) -> Iterator[Evidence]:
    """Evidence in cookies that only live sets anew: they stand for what the shadow's client holds in `jar`,
    which takes in what the shadow sets."""
    if live.status // 100 != shadow.status // 100:
        return
    theirs = dict(_set_cookies(shadow))
    for name, value in theirs.items():
        if value and (name in jar or len(jar) < _JAR_MAX):
            jar[name] = value
    for name, value in _set_cookies(live):
        own = asked.cookie_name(name)
        if value and own not in theirs and own in jar:
            yield Evidence(value, jar[own], f"cookie:{name}", is_told=True, place=f"cookie:{name}")


def _set_cookies(response: Response) -> Iterator[tuple[str, str]]:
    for line in fields(response.headers, b"set-cookie"):
        first = next(iter(crumbs(line)), b"")
        name, _, value = first.partition(b"=")
        yield name.strip().decode("latin-1"), value.strip().strip(b'"').decode("latin-1")


def _fields(live: Response, shadow: Response, asked: Asked) -> Iterator[Evidence]:
    theirs: dict[bytes, list[bytes]] = {}
    for name, value in shadow.headers:
        theirs.setdefault(name.lower(), []).append(value)
    for raw_name, value in live.headers:
        name = raw_name.lower()
        others = theirs.get(name)
        if not others:
            continue
        other = others.pop(0)
        if value == other:
            continue
        mine, its = value.decode("latin-1"), other.decode("latin-1")
        if name == b"etag":
            yield from _etags(mine, its, _subject(live, asked))
        elif name in (b"location", b"content-location"):
            is_made = live.status == 201 and name == b"location"
            yield from urls(mine, its, asked, f"header:{name.decode()}", is_made=is_made)
        elif name == b"link":
            yield from _links(mine, its, asked)
        elif name not in _VOLATILE and is_token(mine, has_id_key=is_id_key(name.decode("latin-1"))):
            yield Evidence(mine, its, place=f"header:{name.decode('latin-1')}")


def _subject(response: Response, asked: Asked) -> list[str]:
    """The path of what the answer's fields describe: of what was created, else of what was asked for."""
    location = field(response.headers, b"location") if response.status == 201 else None
    start = URL_START.match(location.decode("latin-1")) if location else None
    if location is None or start is None:
        return asked.segments
    return location.decode("latin-1")[start.end() :].partition("?")[0].split("/")


def etag_kind(path: list[str]) -> str:
    """The kind of an entity tag too short to speak for itself: that of one resource alone."""
    return "etag:" + "/".join(path)


def _etags(live: str, shadow: str, path: list[str]) -> Iterator[Evidence]:
    mine, its = _opaque(live), _opaque(shadow)
    if mine and its and mine != its:
        kind = None if is_token(mine, has_id_key=True) else etag_kind(path)
        yield Evidence(mine, its, kind, place="header:etag")


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


def _links(live: str, shadow: str, asked: Asked) -> Iterator[Evidence]:
    mine, its = re.findall(r"<([^>]*)>", live), re.findall(r"<([^>]*)>", shadow)
    if len(mine) == len(its):
        for one, other in zip(mine, its, strict=True):
            yield from urls(one, other, asked, "header:link")


def _forms(live: Response, shadow: Response, asked: Asked) -> Iterator[Evidence]:
    """What the forms say that two pages of one error show."""
    if live.status != shadow.status or live.body == shadow.body:
        return
    mine, its = entity(live), entity(shadow)
    if mine and its and max(len(mine), len(its)) <= BODY_BYTES_MAX and mine.lstrip()[:1] == b"<":
        yield from form_fields(mine, its, asked)


def _bodies(live: Response, shadow: Response, asked: Asked) -> Iterator[Evidence]:
    mine, its = entity(live), entity(shadow)
    if not mine or not its or mine == its or max(len(mine), len(its)) > BODY_BYTES_MAX:
        return
    for each in _said(live, mine, its, asked):
        yield _as_cursor(each) if _is_also_a_name(each, its) else each


def _is_also_a_name(evidence: Evidence, shadow: bytes) -> bool:
    """Whether a cursor reads like the name of something that the shadow calls by that name too: of the last
    that was listed, say."""
    if evidence.kind is not None or is_token(evidence.live) or not _CURSOR.search(evidence.place):
        return False
    text = evidence.live.encode("utf-8", "surrogateescape")
    return b">" + text + b"<" in shadow or b'"' + text + b'"' in shadow


def _as_cursor(evidence: Evidence) -> Evidence:
    """`evidence` for where a cursor is meant alone."""
    key = re.split(r"[.:\]\[]", evidence.place)[-1]
    kind = kind_of_key(re.sub(r"^(?i:next|prev(?:ious)?)[_.-]?", "", key))
    return msgspec.structs.replace(evidence, kind=kind)


def _said(live: Response, mine: bytes, its: bytes, asked: Asked) -> Iterator[Evidence]:
    start = mine.lstrip()[:1]
    if start in (b"{", b"[", b'"'):
        try:
            trees = msgspec.json.decode(mine), msgspec.json.decode(its)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # no JSON, or nested too deep
        try:
            yield from Walk(asked).pairs(*trees)
        except RecursionError:
            return  # so deep that not even comparing is possible
    elif start == b"<":
        yield from markup(mine, its, asked)
    elif media_type(live.headers) == b"application/x-www-form-urlencoded":
        yield from pairs(mine.decode("latin-1"), its.decode("latin-1"), "body")
    elif len(mine) <= _TEXT_CHARS_MAX and asked.is_making:
        one, other = mine.strip().decode("latin-1"), its.strip().decode("latin-1")
        yield from named(one, other, asked.kind, "body", is_id=any(map(str.isdigit, one)))
