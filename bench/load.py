"""What benchmarks measure with: a local nginx that answers, and wrk that asks."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import msgspec

_START_SECONDS = 30
_NGINX = """
{user} daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port}{protocol};
    location / {{ default_type application/json; return 200 '{body}'; }}
    location /files/ {{ alias {files}/; }} }}
}}
"""


class Load(msgspec.Struct, frozen=True):
    """What one run of wrk saw."""

    requests_per_second: float
    p99_seconds: float
    failures: int


def tool(name: str) -> str:
    """The path of a program; exits where there is none."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        sys.exit(f"needs {name} on the PATH")
    return found


@contextmanager
def nginx(body: str, *, files: Path | None = None, protocol: str = "") -> Iterator[int]:
    """The port of an nginx with one worker that answers everything with `body`, JSON without quotes ``'``.

    What is in the folder `files` it serves below ``/files/``. `protocol` is ``"http2"`` for that alone.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # else it may not read what is root's
        settings.write_text(
            _NGINX.format(
                folder=folder, port=port, body=body, user=user, files=files or folder, protocol=f" {protocol}"
            )
        )
        with running([tool("nginx"), "-p", folder, "-c", str(settings)]):
            until(lambda: listens(port))
            yield port


def wrk(url: str, *, seconds: int, connections: int, field: str | None = None) -> Load:
    """What wrk reaches with one thread; `field` is a header field of every request."""
    command = [tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += ["-H", field] if field else []
    told = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
    assert rate is not None, told
    assert p99 is not None, told
    failures = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    return Load(
        requests_per_second=float(rate[1]),
        p99_seconds=float(p99[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[p99[2]],
        failures=int(failures[1]) if failures else 0,
    )


@contextmanager
def running(command: list[str]) -> Iterator[int]:
    """Runs a program for as long as the block; its process id."""
    program = subprocess.Popen(command)
    try:
        yield program.pid
    finally:
        program.terminate()
        try:
            program.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def listens(port: int) -> bool:
    """Whether connections to the port are accepted."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def until(holds: Callable[[], bool]) -> None:
    """Waits for something to hold; exits when that takes too long."""
    deadline = monotonic() + _START_SECONDS
    while not holds():
        if monotonic() > deadline:
            sys.exit("a part of the benchmark did not start")
        sleep(0.05)
