"""An exchange and a mutant of it sent once more, as they were or smaller."""

import msgspec

from shadow.judge import Less, is_unwell
from shadow.model import Edit, Parcel, Request, Step
from shadow.pipeline.case import Case
from shadow.pipeline.environment import Answers, Environment, Readies
from shadow.pipeline.ready import Mutate, MutateFor
from shadow.pipeline.scripts import Scripts


class Again(msgspec.Struct, frozen=True):
    """What is sent again."""

    case: Case
    mutate: MutateFor
    via: str
    salt: str
    """Of nonces and keys: what is sent under another one is another request."""
    parcel: Parcel
    less: Less = Less()
    """What is left out of both."""
    is_made_anew: bool = False
    """Whether the mutant is made of the smaller request, and not made smaller itself: where its bytes or its
    signature are settled."""

    @property
    def edits(self) -> MutateFor:
        """The mutator, or what makes its edit smaller."""
        return self.mutate if self.is_made_anew or self.less == Less() else _less(self.mutate, self.less)

    @property
    def plain(self) -> Request:
        """The recorded request without what is left out."""
        return self.less.of(self.case.exchange.request)

    @property
    def base(self) -> Request:
        """The recorded request that `edits` are made of."""
        return self.plain if self.is_made_anew else self.case.exchange.request


class Resending:
    """Sends to candidate and baseline. What writes goes at the end of its session, told anew each time."""

    def __init__(self, environment: Environment, scripts: Scripts) -> None:
        self._environment = environment
        self._scripts = scripts

    def readies(self, again: Again) -> tuple[Readies, Readies] | None:
        """The mutant as it would be sent in its own session, and what it is made of; None for no mutant."""
        case, salt = again.case, again.salt
        plain = self._environment.prepare(case.exchange, case.session, salt, again.base)
        made = self._environment.mutate(plain, again.edits, case.session, salt)
        return None if made is None else (made, plain)

    async def pair(self, again: Again) -> tuple[Answers, Answers]:
        """The answers to the control and to the mutant."""
        case, salt = again.case, again.salt
        if case.is_write:
            return await self.retold(again, None), await self.retold(again, again.edits)
        control, answer = await self._read(again, salt)
        if is_unwell(control.candidate) or is_unwell(control.baseline):  # that was not of its own making
            return await self._read(again, f"{salt}+")
        return control, answer

    async def mutant(self, again: Again) -> None:
        """Send the mutant and nothing else, but for the session that one of a write needs."""
        if again.case.is_write:
            await self.retold(again, again.edits)
        elif (made := self.readies(again)) is not None:
            session = again.case.session
            await self._environment.send(made[0], via=again.via, parcel=again.parcel, session=session)

    async def _read(self, again: Again, salt: str) -> tuple[Answers, Answers]:
        case = again.case
        controls = self._environment.prepare(case.exchange, case.session, f"{salt}:control", again.plain)
        made = self.readies(msgspec.structs.replace(again, salt=salt))
        mutants = controls if made is None else made[0]
        control = await self._environment.send(
            controls, via=again.via, parcel=again.parcel, session=case.session
        )
        answer = await self._environment.send(
            mutants, via=again.via, parcel=again.parcel, session=case.session
        )
        return control, answer

    async def retold(self, again: Again, mutate: MutateFor | None) -> Answers:
        """The answers to the last request of the session up to the exchange."""
        script, told = again.case.retelling()
        last = again.plain if mutate is None else again.base
        steps = (*script.steps[:-1], Step(last, script.steps[-1].origin))
        script = msgspec.structs.replace(script, steps=steps)
        return (await self._scripts.run(script, told, parcel=again.parcel, mutate=mutate))[-1]


def _less(mutate: MutateFor, less: Less) -> MutateFor:
    """The mutator, with `less` left out of what it makes; nothing where no edit is left then."""

    def for_target(target: str) -> Mutate:
        edit_of = mutate(target)

        def smaller(request: Request) -> Edit | None:
            edit = edit_of(request)
            if edit is None:
                return None
            made = less.of_edited(edit.request, request)
            if made is None or made == less.of(request):
                return None
            return msgspec.structs.replace(edit, request=made)

        return smaller

    return for_target
