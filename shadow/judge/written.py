"""Timestamps as pages, mail and logs write them: ``Nov. 22, 2026, 2:40 p.m.``, ``22/Nov/2026:14:40:10``."""

import re
from datetime import UTC, datetime

import msgspec

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?"
_CLOCK = r"(?:\d{1,2}:\d\d(?::\d\d)?(?:\.\d{1,6})?|\d{1,2}(?= [ap]\.?m))(?: ?[AaPp]\.?[Mm]\.?)?|noon|midnight"
_ZONE = r"(?: (?:GMT|UTC|[+-]\d{4}))?"

WRITTEN = (
    rf"(?:{_DAY},? )?(?:{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{1,2}}[ /-]{_MONTH}[ /-]\d{{4}})"
    rf"(?:(?:,? at|,|:|,? )? ?(?:{_CLOCK}){_ZONE})?(?![0-9A-Za-z])"
    rf"|(?:{_DAY} )?{_MONTH} [ \d]?\d \d\d:\d\d:\d\d (?:UTC |GMT )?\d{{4}}(?!\d)"
    rf"|\d{{4}}/\d\d/\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?(?![0-9A-Za-z/])"
    rf"|\d{{4}}-\d\d-\d\d \d\d:\d\d(?![0-9A-Za-z:])"
)
"""Matches such a timestamp within a text."""

_WHOLE = re.compile(WRITTEN)
_NUMERIC = re.compile(r"(\d{4})[/-](\d\d)[/-](\d\d)")
_MONTH_NAME = re.compile(_MONTH)
_YEAR, _DAY_NUMBER = re.compile(r"(?<!\d)\d{4}(?!\d)"), re.compile(r"(?<![\d:])\d{1,2}(?![\d:])")
_TIME = re.compile(r"(?<!\d)(\d{1,2}):(\d\d)(?::(\d\d))?")
_HOUR = re.compile(r"(\d{1,2}) [ap]\.?m", re.IGNORECASE)


class Written(msgspec.Struct, frozen=True):
    """Such a timestamp, with UTC taken for a zone, and the way in which it is written."""

    at: float
    form: str


def written(text: str) -> Written | None:
    """`text`, all of it, as a timestamp; None where it is none or names no real day."""
    if not 8 <= len(text) <= 48 or _WHOLE.fullmatch(text) is None:
        return None
    year, month, day = _date(text)
    hour, minute, second = _clock(text)
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return Written(at, _form(text))


def _date(text: str) -> tuple[int, int, int]:
    if found := _NUMERIC.match(text):
        return int(found[1]), int(found[2]), int(found[3])
    name = _MONTH_NAME.search(text)
    year, day = _YEAR.search(text), _DAY_NUMBER.search(text)
    if name is None or year is None or day is None:
        return 0, 0, 0
    return int(year[0]), _MONTHS.index(name[0][:3].lower()) + 1, int(day[0])


def _clock(text: str) -> tuple[int, int, int]:
    lower = text.lower()
    if "noon" in lower:
        return 12, 0, 0
    found = _TIME.search(text)
    if found is None:
        hour = _HOUR.search(text)
        return (_hour(int(hour[1]), lower) if hour else 0), 0, 0
    return _hour(int(found[1]), lower), int(found[2]), int(found[3] or 0)


def _hour(hour: int, lower: str) -> int:
    """The hour of 24, where a.m. or p.m. stands at the end."""
    if not lower.rstrip(".").endswith(("m", "m.")):
        return hour
    is_after_noon = "p" in lower[-5:]
    return hour % 12 + (12 if is_after_noon else 0)


def _form(text: str) -> str:
    """What stays when the moment goes on.

    Writers leave out minutes of full hours and shorten some months, so of these only the kind counts.
    """
    if _NUMERIC.match(text):
        return f"written:{re.sub(r'[0-9]', '0', text)}"
    order = "month" if _MONTH_NAME.match(text) else "day"
    clock = "clock" if ":" in text or "noon" in text or "midnight" in text or _HOUR.search(text) else ""
    seconds = "seconds" if re.search(r":\d\d:\d\d(?!\d)", text) else ""
    half = "half" if re.search(r"[ap]\.?m\.?$|noon|midnight", text, re.IGNORECASE) else ""
    separator = next((sign for sign in "/-" if sign in text), "")
    return f"written:{order}{separator}:{clock}{seconds}{half}"
