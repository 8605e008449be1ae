"""What a mutator is asked for and hands back: levels, expectations, edits, questions, scripts."""

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from shadow.model.exchange import Exchange, Headers, Message, Request
from shadow.model.hint import Documented, Hint
from shadow.model.signing import Signs

JOINT = "+"
"""Stands between the names of several mutators whose edits are in one mutant."""
STACKED = "stacked"
"""What all such mutants are counted under: their names are too many for labels."""


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
    LISTEN = "listen"
    """Read the answer and whatever follows it, until the peer closes. FIN once nothing has come for a while:
    a peer that waits for more of a malformed request learns that none will."""
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


class Shows(StrEnum):
    """In what part of an answer a sign is looked for."""

    NUMBER = "number"
    """A number in the body, not as part of a longer one."""
    ELEMENT = "element"
    """An element or an attribute of a page, by its name."""
    FIELD = "field"
    """A header field, by its name."""
    FILE = "file"
    """What well-known files hold."""
    CALL = "call"
    """That a connection was tried and could not be made."""


class Sign(msgspec.Struct, frozen=True):
    """What shows by one answer alone that text was obeyed as code, where the control's answer lacks it."""

    shows: Shows
    fault: str
    """What a finding is called: ``"F201"``."""
    what: str
    """For a person: ``"markup put into the field 'name' is part of the page"``."""
    word: bytes = b""
    """The number or the name, lower case; empty for files and calls."""


class Twin(msgspec.Struct, frozen=True):
    """Another edit of the same place, sent when the first one's answer raises the question."""

    edit: "Edit"
    text: str
    """What it puts into the place."""
    is_alike: bool = False
    """Whether a service that obeys must answer it as it does the unedited request; if not, otherwise."""
    delay_seconds: float = 0.0
    """How long a service that obeys is held up by it."""


class Question(msgspec.Struct, frozen=True):
    """Whether the service obeys, as code, what it was given as text: asked by an edit and its twins.

    With a delay: whether it waits as long as each says. Else: whether it answers each as a service must that
    evaluates the condition in it; the edit itself then is one that must be answered as unedited.
    """

    fault: str
    what: str
    """For a person: ``"a condition put into the parameter 'q' is evaluated"``."""
    was: str
    """What stood in the place."""
    text: str
    """What the edit puts there."""
    twins: tuple[Twin, ...]
    delay_seconds: float = 0.0


class Edit(msgspec.Struct, frozen=True):
    """One mutant of one request."""

    request: Request
    """The mutant's meaning; what is sent unless `wire` is given."""
    what: str
    """What was changed, for a person: ``"dropped header 'x-signature'"``."""
    wire: Wire | None = None
    signs_again: bool = True
    """Whether a signed request is signed anew after the edit. False where the signature is the point."""
    sign: Sign | None = None
    asks: Question | None = None
    is_stated: bool = True
    """False where nothing but the looks of the traffic says what the mutator's expectation rests on."""
    parts: tuple[str, ...] = ()
    """Of several edits in one: what each of them changed, in their order; empty for a single one."""


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
    """Seen values by place: ``"body:$.name"``, ``"body:name"`` of a form, ``"body:<name>"`` of XML,
    ``"query:limit"``, ``"header:x"``, ``"cookie:x"``, ``"path:/v1/x/{id}"``; oldest first, bounded."""
    others: tuple[Exchange, ...] = ()
    """Some recorded exchanges of the same and of other sessions; bounded."""
    identities: tuple[Identity, ...] = ()
    owner: Identity | None = None
    """Whose request this is, where that is recognised."""
    signer: Signs | None = None
    """Signs and recognises signed requests, where a scheme is configured or recognised."""
    sessions: tuple[tuple[Exchange, ...], ...] = ()
    """Some other sessions as they were recorded, oldest first, for mutators of sessions; bounded."""
    kinds: Mapping[str, tuple[tuple[str, str], ...]] = {}
    """(place, value) of seen values by their kind: "integer", "decimal", "uuid", "date", "email", "url",
    "token", "id", "word", "text"; oldest first, bounded."""
    ranges: Mapping[str, tuple[float, float]] = {}
    """The least and the greatest number seen, by place."""
    made: Mapping[str, tuple[str, ...]] = {}
    """Ids that the target's own answers showed, by what they are of: ``"instance"`` of ``$.instance_id``, and
    of ``$[].id`` at ``/v1/instances``; lower case, without separators; oldest first, bounded."""
    shown: Mapping[str, Mapping[str, tuple[str, ...]]] = {}
    """As `made`, of successful answers to one identity alone, by the identity's name."""
    hints: tuple[Hint, ...] = ()
    """What refusals and the schema tell of the values that the request's endpoint takes; bounded."""
    documented: Documented | None = None
    """What the schema says of the request's endpoint; None without a schema, or where it knows no such
    path."""
    scheme: str = "http"
    """Of the target's URL, which a request of HTTP/2 states."""


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
    after_seconds: float = 0.0
    """Waited before it leaves; in a burst, how long after the first it is completed."""
    edit: Callable[[Request], Request | None] | None = None
    """What is made of the request once it fits its target, as the last thing; of a value that compares equal
    to others that do the same. None back where there is nothing to edit, and then nothing is sent."""


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
    refused: tuple[int, ...] = ()
    """Positions whose answers must be refusals; otherwise the script teaches nothing."""
    others: tuple[Exchange, ...] = ()
    """Recorded exchanges of other sessions: origins count on into them after the session's own."""
