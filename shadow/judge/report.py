"""A finding, made of the trial that shows its cause best."""

from base64 import b64encode
from typing import Any

from shadow.content.entity import undone
from shadow.judge.causes import Sighting
from shadow.judge.classes import classify, told_by
from shadow.judge.fingerprint import Cause
from shadow.judge.leaking import PLACE, fault_of
from shadow.judge.reproduce import curl
from shadow.judge.retelling import readable
from shadow.judge.severity import severity_of
from shadow.judge.wfc import wfc_code
from shadow.model import (
    CONVERSATIONS,
    Expect,
    Finding,
    Kind,
    NoReply,
    Origin,
    Outcome,
    Reply,
    Request,
    Trial,
    Wire,
)

_SAYS_ALL = frozenset({"F103", "growth", "no-effect", "slow"})
"""Faults whose reason tells more than the place does."""
MAX_BODY_BYTES = 4096
_MAX_TITLE_CHARS = 160

TITLES: dict[str, str] = {
    "F100": "server error",
    "F103": "what was deleted is still there",
    "F200": "text run as part of a database query",
    "F201": "markup of the request is part of the page",
    "F202": "address of the request was called",
    "F204": "what may not be seen is told to be there",
    "F206": "access that the permissions deny",
    "F209": "inner details in the answer",
    "amplified": "answer many times longer than usual",
    "auth-bypass": "bad credentials or signature accepted",
    "code-injection": "text run as code",
    "crash": "connection dropped, or what came is not the protocol",
    "field-injection": "line of the request became a field of the answer",
    "file-disclosure": "content of a file of the system in the answer",
    "framing": "malformed framing accepted",
    "growth": "what the service keeps grows with every request",
    "hang": "no answer in time",
    "illegal-transition": "illegal step accepted",
    "inner-detail": "source, path or address of the inside in the answer",
    "invalid-json": "answer is stated to be JSON and is not",
    "left-trace": "rejected request changed the state",
    "metamorphic": "answer changed by an edit without meaning",
    "mutation-regression": "answered otherwise than by the live release",
    "no-effect": "accepted, and nothing was done",
    "nosql-injection": "operator run as part of a database query",
    "race": "not exactly one of simultaneous requests succeeded",
    "secret-leak": "secret in the answer",
    "slow": "answer many times slower than usual",
    "unhealthy": "unwell after mutants",
    "validation": "invalid request accepted",
}


def finding(
    trial: Trial,
    sighting: Sighting,
    *,
    confirmed: str = "",
    request: Request | None = None,
    is_exact: bool = True,
    origin: str = "",
    shell: str | None = None,
    wire: Wire | None = None,
) -> Finding:
    """The finding that `trial` shows under `sighting`.

    `request` is what was sent, minimised if it was; with `is_exact` False it cannot be said by curl (raw wire
    bytes), and only ``raw_base64`` tells it. `origin` is the candidate's, as ``"http://host:port"``;
    `shell` a command line for what is no request; `wire` says how the bytes left, where that matters.
    """
    judgement, record, cause = trial.judgement, sighting.record, sighting.cause
    fault = judgement.fault or "regression"
    if cause.where and cause.where[0].startswith(PLACE):
        fault = fault_of(cause.where[0])
    expect = judgement.expect or trial.expect or Expect.SAME
    shown = cause.differences if trial.kind is Kind.REGRESSION else judgement.differences
    return Finding(
        id=cause.id,
        kind=trial.kind.value,
        fault=fault,
        severity=(
            severity_of(judgement.fault or "regression", shown)
            if trial.kind is Kind.REGRESSION
            else judgement.severity
        ).value,
        title=_title(trial, cause, fault, len(record.endpoints))[:_MAX_TITLE_CHARS],
        endpoint=trial.endpoint,
        where=tuple(record.where) or ("status",),
        mutator=trial.mutator,
        edits=trial.edits,
        expect=expect.value,
        why=_why(trial, cause, record.mutators),
        exchanges=record.indexes,
        count=record.count,
        control=message(trial.control),
        answer=message(trial.answer),
        baseline=message(trial.baseline),
        confirmed=confirmed,
        reproduce={
            "curl": curl(request, origin, is_http2=trial.is_http2) if request and is_exact else None,
            "raw_base64": b64encode(trial.sent).decode(),
            "seed": trial.seed,
        }
        | ({} if shell is None else {"shell": shell})
        | _origin(trial, wire),
        endpoints=tuple(record.endpoints),
        minimised=_minimised(trial),
        also=tuple(record.also),
        wfc=wfc_code(fault, trial.endpoint, trial.mutator, shown),
    )


