"""How bad differences are."""

import pytest

from shadow.judge.severity import of_difference
from shadow.model import Change, Difference, Severity


@pytest.mark.parametrize(
    ("where", "change", "expected"),
    [
        pytest.param("body:page.form#login", Change.MISSING, Severity.HIGH, id="a form lost"),
        pytest.param("body:page.form#login.input[user]", Change.MISSING, Severity.HIGH, id="its field"),
        pytest.param("body:page.table#goods.tr", Change.MISSING, Severity.HIGH, id="a row of data"),
        pytest.param("body:page.div[box]", Change.MISSING, Severity.MEDIUM, id="a box"),
        pytest.param("body:page.div[box]", Change.ADDED, Severity.LOW, id="a box more"),
        pytest.param("body:page.p:you-have", Change.VALUE, Severity.MEDIUM, id="a text"),
        pytest.param("body:page.a@href", Change.VALUE, Severity.MEDIUM, id="where a link leads"),
        pytest.param(
            "body:page.input[user]@required", Change.MISSING, Severity.MEDIUM, id="what a field demands"
        ),
        pytest.param("body:page.a@class", Change.VALUE, Severity.LOW, id="looks"),
        pytest.param("body:page.b@element", Change.VALUE, Severity.LOW, id="another element for the same"),
        pytest.param("body:page.script#d:$.a", Change.MISSING, Severity.HIGH, id="a field in a page's json"),
        pytest.param("header:location.origin", Change.VALUE, Severity.HIGH, id="a redirect to another host"),
        pytest.param("header:location", Change.VALUE, Severity.MEDIUM, id="a redirect"),
    ],
)
def test_what_users_act_with_weighs_more_than_looks(where: str, change: Change, expected: Severity) -> None:
    assert of_difference(Difference(where, change, "a", "b")) is expected
