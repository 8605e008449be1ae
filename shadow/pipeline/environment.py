"""The shadow environment: the candidate, and the baseline where there is one, always asked the same."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from shadow.judge.classes import asks_for_credentials
from shadow.model import Exchange, Outcome, Parcel, Reply, Request
from shadow.pipeline.link import Link
from shadow.pipeline.ready import MutateFor, MutateTalk, Ready
from shadow.pipeline.ways import Ways

_DENIALS = (401, 403)


class Pair[T](msgspec.Struct, frozen=True):
    """One thing for each target; `baseline` is None where there is no baseline."""

    candidate: T
    baseline: T | None


type Readies = Pair[Ready]
type Answers = Pair[Outcome]


class Environment:
    """Sends to candidate and baseline at the same time, and waits for both."""

    def __init__(self, candidate: Link, baseline: Link | None, ways: Ways | None = None) -> None:
        self.candidate = candidate
        self.baseline = baseline
        self.ways = ways or Ways(self.links)
        self.sent_count = 0
        """How often both targets were asked the same."""

    @property
    def links(self) -> tuple[Link, ...]:
        return (self.candidate, self.baseline) if self.baseline else (self.candidate,)

    @property
    def down(self) -> str:
        """The name of a target that cannot be used; empty where all can."""
        return next((each.target.name for each in self.links if not each.is_up), "")

    def prepare(
        self, exchange: Exchange, session: str, salt: str = "", request: Request | None = None
    ) -> Readies:
        """The exchange's request, or `request`, which was made of it, ready for each target."""

        def prepared(link: Link) -> Ready:
            return link.prepare(exchange, session, salt=salt, request=request)

        return Pair(prepared(self.candidate), prepared(self.baseline) if self.baseline else None)

    def mutate(self, readies: Readies, mutate: MutateFor, session: str, salt: str) -> Readies | None:
        """The same mutant for each target, by the same dice; None where the candidate's has none."""
        candidate = self.candidate.mutate(readies.candidate, mutate, session, salt)
        if candidate is None:
            return None
        if self.baseline is None or readies.baseline is None:
            return Pair(candidate, None)
        return Pair(candidate, self.baseline.mutate(readies.baseline, mutate, session, salt))

    def control_of(self, exchange: Exchange, session: str, salt: str) -> Readies:
        """A conversation as recorded, for each target, said in the manner of its mutants."""
        readies = self.prepare(exchange, session, salt)
        candidate = self.candidate.control_of(readies.candidate, exchange.messages)
        if self.baseline is None or readies.baseline is None:
            return Pair(candidate, None)
        return Pair(candidate, self.baseline.control_of(readies.baseline, exchange.messages))

    def mutate_talk(
        self, exchange: Exchange, mutate: Callable[[str], MutateTalk], session: str, salt: str
    ) -> Readies | None:
        """The same mutant of a conversation for each target, by the same dice; None where the candidate's has
        none."""
        plain = self.prepare(exchange, session, salt)

        def made(link: Link, ready: Ready) -> Ready | None:
            return link.mutate_talk(ready, exchange, mutate(link.target.name), session, salt)

        candidate = made(self.candidate, plain.candidate)
        if candidate is None or self.baseline is None or plain.baseline is None:
            return None if candidate is None else Pair(candidate, None)
        return Pair(candidate, made(self.baseline, plain.baseline))

    def carrier(self, all_readies: Sequence[Readies]) -> str | None:
        """The first of the candidate's transports that can say every one of these, for every target; None
        when none can."""
        return next((name for name in self.candidate.carriers if self._says_all(name, all_readies)), None)

    def _says_all(self, name: str, all_readies: Sequence[Readies]) -> bool:
        for readies in all_readies:
            if not self.candidate.can_send(readies.candidate, name):
                return False
            theirs = readies.baseline
            if theirs is not None and self.baseline is not None and not self.baseline.can_send(theirs, name):
                return False
        return True

    def carries(self, readies: Readies, via: str) -> bool:
        """Whether transport `via` can say this for every target."""
        return self._says_all(via, [readies])

    def names_untold(self, readies: Readies) -> bool:
        """Whether the candidate's target names a live value that stands for another one at the baseline.

        The candidate was never seen to have that thing: an answer that should have told it was another one,
        and is a finding of its own. What it now says of a name that it cannot know means nothing.
        """
        if self.baseline is None or readies.baseline is None:
            return False
        ours, theirs = (_words(each.request.target) for each in (readies.candidate, readies.baseline))
        same = self.baseline.correlation.same
        return any(mine != its and same(mine, its) for mine, its in zip(ours, theirs, strict=False))

    def lacks(self, readies: Readies) -> str:
        """The identity as which a target should have been asked, but nobody could log in; else empty."""
        theirs = self.baseline.lacks(readies.baseline) if self.baseline and readies.baseline else ""
        return self.candidate.lacks(readies.candidate) or theirs

    def is_estranged(self, exchange: Exchange, answers: Answers) -> bool:
        """Whether every target refused what live took, by a signature that nobody here can make anew."""
        outcomes = [answers.candidate, *([answers.baseline] if answers.baseline is not None else [])]
        refused = [_is_denied(each) for each in outcomes]
        is_taken = exchange.response is not None and not _is_denied(Reply(exchange.response))
        return is_taken and all(refused) and self.candidate.is_strange(exchange)

    async def send(self, readies: Readies, *, via: str, parcel: Parcel, session: str) -> Answers:
        """Both targets' outcomes."""

        self.sent_count += 1

        async def sent(link: Link, ready: Ready) -> Outcome:
            return await link.send(ready, via=via, parcel=parcel, session=session)

        if self.baseline is None or readies.baseline is None:
            return Pair(await sent(self.candidate, readies.candidate), None)
        return Pair(
            *await together([sent(self.candidate, readies.candidate), sent(self.baseline, readies.baseline)])
        )

    async def look(self, readies: Readies, session: str) -> Answers:
        """Both targets' outcomes over a calm network, whether or not they count as down."""
        candidate = await self.candidate.look(readies.candidate, session)
        if self.baseline is None or readies.baseline is None:
            return Pair(candidate, None)
        return Pair(candidate, await self.baseline.look(readies.baseline, session))

    def learn(self, exchange: Exchange, answers: Answers, session: str) -> None:
        """Have each target's correlation learn from its answer to the original.

        Where no live answer was seen, the baseline's stands for it: it names things as the live release does.
        """
        if exchange.response is None and isinstance(answers.baseline, Reply):
            told = msgspec.structs.replace(exchange, response=answers.baseline.response)
            self.candidate.learn(told, answers.candidate, session)
            return
        self.candidate.learn(exchange, answers.candidate, session)
        if self.baseline is not None and answers.baseline is not None:
            self.baseline.learn(exchange, answers.baseline, session)

    async def close(self) -> None:
        for link in self.links:
            await link.close()


def _is_denied(outcome: Outcome) -> bool:
    if isinstance(outcome, Reply) and outcome.response.status in _DENIALS:
        return True
    return asks_for_credentials(outcome)


def _words(target: bytes) -> list[str]:
    """The path's segments and the query's words, last first: a prefix of one target shifts nothing."""
    return re.split(r"[/?&=]", target.decode("latin-1"))[::-1]


async def together[T](awaitables: Sequence[Awaitable[T]]) -> list[T]:
    """The results of `awaitables`, run side by side, in their order."""

    async def result(awaitable: Awaitable[T]) -> T:
        return await awaitable

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(result(each)) for each in awaitables]
    return [task.result() for task in tasks]
