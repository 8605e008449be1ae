"""Malformed bytes as a file for pytest: what is sent is byte for byte what was found."""

import base64
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from shadow.judge.recipe import Recipe, recipe_of
from shadow.model import Exchange, Finding, Request
from shadow.run.reproductions import reproduction
from tests.judge.test_accepted import found

RAW = b"POST /a HTTP/1.1\r\nHost: h.test\r\nContent-Length: 3\r\nContent-Length : 4\r\n\r\nabcd\x00\xff"
SPLIT = 20


@contextmanager
def answering(status: bytes, size: int = len(RAW)) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers one connection with `status` after `size` bytes, and what it was sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                text = b""
                while len(text) < size and (more := peer.recv(4096)):
                    text += more
                heard.append(text)
                peer.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        thread.join()


def _framing() -> Finding:
    return found(
        kind="mutant",
        fault="framing",
        mutator="spaced_length",
        expect="reject",
        title='odd """ title \\',
        reproduce={
            "exchange": 0,
            "raw_base64": base64.b64encode(RAW).decode(),
            "plain_base64": "",
            "wire": {"segments": [SPLIT, len(RAW) - SPLIT]},
        },
    )


def _ended(tmp_path: Path, finding: Finding, url: str, exchanges: Mapping[int, Exchange]) -> tuple[int, str]:
    """The exit code of the finding's file as a program, and what it says."""
    recipe = recipe_of(finding)
    assert isinstance(recipe, Recipe)
    text, why = reproduction("pytest", finding, recipe, exchanges, url)
    assert not why
    (tmp_path / "it.py").write_bytes(text)
    ended = subprocess.run(
        [sys.executable, str(tmp_path / "it.py")], check=False, capture_output=True, env=os.environ
    )
    return ended.returncode, (ended.stdout + ended.stderr).decode()


def test_a_target_that_is_down_says_nothing_of_a_finding(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    code, said = _ended(tmp_path, _framing(), url, {})
    assert (code, said.startswith("cannot tell: no connection to")) == (4, True), said


def test_an_unedited_request_that_fails_now_says_nothing_of_a_finding(tmp_path: Path) -> None:
    request = Request(b"GET", b"/a", headers=((b"Host", b"h.test"),))
    finding = msgspec.structs.replace(
        _framing(), endpoint="GET /a", endpoints=(), control={"class": "success", "status": 200}
    )
    exchange = Exchange(0, "pcap", "one", 0.0, request, None, None, "h.test")
    with answering(b"404 Not Found", size=1) as (url, heard):
        code, said = _ended(tmp_path, finding, url, {0: exchange})
    assert (code, len(heard)) == (4, 1), said
    assert "the unedited request succeeded in the run, and does not now: <404 >" in said


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [(b"200 OK", 1, "still there"), (b"400 Bad", 0, "gone")],
    ids=["there", "gone"],
)
def test_malformed_bytes_are_sent_as_they_are(tmp_path: Path, status: bytes, code: int, says: str) -> None:
    with answering(status) as (url, heard):
        ended, said = _ended(tmp_path, _framing(), url, {})
    assert (ended, heard) == (code, [RAW])
    assert says in said
