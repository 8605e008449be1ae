"""Metrics as Prometheus reads them."""

import pytest

from comparators import compare
from shadow.model import Response

KIND = "text/plain; version=0.0.4; charset=utf-8"
TEXT = """# HELP requests_total All of them.
# TYPE requests_total counter
requests_total{method="GET",path="/x/{id}"} 17
requests_total{method="PUT",path="/x/{id}"} 2
# TYPE up gauge
up 1
# TYPE seconds histogram
seconds_bucket{le="0.5"} 3
seconds_sum 2.25
seconds_count 3
"""


def metrics(text: str, kind: str = KIND) -> Response:
    return Response(200, headers=((b"Content-Type", kind.encode()),), body=text.encode())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(("17", "99"), [], id="a count is the process's own"),
        pytest.param(("2.25", "7"), [], id="so is a sum"),
        pytest.param(
            ('method="GET",path="/x/{id}"', 'path="/y}",method="HEAD"'), [], id="labels have no order"
        ),
        pytest.param(("up 1", "up 0"), ["body:$.up value"], id="yes became no"),
        pytest.param(("# TYPE up gauge\nup 1\n", ""), ["body:$.up missing"], id="metric gone"),
        pytest.param(
            ("requests_total counter", "requests_total gauge"), ["body:$.requests:type value"], id="type"
        ),
        pytest.param(
            ("method", "verb"), ["body:$.requests.method missing", "body:$.requests.verb added"], id="label"
        ),
        pytest.param(("# HELP requests_total All of them.\n", ""), [], id="help"),
    ],
)
def test_names_types_and_labels_are_compared(change: tuple[str, str], expected: list[str]) -> None:
    found = compare(metrics(TEXT), metrics(TEXT.replace(*change)))
    assert [f"{each.where} {each.change}" for each in found] == expected


def test_text_without_a_version_is_no_metrics() -> None:
    left, right = metrics("up 1", "text/plain"), metrics("up 0", "text/plain")
    assert [each.where for each in compare(left, right)] == ["body:line[0].up"]


def test_metrics_of_another_version_of_the_format_are_the_same() -> None:
    openly = "application/openmetrics-text; version=1.0.0"
    found = compare(metrics(TEXT), metrics(TEXT + "# EOF\n", openly))
    assert {each.where.partition("[")[0] for each in found} == {"header:content-type"}
