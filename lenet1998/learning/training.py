"""A training run: passes over the data, their log, and a state to go on from after each."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.distortions import distort
from lenet1998.data.disturbances import with_noise
from lenet1998.files import write_atomically
from lenet1998.learning.online import TRAINERS
from lenet1998.learning.recipe import Recipe, initialise
from lenet1998.models.base import ClassicNetwork
from lenet1998.models.variants import VARIANTS

RECIPE, METRICS, STATE = "recipe.json", "metrics.csv", "state.safetensors"
"""What a run writes to its folder as it goes."""

_CHUNK = 2000  # patterns between two reports of progress, about a tenth of a second


class RunError(Exception):
    """A run cannot start or go on. The message is one line: what, where, and what to do."""


@dataclass(frozen=True)
class PassRecord:
    """What one pass showed.

    Attributes:
        number: of the pass, from 1.
        eta: the global rate during it.
        online_training_error_percent: patterns misread when they were seen, before their update,
            as Fig. 5 counts them.
        online_loss: mean loss of the patterns when they were seen.
        test_error_percent: after the pass.
        seconds: since the run's start, of all passes so far, curvature and test included.
        learning_seconds: of this pass, spent on updates alone.
    """

    number: int
    eta: float
    online_training_error_percent: float
    online_loss: float
    test_error_percent: float
    seconds: float
    learning_seconds: float


@dataclass(frozen=True)
class Progress:
    """Where a run stands, a few times a second.

    Attributes:
        pass_number: the pass that it is in, from 1.
        passes: how many in all.
        patterns: seen in this pass so far, of `patterns_in_pass`.
        patterns_in_pass: as many as the recipe learns from.
        online_training_error_percent: of this pass so far.
        patterns_per_second: of this pass so far, updates alone.
        finished: the record of the pass, if it has just ended.
    """

    pass_number: int
    passes: int
    patterns: int
    patterns_in_pass: int
    online_training_error_percent: float
    patterns_per_second: float
    finished: PassRecord | None


@dataclass
class Run:
    """A network in training, and its log."""

    net: ClassicNetwork
    recipe: Recipe
    dataset_name: str
    engine: str
    records: list[PassRecord]

    def save(self, folder: Path) -> None:
        """Write the state and the metrics; each file whole."""
        description = {
            "recipe": self.recipe.to_json(),
            "dataset": self.dataset_name,
            "engine": self.engine,
            "records": json.dumps([asdict(record) for record in self.records]),
        }
        state = save(dict(self.net.state_dict()), metadata=description)
        # The state last: it is what says that the pass is done.
        write_atomically(folder / METRICS, metrics_csv(self.records))
        write_atomically(folder / STATE, state)

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Read the state of a run back.

        Raises:
            RunError: if the folder holds none, or it is damaged.
        """
        file = folder / STATE
        if not file.is_file():
            raise RunError(f"{folder} holds no run to go on with: {STATE} is not there")
        try:
            with safe_open(file, framework="pt") as state:
                description = state.metadata()
                recipe = Recipe.from_json(description["recipe"])
                net = VARIANTS[recipe.variant]()
                net.load_state_dict({name: state.get_tensor(name) for name in state.keys()})  # noqa: SIM118
            return cls(
                net=net,
                recipe=recipe,
                dataset_name=description["dataset"],
                engine=description["engine"],
                records=[PassRecord(**record) for record in json.loads(description["records"])],
            )
        except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise RunError(
                f"{file} is damaged ({reason}): delete it to start the run again"
            ) from error


def metrics_csv(records: list[PassRecord]) -> str:
    """The log as CSV, a row for each pass."""
    text = io.StringIO()
    columns = [field.name for field in fields(PassRecord)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["pass", *columns[1:]])
    for record in records:
        writer.writerow([round(value, 6) for value in asdict(record).values()])
    return text.getvalue()


