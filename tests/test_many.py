"""Many runs at once: each as if alone, none repeated, none lost."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

import pytest
import torch

from lenet1998.data import Source, load_dataset
from lenet1998.learning import MinibatchRecipe, Recipe, RunError, train, train_many
from lenet1998.models import LeNet5Classic, LeNet5Modern
from lenet1998.models.saved import WEIGHTS
from lenet1998.runs.many import run_folder
from lenet1998.runs.run import METRICS, RECIPE, Run, alone_in
from lenet1998.runs.task import TrainingTask, carry_out
from lenet1998.runs.workers import Workers

PATIENCE = 240  # seconds; a busy computer takes many to start a process
TWO = Workers(jobs=2)
NOWHERE = Workers(backend="dask", address="tcp://127.0.0.1:1")


def same_network(run, other):
    pairs = zip(run.net.parameters(), other.net.parameters(), strict=True)
    return all(torch.equal(ours, same) for ours, same in pairs)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Recipes of both kinds in one call."""
    folder = tmp_path_factory.mktemp("study")
    ended = []
    recipes = [Recipe(seed=4), Recipe(seed=5), MinibatchRecipe("today", seed=5)]
    runs = train_many(recipes, "digits", folder, passes=2, workers=TWO, on_run=ended.append)
    return folder, [recipe.lasting(2) for recipe in recipes], runs, ended


def test_runs_come_in_the_order_of_their_recipes(study):
    _, recipes, runs, ended = study
    assert [run.recipe for run in runs] == recipes
    assert {(run.recipe.name, run.recipe.seed) for run in ended} == {
        ("paper", 4), ("paper", 5), ("today", 5),
    }  # fmt: skip
    assert all(len(run.records) == 2 for run in runs)
    assert [type(run.net) for run in runs] == [LeNet5Classic, LeNet5Classic, LeNet5Modern]


def test_each_run_has_the_bytes_that_it_has_alone(study, tmp_path):
    folder, recipes, runs, _ = study
    for recipe, run in zip(recipes[1:], runs[1:], strict=True):
        train(recipe, load_dataset("digits"), passes=2, folder=tmp_path / recipe.name)
        assert same_network(run, Run.load(tmp_path / recipe.name))
        alone = (tmp_path / recipe.name / WEIGHTS).read_bytes()
        assert alone == (run_folder(folder, recipe) / WEIGHTS).read_bytes()


def test_a_second_call_repeats_nothing_and_goes_on(study, tmp_path):
    folder, recipes, _, _ = study
    states = [run_folder(folder, recipe) / WEIGHTS for recipe in recipes]
    written = [state.stat().st_mtime_ns for state in states]
    kept, ended = [], []
    train_many(
        recipes, "digits", folder, passes=2, workers=TWO, on_found=kept.append, on_run=ended.append
    )
    assert [state.stat().st_mtime_ns for state in states] == written
    assert ([run.recipe for run in kept], ended) == (recipes, [])
    train_many(recipes, "digits", folder, passes=2, on_run=ended.append)
    assert [run.recipe for run in ended] == recipes
    train_many([recipes[0]], "digits", tmp_path, passes=1)
    (longer,) = train_many([recipes[0]], "digits", tmp_path, passes=2)
    assert same_network(longer, kept[0])


def test_clashes_are_named_before_anything_is_trained(study):
    folder, _, _, _ = study
    with pytest.raises(ValueError, match="same name and seed"):
        train_many([Recipe(), Recipe(mu=0.1)], "digits", folder)
    for asked, source, passes, named in (
        (Recipe(seed=5, mu=0.1), "digits", 2, "mu"),
        (Recipe(seed=5), Source("digits", first=(100, 10)), 2, "first 100"),
        (Recipe(seed=5), "digits", 1, "more than 1 passes"),
    ):
        with pytest.raises(RunError, match=named):
            train_many([Recipe(seed=9), asked], source, folder, passes=passes)
    assert not run_folder(folder, Recipe(seed=9)).exists()


def test_a_run_that_fails_stops_no_other(tmp_path):
    recipes = [Recipe(seed=4, training_patterns=10**6), Recipe(seed=5), Recipe(seed=6)]
    with pytest.raises(RunError, match=r"1 of 3 runs failed.* paper-seed4: .*1000000 patterns"):
        train_many(recipes, "digits", tmp_path, passes=1, workers=TWO)
    assert [run_folder(tmp_path, recipe).is_dir() for recipe in recipes[1:]] == [True, True]
    assert not (run_folder(tmp_path, recipes[0]) / WEIGHTS).exists()


@pytest.mark.parametrize(
    ("failure", "named"),
    [(TypeError("no\n  number"), "TypeError: no number"), (MemoryError(), "MemoryError")],
)
def test_a_failure_of_any_kind_names_its_run(tmp_path, monkeypatch, failure, named):
    def fail(*arguments, **options):
        raise failure

    monkeypatch.setattr("lenet1998.runs.task.train", fail)
    with pytest.raises(RunError) as ended:
        train_many([Recipe(seed=4)], "digits", tmp_path, passes=1)
    assert str(ended.value) == f"paper-seed4: {named}"


