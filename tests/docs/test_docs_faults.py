"""docs/output.md lists every fault, each with how bad it is."""

import re
from pathlib import Path

import pytest

from shadow.judge.report import TITLES
from shadow.judge.severity import OF_FAULT

_DOCUMENT = Path(__file__).parents[2] / "docs" / "output.md"


@pytest.mark.parametrize("fault", OF_FAULT)
def test_fault_stands_in_the_table_with_its_severity_and_has_a_title(fault: str) -> None:
    table = _DOCUMENT.read_text().partition("#### Faults")[2].partition("###")[0]
    rows = [line for line in table.splitlines() if re.match(rf"\|.*`{fault}`.*\|.*\|.*\|", line)]
    assert [row.split("|")[-2].strip().partition(";")[0] for row in rows] == [OF_FAULT[fault]]
    assert fault in TITLES
