"""The formats that exchanges are written in, chosen by a file's ending or by name."""

import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from shadow.errors import ConfigError, nearest
from shadow.model import Exchange
from shadow.taps import flow_write, gor, har_write, jsonl

PACKED_ENDING = ".gz"
_PLAIN_ENDINGS = (".json", ".ndjson", ".jsonlines")
"""Near the others, and meant as they are: JSON lines."""


class Format(NamedTuple):
    """How exchanges are written, one after the other."""

    name: str
    shown: str
    """What such a file is called."""
    holds: str
    """What of exchanges it can hold."""
    encode: Callable[[Exchange], bytes | None]
    """None for an exchange that it cannot hold."""
    head: Callable[[], bytes] = bytes
    between: bytes = b""
    tail: bytes = b""


FORMATS = {
    each.name: each
    for each in (
        Format("jsonl", "JSON lines", "everything", jsonl.encode),
        Format(
            "har",
            "HAR files",
            "HTTP and WebSocket alone",
            har_write.encode,
            har_write.head,
            har_write.BETWEEN,
            har_write.TAIL,
        ),
        Format("gor", "GoReplay files", "HTTP/1 alone", gor.encode),
        Format("flows", "mitmproxy flows", "DNS with one readable answer at most", flow_write.encode),
    )
}


class Writer:
    """Writes exchanges to a stream. What the format cannot hold is left out, and counted by protocol."""

    def __init__(self, form: Format, write: Callable[[bytes], object]) -> None:
        self.left_out = Counter[str]()
        self._form = form
        self._write = write
        self._is_first = True
        write(form.head())

    def add(self, exchange: Exchange) -> None:
        text = self._form.encode(exchange)
        if text is None:
            self.left_out[exchange.protocol] += 1
            return
        self._write(text if self._is_first else self._form.between + text)
        self._is_first = False

    def finish(self) -> None:
        """Nothing more comes."""
        self._write(self._form.tail)

    def remarks(self) -> list[str]:
        """What was left out, a line each."""
        return [
            f"left out {count} {protocol} {'exchange' if count == 1 else 'exchanges'}:"
            f" {self._form.shown} hold {self._form.holds}"
            for protocol, count in sorted(self.left_out.items())
        ]


def format_of(name: str | None, path: Path | None) -> Format:
    """The format called `name`, or else that of the ending of `path`; JSON lines where neither says it.

    Raises ConfigError where the ending looks like a slip.
    """
    if name is not None:
        return FORMATS[name]
    if path is None or _is_device(path):
        return FORMATS["jsonl"]
    ending = path.with_suffix("").suffix if is_packed(path) else path.suffix
    endings = [f".{each}" for each in FORMATS]
    form = FORMATS.get(ending[1:].lower())
    slip = nearest(ending.lower(), endings) if form is None and ending.lower() not in _PLAIN_ENDINGS else ""
    if slip:
        raise ConfigError(
            f"the ending of {str(path)!r} does not say how to write: choose {', '.join(endings)}, each with"
            f" {PACKED_ENDING} behind it if wanted, or give --format{slip}"
        )
    return form or FORMATS["jsonl"]


def _is_device(path: Path) -> bool:
    """Whether there is something that is no file. A name that cannot be one is told when it is opened."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def is_packed(path: Path) -> bool:
    """Whether the file is to be packed with gzip."""
    return path.suffix.lower() == PACKED_ENDING
