"""The changed stretches of one line of text, so that each is judged for what it is: date, token, word."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import msgspec

from comparators._edits import common_ends

_NAME = r"[A-Z][a-z]{2,8}\.?"
_PIECE = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    rf"|(?:{_NAME},? +)?{_NAME} +\d{{1,2}}(?:st|nd|rd|th)?,? +\d{{4}}\b"
    r"(?:(?: at|,)? +(?:[\d:]+(?: [ap]\.?m\.?)?|noon|midnight))?"
    rf"|(?:{_NAME}, +)?\d{{1,2}}[ /-]{_NAME}[ /-]\d{{4}}\b(?:[,:]? ?\d\d?:\d\d(?::\d\d)?)?(?: GMT)?"
    rf"|{_NAME} {_NAME} [ \d]\d \d\d:\d\d:\d\d \d{{4}}"
    r"|[0-9A-Za-z_][0-9A-Za-z_.:+~-]*=*|\s+|."
)
"""Timestamps in the forms in which pages write them, words and tokens, gaps, single signs."""
_WORD = re.compile(r"(?<![0-9A-Za-z_])[A-Za-z_][A-Za-z_-]*(?![0-9A-Za-z_])")
_TURN = re.compile(r"[a-z](?=[A-Z])|[A-Z](?=[A-Z][a-z])")
_MAX_TURNS, _MAX_WORD_CHARS = 4, 40
"""What goes on longer, or between large and small letters oftener, is a token and no word."""
_MAX_PIECES = 600
_MAX_STEPS = 2_000_000
_USUAL_SHARE = 8
"""Hardly any text takes more than this part of the steps that the worst does."""
_MAX_RUNS = 12
_MIN_ALIKE = 0.4
"""Lines that have less in common are two lines, not one that changed."""
_MAX_NAME_CHARS = 40
_MAX_LINE_CHARS = 20_000


class Effort:
    """What matching lines may cost in one comparison: the same words over and over would take hours."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _MAX_STEPS

    def is_enough(self, ours: Sequence[str], theirs: Sequence[str]) -> bool:
        """Whether two lines may be matched piece by piece yet; if so, this is taken off."""
        counts = Counter(theirs)
        steps = sum(counts[piece] for piece in ours) * min(len(ours), len(theirs)) // _USUAL_SHARE
        if steps > self._left:
            return False
        self._left -= steps
        return True


FRAME = "stack-frame"
"""The name of all lines of stack traces: where code stands says nothing of what it does."""
_FRAME = re.compile(
    r"at (?:[^()]{1,200} \()?(?=[^\s()]*[A-Za-z/])[^\s()]{1,300}:\d{1,7}:\d{1,7}\)?"  # JavaScript
    r"|at [\w.$<>/@ -]{1,200}\((?:[\w.$-]{1,100}:\d{1,7}|<anonymous>|native|Native Method|Unknown Source)\)"
    r'|File "[^"]{1,300}", line \d{1,7}(?:, in .{1,100})?'
    r"|(?:from )?[^\s:]{1,300}:\d{1,7}:in .{1,100}"
    r"|#\d{1,4} [^()]{1,300}\(\d{1,7}\): .{1,200}"
)
"""One line of a stack trace: JavaScript, the JVM, Python, Ruby, PHP."""
_MAX_FRAME_CHARS = 500


class Run(msgspec.Struct, frozen=True):
    """One stretch that differs; `name` is made of the words that lead to it, "" where there are none."""

    name: str
    left: str
    right: str


def runs(left: str, right: str, effort: Effort) -> tuple[Run, ...] | None:
    """The stretches in which two lines differ; None where they have too little in common to tell."""
    if max(len(left), len(right)) > _MAX_LINE_CHARS:
        return None
    ours, theirs = _PIECE.findall(left), _PIECE.findall(right)
    edits = _edits(ours, theirs, effort)
    if edits is None:
        return None
    found = tuple(_runs(ours, theirs, edits))
    if len(found) > _MAX_RUNS:
        return None
    if is_frame(left) and is_frame(right):
        return tuple(Run(FRAME, each.left, each.right) for each in found)
    return found


def label(text: str, count: int = 2) -> str:
    """The first words of `text` as a name: ``"li-class"`` of ``<li class="x">``."""
    return FRAME if is_frame(text) else _named(_said(text[:200])[:count])


def is_frame(line: str) -> bool:
    """Whether `line` is one of a stack trace."""
    bare = line.strip() if len(line) <= _MAX_FRAME_CHARS else ""
    return _FRAME.fullmatch(bare) is not None


def words(text: str) -> list[str]:
    """The words of `text`, without digits, in lower case."""
    return _WORD.findall(text.lower())


def last_words(text: str, count: int = 2) -> str:
    """The last words of `text` as a name."""
    return _named(_said(text[-200:])[-count:])


def _edits(
    ours: Sequence[str], theirs: Sequence[str], effort: Effort
) -> list[tuple[int, int, int, int]] | None:
    """Unequal stretches as (start, end, start, end)."""
    if len(ours) == len(theirs):
        unequal = [at for at, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]
        if len(unequal) <= max(1, _MIN_ALIKE * len(ours)):
            return [(at, at + 1, at, at + 1) for at in unequal]
    if max(len(ours), len(theirs)) > _MAX_PIECES:
        return None
    head, tail = common_ends(ours, theirs)
    mine, its = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    if not effort.is_enough(mine, its):
        return None
    matcher = SequenceMatcher(None, mine, its, autojunk=False)
    alike = 2 * (head + tail) + matcher.ratio() * (len(mine) + len(its))
    if alike < _MIN_ALIKE * (len(ours) + len(theirs)):
        return None
    return [
        (head + a, head + b, head + c, head + d)
        for tag, a, b, c, d in matcher.get_opcodes()
        if tag != "equal"
    ]


def _runs(
    ours: Sequence[str], theirs: Sequence[str], edits: list[tuple[int, int, int, int]]
) -> Iterator[Run]:
    equal: list[str] = []
    reached = 0
    for start, end, from_, to in edits:
        equal.extend(ours[reached:start])
        reached = end
        yield Run(
            _named(_said("".join(equal[-24:]))[-2:]), "".join(ours[start:end]), "".join(theirs[from_:to])
        )


def _said(text: str) -> list[str]:
    """The words of `text` by which a place can be known: no parts of tokens, which are new every time."""
    return [
        word
        for word in _WORD.findall(text)
        if len(word) <= _MAX_WORD_CHARS and len(_TURN.findall(word)) <= _MAX_TURNS
    ]


def _named(words: list[str]) -> str:
    return "-".join(words)[-_MAX_NAME_CHARS:].lower().strip("-")
