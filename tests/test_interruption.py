"""Whatever stops a run, what it has written is whole, and resumed it ends with the same bytes."""

import multiprocessing
import os
import random
import resource
import subprocess
import time
from dataclasses import replace
from functools import partial

import pytest

from lenet1998.data import load_dataset
from lenet1998.evidence import fig05
from lenet1998.files import FileError, write_atomically
from lenet1998.learning import Recipe, RunError, train
from lenet1998.models.saved import WEIGHTS
from lenet1998.runs.run import LOCK, METRICS, RECIPE, Run, alone_in

KILLS = int(os.environ.get("LENET1998_KILLS", "5"))  # 25 and more, as a campaign
PASSES = 4
# A process that is a copy of this one has Numba's programs: it trains at once.
FORK = multiprocessing.get_context("fork")
NOBODY = 65534


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits").first(400, 100)


@pytest.fixture(scope="module")
def straight(digits, tmp_path_factory):
    """A run that nothing stops, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("straight")
    train(Recipe(), digits, passes=1)  # compiled before the clock starts
    started = time.perf_counter()
    train(Recipe(), digits, passes=PASSES, folder=folder)
    return folder, time.perf_counter() - started


def go_on(digits, folder):
    resume = (folder / WEIGHTS).exists()
    return train(Recipe(), digits, passes=PASSES, folder=folder, resume=resume)


def results(folder):
    """Bytes of the weights and their log, the log on paper without the clock, the figure's data."""
    rows = [line.split(",")[:5] for line in (folder / METRICS).read_text().splitlines()]
    run = Run.load(folder)
    records = [replace(record, seconds=0, learning_seconds=0) for record in run.records]
    curve = fig05.Curves.of([replace(run, records=records)])
    return (folder / WEIGHTS).read_bytes(), (folder / RECIPE).read_text(), rows, repr(curve)


def in_a_process(work, prepare=lambda: None):
    """What the work raised, as text, in a process of its own."""
    ours, its = FORK.Pipe()

    def do():
        try:
            prepare()
            work()
            its.send("")
        except Exception as error:
            its.send(f"{type(error).__name__}: {error}")

    process = FORK.Process(target=do)
    process.start()
    its.close()
    said = ours.recv()
    process.join()
    return said


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_run_killed_at_any_moment_ends_with_the_same_bytes(digits, straight, tmp_path, seed):
    whole, seconds = straight
    chance = random.Random(seed)
    for _ in range(2):
        process = FORK.Process(target=go_on, args=(digits, tmp_path))
        process.start()
        process.join(chance.uniform(0, seconds))
        process.kill()
        process.join()
    assert len(go_on(digits, tmp_path).records) == PASSES
    assert results(tmp_path) == results(whole)
    assert {file.name for file in tmp_path.iterdir()} == {METRICS, RECIPE, WEIGHTS}


def no_large_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))  # the weights are 240 kB


def test_a_full_disk_is_one_line_and_loses_no_pass(digits, straight, tmp_path):
    train(Recipe(), digits, passes=2, folder=tmp_path)
    said = in_a_process(partial(go_on, digits, tmp_path), no_large_files)
    assert said.startswith(f"FileError: {tmp_path / WEIGHTS}: file too large; ")
    assert "\n" not in said and "write to another disk" in said
    assert len(Run.load(tmp_path).records) == 2
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]
    go_on(digits, tmp_path)
    assert results(tmp_path) == results(straight[0])


def test_a_disk_of_200_kb_is_named(digits, tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "lenet1998", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a disk")
    try:
        with pytest.raises(FileError, match=f"{WEIGHTS}: no space left .*; free some space"):
            train(Recipe(), digits, passes=1, folder=tmp_path / "run")
        assert {file.name for file in (tmp_path / "run").iterdir()} == {METRICS, RECIPE}
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_folder_that_may_not_be_written_is_named(digits, tmp_path):
    place = tmp_path / "run"
    place.mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    as_nobody = (lambda: os.setuid(NOBODY)) if os.getuid() == 0 else (lambda: None)
    said = in_a_process(partial(go_on, digits, place), as_nobody)
    assert said.startswith(f"FileError: {place}: permission denied; ")
    assert "\n" not in said and list(place.iterdir()) == []


def test_a_folder_in_use_is_refused_in_one_line(digits, tmp_path):
    holding, done = FORK.Event(), FORK.Event()

    def hold():
        with alone_in(tmp_path):
            holding.set()
            done.wait()

    process = FORK.Process(target=hold)
    process.start()
    holding.wait()
    for resume in (False, True):
        with pytest.raises(RunError, match=f"^{tmp_path} is in use by another process: .*$"):
            train(Recipe(), digits, passes=1, folder=tmp_path, resume=resume)
    assert [file.name for file in tmp_path.iterdir()] == [LOCK]
    process.kill()  # a crash leaves the file, which holds nobody up
    process.join()
    train(Recipe(), digits, passes=1, folder=tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {METRICS, RECIPE, WEIGHTS}


def test_what_a_killed_process_left_of_a_file_goes(digits, tmp_path, monkeypatch):
    left = tmp_path / f".{WEIGHTS}.abc.part"
    left.write_bytes(b"half")
    train(Recipe(), digits, passes=1, folder=tmp_path)
    assert not left.exists()
    monkeypatch.setattr("os.unlink", lambda file: None)  # as if killed before it could tidy up
    monkeypatch.setattr("os.replace", lambda *files: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_atomically(tmp_path / WEIGHTS, b"")
    monkeypatch.undo()
    assert len(list(tmp_path.glob(".*"))) == 1
    train(Recipe(), digits, passes=1, folder=tmp_path, resume=True)
    assert list(tmp_path.glob(".*")) == []
