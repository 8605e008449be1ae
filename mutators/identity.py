"""The same request from somebody else, and somebody else's resource in the same request."""

import re
from collections.abc import Callable, Iterable, Iterator
from random import Random

import msgspec

from mutators._contract import mutator
from mutators._resource import action_of, ids_of, is_id, resource_of, succeeded, writes
from mutators._unconditional import unconditional
from shadow.auth.canonical import path_of
from shadow.auth.credentials import stripped
from shadow.auth.identity import allows, as_identity, is_anonymous, is_public, owner_of
from shadow.model import Edit, Exchange, Expect, Headers, Identity, Known, Level, Request

_OBJECT = re.compile(rb'\s*\{\s*"')
"""The beginning of a JSON object with a member."""

type _OwnerBy = Callable[[Request], Identity | None]


@mutator(level=Level.PERMISSION, expect=Expect.REJECT)
def as_anonymous(request: Request, _rng: Random, known: Known) -> Edit | None:
    """What a principal's credentials opened must stay shut without any (OWASP API Security 2023, API2; WFC
    F207, F208), unless the anonymous identity may do it."""
    owner = known.owner
    if owner is None or is_anonymous(owner) or is_public(request, known.identities):
        return None
    names, query = [name for name, _ in owner.headers], [name for name, _ in owner.query]
    bare = stripped(request, known.signer, names, parameters=query)
    if bare == request:
        return None
    return Edit(unconditional(bare), f"dropped every credential of {owner.name!r}", signs_again=False)


@mutator(level=Level.PERMISSION, expect=Expect.REJECT)
def as_lower_rank(request: Request, rng: Random, known: Known) -> Edit | None:
    """The configuration says what an identity may do; what it does not list for a lower rank must be denied
    (OWASP API Security 2023, API5)."""
    owner = known.owner
    if owner is None:
        return None
    lower = [who for who in _others(known) if who.rank < owner.rank and allows(who, request) is False]
    return _as_one_of(_nearest_first(lower, owner, rng), request, known)


@mutator(level=Level.PERMISSION, expect=Expect.REJECT)
def as_role_without_permission(request: Request, rng: Random, known: Known) -> Edit | None:
    """A rank as high or higher gives no permission that the configuration does not list, such as an auditor's
    to write (OWASP API Security 2023, API5)."""
    owner = known.owner
    if owner is None:
        return None
    peers = [who for who in _others(known) if who.rank >= owner.rank and allows(who, request) is False]
    return _as_one_of(_nearest_first(peers, owner, rng), request, known)


@mutator(level=Level.PERMISSION, expect=Expect.REJECT, is_stated=False)
def as_other_tenant(request: Request, rng: Random, known: Known) -> Edit | None:
    """One tenant's resource is closed to another tenant, of no higher rank than the first has itself
    (OWASP API Security 2023, API1), unless the traffic shows that it is shared."""
    owner, resource = known.owner, resource_of(request)
    if owner is None or resource is None or is_public(request, known.identities):
        return None
    owner_by = _owners(known)
    highest = max(who.rank for who in (owner, *known.identities) if who.tenant == owner.tenant)
    strangers = [
        who
        for who in _others(known)
        if _are_strangers(owner, who)
        and who.rank <= highest
        and not _has_reached(who.tenant, resource, known, owner_by)
    ]
    rng.shuffle(strangers)
    return _as_one_of(strangers, request, known)


@mutator(level=Level.PERMISSION, expect=Expect.AGREE)
def as_other_identity(request: Request, rng: Random, known: Known) -> Edit | None:
    """Who may do what is the service's own affair, but both of its versions must decide alike."""
    if known.owner is None:
        return None
    others = list(_others(known))
    rng.shuffle(others)
    return _as_one_of(others, request, known)


@mutator(level=Level.PERMISSION, expect=Expect.REJECT, is_stated=False)
def id_of_other_tenant(request: Request, rng: Random, known: Known) -> Edit | None:
    """Knowing another tenant's id opens nothing (OWASP API Security 2023, API1)."""
    owner = known.owner
    if owner is None or resource_of(request) is None or is_public(request, known.identities):
        return None
    own = path_of(request.target)
    wanted, above = action_of(request)[1], own[: own.index(ids_of(request)[0])]
    alike = [  # in the order of the traffic, which is the same for every target
        other
        for other in known.others
        if above in other.request.target
        and wanted.startswith(action_of(other.request)[1].rpartition(b"{id}")[0])
    ]
    targets = dict.fromkeys(path_of(other.request.target) for other in _of_strangers(owner, known, alike))
    paths = [path for target in targets if (path := _with_ids_of(own, target)) is not None]
    if not paths:
        return None
    target = rng.choice(paths) + request.target[len(path_of(request.target)) :]
    return Edit(
        unconditional(msgspec.structs.replace(request, target=target)),
        "put an id of another tenant's into the path",
    )


