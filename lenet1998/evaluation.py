"""Measure a trained network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lenet1998.models.base import ClassicNetwork
from lenet1998.models.checks import check_levels

if TYPE_CHECKING:
    from rich.console import Console

_BATCH = 500  # images at once, so that the maps of a batch stay small


@dataclass(frozen=True)
class Evaluation:
    """How a network reads a set of digits.

    Attributes:
        dataset: what it read.
        digits: how many.
        misread: how many of them wrongly.
        error_percent: the same as a percentage.
        interval_percent: the 95 % interval of that error (Wilson), from the number of digits alone.
        confusion: `confusion[label][answer]`, counts.
    """

    dataset: str
    digits: int
    misread: int
    error_percent: float
    interval_percent: tuple[float, float]
    confusion: list[list[int]]

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return asdict(self)


def scores(net: nn.Module, images: Tensor) -> Tensor:
    """What a network puts out for each image, without a gradient.

    A network of the 1998 kind, float32 on the CPU, runs through the fused kernels.

    Args:
        net: gives `(N, classes)`: penalties, or the logits of a modern network.
        images: `(N, 1, 32, 32)`.

    Raises:
        ValueError: for another shape, NaN, or levels that are not the paper's.
    """
    parameter = next(net.parameters())
    if (
        isinstance(net, ClassicNetwork)
        and parameter.dtype == torch.float32
        and parameter.device.type == "cpu"
    ):
        from lenet1998.kernels.packed import FusedReader

        return FusedReader(net).penalties(images)
    check_levels(images)
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            outputs: Tensor = torch.cat(
                [net(batch.to(parameter)) for batch in images.split(_BATCH)]
            )
            return outputs
    finally:
        net.train(training)


def evaluate(net: nn.Module, images: Tensor, labels: Tensor, dataset_name: str) -> Evaluation:
    """Read every image and count the errors.

    Args:
        net: with `predict`'s rule: the smallest penalty of a 1998 network, else the largest score.
        images: `(N, 1, 32, 32)`, N >= 1.
        labels: `(N,)` int64.
        dataset_name: put on the result.

    Raises:
        ValueError: for no image, another shape, NaN, or levels that are not the paper's.
    """
    if len(images) == 0:
        raise ValueError("no image to evaluate on: expected at least one")
    outputs = scores(net, images)
    answers = outputs.argmin(1) if isinstance(net, ClassicNetwork) else outputs.argmax(1)
    classes = outputs.shape[1]
    confusion = torch.bincount(labels * classes + answers.cpu(), minlength=classes**2)
    misread = int((answers.cpu() != labels).sum())
    return Evaluation(
        dataset=dataset_name,
        digits=len(labels),
        misread=misread,
        error_percent=100 * misread / len(labels),
        interval_percent=wilson_interval(misread, len(labels)),
        confusion=confusion.view(classes, classes).tolist(),
    )


def wilson_interval(misread: int, digits: int, z: float = 1.96) -> tuple[float, float]:
    """The interval, in percent, that holds the true error with 95 % probability (z = 1.96)."""
    share = misread / digits
    centre = (share + z**2 / (2 * digits)) / (1 + z**2 / digits)
    half = z / (1 + z**2 / digits) * (share * (1 - share) / digits + z**2 / (4 * digits**2)) ** 0.5
    return 100 * max(centre - half, 0.0), 100 * min(centre + half, 1.0)


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """The error, its interval, and the table of confusions."""
    from rich.table import Table

    low, high = evaluation.interval_percent
    console.print(
        f"{evaluation.error_percent:.2f} % of the {evaluation.digits:,} test digits misread "
        f"({evaluation.misread}; 95 % interval {low:.2f} to {high:.2f} %) — {evaluation.dataset}",
        highlight=False,
    )
    table = Table(title="answers by label", box=None)
    table.add_column("label", justify="right")
    for answer in range(len(evaluation.confusion)):
        table.add_column(str(answer), justify="right")
    for label, row in enumerate(evaluation.confusion):
        table.add_row(str(label), *(str(count) if count else "·" for count in row))
    console.print(table)
