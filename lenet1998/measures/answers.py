"""What a reader makes of digits: its scores, its answers, and how many of them are wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lenet1998.data.field import check_labels, check_levels, check_scale
from lenet1998.losses import posterior
from lenet1998.models.boosted import BoostedLeNet4
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.network import AT_ONCE, Reader

__all__ = ["Evaluation", "evaluate", "misread", "probabilities", "scores", "wilson_interval"]


@dataclass(frozen=True)
class Evaluation:
    """How a reader reads a set of digits."""

    dataset: str  # what it read
    digits: int  # how many
    misread: int  # how many of them wrongly
    error_percent: float  # the same as a percentage
    interval_percent: tuple[float, float]  # 95 % (Wilson), from the number of digits alone
    confusion: list[list[int]]  # `confusion[label][answer]`, counts


def scores(reader: Reader, images: Tensor, *, fused: bool = True) -> Tensor:
    """A reader's scores of each image, without a gradient, a network's in evaluation mode.

    A network of the 1998 kind, float32 on the CPU, runs through the fused kernels.

    Args:
        images: `(N, 1, 32, 32)`.
        fused: False reads without the kernels, which take longer to load than a digit to read.

    Returns:
        `(N, classes)` on the CPU: the largest wins, and their softmax is the probability.

    Raises:
        ValueError: for another shape, NaN, or levels that are not the paper's.
    """
    if not isinstance(reader, nn.Module):
        return reader.scores(images)
    if isinstance(reader, BoostedLeNet4):
        return torch.stack([scores(net, images, fused=fused) for net in reader.networks]).sum(0)
    check_scale(images)
    parameter, training = next(reader.parameters()), reader.training
    fits = (parameter.dtype, parameter.device.type) == (torch.float32, "cpu")
    if fused and fits and isinstance(reader, ChainNetwork):
        from lenet1998.kernels.packed import FusedReader  # Numba is slow to import

        return FusedReader(reader).scores(images)
    check_levels(images)
    reader.eval()
    try:
        with torch.no_grad():
            batches = (batch.to(parameter) for batch in images.split(AT_ONCE))
            return torch.cat([reader.scores(batch) for batch in batches]).cpu()
    finally:
        reader.train(training)


def probabilities(scores: Tensor, rubbish: float = -math.inf) -> Tensor:
    """A reader's scores, `(N, classes)`, as probabilities, `(N, classes + 1)`; rows sum to 1.

    The last one is of the rubbish class, for which the reader has the score `rubbish`.
    """
    return posterior(-scores, -rubbish)


def misread(reader: Reader, images: Tensor, labels: Tensor) -> Tensor:
    """`(N,)` bool: which images a reader does not take for what their labels say.

    Raises: as `scores`, and a ValueError for labels of another number, kind or range.
    """
    outputs = scores(reader, images)
    check_labels(labels, images, outputs.shape[1])
    return outputs.argmax(1) != labels


def evaluate(reader: Reader, images: Tensor, labels: Tensor, dataset_name: str) -> Evaluation:
    """Read every image and count the errors.

    Args as for `scores`; labels are `(N,)` int64, and the data set's name is put on the result.

    Raises:
        ValueError: for no image, another shape, NaN, levels that are not the paper's, or labels of
            another number, kind or range.
    """
    if len(images) == 0:
        raise ValueError("no image to evaluate on: expected at least one")
    outputs = scores(reader, images)
    answers, classes = outputs.argmax(1), outputs.shape[1]
    check_labels(labels, images, classes)
    confusion = torch.bincount(labels * classes + answers, minlength=classes**2)
    wrong = int((answers != labels).sum())
    return Evaluation(
        dataset=dataset_name,
        digits=len(labels),
        misread=wrong,
        error_percent=100 * wrong / len(labels),
        interval_percent=wilson_interval(wrong, len(labels)),
        confusion=confusion.view(classes, classes).tolist(),
    )


def wilson_interval(misread: int, digits: int) -> tuple[float, float]:
    """The interval, in percent, that holds the true error with 95 % probability.

    Raises:
        ValueError: for no digit, or for more that are misread than there are.
    """
    if not 0 <= misread <= digits or digits == 0:
        raise ValueError(f"expected 0 to {digits} digits misread of at least 1, got {misread}")
    share, z = misread / digits, 1.96
    centre = (share + z**2 / (2 * digits)) / (1 + z**2 / digits)
    half = z / (1 + z**2 / digits) * (share * (1 - share) / digits + z**2 / (4 * digits**2)) ** 0.5
    return 100 * max(centre - half, 0.0), 100 * min(centre + half, 1.0)
