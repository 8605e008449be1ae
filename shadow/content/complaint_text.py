"""What one sentence of a refusal says of a value: its limits, type, choices, and whose value it is."""

import re

import msgspec

from shadow.model import Hint

_MAX_CHARACTERS = 600
_MAX_WORDS = 32
_NUMBER = r"(-?\d{1,18}(?:\.\d{1,12})?)(?![\w.]*\d)"
_NOT_OURS = r"(?!\s*(?:decimal|digit|request|second|minute|hour|day|time|attempt|per\b|%|[kmg]i?b\b))"
_LIMIT = _NUMBER + _NOT_OURS
_SIGN = r"(?:\s|:|=|\bof\b|\bis\b|\bto\b|\ballowed\b|\bvalue\b|\blength\b|\bsize\b|\bnumber\b|\bthan\b){0,5}"

_BETWEEN = tuple(
    re.compile(text, re.IGNORECASE)
    for text in (
        rf"between {_NUMBER}(?: characters| items)? (?:and|to) {_LIMIT}",
        rf"(?:range|from)(?: of| is|:)? ?[\[(]?{_NUMBER} ?(?:,|\.\.\.?|-|to|and) ?{_LIMIT}",
        rf"\b{_NUMBER}\.\.\.?=?{_LIMIT}",
        rf"\b{_NUMBER} ?(?:-|to) ?{_LIMIT} (?:\w+ )?(?:characters|chars|items|elements|letters)",
    )
)
_WRONG = tuple(
    (role, re.compile(text, re.IGNORECASE))
    for role, text in (
        ("max", rf"\bis (?:greater|larger|more|higher|longer) than (?:the )?(?:maximum)?{_SIGN}{_LIMIT}"),
        ("min", rf"\bis (?:less|smaller|lower|shorter|fewer) than (?:the )?(?:minimum)?{_SIGN}{_LIMIT}"),
    )
)
"""What is the matter, instead of what is wanted: "101 is greater than the maximum of 100"."""
_SIGNED = re.compile(
    r"\bnon-?negative|\bpositive (?:integer|number)|\b(?:must|should) be positive", re.IGNORECASE
)
_WANTS = re.compile(r"\b(?:ensure|must|should|needs?|may|can|cannot|expected)\b", re.IGNORECASE)
_BOUNDS = tuple(
    (role, re.compile(text, re.IGNORECASE))
    for role, text in (
        ("max", rf"(?:less|lower|smaller|fewer|shorter) than or equals?(?: to)? {_LIMIT}"),
        ("min", rf"(?:greater|more|larger|higher|longer) than or equals?(?: to)? {_LIMIT}"),
        ("max", rf"\b(?:no|not|not be|not have) (?:more|greater|larger|longer|higher) than {_LIMIT}"),
        ("min", rf"\b(?:no|not|not be|not have) (?:less|fewer|smaller|shorter|lower) than {_LIMIT}"),
        (
            "max",
            rf"(?:at most|up to|(?:not|cannot) exceed|exceeds?|max(?:imum)?|upper bound|<=|≤){_SIGN}{_LIMIT}",
        ),
        ("min", rf"(?:at least|min(?:imum)?|lower bound|>=|≥){_SIGN}{_LIMIT}"),
        ("below", rf"(?:(?:less|lower|smaller|fewer|shorter) than|<) ?{_LIMIT}"),
        ("above", rf"(?:(?:greater|more|larger|higher|longer) than|>) ?{_LIMIT}"),
    )
)
_CHARACTERS = re.compile(
    r"\b(?:characters?|chars?|length|letters|too long|too short|symbols)\b", re.IGNORECASE
)
_ELEMENTS = re.compile(r"\d (?:items?|elements?|entries|members)\b|\b(?:list|array) ", re.IGNORECASE)

_WORD = r"""(?:"[^"\n]{0,64}"|'[^'\n]{0,64}'|`[^`\n]{0,64}`|[\w.+/-]{1,64})"""
_LIST = rf"{_WORD}(?:(?:\s?,\s?(?:or |and )?| or | and |\s?\|\s?){_WORD}){{0,40}}"
_CHOICES = re.compile(
    r"(?:one of|accepted for enum class|choose from|allowed|"
    r"(?:allowed|valid|accepted|possible|permitted|supported) (?:values|choices|options))"
    r"(?: the following| these)?(?: values| choices| options)?(?: are| is)?\s?:?\s?[\[({]?\s?"
    rf"({_LIST})",
    re.IGNORECASE,
)
_QUOTED = r"(?:'[^'\n]{0,64}'|`[^`\n]{0,64}`|\"[^\"\n]{0,64}\")"
_QUOTED_CHOICES = re.compile(
    rf"(?:should be|must be|expected|either):? \(?"
    rf"({_QUOTED}(?:(?:, ?(?:or )?| or | ?\| ?){_QUOTED}){{1,40}})",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"(?:unknown|unrecogni[sz]ed|unexpected|unsupported|invalid|cannot query|additional|unpermitted|no such)"
    r" (?:field|property|properties|parameters?|argument|attribute|keys?|variable)",
    re.IGNORECASE,
)
_OTHER_NAMES = re.compile(
    r"(?:did you mean(?: to use)?(?: the enum values?)?(?: an inline fragment on)?|"
    r"known (?:properties|fields|parameters|keys)|"
    rf"expected one of|valid (?:fields|parameters|keys) are):? ?[\[(]?({_LIST})",
    re.IGNORECASE,
)
_ONE = re.compile(_WORD)

