"""A finding as a file for pytest that fails while the finding is there. It needs the standard library alone.

Requests are written to a socket byte for byte, so that what is malformed stays so.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from shadow.judge.claims import claims
from shadow.judge.pytest_template import BODY, CONTROLLED, HEAD, RUN
from shadow.judge.recipe import Recipe
from shadow.judge.report import message
from shadow.judge.retold_steps import Capture, Piece, control_of, is_masked_anew, pieces
from shadow.model import Exchange, Finding, Reply

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""What may be asked twice."""
_MASKS = re.compile(rb"<redacted:[0-9a-f]{6}>\**")


def pytest_file(
    finding: Finding, recipe: Recipe, exchanges: Mapping[int, Exchange], origin: str
) -> tuple[str, str]:
    """The file's text, and why there is none, of which one is empty. `origin` is where it is sent unless the
    environment says otherwise: ``"http://host:port"``."""
    scheme = urlsplit(origin).scheme
    if recipe.shell is not None or scheme not in ("http", "https"):
        return "", "it is a conversation: --as curl gives a command line that says it"
    if recipe.wire is not None and recipe.wire.protocol != "http1":
        return "", "it is said in frames of HTTP/2"
    if recipe.plain and is_masked_anew(recipe):
        return "", "its edit is of a redacted value; shadow repro --config makes it again"
    lines = claims(finding, _good(finding, exchanges.get(recipe.exchange)))
    if isinstance(lines, str):
        return "", lines
    authority = urlsplit(origin).netloc
    told = pieces(finding, recipe, exchanges, authority)
    is_held = any("control" in each for each in lines)
    is_control_safe = len(told) > 1 or finding.endpoint.partition(" ")[0] in _READS
    is_asked = is_held or (_succeeded(finding.control) and is_control_safe)
    control = control_of(finding, recipe, exchanges, authority) if is_asked else None
    judged = [each for each in told if each.is_judged]
    text = HEAD.format(
        title=_plain(finding.title),
        id=finding.id,
        severity=finding.severity,
        fault=finding.fault,
        why=_plain(finding.why),
        origin=origin,
        notes=_notes(told),
    )
    text += f"SECRETS = {_secrets([*told, *([control] if control else [])])}\nVALUES = {{}}\n"
    text += f"BEFORE = {_listed([each for each in told if not each.is_judged])}\n"
    text += f"JUDGED = {_listed(judged)}\n"
    text += f"CONTROL = {_shown(control)}\n" if control is not None else ""
    text += BODY
    text += RUN.format(
        id=finding.id,
        control=_control(control, finding),
        judged="    answers += at_once(JUDGED)\n" if recipe.at_once and len(judged) > 1 else _ONE_BY_ONE,
        claims="\n".join(f"    {line}" for line in lines),
    )
    return text, ""


def _control(control: Piece | None, finding: Finding) -> str:
    """The lines that send the unedited request; what builds on its success says so where that is missing."""
    if control is None:
        return ""
    return CONTROLLED if _succeeded(finding.control) else CONTROLLED.splitlines(keepends=True)[0]


def _succeeded(told: Mapping[str, Any] | None) -> bool:
    return told is not None and told.get("class") == "success" and told.get("status", 0) < 300


_ONE_BY_ONE = """\
    for step in JUDGED:
        answers.append(
            send(step["segments"], is_exact=step["is_exact"], pause_seconds=step["pause_seconds"])
        )
        take(answers[-1], step["captures"])
"""


def _good(finding: Finding, subject: Exchange | None) -> Mapping[str, Any] | None:
    """The answer that is right: the live one where plain traffic is told of, else the baseline's."""
    if finding.kind == "regression" and subject is not None and subject.response is not None:
        return message(Reply(subject.response))
    return finding.baseline


def _notes(told: Sequence[Piece]) -> str:
    if any(_MASKS.search(segment) for each in told for segment in each.segments):
        return "\nSecrets are masked: give them as the variables that SECRETS names."
    return ""


def _secrets(told: Sequence[Piece]) -> str:
    masks = dict.fromkeys(mask for each in told for text in each.segments for mask in _MASKS.findall(text))
    pairs = (f"{mask!r}: {_variable(mask)!r}" for mask in sorted(masks, key=len, reverse=True))
    return "{" + ", ".join(pairs) + "}"


def _variable(mask: bytes) -> str:
    return f"SHADOW_SECRET_{mask[10:16].decode().upper()}"


def _listed(told: Sequence[Piece]) -> str:
    return "[" + "".join(f"\n    {_shown(each)}," for each in told) + ("\n]" if told else "]")


def _shown(piece: Piece) -> str:
    segments = ", ".join(map(_bytes, piece.segments))
    captures = ", ".join(map(_capture, piece.captures))
    return (
        "{" + f'"segments": [{segments}], "captures": [{captures}], "is_exact": {piece.is_exact},'
        f' "pause_seconds": {piece.pause_seconds!r}' + "}"
    )


def _capture(capture: Capture) -> str:
    return f"({list(capture.path)!r}, {capture.word.encode()!r})"


def _bytes(text: bytes) -> str:
    """A literal, a line of the message on each line."""
    lines = text.split(b"\r\n")
    parts = [repr(line + b"\r\n") for line in lines[:-1]] + ([repr(lines[-1])] if lines[-1] else [])
    return "\n        " + "\n        ".join(parts) if len(parts) > 1 else (parts or ["b''"])[0]


def _plain(text: str) -> str:
    """`text` fit for a docstring."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown.replace("\\", "/").replace('"""', "'''").replace('"', "'")
