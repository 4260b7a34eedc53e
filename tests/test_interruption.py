"""Whatever stops a run, what it has written is whole, and resumed it ends with the same bytes."""

import json
import multiprocessing
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial

import pytest

from lenet1998.cli import app
from lenet1998.commands import compare, paper, reproduce, study  # noqa: F401  before the forks
from lenet1998.data import load_dataset
from lenet1998.evidence import fig05
from lenet1998.files import write_atomically
from lenet1998.learning import Recipe, RunError, train
from lenet1998.models.saved import WEIGHTS
from lenet1998.runs.run import LOCK, METRICS, RECIPE, Run, alone_in
from lenet1998.runs.task import carry_out_for

CAMPAIGN = "LENET1998_KILLS" in os.environ
KILLS = int(os.environ.get("LENET1998_KILLS", "5"))  # 25 and more, as a campaign
PASSES = 4
STOPS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
COMMANDS = {
    "reproduce": "reproduce --passes 4",
    "reproduce, torch": "reproduce --passes 2 --engine torch",
    "study": "study --seeds 3 --passes 3 --jobs 2",
    "paper": "paper --quick --only fig05 --jobs 1",
    "compare": "compare lenet5-classic --train --seeds 2 --jobs 1",
}
EVERYDAY = ("reproduce", "paper")
# A process that is a copy of this one has Numba's programs: it trains at once.
FORK = multiprocessing.get_context("fork")
NOBODY = 65534


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits").first(400, 100)


@pytest.fixture(scope="module")
def straight(digits, tmp_path_factory):
    """By engine: its digits, a run that nothing stops, and the seconds that it takes."""

    @cache
    def of(engine):
        few = digits if engine == "fused" else digits.first(60, 20)
        folder = tmp_path_factory.mktemp("straight")
        train(Recipe(), few, passes=1, engine=engine)  # compiled before the clock starts
        started = time.perf_counter()
        train(Recipe(), few, passes=PASSES, engine=engine, folder=folder)
        return few, folder, time.perf_counter() - started

    return of


def go_on(digits, folder, engine="fused"):
    resume = (folder / WEIGHTS).exists()
    return train(Recipe(), digits, passes=PASSES, engine=engine, folder=folder, resume=resume)


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


@pytest.mark.parametrize("engine", ["fused", "torch"])
@pytest.mark.parametrize("seed", range(KILLS))
def test_a_run_killed_at_any_moment_ends_with_the_same_bytes(straight, tmp_path, engine, seed):
    digits, whole, seconds = straight(engine)
    chance = random.Random(seed)
    for stop in chance.sample(STOPS, 2):
        process = FORK.Process(target=go_on, args=(digits, tmp_path, engine))
        process.start()
        process.join(chance.uniform(0, seconds))
        if process.is_alive():
            os.kill(process.pid, stop)
        process.join()
    assert len(go_on(digits, tmp_path, engine).records) == PASSES
    assert results(tmp_path) == results(whole)
    assert {file.name for file in tmp_path.iterdir()} == {METRICS, RECIPE, WEIGHTS}


def begin(name, folder):
    """A command of the command line, in a process of its own that is told to write to a folder.

    It goes on with what it finds there; a run of `reproduce` asks for that.
    """
    command = [*COMMANDS[name].split(), "--data", "digits", "--output", str(folder)]
    if (folder / WEIGHTS).exists():
        command.append("--resume")

    def do():
        said = folder.parent / f"{folder.name}.said"
        with open(said, "w", buffering=1) as err, open(os.devnull, "w") as out:
            sys.stderr, sys.stdout = err, out
            try:
                app(command)
            except SystemExit as end:
                os._exit(end.code)  # multiprocessing would wait for a study's workers for ever

    process = FORK.Process(target=do)
    process.start()
    return process


def ended(name, folder):
    """The command's exit status, and the lines that it has said."""
    process = begin(name, folder)
    process.join()
    said = (folder.parent / f"{folder.name}.said").read_text().splitlines()
    return process.exitcode, [line for line in said if "compiling" not in line]


