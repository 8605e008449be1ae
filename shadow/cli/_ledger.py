"""What became of the items of a recording, for a person, on standard error."""

from collections import Counter
from collections.abc import Iterable, Iterator

import click

from shadow.model import Exchange, Settled


class Ledger:
    """Counts what was read: each item is an exchange, or could not be read as one."""

    def __init__(self) -> None:
        self.exchanges = 0
        self.unparsed = Counter[str]()
        """By reason."""

    def exchanges_of[Seen: Exchange | bytes](self, items: Iterable[Seen | Settled]) -> Iterator[Seen]:
        """The exchanges among `items`, values or lines; all else is counted."""
        for item in items:
            if isinstance(item, Settled):
                self.unparsed[item.why] += item.count
            else:
                self.exchanges += 1
                yield item

    def tell(self, more: str = "") -> None:
        """Prints the reasons, and the sum, with `more` after it."""
        for why, count in sorted(self.unparsed.items()):
            click.echo(f"unparsed {count}: {why}", err=True)
        lost = self.unparsed.total()
        click.echo(
            f"captured {self.exchanges + lost} = {self.exchanges} exchanges + {lost} unparsed{more}", err=True
        )
