"""What may be wrong with a release, for `bench.judging`: causes edit answers, and say where it shows."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec

from bench.judging_answers import Answer, Ask

type Edit = Callable[[Answer, Ask, Random], None]
ITEM, ITEMS, ORDER, ORDERED = "GET /v1/items/{}", "GET /v1/items", "POST /v1/orders", "GET /v1/orders/{}"
CONFIG, STATS, ME, SEARCH = "GET /v1/config", "GET /v1/stats", "GET /v1/me", "GET /v1/search"
PAGE, FORM, LOGIN, LINK, STOCK = (
    "GET /page/{}",
    "GET /form",
    "GET /login",
    "GET /v1/files/{}/link",
    "PUT /v1/items/{}/stock",
)
COUNTRIES, TAGS, AUDIT, REPORT = "GET /v1/countries", "GET /v1/tags", "GET /v1/audit", "GET /v1/report"
CSV, FEED, METRICS, USER = "GET /export.csv", "GET /feed.xml", "GET /metrics", "GET /v1/users/{}"


class Cause(msgspec.Struct, frozen=True):
    """One thing wrong. An `endpoint` of ``*`` is all of them; `where` matches the places of its finding."""

    name: str
    endpoint: str
    where: str
    edit: Edit
    needs_baseline: bool = False
    """Whether nothing in a recording alone shows that it is wrong."""
    is_writing: bool = False

    def shows(self, ask: Ask, answer: Answer, dice: Random) -> Answer | None:
        """`answer` with this wrong; None where it makes no difference."""
        if self.endpoint not in ("*", ask.endpoint):
            return None
        made = answer.copied()
        self.edit(made, ask, dice)
        return None if made == answer else made


def places(value: Any, path: str) -> Iterator[tuple[Any, Any]]:
    """Holders and keys of what stands at ``"a.b[].c"``."""
    head, _, rest = path.partition(".")
    if head.endswith("[]"):
        items = value.get(head[:-2], []) if head != "[]" and isinstance(value, dict) else value
        for at, item in enumerate(items if isinstance(items, list) else ()):
            yield from places(item, rest) if rest else iter([(items, at)])
    elif isinstance(value, dict) and head in value:
        yield from places(value[head], rest) if rest else iter([(value, head)])


def put(path: str, new: Callable[[Any], Any]) -> Edit:
    """The values at `path` made new."""

    def edit(answer: Answer, ask: Ask, dice: Random) -> None:  # noqa: ARG001
        for holder, key in list(places(answer.body, path)):
            holder[key] = new(holder[key])

    return edit


def anew(path: str, new: Callable[[Random], Any]) -> Edit:
    """The values at `path` by the dice, in every answer others."""

    def edit(answer: Answer, ask: Ask, dice: Random) -> None:  # noqa: ARG001
        for holder, key in list(places(answer.body, path)):
            holder[key] = new(dice)

    return edit


def drop(path: str) -> Edit:
    def edit(answer: Answer, ask: Ask, dice: Random) -> None:  # noqa: ARG001
        for holder, key in list(places(answer.body, path)):
            del holder[key]

    return edit


def add(path: str, name: str, value: Any) -> Edit:
    """A member more in the objects at `path`; "" is the body itself."""

    def edit(answer: Answer, ask: Ask, dice: Random) -> None:  # noqa: ARG001
        found = [holder[key] for holder, key in places(answer.body, path)] if path else [answer.body]
        for each in found:
            if isinstance(each, dict):
                each[name] = value

    return edit


def field(name: str, new: Callable[[str], str | None]) -> Edit:
    """The header fields `name` made new, or left out."""

    def edit(answer: Answer, ask: Ask, dice: Random) -> None:  # noqa: ARG001
        made = [(key, new(value) if key == name else value) for key, value in answer.fields]
        answer.fields = [(key, value) for key, value in made if value is not None]

    return edit


def text(pattern: str, new: str) -> Edit:
    def edit(answer: Answer, ask: Ask, dice: Random) -> None:  # noqa: ARG001
        answer.body = re.sub(pattern, new, answer.body, flags=re.DOTALL)

    return edit


def status(before: int, after: int, *, body: Any = ..., when: Callable[[Ask], bool] = lambda _: True) -> Edit:
    def edit(answer: Answer, ask: Ask, dice: Random) -> None:  # noqa: ARG001
        if answer.status == before and when(ask):
            answer.status = after
            answer.body = answer.body if body is ... else body

    return edit


def kind(new: str) -> Edit:
    def edit(answer: Answer, ask: Ask, dice: Random) -> None:  # noqa: ARG001
        answer.kind = new

    return edit


def raw(new: Callable[[bytes], bytes]) -> Edit:
    def edit(answer: Answer, ask: Ask, dice: Random) -> None:  # noqa: ARG001
        made = new(answer.bytes())
        answer.raw = None if made == answer.bytes() else made

    return edit


def unpacked(answer: Answer, ask: Ask, dice: Random) -> None:  # noqa: ARG001
    answer.coding = ""


def only(when: Callable[[Ask], bool], edit: Edit) -> Edit:
    """`edit` for some requests alone."""

    def some(answer: Answer, ask: Ask, dice: Random) -> None:
        if when(ask):
            edit(answer, ask, dice)

    return some


def _later(days: float) -> Callable[[str], str]:
    def shifted(value: str) -> str:
        at = datetime.fromisoformat(value) + timedelta(days=days)
        if len(value) == len("2024-01-01"):
            return at.date().isoformat()
        is_milli = "." in value
        made = at.isoformat(timespec="milliseconds" if is_milli else "seconds")
        return made.replace("+00:00", "Z")

    return shifted


def _hex(chars: int) -> Callable[[Random], str]:
    return lambda dice: f"{dice.getrandbits(4 * chars):0{chars}x}"


def _in_twenty(ask: Ask) -> bool:
    return ask.numbers == (7,) or ask.query == "q=shelf"


def _twice(body: bytes) -> bytes:
    return body.replace(b'"mode":', b'"mode": "SLOW", "mode":', 1)


CAUSES: tuple[Cause, ...] = (
    Cause("header gone everywhere", "*", r"header:x-release", field("X-Release", lambda _: None)),
    Cause("header changed everywhere", "*", r"header:x-release", field("X-Release", lambda _: "shop2")),
    Cause(
        "member of a list header gone",
        "*",
        r"header:vary",
        field("Vary", lambda _: "Accept"),
    ),
    Cause("field gone from one endpoint", ITEM, r"dims\.unit", drop("dims.unit")),
    Cause("field gone from every item", ITEMS, r"sku", drop("items[].sku")),
    Cause("field gone from errors everywhere", "*", r"error", drop("error.code")),
    Cause("field added", CONFIG, r"extra", add("", "extra", 1)),
    Cause("field added to every item", SEARCH, r"weight", add("hits[]", "weight", 0.5)),
    Cause("int to string", ME, r"quota\.used", put("quota.used", str)),
    Cause("id number to string", USER, r"\.id", put("id", str)),
    Cause("null to empty list", ITEM, r"note", put("note", lambda v: [] if v is None else v)),
    Cause("empty list to null", ITEM, r"related", put("related", lambda _: None)),
    Cause("empty list to nothing", ORDERED, r"discounts", drop("discounts")),
    Cause("null to nothing", CONFIG, r"secret_hint", drop("secret_hint")),
    Cause("value rounded", ITEMS, r"rating", put("items[].rating", lambda v: round(v, 1))),
    Cause("float cut to int", USER, r"balance", put("balance", int)),
    Cause("enum case", ITEM, r"status", put("status", str.lower)),
    Cause(
        "timestamp form",
        ORDER,
        r"placed_at",
        put("placed_at", lambda v: v.replace("Z", "+00:00")),
        is_writing=True,
    ),
    Cause(
        "timestamp to number", STOCK, r"updated_at", put("updated_at", lambda _: 1732300000), is_writing=True
    ),
    Cause(
        "constant date shifted", CONFIG, r"valid_from", put("valid_from", _later(365)), needs_baseline=True
    ),
    Cause("sequence off", AUDIT, r"entries", put("entries[].seq", lambda v: v + 1)),
    Cause(
        "present moment shifted",
        ITEMS,
        r"generated_at",
        put("generated_at", _later(-400)),
        needs_baseline=True,
    ),
    Cause("list one short", SEARCH, r"hits", put("hits", lambda v: v[:-1])),
    Cause("top list one short", COUNTRIES, r"body:\$", lambda a, _, __: a.body.pop()),
    Cause("order of objects reversed", COUNTRIES, r"body:\$", lambda a, _, __: a.body.reverse()),
    Cause(
        "order of scalars reversed", CONFIG, r"hosts", put("hosts", lambda v: v[::-1]), needs_baseline=True
    ),
    Cause("status of refused", ORDER, r"status", status(422, 400), is_writing=True),
    Cause("status on some", SEARCH, r"status", status(200, 500, body={"error": "x"}, when=_in_twenty)),
    Cause("not found to null", ITEM, r"status", status(404, 200, body=None)),
    Cause(
        "directive changed", ITEM, r"cache-control", field("Cache-Control", lambda _: "private, max-age=6")
    ),
    Cause("count header off", SEARCH, r"x-total-count", field("X-Total-Count", lambda _: "7")),
    Cause(
        "cookie attribute gone",
        ME,
        r"set-cookie\[session\]",
        field("Set-Cookie", lambda v: v.replace("; HttpOnly", "")),
    ),
    Cause(
        "cookie attribute changed",
        LOGIN,
        r"set-cookie\[sid\]",
        field("Set-Cookie", lambda v: v.replace("Strict", "None")),
    ),
    Cause(
        "cookie gone", ME, r"set-cookie\[theme\]", field("Set-Cookie", lambda v: v if "sess" in v else None)
    ),
    Cause("etag weakened", ITEM, r"etag", field("ETag", lambda v: f"W/{v}")),
    Cause("etag gone", ITEM, r"etag", field("ETag", lambda _: None)),
    Cause("content type changed", CSV, r"content-type", kind("text/plain; charset=utf-8")),
    Cause("json as html", COUNTRIES, r"content-type|body", kind("text/html")),
    Cause("error code renamed", ITEM, r"error", put("error.code", lambda _: "missing")),
    Cause("message changed", ITEM, r"error", put("error.message", lambda _: "there is nothing here")),
    Cause("text changed", CONFIG, r"motd", put("motd", lambda _: "welcome in the shop")),
    Cause("wrong for 1 in 20", ITEM, r"stock", only(_in_twenty, put("stock", lambda v: v + 100))),
    Cause("score wrong for some", SEARCH, r"score", only(_in_twenty, put("hits[].score", lambda v: v / 2))),
    Cause("total off by one", ITEMS, r"total", put("total", lambda v: v + 1)),
    Cause("amount off by one", ORDER, r"quantity", put("quantity", lambda v: v + 1), is_writing=True),
    Cause("number off in a map", REPORT, r"sold", put("rows.2024-02-03.sold", lambda v: v + 1)),
    Cause("boolean flipped", CONFIG, r"beta", put("flags.beta", lambda v: not v)),
    Cause("element gone", PAGE, r"body", text(r'<p id="sum">.*?</p>', "")),
    Cause("link changed", PAGE, r"body", text(r'href="/logout"', 'href="/signout"')),
    Cause("attribute gone", FORM, r"body", text(r" required", "")),
    Cause("words changed", FORM, r"body", text(r"two days", "three days")),
    Cause("page cut", PAGE, r"body", text(r"<footer>.*", "")),
    Cause("json cut", REPORT, r"body", raw(lambda body: body[: len(body) // 2])),
    Cause("json of another charset", ITEM, r"body", raw(lambda b: b.replace(b"\\u00e9", b"\xe9"))),
    Cause("member twice", CONFIG, r"mode", raw(_twice)),
    Cause(
        "redirect elsewhere",
        "GET /old",
        r"location",
        field("Location", lambda _: "/page/2"),
        needs_baseline=True,
    ),
    Cause("redirect temporary", "GET /old", r"status", status(301, 302)),
    Cause(
        "redirect lacks a parameter", LOGIN, r"location", field("Location", lambda v: v.replace("openid", ""))
    ),
    Cause("constant became random", CONFIG, r"build", anew("build", _hex(6)), needs_baseline=True),
    Cause("constant number random", CONFIG, r"limit", anew("limit", lambda d: d.randrange(999))),
    Cause("owner elsewhere", CONFIG, r"owner_id", put("owner_id", lambda v: v + 1), needs_baseline=True),
    Cause("hash became random", STATS, r"commit", anew("commit", _hex(40)), needs_baseline=True),
    Cause("garbage in a field", USER, r"name", anew("name", lambda d: f"~{d.random()}%")),
    Cause("counter stands", STATS, r"workers", put("workers", lambda v: v - 1)),
    Cause("nested member gone", STATS, r"limits", drop("limits.body_bytes")),
    Cause("token shortened", ME, r"csrf_token", put("csrf_token", lambda v: v[:12])),
    Cause("token empty", LINK, r"url", put("url", lambda v: re.sub("Signature=.*", "Signature=", v))),
    Cause("link without expiry", LINK, r"url", put("url", lambda v: v.replace("&X-Amz-Expires=900", ""))),
    Cause("expiry changed", LINK, r"expires_in", put("expires_in", lambda _: 90)),
    Cause("set member gone", TAGS, r"tags", put("tags", lambda v: [e for e in v if e["tag"] != "t3"])),
    Cause("count in a set", TAGS, r"count", put("tags[].count", lambda v: v + 1)),
    Cause("scalar list order", TAGS, r"popular", put("popular", lambda v: v[::-1]), needs_baseline=True),
    Cause("trace id gone", AUDIT, r"trace_id", drop("entries[].trace.trace_id")),
    Cause("trace id shortened", AUDIT, r"trace_id", put("entries[].trace.trace_id", lambda v: v[:16])),
    Cause("rank off", SEARCH, r"rank", put("hits[].rank", lambda v: v - 1)),
    Cause("no longer packed", ITEMS, r"content-encoding", unpacked),
    Cause("row of a table wrong", CSV, r"body", text("thing 7", "thing 77")),
    Cause("metric gone", METRICS, r"body", text(r"# TYPE shop_workers gauge\nshop_workers 4\n", "")),
    Cause("metric of another type", METRICS, r"body", text(r"shop_workers gauge", "shop_workers counter")),
    Cause("feed element gone", FEED, r"body", text(r"<category>.*?</category>", "")),
    Cause("feed text changed", FEED, r"body", text(r"<title>News", "<title>Olds")),
    Cause("health changed", "GET /v1/health", r"cache", put("checks.cache", lambda _: "down")),
    Cause("line of a text gone", "GET /robots.txt", r"body", text("Disallow.*", "")),
    Cause("status of missing", "GET /v1/gone", r"status", status(404, 410)),
    Cause("stock not written", STOCK, r"stock", put("stock", lambda v: v - 1), is_writing=True),
)


def batches(causes: list[Cause], dice: Random) -> Iterator[list[Cause]]:
    """Causes that may be scored in one run: of different endpoints; one of all endpoints goes alone."""
    left = list(causes)
    while left:
        batch: list[Cause] = []
        for each in list(left):
            is_alone = each.endpoint == "*"
            if (is_alone and batch) or any(each.endpoint == other.endpoint for other in batch):
                continue
            batch.append(each)
            left.remove(each)
            if is_alone:
                break
        dice.shuffle(batch)
        yield batch
