"""What clients of the offices do; they know how their office speaks, and send back what it told them."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from tests.run.offices import Answer, Office, Recorder, Style, claims_of


class Client(msgspec.Struct):
    """One client. `steps` yields after each request, so that several can be interleaved."""

    recorder: Recorder
    office: Office
    name: str
    quantity: int = 7
    token: str = ""
    csrf: str = ""
    order: Any = None
    """The id of the order made last, as the office gave it."""

    @property
    def style(self) -> Style:
        return self.office.style

    async def ask(
        self, method: str, path: str, tree: Any = None, form: dict[str, str] | None = None, **headers: str
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | self._credentials()
        body = b""
        if tree is not None:
            body = json.dumps(tree).encode()
            sent["Content-Type"] = "application/json"
        if form is not None:
            body = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        answer = await self.recorder.ask(self.name, method, path, sent, body)
        assert answer.status < 300, (method, path, answer)
        return answer

    def _credentials(self) -> dict[str, str]:
        if not self.token:
            return {}
        match self.style.login:
            case "cookie":
                xsrf = f"; XSRF-TOKEN={self.csrf}" if self.style.csrf == "cookie" and self.csrf else ""
                return {"Cookie": f"theme=dark; sid={self.token}{xsrf}"}
            case "header":
                return {"X-Api-Token": self.token}
        return {"Authorization": f"Bearer {self.token}"}

    async def steps(self) -> AsyncIterator[None]:
        """The whole story."""
        await self.log_in()
        yield
        await self.take_form()
        yield
        await self.make()
        yield
        place = f"/orders/{quote(str(self.order), safe='')}"
        seen = await self.ask("GET", place)
        yield
        change = {"id": self.order, "quantity": self.quantity, "note": f"see {self.office.url}{place}"}
        await self.ask("PUT", place, change, If_Match=seen.headers["etag"], Referer=self.office.url + place)
        yield
        first = await self.ask("POST", f"{place}/lines", {"text": "first", "order": self.order})
        yield
        second = await self.ask("POST", f"{place}/lines", {"text": "second", "order": self.order})
        yield
        for added, text in ((second, "two"), (first, "one")):
            line = added.tree["lines"][-1]["id"]
            path = f"{place}/lines/{quote(str(line), safe='')}"
            await self.ask("PATCH", path, {"text": text, "line_id": line})
            yield
        batch = await self.ask("POST", "/batch", {"ids": [self.order], "quantity": self.quantity})
        yield
        await self.ask("GET", batch.headers["location"].removeprefix(self.office.url))
        yield
        await self.ask("GET", "/orders")
        yield
        await self.ask("GET", place)
        yield
        await self.ask("DELETE", place)
        yield

    async def log_in(self) -> None:
        answer = await self.ask("POST", "/login", form={"user": self.name.partition("#")[0]})
        if self.style.login == "cookie":
            self.token = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        else:
            self.token = answer.tree["token"]

    async def take_form(self) -> None:
        page = await self.ask("GET", "/form")
        match self.style.csrf:
            case "header":
                self.csrf = page.headers["x-csrf-token"]
            case "cookie":
                self.csrf = page.headers["set-cookie"].partition("=")[2].partition(";")[0]
            case "input" | "meta":
                found = re.search(r'(?:value|content)="([0-9a-f]+)"', page.body.decode())
                assert found is not None
                self.csrf = found[1]

    async def make(self) -> None:
        asked: dict[str, Any] = {"item": "chair", "quantity": self.quantity, "ref": f"mine-{self.name}-4711"}
        if self.style.csrf == "input":
            made = await self.ask(
                "POST", "/orders", form={**asked, "quantity": str(self.quantity), "csrf": self.csrf}
            )
        else:
            made = await self.ask("POST", "/orders", asked, X_CSRF_Token=self.csrf)
        self.order = told_id(self.style, made)


def told_id(style: Style, made: Answer) -> Any:
    """The id in the answer to a creation."""
    text = made.body.decode()
    match style.tells:
        case "wrapped":
            return made.tree["data"]["id"]
        case "location" | "absolute":
            found: Any = made.headers["location"].rpartition("/")[2]
        case "string":
            return json.loads(made.tree["event"])["order"]["id"]
        case "xml":
            found = text.partition("<id>")[2].partition("<")[0]
        case "attribute":
            found = text.partition('id="')[2].partition('"')[0]
        case "html":
            found = text.partition("/orders/")[2].partition('"')[0]
        case "link":
            found = made.headers["link"].partition("/orders/")[2].partition(">")[0]
        case "list":
            return made.tree["created"][0]
        case "key":
            found = next(iter(made.tree["orders"]))
        case "jwt":
            return claims_of(made.tree["ticket"])["order"]
        case _:
            return made.tree["id"]
    is_number = style.ids in ("number", "long number")
    return int(found) if is_number else found
