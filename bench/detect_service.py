"""The reference service as a process of its own, with a database of its own."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_READY_SECONDS = 60.0
_END_SECONDS = 10.0


@asynccontextmanager
async def running_service(release: str, *, seed: int, bugs: str = "none") -> AsyncIterator[str]:
    """The URL of a running `release`. Raises RuntimeError where it does not start."""
    with tempfile.TemporaryDirectory(prefix="shadow-detect-") as folder:
        process = await shadow(
            *("demo", "vmctl", "--release", release, "--bugs", bugs, "--seed", str(seed)),
            *("--db", str(Path(folder) / "vmctl.db")),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(_READY_SECONDS):
                line = (await process.stdout.readline()).decode()
            if "http://" not in line:
                raise RuntimeError(f"the reference service did not start ({release}, {bugs})")
            yield line.split()[-1]
        finally:
            await ended(process)


async def shadow(*arguments: str, stdout: int | None = None) -> asyncio.subprocess.Process:
    """A `shadow` command as a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "shadow", *arguments, stdout=stdout, start_new_session=True
    )


async def ended(process: asyncio.subprocess.Process) -> int:
    """The exit code of a process that is asked to end, and made to where it does not."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_END_SECONDS):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()
