"""Whose things are whose, learned from answers: what one principal is shown where another is not.

Many things are seen by one principal alone by chance: a product that nobody else has looked at. So a value
counts as somebody's own only where the same question, word for word, showed it to that one and not to
another, and nobody else was ever shown it. All of it bounded.
"""

import re
from collections.abc import Callable, Iterator
from hashlib import blake2b

import msgspec
import orjson

from shadow.auth import owner_of
from shadow.auth.basic import read_basic
from shadow.auth.credentials import credential_values
from shadow.auth.jwt import bearer_jwt
from shadow.content.entity import entity
from shadow.judge import classify
from shadow.model import AnswerClass, Identity, Outcome, Reply, Request, Response, Signs

_MAX_BODY_BYTES = 256 * 1024
_MAX_FOUND = 500
"""Values of one answer."""
_MAX_VALUES = 50_000
_MAX_QUESTIONS = 2000
_MAX_ASKERS = 500
_MAX_KNOWN = 4096
_MAX_OF_QUESTION = 200
_MIN_IDS = 2
"""So many ids of another must be shown; of e-mail addresses one is enough."""
_DISTINCTIVE = re.compile(
    rb"(?<![\w.+@-])(?P<mail>[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,4}[A-Za-z]{2,24})(?![\w@])"
    rb"|(?<![\w-])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{24,64}"
    rb"|[a-z]{1,12}[_-](?=[0-9A-Za-z]{0,63}\d)[0-9A-Za-z]{8,64}"
    rb"|(?=[A-Z]{0,25}\d)[0-9A-HJKMNP-TV-Z]{26})(?![\w-])"
)
"""E-mail addresses, UUIDs, hashes, ids with a prefix, ULIDs: values that two things never share by chance."""
_SELF = {"email": 0, "mail": 0, "username": 1, "login": 1, "userid": 2, "accountid": 2, "sub": 2}
"""Members of an answer that name who asks, where the question names nobody; the lowest tells best."""
_WHO_AM_I = re.compile(
    rb"(?i)/(?:me|self|profile|account|whoami|user|userinfo|current[_-]?user|session|identity)/?\Z"
)
_ANYONE = "anyone"
"""Who was shown what is no one's own, and who cannot be told from others."""


class Foreign(msgspec.Struct, frozen=True):
    """What of another's an answer shows."""

    owner: str
    is_mail: bool
    count: int
    text: bytes
    """The first of them."""

    def __str__(self) -> str:
        what = "an e-mail address" if self.is_mail else f"{self.count} ids"
        return f"{what} that only {self.owner!r} was shown before"


