"""What a mutator is asked for and hands back: levels, expectations, edits, scripts."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from shadow.model.exchange import Exchange, Headers, Message, Request
from shadow.model.signing import Signs


class Level(StrEnum):
    """Which part of the traffic a mutator edits."""

    BYTES = "bytes"
    FRAMING = "framing"
    TARGET = "target"
    HEADER = "header"
    COOKIE = "cookie"
    BODY = "body"
    AUTH = "auth"
    PERMISSION = "permission"
    SEQUENCE = "sequence"
    RACE = "race"
    NETWORK = "network"
    PACKET = "packet"


class Expect(StrEnum):
    """What a mutant's answer must be. AGREE is judged besides, whenever there is a baseline."""

    SAME = "same"
    """The edit does not change the meaning: the answer equals the control's, noise removed."""
    REJECT = "reject"
    """The mutant must be denied, and leave no trace."""
    SURVIVE = "survive"
    """Any clean answer will do: no 5xx, hang, dropped connection, leak or ill health afterwards."""
    ONCE = "once"
    """Of copies sent at once exactly one succeeds."""
    AGREE = "agree"
    """Candidate and baseline answer with the same class."""


class Ending(StrEnum):
    """What is done with the connection once the last segment is written."""

    READ = "read"
    HALF_CLOSE = "half_close"
    """FIN at once, then read the answer."""
    RESET = "reset"
    """RST at once, nothing is read."""


class Wire(msgspec.Struct, frozen=True):
    """A request as exact bytes, for what a `Request` cannot say, on a connection of its own."""

    segments: tuple[bytes, ...]
    """Written one after the other, each flushed to the network by itself."""
    pause_seconds: float = 0.0
    """Waited between two segments."""
    ending: Ending = Ending.READ
    protocol: str = "http1"
    """``"http1"``, which the raw transport sends, or ``"http2"``: all that is said on a connection, with the
    preface and the settings where there are to be any (`shadow.wire.http2_writing`)."""
    stream: int = 1
    """Of HTTP/2: the stream on which the answer is looked for."""


class Edit(msgspec.Struct, frozen=True):
    """One mutant of one request."""

    request: Request
    """The mutant's meaning; what is sent unless `wire` is given."""
    what: str
    """What was changed, for a person: ``"dropped header 'x-signature'"``."""
    wire: Wire | None = None
    signs_again: bool = True
    """Whether a signed request is signed anew after the edit. False where the signature is the point."""


FRAMES = "frames"
"""The kind of a client's WebSocket message whose body goes out as it is: frames, right or wrong."""

STILL_THERE = b"shadow: still there?"
"""The payload of a ping after a mutant. Who answers it (RFC 6455 §5.5.3) has not failed the connection."""


class TalkEdit(msgspec.Struct, frozen=True):
    """One mutant of one conversation."""

    messages: tuple[Message, ...]
    """Both sides', as an `Exchange` has them: each of the client's goes out once the peer has said as much as
    stands before it. A WebSocket's handshake is all there is where they are empty."""
    what: str
    """What was changed, for a person."""
    request: Request | None = None
    """Another handshake; None for the recorded one."""
    pause_seconds: float = 0.0
    """Waited before each message of the client that follows another of its own."""
    ending: Ending = Ending.READ
    """What is done with the connection after the last message of the client."""
    asks_after: bool = True
    """Whether a WebSocket's server is asked at the end whether it is still there; a ping within a frame that
    is not complete would be a part of it."""


class Match(msgspec.Struct, frozen=True):
    """What tells that a request is an identity's: all that is stated must hold. Texts may hold ``*``."""

    claims: tuple[tuple[str, str], ...] = ()
    """Claims of a bearer JWT: ``("sub", "alice")``."""
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    user: str = ""
    """The user of Basic credentials."""
    is_anyone: bool = False
    """Whether a request with credentials that are nobody else's is this identity's."""


class Identity(msgspec.Struct, frozen=True):
    """One principal that the configuration names, and what makes a request its own."""

    name: str
    role: str = ""
    """Free text, for example ``"readonly"``; identities of one role are never swapped for each other's."""
    rank: int = 0
    """Higher may do more. A request of a higher rank must be denied to a lower one."""
    key: str = ""
    """Id of the signing key it uses, or an empty string."""
    headers: Headers = ()
    """Fields that carry its credentials (Authorization, Cookie, an API key)."""
    may: tuple[str, ...] | None = None
    """What it may do, as ``"METHOD path-glob"`` (``"GET *"``, ``"POST */start"``); None where not stated."""
    tenant: str = ""
    """Identities of different tenants must not reach each other's resources."""
    query: Headers = ()
    """Parameters of the query that carry its credentials."""
    match: Match = Match()
    """What tells its requests, besides the credentials."""
    logs_in: bool = False
    """Whether its credentials are those that a login gives; until then it has none."""
    tokens: tuple[bytes, ...] = ()
    """Values of credentials that are or were its own, at the live service or here; bounded."""


class Known(msgspec.Struct, frozen=True):
    """What is known besides the request: a snapshot of what was learned from traffic or configured."""

    values: Mapping[str, tuple[str, ...]] = {}
    """Seen values by place: ``"body:$.name"``, ``"query:limit"``, ``"header:x"``; oldest first, bounded."""
    others: tuple[Exchange, ...] = ()
    """Some recorded exchanges of the same and of other sessions; bounded."""
    identities: tuple[Identity, ...] = ()
    owner: Identity | None = None
    """Whose request this is, where that is recognised."""
    signer: Signs | None = None
    """Signs and recognises signed requests, where a scheme is configured or recognised."""


class Step(msgspec.Struct, frozen=True):
    """One request of a script."""

    request: Request
    origin: int
    """Position in the session of the recorded exchange it stems from; its live answer teaches correlation."""
    what: str = ""
    """What differs from the recorded exchange; empty for one sent as recorded."""
    wire: Wire | None = None
    signs_again: bool = True
    same_as: int | None = None
    """Position of an earlier step that is sent again byte for byte, as it left: same signature and nonce."""


class Script(msgspec.Struct, frozen=True):
    """One mutant of one session: requests in the order in which they are to be sent."""

    steps: tuple[Step, ...]
    judged: tuple[int, ...]
    """Positions in `steps` that the expectation speaks of."""
    what: str
    needs: tuple[int, ...] = ()
    """Positions whose answers must be successes; otherwise the script teaches nothing."""
    is_burst: bool = False
    """True where the judged steps are sent at the same moment (a race)."""
