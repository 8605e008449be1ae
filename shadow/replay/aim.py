"""The live service's address exchanged for the target's, however it is written in a text."""

import re
from collections.abc import Sequence

from shadow.replay._contract import Target

_URL = re.compile(r"(?:(https?)(:|%3A))?(//|%2F%2F|\\/\\/)", re.IGNORECASE)

_PORT_DIGITS_MIN = 4
"""A shorter number may count anything."""


class Aim:
    """Exchanges addresses in texts. `live` are those of the live service, as ``host:port``."""

    def __init__(self, target: Target, live: Sequence[str] = ()) -> None:
        self.authority = target.authority
        self._scheme = target.scheme
        self._hosts = tuple(_host(each).lower() for each in live)
        self._port = target.authority.rpartition(":")[2]
        self._ports = _ports_pattern(live) if len(self._port) >= _PORT_DIGITS_MIN else None
        self._pattern = re.compile("|".join(map(_address_pattern, live)), re.IGNORECASE) if live else None

    def text(self, text: str) -> str:
        """`text` aimed at the target: URLs also where they are percent-encoded or escaped as in JSON."""
        if self._pattern is None or not self._is_named_in(text):
            return text
        return self._pattern.sub(self._replacement, text)

    def cookie_name(self, name: str) -> str:
        """`name` as the target's own is called: services on one host name theirs after their port."""
        return name if self._ports is None else self._ports.sub(self._port, name)

    def is_live(self, text: str) -> bool:
        """Whether `text` is the live service's host, by itself."""
        return text.lower() in self._hosts

    def _is_named_in(self, text: str) -> bool:
        texts = (text,) if text.islower() else (text, text.lower())
        for host in self._hosts:
            for each in texts:
                if host in each:
                    return True
        return False

    def _replacement(self, found: re.Match[str]) -> str:
        parts = _URL.match(found[0])
        if parts is None:
            return self.authority.replace(":", "%3A") if "%3a" in found[0].lower() else self.authority
        scheme, colon, slashes = parts.groups()
        authority = self.authority
        if "%" in slashes:
            authority = authority.replace(":", "%3A").replace("[", "%5B").replace("]", "%5D")
        return slashes + authority if scheme is None else f"{self._scheme}{colon}{slashes}{authority}"


def _host(authority: str) -> str:
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() else authority


def _ports_pattern(live: Sequence[str]) -> re.Pattern[str] | None:
    """The ports of `live` behind anything but a digit: ``username-127-0-0-1-8888``."""
    ports = {each.rpartition(":")[2] for each in live}
    own = sorted(each for each in ports if each.isdigit() and len(each) >= _PORT_DIGITS_MIN)
    return re.compile(rf"(?<!\d)(?:{'|'.join(own)})(?!\d)") if own else None


def _address_pattern(authority: str) -> str:
    """``host:port`` by itself anywhere; the bare host only in a URL where the port may be left out."""
    host, port = _host(authority), authority.removeprefix(_host(authority)).lstrip(":")
    name = re.escape(host)
    in_url = rf"(?:(?<![\w-])https?(?::|%3A))?(?://|%2F%2F|\\/\\/){name}"
    end = r"(?![\w.:-])(?!%3A)"
    if not port:
        return rf"{in_url}(?:(?::|%3A)\d+)?{end}"
    optional = "?" if port in ("80", "443") else ""
    return rf"{in_url}(?:(?::|%3A){port}){optional}{end}|(?<![\w./@-]){name}(?::|%3A){port}(?![\w.:-])"
