"""Places that a user names."""

import pytest

from shadow.errors import ConfigError
from shadow.judge.chosen_places import ChosenPlaces
from shadow.judge.noise import Noise, NoiseSettings, Witness
from shadow.model import Change, Difference

EP = "GET /v1/x/{id}"


@pytest.mark.parametrize(
    ("pattern", "endpoint", "where", "expected"),
    [
        ("header:X-Node", EP, "header:x-node", True),
        ("$.a[*].b", EP, "body:$.a[3].b", True),
        ("GET /v1/x/{id} header:etag", EP, "header:etag", True),
        ("GET /v1/x/{id} header:etag", "GET /v1/y", "header:etag", False),
        ("GET /v1/* body:$.at", EP, "body:$.at", True),
        ("POST /v1/* body:$.at", EP, "body:$.at", False),
        ('body:$["a b c"]', EP, 'body:$["a b c"]', True),
        ("leak:an internal address", EP, "leak:an internal address", True),
        ("GET /v1/* leak:an internal address", EP, "leak:a private key", False),
    ],
)
def test_a_place_is_named_for_all_endpoints_or_for_one(
    pattern: str, endpoint: str, where: str, *, expected: bool
) -> None:
    assert ChosenPlaces((pattern,), "pin").holds(endpoint, where) is expected


@pytest.mark.parametrize("pattern", ["*", "leak:*", "GET /v1/x *", "GET /v1/x body:$", "GET /v1/x", "colour"])
def test_what_is_no_place_is_refused_by_its_option(pattern: str) -> None:
    with pytest.raises(ConfigError, match="pin = "):
        ChosenPlaces((pattern,), "pin")


def test_a_pinned_place_is_never_forgiven() -> None:
    noise = Noise(NoiseSettings(pin=("body:$.id", "body:$.load", "body:$.tags")))
    token = Difference("body:$.id", Change.VALUE, "9f86d081884c7d65", "a3bf4f1b2b0b822c")
    load = Difference("body:$.load", Change.VALUE, 1, 2)
    tags = Difference("body:$.tags", Change.ORDER, ["a", "b"], ["b", "a"])
    for _ in range(9):
        noise.observe(EP, (token, load, tags), Witness.LIVE_RELEASE)
    assert noise.insists(EP, token)
    assert not any(noise.forgives(EP, each) for each in (token, load, tags))
    assert Noise().forgives(EP, token)


def test_what_is_ignored_is_ignored_though_it_is_pinned() -> None:
    noise = Noise(NoiseSettings(ignore=("body:$.id",), pin=("body:$.id",)))
    assert noise.forgives(EP, Difference("body:$.id", Change.MISSING, 1, None))
