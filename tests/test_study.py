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
from lenet1998.learning import Recipe, RunError, train, train_many
from lenet1998.learning.study import Task, check_backend, run_folder, train_task
from lenet1998.learning.training import METRICS, RECIPE, STATE

PATIENCE = 240  # seconds; a busy computer takes many to start a process


def same_network(run, other):
    pairs = zip(run.net.parameters(), other.net.parameters(), strict=True)
    return all(torch.equal(ours, same) for ours, same in pairs)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    ended = []
    recipes = [Recipe(seed=seed) for seed in (4, 5)]
    runs = train_many(recipes, "digits", folder, passes=2, jobs=2, on_run=ended.append)
    return folder, recipes, runs, ended


def test_runs_come_in_the_order_of_their_recipes(study):
    _, recipes, runs, ended = study
    assert [run.recipe for run in runs] == recipes
    assert {run.recipe.seed for run in ended} == {4, 5}
    assert all(len(run.records) == 2 for run in runs)


def test_each_run_has_the_bits_that_it_has_alone(study):
    _, recipes, runs, _ = study
    assert same_network(runs[1], train(recipes[1], load_dataset("digits"), passes=2))


def test_a_second_call_repeats_nothing_and_goes_on(study, tmp_path):
    folder, recipes, _, _ = study
    states = [run_folder(folder, recipe) / STATE for recipe in recipes]
    written = [state.stat().st_mtime_ns for state in states]
    found, ended = [], []
    train_many(
        recipes, "digits", folder, passes=2, jobs=2, on_found=found.append, on_run=ended.append
    )
    assert [state.stat().st_mtime_ns for state in states] == written
    assert ([run.recipe for run in found], ended) == (recipes, [])
    train_many(recipes, "digits", folder, passes=2, on_run=ended.append)
    assert [run.recipe for run in ended] == recipes
    train_many([recipes[0]], "digits", tmp_path, passes=1)
    (longer,) = train_many([recipes[0]], "digits", tmp_path, passes=2)
    assert same_network(longer, found[0])


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
        train_many(recipes, "digits", tmp_path, passes=1, jobs=2)
    assert [run_folder(tmp_path, recipe).is_dir() for recipe in recipes[1:]] == [True, True]
    assert not (run_folder(tmp_path, recipes[0]) / STATE).exists()


@pytest.mark.parametrize(
    ("failure", "named"),
    [(TypeError("no\n  number"), "TypeError: no number"), (MemoryError(), "MemoryError")],
)
def test_a_failure_of_any_kind_names_its_run(tmp_path, monkeypatch, failure, named):
    def fail(*arguments, **options):
        raise failure

    monkeypatch.setattr("lenet1998.learning.study.train", fail)
    with pytest.raises(RunError) as ended:
        train_many([Recipe(seed=4)], "digits", tmp_path, passes=1)
    assert str(ended.value) == f"paper-seed4: {named}"


def test_every_reason_is_told_once(tmp_path, monkeypatch):
    def fail(recipe, *arguments, folder, **options):
        raise RunError(f"{folder} is full" if recipe.seed < 6 else "the network diverged")

    monkeypatch.setattr("lenet1998.learning.study.train", fail)
    monkeypatch.setattr(
        "lenet1998.learning.study._in_processes", lambda tasks, jobs: map(train_task, tasks)
    )
    with pytest.raises(RunError) as ended:
        train_many([Recipe(seed=seed) for seed in (4, 5, 6)], "digits", tmp_path, passes=1)
    assert str(ended.value) == (
        "3 of 3 runs failed, finished ones are kept: paper-seed4 and 1 more: "
        f"{tmp_path / 'paper-seed4'} is full; paper-seed6: the network diverged"
    )


def test_dying_workers_are_given_up_with_the_name_of_a_run(tmp_path, monkeypatch):
    class Dying:
        def __init__(self, **options):
            pass

        def __call__(self, tasks):
            raise BrokenProcessPool

    monkeypatch.setattr("joblib.Parallel", Dying)
    with pytest.raises(RunError, match=r"died 3 times .* 2 runs are left, paper-seed4 first"):
        train_many([Recipe(seed=seed) for seed in (4, 5)], "digits", tmp_path, passes=1)


