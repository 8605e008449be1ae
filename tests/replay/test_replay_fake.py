import asyncio

from shadow.model import NoReply, Reply, Request, Response, Silence
from shadow.replay._contract import Sending, Transport
from shadow.replay.fake import HANG, FakeTransport

ASK = Sending(Request(b"GET", b"/"), timeout_seconds=0.01)
ANSWER = Reply(Response(200))


async def test_outcomes_are_given_in_order_and_then_the_target_is_down() -> None:
    fake = FakeTransport([ANSWER, NoReply(Silence.RESET)])
    outcomes = [await fake.send(ASK) for _ in range(3)]
    assert outcomes == [ANSWER, NoReply(Silence.RESET), NoReply(Silence.REFUSED, "the script is over")]
    assert fake.sent == [ASK] * 3


async def test_a_function_may_answer() -> None:
    fake: Transport = FakeTransport(lambda sending: Reply(Response(201, body=sending.request.target)))
    assert await fake.send(ASK) == Reply(Response(201, body=b"/"))


async def test_a_hang_lasts_for_the_time_limit() -> None:
    outcome = await FakeTransport([HANG]).send(ASK)
    assert isinstance(outcome, NoReply)
    assert outcome.why is Silence.TIMED_OUT


async def test_a_hang_can_be_cancelled() -> None:
    fake = FakeTransport([HANG])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(
            fake.send(Sending(Request(b"GET", b"/"), timeout_seconds=60)), name="sending"
        )
        await asyncio.sleep(0)
        assert fake.under_way == 1
        task.cancel()
    assert task.cancelled()
    assert (fake.under_way, fake.cancelled) == (0, 1)


async def test_what_cannot_be_sent_is_scripted_too() -> None:
    fake = FakeTransport([], can_send=lambda sending: sending.wire is None, name="narrow")
    assert fake.can_send(ASK)
    assert fake.name == "narrow"
    await fake.close()
    assert fake.is_closed
