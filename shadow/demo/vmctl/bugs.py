"""The defects that can be put into a release, by id."""

from shadow.errors import ConfigError, nearest

BUGS: dict[str, str] = {
    "B01": "a missing signature is accepted",
    "B02": "the body's digest is taken from the header",
    "B03": "only the first 32 bytes of the body are signed",
    "B04": "the algorithm 'none' is accepted",
    "B05": "the signature is compared by prefix",
    "B06": "the path is not signed",
    "B07": "of duplicate signing headers the last wins",
    "B08": "an expired timestamp is accepted",
    "B09": "a future timestamp is accepted",
    "B10": "a revoked key is accepted",
    "B11": "another's key is accepted",
    "B12": "a nonce is accepted twice",
    "B13": "readonly may stop",
    "B14": "operator may resize",
    "B15": "metrics are shown without an owner check",
    "B16": "the path's id is authorised, the body's is used",
    "B17": "PATCH sets owner and status",
    "B18": "a transfer trusts the body's 'from'",
    "B19": "a transfer can be accepted twice at once",
    "B20": "idempotency is not atomic",
    "B21": "start works after delete",
    "B22": "pause when stopped is a 500",
    "B23": "a second stop is a 200",
    "B24": "a lone surrogate or NUL is a 500",
    "B25": "deep JSON is a 500",
    "B26": "a name check backtracks without bound",
    "B27": "an integer over 2^63 is a 500",
    "B28": "NaN is echoed as invalid JSON",
    "B29": "a short formfile drops the connection",
    "B30": "an odd charset is a 500",
    "B31": "broken gzip is a 500",
    "B32": "a 500 shows a stack trace",
    "B33": "owner=* lists others' instances",
    "B34": "sort is concatenated into SQL",
    "B35": "a field is gone",
    "B36": "an integer became a string",
    "B37": "the price is rounded otherwise",
    "B38": "timestamps have another format",
    "B39": "the ETag is weak and Vary is missing",
    "B40": "a page is one short",
    "B41": "the order of a list is unstable",
    "B42": "404 became 200 null, 409 became 400",
    "B43": "an error code was renamed",
    "B44": "the status is in lower case",
    "B45": "an empty array became null",
    "B46": "names are normalised",
    "B47": "a list costs the square of its length",
    "B48": "each rejected request keeps memory",
    "B49": "a rejected PATCH still writes",
    "B50": "If-Match is ignored",
    "B51": "HEAD is answered with a body",
    "B52": "an operation is done before its effect",
    "B53": "wrong signatures lock out the key they name",
    "B54": "tool parameters are not validated",
    "B55": "a 65-character DNS label is accepted",
}


class Bugs(frozenset[str]):
    """The ids of the defects that are on."""

    def has(self, bug: str) -> bool:
        return bug in self


def parse_bugs(text: str | None, release: str) -> frozenset[str]:
    """Ids out of ``"B01,B07"``, ``"all"`` or ``"none"``; None means the release's own set.

    A stable release never has any; a candidate has all unless told otherwise.
    Raises ConfigError for an id that does not exist.
    """
    wanted = _parse("all" if text is None else text)
    return frozenset() if release == "stable" else wanted


def _parse(text: str) -> frozenset[str]:
    match text.strip().lower():
        case "all":
            return frozenset(BUGS)
        case "none" | "":
            return frozenset()
    ids = [part.strip().upper() for part in text.split(",") if part.strip()]
    for bug in ids:
        if bug not in BUGS:
            raise ConfigError(
                f"bugs: unknown id {bug!r}{nearest(bug, BUGS)} (give 'all', 'none', or ids from B01 to B55)"
            )
    return frozenset(ids)
