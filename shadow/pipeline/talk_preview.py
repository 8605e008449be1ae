"""What a run would deal of recorded conversations, and why, without a target."""

from collections.abc import Iterator

from mutators import TalkMutator, dice
from shadow.model import Exchange, TalkEdit
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.preview import Preview, Shown
from shadow.pipeline.scheduler import Scheduler
from shadow.pipeline.talk_endpoint import TalkEndpoints
from shadow.pipeline.talk_trials import TalkKnowledge, is_allowed_to_read, opening
from shadow.wire.spoken import spoken


class TalkPreview:
    """Deals as a run does."""

    def __init__(
        self, scheduler: Scheduler[TalkMutator], *, seed: int, mutants: int, endpoints: Endpoints
    ) -> None:
        self._scheduler = scheduler
        self._seed = seed
        self._mutants = mutants
        self._endpoints = TalkEndpoints(endpoints)
        self._knowledge = TalkKnowledge()

    def hear(self, preview: Preview) -> None:
        """Have what is tried counted with what `preview` deals by itself."""

        def count(_: str, name: str, is_made: bool) -> None:  # the scheduler's own way to tell
            preview.asked[name] += 1
            preview.made[name] += is_made

        self._scheduler.on_tried = count

    def of(self, exchange: Exchange) -> Iterator[Shown]:
        """Each mutant of a conversation, in the order of a run."""
        talk, endpoint = opening(exchange), self._endpoints.name(exchange)
        known = self._knowledge.snapshot(endpoint)

        def made(mutator: TalkMutator) -> TalkEdit | None:
            return mutator(talk, dice(self._seed, talk.index, mutator.name), known)

        before = b"".join(spoken(talk.protocol, talk.request, talk.messages, is_exact=True))
        for mutator, edit, why in self._scheduler.plan(endpoint, talk.index, self._mutants, made):
            request = edit.request or talk.request
            pieces = spoken(talk.protocol, request, edit.messages, is_exact=True)
            yield Shown(
                talk.index,
                endpoint,
                mutator,
                edit.what,
                why,
                before,
                b"".join(pieces),
                needs_writes=not is_allowed_to_read(talk, edit),
            )
        self._knowledge.learn(endpoint, talk)
