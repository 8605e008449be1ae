"""What one worker learned, another one knows."""

from collections.abc import AsyncIterator

import pytest

from shadow.config import load
from shadow.judge import Witness
from shadow.model import (
    Change,
    Difference,
    Exchange,
    Judgement,
    Kind,
    Reply,
    Request,
    Response,
    Trial,
    Verdict,
)
from shadow.pipeline.energy import Why
from shadow.run.assembly import Assembly, assemble
from shadow.run.lessons import Drifted, Equal, Lessons

JSON = ((b"Content-Type", b"application/json"),)


def worker() -> tuple[Assembly, Lessons]:
    login = {"path": "/login", "json": {"user": "ann", "password": "of-the-shadow"}}
    urls = {"candidate": "http://127.0.0.1:8001", "baseline": "http://127.0.0.1:8002"}
    settings = load(None, urls | {"identity": [{"name": "ann", "login": login}]})
    made = assemble(settings, run="r", is_live=False, hear=lambda _: None)
    return made, Lessons(made.environment.links, made.judging, made.schedulers, made.begun)


@pytest.fixture
async def two() -> AsyncIterator[tuple[tuple[Assembly, Lessons], tuple[Assembly, Lessons]]]:
    one, other = worker(), worker()
    yield one, other
    for made, _ in (one, other):
        await made.environment.close()


type Two = tuple[tuple[Assembly, Lessons], tuple[Assembly, Lessons]]


def made_thing(name: str) -> Response:
    return Response(201, headers=JSON, body=b'{"id": "%b"}' % name.encode())


async def test_an_id_of_one_session_is_translated_in_another_workers(two: Two) -> None:
    (one, teacher), (other, pupil) = two
    live, shadow = "inst_0a1b2c3d4e5f", "inst_ffeeddccbbaa"
    make = Request(b"POST", b"/v1/instances", headers=JSON, body=b"{}")
    exchange = Exchange(0, "test", "a", 1.0, make, made_thing(live), 0.1)
    one.environment.candidate.learn(exchange, Reply(made_thing(shadow)), "a")
    lessons = teacher.take()
    assert lessons
    pupil.teach(lessons)
    ask = Exchange(1, "test", "b", 2.0, Request(b"GET", b"/v1/instances/" + live.encode()))
    ready = other.environment.candidate.prepare(ask, "b")
    assert ready.request.target == b"/v1/instances/" + shadow.encode()
    assert other.environment.baseline is not None
    theirs = other.environment.baseline.prepare(ask, "b")
    assert theirs.request.target.endswith(live.encode()), "only that target was heard to have it"
    assert pupil.take() == [], "what was taught is not told on"
    assert teacher.take() == [], "and nothing is told twice"


async def test_whose_a_token_is_that_live_gave_is_known_to_all(two: Two) -> None:
    (one, teacher), (other, pupil) = two
    ask = Request(b"POST", b"/login", headers=JSON, body=b'{"user": "ann", "password": "of-the-shadow"}')
    granted = Response(200, headers=JSON, body=b'{"access_token": "of-live-and-opaque"}')
    one.environment.candidate.prepare(Exchange(0, "test", "a", 1.0, ask, granted, 0.1), "a")
    request = Request(b"GET", b"/me", headers=((b"Authorization", b"Bearer of-live-and-opaque"),))
    later = Exchange(1, "test", "b", 2.0, request, Response(200), 0.1)
    logins = other.environment.candidate.logins
    assert logins is not None
    assert logins.claim(later, request) is None
    pupil.teach(teacher.take())
    claim = logins.claim(later, request)
    assert claim is not None
    assert claim.owner == "ann"
    assert pupil.take() == [], "what was taught is not told on"
    assert teacher.take() == [], "and nothing is told twice"


async def test_what_was_taught_of_one_pass_is_forgotten_before_the_next(two: Two) -> None:
    (one, teacher), (other, pupil) = two
    make = Request(b"POST", b"/v1/instances", headers=JSON, body=b"{}")
    exchange = Exchange(0, "test", "a", 1.0, make, made_thing("inst_0a1b2c3d4e5f"), 0.1)
    one.environment.candidate.learn(exchange, Reply(made_thing("inst_ffeeddccbbaa")), "a")
    pupil.teach(teacher.take())
    assert list(other.environment.candidate.correlation.explain())
    pupil.forget()
    assert not list(other.environment.candidate.correlation.explain())


