"""A service recorded for `bench.judging`, and which of its requests show which cause."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

from bench.capture import Talk, pcap
from bench.judging_causes import Cause
from bench.judging_scoring import Truth
from bench.judging_serving import written
from bench.judging_shop import Shop, traffic
from shadow.model import Exchange, Request, Response
from shadow.taps.jsonl import encode

_BEGAN = 1_772_355_600.0
"""2026-03-01 09:00 UTC, as the recorded server's clock says."""


def recorded(path: Path, live: Shop, count: int, causes: Sequence[Cause], dice: Random) -> Truth:
    """Write traffic of about `count` exchanges; the exchanges that would show each of `causes`."""
    truth: dict[str, set[int]] = {each.name: set() for each in causes}
    exchanges: list[Exchange] = []
    for index, (session, ask) in enumerate(traffic(count, dice)):
        request = live.request(ask)
        answer = live.answer(ask)
        for cause in causes:
            if cause.shows(ask, answer, Random(index)) is not None:
                truth[cause.name].add(index)
        exchanges.append(_exchange(index, session, request, answer.response()))
    if path.suffix == ".pcap":
        _write_capture(path, exchanges)
    else:
        path.write_bytes(b"".join(map(encode, exchanges)))
    return {name: frozenset(found) for name, found in truth.items()}


def _exchange(index: int, session: str, request: Request, response: Response) -> Exchange:
    return Exchange(index, "bench", session, _BEGAN + index, request, response, 0.002)


def _write_capture(path: Path, exchanges: Sequence[Exchange]) -> None:
    talks: dict[str, Talk] = {}
    for each in exchanges:
        talk = talks.get(each.session)
        if talk is None:
            address = (f"10.0.0.{len(talks) + 1}", 40_000)
            talk = talks[each.session] = Talk(address, at=each.seen_at - 0.5).open()
        talk.time = each.seen_at
        assert each.response is not None
        talk.say(0, _said(each.request)).say(1, written(each.response, each.request.method))
    packets = [packet for talk in talks.values() for packet in talk.close().packets]
    path.write_bytes(pcap(sorted(packets, key=lambda packet: packet[0])))


def _said(request: Request) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (request.method, request.target)]
    lines += [b"%b: %b" % pair for pair in request.headers]
    return b"\r\n".join([*lines, b"", request.body])
