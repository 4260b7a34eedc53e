"""The learning rule of 1998 on one page (sections II.C and III.B, appendix C).

One pattern at a time, and for each weight a step of its own:

    w_k  <-  w_k - eta / (mu + h_k) dE/dw_k

eta falls by a schedule, the same for all weights; h_k says how sharply the loss bends along w_k, is
estimated anew before each pass on a few hundred patterns, and stays fixed during it. What follows
is all of it: forward, loss, gradient, second derivatives, step, pass. `learning.fused` does the
same, compiled; tests hold both to a trajectory recorded from the authors' own software.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from lenet1998.learning.curvature import (
    OutputCurvature,
    check_positive,
    squash_derivative,
    through_sums,
)
from lenet1998.learning.recipe import Recipe
from lenet1998.models.chain import ChainNetwork

__all__ = ["gauss_newton_diagonal"]


def forward(net: ChainNetwork, images: Tensor) -> list[Tensor]:
    """The states of every layer, the input first: x = f(a), a the weighted sums of those below."""
    states = [net.prepare(images)]
    for name in net.TRAINED_LAYERS:  # C1, S2, C3, S4, C5, F6
        states.append(net.through(name, states[-1]))
    return states


def penalties(net: ChainNetwork, images: Tensor, scale: float) -> Tensor:
    """y_i = scale sum over j of (x_j - w_ij)^2, x the state of F6, w_i the code of class i (eq. 7).

    The paper has no scale; the authors' software takes half of the squared distance.
    """
    top = forward(net, images)[-1]
    y: Tensor = scale * net.output(top)
    return y


def loss(y: Tensor, label: Tensor, recipe: Recipe) -> Tensor:
    """Of one pattern with the penalties y: eq. 8, or eq. 9 with the rubbish class's penalty j."""
    right = y[0, label]
    if recipe.loss == "mle":
        return right
    return right + torch.logsumexp(-torch.cat([y[0], y.new_tensor([recipe.j])]), dim=0)


def gradient(net: ChainNetwork, energy: Tensor) -> dict[str, Tensor]:
    """dE/dw of one pattern, by the chain rule from the output down."""
    parameters = dict(net.named_parameters())
    return dict(zip(parameters, torch.autograd.grad(energy, [*parameters.values()]), strict=True))


@torch.no_grad()
def gauss_newton_diagonal(
    net: ChainNetwork, images: Tensor, output_curvature: OutputCurvature = 1.0
) -> dict[str, Tensor]:
    """The second derivative h_k of the mean loss along each trainable parameter.

    Two rules, layer by layer from the top. Through a squash (eq. 27, the f'' of eq. 26 dropped, so
    that nothing gets negative)

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
            twice the penalty scale. `loss_curvature` gives the exact alternative. > 0.

    Returns:
        A tensor >= 0 of the parameter's shape for each name of `net.named_parameters()`.

    Raises:
        ValueError: for an empty batch, or a constant that is not > 0 and finite.
    """
    if len(images) == 0:
        raise ValueError("the mean curvature of no image is undefined: expected at least one image")
    if not callable(output_curvature):
        check_positive(output_curvature=output_curvature)
    states = forward(net, images)
    if callable(output_curvature):
        of_states = output_curvature(states[-1])
    else:
        of_states = torch.full_like(states[-1], output_curvature)
    h = {
        name: of_states.mean(0).expand_as(centres)
        for name, centres in net.named_parameters()
        if name == "output.centres"
    }
    for name, x, below in zip(net.TRAINED_LAYERS[::-1], states[:0:-1], states[-2::-1], strict=True):
        of_sums = squash_derivative(net.squash_after(name), x).square() * of_states.view_as(x)
        of_weights, of_states = through_sums(net.get_submodule(name), below, of_sums)
        h |= {f"{name}.{weight}": summed / len(images) for weight, summed in of_weights.items()}
    return h


@torch.no_grad()
def step(w: Tensor, of_w: Tensor, h: Tensor, eta: float, mu: float) -> None:
    """w <- w - eta / (mu + h) dE/dw, in place (eqs. 18 and 21); mu keeps it finite where h is 0."""
    w.sub_(eta / (mu + h) * of_w)


def learn(
    net: ChainNetwork,
    images: Tensor,
    labels: Tensor,
    order: Tensor,
    recipe: Recipe,
    update: Callable[[Mapping[str, Tensor]], None],
) -> Iterator[tuple[Tensor, Tensor]]:
    """A pass, or a part of one: an update for each pattern, in that order.

    Args:
        net: learns in place.
        images, labels: `(P, 1, 32, 32)` and `(P,)`, the training set.
        order: `(N,)`, indices into it.
        recipe: says which loss.
        update: takes a step, given the gradient of each parameter; that of 1998 calls `step`.

    Yields:
        What was seen of each pattern before its update: penalties `(1, classes)`, and the loss.
    """
    for pattern in order:
        y = penalties(net, images[None, pattern], recipe.penalty_scale)
        energy = loss(y, labels[pattern], recipe)
        update(gradient(net, energy))
        yield y.detach(), energy.detach()
