"""Malformed bytes as a file for pytest: what is sent is byte for byte what was found."""

import base64
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shadow.judge.recipe import Recipe, recipe_of
from shadow.run.reproductions import reproduction
from tests.judge.test_accepted import found

RAW = b"POST /a HTTP/1.1\r\nHost: h.test\r\nContent-Length: 3\r\nContent-Length : 4\r\n\r\nabcd\x00\xff"
SPLIT = 20


@contextmanager
def answering(status: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers one connection with `status`, and what it was sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                text = b""
                while len(text) < len(RAW) and (more := peer.recv(4096)):
                    text += more
                heard.append(text)
                peer.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        thread.join()


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [(b"200 OK", 1, "still there"), (b"400 Bad", 0, "gone")],
    ids=["there", "gone"],
)
def test_malformed_bytes_are_sent_as_they_are(tmp_path: Path, status: bytes, code: int, says: str) -> None:
    finding = found(
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
    recipe = recipe_of(finding)
    assert isinstance(recipe, Recipe)
    with answering(status) as (url, heard):
        text, why = reproduction("pytest", finding, recipe, {}, url)
        assert not why
        (tmp_path / "it.py").write_bytes(text)
        ended = subprocess.run(
            [sys.executable, str(tmp_path / "it.py")], check=False, capture_output=True, env=os.environ
        )
    assert (ended.returncode, heard) == (code, [RAW])
    assert says in (ended.stdout + ended.stderr).decode()
