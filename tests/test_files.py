"""Files whole or not at all, and system errors that say which file and what to do."""

import errno
import os
from pathlib import Path

import pytest

from lenet1998.errors import Failure, in_words
from lenet1998.files import FileError, make_folder, write_atomically


def test_a_file_is_replaced(tmp_path: Path) -> None:
    for content in ("old", "new"):
        write_atomically(str(tmp_path / "a"), content)
    assert (tmp_path / "a").read_text() == "new" and os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_full_disk_leaves_the_old_file_and_is_said_in_one_line(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "a"
    write_atomically(file, "old")
    monkeypatch.setattr(os, call, full)
    expected = f"{file}: no space left on device; free some space, or write to another disk"
    with pytest.raises(FileError) as caught:
        write_atomically(file, "new")
    assert str(caught.value) == expected
    assert isinstance(caught.value, Failure) and isinstance(caught.value, OSError)
    assert file.read_text() == "old" and os.listdir(tmp_path) == ["a"]


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for place in (file, file / "inner"):
        with pytest.raises(FileError, match=rf"^{place}: .*; a file is where a folder must be"):
            make_folder(place)
    with pytest.raises(FileError, match=rf"^{tmp_path / 'none' / 'a'}: no such file"):
        write_atomically(tmp_path / "none" / "a", "x")
    assert make_folder(str(tmp_path / "b" / "c")) == tmp_path / "b" / "c"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/x"), "/x: read-only file system; give a"),
        (OSError(errno.ENOSPC, "No space left on device"), "standard input or output: no space"),
        (OSError(errno.EIO, "Input/output error", "/x"), "see whether the disk is in order"),
        (OSError(errno.ECONNREFUSED, "Connection refused", "/x"), "/x: connection refused"),
        (OSError("words of its own"), "words of its own"),
    ],
)
def test_system_errors_in_words(error: OSError, words: str) -> None:
    assert words in in_words(error) and "Errno" not in in_words(error)


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(pipe, "through")
        assert os.read(end, 100) == b"through" and pipe.is_fifo()
    finally:
        os.close(end)
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]
