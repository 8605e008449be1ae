"""Worker processes, forked before the event loop and its threads begin, so that all is imported only once."""

import gc
import multiprocessing
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkProcess
from os import getpid

import msgspec

from shadow.config import Settings
from shadow.replay import Spending
from shadow.run.worker import Post, serve

_JOIN_SECONDS = 5.0
_REAP_SECONDS = 0.5
_KEY_BYTES = 16


class Hired(msgspec.Struct, frozen=True):
    """One worker process, and this end of what joins it."""

    process: ForkProcess
    sock: socket.socket

    def kill(self) -> None:
        self.process.kill()

    def obituary(self) -> str:
        """How it died, for a person. Its socket is closed a moment before it can be asked."""
        self.process.join(_REAP_SECONDS)
        code = self.process.exitcode
        how = "" if code is None else f" of signal {-code}" if code < 0 else f" with code {code}"
        return f"{self.process.name} (process {self.process.pid}) died{how}"


class Workers(msgspec.Struct, frozen=True):
    """The workers of one run, which wait for it to begin."""

    run: str
    """Name of the run that they were made for."""
    key: bytes
    """Of the redactor, the same for all."""
    all: tuple[Hired, ...]
    spending: Spending
    """What they, and whoever made them, have sent."""


@contextmanager
def hired(settings: Settings, *, is_live: bool, run: str = "") -> Iterator[Workers | None]:
    """As many workers as the settings ask for; None for a single one, which needs no process of its own.

    They are gone when this is left. To be called where no thread and no event loop runs.
    """
    if settings.workers == 1:
        yield None
        return
    run, key = run or secrets.token_hex(6), secrets.token_bytes(_KEY_BYTES)
    share = _share(settings)
    found: list[Hired] = []
    spending = Spending()
    gc.freeze()  # what is there is shared: a collection in a worker must not copy it all
    try:
        for number in range(settings.workers):
            found.append(_hire(number, Post(share, run, is_live, key, spending, getpid()), found))
        yield Workers(run, key, tuple(found), spending)
    finally:
        for each in found:
            each.sock.close()
        for each in found:
            each.process.join(_JOIN_SECONDS)
            if each.process.is_alive():
                each.kill()
                each.process.join()
        spending.close()
        gc.unfreeze()


def _hire(number: int, post: Post, others: list[Hired]) -> Hired:
    here, there = socket.socketpair()
    near = [here, *(each.sock for each in others)]
    context = multiprocessing.get_context("fork")
    process = context.Process(target=serve, args=(post, there, near), name=f"worker {number}", daemon=True)
    process.start()
    there.close()
    return Hired(process, here)


def _share(settings: Settings) -> Settings:
    """The settings of one worker. What is told, and when the run ends, is the parent's affair."""
    concurrency = -(-settings.concurrency // settings.workers)
    per_second = settings.safe_mode.per_second / settings.workers
    safe_mode = msgspec.structs.replace(settings.safe_mode, per_second=per_second)
    return msgspec.structs.replace(
        settings, workers=1, concurrency=concurrency, safe_mode=safe_mode, metrics="", duration=""
    )
