"""Files that are written whole or not at all."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from lenet1998.errors import Failure, in_words

__all__ = ["FileError", "make_folder", "remove_parts", "write_atomically"]

_PART = ".part"
_LEFT = 60.0  # seconds after which nobody writes a part any more


class FileError(Failure, OSError):
    """The system does not let a file or folder be written: which, why, and what to do."""


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write a file so that a reader finds the old content or the new, never a part.

    A device or a pipe is written to as it is: `/dev/stdout` must not become a file.

    Raises:
        FileError: it cannot be written; what was there before is as it was.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    with _system_errors_of(path):
        if path.is_relative_to("/dev") or (path.exists() and not (path.is_file() or path.is_dir())):
            path.write_bytes(data)
            return
        remove_parts(path, _LEFT)
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


def remove_parts(path: Path, age: float = 0.0) -> None:
    """Remove what a process left that was killed as it wrote a file, at least so many seconds ago.

    With an age of 0 no other may write the file now.
    """
    for scratch in path.parent.glob(f".{escape(path.name)}.*{_PART}"):
        with suppress(FileNotFoundError):  # another was faster
            if time.time() - scratch.stat().st_mtime >= age:
                scratch.unlink()


@contextmanager
def _system_errors_of(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(in_words(error, path)) from error
