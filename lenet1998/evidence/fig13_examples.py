"""One digit under each disturbance, in the spirit of Fig. 13, and how networks read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.disturbances import DISTURBANCES
from lenet1998.measures.answers import scores
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.network import Network
from lenet1998.report import plots

SHOWN: Mapping[str, tuple[float, ...]] = {
    "size": (0.5, 0.7071, 0.8909, 1.2599, 1.5874, 2.0),
    "vertical shift": (1.0, 2.0, 4.0, 5.0, 7.0, 10.0),
    "rotation": (10.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    "shear": (0.2, 0.3, 0.4, 0.6, 0.8, 1.0),
    "noise": (0.025, 0.05, 0.1, 0.2, 0.3, 0.4),
    "strokes": (-2.0, -1.5, -1.0, 1.0, 2.0, 3.0),
}
"""The strengths of each disturbance."""


@dataclass(frozen=True)
class Answer:
    """The digit that wins, and its penalty (eq. 7)."""

    digit: int
    penalty: float


@dataclass(frozen=True)
class Row:
    """How a recipe's network reads the digit at the strengths of `SHOWN`."""

    kind: str
    recipe: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Examples:
    """How one test digit is read."""

    index: int
    undisturbed: Answer  # of the first row's network
    rows: tuple[Row, ...]  # disturbed


def read(nets: Mapping[str, Network], dataset: Dataset) -> Examples:
    """Let networks, by their recipes, read the first 4: the first everything, the others noise."""
    index = int((dataset.test_labels == 4).int().argmax())
    digit = dataset.test_images[index : index + 1]
    first, *_ = nets
    rows = [
        Row(kind, name, _answers(net, _disturbed(digit, kind)))
        for kind in SHOWN
        for name, net in nets.items()
        if kind == "noise" or name == first
    ]
    return Examples(index, _answers(nets[first], digit)[0], tuple(rows))


def _disturbed(digit: Tensor, kind: str) -> Tensor:
    return torch.cat([DISTURBANCES[kind].apply(digit, strength) for strength in SHOWN[kind]])


def _answers(net: Network, images: Tensor) -> tuple[Answer, ...]:
    assert isinstance(net, ChainNetwork)
    penalties, digits = net.to_penalties(scores(net, images)).min(1)
    pairs = zip(digits.tolist(), penalties.tolist(), strict=True)
    return tuple(Answer(digit, round(penalty, 2)) for digit, penalty in pairs)


def draw(examples: Examples, dataset: Dataset, networks: Mapping[str, str]) -> Figure:
    """The digit undisturbed, and then a row for each disturbance; wrong answers stand out."""
    digit = dataset.test_images[examples.index : examples.index + 1]
    label = int(dataset.test_labels[examples.index])

    def notes(words: Iterable[str], answers: Iterable[Answer]) -> list[tuple[str, bool]]:
        return [
            (f"{strength}\n{answer.digit} ({answer.penalty:.1f})", answer.digit != label)
            for strength, answer in zip(words, answers, strict=True)
        ]

    undisturbed = notes(["undisturbed"], [examples.undisturbed])
    groups = [(dataset.name, networks[examples.rows[0].recipe], digit[0], undisturbed)]
    for row in examples.rows:
        disturbance, images = DISTURBANCES[row.kind], _disturbed(digit, row.kind)[:, 0]
        under = notes(map(disturbance.in_words, SHOWN[row.kind]), row.answers)
        groups.append((disturbance.title, networks[row.recipe], images, under))
    return plots.digit_groups(groups, columns=6)
