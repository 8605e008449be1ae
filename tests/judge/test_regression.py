"""Three witnesses: every seeded kind of regression is told, and every kind of noise is not."""

import json
from typing import Any

import pytest

from comparators import compare
from shadow.judge.noise import Noise, NoiseSettings, Witness
from shadow.judge.regression import Witnesses, judge_original, regressions
from shadow.model import Difference, Headers, NoReply, Outcome, Reply, Response, Silence, Timing, Verdict

JSON: Headers = ((b"Content-Type", b"application/json"), (b"ETag", b'"v1"'), (b"Vary", b"Accept"))
LIVE_AT, BASELINE_AT, CANDIDATE_AT = 1_700_000_000, 1_700_086_400, 1_700_086_401


def answer(value: Any, status: int = 200, headers: Headers = JSON) -> Response:
    return Response(status, headers=headers, body=json.dumps(value).encode())


def told(
    live: Response, baseline: Response | Outcome | None, candidate: Response | Outcome, **settings: Any
) -> list[str]:
    noise = Noise(NoiseSettings(**settings))
    if isinstance(candidate, Response):
        noise.observe("GET /x", compare(live, candidate), Witness.CANDIDATE)

    def forgives(difference: Difference, *, window_seconds: float | None = None) -> bool:
        return noise.forgives("GET /x", difference, window_seconds=window_seconds)

    def outcome(given: Response | Outcome) -> Outcome:
        return Reply(given) if isinstance(given, Response) else given

    witnesses = Witnesses(live, outcome(candidate), None if baseline is None else outcome(baseline))
    found = regressions(
        witnesses, compare=compare, forgives=forgives, same=lambda left, right, _: (left, right) in SAME
    )
    return [f"{each.where} {each.change}" for each in found]


SAME = {("vm-alpha", "vm-beta"), ("vm-alpha", "vm-gamma")}

VM = {
    "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "name": "Zürich",
    "price_hour": 0.12345,
    "vcpus": 4,
    "status": "STARTED",
    "tags": [],
    "grants": [{"address": "a@x", "level": 1}, {"address": "b@x", "level": 2}],
    "created_at": "2024-05-01T10:00:00.123Z",
}


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if name not in names}


BUGS = [
    pytest.param(answer(VM), answer(without(VM, "vcpus")), ["body:$.vcpus missing"], id="field gone"),
    pytest.param(answer(VM), answer({**VM, "vcpus": "4"}), ["body:$.vcpus type"], id="int to string"),
    pytest.param(answer(VM), answer({**VM, "price_hour": 0.12}), ["body:$.price_hour value"], id="rounding"),
    pytest.param(
        answer(VM),
        answer({**VM, "created_at": "2024-05-01 10:00:00.123"}),
        ["body:$.created_at value"],
        id="timestamp form",
    ),
    pytest.param(
        answer(VM),
        answer({**VM, "created_at": "2024-05-01T10:00:00.123+00:00"}),
        ["body:$.created_at value"],
        id="timestamp zone form",
    ),
    pytest.param(
        answer(VM),
        answer({**VM, "created_at": "2024-05-01T10:00:00Z"}),
        ["body:$.created_at value"],
        id="timestamp without fraction",
    ),
    pytest.param(
        answer(VM),
        answer({**VM, "created_at": 1714557600}),
        ["body:$.created_at type"],
        id="timestamp to epoch",
    ),
    pytest.param(
        answer(VM),
        answer(VM, headers=(JSON[0], (b"ETag", b'W/"v1"'), JSON[2])),
        ["header:etag type"],
        id="weak etag",
    ),
    pytest.param(answer(VM), answer(VM, headers=JSON[:2]), ["header:vary missing"], id="no vary"),
    pytest.param(
        answer([{"name": "a"}, {"name": "b"}, {"name": "c"}]),
        answer([{"name": "a"}, {"name": "b"}]),
        ["body:$ length", "body:$[2] missing"],
        id="page too short",
    ),
    pytest.param(
        answer([{"name": name} for name in "abcdef"]),
        answer([{"name": name} for name in "badcfe"]),
        ["body:$ order"],
        id="unstable order",
    ),
    pytest.param(
        answer({"error": {"code": "not_found"}}, 404),
        answer(None),
        ["status value", "body:$ type"],
        id="404 to null",
    ),
    pytest.param(
        answer({"error": {"code": "conflict"}}, 409),
        answer({"error": {"code": "conflict"}}, 400),
        ["status value"],
        id="409",
    ),
    pytest.param(
        answer({"error": {"code": "expired"}}, 401),
        answer({"error": {"code": "token_expired"}}, 401),
        ["body:$.error.code value"],
        id="error code renamed",
    ),
    pytest.param(answer(VM), answer({**VM, "status": "started"}), ["body:$.status value"], id="enum case"),
    pytest.param(answer(VM), answer({**VM, "tags": None}), ["body:$.tags type"], id="empty array to null"),
    pytest.param(
        answer(VM), answer({**VM, "name": "Zu\u0308rich"}), ["body:$.name value"], id="unicode form"
    ),
    pytest.param(answer(VM), answer("boom", 500), ["status value", "body:$ type"], id="server error"),
]