def _origin(trial: Trial, wire: Wire | None) -> dict[str, Any]:
    """What `shadow repro` and reproductions need to know besides the bytes."""
    origin = trial.origin or Origin()
    told: dict[str, Any] = {"exchange": trial.exchange, "before": list(origin.before)}
    if origin.others:
        told["others"] = list(origin.others)
    if origin.owner:
        told["owner"] = origin.owner
    if origin.plain and trial.mutator is not None:
        told["plain_base64"] = b64encode(origin.plain).decode()
    if origin.less is not None:
        told["less"] = origin.less
    if origin.kept:
        told["kept"] = list(origin.kept)
    if origin.steps:
        told["at_once"] = origin.is_burst
        told["steps"] = [
            {"exchange": each.exchange, "raw_base64": b64encode(each.text).decode(), "judged": each.is_judged}
            for each in origin.steps
        ]
    if wire is not None:
        told["wire"] = {
            "segments": [len(each) for each in wire.segments],
            "pause_seconds": wire.pause_seconds,
            "ending": wire.ending.value,
            "protocol": wire.protocol,
            "stream": wire.stream,
        }
    return told


def _minimised(trial: Trial) -> dict[str, Any] | None:
    made = trial.minimised
    return None if made is None else {"from": made.before, "to": made.after, "tries": made.tries}


def message(outcome: Outcome | None) -> dict[str, Any] | None:
    """`outcome` as JSON: class, status, header pairs, the first bytes of the body as text or base64."""
    if outcome is None:
        return None
    if isinstance(outcome, NoReply):
        return {"class": classify(outcome).value, "silence": outcome.why.value, "detail": outcome.detail}
    if outcome.protocol in CONVERSATIONS:
        return {"class": classify(outcome).value} | readable(outcome)
    response = outcome.response
    body = undone(response).body
    told = told_by(outcome)
    shown: dict[str, Any] = {
        "class": classify(outcome).value,
        **({"class_by": told} if told else {}),
        "status": response.status,
        "headers": [[str(name, "latin-1"), str(value, "latin-1")] for name, value in response.headers],
        "body_bytes": len(response.body),
    }
    if response.trailers:
        shown["trailers"] = [
            [str(name, "latin-1"), str(value, "latin-1")] for name, value in response.trailers
        ]
    cut = body[:MAX_BODY_BYTES]
    text = _text(cut)
    shown |= {"body_base64": b64encode(cut).decode()} if text is None else {"body": text}
    if outcome.surplus:
        shown["surplus_base64"] = b64encode(outcome.surplus[:MAX_BODY_BYTES]).decode()
    return shown


def _text(body: bytes) -> str | None:
    """`body` as text, a character cut in two at its end left out; None where it is none."""
    for cut in range(4):
        try:
            text = body[: len(body) - cut].decode()
        except UnicodeDecodeError:
            continue
        return None if "\x00" in text else text
    return None


def _title(trial: Trial, cause: Cause, fault: str, endpoints: int) -> str:
    on = trial.endpoint + (f" and {endpoints - 1} more" if endpoints > 1 else "")
    if trial.kind is Kind.REGRESSION and cause.differences:
        place = cause.where[0]
        if place.startswith(PLACE):
            return f"{place.removeprefix(PLACE)} in the answer ({on})"
        if place == "state":
            return f"{TITLES[fault]} on {on}"
        if fault == "slow":
            return f"slower than the live release on {on}"
        if fault in ("hang", "crash", "F100") and place == "status":
            return f"{TITLES[fault]} on {on}: {cause.what}"
        return f"{_place(place)}: {cause.what} ({on})"
    by = f" ({trial.mutator})" if trial.mutator else ""
    if cause.where == ("surplus",):
        return f"bytes after the end of the answer on {on}{by}"
    return f"{TITLES.get(fault, fault)} on {on}{by}"


def _place(where: str) -> str:
    part, _, rest = where.partition(":")
    match part:
        case "header" | "trailer":
            return f"{part} {rest}"
        case "message[]" if rest.startswith("$."):
            return f"message field {rest[2:]}"
        case "message[]":
            return f"message {rest}".rstrip()
        case "body" if rest.startswith("$."):
            return f"field {rest[2:]}"
        case "body":
            return "body" if rest in ("", "$") else f"body {rest}"
    return where


def _why(trial: Trial, cause: Cause, mutators: dict[str, None]) -> str:
    why = trial.judgement.why
    if trial.kind is Kind.REGRESSION and cause.differences and trial.judgement.fault not in _SAYS_ALL:
        first = cause.differences[0]
        if first.where.startswith(PLACE):
            return f"the candidate's answer shows {first.right}, live's does not"
        why = f"{first.where} was {_shown(first.left)}, the candidate has {_shown(first.right)}"
        if first.where == "status" and trial.answer is not None and (told := told_by(trial.answer)):
            why += f", as {told}"
        if isinstance(trial.baseline, Reply):
            why += (
                "; the baseline agrees with live"
                if trial.has_live
                else "; the baseline says so, live is unseen"
            )
        elif trial.baseline is None:
            why += "; there is no baseline to say whether live would answer so again"
    others = [name for name in mutators if name != trial.mutator]
    return f"{why}; also seen by {', '.join(others[:8])}" if others else why


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else text[:80] + "…"