_A = r"\b(?:valid|an?|type|expected|must be|expects|converted to) (?:positive |non-negative |whole )?['\"`]?"
_KINDS = tuple(
    (kind, re.compile(rf"{_A}(?:{text})\b", re.IGNORECASE))
    for kind, text in (
        ("array", r"list|array|sequence|slice"),
        ("object", r"dictionary|object|mapping|struct|map"),
        ("integer", r"int(?:eger|32|64)?|uint\d{0,2}|long|System\.Int(?:32|64)|java\.lang\.(?:Integer|Long)"),
        ("boolean", r"bool|boolean|java\.lang\.Boolean"),
        ("number", r"number|numeric|float|float64|decimal|double|BigDecimal"),
        ("string", r"string|str|text|java\.lang\.String"),
    )
)
_FORMS = tuple(
    (form, re.compile(rf"\b(?:{text})\b", re.IGNORECASE))
    for form, text in (
        ("email", r"e-?mail(?: address)?"),
        ("uuid", "uuid|guid"),
        ("date-time", "date-?time|timestamp|rfc ?3339|iso ?8601"),
        ("date", "(?:valid|a) date"),
        ("uri", "(?:valid|a|an) (?:url|uri)"),
        ("ipv4", "(?:valid|an) (?:ip|ipv4)(?: address)?"),
        ("hostname", "(?:valid|a) (?:hostname|domain(?: name)?)"),
    )
)
_FORM_SAID = re.compile(r"valid|invalid|format|parse|must be|should be|expected|well-formed", re.IGNORECASE)
_REQUIRED = re.compile(
    r"(?<!value)(?<!integer)(?<!number)(?<!string)(?<!boolean) is (?:a )?required\b"
    r"|^required\b|\bis missing\b"
    r"|\bfield required\b|\brequired (?:field|property|parameter|argument|key)\b|on the 'required' tag"
    r"|\bmissing (?:data for )?(?:a )?(?:required|field|parameter|property)\b|of required type"
    r"|(?:can't|cannot|must not|may not|should not) be (?:blank|null|empty|undefined|none)\b",
    re.IGNORECASE,
)
_PATTERN = re.compile(
    r"match(?:es|ing)?(?: the| against)?(?: expected| required)?"
    r"(?: regular expression| regexp?| pattern)*:? ?"
    r"""(?:'([^'\n]{1,200})'|"([^"\n]{1,200})"|`([^`\n]{1,200})`|/([^/\n]{1,200})/)""",
    re.IGNORECASE,
)
_NAME = r"([A-Za-z_][\w.\[\]-]{0,63})"
_VERBS = (
    r"must|should|is(?! not (?:one|of|in|valid|a valid))|has|have"
    r"|cannot|can't|may|needs|length|does|exceeds|out of"
)
_NAMED = (
    re.compile(
        rf"""(?:field|parameter|property|attribute|argument|key|param|variable|member|value for) """
        rf"""['"`:$]{{1,2}}\.?"""
        rf"""{_NAME}['"`(:]""",
        re.IGNORECASE,
    ),
    re.compile(rf"""^['"`]\$?\.?{_NAME}['"`]\s?(?::|{_VERBS}|with|failed|contains|fails)""", re.IGNORECASE),
    re.compile(rf"^{_NAME}(?: ?:|:? (?:{_VERBS}))", re.IGNORECASE),
    re.compile(rf"""^invalid (?:value for |parameter |field )?['"]?{_NAME}['"]? ?:""", re.IGNORECASE),
    re.compile(
        rf"^The (?:field )?{_NAME} (?:field |parameter |attribute )?(?:may|must|should|is|has|format)"
    ),
    re.compile(rf"validation for '{_NAME}' failed|Path: \$\.{_NAME}"),
    re.compile(rf"Go struct field (?:\w+\.)?{_NAME} of type"),
)
_NO_NAMES = frozenset(
    (
        *(
            "input",
            "value",
            "this",
            "it",
            "that",
            "field",
            "fields",
            "length",
            "string",
            "number",
            "list",
            "array",
        ),
        *(
            "object",
            "data",
            "text",
            "one",
            "size",
            "expected",
            "must",
            "key",
            "body",
            "request",
            "response",
            "error",
        ),
        *(
            "errors",
            "message",
            "parameter",
            "property",
            "date",
            "invalid",
            "validation",
            "json",
            "range",
            "not",
        ),
        *(
            "item",
            "items",
            "ensure",
            "url",
            "email",
            "integer",
            "boolean",
            "a",
            "an",
            "the",
            "unknown",
            "type",
        ),
        *(
            "unrecognized",
            "enum",
            "format",
            "maximum",
            "minimum",
            "code",
            "title",
            "detail",
            "there",
            "what",
            "you",
        ),
        *("we", "these", "those", "they", "which", "reason", "status", "cannot", "could", "if", "please"),
    )
)
"""Words at the beginning of a sentence that are no names."""


