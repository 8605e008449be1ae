"""From one change of keys to the next: what one side's records are opened with, and their numbers."""

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Protocol

from shadow.wire.tls_derivation import (
    TLS_1_2,
    TLS_1_3,
    Protection,
    next_traffic_secret,
    of_master,
    of_traffic_secret,
)
from shadow.wire.tls_hello import ClientHello, ServerHello
from shadow.wire.tls_keylog import KeyLog, Label
from shadow.wire.tls_records import Record
from shadow.wire.tls_suites import SUITES, Suite


class Opener(Protocol):
    """Opens records under one key."""

    @property
    def overhead_bytes(self) -> int | None:
        """How much longer each fragment is than what it holds; None where that varies."""
        ...

    def open(self, number: int, record: Record) -> bytes | None:
        """What the record with that number holds; None where the key, the number or the bytes are wrong."""
        ...


type MakeOpener = Callable[[Protection], Opener]


class Stage(IntEnum):
    """What an epoch of TLS 1.3 is for."""

    EARLY = 0
    HANDSHAKE = 1
    TRAFFIC = 2


_LABELS = {
    (Stage.EARLY, True): Label.CLIENT_EARLY,
    (Stage.HANDSHAKE, True): Label.CLIENT_HANDSHAKE,
    (Stage.HANDSHAKE, False): Label.SERVER_HANDSHAKE,
    (Stage.TRAFFIC, True): Label.CLIENT_TRAFFIC,
    (Stage.TRAFFIC, False): Label.SERVER_TRAFFIC,
}


class Epoch:
    """One epoch of one side. `opener` is None where its secret is not known."""

    def __init__(
        self,
        opener: Opener | None,
        stage: Stage = Stage.TRAFFIC,
        *,
        is_sealed: bool = False,
        secret: bytes = b"",
    ) -> None:
        """`is_sealed` where kind and padding stand inside the record, as TLS 1.3 has it."""
        self.opener = opener
        self.stage = stage
        self.is_sealed = is_sealed
        self.secret = secret
        self.number = 0
        """Of the next record."""
        self.is_proven = False
        """Whether a record was opened."""

    @property
    def overhead_bytes(self) -> int | None:
        """How much longer a fragment is than what it holds; None where that varies."""
        known = self.opener.overhead_bytes if self.opener is not None else None
        return known if known is None else known + self.is_sealed

    def open(self, record: Record, numbers: Iterable[int] | None = None) -> bytes | None:
        """What `record` holds, whose number is the next one, or one of `numbers`; None where none fits."""
        if self.opener is None:
            return None
        for number in (self.number,) if numbers is None else numbers:
            found = self.opener.open(number, record)
            if found is not None:
                self.number = number + 1
                self.is_proven = True
                return found
        return None


class Session(Protocol):
    """The keys of one handshake."""

    def first(self, *, is_client: bool) -> Stage:
        """Where a side begins to encrypt."""
        ...

    def at(self, stage: Stage, *, is_client: bool) -> Epoch:
        """The first epoch of a stage; without opener where its secret is not known (yet)."""
        ...

    def after(self, epoch: Epoch, *, is_client: bool) -> Epoch | None:
        """What follows an epoch; None where nothing does without another handshake."""
        ...


def session(hello: ClientHello, answer: ServerHello, keys: KeyLog, make: MakeOpener) -> Session | None:
    """The session that two hellos agree on; None for a suite that cannot be read."""
    suite = SUITES.get(answer.suite)
    if suite is None or (answer.version == TLS_1_3) != (answer.suite >> 8 == 0x13):
        return None
    if answer.version == TLS_1_3:
        return _Traffic(hello, suite, keys, make)
    if answer.version < TLS_1_2 and suite.mode != "cbc":
        return None
    return _Master(hello, answer, keys, make)


class _Master:
    """Up to TLS 1.2: one secret, and one epoch of each side."""

    def __init__(self, hello: ClientHello, answer: ServerHello, keys: KeyLog, make: MakeOpener) -> None:
        self._hello = hello
        self._answer = answer
        self._keys = keys
        self._make = make

    def first(self, *, is_client: bool) -> Stage:  # noqa: ARG002  # both sides alike
        return Stage.TRAFFIC

    def at(self, stage: Stage, *, is_client: bool) -> Epoch:  # noqa: ARG002  # there is one
        hello, answer = self._hello, self._answer
        master = self._keys.secret(hello.random, Label.MASTER)
        if master is None:
            return Epoch(None)
        randoms = hello.random, answer.random
        client, server = of_master(
            master, randoms, SUITES[answer.suite], answer.version, is_mac_last=answer.encrypts_then_macs
        )
        return Epoch(self._make(client if is_client else server))

    def after(self, epoch: Epoch, *, is_client: bool) -> None:  # noqa: ARG002  # as said there
        return None


class _Traffic:
    """TLS 1.3: a secret for each stage of each side, and another after each KeyUpdate."""

    def __init__(self, hello: ClientHello, suite: Suite, keys: KeyLog, make: MakeOpener) -> None:
        self._hello = hello
        self._suite = suite
        self._keys = keys
        self._make = make

    def first(self, *, is_client: bool) -> Stage:
        return Stage.EARLY if is_client and self._hello.offers_early_data else Stage.HANDSHAKE

    def at(self, stage: Stage, *, is_client: bool) -> Epoch:
        secret = self._keys.secret(self._hello.random, _LABELS[stage, is_client])
        return Epoch(None, stage, is_sealed=True) if secret is None else self._of(secret, stage)

    def after(self, epoch: Epoch, *, is_client: bool) -> Epoch | None:
        if epoch.stage is not Stage.TRAFFIC:
            return self.at(Stage(epoch.stage + 1), is_client=is_client)
        return self._of(next_traffic_secret(epoch.secret, self._suite)) if epoch.secret else None

    def _of(self, secret: bytes, stage: Stage = Stage.TRAFFIC) -> Epoch:
        opener = self._make(of_traffic_secret(secret, self._suite))
        return Epoch(opener, stage, is_sealed=True, secret=secret)
