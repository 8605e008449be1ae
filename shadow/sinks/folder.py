"""The output folder: claimed by one run at a time, files replaced whole, what others put there left alone.

A new run replaces the files of an earlier one (`OWN_FILES`), and nothing else. Where a file of such a name
stands without a summary that a run wrote, it is someone else's, and the folder is refused.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from shadow.errors import SinkError

OWN_FILES = (
    "summary.json",
    "findings.jsonl",
    "exchanges.jsonl",
    "correlation.jsonl",
    "store.db",
    "store.db-wal",
    "store.db-shm",
)


class Folder:
    """A claimed output folder. Whoever claimed it closes it."""

    def __init__(self, path: Path, lock: int, earlier: dict[str, Any] | None = None) -> None:
        self.path = path
        self.earlier = earlier
        """The summary of this very run, where an earlier process of it was ended and its files stay."""
        self._lock = lock

    def replace(self, name: str, content: bytes, *, is_durable: bool = False) -> None:
        """Put `content` in the place of the file `name` at once: a reader sees old or new, never half.

        Raises OSError. With `is_durable` it survives a power cut.
        """
        part = self.path / f".{name}.part"
        with part.open("wb") as file:
            file.write(content)
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(self.path / name)

    def close(self) -> None:
        """Let another run claim the folder."""
        os.close(self._lock)


def claim(path: Path, run: str = "") -> Folder:
    """`path`, made where it is missing and empty of an earlier run's files; raises SinkError.

    Files of the run called `run` itself stay, for it to go on with.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)  # captured traffic is nobody else's business
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _refuse_foreign(path)
        earlier = _summary(path / "summary.json")
        if earlier is None or not run or earlier["run"] != run:
            earlier = None
            for name in OWN_FILES:
                (path / name).unlink(missing_ok=True)
    except BlockingIOError as error:
        os.close(lock)
        raise SinkError(
            f"another run writes to {str(path)!r}; wait for it or choose another --out"
        ) from error
    except OSError as error:
        os.close(lock)
        raise unwritable(path, error) from error
    except SinkError:
        os.close(lock)
        raise
    return Folder(path, lock, earlier)


def unwritable(path: Path, error: OSError) -> SinkError:
    """What to raise when `path` cannot be written to."""
    why = error.strerror or error
    return SinkError(
        f"cannot write to {str(path)!r}: {why}; free space, grant access or choose another --out"
    )


def _refuse_foreign(path: Path) -> None:
    strangers = [name for name in OWN_FILES if (path / name).exists()]
    if strangers and _summary(path / "summary.json") is None:
        stranger = str(path / strangers[0])
        raise SinkError(f"{stranger!r} was not written by a run of shadow; move it or choose another --out")


def _summary(path: Path) -> dict[str, Any] | None:
    """What a run wrote to `path`; None where no run did."""
    try:
        summary = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    is_ours = isinstance(summary, dict) and {"run", "ledger", "findings"} <= summary.keys()
    return summary if is_ours else None
