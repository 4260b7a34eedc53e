"""Compiled code is a convenience: no trouble with what is kept of it stops a program."""

import os
import subprocess
import sys

import pytest

from lenet1998 import compiled as module
from lenet1998.compiled import compiled


def twice(x):
    return 2 * x


@pytest.fixture
def kept(tmp_path, monkeypatch, caplog):
    """An empty folder for compiled code."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    caplog.set_level("INFO")
    monkeypatch.setattr(module._log, "disabled", False)  # whoever configures logging may disable it
    module._tell.cache_clear()
    return tmp_path


def hits():
    function = compiled(twice)
    assert function(21) == 42
    return sum(function.stats.cache_hits.values())


def test_code_is_kept_and_said_to_be_compiled_only_when_it_is(kept, caplog):
    assert hits() == 0
    assert caplog.messages == ["compiling, about 10 s, only once"]
    caplog.clear()
    module._tell.cache_clear()
    assert hits() == 1
    assert caplog.messages == []


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [b"", b"rubbish", "bits"], ids=["empty", "rubbish", "bits"])
def test_damaged_code_is_compiled_anew(kept, kind, damage):
    hits()
    (file,) = kept.glob(f"*/*.{kind}")
    content = file.read_bytes()
    if damage == "bits":
        damaged = [content[:i] + bytes([content[i] ^ 4]) + content[i + 1 :]
                   for i in range(0, len(content), len(content) // 7)]  # fmt: skip
    else:
        damaged = [damage]
    for bad in damaged:
        file.write_bytes(bad)
        hits()
        assert hits() == 1


def test_without_a_place_to_write_it_is_compiled_in_memory(kept, caplog, monkeypatch):
    blocked = kept / "a file"
    blocked.touch()
    for locator in module.FunctionCache._impl_class._locator_classes[1:3]:  # after CACHE_DIR's
        monkeypatch.setattr(locator, "ensure_cache_path", no_place)
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(blocked))
    assert hits() == 0
    (told,) = caplog.messages
    assert "each time anew" in told and "NUMBA_CACHE_DIR" in told


def no_place(locator):
    raise PermissionError(13, "Permission denied")


def test_a_disk_that_fills_up_is_told_and_the_work_goes_on(kept, caplog, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_data", full)
    assert hits() == 0
    assert "No space left" in caplog.messages[-1] and "NUMBA_CACHE_DIR" in caplog.messages[-1]


def test_the_command_line_says_that_it_compiles(tmp_path):
    command = [sys.executable, "-m", "lenet1998.cli", "evaluate", "lenet5-classic", "--json"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    ended = subprocess.run(
        [*command, "--data", "digits"], env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0
    first, *others = ended.stderr.splitlines()
    assert first == "lenet1998: compiling, about 10 s, only once" and first not in others
    assert list(tmp_path.glob("*/*.nbc"))
