"""Budgets that several processes spend together."""

import subprocess
import sys

import pytest

from shadow.replay import Spending

_FORKED = """
import os, sys
from shadow.replay import Spending
spending = Spending()
ready, go = os.pipe()
for _ in range(4):
    if os.fork() == 0:
        got = sum(not spending.admit(10, requests_max=1000) for _ in range(400))
        os.write(go, f"{got}\\n".encode())
        os._exit(0)
for _ in range(4):
    os.wait()
print(sum(map(int, os.read(ready, 1000).split())))
"""
_KILLED = """
import fcntl, os, signal
from shadow.replay import Spending
spending = Spending()
child = os.fork()
if child == 0:
    with spending.locked():
        os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
print(repr(spending.admit(0, requests_max=1)))
"""


@pytest.mark.parametrize(
    ("program", "said"),
    [(_FORKED, "1000"), (_KILLED, "''")],
    ids=["four-spend-a-thousand", "one-dies-with-the-lock"],
)
def test_processes_that_share_a_budget(program: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == said


def test_each_budget_is_told_by_its_name_and_what_was_not_sent_comes_back() -> None:
    spending = Spending()
    assert spending.admit(30, requests_max=3, bytes_max=50) == ""
    assert spending.admit(30, requests_max=3, bytes_max=50) == "the budget of 50 bytes is spent"
    spending.take_back(30)
    assert spending.admit(50, requests_max=3, bytes_max=50) == ""
    assert spending.admit(0, requests_max=1, bytes_max=None) == "the budget of 1 requests is spent"
    spending.close()


def test_slots_follow_each_other_and_none_is_kept_for_later() -> None:
    spending = Spending()
    assert [spending.slot_at(10.0, 0.5) for _ in range(3)] == [10.0, 10.5, 11.0]
    assert spending.slot_at(20.0, 0.5) == 20.0
    spending.close()
