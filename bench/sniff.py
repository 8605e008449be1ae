"""Whether the sniffer keeps up: HTTP frames on loopback at a steady rate, with the pipeline running.

python -m bench.sniff [--rates 10000 20000 40000] [--seconds 10]

Runs ``shadow sniff`` with a candidate (nginx) and mutants, so that both cores have work, and sends frames of
a made capture to the loopback interface. Their addresses are nobody's, so the kernel answers none of them.
Told: frames sent and taken, what the kernel dropped, and whether the three agree. Needs nginx, and root.
"""

import argparse
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from time import monotonic, sleep

import msgspec

from bench.capture import pcap
from bench.load import nginx, until
from bench.make_capture import write
from shadow.wire.pcap import PcapReader

_BODY = '{"items": [{"id": 1, "name": "instance-1", "tags": ["a", "b"], "price": 0.5}]}'
_PORT = 8080
"""Of the server in the made capture."""
_TICK_SECONDS = 0.001


class Seen(msgspec.Struct, frozen=True):
    """What one run came to; frames are counted as they come in, once each."""

    sent: int
    seconds: float
    taken: int
    lost: int
    ledger: dict[str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rates", type=int, nargs="+", default=[10_000, 20_000, 40_000], metavar="N")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    for rate in options.rates:
        with tempfile.TemporaryDirectory() as folder, nginx(_BODY) as candidate:
            seen = _run(_frames(int(rate * options.seconds)), rate, candidate, Path(folder))
        print(
            f"{seen.sent / seen.seconds:.0f} frames/s: sent {seen.sent}, taken {seen.taken},"
            f" dropped by the kernel {seen.lost}, unexplained {seen.sent - seen.taken - seen.lost};"
            f" exchanges {seen.ledger}"
        )


def _frames(count: int) -> list[bytes]:
    with tempfile.TemporaryFile() as file:
        file.write(pcap([]))
        frames: list[bytes] = []
        reader = PcapReader()
        rng = Random(1)
        while len(frames) < count:
            file.seek(0)
            file.truncate()
            write(file, count * 900, rng)
            file.seek(0)
            frames += [frame for _, _, frame in reader.feed(file.read())]
    return frames[:count]


def _run(frames: list[bytes], rate: int, candidate: int, folder: Path) -> Seen:
    told = folder / "told"
    command = [sys.executable, "-m", "shadow", "sniff", "--interface", "lo", "--port", str(_PORT)]
    command += ["--candidate", f"http://127.0.0.1:{candidate}", "--out", str(folder / "out"), "--quiet"]
    with told.open("wb") as stream:
        sniffer = subprocess.Popen(command, stderr=stream, stdout=subprocess.DEVNULL)
    until(lambda: b"listening on" in told.read_bytes())
    try:
        seconds = _send(frames, rate)
    finally:
        sniffer.send_signal(signal.SIGINT)
        sniffer.wait(120)
    found = re.search(rb"took (\d+) frames; the kernel dropped (\d+)", told.read_bytes())
    assert found is not None, told.read_text()
    summary = msgspec.json.decode((folder / "out" / "summary.json").read_bytes())
    return Seen(len(frames), seconds, int(found[1]), int(found[2]), summary["ledger"])


def _send(frames: list[bytes], rate: int) -> float:
    """Sends the frames at `rate` per second; how long that took."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind(("lo", 0))
        began, sent = monotonic(), 0
        while sent < len(frames):
            due = min(int((monotonic() - began) * rate) + 1, len(frames))
            for frame in frames[sent:due]:
                out.send(frame)
            sent = due
            sleep(_TICK_SECONDS)
        return monotonic() - began


if __name__ == "__main__":
    main()
