"""Real TLS connections as TCP conversations: OpenSSL on both sides, joined in memory."""

import ssl
from pathlib import Path

from bench.capture import Talk

NO_ENCRYPT_THEN_MAC = 1 << 19
"""SSL_OP_NO_ENCRYPT_THEN_MAC of openssl/ssl.h, which the ssl module does not name."""


def contexts(
    certificate: Path,
    key_log: Path,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str = "",
    *,
    options: int = 0,
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a client and a server that agree on `version` and one of `ciphers`.

    `certificate` holds a key and its certificate; the client has one as well. `key_log` is added to.
    """
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.keylog_filename = str(key_log)
    for context in (client, server):
        context.load_cert_chain(certificate)
        context.load_verify_locations(certificate)
        context.options |= options
        context.set_ciphers(f"{ciphers or 'ALL'}:@SECLEVEL=0")
        context.maximum_version = version
        context.minimum_version = version
    return client, server


class TlsTalk:
    """One TLS connection. Side 0 is the client. What it sends becomes the segments of `talk`."""

    def __init__(
        self,
        both: tuple[ssl.SSLContext, ssl.SSLContext],
        talk: Talk | None = None,
        *,
        session: ssl.SSLSession | None = None,
        mss: int = 1448,
    ) -> None:
        """`session` is one to resume."""
        self.talk = talk or Talk(server=("10.0.0.2", 443)).open()
        self._mss = mss
        self._in = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        client, server = both
        self.sides = (
            client.wrap_bio(self._in[0], self._out[0], session=session),
            server.wrap_bio(self._in[1], self._out[1], server_side=True),
        )

    def open(self) -> "TlsTalk":
        """The handshake."""
        is_done = [False, False]
        while not all(is_done):
            for number, side in enumerate(self.sides):
                try:
                    side.do_handshake()
                    is_done[number] = True
                except ssl.SSLWantReadError:
                    is_done[number] = False
                self._carry(number)
        self._listen(0)  # session tickets come after it
        return self

    def say(self, side: int, text: bytes) -> "TlsTalk":
        """Sends `text`, which the other side reads."""
        self.sides[side].write(text)
        self._carry(side)
        heard = self._listen(1 - side)
        assert heard == text
        return self

    def close(self) -> "TlsTalk":
        """Both sides take their leave, and TCP ends."""
        for side in (0, 1, 0):
            try:
                self.sides[side].unwrap()
            except ssl.SSLError:  # the other side has not answered yet
                self._carry(side)
            else:
                self._carry(side)
        self.talk.close()
        return self

    def _listen(self, side: int) -> bytes:
        heard = b""
        while True:
            try:
                heard += self.sides[side].read(65_536)
            except ssl.SSLWantReadError:
                return heard

    def _carry(self, side: int) -> None:
        """What a side has written becomes segments, and reaches the other."""
        text = self._out[side].read()
        if text:
            self.talk.say(side, text, mss=self._mss)
            self._in[1 - side].write(text)
