"""How sure a network is: what rejecting doubtful digits gains, and whether to believe it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TARGET_PERCENT = 0.5
"""Error that Fig. 10 lets be left among the digits that are not rejected."""

REJECTED_PERCENT = tuple(half / 2 for half in range(21))
"""The points of the curve of error against rejection."""

_BINS = 15


@dataclass(frozen=True)
class Calibration:
    """How far a network's probabilities can be believed.

    Attributes:
        expected_error_percent: the mean distance between the probability of an answer and the share
            of right ones, over 15 bins of probability, weighted by their digits (the expected
            calibration error).
        confidence_percent: mean probability of the answers. Above the accuracy, 100 less the error,
            the network is too sure of itself; below, not sure enough.
        bins: digits, mean probability and share of right answers of each bin that is not empty.
    """

    expected_error_percent: float
    confidence_percent: float
    bins: tuple[tuple[int, float, float], ...]


@dataclass(frozen=True)
class Rejection:
    """What is gained by leaving the doubtful digits unread.

    Attributes:
        by_difference_percent: digits to reject for 0.5 % error among the others, least difference
            between the best two scores first (section III.D, Fig. 10).
        by_probability_percent: the same, least probability of the answer first.
        error_percent: left when `REJECTED_PERCENT` are rejected by the difference.
    """

    by_difference_percent: float
    by_probability_percent: float
    error_percent: tuple[float, ...]


def rejection(logits: Tensor, right: Tensor) -> Rejection:
    """What leaving doubtful digits unread gains.

    Args:
        logits: `(N, classes)` float64, N >= 1; a larger one is a better score.
        right: `(N,)` bool, whether the largest is the right class's.
    """
    best, second = logits.topk(2).values.unbind(1)
    ranked = right[(best - second).argsort(descending=True)]
    kept = [max(1, round(len(right) * (1 - percent / 100))) for percent in REJECTED_PERCENT]
    return Rejection(
        by_difference_percent=rejected_percent(best - second, right, TARGET_PERCENT),
        by_probability_percent=rejected_percent(-_doubt(logits), right, TARGET_PERCENT),
        error_percent=tuple(100 * (~ranked[:count]).double().mean().item() for count in kept),
    )


def rejected_percent(certainty: Tensor, right: Tensor, target_percent: float) -> float:
    """Digits to reject, the least certain first, so that few enough of the others are misread.

    Digits of one certainty are rejected together.

    Args:
        certainty: `(N,)`, N >= 1.
        right: `(N,)` bool, whether the answers are right.
        target_percent: the greatest error that may be left.

    Returns:
        0 to 100.
    """
    order = certainty.argsort(descending=True)
    kept = torch.arange(1, len(order) + 1)
    error = 100 * (~right[order]).cumsum(0) / kept
    ranked = certainty[order]
    ends = torch.cat([ranked[:-1] > ranked[1:], torch.tensor([True])])
    good = (ends & (error <= target_percent)).nonzero()
    most = int(kept[good[-1]]) if len(good) else 0
    return 100 * (len(order) - most) / len(order)


def calibrate(logits: Tensor, right: Tensor) -> Calibration:
    """Set the probabilities of the answers against how many are right.

    Args:
        logits: `(N, classes)` float64, N >= 1, whose softmax is the classes' probability.
        right: `(N,)` bool, whether the largest is the right class's.
    """
    probability = 1 - _doubt(logits)
    which = (probability * _BINS).long().clamp(max=_BINS - 1)
    bins = []
    for index in which.unique():
        here = which == index
        share = right[here].double().mean().item()
        bins.append((int(here.sum()), probability[here].double().mean().item(), share))
    distance = sum(count * abs(confidence - share) for count, confidence, share in bins)
    return Calibration(
        expected_error_percent=100 * distance / len(right),
        confidence_percent=100 * probability.double().mean().item(),
        bins=tuple(bins),
    )


def _doubt(logits: Tensor) -> Tensor:
    """The probability, `(N,)`, that the answer is wrong.

    Summed over the other classes: 1 less the answer's would lose what tells sure answers apart.
    """
    answers = logits.argmax(1, keepdim=True)
    return logits.softmax(1).scatter(1, answers, 0.0).sum(1)
