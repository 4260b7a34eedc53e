"""Second derivatives by back-propagation (appendix C, eqs. 23 to 27).

What the diagonal Levenberg-Marquardt rule needs is one non-negative number per parameter: how
sharply the loss bends along it. The paper gets it at the price of one more backward pass, with
two approximations: off-diagonal terms are dropped at every layer, and so is the term with the
squashing function's own second derivative (Gauss-Newton), which could be negative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lenet1998.layers import Squash, Subsampling
from lenet1998.losses import posterior
from lenet1998.models.base import ClassicNetwork

OutputCurvature = float | Callable[[Tensor], Tensor]
"""d2E/dx^2 at the states x of F6: a constant, or a function `(N, units) -> (N, units)`."""


def gauss_newton_diagonal(
    net: ClassicNetwork, images: Tensor, output_curvature: OutputCurvature = 1.0
) -> dict[str, Tensor]:
    """The second derivative h_kk of the mean loss along each trainable parameter.

    Two rules, layer by layer from the top. Through a squash (eq. 27, the f'' of eq. 26 dropped)

        d2E/da_i^2 = f'(a_i)^2 d2E/dx_i^2

    and through the weighted sums, with a sum over the connections that share a weight (eq. 25)

        h_k        = sum over (i, j) in V_k of d2E/da_i^2 x_j^2
        d2E/dx_k^2 = sum over i of u_ik^2 d2E/da_i^2

    Centres that learn, which the paper has no rule for, take the mean of what enters at the states
    of F6: eq. 7 bends as much along a centre as along a state.

    Args:
        net: a network that names its `TRAINED_LAYERS` in order, such as `LeNet5Classic`.
        images: `(N, 1, 32, 32)`, N >= 1; the result is the mean over them.
        output_curvature: what enters at the states of F6. The authors' software takes the constant
            1 for half squared distances whatever the loss, so that labels play no part; in general
            twice the penalty scale. `loss_curvature` gives the exact alternative.

    Returns:
        A tensor >= 0 of the parameter's shape for each name of `net.named_parameters()`.

    Raises:
        ValueError: for an empty batch.
    """
    if len(images) == 0:
        raise ValueError("the mean curvature of no image is undefined: expected at least one image")
    with torch.no_grad():
        layers = [(name, net.get_submodule(name)) for name in net.TRAINED_LAYERS]
        states = [images]
        for name, layer in layers:
            states.append(net.squash_after(name)(layer(_as_input(layer, states[-1]))))

        if callable(output_curvature):
            curvature = output_curvature(states[-1])
        else:
            curvature = torch.full_like(states[-1], output_curvature)
        diagonal: dict[str, Tensor] = {}
        for name, parameter in net.named_parameters():
            if name == "output.centres":
                diagonal[name] = curvature.mean(0).expand_as(parameter)
        for (name, layer), below, state in zip(
            reversed(layers), reversed(states[:-1]), reversed(states[1:]), strict=True
        ):
            slope = squash_derivative(net.squash_after(name), state)
            of_sums = curvature.view_as(state) * slope.square()
            of_parameters, curvature = back_propagate_curvature(
                layer, _as_input(layer, below), of_sums
            )
            for of_layer, summed in of_parameters.items():
                diagonal[f"{name}.{of_layer}"] = summed / len(images)
        return diagonal


def _as_input(layer: nn.Module, state: Tensor) -> Tensor:
    return state.flatten(1) if isinstance(layer, nn.Linear) else state


@singledispatch
def squash_derivative(squash: nn.Module, state: Tensor) -> Tensor:
    """f'(a) of what follows a layer, from the states x = f(a).

    Raises:
        TypeError: for a function that none is registered for.
    """
    raise TypeError(f"no derivative is known for {type(squash).__name__} after a layer")


@squash_derivative.register
def _(squash: Squash, state: Tensor) -> Tensor:
    return squash.derivative(state)


@squash_derivative.register
def _(squash: nn.ReLU, state: Tensor) -> Tensor:
    return (state > 0).to(state)


@squash_derivative.register
def _(squash: nn.Identity, state: Tensor) -> Tensor:
    return torch.ones_like(state)


@singledispatch
def back_propagate_curvature(
    layer: nn.Module, inputs: Tensor, curvature: Tensor
) -> tuple[Mapping[str, Tensor], Tensor]:
    """One layer's share of eqs. 24 to 27.

    A layer of weighted sums a = sum of u x passes second derivatives as it passes first ones, with
    every weight and every input squared; so its own backward pass on squares does the work.

    Args:
        layer: a layer whose output is linear in its inputs and in its parameters.
        inputs: what it saw, `(N, ...)`.
        curvature: d2E/da^2, of the shape of its output.

    Returns:
        The second derivative along each parameter, summed over the images, and d2E/dx^2 of the
        inputs.
    """
    squares = {name: parameter.square() for name, parameter in layer.named_parameters()}
    *of_parameters, of_inputs = _backward(layer, squares, inputs.square(), curvature)
    return dict(zip(squares, of_parameters, strict=True)), of_inputs


@back_propagate_curvature.register
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


@back_propagate_curvature.register(nn.AvgPool2d)
@back_propagate_curvature.register(nn.MaxPool2d)
def _(layer: nn.Module, inputs: Tensor, curvature: Tensor) -> tuple[Mapping[str, Tensor], Tensor]:
    # Windows do not overlap, so an input has one connection, and (u sqrt(c))^2 is u^2 c. The
    # inputs stay as they are: their squares may have their maximum elsewhere.
    (root,) = _backward(layer, {}, inputs, curvature.sqrt())
    return {}, root.square()


def _backward(
    layer: nn.Module, parameters: Mapping[str, Tensor], inputs: Tensor, errors: Tensor
) -> tuple[Tensor, ...]:
    """What the layer's backward pass makes of `errors`: of each parameter, and of the inputs."""
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
        below = inputs.detach().requires_grad_()
        outputs = functional_call(layer, leaves, (below,))
        return torch.autograd.grad(outputs, (*leaves.values(), below), errors)


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
        ValueError: for another loss.
    """
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
