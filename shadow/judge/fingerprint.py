"""Which cause a failed trial shows: a key that is the same for the same cause in every run."""

import re
from hashlib import sha256
from typing import Any

import msgspec
import orjson

from shadow.content.entity import undone
from shadow.judge.classes import classify, told_by
from shadow.judge.places import template
from shadow.judge.roots import Root, error_object, relative, roots
from shadow.judge.shapes import masked
from shadow.model import (
    JOINT,
    AnswerClass,
    Difference,
    Expect,
    Kind,
    Level,
    NoReply,
    Outcome,
    Reply,
    Response,
    Silence,
    Trial,
)
from shadow.wire.grpc_status import call_message, call_status, status_name

BREAKAGES = frozenset({"F100", "hang", "crash"})
"""No answer of a sound service, whatever was asked in whatever state."""
_OF_EFFECT = frozenset({"F103", "no-effect"})
"""Writes that were accepted and not done."""
_LET_IN = frozenset(
    {"F206", "auth-bypass", "framing", "illegal-transition", "mutation-regression", "validation"}
)
_UNAUTHENTICATED = 401
_EVERYWHERE = frozenset({"auth-bypass", "framing", "metamorphic"})
"""Faults of a part that all endpoints share: one per mutator, wherever it shows."""
_DISAGREEMENTS = frozenset({"framing", "mutation-regression"})
"""Where releases read malformed bytes differently: of framing, one per kind of malformation, wherever it
shows, as one piece of code reads it for all endpoints, and refusals quote what they refuse."""
_OF_ENDPOINT = frozenset(
    {"F200", "F201", "F202", "code-injection", "field-injection", "file-disclosure", "nosql-injection"}
    | {"amplified", "invalid-json", "race", "slow", "unhealthy"}
)
"""Faults of what an endpoint does with a text, or of all of it: many mutators find one of them. What an
endpoint does not keep apart, all mutators that send at one moment may show."""
_SETTLING = frozenset({Level.AUTH, Level.FRAMING, Level.NETWORK, Level.PERMISSION})
_DROPPED = frozenset({Silence.CLOSED, Silence.RESET})
READ_FOR_ALL = frozenset({Level.COOKIE, Level.HEADER})
"""Parts of a request that one piece of code reads for all endpoints: what breaks it breaks all of them."""
_TELLING = frozenset({"code", "error", "exception", "field", "loc", "path", "reason", "title", "type"})
"""Members of an error body that say which error it is."""
_TELLING_WHAT = _TELLING - {"field", "loc", "path"}
"""Of these, those that say no place: what is wrong, whichever value it is wrong with."""
_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|[^\s/]*/\S*")
"""What a text of an error quotes of the request: values, paths."""
_DIGITS = re.compile(r"\d+")
_MAX_TEXT_CHARS = 120
_MAX_MEMBERS, _MAX_ITEMS = 40, 5


class Cause(msgspec.Struct, frozen=True):
    """What one finding is about."""

    id: str
    key: tuple[str, ...]
    what: str
    """The change in words; empty where the fault says it all."""
    differences: tuple[Difference, ...] = ()

    @property
    def where(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(template(each.where) for each in self.differences))


def causes_of(trial: Trial) -> tuple[Cause, ...]:
    """The causes that `trial`, a failed one, shows: one per root of an original, one of a mutant.

    A mutant that both releases accept, with other answers, shows the roots that an original would have shown.
    """
    differences = trial.judgement.differences
    if trial.judgement.fault == "growth":  # one store that is never emptied, whoever fills it
        return (
            _cause(
                ("growth", *(each.where for each in differences)), "rises with every request", differences
            ),
        )
    is_like_original = trial.judgement.fault == "mutation-regression" and differences
    if trial.kind is not Kind.REGRESSION and not is_like_original:
        return (_cause(_disagreement_key(trial) or _mutant_key(trial), "", differences),)
    if trial.judgement.fault == "slow":  # of the endpoint, whether mutants show it or not
        return (_cause(("slow", trial.endpoint), "slower", differences),)
    if trial.judgement.fault in _OF_EFFECT:
        return (_cause((trial.judgement.fault, trial.endpoint), "unchanged", differences),)
    found = roots(differences)
    return tuple(_cause(_original_key(trial, root), root.what, root.differences) for root in found)


def signature(outcome: Outcome | None) -> str:
    """What is lasting about an answer: its status and the kind of error in it, without ids and times."""
    if outcome is None:
        return "none"
    if isinstance(outcome, NoReply):
        # which of the two comes depends on what the peer had not read when it closed
        return "dropped" if outcome.why in _DROPPED else outcome.why.value
    response = outcome.response
    if (code := call_status(response)) is not None:
        message = call_message(response).decode("utf-8", "backslashreplace")
        return f"{status_name(code)} {_text_signature(message) if code else ''}"
    body = undone(response).body
    is_error = response.status >= 400 or bool(told_by(outcome))
    return f"{response.status} {_body_signature(body) if is_error else ''}"


def refusal(response: Response) -> str:
    """What a refusal says is wrong, without the place that it is wrong at."""
    body = undone(response).body
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _text_signature(body.decode("utf-8", "backslashreplace"))
    told = (each for each in _members(value, "body:$") if "=" in each)
    of_kind = sorted(each for each in told if each.partition("=")[0].rpartition(".")[2] in _TELLING_WHAT)
    return ",".join(of_kind)[: _MAX_TEXT_CHARS * 4]


