"""Small services that name things each in a way of its own, and clients whose requests are recorded.

Every office does the same: one logs in, takes a form, makes orders with lines, reads, changes and deletes
them. What differs is how ids, tokens and entity tags look, and where an answer tells them. Each instance
makes up its own: nothing that one says is known to another.
"""

import base64
import gzip
import hashlib
import hmac
import json
import random
import string
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from shadow.model import Exchange, Request, Response

type MakeId = Callable[[random.Random, int], str | int]

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _drawn(alphabet: str, length: int) -> MakeId:
    return lambda dice, _: "".join(dice.choices(alphabet, k=length))


def _mixed(dice: random.Random, _: int) -> str:
    return base64.urlsafe_b64encode(dice.randbytes(12)).decode().rstrip("=")


IDS: dict[str, MakeId] = {
    "number": lambda _, serial: serial,
    "number as text": lambda _, serial: str(serial),
    "long number": lambda dice, _: dice.randrange(10**17, 10**18),
    "uuid": lambda dice, _: str(uuid.UUID(bytes=dice.randbytes(16), version=4)),
    "uuid without hyphens": lambda dice, _: dice.randbytes(16).hex(),
    "ulid": lambda dice, _: "01" + "".join(dice.choices(_CROCKFORD, k=24)),
    "base64url": _mixed,
    "composed": lambda _, serial: f"order-{serial}",
    "composed long": lambda dice, serial: f"ORD-2026-{serial:04}-{dice.randbytes(2).hex()}",
    "prefixed": lambda dice, _: "ord_" + "".join(dice.choices(string.ascii_letters + string.digits, k=14)),
    "short": _drawn(string.ascii_letters + string.digits, 8),
    "letters": _drawn(string.ascii_lowercase, 10),
    "capitals": _drawn(string.ascii_uppercase, 6),
    "colon": lambda dice, _: f"urn:order:{dice.randbytes(6).hex()}",
    "oid": lambda dice, _: dice.randbytes(12).hex(),
}


class Style(msgspec.Struct, frozen=True):
    """How one office speaks."""

    ids: str = "number"
    tells: str = "json"
    """Where a new order's id stands: json, wrapped, location, string, xml, html, link, list, key."""
    login: str = "bearer"
    """bearer, jwt, cookie, header or basic."""
    etag: str = "hash"
    """hash, version or weak."""
    csrf: str = "input"
    """input, meta, header, cookie or none."""
    coding: str = ""
    """Content coding of answers."""


