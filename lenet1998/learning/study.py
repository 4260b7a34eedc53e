"""Many runs: several at once, on this computer or a cluster, every run in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from traceback import format_exception_only

import torch

from lenet1998.data import Dataset, DatasetError, Source
from lenet1998.data.digits import NAME as DIGITS
from lenet1998.files import write_atomically
from lenet1998.learning.recipe import Recipe
from lenet1998.learning.training import STATE, Run, RunError, check_same, train

BACKENDS = ("loky", "dask")
"""Of joblib: processes on this computer, or the workers of a Dask cluster."""

_LOSSES = 3  # worker processes that may die in a row before a study gives up


@dataclass(frozen=True)
class Task:
    """One run of a study that has still to be made, as it goes to a worker."""

    index: int
    recipe: Recipe
    source: Source
    dataset_name: str
    passes: int
    engine: str
    place: Path
    """The run's folder, on this computer."""

    @property
    def begun(self) -> bool:
        """Whether there is a state to go on from."""
        return (self.place / STATE).exists()


@dataclass(frozen=True)
class Ended:
    """What a worker reports of a task.

    Attributes:
        index: of the task.
        error: why there is no run, if there is none.
        files: of the run, by name, where the worker has not written them to the task's folder.
    """

    index: int
    error: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)


def run_folder(folder: Path, recipe: Recipe) -> Path:
    """Where a study keeps one of its runs."""
    return folder / f"{recipe.name}-seed{recipe.seed}"


def check_backend(backend: str, address: str | None, jobs: int = -1) -> None:
    """Refuse what `train_many` cannot run on.

    Args:
        backend: a name of `BACKENDS`.
        address: of the Dask scheduler.
        jobs: runs at once.

    Raises:
        ValueError: for an unknown backend, `"dask"` without an address, an address without it, or
            a number of jobs that is neither positive nor -1.
    """
    if backend not in BACKENDS:
        raise ValueError(f"expected the backend {' or '.join(BACKENDS)}, got {backend!r}")
    if backend == "dask" and not address:
        raise ValueError("the backend dask needs its scheduler's address: tcp://HOST:PORT")
    if backend != "dask" and address:
        raise ValueError(f"the address {address} is for the backend dask, not {backend}")
    if jobs < 1 and jobs != -1:
        raise ValueError(f"expected jobs >= 1, or -1 for one on each core, got {jobs}")


def train_many(
    recipes: Sequence[Recipe],
    source: str | Source,
    folder: Path,
    *,
    passes: int = 20,
    engine: str = "fused",
    jobs: int = -1,
    backend: str = "loky",
    address: str | None = None,
    on_run: Callable[[Run], None] | None = None,
    on_found: Callable[[Run], None] | None = None,
) -> list[Run]:
    """Train a network for each recipe, several at once.

    A run that is in its folder already is not repeated, and one that was cut off on this computer
    goes on after its last whole pass, so an interrupted study is simply called again. Runs of a
    worker that dies are made again by another. A run that fails does not stop the others.

    Args:
        recipes: their names and seeds tell them apart.
        source: of the data, as `load_dataset` takes it, or a part; each worker loads it once.
        folder: the runs go to `NAME-seedSEED` in it, on this computer.
        passes: for each run.
        engine: as for `train`.
        jobs: runs at once; -1 for one on each core (of the cluster).
        backend: `"loky"`, processes on this computer, or `"dask"`, a cluster's workers. These need
            lenet1998 and the data, but none of this computer's folders: a run comes back only when
            it has ended, so a stop loses the passes that it has made.
        address: of the Dask scheduler, such as `tcp://HOST:PORT`.
        on_run: called with each run as it ends.
        on_found: called before, with each run that had ended already; by default `on_run`.

    Returns:
        The runs, in the order of the recipes.

    Raises:
        ValueError: if two recipes would share a folder, or as `check_backend`.
        DatasetError: as `load_dataset`.
        RunError: if a folder holds another run, before any is trained; if runs failed, when the
            others have ended; or if the workers or their scheduler cannot be reached or die.
    """
    check_backend(backend, address, jobs)
    places = [run_folder(folder, recipe) for recipe in recipes]
    if len(set(places)) < len(places):
        raise ValueError(
            "two recipes of the study have the same name and seed: give each name its own choices"
        )
    source = source if isinstance(source, Source) else Source(source)
    dataset = _load(source)
    source = replace(source, place=_same_elsewhere(source.place, dataset))
    tasks: list[Task] = []
    runs: dict[Path, Run] = {}
    for recipe, place in zip(recipes, places, strict=True):
        run = _finished(recipe, dataset, passes, engine, place)
        if run is None:
            tasks.append(Task(len(tasks), recipe, source, dataset.name, passes, engine, place))
            continue
        runs[place] = run
        if (tell := on_found or on_run) is not None:
            tell(run)
    del dataset
    failed: list[tuple[Path, str]] = []
    for ended in _work(tasks, jobs, address):
        place = tasks[ended.index].place
        if ended.error is not None:
            failed.append((place, ended.error))
            continue
        _write(ended.files, place)
        runs[place] = Run.load(place)
        if on_run is not None:
            on_run(runs[place])
    if failed:
        raise RunError(_failures(failed, len(recipes)))
    return [runs[place] for place in places]


