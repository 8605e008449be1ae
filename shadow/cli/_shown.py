"""How mutants that would be sent are shown: to people, and to programs."""

from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from rich.text import Text

from shadow.cli._byte_diff import Change, Piece, changes
from shadow.pipeline.preview import Preview, Shown
from shadow.pipeline.scheduler import Named

_INDENT = "    "
_MAX_STEPS = 12
_WIDTH = 100
"""Of lists of names, where there is no terminal that says how wide it is."""


def as_row(shown: Shown) -> dict[str, Any]:
    """What a program gets of a mutant."""
    row: dict[str, Any] = {
        "index": shown.exchange,
        "endpoint": shown.endpoint,
        "mutator": shown.mutator.name,
        "level": shown.mutator.level,
        "expect": shown.mutator.expect,
        "what": shown.what,
        "why": shown.why,
        "reason": shown.mutator.reason,
        "needs_writes": shown.needs_writes,
        "raw_base64": b64encode(shown.after).decode(),
    }
    return row | {"steps": shown.steps} if shown.steps else row


def as_text(shown: Shown, *, may_write: bool) -> Text:
    """What a person gets of a mutant: one line of what and one of why, and what changed in its bytes."""
    mutator = shown.mutator
    text = Text(f"{shown.exchange} {_plain(shown.endpoint)}: ")
    text.append(mutator.name, "bold")
    text.append(f" ({mutator.expect}): {_plain(shown.what)}")
    notes = [str(mutator.level), shown.why.value]
    if shown.segments > 1:
        notes.append(f"in {shown.segments} segments")
    if shown.needs_writes and not may_write:
        notes.append("held back: it writes (--allow-writes)")
    text.append(f"\n{_INDENT}{', '.join(notes)}", "dim")
    if shown.steps:
        for step in shown.steps[:_MAX_STEPS]:
            text.append(f"\n{_INDENT}> {_plain(step)[:_WIDTH]}")
        if len(shown.steps) > _MAX_STEPS:
            text.append(f"\n{_INDENT}> and {len(shown.steps) - _MAX_STEPS} more")
        return text
    found, more = changes(shown.before, shown.after)
    for change in found:
        _add_change(text, change)
    if more:
        text.append(f"\n{_INDENT}and {more} more places")
    if not found:
        text.append(f"\n{_INDENT}the same bytes")
    return text


def summary_row(preview: Preview, catalog: Sequence[Named]) -> dict[str, Any]:
    """The sum of what was dealt, for a program."""
    return {
        "summary": {
            "levels": {level: dict(counts) for level, counts in _levels(preview, catalog).items()},
            "nothing_to_edit": sorted(_barren(preview)),
            "skipped": dict(preview.skipped),
        }
    }


def summary_lines(preview: Preview, catalog: Sequence[Named], width: int | None = None) -> Iterator[str]:
    """The sum of what was dealt, for a person."""
    yield ""
    yield f"{'level':12}{'mutants':>9}{'tried':>8}{'nothing to edit':>17}{'not asked':>11}"
    for level, counts in _levels(preview, catalog).items():
        yield (
            f"{level:12}{counts['mutants']:9}{counts['tried']:8}{counts['nothing_to_edit']:17}"
            f"{counts['not_asked']:11}"
        )
    if barren := sorted(_barren(preview)):
        yield "nothing to edit anywhere as yet:"
        yield from wrap(
            ", ".join(barren),
            (width or _WIDTH),
            initial_indent="  ",
            subsequent_indent="  ",
            break_on_hyphens=False,
            break_long_words=False,
        )
    for why, count in preview.skipped.items():
        yield f"not mutated {count}: {why}"


def _levels(preview: Preview, catalog: Sequence[Named]) -> dict[str, Counter[str]]:
    """Of each level: mutants, mutators that made one, those that never could, those not asked yet."""
    found: defaultdict[str, Counter[str]] = defaultdict(
        lambda: Counter(mutants=0, tried=0, nothing_to_edit=0, not_asked=0)
    )
    for mutator in catalog:
        counts = found[mutator.level.value]
        made = preview.made[mutator.name]
        counts["mutants"] += made
        fate = "tried" if made else "nothing_to_edit" if preview.asked[mutator.name] else "not_asked"
        counts[fate] += 1
    return dict(sorted(found.items()))


def _barren(preview: Preview) -> list[str]:
    return [name for name in preview.asked if not preview.made[name]]


def _add_change(text: Text, change: Change) -> None:
    for sign, piece, style in (("-", change.left, "red"), ("+", change.right, "green")):
        if piece is None:
            continue
        text.append(f"\n  {sign} ", style)
        text.append(piece.before)
        text.append(piece.edit, f"bold {style}")
        text.append(piece.after)
        if marks := _marks(piece):
            text.append(f"\n{_INDENT}{marks}", style)


def _marks(piece: Piece) -> str:
    """What shows where the edit is without colours; nothing where it is all of the line, or none of it."""
    if not piece.edit or not (piece.before or piece.after):
        return ""
    return " " * len(piece.before) + "^" * len(piece.edit)


def _plain(text: str) -> str:
    return text.encode("unicode_escape").decode()
