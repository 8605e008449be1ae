"""Principals, parents and tenants that the traffic alone tells of, put in one another's place.

Nothing says what they may do. So both versions must decide alike, and no more is expected.
"""

import re
from random import Random

import msgspec

from mutators._contract import mutator
from mutators._resource import action_of, ids_of, is_id, resource_of, succeeded
from mutators._signed import signed
from mutators._unconditional import unconditional
from shadow.auth.canonical import path_of
from shadow.auth.credentials import CREDENTIAL_FIELDS, credential_names, only_credential
from shadow.model import Edit, Expect, Known, Level, Request, field

_UNIQUE = re.compile(rb"(?=.*\d)[0-9A-Za-z_-]{6,}")
"""Ids that mean one thing wherever they stand: a line's number below its order does not."""
_OF_TENANT = re.compile(
    rb"(?:tenant|account|org|organi[sz]ation|customer|user|owner|project|workspace)[-_]?(?:id)?$"
)


@mutator(level=Level.PERMISSION, expect=Expect.AGREE)
def as_principal_of_traffic(request: Request, rng: Random, known: Known) -> Edit | None:
    """Whoever sent another recorded request may do this one too or may not, but both versions must decide
    alike (OWASP API Security 2023, API1)."""
    if known.owner is not None or signed(request, known) is not None:
        return None  # what is configured is swapped by name, and a signature is nobody else's
    names = credential_names(request)
    if len(names) != 1:
        return None
    own = field(request.headers, names[0])
    others = dict.fromkeys(
        value
        for other in known.others
        if (value := field(other.request.headers, names[0])) and value != own and succeeded(other)
    )
    if not others:
        return None
    mutant = only_credential(request, names[0], rng.choice(list(others)), known.signer)
    return Edit(unconditional(mutant), "sent as another principal of the traffic", signs_again=False)


@mutator(level=Level.PERMISSION, expect=Expect.REJECT, is_stated=False)
def under_other_parent(request: Request, rng: Random, known: Known) -> Edit | None:
    """A thing lies under the parent that it was made under: under another one's path it is not found
    (CWE-639), or the check of the parent is none of the child."""
    found = _parents(request, known)
    if not found:
        return None
    at, parent = rng.choice(found)
    path = path_of(request.target)
    segments = path.split(b"/")
    swapped = b"/".join((*segments[:at], parent, *segments[at + 1 :])) + request.target[len(path) :]
    mutant = msgspec.structs.replace(request, target=swapped)
    return Edit(
        mutant, f"put the parent {parent.decode('latin-1')!r} over {segments[at].decode('latin-1')!r}"
    )


@mutator(level=Level.PERMISSION, expect=Expect.AGREE)
def id_of_traffic_in_path(request: Request, rng: Random, known: Known) -> Edit | None:
    """An id that another client used for the same kind of thing opens it or does not, for both versions alike
    (OWASP API Security 2023, API1)."""
    own = ids_of(request)
    if known.owner is not None or not own:
        return None
    action, credential = action_of(request), _credential(request)
    first = path_of(request.target).split(b"/", 2)[1:2]
    theirs = dict.fromkeys(
        path_of(other.request.target)
        for other in known.others
        if other.request.method == request.method
        and path_of(other.request.target).split(b"/", 2)[1:2] == first  # cheap, and tells most apart
        and _credential(other.request) != credential
        and succeeded(other)
        and action_of(other.request) == action
        and ids_of(other.request)[-1] != own[-1]
    )
    if not theirs:
        return None
    target = rng.choice(list(theirs)) + request.target[len(path_of(request.target)) :]
    mutant = msgspec.structs.replace(request, target=target)
    return Edit(unconditional(mutant), "put the ids of another client's request into the path")


@mutator(level=Level.PERMISSION, expect=Expect.AGREE)
def id_of_traffic_in_query(request: Request, rng: Random, known: Known) -> Edit | None:
    """A parameter that names a tenant or an owner filters, or is refused for another's value; both versions
    must do the same (CWE-639)."""
    path, mark, query = request.target.partition(b"?")
    pairs = [pair.partition(b"=") for pair in query.split(b"&")] if mark else []
    usable = [
        (at, other)
        for at, (name, _, value) in enumerate(pairs)
        if _OF_TENANT.search(name.lower())
        for other in known.values.get(f"query:{name.decode('latin-1')}", ())
        if other.encode("latin-1", "replace") != value and other.isalnum()
    ]
    if not usable:
        return None
    at, other = rng.choice(usable)
    said = [b"".join(pair) for pair in pairs]
    said[at] = pairs[at][0] + b"=" + other.encode("latin-1", "replace")
    mutant = msgspec.structs.replace(request, target=path + b"?" + b"&".join(said))
    name = pairs[at][0].decode("latin-1")
    return Edit(unconditional(mutant), f"put another's value into the parameter {name!r}")


@mutator(level=Level.PERMISSION, expect=Expect.AGREE)
def id_of_traffic_in_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """A field that names a tenant is checked against the credential or is not read; both versions must do the
    same (CWE-639)."""
    usable = [
        (at, value)
        for at, (name, own) in enumerate(request.headers)
        if _OF_TENANT.search(name.lower()) and name.lower() not in CREDENTIAL_FIELDS
        for value in dict.fromkeys(field(other.request.headers, name.lower()) for other in known.others)
        if value and value != own
    ]
    if not usable or signed(request, known) is not None:
        return None
    at, value = rng.choice(usable)
    name = request.headers[at][0]
    headers = (*request.headers[:at], (name, value), *request.headers[at + 1 :])
    mutant = msgspec.structs.replace(request, headers=headers)
    return Edit(unconditional(mutant), f"put another's value into the field {name.decode('latin-1')!r}")


def _parents(request: Request, known: Known) -> list[tuple[int, bytes]]:
    """Which segments of the path are ids above another, with ids of the same kind that the same client has
    reached, and under which the child was never seen."""
    segments = path_of(request.target).split(b"/")
    places = [at for at, segment in enumerate(segments) if is_id(segment)]
    if len(places) < 2 or resource_of(request) is None or not _UNIQUE.fullmatch(segments[places[-1]]):
        return []
    at, child = places[-2], segments[places[-1]]
    own = _credential(request)
    found: dict[bytes, None] = {}
    for other in known.others:
        theirs = path_of(other.request.target).split(b"/")
        if len(theirs) <= at or theirs[:at] != segments[:at] or not is_id(theirs[at]) or not succeeded(other):
            continue
        if child in theirs and theirs[at] != segments[at]:
            return []  # it has been seen under several
        is_other = theirs[at] != segments[at]
        if is_other and _credential(other.request) == own and not _is_gone(theirs, at, known):
            found[theirs[at]] = None
    return [(at, parent) for parent in found]


def _is_gone(parent: list[bytes], at: int, known: Known) -> bool:
    """Whether the recorded traffic deletes the parent."""
    path = b"/".join(parent[: at + 1])
    return any(
        other.request.method == b"DELETE" and path_of(other.request.target) == path for other in known.others
    )


def _credential(request: Request) -> tuple[bytes | None, ...]:
    return tuple(field(request.headers, name) for name in credential_names(request))
