"""LeNet-5 of 1998, the same plan today, and the tutorials' networks, side by side."""

from __future__ import annotations

import copy
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn

from lenet1998.certainty import Calibration, Rejection, calibrate, rejection
from lenet1998.counting import summary
from lenet1998.data import Dataset
from lenet1998.data.disturbances import rotated, shifted, with_noise
from lenet1998.evaluation import scores, wilson_interval
from lenet1998.learning.minibatch import MinibatchRecipe
from lenet1998.learning.minibatch import train as train_minibatch
from lenet1998.learning.online import TRAINERS
from lenet1998.learning.recipe import Recipe
from lenet1998.learning.seeds import (
    COMPARED,
    SeedErrors,
    TrainedRun,
    median_run,
    minibatch_recipe,
    packaged_errors,
    seed_of,
)
from lenet1998.models import registry
from lenet1998.models.base import ClassicNetwork
from lenet1998.models.classic import LeNet5Classic

DISTURBANCES: dict[str, tuple[float, ...]] = {
    "noise": (0.0, 0.05, 0.1, 0.2, 0.3),
    "shift": (0, 1, 2, 3, 4, 6),
    "rotation": (0, 10, 20, 30, 40),
}
"""Share of the pixels inverted; pixels moved by; degrees turned by."""

_DISTURB: dict[str, Callable[[Tensor, float], Tensor]] = {
    "noise": with_noise,
    "shift": lambda images, pixels: shifted(images, int(pixels)),
    "rotation": rotated,
}

_TIMED_DIGITS = 1000
_TIMED_ROUNDS = 3
_TIMED_PATTERNS = 2000


@dataclass(frozen=True, eq=False)
class Contender:
    """A trained network and where it comes from.

    Attributes:
        name: put on the tables.
        net: reads `(N, 1, 32, 32)`.
        recipe: of its training.
        seed: of its training.
        trained_on: name of the data set.
        seeds: the errors of all seeds of its kind; None where they are not known.

    Raises:
        ValueError: for a recipe that is not the network's kind.
    """

    name: str
    net: nn.Module
    recipe: Recipe | MinibatchRecipe
    seed: int
    trained_on: str
    seeds: SeedErrors | None = None

    def __post_init__(self) -> None:
        if isinstance(self.net, LeNet5Classic) != isinstance(self.recipe, Recipe):
            raise ValueError(
                f"{self.name}: expected a LeNet5Classic with a Recipe or another network with a "
                f"MinibatchRecipe, got {type(self.net).__name__} and {type(self.recipe).__name__}"
            )


@dataclass(frozen=True)
class Measures:
    """One network measured.

    Attributes:
        name, network: of the contender, and of its class.
        seed: of the network that the figures below are of.
        trained_on: name of its data set.
        seeds: the errors of all seeds; None where they are not known for this data set.
        test_error_percent: of all test digits.
        interval_percent: its 95 % interval, from the number of digits alone.
        misread: indices of the test digits misread.
        misread_alone: how many of those no other network misreads.
        trainable, fixed, connections, multiply_adds: as `counting` counts them.
        microseconds_per_digit: of PyTorch's layers, one thread, batches of 1,000.
        fused_microseconds_per_digit: of the fused kernels, likewise; None where there are none.
        seconds_per_pass: of learning on one thread, from a pass over part of the training set.
        robustness: error in percent for each of `DISTURBANCES`, of the first test digits.
        rejection: of all test digits.
        calibration: of all test digits.
    """

    name: str
    network: str
    seed: int
    trained_on: str
    seeds: SeedErrors | None
    test_error_percent: float
    interval_percent: tuple[float, float]
    misread: tuple[int, ...]
    misread_alone: int
    trainable: int
    fixed: int
    connections: int
    multiply_adds: int
    microseconds_per_digit: float
    fused_microseconds_per_digit: float | None
    seconds_per_pass: float
    robustness: dict[str, tuple[float, ...]]
    rejection: Rejection
    calibration: Calibration


