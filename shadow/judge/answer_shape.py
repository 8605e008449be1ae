"""What an answer is like besides its values: two of one shape teach the same, so a new shape is news."""

import re
from functools import lru_cache
from zlib import crc32

import orjson

from shadow.content.entity import entity, media_type
from shadow.model import CONVERSATIONS, NoReply, Outcome, Reply

_MAX_BODY_BYTES = 64 * 1024
_MAX_PARTS = 200
"""Names and values of a document that count; what comes after is of the same kind as a rule."""
_MAX_DEPTH = 6
_ERROR_STATUS = 400
_SAID = re.compile(r"[A-Za-z ,'-]{0,48}")
"""How the text of an error begins: up to the value it complains of, which differs every time."""

_NAME = re.compile(r"[A-Za-z_$@.-]{1,48}")


def answer_shape(outcome: Outcome) -> int:
    """A number of 32 bits for the status and the structure of `outcome`, the same in every process.

    Values do not count, save for what the texts of errors begin with: they tell which check refused.
    """
    if isinstance(outcome, NoReply):
        return crc32(outcome.why.encode())
    if outcome.protocol in CONVERSATIONS:
        return _shape_of_talk(outcome)
    response = outcome.response
    start = crc32(b"%d %b" % (response.status, media_type(response.headers)))
    if not response.body or len(response.body) > _MAX_BODY_BYTES:
        return crc32(b"%d" % len(response.body).bit_length(), start)
    body = entity(response)
    if body is None:
        return start
    return crc32(_structure(body, is_error=response.status >= _ERROR_STATUS), start)


def _shape_of_talk(reply: Reply) -> int:
    """How many messages of which kind came, in powers of two; who talks more says nothing new by that."""
    kinds = sorted({f"{each.kind}:{len(each.body).bit_length()}" for each in reply.messages})
    count = len(reply.messages).bit_length()
    return crc32(f"{reply.protocol} {reply.response.status} {count} {kinds}".encode())


@lru_cache(maxsize=128)  # most mutants are answered as others were
def _structure(body: bytes, *, is_error: bool) -> bytes:
    if body[:1] in b"{[":
        try:
            tree = orjson.loads(body)
        except orjson.JSONDecodeError:
            tree = None
        if tree is not None:
            parts: list[str] = []
            _walk(tree, parts, 0, is_error=is_error)
            return " ".join(parts).encode("utf-8", "surrogatepass")
    if is_error:
        return _said(body[:200].decode("utf-8", "replace")).encode()
    return b"%d" % len(body).bit_length()


def _walk(value: object, parts: list[str], depth: int, *, is_error: bool) -> None:
    if len(parts) >= _MAX_PARTS:
        return
    if isinstance(value, dict):
        parts.append("{")
        for key in sorted(value) if depth < _MAX_DEPTH else ():
            parts.append(key if _NAME.fullmatch(key) else "*")  # else it is an id, or a value
            _walk(value[key], parts, depth + 1, is_error=is_error)
        parts.append("}")
    elif isinstance(value, list):
        parts.append("[")
        if value and depth < _MAX_DEPTH:
            _walk(value[0], parts, depth + 1, is_error=is_error)
        parts.append("]")
    elif isinstance(value, str):
        parts.append(f"s{_said(value)}" if is_error else "s")
    else:
        parts.append("0" if value is None else "b" if isinstance(value, bool) else "n")


def _said(text: str) -> str:
    found = _SAID.match(text.strip())
    return found[0].strip() if found else ""
