"""How long the tokens in a place are at the live release: what has always one length is cut else."""

_MIN_VALUES = 4
_MIN_RATIO = 0.75
"""A token that is shorter or longer by less may hold a number with a digit more or less."""
_MAX_PLACES = 5000


class Lengths:
    """Lengths by place. Only texts that change each time tell anything: a constant has one length anyway."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, frozenset[int]] | None] = {}
        """The one length, and hashes of the first values that had it; None where there are several."""

    def add(self, endpoint: str, place: str, text: str) -> None:
        """Take in a value of the live release."""
        key = (endpoint, place)
        if key not in self._seen and len(self._seen) >= _MAX_PLACES:
            return
        known = self._seen.get(key, (len(text), frozenset()))
        if known is None:
            return
        length, values = known
        if length != len(text):
            self._seen[key] = None
        elif len(values) < _MIN_VALUES:
            self._seen[key] = (length, values | {hash(text)})

    def is_usual(self, endpoint: str, place: str, text: str) -> bool:
        """Whether nothing speaks against a text of this length."""
        known = self._seen.get((endpoint, place))
        if known is None or len(known[1]) < _MIN_VALUES:
            return True
        shorter, longer = sorted((known[0], len(text)))
        return shorter >= _MIN_RATIO * longer
