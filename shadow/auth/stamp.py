"""The stated time of a signed request, read and written in the formats that services use."""

from datetime import UTC, datetime
from math import isfinite

TIMESTAMP_FORMATS = ("unix", "unix_ms", "iso8601")


def write_time(at: float, timestamp_format: str) -> bytes | None:
    """Unix time `at` as a field value; None where the format cannot say it (a year past 9999)."""
    if not isfinite(at):
        return None
    match timestamp_format:
        case "unix":
            return b"%d" % int(at)
        case "unix_ms":
            return b"%d" % int(at * 1000)
        case _:
            try:
                return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode("ascii")
            except (ValueError, OverflowError, OSError):
                return None


def read_time(value: bytes, timestamp_format: str) -> float | None:
    """The Unix time in a field value; None when it is not written in the format."""
    try:
        text = value.decode("ascii")
        match timestamp_format:
            case "unix":
                at = float(text)
            case "unix_ms":
                at = float(text) / 1000
            case _:
                moment = datetime.fromisoformat(text)
                at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return at if isfinite(at) else None
