"""A shop's API as `bench.judging` replays it: ids, dates, tokens, counters, cursors, sets, cookies."""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench import judging_pages
from bench.judging_answers import Answer, Ask
from shadow.model import Request

ITEMS, USERS, FILES, PAGES, WORDS = 12, 4, 3, 4, 6
_NAMES = ("lamp", "table", "chair", "shelf", "desk", "sofa", "rug", "clock", "vase", "bed", "mirror", "stool")
_STATES = ("ACTIVE", "RETIRED", "DRAFT")
_COUNTRIES = ("Austria", "Belgium", "Chile", "Denmark", "Estonia", "France", "Greece", "Hungary")
_NANO = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Shop:
    """One server. `seed` makes its ids and secrets, `started_at` is its clock as it starts."""

    def __init__(self, seed: int, host: str, started_at: datetime) -> None:
        self.dice = Random(seed)
        self.host = host
        self._made = Random(seed + 1)
        self._seed = seed
        self._now = started_at
        self._born = started_at - timedelta(days=self._made.randrange(3, 9))
        self._ids: dict[tuple[str, int], str] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        for kind, count in (("items", ITEMS), ("users", USERS)):
            for number in range(count):
                self._name(kind, number, self._new_id(kind))
        self._orders: list[dict[str, Any]] = []
        self._stock: dict[int, int] = {}
        self._count = self._made.randrange(1000, 9000)
        self._asked = 0
        self.answers: dict[str, Callable[[Ask], Answer]] = {
            "GET /v1/items": self._items,
            "GET /v1/items/{}": self._item,
            "PUT /v1/items/{}/stock": self._restock,
            "POST /v1/orders": self._order,
            "GET /v1/orders/{}": self._ordered,
            "GET /v1/stats": self._stats,
            "GET /v1/me": self._me,
            "GET /v1/search": self._search,
            "GET /v1/files/{}/link": self._link,
            "GET /v1/countries": self._countries,
            "GET /v1/config": self._config,
            "GET /v1/users/{}": self._user,
            "GET /v1/report": self._report,
            "GET /v1/audit": self._audit,
            "GET /v1/tags": self._tags,
            "GET /v1/gone": lambda _: self._error(404, "not_found", "there is no such thing"),
            "GET /v1/health": lambda _: Answer(body={"status": "ok", "checks": {"db": "up", "cache": "up"}}),
        } | judging_pages.answers(self)

    # --- requests

    def request(self, ask: Ask) -> Request:
        method, _, path = ask.endpoint.partition(" ")
        kinds = re.findall(r"/(\w+)/\{\}", path)
        for kind, number in zip(kinds, ask.numbers, strict=True):
            path = path.replace("{}", self._ids.get((kind, number), str(number)), 1)
        if ask.query:
            path += f"?{ask.query}"
        body = b"" if ask.body is None else json.dumps(ask.body).encode()
        fields = [(b"Host", self.host.encode()), (b"User-Agent", b"bench/1"), (b"Accept", b"*/*")]
        if body:
            fields += [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(body))]
        return Request(method.encode(), path.encode(), headers=tuple(fields), body=body)

    def read(self, request: Request) -> Ask | None:
        parts = urlsplit(request.target.decode("latin-1"))
        steps = parts.path.split("/")
        for at in range(1, len(steps)):
            name = f"{request.method.decode()} " + "/".join([*steps[:at], "{}", *steps[at + 1 :]])
            if name in self.answers:
                number = self._numbers.get((steps[at - 1], steps[at]))
                if number is None and not (steps[at].isdigit() and int(steps[at]) < 100):
                    return None
                found = int(steps[at]) if number is None else number
                return Ask(name, (found,), parts.query, _json(request.body))
        name = f"{request.method.decode()} {parts.path}"
        return Ask(name, (), parts.query, _json(request.body)) if name in self.answers else None

    def answer(self, ask: Ask | None) -> Answer:
        self._now += timedelta(milliseconds=self.dice.randrange(20, 400))
        self._asked += self.dice.randrange(1, 4)
        made = (
            self._error(404, "not_found", "there is no such resource")
            if ask is None
            else self.answers[ask.endpoint](ask)
        )
        fields = [
            ("Date", format_datetime(self._now, usegmt=True)),
            ("X-Request-Id", str(self.uuid())),
            ("X-Release", "shop"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Node", f"node-{self.dice.choice('abc')}"),
            ("Vary", "Accept, Accept-Encoding"),
        ]
        made.fields = [*fields, *made.fields]
        return made

    # --- what changes by itself

    def uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self.dice.getrandbits(128), version=4)

    def hex(self, chars: int) -> str:
        return f"{self.dice.getrandbits(4 * chars):0{chars}x}"

    def now(self, *, form: str = "iso") -> str:
        if form == "http":
            return format_datetime(self._now, usegmt=True)
        return self._now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def token(self, chars: int = 43) -> str:
        return "".join(self.dice.choices(_NANO, k=chars))

    def born(self, number: int) -> datetime:
        """When a resource was made: by a seed script that ran once on this server."""
        return self._born + timedelta(seconds=Random(f"{self._seed}:{number}").randrange(3600))

    # --- answers

    def _items(self, ask: Ask) -> Answer:
        query = parse_qs(ask.query)
        offset, limit = int(query.get("offset", ["0"])[0]), int(query.get("limit", ["5"])[0])
        numbers = range(offset, min(offset + limit, ITEMS))
        cursor = base64.urlsafe_b64encode(json.dumps({"a": self._ids["items", 0], "o": offset}).encode())
        return Answer(
            body={
                "items": [self.item(number) for number in numbers],
                "total": ITEMS,
                "next_cursor": cursor.decode() if offset + limit < ITEMS else None,
                "took_ms": self.dice.randrange(1, 90),
                "request_id": self.hex(16),
                "generated_at": self.now(),
            },
            coding="gzip" if offset else "",
        )

    def item(self, number: int) -> dict[str, Any]:
        plain = Random(number)
        labels = [f"label{at}" for at in range(4)]
        self.dice.shuffle(labels)
        born = self.born(number)
        return {
            "id": self._ids["items", number],
            "sku": f"SKU-{number * 7:04d}",
            "name": f"{_NAMES[number]} n{chr(0xE9)}o",
            "price": round(plain.uniform(3, 300), 2) + 0.001 * (number % 3),
            "stock": self._stock.get(number, plain.randrange(1, 50)),
            "status": plain.choice(_STATES),
            "labels": labels,
            "colors": plain.sample(["red", "green", "blue", "black", "white"], 3),
            "created_at": born.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "updated_at": (born + timedelta(hours=number)).isoformat(timespec="microseconds"),
            "rating": round(plain.uniform(1, 5), 3),
            "dims": {"w": plain.randrange(5, 200), "h": plain.randrange(5, 200), "unit": "cm"},
            "note": None if number % 3 else "fragile",
            "active": bool(number % 4),
            "related": [],
            "maker": {"name": f"maker {number % 3}", "country": plain.choice(_COUNTRIES)},
        }

    def _item(self, ask: Ask) -> Answer:
        number = ask.numbers[0]
        if number >= ITEMS:
            return self._error(404, "not_found", f"no item {number}")
        item = self.item(number)
        tag = hashlib.sha1(f"{item['updated_at']}{item['id']}".encode()).hexdigest()[:20]
        born = format_datetime(self.born(number), usegmt=True)
        return Answer(
            body=item,
            fields=[("ETag", f'"{tag}"'), ("Last-Modified", born), ("Cache-Control", "private, max-age=60")],
        )

    def _restock(self, ask: Ask) -> Answer:
        number = ask.numbers[0]
        self._stock[number] = int(ask.body["stock"])
        return Answer(
            body={"id": self._ids["items", number], "stock": self._stock[number], "updated_at": self.now()}
        )

    def _order(self, ask: Ask) -> Answer:
        if ask.body["quantity"] < 1:
            return self._error(422, "invalid_quantity", "quantity must be at least 1", field="quantity")
        self._count += self.dice.randrange(1, 3)
        number = len(self._orders)
        order = {
            "id": self._new_id("orders"),
            "number": self._count,
            "reference": f"ORD-{self._count}",
            "status": "pending",
            "quantity": ask.body["quantity"],
            "total": round(ask.body["quantity"] * 19.99, 2),
            "currency": "EUR",
            "placed_at": self.now(),
            "lines": [
                {"line_id": str(self.uuid()), "sku": ask.body["sku"], "quantity": ask.body["quantity"]}
            ],
            "discounts": [],
        }
        order["links"] = {"self": f"http://{self.host}/v1/orders/{order['id']}"}
        self._orders.append(order)
        self._name("orders", number, str(order["id"]))
        return Answer(201, [("Location", f"/v1/orders/{order['id']}")], order)

    def _ordered(self, ask: Ask) -> Answer:
        number = ask.numbers[0]
        if number >= len(self._orders):
            return self._error(404, "not_found", "no such order")
        return Answer(body=self._orders[number])

    def _stats(self, ask: Ask) -> Answer:  # noqa: ARG002
        return Answer(
            body={
                "version": "1.4.2",
                "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8",
                "workers": 4,
                "pid": self.dice.randrange(300, 40_000),
                "uptime_seconds": round(self.dice.uniform(10, 9000), 3),
                "requests_total": self._asked,
                "memory_bytes": self.dice.randrange(80_000_000, 90_000_000),
                "cpu_percent": round(self.dice.uniform(0, 100), 1),
                "hit_rate": round(0.93 + self.dice.uniform(-0.01, 0.01), 6),
                "load": [round(self.dice.uniform(0, 4), 2) for _ in range(3)],
                "limits": {"connections": 512, "body_bytes": 1048576},
                "features": ["export", "search", "graph"],
            }
        )

    def _me(self, ask: Ask) -> Answer:  # noqa: ARG002
        cookie = f"session={self.token(32)}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=3600"
        return Answer(
            body={
                "user": self._user_of(1),
                "csrf_token": self.token(),
                "roles": ["reader", "writer", "owner"],
                "last_seen": int(self._now.timestamp()),
                "quota": {"used": 12, "of": 100},
            },
            fields=[("Set-Cookie", cookie), ("Set-Cookie", "theme=dark; Path=/")],
        )

    def _user_of(self, number: int) -> dict[str, Any]:
        return {
            "id": int(self._ids["users", number]),
            "name": f"user {number}",
            "email": f"user{number}@example.com",
            "verified": True,
            "balance": 12.5 + number,
        }

    def _user(self, ask: Ask) -> Answer:
        number = ask.numbers[0]
        if number >= USERS:
            return self._error(404, "not_found", "no such user")
        return Answer(body=self._user_of(number) | {"joined": self.born(number).date().isoformat()})

    def _search(self, ask: Ask) -> Answer:
        word = parse_qs(ask.query)["q"][0]
        plain = Random(word)
        hits = [
            {
                "ref": "".join(Random(f"{self._seed}{word}{at}").choices(_NANO, k=21)),
                "title": f"{word} {plain.choice(_NAMES)} {at}",
                "score": round(plain.uniform(0, 1), 5),
                "rank": at + 1,
            }
            for at in range(6)
        ]
        token = self.token(28)
        link = f'<http://{self.host}/v1/search?q={word}&page_token={token}>; rel="next"'
        return Answer(
            body={"query": word, "hits": hits, "next_page_token": token, "elapsed": self.dice.random() / 9},
            fields=[("Link", link), ("X-Total-Count", "6")],
        )

    def _link(self, ask: Ask) -> Answer:
        number = ask.numbers[0] % FILES
        stamp = self._now.strftime("%Y%m%dT%H%M%SZ")
        url = (
            f"https://files.example.com/bucket/file{number}.bin?X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Date={stamp}&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={self.hex(64)}"
        )
        return Answer(body={"url": url, "expires_in": 900, "size": 1000 + number, "expires_at": self.now()})

    def _countries(self, ask: Ask) -> Answer:  # noqa: ARG002
        made = [
            {"code": each[:2].upper(), "name": each, "population": 1000 * len(each)} for each in _COUNTRIES
        ]
        return Answer(body=made, fields=[("ETag", '"countries-7"'), ("Cache-Control", "public, max-age=600")])

    def _config(self, ask: Ask) -> Answer:  # noqa: ARG002
        return Answer(
            body={
                "mode": "FAST",
                "ratio": 0.25,
                "limit": 100,
                "region": "eu-west-1",
                "flags": {"beta": True, "dark": False},
                "valid_from": "2023-01-01T00:00:00Z",
                "motd": "welcome to the shop",
                "hosts": [f"{each}.example.com" for each in "pqrstu"],
                "secret_hint": None,
                "build": "r2024a",
                "owner_id": 41,
            }
        )

    def _report(self, ask: Ask) -> Answer:  # noqa: ARG002
        plain = Random(5)
        rows = {
            f"2024-{month:02d}-{day:02d}": {
                "sold": plain.randrange(99),
                "net": round(plain.uniform(1, 999), 2),
            }
            for month in range(1, 4)
            for day in range(1, 29)
        }
        return Answer(body={"rows": rows, "sum": 4711, "etag": self.hex(32), "made": self.now(form="http")})

    def _audit(self, ask: Ask) -> Answer:  # noqa: ARG002
        entries = [
            {
                "seq": at + 1,
                "event_id": self._ulid(),
                "actor": f"user{at % USERS}@example.com",
                "action": ("login", "view", "edit")[at % 3],
                "ip": "10.0.0.7",
                "trace": {"trace_id": self.hex(32), "duration_ms": round(self.dice.uniform(0.1, 9), 3)},
            }
            for at in range(8)
        ]
        return Answer(body={"entries": entries, "has_more": False})

    def _tags(self, ask: Ask) -> Answer:  # noqa: ARG002
        tags = [{"tag": f"t{at}", "count": at * 3} for at in range(7)]
        self.dice.shuffle(tags)
        return Answer(body={"tags": tags, "popular": ["t6", "t5", "t4", "t3", "t2"]})

    def _error(self, status: int, code: str, message: str, **more: str) -> Answer:
        error = {"code": code, "message": message, "request_id": self.hex(12)} | more
        return Answer(status, body={"error": error})

    # --- ids

    def _new_id(self, kind: str) -> str:
        if kind == "orders":
            return self._ulid()
        if kind == "users":
            return str(self._made.randrange(10**17, 10**18))
        return str(uuid.UUID(int=self._made.getrandbits(128), version=4))

    def _ulid(self) -> str:
        at = int(self._now.timestamp() * 1000)
        number = at << 80 | self.dice.getrandbits(80)
        return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -5, -5))

    def _name(self, kind: str, number: int, text: str) -> None:
        self._ids[kind, number] = text
        self._numbers[kind, text] = number


