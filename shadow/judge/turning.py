"""Whether one of two answers with successful statuses is a refusal, as the other, known to be good, shows."""

from collections.abc import Iterator

import msgspec

from shadow.judge.denials import envelope, has_login_form, parsed
from shadow.judge.envelope import Envelope, Said, Sort
from shadow.model import Response


class Turn(msgspec.Struct, frozen=True):
    """What says that an answer is a refusal, where another one was a success."""

    why: str
    place: str = ""
    """That of the member that tells it; empty where something else does."""
    fine: str = ""
    """Its value in the good answer, as text."""


def turned(good: Response, answer: Response) -> Turn | None:
    """What makes `answer` a refusal, held against `good`, the answer to a like request; None for nothing."""
    ours, theirs = envelope(good), envelope(answer)
    if ours is not None and theirs is not None:
        return turned_envelope(ours, theirs)
    if has_login_form(answer) and not has_login_form(good):
        return Turn("the answer is a page that asks for a password")
    return None


def turned_envelope(good: Envelope, answer: Envelope) -> Turn | None:
    """As `turned`, of envelopes alone."""
    has_lost = bool(good.payload) and not answer.payload
    complains = bool(answer.complaint) and answer.complaint != good.complaint
    for fine, poor in _pairs(good, answer):
        if _is_turn(fine, poor, has_lost=has_lost, complains=complains, is_ack=not good.payload):
            return Turn(f"the body says {poor}, and {fine} of a success", fine.place, fine.text)
    for each in answer.said:
        if good.at(each.place) is None and each.is_poor and has_lost:
            return Turn(f"the body says {each}")
    if has_lost and complains and not answer.said and answer.is_object and answer.is_bare:
        return Turn("the body is a message in place of what was asked for")
    return None


def _pairs(good: Envelope, answer: Envelope) -> Iterator[tuple[Said, Said]]:
    """What both say in the same place, where the good answer says that all went well, and the other another
    thing."""
    for fine in good.said:
        poor = answer.at(fine.place)
        if poor is not None and fine.is_fine and poor.text != fine.text:
            yield fine, poor


def _is_turn(fine: Said, poor: Said, *, has_lost: bool, complains: bool, is_ack: bool) -> bool:
    """`has_lost` tells whether all that was asked for is gone, `is_ack` that nothing was asked for."""
    if poor.sort is Sort.FLAG and fine.sort is Sort.FLAG:
        return not poor.is_fine and (has_lost or complains)
    if poor.is_poor and (has_lost or complains):
        return True
    match poor.sort, fine.sort:
        case ((Sort.WORD | Sort.CODE), Sort.CODE):
            return has_lost or (is_ack and complains and not poor.is_fine)
        case ((Sort.WORD | Sort.CODE), Sort.WORD):
            return has_lost and complains
    return False


def shows_nothing(good: Response, answer: Response) -> bool:
    """Whether `answer`, a success, holds nothing of what `good` holds: no body, or its lists without items.

    So some services answer those who may see nothing, in place of a refusal.
    """
    if not good.body or good.body == answer.body:
        return False
    if not answer.body.strip():
        return True
    full, empty = (_lists(each) for each in (good, answer))
    if full is None or empty is None:
        return answer.body.strip() in (b"null", b"{}", b"[]")
    return any(full.values()) and not any(empty.values()) and full.keys() == empty.keys()


def _lists(response: Response) -> dict[str, int] | None:
    """The lengths of the lists that a document is, or holds at its top; None of no JSON, or without lists."""
    tree = parsed(response)
    found = {"$": tree} if isinstance(tree, list) else tree if isinstance(tree, dict) else {}
    held = {key: len(each) for key, each in found.items() if isinstance(each, list)}
    is_of_lists = all(isinstance(each, list | int | float | bool | None) for each in found.values())
    return held if held and is_of_lists else None
