"""Which member of a service's answers says how it went, learned from what the live release answers."""

from collections import Counter
from collections.abc import Callable

import msgspec

from shadow.judge.denials import denial, envelope
from shadow.judge.envelope import Envelope, Said
from shadow.judge.turning import turned
from shadow.model import Response

_MIN_FINE = 2
_MIN_POOR = 2
"""So many answers of either kind there must have been: one may be anything."""
_MAX_FINE_VALUES = 4
"""What says how it went has one value for success, or a few; what has more is no such member."""
_MAX_PLACES = 100


class Convention(msgspec.Struct, frozen=True):
    """A member that says how it went."""

    place: str
    """``"$.code"``."""
    fine: frozenset[str]
    """Its values where it went well, as text."""

    def refuses(self, envelope: Envelope) -> str:
        """What of an answer says, by this convention, that the request was refused.

        An answer that gives what was asked for is none, whatever the member holds: it may be a state.
        """
        said = envelope.at(self.place)
        if said is None or said.text in self.fine or envelope.payload:
            return ""
        if not envelope.complaint and not envelope.has_room:
            return ""
        return f"the body says {said}, and {' or '.join(sorted(self.fine))} of successes"


class _Member:
    """What the answers showed of one member."""

    __slots__ = ("fine", "is_state", "poor")

    def __init__(self) -> None:
        self.fine: Counter[str] = Counter()
        self.poor = 0
        self.is_state = False
        """Whether an answer that gives what was asked for says another thing there: then it is of that."""


class Conventions:
    """What is known of them. One for a run."""

    def __init__(self) -> None:
        self._members: dict[str, _Member] = {}
        self._known: dict[str, Convention] = {}
        self.on_learned: Callable[[Convention], None] | None = None
        """Told of what was learned here, for others to `take_over`."""

    @property
    def known(self) -> tuple[Convention, ...]:
        """Those that hold."""
        return tuple(self._known.values())

    def hear(self, response: Response) -> None:
        """Learn from an answer of the live release."""
        if 200 <= response.status < 300 and (found := envelope(response)) is not None:
            for said in found.said:
                self._see(said, found)

    def hear_pair(self, good: Response, refused: Response) -> None:
        """Learn from the live release's answers to a request and to one like it that must be refused."""
        is_plain = 200 <= good.status < 300 and 200 <= refused.status < 300
        turn = turned(good, refused) if is_plain else None
        if turn is None or not turn.place:
            return
        member = self._member(turn.place)
        if member is not None:
            member.fine[turn.fine] += 1
            member.poor += 1
            self._settle(turn.place, member)

    def take_over(self, convention: Convention) -> None:
        """Know what others learned."""
        member = self._member(convention.place)
        if member is not None and not member.is_state:
            self._known[convention.place] = convention

    def refusal(self, response: Response) -> str:
        """What in an answer says, by what was learned and not by itself, that the request was refused."""
        if not self._known or not 200 <= response.status < 300 or denial(response):
            return ""
        found = envelope(response)
        if found is None:
            return ""
        return next((why for each in self._known.values() if (why := each.refuses(found))), "")

    def _see(self, said: Said, found: Envelope) -> None:
        member = self._member(said.place)
        if member is None:
            return
        if said.is_fine:
            member.fine[said.text] += bool(found.payload)
        elif found.payload:
            member.is_state = True
        elif found.complaint:
            member.poor += 1
        self._settle(said.place, member)

    def _settle(self, place: str, member: _Member) -> None:
        fine = +member.fine
        if member.is_state or len(fine) > _MAX_FINE_VALUES:
            self._known.pop(place, None)
            return
        if fine.total() < _MIN_FINE or member.poor < _MIN_POOR:
            return
        convention = Convention(place, frozenset(fine))
        if self._known.get(place) != convention:
            self._known[place] = convention
            if self.on_learned is not None:
                self.on_learned(convention)

    def _member(self, place: str) -> _Member | None:
        if place not in self._members and len(self._members) >= _MAX_PLACES:
            return None
        return self._members.setdefault(place, _Member())