def _original_key(trial: Trial, root: Root) -> tuple[str, ...]:
    """A broken answer belongs to its endpoint, whoever met it; all else is one cause wherever it shows. An
    error is written by one piece of code. A refusal is known by what it says."""
    if trial.judgement.fault in BREAKAGES and root.key[0] == "status":
        return (trial.judgement.fault, trial.endpoint, signature(trial.answer))
    places = {relative(error_object(each.where)) for each in root.differences}
    if places != {""} and len(places) == 1:
        return ("original", "error", *places)
    if root.key[0] == "status" and isinstance(trial.answer, Reply) and trial.answer.response.status >= 400:
        return ("original", *root.key, refusal(trial.answer.response))
    return ("original", *root.key)


def _disagreement_key(trial: Trial) -> tuple[str, ...] | None:
    """Of malformed bytes that releases read differently; None of all else."""
    fault = trial.judgement.fault
    if trial.level is not Level.FRAMING or fault not in _DISAGREEMENTS:
        return None
    if trial.answer is None or trial.baseline is None or _is_unauthenticated(trial.baseline):
        return None  # what is refused for its credentials was read well
    return (fault, trial.mutator or "", classify(trial.answer).value, classify(trial.baseline).value)


def _mutant_key(trial: Trial) -> tuple[str, ...]:
    """Many mutators run into one crash, so a breakage is known by where it happens and what is answered."""
    fault = trial.judgement.fault
    places = sorted({template(each.where) for each in trial.judgement.differences})
    if fault in BREAKAGES:
        scope = trial.level.value if trial.level in READ_FOR_ALL else trial.endpoint
        return (fault, scope, signature(trial.answer))
    if _is_let_in(trial):
        is_for_all = trial.level is Level.AUTH or _is_unauthenticated(trial.baseline)
        return ("let in", "" if is_for_all else trial.endpoint, signature(trial.baseline))
    if places == ["surplus"]:  # whichever way the method was changed
        return (fault, *places)
    if fault in _EVERYWHERE:
        return (fault, _edit(trial), *places)
    return (fault, trial.endpoint) if fault in _OF_ENDPOINT else _other_key(trial)


def _other_key(trial: Trial) -> tuple[str, ...]:
    fault = trial.judgement.fault
    match fault:
        case "F209" | "inner-detail" | "secret-leak":
            return (fault, trial.judgement.why)
        case "F206" if trial.judgement.why.startswith("the answer shows"):
            return (fault, "shown", trial.endpoint)
        case "left-trace":
            return (fault, "" if trial.level is Level.AUTH else trial.endpoint)
        case "mutation-regression" if trial.answer is not None and trial.baseline is not None:
            ours, theirs = classify(trial.answer), classify(trial.baseline)
            refusal = trial.answer if ours is AnswerClass.REJECTED else trial.baseline
            return (fault, trial.endpoint, ours.value, theirs.value, signature(refusal))
    return (fault, _edit(trial), trial.endpoint)


def _edit(trial: Trial) -> str:
    """The mutator. Of several edits that which settles exact bytes or credentials, or must be refused, with
    which the others only came along; else all, in any order."""
    names = (trial.mutator or "").split(JOINT)
    is_by_last = trial.level in _SETTLING or trial.expect is Expect.REJECT
    return names[-1] if is_by_last else JOINT.join(sorted(names))


def _is_let_in(trial: Trial) -> bool:
    """Whether the candidate accepts what the baseline refuses: what the baseline says then names the check
    that the candidate lacks, whichever mutator found it, and whether that had been expected or not."""
    if trial.answer is None or trial.baseline is None or trial.judgement.fault not in _LET_IN:
        return False
    ours, theirs = classify(trial.answer), classify(trial.baseline)
    return ours is AnswerClass.SUCCESS and theirs is AnswerClass.REJECTED


def _is_unauthenticated(outcome: Outcome | None) -> bool:
    """Whether it is refused for its credentials (RFC 9110 §15.5.2), which one piece of code looks at."""
    return isinstance(outcome, Reply) and outcome.response.status == _UNAUTHENTICATED


def _cause(key: tuple[str, ...], what: str, differences: tuple[Difference, ...]) -> Cause:
    return Cause(
        sha256("\x1f".join(key).encode("utf-8", "backslashreplace")).hexdigest()[:12], key, what, differences
    )


def _body_signature(body: bytes) -> str:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _text_signature(body.decode("utf-8", "backslashreplace"))
    return ",".join(sorted(_members(value, "body:$")))[: _MAX_TEXT_CHARS * 4]


def _members(value: Any, path: str) -> set[str]:
    """Names of all members, with the values of those that say which error it is."""
    found: set[str] = set()
    if isinstance(value, list):
        for item in value[:_MAX_ITEMS]:
            found |= _members(item, f"{path}[]")
    elif isinstance(value, dict):
        for key, inner in list(value.items())[:_MAX_MEMBERS]:
            found |= _members(inner, f"{path}.{key}")
            if key in _TELLING and isinstance(inner, str):
                found.add(f"{template(path)}.{key}={_text_signature(inner)}")
    else:
        found.add(template(path))
    return found


def _text_signature(text: str) -> str:
    """The first words without numbers, ids, paths, or what is quoted."""
    head = masked(text[: 2 * _MAX_TEXT_CHARS].split("\n", 1)[0])
    return _DIGITS.sub("0", _VALUES.sub("<value>", head))[:_MAX_TEXT_CHARS]