def test_a_run_in_this_process_leaves_it_its_threads(tmp_path, monkeypatch):
    during = []
    monkeypatch.setattr(
        "lenet1998.learning.study.train",
        lambda *arguments, **options: during.append(torch.get_num_threads()),
    )
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        train_task(
            Task(0, Recipe(), Source("digits"), load_dataset("digits").name, 1, "fused", tmp_path)
        )
        assert (during, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_a_worker_without_a_place_to_write_says_so(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs Dask: install lenet1998[cluster]")
    from lenet1998.learning import cluster

    task = Task(3, Recipe(), Source("digits"), "digits", 1, "fused", tmp_path)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cluster, "TemporaryDirectory", full)
    ended = cluster._train_away(task, b"")
    assert (ended.index, ended.error) == (3, "on the worker: [Errno 28] No space left on device")


def test_a_killed_process_loses_no_run(study, tmp_path):
    _, recipes, runs, _ = study
    killed = []

    def kill_one(run):
        if not killed:
            workers = [one for one in multiprocessing.active_children() if "Loky" in one.name]
            killed.append(workers[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    recipes = [*recipes, *(replace(recipes[0], seed=seed) for seed in (6, 7))]
    again = train_many(recipes, "digits", tmp_path, passes=2, jobs=2, on_run=kill_one)
    assert killed
    assert [run.recipe for run in again] == recipes
    assert all(same_network(run, first) for run, first in zip(again, runs, strict=False))


@pytest.mark.parametrize(
    ("backend", "address", "named"),
    [("ray", None, "loky or dask"), ("dask", None, "HOST:PORT"), ("loky", "tcp://a:1", "tcp://a")],
)
def test_backends_that_cannot_be_are_named(backend, address, named):
    with pytest.raises(ValueError, match=named):
        check_backend(backend, address)


@pytest.mark.parametrize("jobs", [0, -2])
def test_a_number_of_jobs_that_cannot_be_is_named(jobs, tmp_path):
    with pytest.raises(ValueError, match=f"expected jobs >= 1, or -1 .*, got {jobs}"):
        train_many([Recipe()], "digits", tmp_path, passes=1, jobs=jobs)
    check_backend("loky", None, 1)


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

    def ready(self, workers):
        """Start what is missing; the address."""
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
        while len(self.workers) < workers:
            name = f"worker-{time.monotonic_ns()}"
            one = ("--nthreads", "1", "--no-nanny", "--name", name, "--host", "127.0.0.1")
            self.workers[name] = self._start("worker", self.address, *one)
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=PATIENCE)
        return self.address

    def kill_a_busy_worker(self):
        """SIGKILL, as when a computer fails; whether there was one."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            there = client.scheduler_info(n_workers=-1)["workers"]
            busy = [there[address]["name"] for address, runs in client.processing().items() if runs]
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
    where = {"backend": "dask", "address": cluster.ready(workers=2)}
    train_many(recipes, "digits", tmp_path, passes=1, **where)
    away = train_many(recipes, "digits", tmp_path, passes=2, **where)
    assert all(same_network(run, here) for run, here in zip(away, runs, strict=True))
    for run in away:
        place = run_folder(tmp_path, run.recipe)
        assert {file.name for file in place.iterdir()} == {RECIPE, METRICS, STATE}
        assert len((place / METRICS).read_text().splitlines()) == 3
    # Nothing is left to do: the cluster is not even asked.
    nowhere = {"backend": "dask", "address": "tcp://127.0.0.1:1"}
    assert len(train_many(recipes, "digits", tmp_path, passes=2, **nowhere)) == 2


def test_runs_of_a_lost_worker_are_made_by_another(study, cluster, tmp_path):
    _, recipes, runs, _ = study
    recipes = [*recipes, *(replace(recipes[0], seed=seed) for seed in (6, 7, 8, 9))]
    ended, lost = [], []

    def kill_one(run):
        ended.append(run)
        if not lost and cluster.kill_a_busy_worker():
            lost.append(run)

    again = train_many(
        recipes, "digits", tmp_path, passes=2, backend="dask", address=cluster.ready(workers=2),
        on_run=kill_one,
    )  # fmt: skip
    assert lost
    assert sorted(run.recipe.seed for run in ended) == [4, 5, 6, 7, 8, 9]
    assert [run.recipe for run in again] == recipes
    assert all(len(run.records) == 2 for run in again)
    assert all(same_network(run, first) for run, first in zip(again, runs, strict=False))


@dataclass(frozen=True)
class NotOnTheCluster(Recipe):
    """A recipe that workers cannot read: this module is not theirs."""


def test_a_run_that_dask_gives_up_is_told_of(study, cluster, tmp_path):
    with pytest.raises(RunError, match=r"1 of 2 runs failed.* paper-seed4: Dask gave it up"):
        train_many(
            [NotOnTheCluster(seed=4), Recipe(seed=5)], "digits", tmp_path, passes=1,
            backend="dask", address=cluster.ready(workers=1),
        )  # fmt: skip
    assert (tmp_path / "paper-seed5" / STATE).exists()
    assert not (tmp_path / "paper-seed4").exists()


def test_a_lost_scheduler_is_one_line(cluster, tmp_path):
    ended = []

    def kill_scheduler(run):
        ended.append(run)
        cluster.scheduler.kill()

    recipes = [Recipe(seed=seed) for seed in range(6)]
    with pytest.raises(RunError, match=r"127.0.0.1:\d+ is lost"):
        train_many(
            recipes, "digits", tmp_path, passes=2, backend="dask",
            address=cluster.ready(workers=1), on_run=kill_scheduler,
        )  # fmt: skip
    for run in ended:
        assert (run_folder(tmp_path, run.recipe) / STATE).exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "http://127.0.0.1:1"])
def test_an_address_without_a_scheduler_is_named(address, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs Dask: install lenet1998[cluster]")
    monkeypatch.setattr("lenet1998.learning.cluster._SECONDS", 1)
    with pytest.raises(RunError, match=f"no Dask scheduler answers at {address}"):
        train_many([Recipe()], "digits", tmp_path, passes=1, backend="dask", address=address)
    assert not os.listdir(tmp_path)


def test_without_dask_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "lenet1998.learning.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RunError, match=r"pip install 'lenet1998\[cluster\]'"):
        train_many([Recipe()], "digits", tmp_path, backend="dask", address="tcp://127.0.0.1:1")