@dataclass(frozen=True)
class Misreading:
    """A test digit that every network misreads.

    Attributes:
        index: in the test set.
        label: the right digit.
        answers: of the networks, in their order.
    """

    index: int
    label: int
    answers: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """Networks measured on the same digits.

    Attributes:
        dataset: what they read.
        digits: of its test set, all of them.
        disturbed_digits: how many of the first were disturbed for the robustness.
        disturbances: how far, as in `DISTURBANCES`.
        networks: one for each contender.
        shared: test digits that network i and network j both misread.
        misread_by_all: those that all misread.
        seconds: that the measuring took.
    """

    dataset: str
    digits: int
    disturbed_digits: int
    disturbances: dict[str, tuple[float, ...]]
    networks: tuple[Measures, ...]
    shared: tuple[tuple[int, ...], ...]
    misread_by_all: tuple[Misreading, ...]
    seconds: float

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON; the seeds come with their mean and standard deviation."""
        values = asdict(self)
        for network, measures in zip(values["networks"], self.networks, strict=True):
            if measures.seeds is not None:
                network["seeds"] |= {
                    "mean": round(measures.seeds.mean, 4),
                    "standard_deviation": measures.seeds.deviation,
                }
        return values


def packaged(names: Sequence[str] = COMPARED) -> list[Contender]:
    """The trained networks that come with the package.

    Raises:
        ValueError: for an unknown name.
        WeightsError: for a damaged file.
    """
    nets = {name: registry.load(name) for name in names}
    cards, errors = registry.cards(), packaged_errors()
    contenders = []
    for name, net in nets.items():
        card = cards[name]
        recipe = (
            Recipe.from_json(json.dumps(card.recipe))
            if isinstance(net, ClassicNetwork)
            else minibatch_recipe(card.recipe)
        )
        contenders.append(Contender(name, net, recipe, card.seed, card.dataset, errors.get(name)))
    return contenders


def of_runs(runs: dict[str, list[TrainedRun]]) -> list[Contender]:
    """The run of median error of each network, from `seeds.train_seeds`."""
    contenders = []
    for name, of_network in runs.items():
        run, errors = median_run(of_network), SeedErrors.of(of_network)
        contenders.append(
            Contender(name, run.net.eval(), run.recipe, seed_of(run), run.dataset_name, errors)
        )
    return contenders


def compare(
    contenders: Sequence[Contender],
    dataset: Dataset,
    *,
    disturbed_digits: int = 2000,
    report: Callable[[str], None] | None = None,
) -> Comparison:
    """Measure networks on the same test digits, on the CPU.

    Times are taken with one thread, all networks in turn, and the best of three rounds counts.

    Args:
        contenders: at least one; their names differ.
        dataset: whose test digits are read; a part of its training digits times the learning.
        disturbed_digits: how many of the first test digits the robustness is measured on.
        report: called with a line before each network.

    Raises:
        ValueError: for no contender, or two of one name.
    """
    names = [contender.name for contender in contenders]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"expected networks of different names, at least one, got {names}")
    started = time.perf_counter()
    images, labels = dataset.test_images, dataset.test_labels
    disturbed_digits = min(disturbed_digits, len(labels))
    times = _times([contender.net for contender in contenders], images)
    networks, answers = [], []
    for contender, (eager, fused) in zip(contenders, times, strict=True):
        if report is not None:
            report(f"measuring {contender.name}")
        logits = _logits(contender, images)
        answers.append(logits.argmax(1))
        networks.append(_measure(contender, dataset, logits, disturbed_digits, eager, fused))
    misread = [set(measures.misread) for measures in networks]
    readers = Counter(index for indices in misread for index in indices)
    return Comparison(
        dataset=dataset.name,
        digits=len(labels),
        disturbed_digits=disturbed_digits,
        disturbances=DISTURBANCES,
        networks=tuple(
            replace(measures, misread_alone=sum(readers[index] == 1 for index in indices))
            for measures, indices in zip(networks, misread, strict=True)
        ),
        shared=tuple(tuple(len(one & other) for other in misread) for one in misread),
        misread_by_all=tuple(
            Misreading(index, int(labels[index]), tuple(int(of_net[index]) for of_net in answers))
            for index in sorted(set.intersection(*misread))
        ),
        seconds=round(time.perf_counter() - started, 1),
    )


def _logits(contender: Contender, images: Tensor) -> Tensor:
    """`(N, 10)` float64 whose softmax is the network's probability of each digit.

    Of a network of 1998 they are eq. 9's: the penalties as its recipe scales them, negative. The
    rubbish class is left out, since all that is read here is digits.
    """
    outputs = scores(contender.net, images).double()
    if isinstance(contender.recipe, Recipe):
        return -contender.recipe.penalty_scale * outputs
    return outputs


def _measure(
    contender: Contender,
    dataset: Dataset,
    logits: Tensor,
    disturbed_digits: int,
    microseconds: float,
    fused_microseconds: float | None,
) -> Measures:
    wrong = logits.argmax(1) != dataset.test_labels
    misread = tuple(wrong.nonzero().flatten().tolist())
    total = summary(contender.net, field=dataset.test_images.shape[-1]).total.count
    few, few_labels = dataset.test_images[:disturbed_digits], dataset.test_labels[:disturbed_digits]
    seeds = contender.seeds
    return Measures(
        name=contender.name,
        network=type(contender.net).__name__,
        seed=contender.seed,
        trained_on=contender.trained_on,
        seeds=seeds if seeds is not None and seeds.dataset == dataset.name else None,
        test_error_percent=100 * len(misread) / len(wrong),
        interval_percent=wilson_interval(len(misread), len(wrong)),
        misread=misread,
        misread_alone=0,  # known once all are measured
        trainable=total.trainable,
        fixed=total.fixed,
        connections=total.connections,
        multiply_adds=total.multiply_adds,
        microseconds_per_digit=microseconds,
        fused_microseconds_per_digit=fused_microseconds,
        seconds_per_pass=_seconds_per_pass(contender, dataset),
        robustness={
            kind: tuple(
                _error_percent(contender, disturb(few, extent), few_labels)
                for extent in DISTURBANCES[kind]
            )
            for kind, disturb in _DISTURB.items()
        },
        rejection=rejection(logits, ~wrong),
        calibration=calibrate(logits, ~wrong),
    )


def _error_percent(contender: Contender, images: Tensor, labels: Tensor) -> float:
    return 100 * (_logits(contender, images).argmax(1) != labels).double().mean().item()


def _times(nets: Sequence[nn.Module], images: Tensor) -> list[tuple[float, float | None]]:
    """Microseconds per digit of each network's own layers, and of the fused kernels."""
    from lenet1998.kernels.packed import FusedReader

    batch = images[:_TIMED_DIGITS]
    readers: list[list[Callable[[Tensor], Tensor]]] = [
        [net.eval(), *([FusedReader(net).penalties] if isinstance(net, ClassicNetwork) else [])]
        for net in nets
    ]
    best: dict[tuple[int, int], float] = {}
    with _one_thread(), torch.no_grad():
        for round_number in range(1 + _TIMED_ROUNDS):
            for i, of_net in enumerate(readers):
                for k, read in enumerate(of_net):
                    started = time.perf_counter()
                    read(batch)
                    taken = (time.perf_counter() - started) / len(batch) * 1e6
                    if round_number:  # the first warms up
                        best[i, k] = min(best.get((i, k), taken), taken)
    return [(best[i, 0], best.get((i, 1))) for i in range(len(nets))]


