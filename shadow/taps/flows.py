"""Files of mitmproxy flows, read without mitmproxy: a row of tnetstrings, each the state of one flow."""

from collections.abc import Iterator

import msgspec

from shadow.model import Exchange, Fate, Settled
from shadow.taps.flow_read import KINDS, TAP, exchange_of
from shadow.taps.source import Source
from shadow.taps.tnetstring import START, decode

_MAX_FLOW_BYTES = 134_217_728
_SHORTEST = 16
"""Fewer bytes may be the start of a flow, or of nothing."""


def is_flows(start: bytes) -> bool:
    """Whether a file that starts with these bytes is a row of flows."""
    outer = START.match(start)
    return outer is not None and START.match(start, outer.end()) is not None


def read(source: Source, max_flow_bytes: int = _MAX_FLOW_BYTES) -> Iterator[Exchange | Settled]:
    """The exchanges of one file in file order, which is that of their ends."""
    index = others = 0
    for text in _states(source, max_flow_bytes):
        if text is None:
            yield _unparsed(f"a flow longer than {max_flow_bytes} bytes")
            continue
        try:
            state = decode(text)
        except ValueError as error:
            yield _unparsed(f"not a flow: {error}")
            continue
        if not isinstance(state, dict) or state.get("type") not in KINDS:
            others += 1
            continue
        found = exchange_of(state)
        if isinstance(found, str):
            yield _unparsed(found)
            continue
        yield msgspec.structs.replace(found, index=index)
        index += 1
    if others:
        source.notice(f"skipped {others} flows of kinds that are not known")


def _states(source: Source, max_bytes: int) -> Iterator[bytes | None]:
    """Each top-level tnetstring, whole; None for one that is too long to be held."""
    rest = bytearray()
    over = 0
    """How many more bytes of a flow that is too long are to be skipped."""
    for piece in source.pieces():
        rest += piece[over:]
        over = max(over - len(piece), 0)
        at = 0
        while not over and (match := START.match(rest, at)) is not None:
            end = match.end() + int(match[1]) + 1
            if end - at > max_bytes:
                yield None
                over = max(end - len(rest), 0)
                at = min(end, len(rest))
            elif end > len(rest):
                break
            else:
                yield bytes(rest[at:end])
                at = end
        del rest[:at]
        if len(rest) > _SHORTEST and START.match(rest) is None:
            break
    if rest or over:
        source.close()
        source.notice("ends inside a flow, or holds something else there; the flows before it were read")


def _unparsed(why: str) -> Settled:
    return Settled(TAP, Fate.UNPARSED, 1, why)