@pytest.mark.parametrize(("live", "candidate", "expected"), BUGS)
def test_a_regression_is_told_with_and_without_a_baseline(
    live: Response, candidate: Response, expected: list[str]
) -> None:
    assert told(live, None, candidate) == expected
    assert told(live, live, candidate) == expected


@pytest.mark.parametrize(("live", "candidate", "expected"), BUGS)
def test_what_the_baseline_does_as_well_is_no_regression(
    live: Response, candidate: Response, expected: list[str]
) -> None:
    assert told(live, candidate, candidate) == []


@pytest.mark.parametrize(("live", "candidate", "expected"), BUGS)
def test_a_candidate_that_agrees_with_live_is_right_whatever_the_baseline_says(
    live: Response, candidate: Response, expected: list[str]
) -> None:
    assert told(live, candidate, live) == []


NOISE = [
    pytest.param({"request_id": "r1"}, {"request_id": "other"}, id="request id by name"),
    pytest.param(
        {"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
        {"id": "0b7e9a52-11d2-4b3f-8a6e-1f7c2d3e4f50"},
        id="uuid",
    ),
    pytest.param(
        {"at": "2024-05-01T10:00:00.120Z"}, {"at": "2024-05-01T12:00:01.999Z"}, id="time of one form"
    ),
    pytest.param(
        {"at": "2024-05-01T10:00:00.123456Z"}, {"at": "2024-05-01T10:00:01.1234Z"}, id="trimmed fraction"
    ),
    pytest.param({"updated_at": 1714557600}, {"updated_at": 1714557604}, id="epoch seconds"),
    pytest.param(
        {"x": "Wed, 01 May 2024 10:00:00 GMT"}, {"x": "Thu, 02 May 2024 11:10:00 GMT"}, id="http date"
    ),
    pytest.param({"nonce": "abc"}, {"nonce": "xyz1"}, id="nonce by name"),
    pytest.param(
        {"token": "9f86d081884c7d659a2feaa0c55ad015"}, {"token": "a3bf4f1b2b0b822cd15d6c15b0f00a08"}, id="hex"
    ),
    pytest.param(
        {"cursor": "eyJpZCI6IDk5LCAicCI6IDF9"}, {"cursor": "eyJpZCI6IDEwMCwgInAiOiAxfQ=="}, id="base64"
    ),
    pytest.param(
        {"key": "sk_live_4eC39HqLyjWDarjtT1zdp7dc"}, {"key": "sk_live_9aB21JkMzpQXebsrU8wfq3hn"}, id="key"
    ),
    pytest.param(
        {"k": "key_4121039230249027"}, {"k": "key_b43e48305b3765ed"}, id="hex that has no letter by chance"
    ),
    pytest.param({"k": "V1StGXR8Z5"}, {"k": "aBcDeFgHiJ"}, id="token that has no digit by chance"),
    pytest.param(
        {"next": "/v1/keys/key_41210392?x=1"}, {"next": "/v1/keys/key_b43e4830?x=1"}, id="token in an address"
    ),
    pytest.param({"id": 1041}, {"id": 1042}, id="counted id"),
    pytest.param({"owner_id": "acc-17"}, {"owner_id": "acc-18"}, id="counted id with a prefix"),
    pytest.param({"price": 1}, {"price": 1.0}, id="one point nought"),
    pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="member order"),
    pytest.param(
        {"m": "no vm 7c9e6679-7425-40de-944b-e07fc1f90ae7 at 2024-05-01T10:00:00Z"},
        {"m": "no vm 0b7e9a52-11d2-4b3f-8a6e-1f7c2d3e4f50 at 2024-05-01T10:00:09Z"},
        id="ids within text",
    ),
    pytest.param(
        {"self": "http://live.example:80/v1/vms/41"},
        {"self": "http://127.0.0.1:9000/v1/vms/44"},
        id="own address",
    ),
    pytest.param({"ref": "vm-alpha"}, {"ref": "vm-beta"}, id="value that correlation knows"),
    pytest.param(
        {"ref": "/v1/vms/vm-alpha/x?of=vm-alpha"},
        {"ref": "/v1/vms/vm-beta/x?of=vm-gamma"},
        id="known values in an address",
    ),
    pytest.param(
        {"7c9e6679-7425-40de-944b-e07fc1f90ae7": 1},
        {"0b7e9a52-11d2-4b3f-8a6e-1f7c2d3e4f50": 1},
        id="id as a name",
    ),
    pytest.param(
        {"items": [{"id": 5, "name": "a"}, {"id": 6, "name": "b"}]},
        {"items": [{"id": 7, "name": "a"}, {"id": 8, "name": "b"}]},
        id="ids within items",
    ),
]


