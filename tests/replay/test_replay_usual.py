from shadow.replay.usual import Usual


def learned(*seconds: float) -> Usual:
    usual = Usual()
    for each in seconds:
        usual.learn("GET /", each)
    return usual


def test_nothing_is_usual_before_enough_was_seen() -> None:
    assert learned(*[0.1] * 7).seconds("GET /") is None
    assert learned(*[0.1] * 8).seconds("GET /") == 0.1


def test_one_slow_first_answer_does_not_count() -> None:
    assert learned(9.0, *[0.1] * 7).seconds("GET /") == 0.1


def test_shorter_times_are_taken_up_soon_and_longer_ones_hardly() -> None:
    faster = learned(*[1.0] * 8, *[0.1] * 60).seconds("GET /")
    slower = learned(*[1.0] * 8, *[10.0] * 60).seconds("GET /")
    assert faster is not None
    assert slower is not None
    assert 0.1 <= faster < 0.2
    assert 1.0 < slower < 1.2


def test_what_takes_no_time_has_a_usual_time_all_the_same() -> None:
    assert learned(*[0.0] * 100).seconds("GET /") == 0.0005


def test_endpoints_are_bounded() -> None:
    usual = Usual()
    for at in range(1100):
        for _ in range(8):
            usual.learn(f"GET /{at}", 0.1)
    assert usual.seconds("GET /999") == 0.1
    assert usual.seconds("GET /1000") is None
