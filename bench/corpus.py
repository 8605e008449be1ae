"""A mixed recorded corpus of requests for benchmarks: of many kinds, the same for one seed."""

import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import msgspec

from shadow.auth import SigningKey, SigningSettings, signer_of
from shadow.model import Exchange, Headers, Request, Response, Signs
from shadow.taps.files import Recording
from shadow.wire.http1_form import replayable

_WORDS = [
    "web",
    "db",
    "cache",
    "queue",
    "worker",
    "edge",
    "north",
    "south",
    "blue",
    "green",
    "small",
    "large",
    "new",
    "old",
    "main",
    "spare",
]
_KINDS = ("instances", "orders", "users", "volumes", "invoices")
_HEADERS: Headers = (
    (b"Host", b"api.example.com"),
    (b"User-Agent", b"bench/1"),
    (b"Accept", b"application/json"),
    (b"Authorization", b"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4iLCJleHAiOjE3MDAwMDM2MDB9.c2lnbmF0dXJl"),
    (b"Cookie", b"sid=0123456789abcdef; theme=dark"),
    (b"X-Request-Id", b"7f3c9f0a-1111-4222-8333-444455556666"),
)
_GRAPHQL = "query Find($id: ID!, $n: Int) { item(id: $id) { id name tags(first: $n) { name } } }"
SIGNING = SigningSettings(
    key_id="X-Key",
    timestamp="X-Timestamp",
    nonce="X-Nonce",
    signature="X-Signature",
    keys=(SigningKey(id="k1", algorithm="hmac-sha256", secret="0123456789abcdef" * 2),),
)


def signer() -> Signs:
    """What signs the corpus' signed requests."""
    made = signer_of(SIGNING, None, {})
    assert made is not None
    return made


def corpus(count: int, seed: int = 1) -> list[Exchange]:
    """`count` exchanges: 45 % JSON of about 2 kB, 25 % GETs with a query, 10 % forms, and the rest of
    multipart, XML, GraphQL and signed JSON alike."""
    rng = Random(seed)
    signs = signer()
    makers: tuple[tuple[float, Callable[[Random], Request]], ...] = (
        (0.45, _json),
        (0.25, _get),
        (0.10, _form),
        (0.05, _multipart),
        (0.05, _xml),
        (0.05, _graphql),
        (0.05, lambda rng: _signed(rng, signs)),
    )
    found = []
    for index in range(count):
        (maker,) = rng.choices([each for _, each in makers], [share for share, _ in makers])
        answer = Response(200, headers=((b"Content-Type", b"application/json"),), body=b'{"id":7,"ok":true}')
        found.append(Exchange(index, "bench", f"s{index % 16}", 1.7e9 + index, maker(rng), answer, 0.001))
    return found


def captured(files: Sequence[Path], limit: int) -> list[Exchange]:
    """The first `limit` exchanges of HTTP in captures."""
    found: list[Exchange] = []
    with Recording([str(each) for each in files]) as recording:
        for exchange in recording:
            if isinstance(exchange, Exchange) and exchange.protocol == "http" and len(found) < limit:
                found.append(msgspec.structs.replace(replayable(exchange), index=len(found)))
    return found


def document(rng: Random) -> dict[str, object]:
    """An order or a machine as an API takes it, about 2 kB."""
    return {
        "name": _name(rng),
        "owner_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "created_at": f"2024-0{rng.randint(1, 9)}-11T08:0{rng.randint(0, 9)}:00Z",
        "enabled": rng.random() < 0.5,
        "price": round(rng.uniform(0, 1000), 2),
        "note": None,
        "labels": {_name(rng): rng.choice(_WORDS) for _ in range(4)},
        "items": [
            {
                "id": rng.randint(1, 99_999),
                "sku": f"sku-{rng.randint(1, 9999)}",
                "title": " ".join(rng.choices(_WORDS, k=5)),
                "quantity": rng.randint(1, 20),
                "unit_price": round(rng.uniform(1, 90), 2),
                "tags": rng.sample(_WORDS, 3),
            }
            for _ in range(rng.randint(5, 15))
        ],
    }


def _name(rng: Random) -> str:
    return f"{rng.choice(_WORDS)}-{rng.randint(1, 999)}"


def _with_body(rng: Random, kind: bytes, body: bytes, path: str | None = None) -> Request:
    path = path or f"/v1/{rng.choice(_KINDS)}/{rng.randint(1, 9999)}"
    fields = ((b"Content-Type", kind), (b"Content-Length", b"%d" % len(body)))
    return Request(rng.choice((b"POST", b"PUT")), path.encode(), headers=(*_HEADERS, *fields), body=body)


def _json(rng: Random) -> Request:
    return _with_body(rng, b"application/json", json.dumps(document(rng)).encode())


def _get(rng: Random) -> Request:
    query = urlencode({"limit": rng.randint(1, 100), "sort": rng.choice(_WORDS), "q": f"{_name(rng)} x"})
    path = f"/v1/{rng.choice(_KINDS)}/{rng.randint(1, 9999)}?{query}"
    return Request(b"GET", path.encode(), headers=_HEADERS)


def _form(rng: Random) -> Request:
    form = {word: _name(rng) for word in rng.sample(_WORDS, 8)}
    return _with_body(rng, b"application/x-www-form-urlencoded", urlencode(form).encode())


def _multipart(rng: Random) -> Request:
    parts = [
        b'--XX\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (word.encode(), b"v" * 40)
        for word in rng.sample(_WORDS, 4)
    ]
    file = b'--XX\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n%b\r\n--XX--\r\n'
    return _with_body(rng, b"multipart/form-data; boundary=XX", b"".join(parts) + file % rng.randbytes(900))


def _xml(rng: Random) -> Request:
    rows = "".join(f'<row id="{rng.randint(1, 999)}"><name>{_name(rng)}</name></row>' for _ in range(20))
    return _with_body(rng, b"application/xml", f'<?xml version="1.0"?><rows>{rows}</rows>'.encode())


def _graphql(rng: Random) -> Request:
    body = json.dumps({"query": _GRAPHQL, "variables": {"id": str(rng.randint(1, 999)), "n": 3}})
    return _with_body(rng, b"application/json", body.encode(), "/graphql")


def _signed(rng: Random, signs: Signs) -> Request:
    made = _json(rng)
    nonce = hashlib.sha256(made.body).hexdigest()[:16]
    return signs.sign(made, key="k1", at=1.7e9, nonce=nonce) or made