class Said(msgspec.Struct, frozen=True):
    """What a sentence says."""

    hint: Hint
    """Without a place."""
    name: str = ""
    """Whose value it is, where the sentence tells: ``"limit"``, ``"user.name"``."""
    names: tuple[str, ...] = ()
    """Other names that the service says it knows."""

    @property
    def is_telling(self) -> bool:
        return bool(self.hint != Hint("") or self.names)


def said(text: str) -> Said:
    """What `text`, one sentence, says; nothing of what is not understood. Never raises."""
    text = text[:_MAX_CHARACTERS].strip()
    name = _name(text)
    is_unknown = _UNKNOWN.search(text) is not None
    named = _OTHER_NAMES.search(text) if is_unknown or "ou mean" in text else None
    names = _words(named[1]) if named else ()
    if is_unknown:
        return Said(Hint(""), "", names)
    words = () if names else _choices(text)
    limits = {} if words else _limits(text)
    pattern = _PATTERN.search(text)
    kind = next((kind for kind, shape in _KINDS if shape.search(text)), "")
    form = next((form for form, shape in _FORMS if shape.search(text)), "") if _FORM_SAID.search(text) else ""
    if "max_size" in limits or "min_size" in limits:
        kind = "array" if _ELEMENTS.search(text) else "string"
    elif limits and kind not in {"integer", "number"}:
        kind = ""
    hint = Hint(
        "",
        kind="" if words else kind,
        pattern=next(filter(None, pattern.groups()), "") if pattern else "",
        form=form,
        words=words,
        is_required=_REQUIRED.search(text) is not None,
        **limits,  # type: ignore[arg-type]  # the names of limits are those of fields
    )
    return Said(hint, name, names)


def number(text: str) -> float:
    """The number that `text` says; an int where it is whole."""
    return float(text) if "." in text else int(text)


def _limits(text: str) -> dict[str, float | bool]:
    """Fields of a hint: its bounds, or its sizes."""
    whole, found = text, dict[str, float]()
    for shape in _BETWEEN:
        if between := shape.search(text):
            found = {"min": number(between[1]), "max": number(between[2])}
            break
    bounds = _BOUNDS if _WANTS.search(text) else (*_WRONG, *_BOUNDS)
    for role, shape in bounds if not found else ():
        if bound := shape.search(text):
            found.setdefault(role, number(bound[1]))
            text = text[: bound.start()] + "~" + text[bound.end(1) :]
    if not found and (sign := _SIGNED.search(text)):
        found = {"min": 0} if sign[0].lower().startswith("non") else {"above": 0}
    low, high = found.get("min", found.get("above")), found.get("max", found.get("below"))
    if low is not None and high is not None and low > high:
        return {}
    is_above, is_below = "min" not in found and "above" in found, "max" not in found and "below" in found
    if _CHARACTERS.search(whole) or _ELEMENTS.search(whole):
        least = None if low is None else int(low) + is_above
        most = None if high is None else int(high) - is_below
        sizes = {"min_size": least, "max_size": most}
        return {role: size for role, size in sizes.items() if size is not None and size >= 0}
    limits: dict[str, float | bool] = {}
    if low is not None:
        limits |= {"minimum": low, "is_above": is_above}
    if high is not None:
        limits |= {"maximum": high, "is_below": is_below}
    return limits


def _choices(text: str) -> tuple[str, ...]:
    for found in (*_CHOICES.finditer(text), *_QUOTED_CHOICES.finditer(text)):
        words = _words(found[1])
        if len(words) > 1 or any(sign in found[0] for sign in ":[('\""):
            return words
    return ()


def _words(text: str) -> tuple[str, ...]:
    """The words of ``a, 'b' or "c"``."""
    found = (each.group().strip("'\"`").rstrip(".") for each in _ONE.finditer(text))
    return tuple(dict.fromkeys(word for word in found if word and word not in {"or", "and"}))[:_MAX_WORDS]


def _name(text: str) -> str:
    for shape in _NAMED:
        found = shape.search(text)
        name = (found[found.lastindex or 0] if found else "").rstrip(".")
        if name and name.lower() not in _NO_NAMES:
            return name
    return ""