@pytest.mark.parametrize(("live", "shadow"), NOISE)
def test_noise_is_not_told_from_the_first_request_on(live: Any, shadow: Any) -> None:
    own = ("live.example:80", "127.0.0.1:9000")
    assert told(answer(live), None, answer(shadow), own=own) == []
    assert told(answer(live), answer(live), answer(shadow), own=own, window_seconds=None) in (
        [],
        ["body:$.at value"],  # two hours from both witnesses, who agree with each other
        ["body:$.x value"],
    )


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param("ILLEGAL_TRANSITION", "INVALID_TRANSITION", id="enum"),
        pytest.param("ubuntu-22-04-lts", "ubuntu-20-04-lts", id="image name"),
        pytest.param("2.10.3", "2.10.4", id="version"),
        pytest.param("m5.large", "m5.xlarge", id="size"),
        pytest.param("10.0.0.1", "10.0.0.2", id="address"),
        pytest.param("key_41210392", "key_99210392", id="numbers"),
        pytest.param("/v1/vms/stopped", "/v1/vms/started", id="path"),
        pytest.param("facade", "decade", id="words of hex letters"),
        pytest.param("12.50", "12.5", id="decimal text"),
        pytest.param("", "7c9e6679-7425-40de-944b-e07fc1f90ae7", id="uuid for nothing"),
        pytest.param(2_147_483_648, 1_073_741_824, id="memory size"),
        pytest.param(1, 2, id="small numbers"),
        pytest.param(1.5, 1.0, id="floats"),
        pytest.param(
            "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "7C9E6679-7425-40DE-944B-E07FC1F90AE7",
            id="uuid in capitals",
        ),
        pytest.param(
            "7c9e6679-7425-40de-944b-e07fc1f90ae7", "7c9e6679742540de944be07fc1f90ae7", id="uuid undashed"
        ),
    ],
)
def test_values_that_people_chose_are_not_noise(left: Any, right: Any) -> None:
    assert told(answer({"value": left}), None, answer({"value": right})) == ["body:$.value value"]


def test_header_noise_is_not_told() -> None:
    live = Response(
        200,
        headers=(
            (b"Date", b"x"),
            (b"Server", b"a"),
            (b"ETag", b'"1714557600"'),
            (b"X-Request-Id", b"1"),
            (b"Location", b"http://live:80/v1/vms/41"),
            (b"Set-Cookie", b"sid=0123456789abcdefXYZ; HttpOnly"),
            (b"Transfer-Encoding", b"chunked"),
            (b"Last-Modified", b"Wed, 01 May 2024 10:00:00 GMT"),
        ),
    )
    shadow = Response(
        200,
        headers=(
            (b"content-length", b"0"),
            (b"last-modified", b"Thu, 02 May 2024 10:00:00 GMT"),
            (b"set-cookie", b"sid=zz23456789abcdefXYZ.longer; HttpOnly"),
            (b"location", b"http://127.0.0.1:9/v1/vms/57"),
            (b"x-request-id", b"2"),
            (b"server", b"b"),
            (b"etag", b'"1714557999"'),
            (b"date", b"y"),
        ),
    )
    assert told(live, None, shadow, own=("live:80", "127.0.0.1:9")) == []


def test_a_clock_that_is_an_hour_off_is_told_where_the_baseline_is_near_live() -> None:
    def at(hour: int) -> Response:
        return answer({"created_at": f"2024-05-01T{hour}:00:00Z"})

    assert told(at(10), at(10), at(11)) == ["body:$.created_at value"]
    assert told(at(10), at(13), at(16)) == []


def test_a_changed_form_is_told_although_the_replay_happens_days_later() -> None:
    live, baseline = {"created_at": "2024-05-01T10:00:00Z"}, {"created_at": "2024-07-09T10:00:00Z"}
    candidate = {"created_at": "2024-07-09 10:00:00"}
    assert told(answer(live), answer(baseline), answer(candidate)) == ["body:$.created_at value"]


def test_data_that_the_shadow_environment_lacks_is_drift() -> None:
    live = answer({"items": [{"name": "a", "price": 1}, {"name": "b", "price": 2}]})
    baseline = answer({"items": [{"name": "a", "price": 1}]})
    candidate = answer({"items": []})
    assert told(live, baseline, candidate) == []
    assert told(live, answer("unauthorised", 401), answer("unauthorized", 401)) == []


