"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lenet1998.errors import Failure, in_words

__all__ = ["FileError", "make_folder", "write_atomically"]


class FileError(Failure, OSError):
    """The system does not let a file or folder be written: which, why, and what to do."""


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write a file so that a reader finds the old content or the new, never a part.

    Raises:
        FileError: it cannot be written; what was there before is as it was.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    with _system_errors_of(path):
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(scratch, 0o644)
            os.replace(scratch, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(scratch)
            raise


def make_folder(path: str | Path) -> Path:
    """Make a folder, and those around it, unless it is there.

    Raises:
        FileError: it cannot be made.
    """
    with _system_errors_of(path):
        Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)


@contextmanager
def _system_errors_of(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(in_words(error, path)) from error
