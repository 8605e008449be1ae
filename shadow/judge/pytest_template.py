"""The fixed parts of a finding's file for pytest: the standard library alone, Python 3.9 and later."""

HEAD = '''"""{title}

Finding {id}, {severity}, {fault}. {why}
Fails while it is there. Sent to SHADOW_TARGET, or else to the address below.{notes}
As a program it ends with 0 where it is gone, 1 where it is there, 4 where that cannot be told.
"""

import http.client
import json
import os
import socket
import ssl
import sys
import threading
import time
from urllib.parse import urlsplit

TARGET = os.environ.get("SHADOW_TARGET", {origin!r})
TIMEOUT_SECONDS = float(os.environ.get("SHADOW_TIMEOUT", "10"))
'''

BODY = '''

class Unreachable(Exception):
    """Nobody is there to answer, which says nothing of the finding."""


class Answer:
    """What came back. Without an answer the status is 0, and `silence` says why."""

    def __init__(self, status=0, headers=(), body=b"", silence=""):
        self.status, self.headers, self.body, self.silence = status, headers, body, silence

    def __repr__(self):
        return f"<{self.silence or self.status} {self.text[:500]}>"

    @property
    def text(self):
        return self.body.decode("utf-8", "backslashreplace")

    @property
    def kind(self):
        if self.silence:
            return {"closed": "rejected", "timed out": "hung"}.get(self.silence, "broken")
        if self.status < 300:
            return "success"
        if self.status < 400:
            return "redirect"
        return "rejected" if self.status < 500 or self.status in (501, 505) else "broken"

    @property
    def is_accepted(self):
        return self.kind == "success"

    @property
    def is_sound(self):
        return not self.silence and self.kind != "broken"

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None

    def at(self, path):
        try:
            found = [json.loads(self.body)]
        except ValueError:
            return []
        for step in filter(None, path.replace("[]", ".[]").removeprefix("$").split(".")):
            if step == "[]":
                found = [item for each in found if isinstance(each, list) for item in each]
            else:
                found = [each[step] for each in found if isinstance(each, dict) and step in each]
        return found

    def count(self, path):
        return len(self.at(path))

    def types(self, path):
        return {type(each).__name__ for each in self.at(path)}


def words(text):
    """`text` with the secrets and the values of today."""
    for mask, name in SECRETS.items():
        if mask in text and name not in os.environ:
            skip(f"set {name} to the value that {mask.decode()} hides")
        text = text.replace(mask, os.environ.get(name, "").encode())
    for before, now in VALUES.items():
        text = text.replace(before, now)
    return text


def skip(why):
    if "pytest" not in sys.modules:
        print(f"cannot tell: {why}", file=sys.stderr)
        sys.exit(4)
    import pytest

    pytest.skip(why)


def fitted(text, was):
    """`text` with the length of its body, where `was` stated its own."""
    head, end, body = text.partition(b"\\r\\n\\r\\n")
    before = b"content-length: %d" % len(was.partition(b"\\r\\n\\r\\n")[2])
    lines = [
        b"Content-Length: %d" % len(body) if line.lower() == before else line
        for line in head.split(b"\\r\\n")
    ]
    return b"\\r\\n".join(lines) + end + body


def connect():
    parts = urlsplit(TARGET)
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    try:
        made = socket.create_connection((parts.hostname, port), TIMEOUT_SECONDS)
        if not is_tls:
            return made
        return ssl._create_unverified_context().wrap_socket(made, server_hostname=parts.hostname)
    except OSError as error:
        raise Unreachable(f"no connection to {TARGET}: {error}") from error


def send(segments, *, is_exact=False, pause_seconds=0.0, gate=None, made=None):
    """The answer to a request that is written as it stands."""
    texts = [words(each) for each in segments]
    if not is_exact:
        texts = [fitted(b"".join(texts), b"".join(segments))]
    try:
        with made or connect() as made:
            if gate is not None:
                gate.wait()
            for at, text in enumerate(texts):
                time.sleep(pause_seconds if at else 0)
                made.sendall(text)
            response = http.client.HTTPResponse(made, method=texts[0].split(b" ")[0].decode("latin-1"))
            response.begin()
            while response.status < 200 and response.status != 101:
                response.headers = None
                response.begin()
            return Answer(response.status, response.getheaders(), response.read())
    except socket.timeout:
        return Answer(silence="timed out")
    except (ConnectionError, http.client.RemoteDisconnected):
        return Answer(silence="closed")
    except (http.client.HTTPException, ValueError):
        return Answer(silence="not HTTP")


def take(answer, captures):
    """Remember the values of an answer that later requests name."""
    for path, word in captures:
        try:
            value = json.loads(answer.body)
            for step in path:
                value = value[step]
        except (ValueError, LookupError, TypeError):
            continue
        VALUES[word] = str(value).encode()


def at_once(requests):
    gate, answers = threading.Barrier(len(requests)), [None] * len(requests)
    made = [connect() for _ in requests]

    def one(at):
        answers[at] = send(requests[at]["segments"], gate=gate, made=made[at])

    threads = [threading.Thread(target=one, args=(at,)) for at in range(len(requests))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return answers

'''

CONTROLLED = """\
    control = send(CONTROL["segments"])
    if not control.is_accepted:
        skip(f"the unedited request succeeded in the run, and does not now: {control}")
    prepare()
"""

RUN = """
def prepare():
    VALUES.clear()
    for step in BEFORE:
        take(send(step["segments"]), step["captures"])


def test_finding_{id}():
    prepare()
{control}    answers = []
{judged}    answer = answers[-1]
{claims}


if __name__ == "__main__":
    try:
        test_finding_{id}()
    except AssertionError as error:
        sys.exit(f"still there: {{error}}")
    except Unreachable as error:
        print(f"cannot tell: {{error}}", file=sys.stderr)
        sys.exit(4)
    print("gone")
"""
