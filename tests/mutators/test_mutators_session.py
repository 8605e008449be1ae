"""Session mutators: their scripts run against a small lifecycle service, strict or with one defect."""

import hashlib
import json
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutators import idempotency, lifecycle, race, sequence
from mutators._contract import SessionMutator
from mutators._session import MAX_STEPS, needed, needed_without
from shadow.auth import CanonicalScheme, SigningKey, SigningSettings
from shadow.model import Exchange, Expect, Known, Request, Response, Script, field

MUTATORS = {
    one.name: one
    for module in (sequence, lifecycle, idempotency, race)
    for one in vars(module).values()
    if isinstance(one, SessionMutator) and one is not lifecycle.used_after_logout
}
SCHEME = CanonicalScheme(
    SigningSettings(
        signature="X-Signature",
        key_id="X-Key-Id",
        nonce="X-Nonce",
        canonical=("method", "target", "nonce", "body"),
        keys=(SigningKey("k", secret="aa" * 32),),
    )
)
KNOWN = Known(signer=SCHEME)
MOVES = {
    ("BUILT", "start"): "STARTED",
    ("STARTED", "stop"): "STOPPED",
    ("STOPPED", "start"): "STARTED",
    ("STARTED", "pause"): "PAUSED",
    ("PAUSED", "resume"): "STARTED",
}


class Service:
    """Things that are made, started, stopped and deleted; every request is signed with a nonce of its own."""

    def __init__(self, *defects: str) -> None:
        self.defects = defects
        self.status: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.nonces: set[bytes] = set()
        self.made: dict[bytes, tuple[bytes, Response]] = {}
        self.effects = 0

    def answer(self, request: Request) -> Response:
        nonce = field(request.headers, b"x-nonce") or b""
        if not SCHEME.verifies(request) or (nonce in self.nonces and "replay" not in self.defects):
            return Response(401)
        self.nonces.add(nonce)
        return self.routed(request)

    def routed(self, request: Request) -> Response:  # noqa: PLR0911 - one return a route
        match f"{request.method.decode()}{request.target.decode()}".split("/"):
            case ["POST", _, "things"]:
                return self.make(request)
            case ["POST", _, "things", name, action]:
                return self.move(name, action)
            case ["PUT", _, "things", name, "tags", _]:
                return Response(204 if name in self.status else 404)
            case ["GET", _, "things", name]:
                return self.shown(name) if name in self.status else Response(404)
            case ["DELETE", _, "things", name]:
                if self.status.pop(name, None) is None and "delete" in self.defects:
                    return Response(500)
                return Response(204)
            case ["PUT", _, "files", name]:
                return self.put(name, request.body)
            case ["GET", _, "files", name]:
                return Response(200, body=self.files[name]) if name in self.files else Response(404)
        return Response(404)

    def make(self, request: Request) -> Response:
        key = field(request.headers, b"idempotency-key")
        if key in self.made and "idempotency" not in self.defects:
            assert key is not None
            asked, answer = self.made[key]
            return answer if asked == request.body or "reuse" in self.defects else Response(422)
        self.effects += 1
        name = hashlib.sha256(request.body + b"%d" % (self.effects if key else 0)).hexdigest()[:12] + "0"
        self.status[name] = "BUILT"
        answer = msgspec.structs.replace(self.shown(name), status=201)
        if key:
            self.made[key] = request.body, answer
        return answer

    def move(self, name: str, action: str) -> Response:
        if name not in self.status:
            return Response(200 if "use" in self.defects else 404)
        status = self.status[name]
        if (status, action) == ("STOPPED", "pause") and "pause" in self.defects:
            return Response(500)
        if (status, action) == ("STOPPED", "stop") and "stop" in self.defects:
            return Response(200)
        if (status, action) not in MOVES:
            return Response(409)
        self.status[name] = MOVES[status, action]
        return self.shown(name)

    def put(self, name: str, body: bytes) -> Response:
        if not body.startswith(b"{"):
            if "leftover" in self.defects:
                self.files[name] = body
            return Response(422)
        self.files[name] = body
        return Response(200, body=body)

    def shown(self, name: str) -> Response:
        return Response(200, body=json.dumps({"id": name, "status": self.status[name]}).encode())