class Tenants:
    """One for a run. Learns of the live release alone what is whose."""

    def __init__(
        self, identities: Callable[[], tuple[Identity, ...]] = lambda: (), signer: Signs | None = None
    ) -> None:
        """`identities` tells those that are configured, with the credentials that they have by now."""
        self._identities = identities
        self._signer = signer
        self._selves: dict[bytes, str] = {}
        """By credential, as a digest: whose it is, or `_ANYONE` where it is of several."""
        self._seen: dict[bytes, str] = {}
        """By value, as a digest: the one that was shown it, or `_ANYONE`."""
        self._asked: dict[bytes, dict[str, set[bytes]]] = {}
        """By question: what each was shown."""
        self._questions: dict[bytes, bytes] = {}
        """By value, the question that first showed it to somebody who is known."""
        self._known: dict[int, None] = {}
        """Answers that were learned from: pollers get the same one again and again."""

    def learn(self, request: Request, response: Response, *, teaches: bool) -> None:
        """Take in an answer. `teaches` where it is one of the live release; else it tells only who asks."""
        is_telling = teaches and bool(response.body)
        if not (is_telling or _asks_for_self(request)):
            return
        if classify(Reply(response)) is not AnswerClass.SUCCESS:
            return
        if _asks_for_self(request):
            self._learn_self(request, response)
        mark = hash((request.target, response.body, *credential_values(request)))
        if not is_telling or mark in self._known:
            return
        if len(self._known) >= _MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[mark] = None
        self._learn_values(request, _body(response))

    def foreign(self, request: Request, outcome: Outcome | None, *known: Outcome | None) -> Foreign | None:
        """What `outcome`, an answer to `request`, shows of one who did not ask; None for nothing.

        What answers `known` to be good show is nothing new, nor is what the request itself names.
        """
        if not isinstance(outcome, Reply) or not self._asked:
            return None
        if any(isinstance(each, Reply) and each.response.body == outcome.response.body for each in known):
            return None
        who = self._who(request)
        if who == _ANYONE:
            return None
        found: dict[str, list[tuple[bytes, bool]]] = {}
        for text, is_mail in _values(_body(outcome.response)):
            owner = self._owner(text)
            if owner not in ("", who) and not _is_named(text, request, known):
                found.setdefault(owner, []).append((text, is_mail))
        for owner, values in found.items():
            is_mail = any(mail for _, mail in values)
            if is_mail or len(values) >= _MIN_IDS:
                return Foreign(owner, is_mail, len(values), next(t for t, mail in values if mail == is_mail))
        return None

    def _owner(self, text: bytes) -> str:
        """Whose own a value is; empty where it is not known to be anyone's."""
        digest = _digest(text)
        owner = self._seen.get(digest, "")
        if owner in ("", _ANYONE):
            return ""
        shown = self._asked.get(self._questions.get(digest, b""), {})
        has_other = any(who != owner and digest not in values for who, values in shown.items())
        return owner if has_other and digest in shown.get(owner, ()) else ""

    def _learn_values(self, request: Request, body: bytes) -> None:
        who = self._who(request)
        digests = {_digest(text) for text, _ in _values(body)}
        for digest in digests:
            if digest in self._seen:
                if self._seen[digest] != who:
                    self._seen[digest] = _ANYONE
            elif len(self._seen) < _MAX_VALUES:
                self._seen[digest] = who or _ANYONE
        if request.method != b"GET" or who in ("", _ANYONE):
            return
        question = _digest(request.target)
        if question not in self._asked and len(self._asked) >= _MAX_QUESTIONS:
            return
        shown = self._asked.setdefault(question, {})
        if who in shown or len(shown) < _MAX_ASKERS:
            held = shown.setdefault(who, set())
            new = list(digests - held)[: max(0, _MAX_OF_QUESTION - len(held))]
            held.update(new)
            for digest in new:
                if len(self._questions) < _MAX_VALUES:
                    self._questions.setdefault(digest, question)

    def _who(self, request: Request) -> str:
        """The principal that asks; empty for one without credentials, `_ANYONE` for one that is not known."""
        identities = self._identities()
        if identities and (owner := owner_of(request, identities, self._signer)) is not None:
            return owner.name
        token = bearer_jwt(request.headers)
        if token is not None and isinstance(subject := token.claims.get("sub"), str) and subject:
            return subject
        if (basic := read_basic(request.headers)) is not None:
            return basic[0].decode("utf-8", "replace")
        values = list(credential_values(request))
        if not values:
            is_signed = self._signer is not None and self._signer.key_id(request) is not None
            return _ANYONE if is_signed else ""
        names = {self._selves.get(_digest(value), "") for value in values} - {"", _ANYONE}
        return names.pop() if len(names) == 1 else _ANYONE

    def _learn_self(self, request: Request, response: Response) -> None:
        """Learn from who asks for themselves, without naming anyone, whose their credentials are."""
        name = _named(_body(response))
        for value in credential_values(request) if name else ():
            digest = _digest(value)
            if self._selves.get(digest, name) != name:
                self._selves[digest] = _ANYONE
            elif len(self._selves) < _MAX_VALUES:
                self._selves[digest] = name


def _asks_for_self(request: Request) -> bool:
    """Whether it asks who asks, and names nobody."""
    path, _, query = request.target.partition(b"?")
    return request.method == b"GET" and not query and _WHO_AM_I.search(path) is not None


def _named(body: bytes) -> str:
    """Who an answer says that the asker is; empty where it does not."""
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    found: list[tuple[int, str]] = []
    for level in (tree, *(tree.values() if isinstance(tree, dict) else ())):
        for key, value in list(level.items())[:50] if isinstance(level, dict) else ():
            rank = _SELF.get(re.sub("[^a-z]", "", key.lower()))
            if rank is not None and isinstance(value, str | int) and not isinstance(value, bool) and value:
                found.append((rank, str(value)[:100]))
    return min(found, default=(0, ""))[1]


def _body(response: Response) -> bytes:
    body = entity(response) if len(response.body) <= _MAX_BODY_BYTES else None
    return body[:_MAX_BODY_BYTES] if body else b""


def _values(body: bytes) -> Iterator[tuple[bytes, bool]]:
    """(a distinctive value, whether it is an e-mail address), of what a body holds."""
    for at, found in enumerate(_DISTINCTIVE.finditer(body)):
        if at >= _MAX_FOUND:
            break
        yield found[0].lower(), found["mail"] is not None


def _is_named(text: bytes, request: Request, known: tuple[Outcome | None, ...]) -> bool:
    """Whether the request, or an answer that is known to be good, holds it."""
    said = (request.target, request.body, *(value for _, value in request.headers))
    shown = (_body(each.response) for each in known if isinstance(each, Reply))
    escaped = text.replace(b"@", b"%40")
    return any(text in each.lower() or escaped in each.lower() for each in (*said, *shown))


def _digest(value: bytes) -> bytes:
    """Values themselves are not kept: some are secrets."""
    return blake2b(value, digest_size=12).digest()
