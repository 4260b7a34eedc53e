"""Many runs at once: one process for each core, every run in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from lenet1998.data import Dataset, load_dataset
from lenet1998.learning.recipe import Recipe
from lenet1998.learning.training import STATE, Run, RunError, train


def run_folder(folder: Path, recipe: Recipe) -> Path:
    """Where a study keeps one of its runs."""
    return folder / f"{recipe.name}-seed{recipe.seed}"


def train_many(
    recipes: Sequence[Recipe],
    source: str,
    folder: Path,
    *,
    passes: int = 20,
    engine: str = "fused",
    jobs: int = -1,
    on_run: Callable[[Run], None] | None = None,
) -> list[Run]:
    """Train a network for each recipe, several at once.

    A run that is in its folder already is not repeated, and one that was cut off goes on after its
    last whole pass, so an interrupted study is simply called again.

    Args:
        recipes: their names and seeds tell them apart.
        source: of the data, as `load_dataset` takes it; each process loads it once.
        folder: the runs go to `NAME-seedSEED` in it.
        passes: for each run.
        engine: as for `train`.
        jobs: processes; -1 for one on each core.
        on_run: called with each run as it ends.

    Returns:
        The runs, in the order of the recipes.

    Raises:
        ValueError: if two recipes would share a folder, or as `train`.
        RunError: as `train`: a folder holds another run.
    """
    from joblib import Parallel, delayed

    folders = [run_folder(folder, recipe) for recipe in recipes]
    if len(set(folders)) < len(folders):
        raise ValueError(
            "two recipes of the study have the same name and seed: give each name its own choices"
        )
    # One run alone stays in this process: nothing to start, and its traceback is its own.
    workers = Parallel(
        n_jobs=jobs if len(recipes) > 1 else 1, return_as="generator_unordered", batch_size=1
    )
    for index in workers(
        delayed(_run)(index, recipe, source, place, passes, engine)
        for index, (recipe, place) in enumerate(zip(recipes, folders, strict=True))
    ):
        if on_run is not None:
            on_run(Run.load(folders[index]))
    return [Run.load(place) for place in folders]


def _run(index: int, recipe: Recipe, source: str, folder: Path, passes: int, engine: str) -> int:
    import torch

    torch.set_num_threads(1)  # the cores belong to the other runs
    begun = (folder / STATE).exists()
    if begun and len(Run.load(folder).records) > passes:
        raise RunError(f"{folder} holds a run of more than {passes} passes: use another folder")
    train(recipe, _load(source), passes=passes, engine=engine, folder=folder, resume=begun)
    return index


@cache
def _load(source: str) -> Dataset:
    return load_dataset(source)
