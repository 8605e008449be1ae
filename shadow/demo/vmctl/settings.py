"""How one vmctl process is started."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

type Release = Literal["stable", "candidate"]
type ClockKind = Literal["real", "fixed"]


@dataclass(frozen=True, slots=True)
class VmctlSettings:
    """One process of the service. The database is made where absent and kept where present."""

    db: Path
    release: Release = "stable"
    bugs: frozenset[str] = frozenset()
    host: str = "127.0.0.1"
    port: int = 0
    """0 lets the system choose."""
    clock: ClockKind = "real"
    """``fixed``: time starts at a fixed moment and moves a microsecond a look; ids come from the seed."""
    seed: int = 0