def test_a_field_gone_in_every_item_is_told_although_ids_differ_everywhere() -> None:
    def listed(number: int, names: str) -> Response:
        return answer(
            {"items": [{"id": f"{number}{at}", "name": name, "price": at} for at, name in enumerate(names)]}
        )

    candidate = json.loads(listed(3, "ab").body)
    for item in candidate["items"]:
        del item["price"]
    assert told(listed(1, "ab"), listed(2, "ab"), answer(candidate)) == [
        "body:$.items[0].price missing",
        "body:$.items[1].price missing",
    ]


SILENT = Timing()


@pytest.mark.parametrize(
    ("candidate", "baseline", "fault"),
    [
        pytest.param(NoReply(Silence.TIMED_OUT), Reply(answer(VM)), "hang", id="hang"),
        pytest.param(NoReply(Silence.CLOSED), Reply(answer(VM)), "crash", id="closed"),
        pytest.param(NoReply(Silence.MALFORMED), None, "crash", id="no http"),
        pytest.param(Reply(answer("x", 502)), Reply(answer(VM)), "F100", id="5xx"),
        pytest.param(Reply(answer(VM), surplus=b"body"), Reply(answer(VM)), "framing", id="surplus"),
        pytest.param(Reply(answer({**VM, "vcpus": 5})), None, "regression", id="value"),
    ],
)
def test_the_fault_is_named(candidate: Outcome, baseline: Outcome | None, fault: str) -> None:
    judgement = judge_original(
        Witnesses(answer(VM), candidate, baseline),
        compare=compare,
        forgives=lambda difference, *, window_seconds=None: False,
        same=lambda left, right, _: False,
    )
    assert (judgement.verdict, judgement.fault) == (Verdict.FAILED, fault)


@pytest.mark.parametrize(
    ("candidate", "baseline", "verdict"),
    [
        pytest.param(NoReply(Silence.REFUSED), Reply(answer(VM)), Verdict.UNDECIDED, id="down"),
        pytest.param(NoReply(Silence.TIMED_OUT), NoReply(Silence.TIMED_OUT), Verdict.PASSED, id="both hang"),
        pytest.param(Reply(answer(VM)), NoReply(Silence.REFUSED), Verdict.PASSED, id="baseline down"),
        pytest.param(
            Reply(answer(VM)), NoReply(Silence.TIMED_OUT), Verdict.PASSED, id="only the baseline hangs"
        ),
    ],
)
def test_silence_is_judged_with_care(candidate: Outcome, baseline: Outcome, verdict: Verdict) -> None:
    judgement = judge_original(
        Witnesses(answer(VM), candidate, baseline),
        compare=compare,
        forgives=lambda difference, *, window_seconds=None: False,
        same=lambda left, right, _: False,
    )
    assert judgement.verdict is verdict


@pytest.mark.parametrize(
    ("candidate", "baseline", "verdict", "where"),
    [
        pytest.param(answer(VM), answer(VM), Verdict.PASSED, [], id="alike"),
        pytest.param(
            answer(without(VM, "vcpus")), answer(VM), Verdict.FAILED, ["body:$.vcpus"], id="field gone"
        ),
        pytest.param(answer("x", 502), answer(VM), Verdict.FAILED, ["status", "body:$"], id="broken"),
        pytest.param(
            answer({**VM, "name": "vm-beta"}),
            answer({**VM, "name": "vm-alpha"}),
            Verdict.PASSED,
            [],
            id="name",
        ),
        pytest.param(answer(VM), answer("x", 502), Verdict.UNDECIDED, [], id="the baseline is broken"),
        pytest.param(answer(VM), NoReply(Silence.TIMED_OUT), Verdict.UNDECIDED, [], id="the baseline hangs"),
        pytest.param(answer(VM), NoReply(Silence.REFUSED), Verdict.UNDECIDED, [], id="the baseline is down"),
        pytest.param(answer(VM), None, Verdict.UNDECIDED, [], id="no baseline"),
    ],
)
def test_baseline_alone_tells_what_is_right_where_no_live_answer_was_seen(
    candidate: Response, baseline: Response | NoReply | None, verdict: Verdict, where: list[str]
) -> None:
    beside = Reply(baseline) if isinstance(baseline, Response) else baseline
    judgement = judge_original(
        Witnesses(None, Reply(candidate), beside),
        compare=compare,
        forgives=lambda difference, *, window_seconds=None: False,
        same=lambda left, right, _: (left, right) in SAME,
    )
    assert judgement.verdict is verdict
    assert [each.where for each in judgement.differences] == where
    assert "live" not in judgement.why or verdict is Verdict.UNDECIDED