def record(
    *asked: tuple[bytes, str] | tuple[bytes, str, bytes] | tuple[bytes, str, bytes, bytes],
) -> list[Exchange]:
    """What the strict service answered to the requests; ``{n}`` stands for the id that request n made."""
    service = Service()
    session: list[Exchange] = []
    for at, (method, path, *rest) in enumerate(asked):
        ids = [
            json.loads(one.response.body)["id"] if one.response and one.response.status == 201 else ""
            for one in session
        ]
        key = ((b"Idempotency-Key", rest[1]),) if len(rest) > 1 else ()
        bare = Request(method, path.format(*ids).encode(), headers=key, body=rest[0] if rest else b"")
        request = SCHEME.sign(bare, key="k", nonce=f"nonce-{at}")
        assert request is not None
        session.append(Exchange(at, "pcap", "s", float(at), request, service.answer(request)))
    return session


POST, GET, PUT, DELETE = b"POST", b"GET", b"PUT", b"DELETE"
LIFE = record(
    (POST, "/v1/things", b'{"name": "a"}'),
    (POST, "/v1/things/{0}/start"),
    (GET, "/v1/things/{0}"),
    (POST, "/v1/things/{0}/pause"),
    (POST, "/v1/things/{0}/resume"),
    (POST, "/v1/things/{0}/stop"),
    (POST, "/v1/things", b'{"name": "b"}'),
    (DELETE, "/v1/things/{0}"),
    (POST, "/v1/things/{6}/start"),
)
REFUSED = record(
    (POST, "/v1/things", b'{"name": "a"}'),
    (POST, "/v1/things/{0}/start"),
    (POST, "/v1/things/{0}/stop"),
    (POST, "/v1/things/{0}/stop"),
    (POST, "/v1/things", b'{"name": "b"}'),
    (POST, "/v1/things/{4}/start"),
    (POST, "/v1/things/{4}/stop"),
)
FILES = record(
    (PUT, "/v1/files/one", b'{"a": 1}'),
    (PUT, "/v1/files/two", b"nonsense"),
    (POST, "/v1/things", b'{"name": "a"}', b"key-1"),
    (PUT, "/v1/things/{2}/tags/x"),
    (POST, "/v1/things/{2}/start"),
)
OTHER = record((POST, "/v1/things", b'{"name": "z"}'), (POST, "/v1/things/{0}/start"))
KNOWN = msgspec.structs.replace(KNOWN, sessions=(tuple(OTHER),))
SESSIONS = {"life": LIFE, "refused": REFUSED, "files": FILES}


def run(script: Script, service: Service) -> list[Response]:
    """The answers to a script whose steps are signed anew, save those that are sent as they were."""
    answers: list[Response] = []
    sent: list[Request] = []
    for at, step in enumerate(script.steps):
        fresh = SCHEME.sign(step.request, nonce=f"fresh-{at}")
        assert fresh is not None
        sent.append(fresh if step.same_as is None else sent[step.same_as])
        answers.append(service.answer(sent[-1]))
    return answers


def scripts(name: str, session: list[Exchange], attempts: int = 60) -> list[Script]:
    found = (MUTATORS[name](session, Random(n), KNOWN) for n in range(attempts))
    return [one for one in found if one is not None]


def accepted(script: Script, service: Service) -> bool:
    answers = run(script, service)
    is_told = all(200 <= answers[at].status < 300 for at in script.needs)
    return is_told and any(200 <= answers[at].status < 300 for at in script.judged)


REJECTED = [name for name, one in MUTATORS.items() if one.expect is Expect.REJECT]


@pytest.mark.parametrize("name", MUTATORS)
def test_steps_that_a_script_needs_succeed_again(name: str) -> None:
    made = [one for session in SESSIONS.values() for one in scripts(name, session)]
    assert made, "the mutator found nothing to edit in any session"
    for one in made:
        answers = run(one, Service())
        assert all(200 <= answers[at].status < 300 for at in one.needs), one.what


@pytest.mark.parametrize("name", REJECTED)
def test_strict_service_rejects_every_script_that_must_be_rejected(name: str) -> None:
    made = [one for session in SESSIONS.values() for one in scripts(name, session)]
    assert made
    assert not [one.what for one in made if accepted(one, Service())]


@pytest.mark.parametrize(
    ("defect", "name", "session"),
    [
        ("use", "use_after_delete", LIFE),
        ("replay", "replayed_request", LIFE),
        ("stop", "transition_denied_before", REFUSED),
        ("leftover", "read_after_failed_create", FILES),
        ("reuse", "idempotency_key_for_other_body", FILES),
    ],
)
def test_defect_lets_a_script_through(defect: str, name: str, session: list[Exchange]) -> None:
    assert any(accepted(one, Service(defect)) for one in scripts(name, session))


