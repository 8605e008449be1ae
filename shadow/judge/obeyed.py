"""Whether an answer shows, by itself, that text was obeyed as code."""

import re
from html.parser import HTMLParser

from shadow.content.entity import media_type, undone
from shadow.judge.evidence import Evidence, failed
from shadow.model import Expect, Judgement, Outcome, Reply, Response, Shows, Sign

_SCANNED_BYTES = 256 * 1024
_PAGE_BYTES = 64 * 1024
_MAX_OPEN = 200
"""What is opened and never closed costs `HTMLParser` the square of it: so much of it is let pass."""
_PAGES = frozenset({b"text/html", b"application/xhtml+xml", b"image/svg+xml"})
"""What browsers run markup of."""
_FILES = re.compile(
    rb"\broot:[^:\r\n]{0,120}:0:0:[^:\r\n]{0,80}:/|; for 16-bit app support|\[boot loader\]"
    rb"|\bdaemon:[^:\r\n]{0,40}:1:1:"
)
"""``/etc/passwd``, ``win.ini``, ``boot.ini``."""
_CALLS = re.compile(
    rb"(?i)connection refused|ECONNREFUSED|actively refused|\[Errno (?:99|101|111|113)\]"
    rb"|ConnectException|UnknownHostException|failed to connect to 127\.|Max retries exceeded"
    rb"|Cannot connect to host|Name or service not known|ENOTFOUND|getaddrinfo|no such host"
)


def obeyed(evidence: Evidence) -> Judgement | None:
    """The finding that the edit's sign shows in the candidate's answer, and not in the control's; or None."""
    sign = evidence.sign
    if sign is None or not _is_new(sign, evidence.answer, evidence.control):
        return None
    control = evidence.baseline_control
    is_on_both = _is_new(sign, evidence.baseline_answer, evidence.control if control is None else control)
    return failed(sign.fault, sign.what, Expect.SURVIVE, is_on_both=is_on_both)


def shows(sign: Sign, response: Response) -> bool:
    """Whether `response` shows `sign`."""
    if sign.shows is Shows.FIELD:
        return any(name.strip().lower() == sign.word for name, _ in response.headers)
    body = undone(response).body[:_SCANNED_BYTES]
    match sign.shows:
        case Shows.NUMBER:
            return re.search(rb"(?<![0-9.])" + re.escape(sign.word) + rb"(?![0-9])", body) is not None
        case Shows.ELEMENT:
            return media_type(response.headers) in _PAGES and _is_in_page(sign.word, body)
        case Shows.FILE:
            return _FILES.search(body) is not None
        case Shows.CALL:
            return _CALLS.search(body) is not None


def _is_new(sign: Sign, outcome: Outcome | None, control: Outcome) -> bool:
    if not isinstance(outcome, Reply) or not isinstance(control, Reply):
        return False
    return shows(sign, outcome.response) and not shows(sign, control.response)


def _is_in_page(word: bytes, body: bytes) -> bool:
    """Whether a browser would take `word` for an element or an attribute, and not for text of the page."""
    body = body[:_PAGE_BYTES]
    if word not in body.lower() or body.count(b"<") > _MAX_OPEN + 2 * body.count(b">"):
        return False
    page = _Page(word.decode("ascii", "replace"))
    page.feed(body.decode("utf-8", "replace"))
    page.close()
    return page.has_it


class _Page(HTMLParser):
    """Reads a page for one element or attribute."""

    def __init__(self, word: str) -> None:
        super().__init__(convert_charrefs=True)
        self._word = word
        self._raw_text = ""
        """The element whose content is text alone, while it is open."""
        self.has_it = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if self._raw_text:
            return
        self.has_it |= tag == self._word or any(name == self._word for name, _ in attributes)
        if tag in ("textarea", "title", "noscript", "iframe", "xmp", "noembed", "noframes", "plaintext"):
            self._raw_text = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._raw_text:
            self._raw_text = ""