def test_every_reason_is_told_once(tmp_path, monkeypatch):
    def fail(recipe, *arguments, folder, **options):
        raise RunError(f"{folder} is full" if recipe.seed < 6 else "the network diverged")

    monkeypatch.setattr("lenet1998.runs.task.train", fail)
    monkeypatch.setattr(
        "lenet1998.runs.many._in_processes", lambda tasks, jobs: map(carry_out, tasks)
    )
    with pytest.raises(RunError) as ended:
        train_many([Recipe(seed=seed) for seed in (4, 5, 6)], "digits", tmp_path, passes=1)
    assert str(ended.value) == (
        "3 of 3 runs failed, finished ones are kept: paper-seed4 and 1 more: "
        f"{tmp_path / 'paper-seed4'} is full; paper-seed6: the network diverged"
    )


def test_dying_workers_are_given_up_with_the_name_of_a_run(tmp_path, monkeypatch):
    class Dying:
        def __init__(self, *arguments, **options):
            pass

        def __call__(self, tasks):
            raise BrokenProcessPool

    monkeypatch.setattr("joblib.Parallel", Dying)
    with pytest.raises(RunError, match=r"died 3 times .* 2 runs are left, paper-seed4 first"):
        train_many([Recipe(seed=seed) for seed in (4, 5)], "digits", tmp_path, passes=1)


def test_a_run_in_this_process_leaves_it_its_threads(tmp_path, monkeypatch):
    during = []
    monkeypatch.setattr(
        "lenet1998.runs.task.train",
        lambda *arguments, **options: during.append(torch.get_num_threads()),
    )
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        name = load_dataset("digits").name
        carry_out(TrainingTask(0, Source("digits"), name, tmp_path, Recipe(), 1, "fused"))
        assert (during, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_a_worker_without_a_place_to_write_says_so(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs Dask: install lenet1998[cluster]")
    from lenet1998.runs import cluster

    task = TrainingTask(3, Source("digits"), "digits", tmp_path, Recipe(), 1, "fused")

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cluster, "TemporaryDirectory", full)
    ended = cluster._train_away(task, {})
    assert (ended.index, ended.error) == (3, "on the worker: [Errno 28] No space left on device")


def test_a_killed_process_loses_no_run(study, tmp_path):
    _, recipes, runs, _ = study
    killed = []

    def kill_one(run):
        if not killed:
            children = multiprocessing.active_children()
            killed.append(next(child.pid for child in children if "Loky" in child.name))
            os.kill(killed[0], signal.SIGKILL)

    recipes = [*recipes[:2], *(replace(recipes[0], seed=seed) for seed in (6, 7))]
    again = train_many(recipes, "digits", tmp_path, passes=2, workers=TWO, on_run=kill_one)
    assert killed
    assert [run.recipe for run in again] == recipes
    assert all(same_network(run, first) for run, first in zip(again, runs[:2], strict=False))


def test_a_study_or_a_run_of_it_that_another_process_makes_is_refused(tmp_path):
    study, run = "^{} is in use by another process", "^paper-seed0: {} is in use by another process"
    for place, named in ((tmp_path, study), (tmp_path / "paper-seed0", run)):
        with alone_in(place), pytest.raises(RunError, match=named.format(place)):
            train_many([Recipe()], "digits", tmp_path, passes=1)
    assert os.listdir(tmp_path) == ["paper-seed0"] and os.listdir(tmp_path / "paper-seed0") == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"backend": "ray"}, "loky or dask, got 'ray'"),
        ({"backend": "dask"}, "tcp://HOST:PORT"),
        ({"address": "tcp://a:1"}, "tcp://a:1 is for the backend dask, not loky"),
        ({"jobs": 0}, "expected jobs >= 1, or -1 .*, got 0"),
        ({"jobs": -2}, "expected jobs >= 1, or -1 .*, got -2"),
    ],
)
def test_workers_that_cannot_be_are_named(options, named):
    with pytest.raises(ValueError, match=named):
        Workers(**options)
    assert Workers() == Workers(-1, "loky", None)
    assert Workers(1, "dask", "tcp://a:1").address == "tcp://a:1"