@pytest.mark.parametrize(
    ("defect", "name"),
    [("pause", "step_out_of_turn"), ("delete", "deleted_twice"), ("stop", "step_repeated")],
)
def test_defect_shows_in_a_judged_answer(defect: str, name: str) -> None:
    def statuses(service: Service, script: Script) -> list[int]:
        answers = run(script, service)
        return [answers[at].status for at in script.judged]

    assert any(
        statuses(Service(), one) != statuses(Service(defect), one)
        for session in (LIFE, REFUSED)
        for one in scripts(name, session)
    )


def test_key_replay_is_answered_alike_unless_the_key_is_not_kept() -> None:
    script = scripts("idempotency_key_replayed", FILES)[0]
    first, second = run(script, Service())[-2:]
    assert first == second
    first, second = run(script, Service("idempotency"))[-2:]
    assert first != second


@pytest.mark.parametrize("name", ["sent_at_once", "idempotency_key_at_once"])
def test_copies_are_one_burst_after_what_they_need(name: str) -> None:
    assert scripts(name, LIFE) or scripts(name, FILES)
    for session in (LIFE, FILES):
        for one in scripts(name, session):
            copies = [one.steps[at] for at in one.judged]
            assert one.is_burst
            assert 2 <= len(copies) <= 8
            assert len({copy.request for copy in copies}) == 1
            assert all(0 <= copy.after_seconds <= 0.07 for copy in copies)
            assert one.judged == tuple(range(len(one.needs), len(one.steps)))


def test_one_copy_of_an_action_succeeds_when_they_are_sent_in_a_row() -> None:
    made = [one for one in scripts("sent_at_once", LIFE) if one.steps[-1].request.method == POST]
    assert made
    for one in made:
        answers = run(one, Service())
        assert sum(answers[at].status == 200 for at in one.judged) == 1


def test_conflicting_changes_are_two_of_one_resource() -> None:
    made = scripts("conflicting_at_once", LIFE)
    assert made
    for one in made:
        first, second = (one.steps[at].request for at in one.judged)
        assert one.is_burst
        assert first.target != second.target or first.method != second.method
        assert first.target.split(b"/")[3] == second.target.split(b"/")[3]


def test_deleted_resource_that_answers_later_is_left_alone() -> None:
    """Where the live traffic shows that a deleted thing can still be read, that is no finding."""
    soft = [*LIFE[:8], msgspec.structs.replace(LIFE[2], index=8)]
    assert not scripts("read_after_delete", soft)
    assert scripts("read_after_delete", LIFE)


def test_use_after_delete_is_by_whoever_deleted() -> None:
    """Anybody else's use could be refused for want of permission, and show nothing."""

    def by(name: bytes, one: Exchange) -> Exchange:
        request = msgspec.structs.replace(one.request, headers=((b"X-Api-Key", name),))
        return msgspec.structs.replace(one, request=request)

    names = [b"ann", b"bob", b"bob", b"ann", b"bob", b"bob", b"ann", b"ann", b"ann"]
    session = [by(name, one) for name, one in zip(names, LIFE, strict=True)]
    assert {script.steps[-1].origin for script in scripts("use_after_delete", session)} == {3}
    assert {script.steps[-1].origin for script in scripts("use_after_delete", LIFE)} == {1, 3, 4, 5}


def test_what_depends_on_a_step_left_out_is_left_out_too() -> None:
    assert needed_without(LIFE, 5, 3) == [0, 1]
    assert needed_without(LIFE, 8, 0) == [6]


def test_accepted_but_not_finished_delete_is_left_alone() -> None:
    later = [*LIFE[:7], msgspec.structs.replace(LIFE[7], response=Response(202)), LIFE[8]]
    assert not scripts("use_after_delete", later)


def test_resource_made_elsewhere_is_not_deleted_for_a_script() -> None:
    assert not scripts("use_after_delete", LIFE[1:])


def test_transition_that_was_also_allowed_is_not_taken_for_illegal() -> None:
    session = [*REFUSED[:4], msgspec.structs.replace(REFUSED[3], response=Response(200)), *REFUSED[4:]]
    assert not scripts("transition_denied_before", session)
    assert scripts("transition_denied_before", REFUSED)


@pytest.mark.parametrize("status", [401, 403, 404, 409, 412, 429])
def test_create_refused_for_what_surrounds_it_teaches_nothing(status: int) -> None:
    session = [FILES[0], msgspec.structs.replace(FILES[1], response=Response(status))]
    assert not scripts("read_after_failed_create", session)


