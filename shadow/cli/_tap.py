"""How the commands that tap live traffic run: the tap in this process, its pipeline in a child."""

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from shadow.cli._options import child_options
from shadow.cli._tell import tell

if TYPE_CHECKING:
    from shadow.run.supervision import LiveTap


def supervise(tap: "LiveTap", *, quiet: bool, as_json: bool) -> int:
    """Tap until the end; the exit code. Raises ShadowError where it cannot begin."""
    from shadow.run.supervision import Supervision

    with tempfile.TemporaryDirectory(prefix="shadow-") as folder:
        supervision = Supervision(
            tap,
            Path(folder),
            run=secrets.token_hex(6),
            options=child_options(quiet=quiet, as_json=as_json),
            tell=tell,
        )
        return asyncio.run(supervision.run())
