"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lenet1998.errors import Failure, in_words

__all__ = ["FileError", "make_folder", "remove_parts", "write_atomically"]

_PART = ".part"


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
        handle, scratch = tempfile.mkstemp(_PART, f".{path.name}.", path.parent)
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


def remove_parts(path: Path) -> None:
    """Remove what a process left that was killed as it wrote a file; no other may write it now."""
    for scratch in path.parent.glob(f".{path.name}.*{_PART}"):
        scratch.unlink(missing_ok=True)


@contextmanager
def _system_errors_of(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(in_words(error, path)) from error
