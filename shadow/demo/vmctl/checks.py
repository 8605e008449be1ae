"""What the members of a body, and the parameters of a query, may be."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shadow.demo.vmctl.bugs import Bugs
from shadow.demo.vmctl.problems import Unprocessable

type Check = Callable[[Any], Any]
"""Gives the acceptable value; raises Invalid."""

MAX_INTEGER = 2**63 - 1
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}\Z")
_UNPRINTED = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_UNPRINTED_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class Invalid(Exception):  # noqa: N818 - says what the value is
    """The value is not acceptable; the message says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object. An absent one is left out of what comes back."""

    check: Check
    is_required: bool = False


def checked(document: Mapping[str, Any], members: Mapping[str, Member]) -> dict[str, Any]:
    """The acceptable values by name. Raises Unprocessable with every fault found."""
    values: dict[str, Any] = {}
    faults = [(f"$.{name}", "unknown member") for name in document if name not in members]
    for name, member in members.items():
        if name not in document:
            if member.is_required:
                faults.append((f"$.{name}", "is required"))
            continue
        try:
            values[name] = member.check(document[name])
        except Invalid as error:
            faults.append((f"$.{name}", str(error)))
    if faults:
        raise Unprocessable(faults)
    return values


def text(bugs: Bugs, *, longest: int, shortest: int = 1, has_lines: bool = False) -> Check:
    """A string of so many characters, without control characters; tab and line feed where it `has_lines`."""
    unprinted = _UNPRINTED_IN_LINES if has_lines else _UNPRINTED

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise Invalid("must be a string")
        if not shortest <= len(value) <= longest:
            raise Invalid(f"must have {shortest} to {longest} characters")
        if not bugs.has("B24") and unprinted.search(value):
            raise Invalid("must not have control characters or lone surrogates")
        return value

    return check


def integer(bugs: Bugs, lowest: int, highest: int) -> Check:
    """A whole number; a boolean is none."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Invalid("must be an integer")
        if value < lowest or (value > highest and not (bugs.has("B27") and value > MAX_INTEGER)):
            raise Invalid(f"must be from {lowest} to {highest}")
        return value

    return check


def price(value: Any) -> float | None:
    """A number of zero or more, or null."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Invalid("must be a number or null")
    if value < 0 or (isinstance(value, int) and value > MAX_INTEGER):
        raise Invalid("must be zero or more, and not huge")
    return value


def one_of(*choices: str) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise Invalid(f"must be one of {', '.join(choices)}")
        return value

    return check


def list_of(check: Check, *, longest: int) -> Check:
    """An array of at most so many, without repetitions."""

    def check_all(value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > longest:
            raise Invalid(f"must be an array of at most {longest}")
        items = [check(item) for item in value]
        if len(set(items)) != len(items):
            raise Invalid("must not repeat an item")
        return items

    return check_all


def address(value: Any) -> str:
    """``0x`` and 40 lower-case hexadecimal digits."""
    if not isinstance(value, str) or not _ADDRESS.match(value):
        raise Invalid("must be an address")
    return value


def uuid(value: Any) -> str:
    if not isinstance(value, str) or not _UUID.match(value):
        raise Invalid("must be an id")
    return value


def hexadecimal(*sizes_bytes: int) -> Check:
    """That many bytes in hexadecimal; gives the bytes."""

    def check(value: Any) -> bytes:
        if isinstance(value, str) and re.fullmatch(r"[0-9a-f]*", value) and len(value) / 2 in sizes_bytes:
            return bytes.fromhex(value)
        raise Invalid(f"must be {' or '.join(map(str, sizes_bytes))} bytes in hexadecimal")

    return check


def is_uuid(value: str) -> bool:
    return _UUID.match(value) is not None


def is_address(value: str) -> bool:
    return _ADDRESS.match(value) is not None
