"""Certainty: what rejecting doubtful digits gains, and whether probabilities can be believed."""

import pytest
import torch
from torch import Tensor

from lenet1998.measures.certainty import REJECTED_PERCENT, calibrate, rejected_percent, rejection


def test_fewest_digits_are_rejected_that_leave_the_target() -> None:
    certainty = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5])
    right = torch.tensor([True, True, False, True, True])
    assert rejected_percent(certainty, right, 20) == 0
    assert rejected_percent(certainty, right, 10) == 60
    assert rejected_percent(-certainty, right, 10) == 60
    assert rejected_percent(certainty, torch.zeros(5, dtype=torch.bool), 10) == 100


def test_digits_of_one_certainty_are_rejected_together() -> None:
    right = torch.tensor([True, True, True, False])
    assert rejected_percent(torch.ones(4), right, 10) == 100
    assert rejected_percent(torch.tensor([2.0, 1, 1, 1]), right, 10) == 75


def test_sure_answers_are_told_apart_by_probability() -> None:
    # In float64 the softmax of all three is 1 to the last bit.
    scores = torch.zeros(3, 10, dtype=torch.float64)
    scores[:, 4] = torch.tensor([50.0, 60, 40])
    result = rejection(scores, torch.tensor([True, True, False]))
    assert result.by_probability_percent == result.by_difference_percent == pytest.approx(100 / 3)


def test_rejection_curve_begins_with_the_error_of_all() -> None:
    scores = torch.randn(200, 10, dtype=torch.float64)
    right = torch.arange(200) % 4 != 0
    result = rejection(scores, right)
    assert result.error_percent[0] == 25
    best, second = scores.topk(2).values.unbind(1)
    kept = (best - second).sort(descending=True).indices[:180]
    assert len(result.error_percent) == len(REJECTED_PERCENT) and REJECTED_PERCENT[-1] == 10
    assert result.error_percent[-1] == pytest.approx(100 * (~right[kept]).double().mean().item())


def scores_of(probability: Tensor) -> Tensor:
    """Two classes, of which the first has this probability."""
    return torch.stack([probability, 1 - probability], dim=1).log()


def test_calibration_is_the_distance_of_probability_from_share_right() -> None:
    probability = torch.tensor([0.95] * 10 + [0.75] * 10, dtype=torch.float64)
    right = torch.tensor([True] * 8 + [False] * 2 + [True] * 9 + [False])
    result = calibrate(scores_of(probability), right)
    assert result.expected_error_percent == pytest.approx(15)
    assert result.confidence_percent == pytest.approx(85)
    assert [count for count, _, _ in result.bins] == [10, 10]


def test_a_network_that_is_as_right_as_it_says_is_calibrated() -> None:
    probability = 0.5 + torch.rand(100_000, dtype=torch.float64) / 2
    right = torch.rand(100_000, dtype=torch.float64) < probability
    assert calibrate(scores_of(probability), right).expected_error_percent < 0.5
