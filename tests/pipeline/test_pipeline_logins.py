"""Credentials that each target grants by itself: who gets them, when they are renewed, what failing costs."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from shadow.auth import SigningKey, SigningSettings, signer_of
from shadow.auth.login import Login
from shadow.model import (
    Event,
    Exchange,
    Headers,
    Identity,
    Match,
    NoReply,
    Outcome,
    Parcel,
    Reply,
    Request,
    Response,
    SecretTaken,
    Sent,
    Signs,
    Silence,
    StateChanged,
    field,
)
from shadow.pipeline.link import Link
from shadow.pipeline.logins import Logins
from shadow.pipeline.preparation import Preparation
from shadow.pipeline.ready import Ready
from shadow.pipeline.standing import Standing
from shadow.replay import Breaker, BreakerSettings, Correlation, Sending, Target
from shadow.replay.fake import FakeTransport

TAKE = (("token", "body:$.access_token"), ("expires_in", "body:$.expires_in"))
ANN = Identity("ann", logs_in=True)
BOB = Identity("bob", logs_in=True, match=Match(headers=(("x-user", "bob"),)))
REFUSED = Reply(Response(401))


def login_of(name: str, *put: str, take: tuple[tuple[str, str], ...] = TAKE) -> Login:
    body = json.dumps({"user": name, "password": "of-the-shadow"}).encode()
    asked = Request(b"POST", b"/login", headers=((b"Content-Length", b"%d" % len(body)),), body=body)
    return Login(asked, take, put, (("user", name),))


class Service:
    """A target that grants tokens which end, and its way; its clock is turned by hand."""

    def __init__(
        self, *identities: Identity, signer: Signs | None = None, put: str = "", **more: Any
    ) -> None:
        self.now = 1_000.0
        self.life: float | None = 60.0
        self.is_open = True
        self.tokens: dict[str, tuple[str, float]] = {}
        self.requests: list[Request] = []
        self.heard: list[Event] = []
        self.put = put
        self.answering: Callable[[Sending], Outcome] = self.answer
        target = Target("candidate", "http", "cand.test", 8080, more.pop("prefix", ""))
        correlation = Correlation(target, ("live.test:80",))
        logins = {who.name: login_of(who.name, *([put] if put else [])) for who in identities if who.logs_in}
        self.logins = Logins(
            "candidate", identities, logins, signer, clock=lambda: self.now, hear=self.heard.append
        )
        preparation = Preparation(
            target,
            correlation,
            signer,
            run="r1",
            keeps_host=False,
            clock=lambda: self.now,
            logins=self.logins,
        )
        self.link = Link(
            target,
            {"raw": FakeTransport(self._answered)},
            preparation,
            correlation,
            Standing(
                target.name, Breaker(BreakerSettings()), stopping=asyncio.Event(), hear=self.heard.append
            ),
            timeout_seconds=1.0,
            hear=self.heard.append,
            logins=self.logins,
        )

    def _answered(self, sending: Sending) -> Outcome:
        return self.answering(sending)

    def answer(self, sending: Sending) -> Outcome:
        request = sending.request
        self.requests.append(request)
        if request.target.endswith(b"/login"):
            told = json.loads(request.body)
            if not self.is_open or told["password"] != "of-the-shadow":
                return Reply(Response(403))
            token = f"token-{told['user']}-{len(self.tokens)}"
            self.tokens[token] = told["user"], self.now + (self.life or 10.0)
            answer = {"access_token": token} | ({} if self.life is None else {"expires_in": self.life})
            return Reply(Response(200, body=json.dumps(answer).encode()))
        who = self.tokens.get(self.token(request))
        if who is None or who[1] <= self.now:
            return REFUSED
        return Reply(Response(200, body=who[0].encode()))

    def token(self, request: Request) -> str:
        if self.put.startswith("header:X-Session"):
            return (field(request.headers, b"x-session") or b"").decode()
        return (field(request.headers, b"authorization") or b"").decode().removeprefix("Bearer ")

    async def ask(self, one: Exchange, session: str = "s") -> tuple[int, str]:
        """Status and body of what the target answers to a recorded exchange."""
        return await self.send(self.link.prepare(one, session), session)

    async def send(self, ready: Ready, session: str = "s") -> tuple[int, str]:
        outcome = await self.link.send(ready, via="raw", parcel=Parcel.ORIGINAL, session=session)
        assert isinstance(outcome, Reply)
        return outcome.response.status, outcome.response.body.decode()

    @property
    def count(self) -> int:
        """How many logins there were."""
        return sum(request.target.endswith(b"/login") for request in self.requests)

    @property
    def parcels(self) -> list[Parcel]:
        return [each.parcel for each in self.heard if isinstance(each, Sent)]

    @property
    def told(self) -> list[str]:
        return [each.why for each in self.heard if isinstance(each, StateChanged)]


def recorded(*headers: tuple[bytes, bytes], status: int = 200, target: bytes = b"/x") -> Exchange:
    request = Request(b"GET", target, headers=((b"Host", b"live.test"), *headers))
    return Exchange(0, "test", "s", 900.0, request, Response(status))


def bearer(token: str) -> tuple[bytes, bytes]:
    return (b"Authorization", b"Bearer " + token.encode())


def jwt(**claims: Any) -> str:
    parts = (json.dumps(each).encode() for each in ({"alg": "HS256"}, claims))
    return ".".join(urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts) + ".c2ln"


OF_ANN = recorded(bearer(jwt(sub="ann", exp=1)))
OF_BOB = recorded((b"X-User", b"bob"), bearer("opaque-of-live"))


async def test_recorded_credentials_are_replaced_by_those_of_the_target() -> None:
    service = Service(ANN, BOB)
    assert await service.link.log_in() == []
    assert await service.ask(OF_ANN) == (200, "ann")
    assert await service.ask(OF_BOB) == (200, "bob")
    assert service.count == 2
    assert service.parcels == [Parcel.PROBE, Parcel.PROBE, Parcel.ORIGINAL, Parcel.ORIGINAL]
    assert {each.value for each in service.heard if isinstance(each, SecretTaken)} == {
        b"token-ann-0",
        b"token-bob-1",
    }


async def test_a_login_is_aimed_at_the_target_and_bears_our_marks() -> None:
    service = Service(ANN, prefix="/base")
    await service.link.log_in()
    (asked,) = service.requests
    assert asked.target == b"/base/login"
    assert field(asked.headers, b"host") == b"cand.test:8080"
    assert field(asked.headers, b"shadow-run") == b"r1"


async def test_what_live_refused_is_sent_as_it_was() -> None:
    service = Service(ANN)
    await service.link.log_in()
    refused = msgspec.structs.replace(OF_ANN, response=Response(401))
    assert (await service.ask(refused))[0] == 401
    assert service.count == 1
    assert len(service.requests) == 2


async def test_a_stranger_is_sent_as_it_was() -> None:
    service = Service(ANN)
    await service.link.log_in()
    assert (await service.ask(recorded(bearer("nobodys"))))[0] == 401
    assert await service.ask(recorded()) == (401, "")
    assert service.count == 1


async def test_a_credential_is_renewed_before_it_ends() -> None:
    service = Service(ANN)
    await service.link.log_in()
    service.now += 44
    assert await service.ask(OF_ANN) == (200, "ann")
    assert service.count == 1
    service.now += 2
    assert await service.ask(OF_ANN) == (200, "ann")
    assert service.count == 2
    assert 401 not in [each.outcome.response.status for each in sent(service)]


def sent(service: Service) -> list[Any]:
    return [each for each in service.heard if isinstance(each, Sent)]


async def test_a_request_prepared_with_an_older_credential_leaves_with_the_newest() -> None:
    service = Service(ANN)
    await service.link.log_in()
    ready = service.link.prepare(OF_ANN, "s")
    service.now += 70
    assert await service.send(ready) == (200, "ann")
    assert service.count == 2


async def test_a_refused_credential_is_renewed_once_and_the_request_sent_again() -> None:
    service = Service(ANN)
    service.life = None
    await service.link.log_in()
    service.now += 11
    assert await service.ask(OF_ANN) == (200, "ann")
    assert service.count == 2
    assert service.parcels[1:] == [Parcel.ORIGINAL, Parcel.PROBE, Parcel.PROBE]


async def test_many_refused_at_once_log_in_once() -> None:
    service = Service(ANN)
    service.life = None
    await service.link.log_in()
    service.now += 11
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(service.ask(OF_ANN, f"s{at}"), name=f"{at}") for at in range(20)]
    assert {task.result() for task in tasks} == {(200, "ann")}
    assert service.count == 2


async def test_refusals_that_no_credential_mends_log_in_ever_more_rarely() -> None:
    service = Service(ANN)
    await service.link.log_in()
    service.tokens.clear()
    answer, service.life = service.answer, 1e6

    def refusing(sending: Sending) -> Outcome:
        made = answer(sending)
        service.tokens = dict.fromkeys(service.tokens, ("ann", 0.0))
        return made

    service.answering = refusing
    counts = []
    for _ in range(120):
        service.now += 1.0
        assert (await service.ask(OF_ANN))[0] == 401
        counts.append(service.count)
    assert counts[9] <= 8
    assert counts[-1] - counts[59] <= 2, "one a minute in the end"


async def test_a_refused_mutant_is_no_reason_to_log_in() -> None:
    service = Service(ANN)
    service.life = None
    await service.link.log_in()
    ready = service.link.prepare(OF_ANN, "s")
    service.now += 11
    outcome = await service.link.send(ready, via="raw", parcel=Parcel.MUTANT, session="s")
    assert isinstance(outcome, Reply)
    assert outcome.response.status == 401
    assert service.count == 1
    assert await service.send(ready) == (200, "ann")
    outcome = await service.link.send(ready, via="raw", parcel=Parcel.MUTANT, session="s")
    assert isinstance(outcome, Reply)
    assert outcome.response.status == 200, "but it is sent with the newest"


async def test_a_login_that_fails_is_told_once_and_its_requests_lack_it() -> None:
    service = Service(ANN, BOB)
    service.is_open = False
    troubles = await service.link.log_in()
    assert troubles[0].startswith("cannot log in as 'ann' at candidate: POST /login answered 403;")
    assert len(troubles) == 2
    ready = service.link.prepare(OF_ANN, "s")
    assert (await service.send(ready))[0] == 401
    assert service.link.lacks(ready) == "ann"
    assert (await service.ask(OF_ANN))[0] == 401
    assert len(service.told) == 2
    assert service.count == 2, "not tried again at once"
    assert service.link.lacks(service.link.prepare(recorded(), "s")) == ""
    assert [who.name for who in service.logins.identities()] == []


async def test_a_login_that_failed_is_tried_again_later() -> None:
    service = Service(ANN)
    service.is_open = False
    await service.link.log_in()
    service.is_open, service.now = True, service.now + 16
    ready = service.link.prepare(OF_ANN, "s")
    assert await service.send(ready) == (200, "ann")
    assert service.link.lacks(ready) == ""
    assert [who.name for who in service.logins.identities()] == ["ann"]


async def test_a_login_that_failed_is_tried_again_also_where_the_old_credential_still_serves() -> None:
    service = Service(ANN)
    await service.link.log_in()
    service.logins.note(recorded_login("live-token"))
    one = recorded(bearer("live-token"))
    claim = service.logins.claim(one, one.request)
    service.is_open = False
    service.answering = lambda sending: (
        REFUSED if sending.request.target == b"/forbidden" else service.answer(sending)
    )
    assert (await service.ask(recorded(bearer("live-token"), target=b"/forbidden")))[0] == 401
    assert service.logins.lacks(claim)
    service.is_open, service.now = True, service.now + 16.0
    assert (await service.ask(one))[0] == 200
    assert not service.logins.lacks(claim)


async def test_a_token_that_live_gave_is_told_as_a_secret_once() -> None:
    service = Service(ANN)
    for _ in range(3):
        service.logins.note(recorded_login("live-token"))
    assert [each.value for each in service.heard if isinstance(each, SecretTaken)] == [b"live-token"]


async def test_a_target_that_does_not_answer_is_told() -> None:
    service = Service(ANN)
    service.answering = lambda _: NoReply(Silence.TIMED_OUT)
    (trouble,) = await service.link.log_in()
    assert "POST /login was not answered (timed out)" in trouble


LOGIN_BODY = b'{"user": "ann", "password": "of-live"}'


def recorded_login(token: str, *, index: int = 0, status: int = 200) -> Exchange:
    request = Request(
        b"POST", b"/login", headers=((b"Host", b"live.test"), (b"Content-Length", b"38")), body=LOGIN_BODY
    )
    answer = Response(status, body=json.dumps({"access_token": token}).encode())
    return Exchange(index, "test", "s", 900.0, request, answer)


async def test_a_recorded_login_tells_whose_an_opaque_token_is() -> None:
    service = Service(ANN)
    await service.link.log_in()
    opaque = recorded(bearer("opaque-of-live-1"))
    assert (await service.ask(opaque))[0] == 401
    service.link.prepare(recorded_login("opaque-of-live-1"), "s")
    assert await service.ask(opaque) == (200, "ann")


async def test_a_recorded_login_logs_in_with_what_is_valid_here() -> None:
    service = Service(ANN)
    one = recorded_login("opaque-of-live-1")
    assert (await service.ask(one))[0] == 200
    assert json.loads(service.requests[0].body)["password"] == "of-the-shadow"
    assert field(service.requests[0].headers, b"content-length") == b"%d" % len(service.requests[0].body)
    failed = recorded_login("x", status=401)
    assert (await service.ask(failed))[0] == 403, "what live refused is sent as it was"


async def test_the_token_that_a_session_got_itself_is_kept_until_it_is_refused() -> None:
    service = Service(ANN)
    await service.link.log_in()
    one = recorded_login("opaque-of-live-1")
    outcome = await service.link.send(
        service.link.prepare(one, "s"), via="raw", parcel=Parcel.ORIGINAL, session="s"
    )
    service.link.learn(one, outcome, "s")
    opaque = recorded(bearer("opaque-of-live-1"))
    assert await service.ask(opaque) == (200, "ann")
    assert service.token(service.requests[-1]) == "token-ann-1", "its own"
    del service.tokens["token-ann-1"]
    assert await service.ask(opaque) == (200, "ann")
    assert service.token(service.requests[-1]) == "token-ann-0", "the identity's"
    before = len(service.requests)
    assert await service.ask(opaque) == (200, "ann")
    assert len(service.requests) == before + 1, "the refused one is not tried again"


async def test_credentials_go_where_the_settings_put_them() -> None:
    service = Service(BOB, put="header:X-Session: {token}")
    await service.link.log_in()
    assert await service.ask(recorded((b"X-User", b"bob"), (b"X-Session", b"of-live"))) == (200, "bob")
    assert field(service.requests[-1].headers, b"x-session") == b"token-bob-0"
    service.now += 61
    assert await service.ask(recorded((b"X-User", b"bob"), (b"X-Session", b"of-live"))) == (200, "bob")


async def test_a_signature_over_the_credential_is_made_anew_with_it() -> None:
    signing = SigningSettings(
        signature="X-Sig", canonical=("header:Authorization",), keys=(SigningKey("k", secret="aa"),)
    )
    signer = signer_of(signing)
    assert signer is not None
    service = Service(BOB, signer=signer)
    await service.link.log_in()
    bare = recorded((b"X-User", b"bob"), bearer("opaque-of-live"), (b"X-Sig", b"00"))
    made = signer.sign(bare.request)
    assert made is not None
    one = msgspec.structs.replace(bare, request=made)
    ready = service.link.prepare(one, "s")
    assert signer.verifies(ready.request) is True
    assert service.token(ready.request) == "token-bob-0"
    service.now += 61
    assert await service.send(ready) == (200, "bob")
    assert service.token(service.requests[-1]) == "token-bob-1"
    assert signer.verifies(service.requests[-1]) is True


async def test_an_identity_without_a_login_is_dressed_where_the_settings_tell_its_requests() -> None:
    headers: Headers = ((b"Authorization", b"Bearer of-the-settings"),)
    stated = Identity("eve", headers=headers, match=Match(claims=(("sub", "7"),)))
    plain = Identity("fay", headers=headers)
    service = Service(stated, plain)
    ready = service.link.prepare(recorded(bearer(jwt(sub="7"))), "s")
    assert field(ready.request.headers, b"authorization") == b"Bearer of-the-settings"
    other = service.link.prepare(recorded(bearer(jwt(sub="8"))), "s")
    assert field(other.request.headers, b"authorization") != b"Bearer of-the-settings"
    assert await service.link.log_in() == []


async def test_identities_bear_what_they_were_granted() -> None:
    service = Service(ANN, Identity("eve", headers=((b"X-Key", b"k"),)))
    assert [who.name for who in service.logins.identities()] == ["eve"]
    await service.link.log_in()
    ann, eve = service.logins.identities()
    assert ann.headers == ((b"Authorization", b"Bearer token-ann-0"),)
    assert ann.tokens == (b"token-ann-0",)
    assert eve.headers == ((b"X-Key", b"k"),)


@pytest.mark.parametrize("who", [0, 1])
async def test_a_login_that_is_cancelled_holds_up_nobody(who: int) -> None:
    service = Service(ANN)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        tasks = [group.create_task(service.link.log_in(), name=f"login {at}") for at in range(2)]
        await asyncio.sleep(0)
        tasks[who].cancel()
    assert tasks[1 - who].result() == []
    assert service.count in (1, 2)
    assert await service.ask(OF_ANN) == (200, "ann")


async def test_after_a_reset_everybody_logs_in_anew() -> None:
    service = Service(ANN)
    await service.link.log_in()
    assert await service.link.log_in() == []
    assert service.count == 1
    service.tokens.clear()
    assert await service.link.log_in(is_anew=True) == []
    assert service.count == 2
    assert await service.ask(OF_ANN) == (200, "ann")
    assert service.parcels.count(Parcel.PROBE) == 2


async def test_a_probe_of_an_identity_bears_what_it_was_granted_here() -> None:
    service = Service(ANN)
    await service.link.log_in()
    ready = service.link.own(Request(b"GET", b"/x"), ANN)
    assert await service.send(ready) == (200, "ann")