def kept(folder):
    """What a command has written, by name, without what the clock says."""

    def content(file):
        if file.name == METRICS:
            return [line.split(",")[:5] for line in file.read_text().splitlines()]
        if file.suffix == ".json":
            timeless = lambda of: {k: v for k, v in of.items() if "second" not in k}  # noqa: E731
            return json.loads(file.read_text(), object_hook=timeless)
        return file.suffix == ".html" or file.read_bytes()  # the pages say how long it took

    files = (file for file in folder.rglob("*") if file.is_file() and file.name != LOCK)
    return {
        str(file.relative_to(folder)): content(file) for file in files if file.suffix != ".part"
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What a command comes to that nothing stops, and the seconds that it takes."""

    @cache
    def of(name):
        folder = tmp_path_factory.mktemp("undisturbed") / "run"
        started = time.perf_counter()
        assert ended(name, folder) == (0, [])
        return kept(folder), time.perf_counter() - started

    return of


commands = pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                not CAMPAIGN and name not in EVERYDAY, reason="long: set LENET1998_KILLS=25"
            ),
        )
        for name in COMMANDS
    ],
)


@commands
def test_a_command_stopped_at_any_moment_ends_with_the_same_bytes(undisturbed, tmp_path, name):
    whole, seconds = undisturbed(name)
    chance = random.Random(name)
    for number in range(KILLS if CAMPAIGN else 1):
        folder = tmp_path / str(number // 2)
        process, stop = begin(name, folder), STOPS[number % 3]
        process.join(chance.uniform(0, seconds))
        if process.is_alive():
            os.kill(process.pid, stop)
        process.join()
        if process.exitcode == 1 and stop == signal.SIGINT:
            *_, last = (tmp_path / f"{folder.name}.said").read_text().splitlines()
            assert last.startswith("lenet1998: stopped; finished work is kept")
        time.sleep(1)  # forks begin sooner than a study's workers see that it is gone
    for folder in {tmp_path / str(number // 2) for number in range(KILLS if CAMPAIGN else 1)}:
        assert ended(name, folder) == (0, [])
        assert kept(folder) == whole


def test_the_workers_of_a_killed_study_end_with_it(monkeypatch):
    ours, its = FORK.Pipe()

    def long(task):
        its.send(task)
        time.sleep(100)

    def studying():
        FORK.Process(target=carry_out_for, args=(os.getpid(), "begun")).start()
        time.sleep(100)

    monkeypatch.setattr("lenet1998.runs.task.carry_out", long)
    process = FORK.Process(target=studying)
    process.start()
    its.close()
    assert ours.recv() == "begun"
    process.kill()
    process.join()
    assert ours.poll(20)  # both ends that they had are closed
    with pytest.raises(EOFError):
        ours.recv()


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
    assert results(tmp_path) == results(straight("fused")[1])


@contextmanager
def disk(folder, options):
    """A disk of its own at a folder, in memory."""
    mount = ["mount", "-t", "tmpfs", "-o", options, "lenet1998", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@commands
def test_a_disk_that_is_full_is_one_line_and_what_was_done_is_kept(undisturbed, tmp_path, name):
    whole, _ = undisturbed(name)
    (place := tmp_path / "disk").mkdir()
    few = name in ("study", "compare")  # of several runs' passes; else none
    with disk(place, "size=600k" if few else "size=200k"):  # a network takes 240 kB
        status, said = ended(name, place)
        assert (status, len(said)) == (1, 1)
        assert re.search(rf"{place}/.*: no space left on device; free some space", said[0])
        assert bool([Run.load(file.parent) for file in place.rglob(WEIGHTS)]) == few
        assert not [*place.rglob("*.part")]
        larger = ["mount", "-o", "remount,size=50m", str(place)]
        subprocess.run(larger, check=True)
        assert ended(name, place) == (0, [])
        assert kept(place) == whole


@pytest.mark.parametrize("name", COMMANDS)
def test_a_disk_that_is_read_only_is_one_line(tmp_path, name):
    (place := tmp_path / "disk").mkdir()
    with disk(place, "ro"):
        status, said = ended(name, place)
        assert (status, len(said)) == (1, 1)
        assert re.search(f"{place}.*: read-only file system; give a place where you may", said[0])


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