def test_replay_needs_a_nonce() -> None:
    scheme = CanonicalScheme(
        SigningSettings(
            signature="X-Signature",
            key_id="X-Key-Id",
            canonical=("body",),
            keys=(SigningKey("k", secret="aa"),),
        )
    )
    assert MUTATORS["replayed_request"](LIFE, Random(1), Known(signer=scheme)) is None
    assert MUTATORS["replayed_request"](LIFE, Random(1), Known()) is None


def test_needed_steps_are_creators_and_writes_of_the_same_resource() -> None:
    assert needed(LIFE, 5) == [0, 1, 3, 4]
    assert needed(LIFE, 8) == [6]
    assert needed(LIFE, 0) == []


def test_needed_steps_include_the_login_that_gave_the_cookie() -> None:
    login = Exchange(
        0,
        "pcap",
        "s",
        0.0,
        Request(GET, b"/login?user=a"),
        Response(200, headers=((b"Set-Cookie", b"session=abc123def; Path=/"),)),
    )
    use = Exchange(
        1, "pcap", "s", 1.0, Request(GET, b"/me", headers=((b"Cookie", b"session=abc123def"),)), Response(200)
    )
    assert needed([login, use], 1) == [0]


@pytest.mark.parametrize("name", MUTATORS)
def test_session_without_writes_is_none(name: str) -> None:
    unsigned = [Exchange(at, "pcap", "s", 0.0, Request(GET, b"/v1/x/7"), Response(200)) for at in range(3)]
    assert MUTATORS[name]([], Random(1), KNOWN) is None
    assert MUTATORS[name](unsigned, Random(1), KNOWN) is None


@pytest.mark.parametrize("name", MUTATORS)
def test_reason_says_why_with_its_source(name: str) -> None:
    reason = MUTATORS[name].reason
    assert any(source in reason for source in ("RFC", "CWE", "WFC", "draft-ietf"))


requests = st.builds(
    Request,
    st.sampled_from([GET, POST, PUT, DELETE, b"PATCH", b"", b"\xff"]),
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from([b"/v1/x/7", b"/v1/x/7/start", b"/v1/x/7/stop", b"/v1/x", b"/v1/x/8", b"/v1/f/n"]),
    ),
    headers=st.lists(
        st.tuples(
            st.sampled_from([b"Idempotency-Key", b"Cookie", b"Authorization", b"If-Match"]),
            st.one_of(st.binary(max_size=12), st.just(b"Bearer abcdef7")),
        ),
        max_size=2,
    ).map(tuple),
    body=st.sampled_from([b"", b"{}", b'{"id": "7"}', b"[" * 3000, b"\xff"]),
)
responses = st.none() | st.builds(
    Response,
    st.sampled_from([200, 201, 202, 204, 302, 404, 409, 422, 500]),
    body=st.sampled_from([b"", b"{}", b'{"id": 7}', b'{"a": [NaN', b"\xff", b"7"]),
)
sessions = st.lists(st.tuples(requests, responses), max_size=14).map(
    lambda pairs: [Exchange(at, "pcap", "s", 0.0, *pair) for at, pair in enumerate(pairs)]
)


@settings(max_examples=200)
@given(sessions, st.integers(0, 99))
def test_any_session_gives_the_same_well_formed_script_twice(session: list[Exchange], seed: int) -> None:
    for one in MUTATORS.values():
        script = one(session, Random(seed), KNOWN)
        assert script == one(session, Random(seed), KNOWN)
        if script is None:
            continue
        assert 0 < len(script.steps) <= MAX_STEPS
        assert script.judged
        assert set(script.judged).isdisjoint(script.needs)
        assert {*script.judged, *script.needs, *script.refused} == set(range(len(script.steps)))
        known = len(session) + len(script.others)
        assert all(0 <= step.origin < known for step in script.steps)
        assert all(step.same_as is None or step.same_as < at for at, step in enumerate(script.steps))


def test_long_session_is_planned_within_the_cap() -> None:
    request, response = LIFE[1].request, LIFE[1].response
    copies = [Exchange(at, "pcap", "s", 0.0, request, response) for at in range(len(LIFE), 2_000)]
    scripts_ = (one([*LIFE, *copies], Random(1), KNOWN) for one in MUTATORS.values())
    made = [script for script in scripts_ if script is not None]
    assert made
    for script in made:
        assert len(script.steps) <= MAX_STEPS
