"""Puts the environment back, and forgets what was known of the state that is gone."""

import time
from collections.abc import Awaitable, Callable, Sequence

from shadow.model import Event, Outcome, Request, StateChanged
from shadow.pipeline.batching import Batches
from shadow.pipeline.environment import Environment
from shadow.pipeline.judging import Judging
from shadow.pipeline.knowledge import Knowledge
from shadow.replay.reset import Reset

type After = Callable[[], Awaitable[str]]
"""Done once the environment is as at the start: identities log in again. Says why it failed, if it did."""


class Restoring:
    """Called by the pipeline alone, when nothing is under way; never because of a request."""

    def __init__(
        self,
        reset: Reset,
        environment: Environment,
        judging: Judging,
        knowledge: Knowledge,
        batches: Batches,
        *,
        halted: Callable[[], str],
        hear: Callable[[Event], None],
        afterwards: Sequence[After] = (),
    ) -> None:
        self.batches = batches
        """Between which the environment is put back."""
        self._reset = reset
        self._environment = environment
        self._judging = judging
        self._knowledge = knowledge
        self._halted = halted
        self._hear = hear
        self.afterwards = list(afterwards)

    async def restore(self, when: str) -> str:
        """Why the environment is not as it should be; empty where it is."""
        if self._halted():
            return ""  # nothing is sent any more, so there is nothing to put back for
        begun = time.monotonic()
        if trouble := await self._reset.run(self._ask):
            return trouble
        for link in self._environment.links:
            link.correlation.forget_all()
        self._judging.is_drifted = False
        self._judging.drifting.forget()
        self._knowledge.forget_state()
        for each in self.afterwards:
            if trouble := await each():
                return trouble
        self._hear(StateChanged("reset", f"{when}, in {time.monotonic() - begun:.1f} s"))
        return ""

    async def _ask(self, request: Request) -> dict[str, Outcome]:
        seconds = self._reset.settings.timeout_seconds
        return {
            link.target.name: await link.ask(request, timeout_seconds=seconds)
            for link in self._environment.links
        }
