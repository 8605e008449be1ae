"""The pages, feeds and texts of the shop that `bench.judging` replays."""

from collections.abc import Callable
from random import Random
from typing import Protocol

from bench.judging_answers import Answer, Ask

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>Page {number} of the shop</title>
<meta name="csrf-token" content="{csrf}">
<link rel="stylesheet" href="/static/site.css?v=3">
<script nonce="{nonce}">window.started = "{now}";</script></head>
<body><h1>Page {number}</h1>
<nav><a href="/page/0">first</a> <a href="/page/{next}">next</a> <a class="out" href="/logout">leave</a></nav>
<ul class="list">{rows}</ul>
<p id="sum">In all {total} things at {price} EUR</p>
<p class="made">made at {now} by <b>node-{node}</b></p>
<footer>imprint</footer></body></html>
"""
_FORM = """<!DOCTYPE html>
<html><head><title>Write to us</title></head><body>
<form action="/contact" method="post"><input type="hidden" name="csrf" value="{csrf}">
<input name="email" type="email" required><textarea name="text" maxlength="500"></textarea>
<button type="submit">Send</button></form><p>We answer within two days.</p></body></html>
"""
_METRICS = """# HELP shop_requests_total Requests.
# TYPE shop_requests_total counter
shop_requests_total{{code="200"}} {total}
# TYPE shop_memory_bytes gauge
shop_memory_bytes {memory}
# TYPE shop_workers gauge
shop_workers 4
shop_build_info{{version="1.4.2"}} 1
"""
_FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>News</title><lastBuildDate>{now}</lastBuildDate>{items}</channel></rss>
"""


class Volatile(Protocol):
    """What a page has of its server that is new each time."""

    dice: Random

    def token(self, chars: int = 43) -> str: ...
    def hex(self, chars: int) -> str: ...
    def now(self, *, form: str = "iso") -> str: ...


def answers(server: Volatile) -> dict[str, Callable[[Ask], Answer]]:
    """Answers by the name of their endpoint."""
    return {
        "GET /page/{}": lambda ask: _page(server, ask),
        "GET /form": lambda _: _html(_FORM.format(csrf=server.token())),
        "GET /login": lambda _: _login(server),
        "GET /old": lambda _: Answer(301, [("Location", "/page/1")], "moved", "text/plain"),
        "GET /metrics": lambda _: _metrics(server),
        "GET /export.csv": lambda _: Answer(body=_csv(), kind="text/csv; charset=utf-8"),
        "GET /feed.xml": lambda _: _feed(server),
        "GET /robots.txt": lambda _: Answer(body="User-agent: *\nDisallow: /v1/\n", kind="text/plain"),
    }


def _html(text: str) -> Answer:
    return Answer(body=text, kind="text/html; charset=utf-8", fields=[("X-Frame-Options", "DENY")])


def _page(server: Volatile, ask: Ask) -> Answer:
    number = ask.numbers[0]
    plain = Random(number)
    rows = "".join(
        f'<li data-n="{at}"><a href="/page/{at}">thing {plain.randrange(99)}</a></li>' for at in range(5)
    )
    return _html(
        _PAGE.format(
            number=number,
            next=number + 1,
            rows=rows,
            total=40 + number,
            price=round(plain.uniform(5, 90), 2),
            csrf=server.token(),
            nonce=server.hex(32),
            now=server.now(),
            node=server.dice.choice("abc"),
        )
    )


def _login(server: Volatile) -> Answer:
    cookie = f"sid={server.token(40)}; Path=/; HttpOnly; SameSite=Strict"
    state = f"https://id.example.com/authorize?client_id=shop&scope=openid&state={server.token(24)}"
    return Answer(302, [("Set-Cookie", cookie), ("Location", state)], "", "text/plain")


def _metrics(server: Volatile) -> Answer:
    text = _METRICS.format(
        total=server.dice.randrange(1000, 99_999), memory=server.dice.randrange(10**7, 10**8)
    )
    return Answer(body=text, kind="text/plain; version=0.0.4")


def _csv() -> str:
    rows = [f"{at},thing {at},{at * 1.5:.2f},{'yes' if at % 2 else 'no'}" for at in range(12)]
    return "\r\n".join(["id,name,price,stocked", *rows, ""])


def _feed(server: Volatile) -> Answer:
    items = "".join(
        f"<item><title>news {at}</title><guid isPermaLink='false'>{server.hex(32)}</guid>"
        f"<category>c{at % 2}</category><pubDate>{server.now(form='http')}</pubDate></item>"
        for at in range(4)
    )
    return Answer(body=_FEED.format(now=server.now(form="http"), items=items), kind="application/rss+xml")
