"""What both sides of a TLS connection agree on in their handshakes, and the epochs that come of it."""

from collections.abc import Iterator

from shadow.wire.tls_decryption import Decryption
from shadow.wire.tls_derivation import TLS_1_0, TLS_1_3
from shadow.wire.tls_epoch import Epoch, Session, Stage, session
from shadow.wire.tls_hello import (
    ClientHello,
    Kind,
    ServerHello,
    accepts_early_data,
    client_hello,
    server_hello,
)
from shadow.wire.tls_side import Side

_ENDS = {
    Stage.EARLY: Kind.END_OF_EARLY_DATA,
    Stage.HANDSHAKE: Kind.FINISHED,
    Stage.TRAFFIC: Kind.KEY_UPDATE,
}
"""The message after which a side of TLS 1.3 goes on in its next epoch."""
_FOLLOWING = 2
"""Epochs that are looked ahead: beyond early data, the handshake."""


class Agreement:
    """Reads the messages of handshakes, of both sides."""

    def __init__(self, decryption: Decryption) -> None:
        self._decryption = decryption
        self._client: int | None = None
        """The side that said the client's hello."""
        self._hello: ClientHello | None = None
        self._answer: ServerHello | None = None
        self._is_refused = False
        """The server asked for another hello."""
        self.session: Session | None = None
        """None until both hellos were read, and again while another handshake has begun."""
        self.takes_early_data: bool | None = None
        """None where the server has not said so yet."""
        self.refusal = ""
        """Why the connection cannot be read, whatever secrets there are."""

    @property
    def is_sealed(self) -> bool:
        """Whether it is TLS 1.3, the only version whose server may ask for another hello."""
        return self._is_refused or (self._answer is not None and self._answer.version == TLS_1_3)

    def is_client(self, side: Side) -> bool:
        """Whether it is the side that said the client's hello."""
        return side.number == self._client

    def awaits_answer(self, side: Side) -> bool:
        """Whether a side may be saying early data, and whether the server takes that is not known yet."""
        if not self.is_client(side) or self._hello is None:
            return False
        return self.is_sealed and self._hello.offers_early_data and self.takes_early_data is None

    def read(self, side: Side, fragment: bytes) -> None:
        """Reads the handshake messages in a record."""
        for kind, body in side.handshake.feed(fragment):
            if kind == Kind.CLIENT_HELLO:
                self._read_hello(side, body)
            elif kind == Kind.SERVER_HELLO:
                self._read_answer(side, body)
            elif kind == Kind.ENCRYPTED_EXTENSIONS and self.takes_early_data is None:
                self.takes_early_data = accepts_early_data(body)
            elif side.epoch is not None and side.epoch.is_sealed and kind == _ENDS[side.epoch.stage]:
                side.epoch = next(self.following(side), side.epoch)

    def lose(self, side: Side) -> bool:
        """Bytes of a side are missing. Whether what must be known of its hello is still, or may yet be."""
        kind, body = side.handshake.lose()
        if kind == Kind.CLIENT_HELLO and not side.is_encrypted:
            self._read_hello(side, body)  # its random stands at its beginning, which is enough
        is_client = self.is_client(side)
        if not is_client and self.takes_early_data is None:
            self.takes_early_data = False
        if self.session is not None or side.is_encrypted:
            return True
        return self._client is not None and (self._hello if is_client else self._answer) is not None

    def epoch(self, side: Side) -> Epoch | None:
        """The epoch that a side is in. Without an opener where no secret for it, nor for one that follows,
        is known (yet); None where both hellos are not."""
        epoch, keys = side.epoch, self.session
        if epoch is not None and epoch.opener is not None:
            return epoch
        if keys is None:
            return None
        is_client = self.is_client(side)
        stage = keys.first(is_client=is_client) if epoch is None else epoch.stage
        side.epoch = epoch = keys.at(stage, is_client=is_client)
        return epoch

    def is_readable(self, side: Side) -> bool:
        """Whether a secret is known for the epoch that a side is in, or for one that follows."""
        epoch = side.epoch
        return epoch is not None and (
            epoch.opener is not None or any(each.opener is not None for each in self.following(side))
        )

    def following(self, side: Side) -> Iterator[Epoch]:
        """The epochs after the one that a side is in, as far as no other handshake is needed."""
        epoch = side.epoch
        for _ in range(_FOLLOWING):
            if epoch is None or self.session is None:
                return
            epoch = self.session.after(epoch, is_client=self.is_client(side))
            if epoch is not None:
                yield epoch

    def _read_hello(self, side: Side, body: bytes) -> None:
        self._client = side.number
        if side.is_encrypted:  # another handshake, inside the connection
            self.session = self._answer = None
        self._hello = client_hello(body)
        self._agree()

    def _read_answer(self, side: Side, body: bytes) -> None:
        self._client = 1 - side.number
        answer = server_hello(body)
        if answer is not None and answer.is_retry:
            self._is_refused, self.takes_early_data = True, False
        elif answer is not None:
            self._answer = answer
            self._agree()

    def _agree(self) -> None:
        """Where both hellos were read, their session begins."""
        hello, answer = self._hello, self._answer
        if hello is None or answer is None:
            return
        if not TLS_1_0 <= answer.version <= TLS_1_3:
            self.refusal = f"version {answer.version:#06x} is not read"
        elif answer.is_compressed:
            self.refusal = "compression is not read"
        else:
            self.session = session(hello, answer, self._decryption.keys, self._decryption.make)
            if self.session is None:
                self.refusal = f"cipher suite {answer.suite:#06x} is not read"
