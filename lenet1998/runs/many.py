"""Many runs: several at once, on this computer or a cluster, every run in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, nullcontext
from pathlib import Path

from lenet1998.data import Dataset, Source
from lenet1998.files import make_folder, write_atomically
from lenet1998.learning.presets import named
from lenet1998.learning.recipe import TrainingRecipe
from lenet1998.models.saved import WEIGHTS
from lenet1998.runs.run import Run, RunError, alone_in, check_same
from lenet1998.runs.task import Ended, Task, TrainingTask, carry_out, carry_out_for, load
from lenet1998.runs.workers import Workers

__all__ = ["run_folder", "train_many"]

_LOSSES = 3  # worker processes that may die in a row before a study gives up


def run_folder(folder: str | Path, recipe: TrainingRecipe) -> Path:
    """Where a study keeps one of its runs."""
    return Path(folder) / f"{recipe.name}-seed{recipe.seed}"


def train_many(
    recipes: Sequence[TrainingRecipe | str],
    source: str | Source,
    folder: str | Path,
    *,
    passes: int | None = None,
    engine: str | None = None,
    workers: Workers = Workers(),  # noqa: B008  it is a constant
    on_run: Callable[[Run], None] | None = None,
    on_found: Callable[[Run], None] | None = None,
) -> list[Run]:
    """Train a network by each recipe, several at once.

    A run that is in its folder already is not repeated, and one that was cut off on this computer
    goes on after its last whole pass, so an interrupted study is simply called again. Runs of a
    worker that dies are made again by another. A run that fails does not stop the others.

    Args:
        recipes: of either kind, or names of presets; their names and seeds tell them apart.
        source: of the data, as `load_dataset` takes it, or a part; each worker loads it once.
        folder: the runs go to `NAME-seedSEED` in it, on this computer.
        passes: for each run; by default as many as its recipe has.
        engine: as for `train`.
        workers: what makes the runs.
        on_run: called with each run as it ends.
        on_found: called before, with each run that had ended already; by default `on_run`.

    Returns:
        The runs, in the order of the recipes.

    Raises:
        ValueError: if two recipes would share a folder.
        DatasetError: as `load_dataset`.
        RunError: if a folder holds another run, before any is trained; if runs failed, when the
            others have ended; if another process trains in the folder; or if the workers or their
            scheduler cannot be reached or die.
    """
    if isinstance(recipes, str):
        raise TypeError(f"expected a list of recipes, got {recipes!r}: write [{recipes!r}]")
    wanted = [named(recipe) for recipe in recipes]
    if passes is not None:
        wanted = [recipe.lasting(passes) for recipe in wanted]
    places = [run_folder(folder, recipe) for recipe in wanted]
    if len(set(places)) < len(places):
        raise ValueError(
            "two recipes of the study have the same name and seed: give each name its own choices"
        )
    source = source if isinstance(source, Source) else Source(source)
    dataset = load(source)
    source = source.settled(dataset)
    tasks: list[TrainingTask] = []
    runs: dict[Path, Run] = {}
    for recipe, place in zip(wanted, places, strict=True):
        of_run = (passes or recipe.passes, engine or recipe.ENGINES[0], place)
        run = _finished(recipe, dataset, *of_run)
        if run is None:
            of_task = (len(tasks), source, dataset.name, place)
            tasks.append(TrainingTask(*of_task, recipe, passes or recipe.passes, of_run[1]))
            continue
        runs[place] = run
        if (tell := on_found or on_run) is not None:
            tell(run)
    del dataset
    with closing(make_all(tasks, folder, workers, len(recipes))) as made:
        for place in made:
            runs[place] = Run.load(place)
            if on_run is not None:
                on_run(runs[place])
    return [runs[place] for place in places]


def make_all(
    tasks: Sequence[Task], folder: str | Path, workers: Workers, wanted: int
) -> Generator[Path]:
    """Do tasks, several at once, whose folders lie in one that nobody else may use meanwhile.

    Args:
        tasks: numbered from 0.
        folder: made if it is not there.
        workers: what does them.
        wanted: how many there are with those that had been done before.

    Yields:
        The folder of each as it ends.

    Raises:
        RunError: as `train_many`, when all others have ended.
    """
    failed: list[tuple[Path, str]] = []
    with alone_in(Path(folder)) if tasks else nullcontext():
        for ended in _work(tasks, workers):
            place = tasks[ended.index].place
            if ended.error is not None:
                failed.append((place, ended.error))
                continue
            _write(ended.files, place)
            yield place
    if failed:
        raise RunError(_failures(failed, wanted))


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


def _finished(
    recipe: TrainingRecipe, dataset: Dataset, passes: int, engine: str, place: Path
) -> Run | None:
    if not (place / WEIGHTS).exists():
        return None
    run = Run.load(place)
    held = len(run.records)
    check_same(run, recipe, dataset.name, engine, place)
    if held > passes:
        raise RunError(f"{place} holds a run of more than {passes} passes: use another folder")
    return run if held == passes else None


def _write(files: dict[str, bytes], place: Path) -> None:
    """The files of a run, the network last: with it the run is there."""
    if files:
        make_folder(place)
    for name in sorted(files, key=lambda name: name == WEIGHTS):
        write_atomically(place / name, files[name])


def _work(tasks: Sequence[Task], workers: Workers) -> Iterator[Ended]:
    if workers.address is not None and tasks:
        try:
            from lenet1998.runs.cluster import on_cluster
        except ImportError as error:
            raise RunError(
                f"the backend dask needs Dask ({error}): pip install 'lenet1998[cluster]'"
            ) from error
        load.cache_clear()
        return on_cluster(tasks, workers.jobs, workers.address)
    # One run alone stays in this process: there is nothing to start.
    if len(tasks) < 2:
        return map(carry_out, tasks)
    load.cache_clear()
    return _in_processes(tasks, workers.jobs)


def _in_processes(tasks: Sequence[Task], jobs: int) -> Iterator[Ended]:
    """The tasks in any order; joblib stops all when a process dies, so they are begun again.

    Each goes on after its last whole pass.
    """
    from joblib import Parallel, delayed

    left = {task.index: task for task in tasks}
    losses = 0
    while left:
        processes = Parallel(jobs, "loky", return_as="generator_unordered", batch_size=1)
        call = delayed(carry_out_for)
        try:
            for ended in processes(call(os.getpid(), task) for task in list(left.values())):
                del left[ended.index]
                losses = 0
                yield ended
        except BrokenProcessPool as error:
            losses += 1
            if losses == _LOSSES:
                first = next(iter(left.values())).place.name
                raise RunError(
                    f"worker processes died {losses} times with no run ended in between, perhaps "
                    f"for want of memory: {len(left)} runs are left, {first} first; take fewer at "
                    "once (--jobs)"
                ) from error
