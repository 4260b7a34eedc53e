"""Each kind of layer's share in the back-propagation of second derivatives (eqs. 23 to 27).

What the diagonal Levenberg-Marquardt rule needs is one non-negative number per parameter: how
sharply the loss bends along it. The paper gets it at the price of one more backward pass, with
two approximations: off-diagonal terms are dropped at every layer, and so is the term with the
squashing function's own second derivative (Gauss-Newton), which could be negative.
`learning.rule` puts the shares together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import singledispatch
from numbers import Real

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lenet1998.layers import Squash, Subsampling
from lenet1998.losses import posterior

__all__ = [
    *("OutputCurvature", "check_curvature", "check_positive", "loss_curvature"),
    *("squash_derivative", "through_sums"),
]

OutputCurvature = float | Callable[[Tensor], Tensor]
"""d2E/dx^2 at the states x of F6: a constant, or a function `(N, units) -> (N, units)`."""


def squash_derivative(squash: nn.Module, state: Tensor) -> Tensor:
    """f'(a) of what follows a layer, from the states x = f(a); TypeError where none is known."""
    if isinstance(squash, Squash):
        return squash.derivative(state)
    if isinstance(squash, nn.ReLU):
        return (state > 0).to(state)
    if isinstance(squash, nn.Identity):
        return torch.ones_like(state)
    raise TypeError(f"no derivative is known for {type(squash).__name__} after a layer")


@singledispatch
def through_sums(
    layer: nn.Module, inputs: Tensor, curvature: Tensor
) -> tuple[Mapping[str, Tensor], Tensor]:
    """One layer's share of eqs. 24 to 27.

    A layer of weighted sums a = sum of u x passes second derivatives as it passes first ones, with
    every weight and every input squared; so its own backward pass on squares does the work.

    Args:
        layer: one whose output is linear in its inputs and in its parameters.
        inputs: what it saw, `(N, ...)`; a full layer sees them in one row.
        curvature: d2E/da^2, of the shape of its output.

    Returns:
        The second derivative along each parameter, summed over the images, and d2E/dx^2 of the
        inputs.
    """
    squares = {name: parameter.square() for name, parameter in layer.named_parameters()}
    *of_parameters, of_inputs = _backward(layer, squares, inputs.square(), curvature)
    return dict(zip(squares, of_parameters, strict=True)), of_inputs


@through_sums.register
def _(layer: Subsampling, inputs: Tensor, curvature: Tensor) -> tuple[Mapping[str, Tensor], Tensor]:
    # The coefficient weighs the sum of the window, so that sum is its x_j, squared as a whole.
    ones, zeros = torch.ones_like(layer.coefficient), torch.zeros_like(layer.bias)
    window_sum = functional_call(layer, {"coefficient": ones, "bias": zeros}, (inputs,))
    positions = (0, 2, 3)
    of_parameters = {
        "coefficient": (curvature * window_sum.square()).sum(positions),
        "bias": curvature.sum(positions),
    }
    squares = {"coefficient": layer.coefficient.square(), "bias": zeros}
    *_, of_inputs = _backward(layer, squares, inputs, curvature)
    return of_parameters, of_inputs


@through_sums.register(nn.AvgPool2d)
@through_sums.register(nn.MaxPool2d)
def _(layer: nn.Module, inputs: Tensor, curvature: Tensor) -> tuple[Mapping[str, Tensor], Tensor]:
    # Windows do not overlap, so an input has one connection, and (u sqrt(c))^2 is u^2 c. The
    # inputs stay as they are: their squares may have their maximum elsewhere.
    (root,) = _backward(layer, {}, inputs, curvature.sqrt())
    return {}, root.square()


def _backward(
    layer: nn.Module, parameters: Mapping[str, Tensor], inputs: Tensor, errors: Tensor
) -> tuple[Tensor, ...]:
    """What the layer's backward pass makes of `errors`: of each parameter, and of the inputs."""
    if isinstance(layer, nn.Linear):
        inputs = inputs.flatten(1)
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
        below = inputs.detach().requires_grad_()
        outputs = functional_call(layer, leaves, (below,))
        return torch.autograd.grad(outputs, (*leaves.values(), below), errors)


def check_curvature(parameters: Mapping[str, Tensor], diagonal: Mapping[str, Tensor]) -> None:
    """ValueError, naming it, for a parameter without h, or with one that no rule can give.

    That is of another shape, NaN, infinite or negative: with h = -mu the step would be infinite.
    """
    for name, parameter in parameters.items():
        if name not in diagonal or diagonal[name].shape != parameter.shape:
            held = tuple(diagonal[name].shape) if name in diagonal else "nothing"
            expected = tuple(parameter.shape)
            raise ValueError(f"curvature of {name}: expected shape {expected}, got {held}")
        h = diagonal[name]
        if not ((h >= 0) & h.isfinite()).all():
            low, high = (value.item() for value in h.aminmax())
            words = f"expected finite values >= 0, they run from {low:g} to {high:g}"
            raise ValueError(f"curvature of {name}: {words}")


def check_positive(**numbers: float) -> None:
    """ValueError, naming it, for what is no number, or not > 0 and finite."""
    for name, value in numbers.items():
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not (is_number and 0 < value < math.inf):
            raise ValueError(f"expected {name} > 0 and finite, got {value!r}")


def loss_curvature(
    centres: Tensor, *, loss: str, penalty_scale: float = 1.0, j: float = 1.0
) -> Callable[[Tensor], Tensor]:
    """The exact second derivative of a loss along each state of F6, to enter the recursion with.

    For penalties y_i = s |x - w_i|^2 the loss of eq. 8 has the Hessian 2s, the same for every unit.
    That of eq. 9 has, with the posteriors p_i and the rubbish class's p_j,

        2s p_j + variance over p of dy_i/dx      (dy/dx = 0 for the rubbish class)

    which is never negative and, like the constant, does not depend on the label.

    Args:
        centres: `(classes, units)`, the codes.
        loss: `"mle"` (eq. 8) or `"map"` (eq. 9).
        penalty_scale: s; 1 for eq. 7 as printed, 0.5 in the authors' software.
        j: penalty of the rubbish class of eq. 9.

    Raises:
        ValueError: for another loss, a scale that is not > 0 and finite, or a j that is NaN.
    """
    check_positive(penalty_scale=penalty_scale)
    if math.isnan(j):
        raise ValueError("expected a penalty j of the rubbish class, got nan")
    if loss == "mle":
        return lambda state: torch.full_like(state, 2 * penalty_scale)
    if loss != "map":
        raise ValueError(f"expected the loss 'mle' (eq. 8) or 'map' (eq. 9), got {loss!r}")

    def of_map(state: Tensor) -> Tensor:
        difference = state.unsqueeze(1) - centres  # (N, classes, units)
        probability = posterior(penalty_scale * difference.square().sum(-1), j)
        slope = 2 * penalty_scale * difference
        weight = probability[:, :-1, None]
        mean = (weight * slope).sum(1)
        rubbish = probability[:, -1:]
        # Around the mean, the rubbish class's slope 0 included: no cancellation, never negative.
        spread = (weight * (slope - mean.unsqueeze(1)).square()).sum(1) + rubbish * mean.square()
        return 2 * penalty_scale * rubbish + spread

    return of_map