def _seconds_per_pass(contender: Contender, dataset: Dataset) -> float:
    """Of learning with the contender's recipe, from a pass over the first training digits."""
    part = replace(
        dataset,
        training_images=dataset.training_images[:_TIMED_PATTERNS],
        training_labels=dataset.training_labels[:_TIMED_PATTERNS],
        test_images=dataset.test_images[:1],
        test_labels=dataset.test_labels[:1],
    )
    patterns = len(part.training_labels)
    net = copy.deepcopy(contender.net)
    taken = []
    with _one_thread():
        if isinstance(contender.recipe, Recipe) and isinstance(net, LeNet5Classic):
            trainer = TRAINERS["fused"](net, contender.recipe)
            sample = part.training_images[: contender.recipe.curvature_patterns]
            trainer.set_curvature(trainer.estimate_curvature(sample))
            order = torch.arange(patterns)
            for _ in range(2):  # the first warms up
                started = time.perf_counter()
                trainer.learn(part.training_images, part.training_labels, order, eta=1e-5)
                taken.append(time.perf_counter() - started)
        elif isinstance(contender.recipe, MinibatchRecipe):
            one = replace(contender.recipe, epochs=2, schedule="constant", rate=1e-5)
            taken = [record.learning_seconds for record in train_minibatch(net, part, one, seed=0)]
    return min(taken) * len(dataset.training_labels) / patterns


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