class Cluster:
    """A Dask scheduler and workers, each a process of its own, as on so many computers."""

    def __init__(self, folder):
        self.folder = folder
        self.scheduler = None
        self.workers = {}

    def _start(self, *arguments):
        with open(self.folder / "log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *map(str, arguments), "--no-dashboard"],
                stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip

    def ready(self, count):
        """Start what is missing; so many workers."""
        from distributed import Client

        if self.scheduler is None or self.scheduler.poll() is not None:
            self.stop()
            file = self.folder / "scheduler.json"
            file.unlink(missing_ok=True)
            listen = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", file)
            self.scheduler = self._start("scheduler", *listen)
            deadline = time.monotonic() + PATIENCE
            while not file.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            self.address = json.loads(file.read_text())["address"]
        while len(self.workers) < count:
            name = f"worker-{time.monotonic_ns()}"
            options = ("--nthreads", "1", "--no-nanny", "--name", name, "--host", "127.0.0.1")
            self.workers[name] = self._start("worker", self.address, *options)
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=PATIENCE)
        return Workers(backend="dask", address=self.address)

    def kill_a_busy_worker(self):
        """SIGKILL, as when a computer fails; whether there was one."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            known = client.scheduler_info(n_workers=-1)["workers"]
            busy = [known[address]["name"] for address, runs in client.processing().items() if runs]
        if busy:
            self.workers.pop(busy[0]).kill()
        return bool(busy)

    def stop(self):
        for process in (*self.workers.values(), self.scheduler):
            if process is not None:
                process.kill()
                process.wait()
        self.workers.clear()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    pytest.importorskip("distributed", reason="needs Dask: install lenet1998[cluster]")
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


def test_a_cluster_gives_the_bits_of_this_computer_and_repeats_nothing(study, cluster, tmp_path):
    _, recipes, runs, _ = study
    recipes, workers = recipes[:2], cluster.ready(count=2)
    train_many(recipes, "digits", tmp_path, passes=1, workers=workers)
    away = train_many(recipes, "digits", tmp_path, passes=2, workers=workers)
    assert all(same_network(run, ours) for run, ours in zip(away, runs, strict=False))
    for run in away:
        place = run_folder(tmp_path, run.recipe)
        assert {file.name for file in place.iterdir()} == {RECIPE, METRICS, WEIGHTS}
        assert len((place / METRICS).read_text().splitlines()) == 3
        first, second = run.records  # the clock too went on
        assert 0 < first.seconds < second.seconds and first.learning_seconds > 0
    # Nothing is left to do: the cluster is not even asked.
    assert len(train_many(recipes, "digits", tmp_path, passes=2, workers=NOWHERE)) == 2


def test_runs_of_a_lost_worker_are_made_by_another(study, cluster, tmp_path):
    _, recipes, runs, _ = study
    recipes = [*recipes[:2], *(replace(recipes[0], seed=seed) for seed in (6, 7, 8, 9))]
    ended, lost = [], []

    def kill_one(run):
        ended.append(run)
        if not lost and cluster.kill_a_busy_worker():
            lost.append(run)

    again = train_many(
        recipes, "digits", tmp_path, passes=2, workers=cluster.ready(count=2), on_run=kill_one
    )
    assert lost
    assert sorted(run.recipe.seed for run in ended) == [4, 5, 6, 7, 8, 9]
    assert [run.recipe for run in again] == recipes
    assert all(len(run.records) == 2 for run in again)
    assert all(same_network(run, first) for run, first in zip(again, runs[:2], strict=False))


@dataclass(frozen=True)
class NotOnTheCluster(Recipe):
    """A recipe that workers cannot read: this module is not theirs."""


def test_a_run_that_dask_gives_up_is_told_of(study, cluster, tmp_path):
    with pytest.raises(RunError, match=r"1 of 2 runs failed.* paper-seed4: Dask gave it up"):
        train_many(
            [NotOnTheCluster(seed=4), Recipe(seed=5)], "digits", tmp_path, passes=1,
            workers=cluster.ready(count=1),
        )  # fmt: skip
    assert (tmp_path / "paper-seed5" / WEIGHTS).exists()
    assert not (tmp_path / "paper-seed4").exists()


def test_a_lost_scheduler_is_one_line(cluster, tmp_path):
    ended = []

    def kill_scheduler(run):
        ended.append(run)
        cluster.scheduler.kill()

    recipes = [Recipe(seed=seed) for seed in range(6)]
    with pytest.raises(RunError, match=r"127.0.0.1:\d+ is lost"):
        train_many(
            recipes, "digits", tmp_path, passes=2, workers=cluster.ready(count=1),
            on_run=kill_scheduler,
        )  # fmt: skip
    for run in ended:
        assert (run_folder(tmp_path, run.recipe) / WEIGHTS).exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "http://127.0.0.1:1"])
def test_an_address_without_a_scheduler_is_named(address, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs Dask: install lenet1998[cluster]")
    monkeypatch.setattr("lenet1998.runs.cluster._SECONDS", 1)
    with pytest.raises(RunError, match=f"no Dask scheduler answers at {address}"):
        train_many([Recipe()], "digits", tmp_path, passes=1, workers=Workers(-1, "dask", address))
    assert not os.listdir(tmp_path)


def test_without_dask_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "lenet1998.runs.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RunError, match=r"pip install 'lenet1998\[cluster\]'"):
        train_many([Recipe()], "digits", tmp_path, workers=NOWHERE)
