"""Files that are written whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from gzip import GzipFile
from pathlib import Path
from typing import BinaryIO, cast


@contextmanager
def whole_file(path: Path, *, is_packed: bool) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends; where it fails, `path` is as it was.

    Pipes and devices are written as they are. With `is_packed` what is written there is gzip. Raises OSError.
    """
    try:
        target = path.resolve()
    except RuntimeError as error:  # a loop of links, before Python 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error
    mode = target.stat().st_mode if target.exists() else None
    if mode is not None and not stat.S_ISREG(mode):
        with target.open("wb") as stream, _packing(stream, is_packed=is_packed) as inner:
            yield inner
        return
    part = target.with_name(f".shadow-{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as stream:
            if mode is not None:
                os.fchmod(stream.fileno(), stat.S_IMODE(mode))
            with _packing(stream, is_packed=is_packed) as inner:
                yield inner
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _packing(stream: BinaryIO, *, is_packed: bool) -> AbstractContextManager[BinaryIO]:
    """What packs what is written on its way to `stream`: without a name or a time, so that the same gives the
    same."""
    if not is_packed:
        return nullcontext(stream)
    packer = GzipFile(filename="", mode="wb", fileobj=stream, mtime=0, compresslevel=6)
    return cast("AbstractContextManager[BinaryIO]", packer)
