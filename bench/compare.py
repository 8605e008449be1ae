"""What comparing two answers costs: ours beside plain DeepDiff over the parsed bodies, in one run.

Each case is timed in turn by both, in small batches, and the fastest of each is shown, in time of the
processor: the machine's speed changes over time, and nothing but noise makes a run slower than its fastest.
The ratio of both says the same on any machine.

Run it as ``python -m bench.compare [--rounds 5]``. Exits with 1 where a goal is missed.
"""

import argparse
import sys
from collections.abc import Callable
from time import thread_time
from typing import Any

import orjson
from deepdiff import DeepDiff

from comparators import compare
from shadow.model import Headers, Response

_SECONDS_PER_ROUND = 0.2
_SECONDS_PER_BATCH = 0.005
_PLAIN_LIMIT_BYTES = 200_000
"""DeepDiff is not asked about larger bodies: it would take minutes."""
_GOALS = {
    "equal bytes": 5e-6,
    "equal as parsed, 2 kB": 60e-6,
    "one leaf in 91 kB": 3e-3,
    "one text in a 50 kB page": 10e-3,
    "one text in 50 kB of XML": 10e-3,
}
"""Seconds, from what the pipeline can spend on one answer at a thousand a second and core."""


def item(number: int) -> dict[str, Any]:
    """A member of a list as an API would send it, about 180 bytes."""
    return {
        "id": f"i-{number:06d}",
        "name": f"vm {number}",
        "status": "STARTED",
        "vcpus": 4,
        "memory_mb": 2048,
        "price": 1.25 * number,
        "tags": ["a", "b"],
        "active": True,
        "created_at": "2024-01-01T00:00:00Z",
    }


def page(count: int) -> dict[str, Any]:
    return {"items": [item(number) for number in range(count)], "next": None}


def answer(value: Any, stamp: bytes = b"1") -> Response:
    headers: Headers = (
        (b"Content-Type", b"application/json"),
        (b"Date", stamp),
        (b"X-Request-Id", stamp),
        (b"ETag", b'"1"'),
        (b"Vary", b"Accept-Encoding"),
    )
    return Response(200, headers=headers, body=orjson.dumps(value))


def cases() -> dict[str, tuple[Response, Response]]:
    small, large = page(12), page(560)
    turned = {"next": None, "items": [dict(reversed(each.items())) for each in small["items"]]}
    leaf, shorter = page(560), page(560)
    leaf["items"][280]["price"] = 0
    del shorter["items"][100]
    return {
        "equal bytes": (answer(small), answer(small)),
        "equal body, other head": (answer(small), answer(small, b"2")),
        "equal as parsed, 2 kB": (answer(small), answer(turned, b"2")),
        "one leaf in 91 kB": (answer(large), answer(leaf, b"2")),
        "one item gone in 91 kB": (answer(large), answer(shorter, b"2")),
        "every id new in 91 kB": (
            answer(large),
            answer({**large, "items": [{**each, "id": f"x-{each['id']}"} for each in large["items"]]}, b"2"),
        ),
        **arrays(),
        **large_bodies(),
        **documents(),
    }


def arrays() -> dict[str, tuple[Response, Response]]:
    """A thousand objects, of which some came, some moved, and some have no name to know them by."""
    items = [item(number) for number in range(1000)]
    more = [*items[:300], item(2000), *items[300:700], item(2001), *items[700:]]
    nameless = [{"x": number * 7919 % 1000, "y": number % 10} for number in range(1000)]
    moved = [*nameless[500:], *nameless[:500]]
    texts = [{"id": each["id"], "payload": orjson.dumps(each).decode()} for each in items[:300]]
    others = [
        {**each, "payload": orjson.dumps({**held, "price": 1}).decode()}
        for each, held in zip(texts, items[:300], strict=True)
    ]
    return {
        "two came among 1,000": (answer(items), answer(more)),
        "1,000 in reverse": (answer(items), answer(items[::-1])),
        "1,000 nameless turned": (answer(nameless), answer(moved)),
        "nameless, two came": (
            answer(nameless),
            answer([{"x": -1}, *nameless[:600], {"x": -2}, *nameless[600:]]),
        ),
        "300 JSON texts": (answer(texts), answer(others)),
    }


