"""How sure a network is: what rejecting doubtful digits gains, and whether to believe it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "REJECTED_PERCENT", "TARGET_PERCENT", "Calibration", "Rejection", "calibrate", "difference",
    "rejected_percent", "rejection",
]  # fmt: skip

TARGET_PERCENT = 0.5
"""Error that Fig. 10 lets be left among the digits that are not rejected."""

REJECTED_PERCENT = tuple(half / 2 for half in range(21))
"""The points of the curve of error against rejection."""

_BINS = 15


@dataclass(frozen=True)
class Calibration:
    """How far a network's probabilities can be believed."""

    # the mean distance between the probability of an answer and the share of right ones, over 15
    # bins of probability, weighted by their digits (the expected calibration error)
    expected_error_percent: float
    # mean probability of the answers: above the share of right ones, the network is too sure
    confidence_percent: float
    # digits, mean probability and share of right answers of each bin that is not empty
    bins: tuple[tuple[int, float, float], ...]


@dataclass(frozen=True)
class Rejection:
    """What is gained by leaving the doubtful digits unread."""

    # digits to reject for 0.5 % error among the others, least difference between the best two
    # scores first (section III.D, Fig. 10)
    by_difference_percent: float
    by_probability_percent: float  # the same, least probability of the answer first
    error_percent: tuple[float, ...]  # left when `REJECTED_PERCENT` are rejected by the difference


def rejection(scores: Tensor, right: Tensor) -> Rejection:
    """What leaving doubtful digits unread gains.

    Args:
        scores: `(N, classes)` float64, N >= 1; a larger one is a better score.
        right: `(N,)` bool, whether the largest is the right class's.
    """
    certainty = difference(scores)
    ranked = right[certainty.argsort(descending=True)]
    kept = [max(1, round(len(right) * (1 - percent / 100))) for percent in REJECTED_PERCENT]
    return Rejection(
        by_difference_percent=rejected_percent(certainty, right, TARGET_PERCENT),
        by_probability_percent=rejected_percent(-_doubt(scores), right, TARGET_PERCENT),
        error_percent=tuple(100 * (~ranked[:count]).double().mean().item() for count in kept),
    )


def difference(scores: Tensor) -> Tensor:
    """By how much the best score leads the second best, `(..., classes)` -> `(...)`."""
    best, second = scores.topk(2).values.unbind(-1)
    return best - second


def rejected_percent(certainty: Tensor, right: Tensor, target_percent: float) -> float:
    """How many of all digits to reject, in percent, so that few enough of the others are misread.

    The least certain are rejected first, digits of one certainty together. Both tensors are `(N,)`,
    N >= 1: how certain the answers are, and whether they are right.
    """
    order = certainty.argsort(descending=True)
    kept = torch.arange(1, len(order) + 1)
    error = 100 * (~right[order]).cumsum(0) / kept
    ranked = certainty[order]
    ends = torch.cat([ranked[:-1] > ranked[1:], torch.tensor([True])])
    most = max(kept[ends & (error <= target_percent)].tolist(), default=0)
    return 100 * (len(order) - most) / len(order)


def calibrate(scores: Tensor, right: Tensor) -> Calibration:
    """Set the probabilities of the answers, the scores' softmax, against how many are right.

    Args as for `rejection`.
    """
    probability = 1 - _doubt(scores)
    which = (probability * _BINS).long().clamp(max=_BINS - 1)
    bins = []
    for index in which.unique():
        filled = which == index
        share = right[filled].double().mean().item()
        bins.append((int(filled.sum()), probability[filled].double().mean().item(), share))
    distance = sum(count * abs(confidence - share) for count, confidence, share in bins)
    error, confidence = 100 * distance / len(right), 100 * probability.double().mean().item()
    return Calibration(error, confidence, tuple(bins))


def _doubt(scores: Tensor) -> Tensor:
    """The probability, `(N,)`, that the answer is wrong.

    Summed over the other classes: 1 less the answer's would lose what tells sure answers apart.
    """
    answers = scores.argmax(1, keepdim=True)
    return scores.softmax(1).scatter(1, answers, 0.0).sum(1)
