"""Which parts of a request carry credentials, recognised by their names alone."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from shadow.model import Headers, Request, Signs, fields
from shadow.model.remembering import by_headers

CREDENTIAL_FIELDS = frozenset(
    {
        b"authorization",
        b"proxy-authorization",
        b"cookie",
        b"api-key",
        b"apikey",
        b"x-api-key",
        b"x-apikey",
        b"x-auth-token",
        b"x-access-token",
        b"x-session-token",
        b"x-session-id",
        b"x-user-token",
        b"x-amz-security-token",
        b"x-goog-api-key",
        b"x-functions-key",
        b"x-vault-token",
        b"ocp-apim-subscription-key",
        b"private-token",
    }
)
"""Lower-case names of fields that carry a credential wherever they are used."""

CREDENTIAL_PARAMETERS = frozenset(
    {b"access_token", b"api_key", b"apikey", b"auth_token", b"sig", b"signature"}
)
"""Query parameters that do (RFC 6750 §2.3, and pre-signed addresses)."""


def credential_names(request: Request) -> tuple[bytes, ...]:
    """Lower-case names of the credential fields of `request`, in wire order, each once."""
    return tuple(dict.fromkeys(k.lower() for k, _ in request.headers if k.lower() in CREDENTIAL_FIELDS))


def stripped(
    request: Request,
    signer: Signs | None,
    also: Iterable[bytes] = (),
    *,
    parameters: Iterable[bytes] = (),
    kept: Iterable[bytes] = (),
) -> Request:
    """`request` without any credential: known fields and query parameters, the parts of a signature, the
    fields `also` and the query's `parameters`; but with the fields `kept` (lower case)."""
    request = signer.bare(request) if signer else request
    gone = (CREDENTIAL_FIELDS | {name.lower() for name in also}) - set(kept)
    headers = tuple((key, value) for key, value in request.headers if key.lower() not in gone)
    names = CREDENTIAL_PARAMETERS | {name.lower() for name in parameters}
    return msgspec.structs.replace(
        request, target=_without_parameters(request.target, names), headers=headers
    )


def with_parameters(target: bytes, added: Iterable[tuple[bytes, bytes]]) -> bytes:
    """`target` with these parameters in its query, in the place of those of the same names."""
    pairs = tuple(added)
    made = _without_parameters(target, {name.lower() for name, _ in pairs}) if pairs else target
    for name, value in pairs:
        said = quote_from_bytes(name, safe="").encode() + b"=" + quote_from_bytes(value, safe="").encode()
        made += (b"&" if b"?" in made else b"?") + said
    return made


def query_pairs(target: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and value of every parameter of the query, percent-decoded."""
    for pair in target.partition(b"?")[2].split(b"&"):
        name, _, value = pair.partition(b"=")
        if name:
            yield unquote_to_bytes(name), unquote_to_bytes(value)


def credential_values(request: Request) -> Iterator[bytes]:
    """Every value in the request that is a credential by its place: of fields, whole and without their
    scheme, of each cookie, and of parameters; never an empty one."""
    yield from _in_fields(request.headers)
    if b"?" in request.target:
        yield from (
            value
            for name, value in query_pairs(request.target)
            if name.lower() in CREDENTIAL_PARAMETERS and value
        )


@by_headers
def _in_fields(headers: Headers) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for name, value in headers:
        if name.lower() in CREDENTIAL_FIELDS:
            found += (each for each in (value, value.partition(b" ")[2].strip()) if each)
    return (*found, *(value for _, value in cookies(headers) if value))


def only_credential(
    request: Request, name: bytes, value: bytes, signer: Signs | None, also: Iterable[bytes] = ()
) -> Request:
    """`request` with `value` in the first field called `name` (lower case) and no credential besides."""
    kept, is_placed = [], False
    bare = stripped(request, signer, also)
    left = set(bare.headers)
    for key, old in request.headers:
        if key.lower() == name and not is_placed:
            kept.append((key, value))
            is_placed = True
        elif key.lower() != name and (key, old) in left:
            kept.append((key, old))
    return msgspec.structs.replace(bare, headers=tuple(kept))


def authorization(headers: Headers) -> tuple[bytes, bytes] | None:
    """Scheme in lower case and credential of the first Authorization field; None where there is none."""
    value = next(fields(headers, b"authorization"), None)
    if value is None:
        return None
    scheme, _, credential = value.partition(b" ")
    return scheme.lower(), credential.strip()


def cookies(headers: Headers) -> Iterator[tuple[bytes, bytes]]:
    """Name and value of every cookie sent, in wire order, over all Cookie fields."""
    for line in fields(headers, b"cookie"):
        for pair in line.split(b";"):
            name, mark, value = pair.strip().partition(b"=")
            if mark:
                yield name, value


def _without_parameters(target: bytes, names: AbstractSet[bytes]) -> bytes:
    path, mark, query = target.partition(b"?")
    if not mark:
        return target
    pairs = query.split(b"&")
    kept = [pair for pair in pairs if unquote_to_bytes(pair.partition(b"=")[0]).lower() not in names]
    if len(kept) == len(pairs):
        return target
    return path + b"?" + b"&".join(kept) if kept else path