class Office:
    """One instance. `statuses` are those of its answers; `quantities` what orders were asked for."""

    def __init__(self, style: Style, seed: int) -> None:
        self.style = style
        self.url = ""
        self.statuses: list[tuple[str, int]] = []
        self.quantities: list[int] = []
        self.orders: dict[str, dict[str, Any]] = {}
        self._dice = random.Random(f"office:{seed}")
        self._serials = count(seed)
        self._secret = self._dice.randbytes(16)
        self._tokens: dict[str, str] = {}
        self._csrf: dict[str, str] = {}
        self._batches: dict[str, list[str]] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            answer = await self._answer(request)
        except _Refused as refused:
            answer = web.json_response({"error": str(refused)}, status=refused.status)
        self.statuses.append((f"{request.method} {request.path}", answer.status))
        if self.style.coding and isinstance(answer.body, bytes):
            answer.body = gzip.compress(answer.body)
            answer.headers["Content-Encoding"] = "gzip"
        return answer

    async def _answer(self, request: web.Request) -> web.Response:  # noqa: PLR0911 - one for each place
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["login"]:
                return self._login(await request.post())
            case "GET", ["form"]:
                return self._form(self._who(request))
            case "POST", ["orders"]:
                return await self._make(request)
            case "GET", ["orders"]:
                return self._listed(request)
            case "POST", ["batch"]:
                return await self._batch(request)
            case "GET", ["batch", name]:
                self._who(request)
                return _json({"state": "done", "orders": self._known(self._batches, name)})
            case method, ["orders", name]:
                return await self._one(request, method, name)
            case "POST", ["orders", name, "lines"]:
                return await self._add_line(request, name)
            case "PATCH", ["orders", name, "lines", line]:
                return await self._change_line(request, name, line)
        raise _Refused(404, "no such place")

    def _login(self, form: Any) -> web.Response:
        who = str(form["user"])
        if self.style.login == "jwt":
            claims = {"sub": who, "jti": self._dice.randbytes(8).hex(), "iat": int(time.time())}
            token = _jwt(claims, self._secret)
        else:
            token = base64.urlsafe_b64encode(self._dice.randbytes(18)).decode()
        self._tokens[token] = who
        answer = _json({"token": token, "user": {"name": who}})
        if self.style.login == "cookie":
            answer = _json({"user": {"name": who}})
            answer.set_cookie("sid", token, httponly=True)
        return answer

    def _who(self, request: web.Request) -> str:
        """Whose token the request bears."""
        match self.style.login:
            case "cookie":
                token = request.cookies.get("sid", "")
            case "header":
                token = request.headers.get("X-Api-Token", "")
            case _:
                token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self._tokens:
            raise _Refused(401, "who are you")
        return self._tokens[token]

    def _form(self, who: str) -> web.Response:
        csrf = self._csrf[who] = self._dice.randbytes(10).hex()
        match self.style.csrf:
            case "input":
                page = f'<form><input type="hidden" name="csrf" value="{csrf}"><input name="item"></form>'
            case "meta":
                page = f'<head><meta name="csrf-token" content="{csrf}"></head>'
            case _:
                page = "<p>an order</p>"
        answer = web.Response(text=f"<html>{page}</html>", content_type="text/html")
        if self.style.csrf == "header":
            answer.headers["X-CSRF-Token"] = csrf
        if self.style.csrf == "cookie":
            answer.set_cookie("XSRF-TOKEN", csrf)
        return answer

    def _check_csrf(self, who: str, said: str | None) -> None:
        if self.style.csrf != "none" and said != self._csrf.get(who, "never"):
            raise _Refused(403, "the form is not ours")

    async def _make(self, request: web.Request) -> web.Response:
        who = self._who(request)
        if request.content_type == "application/x-www-form-urlencoded":
            form = await request.post()
            asked: dict[str, Any] = {
                "item": str(form["item"]),
                "quantity": int(str(form["quantity"])),
                "ref": form["ref"],
            }
            self._check_csrf(who, str(form.get("csrf", "")))
        else:
            asked = await request.json()
            self._check_csrf(who, request.headers.get("X-CSRF-Token"))
        self.quantities.append(asked["quantity"])
        name = IDS[self.style.ids](self._dice, next(self._serials))
        order = {
            "id": name, "owner": who, "item": asked["item"], "quantity": asked["quantity"],
            "ref": asked["ref"], "version": 1, "lines": [],
        }  # fmt: skip
        self.orders[str(name)] = order
        return self._told(order)

    def _told(self, order: dict[str, Any]) -> web.Response:  # noqa: PLR0911 - one for each style
        """The answer to a creation."""
        place = f"/orders/{order['id']}"
        match self.style.tells:
            case "wrapped":
                return _json({"data": {"type": "order", "id": order["id"], "attributes": order}}, 201)
            case "location":
                return web.Response(status=201, headers={"Location": place})
            case "absolute":
                return web.Response(status=201, headers={"Location": f"{self.url}{place}"})
            case "string":
                return _json({"event": json.dumps({"order": {"id": order["id"], "done": True}})}, 201)
            case "xml":
                text = f"<order><id>{order['id']}</id><quantity>{order['quantity']}</quantity></order>"
                return web.Response(text=text, content_type="application/xml", status=201)
            case "attribute":
                text = f'<order id="{order["id"]}" quantity="{order["quantity"]}"/>'
                return web.Response(text=text, content_type="application/xml", status=201)
            case "html":
                text = f'<p>made: <a href="{place}">see it</a></p>'
                return web.Response(text=text, content_type="text/html", status=201)
            case "link":
                return web.Response(status=201, headers={"Link": f'<{place}>; rel="self"'})
            case "list":
                return _json({"created": [order["id"]]}, 201)
            case "key":
                return _json({"orders": {str(order["id"]): {"state": "new"}}}, 201)
            case "jwt":
                ticket = _jwt({"order": order["id"], "owner": order["owner"]}, self._secret)
                return _json({"ticket": ticket}, 201)
        return _json(order, 201, self._tag(order))

    def _listed(self, request: web.Request) -> web.Response:
        who = self._who(request)
        mine = [each for each in self.orders.values() if each["owner"] == who]
        return _json({"items": mine, "count": len(mine)})

    async def _batch(self, request: web.Request) -> web.Response:
        self._who(request)
        asked = await request.json()
        for name in asked["ids"]:
            self._known(self.orders, str(name))
        batch = self._dice.randbytes(8).hex()
        self._batches[batch] = asked["ids"]
        return web.Response(status=202, headers={"Location": f"{self.url}/batch/{batch}"})

    async def _one(self, request: web.Request, method: str, name: str) -> web.Response:
        self._who(request)
        order = self._known(self.orders, name)
        match method:
            case "GET":
                return _json(order, 200, self._tag(order))
            case "DELETE":
                del self.orders[name]
                return web.Response(status=204)
        if request.headers.get("If-Match") != self._tag(order)["ETag"]:
            raise _Refused(412, "changed meanwhile")
        asked = await request.json()
        if str(asked["id"]) != name:
            raise _Refused(422, "another order")
        self.quantities.append(asked["quantity"])
        order |= {"quantity": asked["quantity"], "version": order["version"] + 1}
        return _json(order, 200, self._tag(order))

    async def _add_line(self, request: web.Request, name: str) -> web.Response:
        self._who(request)
        order = self._known(self.orders, name)
        line = {
            "id": IDS[self.style.ids](self._dice, next(self._serials)),
            "text": (await request.json())["text"],
        }
        order["lines"].append(line)
        return _json({"order": order["id"], "lines": order["lines"]}, 201)

    async def _change_line(self, request: web.Request, name: str, line: str) -> web.Response:
        self._who(request)
        order = self._known(self.orders, name)
        found = next((each for each in order["lines"] if str(each["id"]) == line), None)
        if found is None:
            raise _Refused(404, "no such line")
        found["text"] = (await request.json())["text"]
        return _json(found)

    def _tag(self, order: dict[str, Any]) -> dict[str, str]:
        match self.style.etag:
            case "version":
                return {"ETag": f'"{order["version"]}"'}
            case "weak":
                return {"ETag": f'W/"{order["id"]}-{order["version"]}"'}
        whole = f"{self._secret.hex()}:{order['id']}:{order['version']}"
        return {"ETag": f'"{hashlib.sha1(whole.encode(), usedforsecurity=False).hexdigest()}"'}

    def _known[T](self, things: dict[str, T], name: str) -> T:
        if name not in things:
            raise _Refused(404, f"no {name}")
        return things[name]


