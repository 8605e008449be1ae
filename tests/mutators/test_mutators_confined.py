"""An edit changes the part of the request that its level names, and nothing else."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutators import CATALOG, Mutator
from shadow.model import Edit, Known, Level, Request
from tests.mutators.test_mutators_meaning import requests, usual_edits

PARTS_OF: dict[Level, frozenset[str]] = {
    Level.TARGET: frozenset({"method", "target"}),
    Level.HEADER: frozenset({"headers"}),
    Level.COOKIE: frozenset({"header:cookie"}),
    Level.BODY: frozenset({"body"}),
    Level.BYTES: frozenset({"body"}),
}
"""What an edit of a level changes. Fields that tell a body's length, or its coding, go with the body."""
_WITH_THE_BODY = {
    "content-length",
    "transfer-encoding",
    "content-encoding",
    "content-type",
    "content-md5",
    "digest",
}
BESIDES: dict[str, frozenset[str]] = {
    "swap_safe_method": frozenset({"body", "headers"}),
    "override_method": frozenset({"headers"}),
    "graphql_over_get": frozenset({"method", "target", "headers"}),
    "inject_other_query": frozenset({"target"}),
    "inject_into_header": frozenset({"headers"}),
    "limit_in_parameter": frozenset({"headers"}),
    "told_format_missed_in_parameter": frozenset({"headers"}),
    "told_parameter_added": frozenset({"headers"}),
    "told_required_dropped": frozenset({"target"}),
    "documented_required_dropped": frozenset({"target"}),
}
"""Those that say that they change more."""
CONFINED = [each for each in CATALOG if each.level in PARTS_OF]


def changed_parts(before: Request, after: Request) -> set[str]:
    """Names of the parts in which two requests differ."""
    parts = {
        name
        for name in ("method", "target", "version", "body", "trailers")
        if getattr(before, name) != getattr(after, name)
    }
    lines_before, lines_after = list(before.headers), list(after.headers)
    for line in before.headers:
        if line in lines_after:
            lines_before.remove(line)
            lines_after.remove(line)
    parts |= {f"header:{name.lower().decode('latin-1')}" for name, _ in (*lines_before, *lines_after)}
    if not lines_before and not lines_after and before.headers != after.headers:
        parts.add("headers")
    return parts


def may_change(one: Mutator) -> frozenset[str]:
    if one.edit.__module__.startswith("mutators.inject"):
        return frozenset({"target", "body", "headers"})  # they say into which value they put it
    return PARTS_OF[one.level] | BESIDES.get(one.name, frozenset())


def check_confined(one: Mutator, request: Request, edit: Edit) -> None:
    """No part is changed but those that the mutator may change."""
    allowed = may_change(one)
    for part in changed_parts(request, edit.request):
        name = part.removeprefix("header:")
        is_its_own = part in allowed or (part != name and "headers" in allowed)
        goes_with_body = "body" in allowed and name in _WITH_THE_BODY
        assert is_its_own or goes_with_body, f"{part} changed: {edit.what}"


@pytest.mark.parametrize("one", CONFINED, ids=lambda one: one.name)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests(), seed=st.integers(0, 2**32))
def test_an_edit_changes_its_own_part_of_the_request_and_nothing_else(
    one: Mutator, request: Request, seed: int
) -> None:
    edit = one(request, Random(seed), Known())
    if edit is not None and edit.wire is None:
        check_confined(one, request, edit)


@pytest.mark.parametrize("one", [one for one in CONFINED if not one.over], ids=lambda one: one.name)
def test_an_edit_of_a_usual_request_changes_its_own_part_and_nothing_else(one: Mutator) -> None:
    edits = [(request, edit) for request, edit in usual_edits(one) if edit.wire is None]
    assert edits
    for request, edit in edits:
        check_confined(one, request, edit)
