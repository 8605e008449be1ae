"""HAR files (HTTP Archive 1.2), as browsers, proxies and load tools write them."""

import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from shadow.errors import TapError
from shadow.model import (
    Exchange,
    Fate,
    Headers,
    Request,
    Response,
    Settled,
    authority,
    with_field,
    without_field,
)
from shadow.taps.source import Source

TAP = "har"
_FIRST_KEY = re.compile(rb'"(log|request|seen_at)"\s*:')
_BLANK = b"\xef\xbb\xbf \t\r\n"
_FRACTION = re.compile(r"\.(\d{1,6})\d*")


class _Pair(msgspec.Struct):
    name: str = ""
    value: str = ""


class _Text(msgspec.Struct):
    text: str | None = None
    encoding: str = ""
    size: float = 0
    params: list[_Pair] = []


class _Request(msgspec.Struct, rename={"post_data": "postData"}):
    method: str
    url: str
    headers: list[_Pair] = []
    post_data: _Text | None = None


class _Response(msgspec.Struct, rename={"reason": "statusText"}):
    status: int = 0
    reason: str = ""
    headers: list[_Pair] = []
    content: _Text | None = None


class _Timings(msgspec.Struct):
    send: float | None = None
    wait: float | None = None


class _Entry(msgspec.Struct, rename={"started": "startedDateTime"}):
    request: _Request
    response: _Response | None = None
    started: str = ""
    timings: _Timings | None = None


class _Log(msgspec.Struct):
    entries: list[msgspec.Raw]


class _Archive(msgspec.Struct):
    log: _Log


def is_har(start: bytes) -> bool:
    """Whether a file that starts with these bytes is an archive: an object whose member `log` comes first,
    or at least before anything that a line of exchanges has."""
    match = _FIRST_KEY.search(start)
    return match is not None and match[1] == b"log" and start.lstrip(_BLANK)[:1] == b"{"


def read(source: Source) -> Iterator[Exchange | Settled]:
    """The exchanges of one file in the order in which they began, all in one session: one client.

    A HAR is one JSON document and is held as a whole. Raises TapError where it is none.
    """
    text = b"".join(source.pieces())
    try:
        archive = msgspec.json.decode(text.removeprefix(b"\xef\xbb\xbf"), type=_Archive)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise TapError(f"{source.name!r} is no HAR file: {error}") from error
    del text
    session = f"{TAP}:{source.name}"
    entries = [_entry(raw) for raw in archive.log.entries]
    known = [entry for entry in entries if isinstance(entry, _Entry)]
    for entry in entries:
        if isinstance(entry, str):
            yield Settled(TAP, Fate.UNPARSED, 1, entry)
    known.sort(key=lambda entry: _unix_time(entry.started))
    index = 0
    for entry in known:
        found = _exchange(entry, index, session)
        index += isinstance(found, Exchange)
        yield found


def _entry(raw: msgspec.Raw) -> _Entry | str:
    try:
        return msgspec.json.decode(raw, type=_Entry, strict=False)
    except (msgspec.DecodeError, UnicodeError) as error:
        return f"not a HAR entry: {error}"


def _exchange(entry: _Entry, index: int, session: str) -> Exchange | Settled:
    seen = entry.request
    try:
        url = urlsplit(seen.url)
        port = url.port
    except ValueError as error:
        return Settled(TAP, Fate.UNPARSED, 1, f"not a URL: {error}")
    if url.scheme not in ("http", "https") or not url.netloc:
        return Settled(TAP, Fate.UNPARSED, 1, f"not an HTTP URL: {url.scheme}:")
    host = url.netloc.rpartition("@")[2]
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    body = _posted(seen.post_data)
    headers = _fields(seen.headers)
    if not any(name.lower() == b"host" for name, _ in headers):
        headers = ((b"Host", _bytes(host)), *headers)
    request = Request(_bytes(seen.method), _bytes(target), headers=_framed(headers, body), body=body)
    response = _answer(entry.response)
    live = authority(url.hostname or "", port or {"http": 80, "https": 443}[url.scheme])
    latency = None if response is None else _latency(entry.timings)
    return Exchange(index, TAP, session, _unix_time(entry.started), request, response, latency, live)


def _answer(seen: _Response | None) -> Response | None:
    """The response; None where the client got none, which is written as status 0."""
    if seen is None or not 100 <= seen.status <= 999:
        return None
    content = seen.content or _Text()
    body = _content(content)
    headers = _fields(seen.headers)
    # The text of a HAR has its content coding undone, so the field that names it would no longer be true.
    headers = without_field(headers, b"content-encoding")
    is_whole = content.text is not None or not content.size
    return Response(
        seen.status, _bytes(seen.reason), headers=_framed(headers, body), body=body, is_complete=is_whole
    )


def _fields(pairs: list[_Pair]) -> Headers:
    """The field lines without the pseudo-fields of HTTP/2."""
    return tuple((_bytes(pair.name), _bytes(pair.value)) for pair in pairs if not pair.name.startswith(":"))


def _framed(headers: Headers, body: bytes) -> Headers:
    """`headers` with the body's own length: what is written may be another's, or missing with HTTP/2."""
    headers = without_field(headers, b"transfer-encoding")
    if body or any(name.lower() == b"content-length" for name, _ in headers):
        return with_field(headers, b"Content-Length", b"%d" % len(body))
    return headers


def _posted(data: _Text | None) -> bytes:
    if data is None:
        return b""
    if data.text is None and data.params:
        return b"&".join(_bytes(f"{pair.name}={pair.value}") for pair in data.params)
    return _content(data)


def _content(content: _Text) -> bytes:
    text = content.text or ""
    if content.encoding.lower() == "base64":
        try:
            return b64decode(text)
        except ValueError:
            return _bytes(text)
    return _bytes(text)


def _latency(timings: _Timings | None) -> float | None:
    """Seconds from the start of sending to the first byte of the answer; negative times are unknown ones."""
    if timings is None or timings.wait is None or timings.wait < 0:
        return None
    return (max(timings.send or 0.0, 0.0) + timings.wait) / 1000


def _unix_time(text: str) -> float:
    """The Unix time of an ISO 8601 date; 0.0 where it is none."""
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r".\1", text))
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
