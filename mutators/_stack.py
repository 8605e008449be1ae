"""Several edits in one mutant: which go together, in what order, and what the whole must expect."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from mutators._contract import Mutator
from shadow.model import JOINT, Edit, Expect, Known, Level, Request

_LAST = frozenset({Level.FRAMING, Level.NETWORK, Level.AUTH, Level.PERMISSION})
"""Levels of edits that settle exact bytes, or the credentials: a later edit would undo or overwrite that."""
_MAX_BYTES = 256 * 1024
"""What is larger after some edits gets no more of them: each may double it."""

type DiceOf = Callable[[str], Random]
"""The dice of a part, by its mutator's name: those that it has when it is alone."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Some mutators whose edits are made one after the other. `stack_of` makes one."""

    parts: tuple[Mutator, ...]
    expect: Expect

    @property
    def name(self) -> str:
        return JOINT.join(part.name for part in self.parts)

    @property
    def level(self) -> Level:
        """That of the part that goes last, where it must; else one that says least about what is broken."""
        if goes_last(self.parts[-1]):
            return self.parts[-1].level
        levels = [part.level for part in self.parts]
        shared = [level for level in levels if level not in (Level.HEADER, Level.COOKIE)]
        return shared[0] if shared else levels[0]

    @property
    def reason(self) -> str:
        return "\n".join(f"{part.name}: {part.reason}" for part in self.parts)

    @property
    def is_stated(self) -> bool:
        return all(part.is_stated for part in self.parts)

    @property
    def over(self) -> str:
        """As for `Mutator`, of one part that says so."""
        return next((part.over for part in self.parts if part.over), "")

    def fits(self, *, is_http2: bool, is_call: bool) -> bool:
        """As for `Mutator`, for all parts."""
        return all(part.fits(is_http2=is_http2, is_call=is_call) for part in self.parts)

    def __call__(self, request: Request, dice_of: DiceOf, known: Known) -> Edit | None:
        """All edits in one; None where one of them has nothing to edit, or the next one would lose it."""
        made, whats, is_stated = request, [], True
        edit = None
        for part in self.parts:
            if edit is not None and not _may_go_on(edit):
                return None
            before = _signed(made, request, known) if goes_last(part) else made
            edit = part(before, dice_of(part.name), known)
            if edit is None or is_alone(edit):
                return None
            made = edit.request
            whats.append(edit.what)
            is_stated &= edit.is_stated
        if edit is None or (edit.wire is None and edit.request == request):
            return None  # one edit has undone the other
        return Edit(
            edit.request,
            "; ".join(whats),
            edit.wire,
            edit.signs_again,
            is_stated=is_stated,
            parts=tuple(whats),
        )


def stack_of(mutators: Sequence[Mutator]) -> Stack | None:
    """The mutators in an order in which none undoes another; None where no expectation would hold of all.

    Edits that keep the meaning keep it together too, for each is made of what the one before left, and says
    itself whether it can. With one that may be answered in any clean way, so may the whole. What must be
    rejected must be so only while nothing else changes the meaning: another edit may take away the reason,
    or be refused for itself.
    """
    closers = [each for each in mutators if goes_last(each)]
    if len(closers) > 1 or len({each.name for each in mutators}) < len(mutators):
        return None
    expects = [each.expect for each in mutators]
    if Expect.REJECT in expects and expects.count(Expect.SAME) < len(expects) - 1:
        return None
    parts = (*(each for each in mutators if not goes_last(each)), *closers)
    return Stack(parts, _whole(expects))


def goes_last(mutator: Mutator) -> bool:
    """Whether nothing may be edited after it."""
    return mutator.level in _LAST or mutator.expect is Expect.REJECT


def is_alone(edit: Edit) -> bool:
    """Whether the edit is to be recognised in its answer, or by other edits of its place: others beside it
    would be taken for it."""
    return edit.sign is not None or edit.asks is not None


def _whole(expects: Sequence[Expect]) -> Expect:
    """The strongest expectation that holds of all edits together."""
    if Expect.REJECT in expects:
        return Expect.REJECT
    if all(expect is Expect.SAME for expect in expects):
        return Expect.SAME
    return Expect.AGREE if Expect.AGREE in expects else Expect.SURVIVE


def _may_go_on(edit: Edit) -> bool:
    size = len(edit.request.body) + len(edit.request.target)
    return edit.wire is None and edit.signs_again and size <= _MAX_BYTES


def _signed(made: Request, request: Request, known: Known) -> Request:
    """`made`, signed anew where `request` was: the last edit's bytes are final."""
    signer = known.signer
    if signer is None or made is request or signer.key_id(request) is None:
        return made
    return signer.sign(made, key=signer.key_id(request)) or made
