"""Mutators of third parties that fail cost no run."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from mutators import guarded, guarded_session, mutator, session_mutator
from shadow.model import Edit, Exchange, Expect, Known, Level, Request, Script, Step, Wire

REQUEST = Request(b"GET", b"/", b"HTTP/1.1", ((b"Host", b"h"),))
SESSION = (Exchange(0, "test", "s", 0.0, REQUEST),)


def fails() -> Any:
    raise ValueError("no luck")


def failing(make: Callable[[], Any], troubles: list[tuple[str, str]]) -> Edit | None:
    def theirs(request: Request, rng: Random) -> Any:
        """Does what the test wants."""
        return make()

    one = guarded(
        mutator(level=Level.BODY, expect=Expect.SURVIVE)(theirs),
        lambda name, why: troubles.append((name, why)),
    )
    return one(REQUEST, Random(1), Known())


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (fails, "raised ValueError: no luck, at test_mutators_guarding.py:"),
        (lambda: "GET /", "handed back str"),
        (lambda: Edit(REQUEST, ""), "without the text"),
        (lambda: Edit("x", "a"), "of str, and not of a Request"),  # type: ignore[arg-type]  # a stranger's slip
        (lambda: Edit(Request("GET", b"/"), "a"), "method is no bytes"),  # type: ignore[arg-type]  # as above
        (lambda: Edit(Request(b"GET", b"/", b"", [(b"a", b"b")]), "a"), "headers are no tuple"),  # type: ignore[arg-type]  # as above
        (lambda: Edit(Request(b"GET", b"/", body=b"x" * (9 << 20)), "a"), "over 8 MiB"),
        (lambda: Edit(REQUEST, "a", Wire(())), "without segments"),
        (lambda: Edit(REQUEST, "a", Wire(("x",))), "segments are no bytes"),  # type: ignore[arg-type]  # as above
    ],
    ids=["raises", "text", "no what", "no request", "method", "headers", "huge", "no wire", "wire"],
)
def test_what_is_no_edit_is_told_and_makes_no_mutant(make: Callable[[], Any], why: str) -> None:
    troubles: list[tuple[str, str]] = []
    assert failing(make, troubles) is None
    assert [name for name, _ in troubles] == ["theirs"]
    assert why in troubles[0][1]


@pytest.mark.parametrize("made", [None, Edit(REQUEST, "a"), Edit(REQUEST, "a", Wire((b"x",)))])
def test_what_is_sound_passes_untouched(made: Edit | None) -> None:
    troubles: list[tuple[str, str]] = []
    assert failing(lambda: made, troubles) is made
    assert troubles == []


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (fails, "raised ValueError"),
        (lambda: 7, "handed back int"),
        (lambda: Script((), (), "x"), "without steps"),
        (lambda: Script((Step(REQUEST, 0),), (3,), "x"), "a step it does not have"),
        (lambda: Script((Step(REQUEST, 0),), (0,), "x", refused=(1,)), "a step it does not have"),
        (lambda: Script((Step(REQUEST, 9),), (0,), "x"), "stems from exchange 9"),
        (lambda: Script((Step(REQUEST, 0, same_as=0),), (0,), "x"), "the same as step 0"),
    ],
    ids=["raises", "number", "empty", "judged", "refused", "origin", "same"],
)
def test_what_is_no_script_is_told_and_not_sent(make: Callable[[], Any], why: str) -> None:
    def theirs(session: Any, rng: Random) -> Any:
        """Does what the test wants."""
        return make()

    troubles: list[str] = []
    one = guarded_session(
        session_mutator(level=Level.RACE, expect=Expect.SURVIVE)(theirs),
        lambda _, why: troubles.append(why),
    )
    assert one(SESSION, Random(1), Known()) is None
    assert why in troubles[0]


def test_script_may_take_steps_of_the_other_sessions_that_it_names() -> None:
    mixed = Script((Step(REQUEST, 0), Step(REQUEST, len(SESSION))), (1,), "mixed", others=tuple(SESSION))

    def theirs(session: Any, rng: Random) -> Any:
        """Mixes two sessions."""
        return mixed

    one = guarded_session(session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)(theirs), print)
    assert one(SESSION, Random(1), Known()) is mixed
