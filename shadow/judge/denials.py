"""Refusals that a successful status, or a redirect, carries: known by conventions, from the answer alone."""

import re
from functools import lru_cache

import orjson

from shadow.content.entity import entity, media_type
from shadow.judge.envelope import Envelope, Said, Sort, envelope_of
from shadow.model import Headers, Response, field
from shadow.model.remembering import by_headers

MAX_BODY_BYTES = 64 * 1024
"""No refusal is longer."""
_GRAPHQL_MEMBERS = {"errors", "data", "extensions"}
"""A GraphQL answer holds nothing besides (specification §7.1)."""
_HTTP_ERRORS = range(400, 600)
_HINT = re.compile(
    rb'(?i)"(?:is_?)?(?:success|succeed|ok|err|status|stat|result|outcome|ack|state|code|ret|rc|fault|exception'
    rb"|fail|has_?err|(?:re(?:turn|sp|sponse|sult)|biz|sub|rtn)_?code)"
)
"""How the members begin that an envelope says with: a body without is not parsed."""
# every pattern is linear: no repetition is without bound, and none stands in another
_XML_HEAD_BYTES = 4096
_XML = re.compile(
    rb"(?s)\A\s{0,64}(?:<\?xml.{0,200}?\?>)?\s{0,64}(?:<!--.{0,200}?-->)?\s{0,64}"
    rb"<(?:[\w.-]{1,32}:)?([\w.-]{1,64})([^<>]{0,1000})>"
)
_SOAP_FAULT = re.compile(rb"<(?:[\w.-]{1,32}:)?Body[^<>]{0,400}>\s{0,64}<(?:[\w.-]{1,32}:)?Fault[\s>]")
_RPC_FAULT = re.compile(rb"<methodResponse>\s{0,64}<fault>")
_STAT = re.compile(rb"""\bstat(?:us)?\s?=\s?["'](?:fail|failed|error|failure)["']""", re.IGNORECASE)
_XML_ERRORS = frozenset(
    b"error errors errorresponse exceptionreport serviceexceptionreport fault exception problem".split()
)
_XML_ANSWERS = frozenset({b"rsp", b"response", b"result", b"reply", b"answer", b"api"})
_TITLE = re.compile(rb"(?i)<title[^<>]{0,200}>\s{0,64}([^<]{1,120})")
_REFUSING_TITLE = re.compile(
    rb"(?i)(?:(?:http )?(?:error )?4\d\d[\s:\xe2-]{0,6})?"
    rb"(?:un ?authori[sz]ed|forbidden|access (?:is )?denied|permission denied|not authori[sz]ed"
    rb"|authentication (?:is )?required|login required|(?:page )?not found|bad request"
    rb"|invalid (?:login|token|credentials)"
    rb"|(?:your )?session (?:has )?expired)[.!]?(?:\s{0,3}(?:[|:-]|\xe2\x80[\x93\x94]|\xc2\xb7)[^<]{0,60})?"
)
_LOGIN_PATH = re.compile(
    rb"(?i)/(?:log[_-]?in|sign[_-]?in|log[_-]?on|sign[_-]?on|users/sign_in|account/login|accounts/login"
    rb"|session/new|sessions/new|sso|auth/login|login\.\w{2,5}|unauthori[sz]ed|forbidden|access-?denied"
    rb"|oauth2?/(?:v\d/)?authorize|openid-connect/auth)(?:[/?#;]|\Z)"
)
_PASSWORD = re.compile(rb"""(?i)<input\b[^<>]{0,400}?\btype\s?=\s?["']?password""")


def denial(response: Response) -> str:
    """What of an answer with a successful status, or a redirect, says that the request was refused.

    ``"the body says success=false"``; empty where nothing does.
    """
    if 300 <= response.status < 400:
        return _of_redirect(response)
    body = _short(response)
    if body is None:
        return ""
    first = body[:64].lstrip()[:1]
    if first == b"{":
        return _of_json(body)
    if first == b"<":
        return _of_markup(body)
    return ""


def envelope(response: Response) -> Envelope | None:
    """The envelope of an answer of JSON; None of any other."""
    body = _short(response)
    return None if body is None or body[:64].lstrip()[:1] not in (b"{", b"[") else _envelope(body)