def train_task(task: Task) -> Ended:
    """Train a task's run in its folder; what a worker does."""
    threads = torch.get_num_threads()
    # The cores belong to the other runs. The last one left, which the caller's process makes, has
    # one thread too: a run must not depend on how many others there are.
    torch.set_num_threads(1)
    try:
        dataset = _load(task.source)
        if dataset.name != task.dataset_name:
            raise RunError(f"the worker found {dataset.name}, not {task.dataset_name}")
        train(
            task.recipe,
            dataset,
            passes=task.passes,
            engine=task.engine,
            folder=task.place,
            resume=task.begun,
        )
    except (DatasetError, RunError, OSError, ValueError) as error:
        return Ended(task.index, str(error))
    # Whatever it is, a bug or too little memory, it ends this run alone: raised here it would end
    # the study, and name no run.
    except Exception as error:
        return Ended(task.index, " ".join("".join(format_exception_only(error)).split()))
    finally:
        torch.set_num_threads(threads)
    return Ended(task.index)


def _failures(failed: Sequence[tuple[Path, str]], runs: int) -> str:
    """One line of all reasons, each with the first of the runs that it stopped."""
    alike: dict[str, list[tuple[str, str]]] = {}
    for place, error in failed:
        # A reason is no other one because it names the run's own folder.
        alike.setdefault(error.replace(str(place), ""), []).append((place.name, error))
    reasons = [
        f"{name}{f' and {len(others)} more' if others else ''}: {error}"
        for (name, error), *others in alike.values()
    ]
    counted = f"{len(failed)} of {runs} runs failed, finished ones are kept: "
    return (counted if runs > 1 else "") + "; ".join(reasons)


@lru_cache(maxsize=1)  # MNIST is 290 MB
def _load(source: Source) -> Dataset:
    return source.load()


def _same_elsewhere(place: str, dataset: Dataset) -> str:
    """The place for workers: none of them may decide on other digits, or look in another folder."""
    if place == "auto":
        return "digits" if dataset.name.startswith(DIGITS) else "mnist"
    return place if place in ("digits", "mnist") else str(Path(place).expanduser().resolve())


def _finished(
    recipe: Recipe, dataset: Dataset, passes: int, engine: str, place: Path
) -> Run | None:
    if not (place / STATE).exists():
        return None
    run = Run.load(place)
    there = len(run.records)
    check_same(run, recipe, dataset.name, engine, place)
    if there > passes:
        raise RunError(f"{place} holds a run of more than {passes} passes: use another folder")
    return run if there == passes else None


def _write(files: dict[str, bytes], place: Path) -> None:
    """The files of a run, the state last: with it the run is there."""
    if files:
        place.mkdir(parents=True, exist_ok=True)
    for name in sorted(files, key=lambda name: name == STATE):
        write_atomically(place / name, files[name])


def _work(tasks: Sequence[Task], jobs: int, address: str | None) -> Iterator[Ended]:
    if address is not None and tasks:
        try:
            from lenet1998.learning.cluster import on_cluster
        except ImportError as error:
            raise RunError(
                f"the backend dask needs Dask ({error}): pip install 'lenet1998[cluster]'"
            ) from error
        _load.cache_clear()
        return on_cluster(tasks, jobs, address)
    # One run alone stays in this process: there is nothing to start.
    if len(tasks) < 2:
        return map(train_task, tasks)
    _load.cache_clear()
    return _in_processes(tasks, jobs)


def _in_processes(tasks: Sequence[Task], jobs: int) -> Iterator[Ended]:
    """The tasks' runs in any order; joblib stops all when a process dies, so they are begun again.

    Each goes on after its last whole pass.
    """
    from joblib import Parallel, delayed

    left = {task.index: task for task in tasks}
    losses = 0
    while left:
        workers = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
        try:
            for ended in workers(delayed(train_task)(task) for task in list(left.values())):
                del left[ended.index]
                losses = 0
                yield ended
        except BrokenProcessPool as error:
            losses += 1
            if losses == _LOSSES:
                one = next(iter(left.values())).place.name
                raise RunError(
                    f"worker processes died {losses} times with no run ended in between, perhaps "
                    f"for want of memory: {len(left)} runs are left, {one} first; take fewer at "
                    "once (--jobs)"
                ) from error
