"""Section II.C: eqs. 8 and 9, by hand, against decimal arithmetic, and far out."""

import math
from collections.abc import Callable
from decimal import Decimal
from random import Random

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from lenet1998.losses import map_loss, mle_loss, posterior

PENALTIES = st.lists(st.floats(0, 10_000), min_size=2, max_size=12)
RUBBISH = st.floats(0.01, 10_000)

EXAMPLE = torch.tensor([[1.0, 2.0, 4.0], [3.0, 0.5, 0.25]], dtype=torch.float64)
LABELS = torch.tensor([0, 2])


def batch(penalties: list[float]) -> Tensor:
    """A batch of one pattern."""
    return torch.tensor([penalties], dtype=torch.float64)


def exact_map_loss(penalties: list[float], label: int, j: float) -> Decimal:
    """Eq. 9 as printed, in decimal numbers, whose exponents have room for e^-10000."""
    likelihoods = [(-Decimal(penalty)).exp() for penalty in [j, *penalties]]
    return Decimal(penalties[label]) + sum(likelihoods, Decimal(0)).ln()


# By hand


def test_eq_8_by_hand() -> None:
    assert mle_loss(EXAMPLE, LABELS).item() == (1 + 0.25) / 2


def test_eq_9_by_hand() -> None:
    first = 1 + math.log(math.exp(-2) + math.exp(-1) + math.exp(-2) + math.exp(-4))
    second = 0.25 + math.log(math.exp(-2) + math.exp(-3) + math.exp(-0.5) + math.exp(-0.25))
    assert map_loss(EXAMPLE, LABELS, j=2).item() == pytest.approx((first + second) / 2, rel=1e-12)


def test_the_authors_scale_is_half_the_distance() -> None:
    """Half squared distances: the gradient along a state is the difference to the right code."""
    state, centres = torch.randn(1, 5, requires_grad=True), torch.randn(3, 5)
    penalties = 0.5 * (state.unsqueeze(1) - centres).square().sum(-1)
    (gradient,) = torch.autograd.grad(mle_loss(penalties, torch.tensor([2])), state)
    assert torch.allclose(gradient, state - centres[2])
    # Eq. 9 on another scale is another loss, not a multiple.
    full, half = map_loss(2 * EXAMPLE, LABELS, j=1).item(), map_loss(EXAMPLE, LABELS, j=1).item()
    by_hand = 1 + math.log(2 * math.exp(-1) + math.exp(-2) + math.exp(-4))
    assert map_loss(EXAMPLE[:1], LABELS[:1]).item() == pytest.approx(by_hand, rel=1e-12)
    assert abs(full - 2 * half) > 0.1


def test_a_batch_is_the_mean_of_its_patterns() -> None:
    for loss in (mle_loss, map_loss):
        singles = [loss(EXAMPLE[i : i + 1], LABELS[i : i + 1]) for i in range(2)]
        assert torch.allclose(loss(EXAMPLE, LABELS), torch.stack(singles).mean())
        assert loss(EXAMPLE[:0], LABELS[:0]).isnan()


# Derivatives


