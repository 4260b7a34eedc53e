"""Several seeds of each network that `lenet1998 compare` compares: train, keep, package."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeAlias

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from lenet1998.data import load_dataset
from lenet1998.data.distortions import Distortions
from lenet1998.files import write_atomically
from lenet1998.learning.minibatch import (
    MODERN_RECIPE,
    EpochRecord,
    MinibatchRecipe,
    as_published,
    build,
    train,
)
from lenet1998.learning.recipe import preset
from lenet1998.learning.study import check_backend, train_many
from lenet1998.learning.training import STATE, Run, RunError
from lenet1998.models import registry
from lenet1998.models.modern import LeNet5Modern
from lenet1998.models.tutorials import TUTORIALS, ResizedInputNet

CLASSIC, MODERN = "lenet5-classic", "lenet5-modern"

MINIBATCH: Mapping[str, tuple[type[nn.Module], MinibatchRecipe]] = {
    MODERN: (LeNet5Modern, MODERN_RECIPE),
    **{name: (network, as_published(network.PUBLISHED)) for name, network in TUTORIALS.items()},
    "tutorial-resized-input-unflipped": (
        ResizedInputNet,
        replace(as_published(ResizedInputNet.PUBLISHED), flips=False),
    ),
}
"""The networks that are trained by mini-batches, each with its recipe; the tutorial's that mirrors
its training digits also without that, to see what the mirroring costs."""

COMPARED = (CLASSIC, *MINIBATCH)
"""What `lenet1998 compare` compares."""

_RESULTS = "comparison.json"


@dataclass
class MinibatchRun:
    """A network that a mini-batch recipe has trained, and its log."""

    name: str
    net: nn.Module
    recipe: MinibatchRecipe
    seed: int
    dataset_name: str
    records: list[EpochRecord]

    def save(self, folder: Path) -> None:
        """Write `NAME-seedSEED.safetensors`, then the `.json` that marks the run as finished."""
        file = folder / f"{self.name}-seed{self.seed}.json"
        facts = {
            "name": self.name,
            "seed": self.seed,
            "dataset": self.dataset_name,
            "recipe": asdict(self.recipe),
            "records": [asdict(record) for record in self.records],
        }
        tensors = {name: tensor.contiguous() for name, tensor in self.net.state_dict().items()}
        write_atomically(file.with_suffix(".safetensors"), save(tensors))
        write_atomically(file, json.dumps(facts) + "\n")

    @classmethod
    def load(cls, folder: Path, name: str, seed: int) -> MinibatchRun:
        """Read what `save` wrote, the network in evaluation mode.

        Raises:
            RunError: if a file is absent or damaged.
        """
        file = folder / f"{name}-seed{seed}.json"
        try:
            facts = json.loads(file.read_text())
            net = build(MINIBATCH[name][0], seed).eval()
            net.load_state_dict(load_file(file.with_suffix(".safetensors")))
            return cls(
                name=name,
                net=net,
                recipe=minibatch_recipe(facts["recipe"]),
                seed=facts["seed"],
                dataset_name=facts["dataset"],
                records=[EpochRecord(**record) for record in facts["records"]],
            )
        except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise RunError(
                f"{file} and its .safetensors hold no finished run ({reason}): delete them to "
                "train it again"
            ) from error


TrainedRun: TypeAlias = Run | MinibatchRun


@dataclass(frozen=True)
class SeedErrors:
    """The test errors of one network's seeds, each after its last pass.

    Attributes:
        dataset: what they were trained and tested on.
        passes: through the training set.
        seeds: one for each run.
        test_error_percent: one for each seed.
    """

    dataset: str
    passes: int
    seeds: tuple[int, ...]
    test_error_percent: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean error in percent."""
        return fmean(self.test_error_percent)

    @property
    def deviation(self) -> float | None:
        """Standard deviation between the seeds, in points; None for one seed."""
        return stdev(self.test_error_percent) if len(self.seeds) > 1 else None

    @property
    def median_seed(self) -> int:
        """The seed of median error; the better of the two in the middle for an even number."""
        ranked = sorted(zip(self.test_error_percent, self.seeds, strict=True))
        return ranked[(len(ranked) - 1) // 2][1]

    @classmethod
    def of(cls, runs: Sequence[TrainedRun]) -> SeedErrors:
        """Of the runs of one network.

        Raises:
            RunError: if they differ in data or passes.
        """
        kinds = {(run.dataset_name, run.records[-1].number) for run in runs}
        if len(kinds) != 1:
            raise RunError(f"expected runs on one data set with as many passes, got {kinds}")
        dataset, passes = kinds.pop()
        return cls(
            dataset=dataset,
            passes=passes,
            seeds=tuple(seed_of(run) for run in runs),
            test_error_percent=tuple(round(run.records[-1].test_error_percent, 4) for run in runs),
        )


def seed_of(run: TrainedRun) -> int:
    """The seed of a run of either kind."""
    return run.seed if isinstance(run, MinibatchRun) else run.recipe.seed


def median_run(runs: Sequence[TrainedRun]) -> TrainedRun:
    """The run of median test error (`SeedErrors.median_seed`)."""
    median = SeedErrors.of(runs).median_seed
    return next(run for run in runs if seed_of(run) == median)


def minibatch_recipe(values: Mapping[str, Any]) -> MinibatchRecipe:
    """A recipe from what `dataclasses.asdict` made of it, also by way of JSON."""
    read = {name: value for name, value in values.items() if name != "name"}
    if read["distortions"] is not None:
        ranges = dict(read["distortions"])
        ranges["inverse_scale"] = tuple(ranges["inverse_scale"])
        read["distortions"] = Distortions(**ranges)
    return MinibatchRecipe(**read)


def train_seeds(
    names: Sequence[str],
    seeds: Sequence[int],
    source: str,
    folder: Path,
    *,
    jobs: int = -1,
    report: Callable[[str], None] = print,
) -> dict[str, list[TrainedRun]]:
    """Train networks with their recipes, several at once; finished runs are not repeated.

    Args:
        names: of `COMPARED`.
        seeds: of each network.
        source: of the data, as `load_dataset` takes it.
        folder: for the runs: `paper-seedSEED/` of the classic network (as a study's), and two files
            `NAME-seedSEED` of each other one.
        jobs: processes; -1 for one on each core.
        report: called with a line for each run that ends.

    Returns:
        The runs by network, in the order of the seeds.

    Raises:
        ValueError: for an unknown name, or a number of jobs that cannot be.
        RunError: if the folder holds runs of other recipes or data, or damaged ones.
    """
    from joblib import Parallel, delayed

    _check(names)
    check_backend("loky", None, jobs)
    folder.mkdir(parents=True, exist_ok=True)

    def tell(name: str, run: TrainedRun) -> None:
        report(f"{name}, seed {seed_of(run)}: {run.records[-1].test_error_percent:.2f} %")

    if CLASSIC in names:
        recipes = [preset("paper", seed=seed) for seed in seeds]
        train_many(recipes, source, folder, jobs=jobs, on_run=lambda run: tell(CLASSIC, run))
    tasks = [(name, seed) for name in names if name in MINIBATCH for seed in seeds]
    # One run alone stays in this process: nothing to start, and its traceback is its own.
    workers = Parallel(
        n_jobs=jobs if len(tasks) > 1 else 1, return_as="generator_unordered", batch_size=1
    )
    for name, seed in workers(delayed(_train)(name, seed, source, folder) for name, seed in tasks):
        tell(name, MinibatchRun.load(folder, name, seed))
    found = finished_runs(folder, names)
    return {name: [run for run in found[name] if seed_of(run) in seeds] for name in names}


def _train(name: str, seed: int, source: str, folder: Path) -> tuple[str, int]:
    import torch

    torch.set_num_threads(1)  # the cores belong to the other runs
    network, recipe = MINIBATCH[name]
    dataset = load_dataset(source)
    if (folder / f"{name}-seed{seed}.json").exists():
        run = MinibatchRun.load(folder, name, seed)
        if (run.recipe, run.dataset_name) != (recipe, dataset.name):
            raise RunError(
                f"{folder} holds a {name}, seed {seed}, of another recipe or data set: write to "
                "another folder (--output)"
            )
        return name, seed
    net = build(network, seed)
    records = train(net, dataset, recipe, seed=seed)
    MinibatchRun(name, net, recipe, seed, dataset.name, records).save(folder)
    return name, seed


def finished_runs(folder: Path, names: Sequence[str] = COMPARED) -> dict[str, list[TrainedRun]]:
    """The runs that a folder of `train_seeds` holds, by network, in the order of their seeds.

    Networks without a finished run are left out, and so are classic runs that were cut off.

    Raises:
        RunError: for a damaged run.
    """
    found: dict[str, list[TrainedRun]] = {}
    for name in _check(names):
        runs: list[TrainedRun] = []
        if name == CLASSIC:
            classic = [Run.load(state.parent) for state in folder.glob(f"paper-seed*/{STATE}")]
            longest = max((len(run.records) for run in classic), default=0)
            runs += [run for run in classic if len(run.records) == longest]
        else:
            files = folder.glob(f"{name}-seed*.json")
            runs += [
                MinibatchRun.load(folder, name, int(file.stem.rpartition("-seed")[2]))
                for file in files
            ]
        if runs:
            found[name] = sorted(runs, key=seed_of)
    return found


def package(folder: Path, names: Sequence[str] = COMPARED, into: Path | None = None) -> None:
    """Put the finished runs of a folder into the package.

    Of each network the run of median test error, and the errors of all seeds of all networks. The
    test set chooses nothing but this median.

    Args:
        folder: of `train_seeds`.
        names: whose weights are written; the errors are those of all networks in any case.
        into: another folder than the package's own, with `weights` and `evidence` in it.

    Raises:
        RunError: as `finished_runs`, or if a network has none.
    """
    found = finished_runs(folder)
    root = into or Path(str(resources.files("lenet1998")))
    for name in _check(names):
        if name not in found:
            raise RunError(f"{folder} holds no finished run of {name}")
        run = median_run(found[name])
        count = len(found[name])
        choice = f"of {count} seeds that of median test error" if count > 1 else "one seed"
        if isinstance(run, Run):
            registry.add(name, run, f"LeNet-5 as published; {choice}", root / "weights")
            continue
        last = run.records[-1]
        registry.add_network(
            name,
            run.net,
            f"{(type(run.net).__doc__ or name).splitlines()[0].rstrip('.')}; {choice}",
            dataset=run.dataset_name,
            recipe={"name": "minibatch", **asdict(run.recipe)},
            seed=run.seed,
            passes=last.number,
            test_error_percent=last.test_error_percent,
            training_error_percent=last.online_training_error_percent,
            folder=root / "weights",
        )
    results = {
        "note": "Test errors after the last pass. The test set chose nothing but the packaged "
        "network of each kind: the seed of median error.",
        "networks": {name: asdict(SeedErrors.of(runs)) for name, runs in found.items()},
    }
    write_atomically(root / "evidence" / _RESULTS, json.dumps(results, indent=2) + "\n")


def packaged_errors() -> dict[str, SeedErrors]:
    """The errors of all seeds from which the packaged networks come, by network."""
    text = (resources.files("lenet1998") / "evidence" / _RESULTS).read_text()
    return {
        name: SeedErrors(
            **{
                **values,
                "seeds": tuple(values["seeds"]),
                "test_error_percent": tuple(values["test_error_percent"]),
            }
        )
        for name, values in json.loads(text)["networks"].items()
    }


def _check(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in COMPARED:
            raise ValueError(f"no network {name!r} to train: expected one of {', '.join(COMPARED)}")
    return names