class _Refused(Exception):  # noqa: N818 - what the answer is
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def _json(tree: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(tree, status=status, headers=headers)


def _jwt(claims: dict[str, Any], secret: bytes) -> str:
    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    said = f"{part(b'{"alg":"HS256","typ":"JWT"}')}.{part(json.dumps(claims).encode())}"
    return f"{said}.{part(hmac.digest(secret, said.encode(), 'sha256'))}"


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


@asynccontextmanager
async def opened(style: Style, seed: int) -> AsyncIterator[Office]:
    """An instance at a port of the system's choice, which is in its `url` then."""
    office = Office(style, seed)
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", office.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        office.url = "http://{}:{}".format(*runner.addresses[0])
        yield office
    finally:
        await runner.cleanup()


class Answer(msgspec.Struct, frozen=True):
    """What a client got."""

    status: int
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def tree(self) -> Any:
        return json.loads(self.body)


class Recorder:
    """Sends requests and keeps them as exchanges, in the order in which they began."""

    def __init__(self, office: Office) -> None:
        self.exchanges: list[Exchange] = []
        self._office = office

    async def ask(
        self, session: str, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> Answer:
        host = self._office.url.removeprefix("http://")
        sent = {"Host": host, **headers} | ({"Content-Length": str(len(body))} if body else {})
        async with (
            aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as client,
            client.request(method, self._office.url + path, headers=headers, data=body, allow_redirects=False)
            as got,
        ):  # fmt: skip
            said = await got.read()
        index = len(self.exchanges)
        self.exchanges.append(
            Exchange(
                index, "test", session, 1.6e9 + index,
                Request(
                    method.encode(), path.encode(),
                    headers=tuple((k.encode(), v.encode()) for k, v in sent.items()), body=body,
                ),
                Response(got.status, headers=tuple(got.raw_headers), body=said),
                0.01, host,
            )
        )  # fmt: skip
        plain = gzip.decompress(said) if got.headers.get("Content-Encoding") == "gzip" else said
        return Answer(got.status, {name.lower(): value for name, value in got.headers.items()}, plain)