@pytest.mark.parametrize("loss", [mle_loss, map_loss])
def test_derivatives(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    penalties = (3 * torch.rand(4, 10, dtype=torch.float64)).requires_grad_()
    labels = torch.tensor([3, 1, 4, 1])
    assert gradcheck(loss, (penalties, labels))
    assert gradgradcheck(loss, (penalties, labels))


def test_gradient_is_the_desired_class_minus_the_posterior() -> None:
    penalties = EXAMPLE.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(map_loss(penalties, LABELS, j=0.7), penalties)
    desired = nn.functional.one_hot(LABELS, 3)
    assert torch.allclose(gradient, (desired - posterior(EXAMPLE, 0.7)[:, :3]) / 2)


# Mistakes of copies


def test_mistake_softmax_of_plus_the_penalties() -> None:
    p = posterior(batch([1, 2, 4]), j=3)[0]
    assert p.argsort(descending=True).tolist() == [0, 1, 3, 2]
    assert (p[0] / p[1]).item() == pytest.approx(math.e)
    label = torch.tensor([0])
    loss, dearer_right, dearer_wrong = (
        map_loss(batch(penalties), label) for penalties in ([1, 2, 4], [2, 2, 4], [1, 3, 4])
    )
    assert dearer_wrong < loss < dearer_right


def test_mistake_nll_loss_on_probabilities() -> None:
    """-p lies in -1..0; eq. 9 is a -log p: never below 0, and as large as the penalties make it."""
    assert map_loss(batch([40, 0]), torch.tensor([0])).item() == pytest.approx(40, rel=0.02)
    expected = -posterior(EXAMPLE, j=1).log()[torch.arange(2), LABELS].mean()
    assert torch.allclose(map_loss(EXAMPLE, LABELS, j=1), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mistake_underflow_near_penalties_of_100(dtype: torch.dtype) -> None:
    """In single precision e^-104 is 0, its logarithm -infinity."""
    values = [104.0, 118.0, 111.0, 106.0]
    penalties = torch.tensor([values], dtype=dtype, requires_grad=True)
    loss = map_loss(penalties, torch.tensor([1]), j=107)
    (gradient,) = torch.autograd.grad(loss, penalties)
    assert loss.item() == pytest.approx(float(exact_map_loss(values, 1, 107)), rel=1e-6)
    shares = [math.exp(104 - value) for value in values]
    p = [share / (sum(shares) + math.exp(104 - 107)) for share in shares]
    assert gradient[0].tolist() == pytest.approx([-p[0], 1 - p[1], -p[2], -p[3]], rel=1e-5)


# For any penalties


@example([0.0, 20.0], 1.0)  # a margin just above 20
@given(PENALTIES, RUBBISH)
def test_eq_9_is_exact_and_not_negative(penalties: list[float], j: float) -> None:
    for label in range(len(penalties)):
        variable = batch(penalties).requires_grad_()
        loss = map_loss(variable, torch.tensor([label]), j)
        expected = float(exact_map_loss(penalties, label, j))
        assert loss.item() >= 0
        assert loss.item() == pytest.approx(expected, rel=1e-12, abs=1e-11)
        assert torch.autograd.grad(loss, variable)[0].isfinite().all()


@given(PENALTIES, RUBBISH, st.randoms())
def test_the_order_of_the_classes_does_not_matter(
    penalties: list[float], j: float, random: Random
) -> None:
    order = random.sample(range(len(penalties)), len(penalties))
    shuffled = [penalties[i] for i in order]
    for loss in (mle_loss, lambda y, label: map_loss(y, label, j)):
        before = loss(batch(penalties), torch.tensor([order[0]]))
        assert torch.allclose(loss(batch(shuffled), torch.tensor([0])), before, rtol=1e-12)


@given(PENALTIES, RUBBISH, RUBBISH)
def test_a_dearer_rubbish_class_lowers_the_loss(penalties: list[float], a: float, b: float) -> None:
    cheap, dear = sorted((a, b))
    label = torch.tensor([0])
    assert (
        map_loss(batch(penalties), label, dear) <= map_loss(batch(penalties), label, cheap) + 1e-11
    )


@settings(max_examples=25)
@given(PENALTIES)
def test_a_large_j_removes_the_rubbish_class(penalties: list[float]) -> None:
    label = torch.tensor([0])
    without = nn.functional.cross_entropy(-batch(penalties), label)
    for j in (1e9, math.inf):
        assert torch.allclose(map_loss(batch(penalties), label, j), without)
        assert posterior(batch(penalties), j)[0, -1] == 0
    assert torch.equal(posterior(batch(penalties)), posterior(batch(penalties), math.inf))


@given(PENALTIES, RUBBISH)
def test_posterior_is_a_distribution_with_the_rubbish_class_last(
    penalties: list[float], j: float
) -> None:
    p = posterior(batch(penalties), j)
    assert p.shape == (1, len(penalties) + 1)
    assert (p >= 0).all() and p.sum().item() == pytest.approx(1)
    assume(abs(min(penalties) - j) > 1e-9)
    assert (p.argmax().item() == len(penalties)) == (j < min(penalties))
