"""Why something made no exchange, in few words: they become keys of a live tap's ledger."""

_MAX_REASONS = 32


class Reasons:
    """What follows a colon in a reason quotes the traffic, and is left out; too many others are one."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def brief(self, why: str) -> str:
        why = why.partition(":")[0]
        if why not in self._known:
            if len(self._known) >= _MAX_REASONS:
                return "other"
            self._known.add(why)
        return why