def large_bodies() -> dict[str, tuple[Response, Response]]:
    large, leaf = page(11_500), page(11_500)
    leaf["items"][5000]["price"] = 0
    members = {f"key{number}": number for number in range(100_000)}
    return {
        "one leaf in 2 MB": (answer(large), answer(leaf)),
        "one of 100,000 members": (answer(members), answer({**members, "key500": 0})),
        "100,000 numbers, one came": (
            answer(list(range(100_000))),
            answer([*range(500), -1, *range(500, 90_000), -2, *range(90_000, 100_000)]),
        ),
    }


def documents() -> dict[str, tuple[Response, Response]]:
    """A page and an XML document of 50 kB."""
    rows = "".join(
        f'<tr class="row{at % 2}"><td><a href="/x/{at}/">item {at}</a></td><td>{at * 3}</td>'
        f"<td class=d>Nov. {at % 28 + 1}, 2026</td></tr>\n"
        for at in range(500)
    )
    gone = rows[: rows.index("\n") + 1]
    html = f"<!doctype html><title>T</title><div id=main><table id=goods>{rows}</table></div>"
    orders = "".join(
        f'<order id="o-{at}"><name>n {at}</name><price currency="EUR">{at}.5</price></order>'
        for at in range(700)
    )
    xml = f'<orders xmlns="urn:shop">{orders}</orders>'
    return {
        "one text in a 50 kB page": _documents(html, html.replace(">item 250<", ">thing 250<"), b"text/html"),
        "one row gone of it": _documents(html, html.replace(gone, "", 1), b"text/html"),
        "each class of it": _documents(html, html.replace("class=d", "class=e"), b"text/html"),
        "one text in 50 kB of XML": _documents(xml, xml.replace(">n 350<", ">m 350<"), b"application/xml"),
        "layout of it alone": _documents(xml, xml.replace("<order ", "<order\n"), b"application/xml"),
    }


def _documents(left: str, right: str, kind: bytes) -> tuple[Response, Response]:
    one, other = (
        Response(200, headers=((b"Content-Type", kind),), body=each.encode()) for each in (left, right)
    )
    return one, other


def plainly(control: Response, other: Response) -> object:
    """Over the parsed bodies, or over their lines where they are no JSON."""
    if control.body[:1] == b"<":
        return DeepDiff(control.body.decode().split(">"), other.body.decode().split(">"))
    return DeepDiff(orjson.loads(control.body), orjson.loads(other.body))


def seconds(run: Callable[[], object]) -> float:
    """Seconds of one call: of the fastest batch of them within a round."""
    best, spent, count = float("inf"), 0.0, 1
    while spent < _SECONDS_PER_ROUND:
        started = thread_time()
        for _ in range(count):
            run()
        taken = thread_time() - started
        spent += taken
        best = min(best, taken / count)
        count = max(1, min(10_000, int(_SECONDS_PER_BATCH / best)))
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{'case':26}{'bytes':>8}{'found':>7}{'ours':>12}{'DeepDiff':>12}{'ratio':>8}{'goal':>12}")
    missed = 0
    for name, (control, other) in cases().items():
        ours = min(seconds(lambda: compare(control, other)) for _ in range(rounds))  # noqa: B023 - called at once
        theirs = None
        if max(len(control.body), len(other.body)) <= _PLAIN_LIMIT_BYTES:
            theirs = min(seconds(lambda: plainly(control, other)) for _ in range(min(rounds, 2)))  # noqa: B023 - so too
        goal = _GOALS.get(name)
        missed += goal is not None and ours > goal
        found = len(compare(control, other))
        shown = "" if goal is None else f"{goal * 1e6:.0f} µs"
        beside = "         -         -" if theirs is None else f"{theirs * 1e6:9.0f} µs{theirs / ours:8.0f}"
        print(f"{name:26}{len(control.body):8}{found:7}{ours * 1e6:9.1f} µs{beside}{shown:>12}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