@mutator(level=Level.PERMISSION, expect=Expect.REJECT, is_stated=False)
def body_id_of_other_tenant(request: Request, rng: Random, known: Known) -> Edit | None:
    """Where path and body name the same resource, a body that names another tenant's must be refused: one of
    the two is authorised and the other used (OWASP API Security 2023, API1, CWE-639)."""
    owner = known.owner
    if owner is None or not writes(request) or is_public(request, known.identities):
        return None
    own = [one for one in ids_of(request) if _quoted(one).search(request.body)]
    theirs = [one for one in _ids_of_strangers(owner, known) if one not in own] if own else []
    if not theirs:
        return None
    put, taken = rng.choice(own), rng.choice(theirs)
    body = _quoted(put).sub(lambda found: found.group(0).replace(put, taken), request.body)
    return Edit(msgspec.structs.replace(request, body=body), "put an id of another tenant's into the body")


@mutator(level=Level.PERMISSION, expect=Expect.AGREE)
def body_id_added(request: Request, rng: Random, known: Known) -> Edit | None:
    """A body may be refused or read without its surplus id, but both versions must do the same: one that
    follows it to another tenant's resource does not (CWE-639)."""
    owner = known.owner
    is_object = _OBJECT.match(request.body) is not None and b'"id"' not in request.body
    if owner is None or not is_object or not writes(request) or resource_of(request) is None:
        return None
    theirs = _ids_of_strangers(owner, known)
    if not theirs:
        return None
    taken = rng.choice(theirs)
    member = taken if taken.isdigit() else b'"' + taken + b'"'
    body = b'{"id": ' + member + b", " + request.body.lstrip()[1:].lstrip()
    return Edit(msgspec.structs.replace(request, body=body), "added another tenant's id to the body")


def _as_one_of(identities: list[Identity], request: Request, known: Known) -> Edit | None:
    """The request as the first of `identities` that it can be made as."""
    for who in identities:
        mutant = as_identity(request, who, known.signer)
        if mutant is not None and mutant != request:
            role = f" ({who.role})" if who.role else ""
            return Edit(unconditional(mutant), f"sent as {who.name!r}{role}")
    return None


def _others(known: Known) -> Iterator[Identity]:
    """Every identity with credentials but the owner and those of the owner's role and tenant."""
    owner = known.owner
    for who in known.identities:
        is_alike = (
            owner is not None and who.role == owner.role and who.tenant == owner.tenant and who.role != ""
        )
        if (who.key or who.headers or who.query) and who != owner and not is_alike:
            yield who


def _nearest_first(identities: list[Identity], owner: Identity, rng: Random) -> list[Identity]:
    """Shuffled, but those of the owner's tenant first: to others the resource may not even exist."""
    rng.shuffle(identities)
    return sorted(identities, key=lambda who: who.tenant != owner.tenant)


def _are_strangers(one: Identity, other: Identity) -> bool:
    return bool(one.tenant) and bool(other.tenant) and one.tenant != other.tenant


def _ids_of_strangers(owner: Identity, known: Known) -> list[bytes]:
    found = _of_strangers(owner, known, known.others)
    return list(dict.fromkeys(one for other in found for one in ids_of(other.request)))


def _of_strangers(owner: Identity, known: Known, among: Iterable[Exchange]) -> Iterator[Exchange]:
    """Recorded successes of other tenants, of no lower rank than the owner: what it may not reach."""
    owner_by = _owners(known)
    for other in among:
        resource = resource_of(other.request) if succeeded(other) else None
        if resource is None:
            continue
        who = owner_by(other.request)
        if who is None or not _are_strangers(owner, who) or who.rank < owner.rank:
            continue
        if not _has_reached(owner.tenant, resource, known, owner_by):
            yield other


def _owners(known: Known) -> _OwnerBy:
    """`owner_of`, asked once for all requests that show the same: most of a client's do."""
    found: dict[tuple[Headers, bytes], Identity | None] = {}

    def owner_by(request: Request) -> Identity | None:
        if known.signer is not None and known.signer.key_id(request) is not None:
            return owner_of(request, known.identities, known.signer)
        shown = (request.headers, request.target.partition(b"?")[2])
        if shown not in found:
            found[shown] = owner_of(request, known.identities, known.signer)
        return found[shown]

    return owner_by


def _has_reached(tenant: str, resource: bytes, known: Known, owner_by: _OwnerBy) -> bool:
    """Whether the recorded traffic shows `tenant` succeed with `resource` or what lies below it."""
    for other in known.others:
        if resource in other.request.target and succeeded(other):  # the first tells most apart
            path = path_of(other.request.target)
            if path == resource or path.startswith(resource + b"/"):
                who = owner_by(other.request)
                if who is not None and who.tenant == tenant:
                    return True
    return False


def _with_ids_of(path: bytes, other: bytes) -> bytes | None:
    """`path` with the ids of `other` as far as both run alike; None where that changes nothing."""
    mine, theirs = path.split(b"/"), other.split(b"/")
    swapped = list(mine)
    for at, (own, foreign) in enumerate(zip(mine, theirs, strict=False)):
        if is_id(own) and is_id(foreign):
            swapped[at] = foreign
        elif own != foreign:
            break
    return b"/".join(swapped) if swapped != mine else None


def _quoted(one: bytes) -> re.Pattern[bytes]:
    """Finds an id as a whole value: ``"7"``, ``: 7`` before a comma or a brace, ``=7``."""
    return re.compile(rb"(?<![A-Za-z0-9_-])" + re.escape(one) + rb"(?![A-Za-z0-9_-])")