def traffic(count: int, rng: Random) -> Iterator[tuple[str, Ask]]:  # noqa: C901, PLR0912
    """`count` requests of several clients: session and what is asked. Resources are listed before use."""
    sessions = [f"c{at}" for at in range(6)]
    for session in sessions:
        for offset in (0, 5, 10):
            yield session, Ask("GET /v1/items", query=f"limit=5&offset={offset}")
        yield session, Ask("GET /v1/me")
    orders = 0
    choices = list(_CHOICES)
    for _ in range(max(0, count - 4 * len(sessions))):
        (endpoint,) = rng.choices(choices, [_CHOICES[each] for each in choices])
        session = rng.choice(sessions)
        match endpoint:
            case "GET /v1/items":
                yield session, Ask(endpoint, query=f"limit=5&offset={rng.choice((0, 5, 10))}")
            case "GET /v1/items/{}":
                yield session, Ask(endpoint, (rng.randrange(ITEMS + 1),))
            case "PUT /v1/items/{}/stock":
                yield session, Ask(endpoint, (rng.randrange(ITEMS),), body={"stock": rng.randrange(1, 50)})
            case "POST /v1/orders":
                quantity = rng.randrange(0, 6)
                yield session, Ask(endpoint, body={"sku": "SKU-0007", "quantity": quantity})
                if quantity:
                    yield session, Ask("GET /v1/orders/{}", (orders,))
                    orders += 1
            case "GET /v1/search":
                yield session, Ask(endpoint, query=f"q={rng.choice(_NAMES[:WORDS])}")
            case "GET /v1/users/{}":
                yield session, Ask(endpoint, (1,))
            case "GET /v1/files/{}/link":
                yield session, Ask(endpoint, (rng.randrange(FILES),))
            case "GET /page/{}":
                yield session, Ask(endpoint, (rng.randrange(PAGES),))
            case _:
                yield session, Ask(endpoint)


_CHOICES = {
    "GET /v1/items": 5,
    "GET /v1/items/{}": 12,
    "PUT /v1/items/{}/stock": 3,
    "POST /v1/orders": 6,
    "GET /v1/stats": 5,
    "GET /v1/me": 4,
    "GET /v1/search": 6,
    "GET /v1/files/{}/link": 4,
    "GET /v1/countries": 4,
    "GET /v1/config": 5,
    "GET /v1/users/{}": 4,
    "GET /v1/report": 2,
    "GET /v1/audit": 4,
    "GET /v1/tags": 5,
    "GET /v1/gone": 3,
    "GET /v1/health": 2,
    "GET /page/{}": 8,
    "GET /form": 4,
    "GET /login": 3,
    "GET /old": 2,
    "GET /metrics": 4,
    "GET /export.csv": 3,
    "GET /feed.xml": 3,
    "GET /robots.txt": 2,
}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