async def test_noise_that_one_saw_is_forgiven_by_the_other(two: Two) -> None:
    (one, teacher), (other, pupil) = two
    noisy = Difference("body:$.load", Change.VALUE, 1, 2)
    assert not other.judging.noise.forgives("GET /x", noisy)
    for _ in range(20):
        one.judging.noise.observe("GET /x", [noisy], Witness.LIVE_RELEASE)
        one.judging.noise.observe("GET /x", [noisy], Witness.CANDIDATE)
    pupil.teach(teacher.take())
    assert other.judging.noise.forgives("GET /x", noisy)


async def test_many_equal_answers_weigh_as_much_taught_as_seen(two: Two) -> None:
    (one, teacher), (other, pupil) = two
    drift = Difference("body:$.load", Change.VALUE, 1, 2)
    for noise in (one.judging.noise, other.judging.noise):
        noise.observe("GET /x", [drift], Witness.LIVE_RELEASE)
    teacher.take()
    for _ in range(1000):
        one.judging.noise.observe("GET /x", [], Witness.LIVE_RELEASE)
    lessons = teacher.take()
    assert lessons == [Equal("GET /x", Witness.LIVE_RELEASE, 1000)]
    pupil.teach(lessons)
    mine, theirs = (each.judging.noise._tallies["GET /x", Witness.LIVE_RELEASE] for each in (one, other))
    assert theirs.compared == pytest.approx(mine.compared)
    assert theirs.differed == pytest.approx(mine.differed)


async def test_drift_is_told_once_and_to_all(two: Two) -> None:
    (one, teacher), (other, pupil) = two
    one.judging.is_drifted = True
    assert teacher.take() == [Drifted()]
    assert teacher.take() == []
    pupil.teach([Drifted()])
    assert other.judging.is_drifted
    assert pupil.take() == []


async def test_what_was_tried_here_waits_its_turn_there(two: Two) -> None:
    (one, teacher), (other, pupil) = two
    first = next(one.schedulers[0].deal("GET /x", 0, 1, lambda each: each.name))[1]
    pupil.teach(teacher.take())
    again = next(other.schedulers[0].deal("GET /x", 0, 1, lambda each: each.name))[1]
    assert again != first


async def test_a_cause_that_one_makes_smaller_is_left_alone_by_the_others(two: Two) -> None:
    (one, teacher), (other, pupil) = two
    trial = Trial(0, "GET /x", Kind.MUTANT, "m", Judgement(Verdict.FAILED, fault="F100"))
    assert not other.begun.has(trial)
    one.begun.add(trial)
    pupil.teach(teacher.take())
    assert other.begun.has(trial)
    assert pupil.take() == [], "what was taught is not told on"


async def test_what_was_news_there_is_none_here_and_its_pay_counts(two: Two) -> None:
    (one, teacher), (other, pupil) = two
    teach, learn = one.schedulers[0], other.schedulers[0]
    name = next(teach.deal("GET /x", 0, 1, lambda each: each.name))[1]
    teach.learn("GET /x", name, Reply(Response(404)))
    pupil.teach(teacher.take())
    learn.learn("GET /x", name, Reply(Response(404)))
    assert pupil.take() == [], "no news, and nothing is told twice"
    everyone = {each.made: each.why for each in learn.plan("GET /x", 1, 999, lambda each: each.name)}
    assert everyone.pop(name) is Why.PAID
    assert set(everyone.values()) == {Why.FIRST}


async def test_a_member_that_says_how_it_went_is_known_to_all(two: Two) -> None:
    (one, teacher), (other, pupil) = two
    bodies = (
        b'{"code":0,"data":{"a":1}}',
        b'{"code":0,"data":[1]}',
        b'{"code":7,"msg":"x"}',
        b'{"code":8,"msg":"y"}',
    )
    for body in bodies:
        one.judging.readings.hear(Response(200, headers=JSON, body=body))
    lessons = teacher.take()
    assert lessons
    pupil.teach(lessons)
    asked = Request(b"GET", b"/a")
    refused = Reply(Response(200, headers=JSON, body=b'{"code":9,"msg":"z"}'))
    for made in (one, other):
        read = made.judging.readings.read(asked, refused)
        assert isinstance(read, Reply)
        assert read.reading is not None
        assert read.reading.why == "the body says code=9, and 0 of successes"
