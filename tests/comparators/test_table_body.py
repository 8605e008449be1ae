"""CSV and other tables in text: cells by their columns."""

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparators import compare
from shadow.model import Response

GOODS = "id,name,price\n1,apple,2\n2,pear,3\n3,plum,4\n"


def table(text: str, kind: str = "text/csv") -> Response:
    return Response(200, headers=((b"Content-Type", kind.encode()),), body=text.encode())


def told(left: str, right: str, kind: str = "text/csv") -> list[str]:
    return [f"{each.where} {each.change}" for each in compare(table(left, kind), table(right, kind))]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(
            GOODS, GOODS.replace("\n", "\r\n").replace("pear", '"pear"'), [], id="quotes, line ends"
        ),
        pytest.param(GOODS, GOODS.replace("pear", "fig"), ["body:$[1].name value"], id="cell"),
        pytest.param(
            GOODS,
            "id,name\n1,apple\n2,pear\n3,plum\n",
            ["body:$[].price missing"],
            id="a column gone is told once",
        ),
        pytest.param(
            "id,name\n1,apple\n2,pear\n3,plum\n",
            GOODS,
            ["body:$[].price added"],
            id="a column that came is told once",
        ),
        pytest.param(
            GOODS, GOODS.replace("2,pear,3\n", ""), ["body:$ length", "body:$[1] missing"], id="row gone"
        ),
        pytest.param(
            "id,name\n1,a\n2,b\n",
            "name,id\na,1\nb,2\n",
            ["body:$:sequence order"],
            id="columns in another order",
        ),
        pytest.param(GOODS, GOODS.replace("2,pear,3", "2,pear"), ["body:$[1].price missing"], id="short row"),
        pytest.param(
            GOODS, GOODS.replace("2,pear,3", "2,pear,3,9"), ['body:$[1]["#more"] added'], id="long row"
        ),
        pytest.param("1,2\n3,4\n", "1,2\n3,5\n", ["body:$[1][1] value"], id="no head"),
        pytest.param("a,b\nc,d\n", "a,b\nc,e\n", ["body:$[1][1] value"], id="what may be no head"),
        pytest.param("id;name\n1;a,b\n", "id;name\n1;a,c\n", ["body:$[0].name value"], id="semicolons"),
        pytest.param('"', '"a', ["body:$[0][0] value"], id="a quote without an end"),
    ],
)
def test_tables_are_compared_by_cells(left: str, right: str, expected: list[str]) -> None:
    assert told(left, right) == expected


def test_tabs_part_the_cells_of_tables_that_are_said_to_have_them() -> None:
    kind = "text/tab-separated-values"
    assert told("id\tname\n1\ta, b\n", "id\tname\n1\ta, c\n", kind) == ["body:$[0].name value"]


def test_a_table_that_is_too_large_is_compared_as_lines() -> None:
    large = "1,2\n" * 60_000
    assert told(large, large + "3,4\n") == ["body:line[60000] added"]


cells = st.text('abc1 ",;é', min_size=1, max_size=5)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=6))
def test_a_table_written_by_another_writer_is_the_same(rows: list[list[str]]) -> None:
    quoted, bare = StringIO(), StringIO()
    csv.writer(quoted, quoting=csv.QUOTE_ALL).writerows([["id", "name", "n1"], *rows])
    csv.writer(bare, lineterminator="\n").writerows([["id", "name", "n1"], *rows])
    assert told(quoted.getvalue(), bare.getvalue()) == []
