"""Which parts of a request carry credentials, recognised by their names alone."""

from collections.abc import Iterable, Iterator

import msgspec

from shadow.model import Headers, Request, Signs, fields

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


def stripped(request: Request, signer: Signs | None, also: Iterable[bytes] = ()) -> Request:
    """`request` without any credential: known fields and query parameters, signing fields, and `also`."""
    signing = {name.lower().encode("latin-1") for name in signer.places().values()} if signer else set()
    gone = CREDENTIAL_FIELDS | signing | {name.lower() for name in also}
    headers = tuple((key, value) for key, value in request.headers if key.lower() not in gone)
    return msgspec.structs.replace(request, target=_without_parameters(request.target), headers=headers)


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


def _without_parameters(target: bytes) -> bytes:
    path, mark, query = target.partition(b"?")
    if not mark:
        return target
    pairs = query.split(b"&")
    kept = [pair for pair in pairs if pair.partition(b"=")[0].lower() not in CREDENTIAL_PARAMETERS]
    if len(kept) == len(pairs):
        return target
    return path + b"?" + b"&".join(kept) if kept else path