def train(
    recipe: Recipe,
    dataset: Dataset,
    *,
    passes: int = 20,
    engine: str = "fused",
    folder: Path | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Train a network as in section III.B.

    The same recipe, data and engine give the same bits on the same machine, in one go or resumed.

    Args:
        recipe: every choice.
        dataset: what to learn, and what to test on after each pass.
        passes: how many in all, each over as many patterns as the training set holds, or as the
            recipe takes of it.
        engine: `"fused"` (compiled) or `"torch"` (the reference, some 40 times slower).
        folder: where the recipe, the metrics and, after each pass, the state go; none are written
            without it.
        resume: go on from the folder's state.
        on_progress: called a few times a second.

    Raises:
        RunError: if the folder holds a run already and `resume` is not set, or it is one of another
            recipe, data set or engine.
        ValueError: for an unknown engine, fewer than one pass, or images that no network can take.
    """
    if engine not in TRAINERS:
        raise ValueError(f"expected the engine {' or '.join(map(repr, TRAINERS))}, got {engine!r}")
    if passes < 1:
        raise ValueError(f"expected at least 1 pass, got {passes}")
    run = _start(recipe, dataset, engine, folder, resume)
    trainer = TRAINERS[engine](run.net, recipe)
    patterns = _Patterns(recipe, dataset)
    before = run.records[-1].seconds if run.records else 0.0
    started = time.perf_counter()
    for number in range(len(run.records) + 1, passes + 1):
        images, labels, order = patterns.of_pass(number)
        sample = order[_generator(recipe.seed, _SAMPLE, number).permutation(len(order))]
        trainer.set_curvature(
            trainer.estimate_curvature(images[sample[: recipe.curvature_patterns]])
        )
        errors, energy, seen = 0, 0.0, 0
        learning = 0.0
        for chunk in order.split(_CHUNK):
            chunk_started = time.perf_counter()
            result = trainer.learn(images, labels, chunk, recipe.eta(number))
            learning += time.perf_counter() - chunk_started
            errors += result.errors(labels[chunk])
            energy += result.energies.double().sum().item()
            seen += len(chunk)
            if on_progress is not None and seen < len(order):
                on_progress(
                    Progress(
                        number, passes, seen, len(order), 100 * errors / seen, seen / learning, None
                    )
                )
        answers = trainer.read(dataset.test_images).argmin(1)
        record = PassRecord(
            number=number,
            eta=recipe.eta(number),
            online_training_error_percent=100 * errors / seen,
            online_loss=energy / seen,
            test_error_percent=100 * (answers != dataset.test_labels).double().mean().item(),
            seconds=before + time.perf_counter() - started,
            learning_seconds=learning,
        )
        run.records.append(record)
        if folder is not None:
            run.save(folder)
        if on_progress is not None:
            error = record.online_training_error_percent
            on_progress(Progress(number, passes, seen, seen, error, seen / learning, record))
    return run


def check_same(run: Run, recipe: Recipe, dataset_name: str, engine: str, folder: Path) -> None:
    """See that a folder's run is the one that is asked for.

    Raises:
        RunError: if it is not, saying what differs.
    """
    for what, there, asked in (
        *(
            (f"recipe, whose {one.name}", getattr(run.recipe, one.name), getattr(recipe, one.name))
            for one in fields(Recipe)
        ),
        ("data set, which", run.dataset_name, dataset_name),
        ("engine, which", run.engine, engine),
    ):
        if there != asked:
            raise RunError(
                f"{folder} holds a run of another {what} is {there!r}, not {asked!r}: ask for "
                "the same to go on with it, or write to another folder (--output)"
            )


def _start(recipe: Recipe, dataset: Dataset, engine: str, folder: Path | None, resume: bool) -> Run:
    if folder is not None and (folder / STATE).exists():
        if not resume:
            raise RunError(
                f"{folder} holds a run already: go on with it (--resume), or write to another "
                "folder (--output)"
            )
        run = Run.load(folder)
        check_same(run, recipe, dataset.name, engine, folder)
        return run
    net = VARIANTS[recipe.variant]()
    initialise(net, recipe)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / RECIPE, recipe.to_json())
    return Run(net, recipe, dataset.name, engine, [])


_ORDER, _SAMPLE, _DISTORTION, _NOISE, _PART = range(5)


def _generator(seed: int, purpose: int, number: int = 0) -> np.random.Generator:
    # One generator for each purpose and pass, so that a resumed run needs no generator's state.
    return np.random.default_rng((seed, purpose, number))


class _Patterns:
    """The patterns of each pass, in order: the originals, and distorted copies where asked for.

    One order runs over originals and copies together, and each pass takes the next part of it, as
    long as the training set. So with nine copies each pattern is seen twice in 20 passes.
    """

    def __init__(self, recipe: Recipe, dataset: Dataset) -> None:
        self._recipe = recipe
        self._images = dataset.training_images
        self._labels = dataset.training_labels
        if recipe.training_patterns is not None:
            there = len(self._labels)
            if recipe.training_patterns > there:
                raise ValueError(
                    f"the recipe learns from {recipe.training_patterns} patterns, but the training "
                    f"set of {dataset.name} has {there}"
                )
            chosen = _generator(recipe.seed, _PART).permutation(there)[: recipe.training_patterns]
            self._images, self._labels = self._images[chosen], self._labels[chosen]
        self._parts = 1 + recipe.distorted_copies
        if not recipe.fresh:
            self._distortions = self._drawn(recipe.distorted_copies * len(self._labels))

    def _drawn(self, count: int, number: int = 0) -> Tensor:
        seed = int(_generator(self._recipe.seed, _DISTORTION, number).integers(2**62))
        return self._recipe.distortions.draw(count, seed)

    def of_pass(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Images, labels, and the order in which this pass goes through them."""
        originals = len(self._labels)
        sweep, part = divmod(number - 1, self._parts)
        shuffle = sweep if self._recipe.order == "reshuffled" else 0
        order = _generator(self._recipe.seed, _ORDER, shuffle).permutation(self._parts * originals)[
            part * originals : (part + 1) * originals
        ]
        chosen = torch.from_numpy(order)
        if self._parts == 1 and not self._recipe.inverted_pixels:
            return self._images, self._labels, chosen
        source = chosen % originals
        images = self._images[source]
        distorted = (chosen >= originals).nonzero().squeeze(1)
        if len(distorted):
            distortions = (
                self._drawn(len(distorted), number)
                if self._recipe.fresh
                else self._distortions[chosen[distorted] - originals]
            )
            interpolation = self._recipe.distortions.interpolation
            images[distorted] = distort(images[distorted], distortions, interpolation)
        if self._recipe.inverted_pixels:
            seed = int(_generator(self._recipe.seed, _NOISE, number).integers(2**62))
            images = with_noise(images, self._recipe.inverted_pixels, seed)
        return images, self._labels[source], torch.arange(originals)
