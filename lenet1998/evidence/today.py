"""LeNet-5 of 1998 beside its modern form and the tutorials' networks, on the same digits."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import resources
from pathlib import Path
from timeit import timeit
from typing import Any, Self

import msgspec
import torch
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.disturbances import DISTURBANCES
from lenet1998.learning.presets import from_values
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.answers import evaluate, scores, wilson_interval
from lenet1998.measures.certainty import Calibration, Rejection, calibrate, rejection
from lenet1998.measures.counting import count_layers, total
from lenet1998.measures.spread import Spread
from lenet1998.models import saved
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.network import Network
from lenet1998.runs.run import Run, RunError, learner_for

STRENGTHS: Mapping[str, tuple[float, ...]] = {
    "noise": (0.0, 0.05, 0.1, 0.2, 0.3),
    "shift": (0.0, 1.0, 2.0, 3.0, 4.0, 6.0),
    "rotation": (0.0, 10.0, 20.0, 30.0, 40.0),
}
"""How far digits are disturbed, by the kind of the disturbance."""

_TIMED_DIGITS, _TIMED_ROUNDS, _TIMED_PATTERNS = 1000, 3, 2000


@dataclass(frozen=True)
class SeedErrors:
    """The test errors of one network's seeds, each after its last pass."""

    dataset: str  # what they were trained and tested on
    passes: int  # through the training set
    seeds: tuple[int, ...]  # one for each run
    test_error_percent: tuple[float, ...]  # one for each seed

    @property
    def spread(self) -> Spread:
        return Spread(self.test_error_percent)

    @property
    def median_seed(self) -> int:
        """The seed of median error; the better of the two in the middle for an even number."""
        ranked = sorted(zip(self.test_error_percent, self.seeds, strict=True))
        return ranked[(len(ranked) - 1) // 2][1]

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Self:
        """Of the runs of one recipe; a RunError if they differ in data or passes."""
        kinds = {(run.dataset_name, len(run.records)) for run in runs}
        if len(kinds) != 1:
            raise RunError(f"expected runs on one data set with as many passes, got {kinds}")
        seeds = tuple(run.recipe.seed for run in runs)
        errors = (round(run.records[-1].test_error_percent, 4) for run in runs)
        return cls(*kinds.pop(), seeds, tuple(errors))


def packaged_errors() -> dict[str, SeedErrors]:
    """The errors of all seeds from which the packaged networks come, by network."""
    text = (resources.files("lenet1998") / "evidence" / "seeds.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, SeedErrors])


@dataclass(frozen=True, eq=False)
class Contender:
    """A trained network and where it comes from."""

    name: str  # put on the tables
    run: Run
    seeds: SeedErrors | None = None  # of all seeds of its kind; None where they are not known

    @classmethod
    def saved(cls, source: str | Path) -> Self:
        """A saved network, as `lenet1998.load` takes it.

        Raises:
            WeightsError: as `load`, or if no run of this library trained it.
        """
        net, origin, _ = saved.read(saved.find(source))
        if origin.recipe is None or origin.dataset is None:
            raise saved.WeightsError(f"{source} does not say by which recipe it was trained")
        run = Run(net, from_values(origin.recipe), origin.dataset, origin.engine or "", [])
        return cls(str(source), run, packaged_errors().get(str(source)))

    @classmethod
    def median(cls, name: str, runs: Sequence[Run]) -> Self:
        """Of the runs of one recipe, that of median error."""
        errors = SeedErrors.of(runs)
        run = next(run for run in runs if run.recipe.seed == errors.median_seed)
        return cls(name, run, errors)


@dataclass(frozen=True)
class Measures:
    """One network measured."""

    name: str  # of the contender, and of its class
    network: str
    seed: int  # of the network that the figures below are of
    trained_on: str  # name of its data set
    seeds: SeedErrors | None  # of all seeds; None where they are not known for this data set
    test_error_percent: float  # of all test digits
    interval_percent: tuple[float, float]  # its 95 % interval, from the number of digits alone
    misread: tuple[int, ...]  # indices of the test digits misread
    misread_alone: int  # how many of those no other network misreads
    trainable: int  # as `counting` counts them
    fixed: int
    connections: int
    multiply_adds: int
    microseconds_per_digit: float  # of PyTorch's layers, one thread, batches of 1,000
    fused_microseconds_per_digit: float | None  # of the fused kernels; None where there are none
    seconds_per_pass: float  # of learning on one thread, from a pass over part of the training set
    robustness: dict[str, tuple[float, ...]]  # error in percent for each of `STRENGTHS`
    rejection: Rejection  # of all test digits
    calibration: Calibration


@dataclass(frozen=True)
class MisreadByAll:
    """A test digit that every network misreads."""

    index: int  # in the test set
    label: int  # the right digit
    answers: tuple[int, ...]  # of the networks, in their order


@dataclass(frozen=True)
class Comparison:
    """Networks measured on the same digits."""

    dataset: str  # what they read
    digits: int  # of its test set, all of them
    disturbed_digits: int  # how many, evenly taken, were disturbed for the robustness
    disturbances: dict[str, tuple[float, ...]]  # how far, as in `STRENGTHS`
    networks: tuple[Measures, ...]  # one for each contender
    shared: tuple[tuple[int, ...], ...]  # test digits that network i and network j both misread
    misread_by_all: tuple[MisreadByAll, ...]
    seconds: float  # that the measuring took

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; the seeds come with their mean and standard deviation."""
        values = asdict(self)
        for seeds in filter(None, (network["seeds"] for network in values["networks"])):
            spread = Spread(seeds["test_error_percent"])
            seeds.update(mean=round(spread.mean, 4), standard_deviation=spread.deviation)
        return values


def compare(
    contenders: Sequence[Contender],
    dataset: Dataset,
    *,
    disturbed_digits: int = 2000,
    report: Callable[[str], None] = print,
) -> Comparison:
    """Measure networks on the same test digits, on the CPU.

    Times are taken with one thread, all networks in turn, and the best of three rounds counts. The
    robustness is measured on `disturbed_digits` of the test digits at most, evenly taken from all.
    `report` is called with a line before each network.

    Raises:
        ValueError: for no contender, or two of one name.
    """
    names = [contender.name for contender in contenders]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"expected networks of different names, at least one, got {names}")
    started = time.perf_counter()
    images, labels = dataset.test_images, dataset.test_labels
    step = -(-len(labels) // disturbed_digits)
    disturbed = images[::step].contiguous(), labels[::step]
    times = _times([contender.run.net for contender in contenders], images)
    outputs = [scores(contender.run.net, images).double() for contender in contenders]
    answers = [of_net.argmax(1) for of_net in outputs]
    wrong = [set((of_net != labels).nonzero().flatten().tolist()) for of_net in answers]
    readers = Counter(index for indices in wrong for index in indices)
    networks = []
    for place, contender in enumerate(contenders):
        report(f"measuring {contender.name}")
        run, seeds = contender.run, contender.seeds
        indices, right = wrong[place], answers[place] == labels
        networks.append(
            Measures(
                name=contender.name,
                network=type(run.net).__name__,
                seed=run.recipe.seed,
                trained_on=run.dataset_name,
                seeds=seeds if seeds is not None and seeds.dataset == dataset.name else None,
                test_error_percent=100 * len(indices) / len(labels),
                interval_percent=wilson_interval(len(indices), len(labels)),
                misread=tuple(sorted(indices)),
                misread_alone=sum(readers[index] == 1 for index in indices),
                **vars(total(count_layers(run.net, field=images.shape[-1]))),
                microseconds_per_digit=times[place][0],
                fused_microseconds_per_digit=times[place][1],
                seconds_per_pass=_seconds_per_pass(run, dataset),
                robustness=_robustness(run.net, *disturbed),
                rejection=rejection(outputs[place], right),
                calibration=calibrate(outputs[place], right),
            )
        )
    return Comparison(
        dataset=dataset.name,
        digits=len(labels),
        disturbed_digits=len(disturbed[1]),
        disturbances=dict(STRENGTHS),
        networks=tuple(networks),
        shared=tuple(tuple(len(first & second) for second in wrong) for first in wrong),
        misread_by_all=tuple(
            MisreadByAll(index, int(labels[index]), tuple(int(of_net[index]) for of_net in answers))
            for index in sorted(set.intersection(*wrong))
        ),
        seconds=round(time.perf_counter() - started, 1),
    )


def _robustness(net: Network, images: Tensor, labels: Tensor) -> dict[str, tuple[float, ...]]:
    def error_percent(kind: str, strength: float) -> float:
        disturbed = DISTURBANCES[kind].apply(images, strength)
        return evaluate(net, disturbed, labels, kind).error_percent

    return {
        kind: tuple(error_percent(kind, strength) for strength in strengths)
        for kind, strengths in STRENGTHS.items()
    }


def _times(nets: Sequence[Network], images: Tensor) -> list[tuple[float, float | None]]:
    """Microseconds per digit of each network's own layers, and of the fused kernels."""
    from lenet1998.kernels.packed import FusedReader

    batch = images[:_TIMED_DIGITS]
    own = [partial(net.eval(), batch) for net in nets]
    fused = {
        place: partial(FusedReader(net).penalties, batch)
        for place, net in enumerate(nets)
        if isinstance(net, ChainNetwork)
    }
    ways = (*own, *fused.values())
    with _one_thread(), torch.no_grad():
        taken = [[timeit(read, number=1) for read in ways] for _ in range(1 + _TIMED_ROUNDS)]
    # The first warms up.
    best = [min(of_way) / len(batch) * 1e6 for of_way in zip(*taken[1:], strict=True)]
    of_fused = dict(zip(fused, best[len(own) :], strict=True))
    return [(best[place], of_fused.get(place)) for place in range(len(own))]


def _seconds_per_pass(run: Run, dataset: Dataset) -> float:
    """Of learning with the run's recipe, from a pass over the first training digits."""
    part, recipe = dataset.first(_TIMED_PATTERNS, 1), run.recipe.lasting(2)
    if isinstance(recipe, Recipe):
        recipe = replace(recipe, training_patterns=None)
    again = Run(copy.deepcopy(run.net), recipe, part.name, recipe.ENGINES[0], [])
    with _one_thread():
        learner = learner_for(again, part)
        # The first warms up.
        taken = [sum(part.seconds for part in learner.learn(number)) for number in (1, 2)]
    return min(taken) * len(dataset.training_labels) / learner.patterns


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