def parsed(response: Response) -> object:
    """An answer's JSON as Python has it; None of any other, or of what is too long to be a refusal."""
    body = _short(response)
    if body is None or body[:64].lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def has_login_form(response: Response) -> bool:
    """Whether the answer is a page that asks for a password."""
    if b"html" not in media_type(response.headers):
        return False
    body = entity(response)
    return body is not None and _PASSWORD.search(body[: 4 * MAX_BODY_BYTES]) is not None


def _of_redirect(response: Response) -> str:
    location = (field(response.headers, b"location") or b"")[:2000]
    if _LOGIN_PATH.search(location.partition(b"?")[0]):
        return "it leads to a login"
    return ""


def _short(response: Response) -> bytes | None:
    """The body without its codings; None of one that is empty or too long to be a refusal."""
    if not response.body or len(response.body) > MAX_BODY_BYTES:
        return None
    body = entity(response) if _is_coded(response.headers) else response.body
    return None if body is None or len(body) > MAX_BODY_BYTES else body


@lru_cache(maxsize=256)  # the same answer is asked about again and again
def _of_json(body: bytes) -> str:
    if not _HINT.search(body):
        return ""
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(tree, dict):
        return ""
    if "jsonrpc" in tree:
        is_error = tree["jsonrpc"] == "2.0" and isinstance(tree.get("error"), dict)
        return "the body is a JSON-RPC error" if is_error else ""
    if isinstance(tree.get("errors"), list) and tree.keys() <= _GRAPHQL_MEMBERS:
        return "the body has errors and no data" if tree["errors"] and not tree.get("data") else ""
    found = refusing(envelope_of(tree))
    return f"the body says {found}" if found else ""


def refusing(envelope: Envelope) -> Said | None:
    """What in an envelope, by itself, says that the request was refused.

    A resource has such members too, as the state of a machine: so nothing else may be in it, save beside a
    flag that stands with a complaint.
    """
    for each in envelope.said:
        if each.is_fine:
            if each.sort is Sort.FLAG:
                return None
            continue
        if _is_refusal(each, envelope):
            return each
    return None


def _is_refusal(said: Said, envelope: Envelope) -> bool:
    is_bare, complains = envelope.is_bare, bool(envelope.complaint)
    match said.sort:
        case Sort.FLAG:
            return complains or is_bare
        case Sort.ALARM:
            return is_bare and complains
        case Sort.WORD:
            is_fail = said.value == "fail" and envelope.payload == {"data"}  # JSend
            return said.is_poor and (is_fail or (is_bare and complains))
    if envelope.payload or not complains:
        return False
    return said.is_poor or envelope.has_room or _is_http_error(said.value)


def _is_http_error(value: object) -> bool:
    text = str(value)
    return len(text) == 3 and text.isdigit() and int(text) in _HTTP_ERRORS


@lru_cache(maxsize=256)
def _envelope(body: bytes) -> Envelope | None:
    try:
        return envelope_of(orjson.loads(body))
    except orjson.JSONDecodeError:
        return None


@lru_cache(maxsize=256)
def _of_markup(body: bytes) -> str:
    head = body[:_XML_HEAD_BYTES]
    root = _XML.match(head)
    name = root[1].lower() if root else b""
    if name == b"html" or b"<html" in head[:1024].lower():
        title = _TITLE.search(head)
        if title is None or not _REFUSING_TITLE.fullmatch(title[1].strip()):
            return ""
        return f"the page says {title[1].strip().decode('utf-8', 'replace')!r}"
    if _SOAP_FAULT.search(head):
        return "the body is a SOAP fault"
    if _RPC_FAULT.search(head):
        return "the body is an XML-RPC fault"
    if root and (name in _XML_ERRORS or (name in _XML_ANSWERS and _STAT.search(root[2]))):
        return f"the body is <{root[1].decode('ascii', 'replace')}>, an error"
    return ""


@by_headers
def _is_coded(headers: Headers) -> bool:
    return any(name.lower() == b"content-encoding" for name, _ in headers)
