"""Appendix C: second derivatives, against sums over every single connection and exact Hessians."""

from collections.abc import Callable, Iterator
from itertools import product

import pytest
import torch
from exact import randn, with_random_parameters
from networks import WithoutOutput
from torch import Tensor, nn
from torch.autograd.functional import hessian
from torch.func import functional_call

from lenet1998 import LeNet5Classic
from lenet1998.layers import EuclideanRBF, Subsampling, TableConv2d
from lenet1998.learning import gauss_newton_diagonal, loss_curvature
from lenet1998.learning.curvature import check_curvature, squash_derivative, through_sums
from lenet1998.learning.rule import forward
from lenet1998.losses import map_loss, mle_loss

Place = tuple[int, ...]
Connection = tuple[Place, str, Place, Place | None]
"""A unit, the name and index of the weight on its connection, and the input (a bias has none)."""


def small_network() -> WithoutOutput:
    """LeNet-5's kinds of layer, few enough units for loops: 8x8 -> 6x6 -> 3x3 -> 2x2 -> 1 -> 5."""
    net = WithoutOutput(
        8,
        c1=nn.Conv2d(1, 3, 3), s2=Subsampling(3), c3=TableConv2d(((0, 1), (1, 2), (0, 1, 2)), 2),
        c5=nn.Conv2d(3, 4, 2), f6=nn.Linear(4, 5),
    )  # fmt: skip
    return with_random_parameters(net)


def single_units() -> WithoutOutput:
    """One unit after another: no off-diagonal terms to drop."""
    layers = {name: nn.Linear(1, 1) for name in ("first", "second", "third")}
    return with_random_parameters(WithoutOutput(1, **layers))


# The recursion, connection by connection


def connections(layer: nn.Module, units: torch.Size) -> Iterator[Connection]:
    """Every connection of a layer whose output for one image has the shape `units`."""
    for unit in product(*map(range, units)):
        yield unit, "bias", unit[:1], None
        if isinstance(layer, nn.Linear):
            for j in range(layer.in_features):
                yield unit, "weight", (unit[0], j), (j,)
            continue
        output, row, column = unit
        side = layer.weight.shape[-1]
        if isinstance(layer, TableConv2d):
            first = sum(len(sources) for sources in layer.table[:output])
            kernels = [((first + i,), source) for i, source in enumerate(layer.table[output])]
        else:
            kernels = [((output, source), source) for source in range(layer.in_channels)]
        for (kernel, source), y, x in product(kernels, range(side), range(side)):
            yield unit, "weight", (*kernel, y, x), (source, row + y, column + x)


def by_connections(
    layer: nn.Module, x: Tensor, curvature: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """Eqs. 23 to 27 for one image: what each connection adds to its weight and to its input."""
    h = {name: torch.zeros_like(parameter) for name, parameter in layer.named_parameters()}
    below = torch.zeros_like(x)
    if isinstance(layer, Subsampling):
        for unit in product(*map(range, curvature.shape)):
            m, r, c = unit[0], 2 * unit[1], 2 * unit[2]
            window = (m, slice(r, r + 2), slice(c, c + 2))
            h["coefficient"][m] += curvature[unit] * x[window].sum() ** 2
            h["bias"][m] += curvature[unit]
            below[window] += layer.coefficient[m] ** 2 * curvature[unit]
        return h, below
    for unit, name, weight, source in connections(layer, curvature.shape):
        h[name][weight] += curvature[unit] * (1 if source is None else x[source] ** 2)
        if source is not None:
            below[source] += layer.get_parameter(name)[weight] ** 2 * curvature[unit]
    return h, below


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(2, 3, 2), (2, 2, 3, 4)),
        (TableConv2d(((0, 2), (1,), (0, 1, 2)), 2), (2, 3, 3, 2)),
        (Subsampling(2), (2, 2, 4, 5)),
        (nn.Linear(4, 3), (2, 4)),
    ],
    ids=["conv", "table-conv", "subsampling", "full"],
)
@torch.no_grad()
def test_a_layer_sums_over_the_connections_that_share_a_weight(
    layer: nn.Module, shape: tuple[int, ...]
) -> None:
    x = randn(*shape)
    curvature = with_random_parameters(layer)(x).square()
    of_parameters, of_inputs = through_sums(layer, x, curvature)
    images = [by_connections(layer, *image) for image in zip(x, curvature, strict=True)]
    assert set(of_parameters) == {name for name, _ in layer.named_parameters()}
    for name, summed in of_parameters.items():
        assert torch.allclose(summed, torch.stack([h[name] for h, _ in images]).sum(0))
    assert torch.allclose(of_inputs, torch.stack([below for _, below in images]))


@torch.no_grad()
def test_the_recursion_from_top_to_bottom() -> None:
    net, images = small_network(), randn(2, 1, 8, 8)
    top = randn(2, 5).square()
    expected = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    for image, curvature in zip(images, top, strict=True):
        states = [state[0] for state in forward(net, image.unsqueeze(0))]
        layers = zip(net.TRAINED_LAYERS, states[:-1], states[1:], strict=True)
        for name, below, state in reversed(list(layers)):
            layer = net.get_submodule(name)
            slope = (1.7159 - state**2 / 1.7159) * 2 / 3
            below = below.flatten() if isinstance(layer, nn.Linear) else below
            h, curvature = by_connections(layer, below, curvature.view_as(state) * slope**2)
            for parameter, value in h.items():
                expected[f"{name}.{parameter}"] += value / len(images)
    h = gauss_newton_diagonal(net, images, lambda states: top)
    assert set(h) == set(expected)
    assert all(torch.allclose(h[name], expected[name]) for name in expected)


# Against exact second derivatives


def hessian_diagonal(net: WithoutOutput, images: Tensor, name: str) -> Tensor:
    """Of half the squared distance of the top states to where they are, along one parameter.

    At that minimum the term that Gauss-Newton drops is 0.
    """
    target: Tensor = net(images).detach()

    def energy(parameter: Tensor) -> Tensor:
        top = functional_call(net, {name: parameter}, (images,))
        return 0.5 * (top - target).square().sum(1).mean()

    parameter = net.get_parameter(name).detach()
    return hessian(energy, parameter).view(2 * [parameter.numel()]).diagonal().view_as(parameter)


@pytest.mark.parametrize("name", ["f6.weight", "f6.bias"])
def test_the_last_layer_is_exact(name: str) -> None:
    net, images = small_network(), randn(3, 1, 8, 8)
    h = gauss_newton_diagonal(net, images)[name]
    assert torch.allclose(h, hessian_diagonal(net, images, name))


def test_a_chain_of_single_units_is_exact_down_to_its_first() -> None:
    net, images = single_units(), randn(3, 1, 1, 1)
    h = gauss_newton_diagonal(net, images)
    for name in h:
        assert torch.allclose(h[name], hessian_diagonal(net, images, name))


@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("loss", ["mle", "map"])
def test_loss_curvature_is_the_hessians_diagonal_whatever_the_label(
    loss: str, scale: float
) -> None:
    centres, states = 0.5 * randn(4, 6), 0.5 * randn(5, 6)
    rbf, j = EuclideanRBF(centres), 2.0
    of_penalties: Callable[[Tensor, Tensor], Tensor] = (
        mle_loss if loss == "mle" else lambda y, label: map_loss(y, label, j)
    )
    ours = loss_curvature(centres, loss=loss, penalty_scale=scale, j=j)(states)
    assert (ours >= 0).all()
    for label, (state, diagonal) in product(range(4), zip(states, ours, strict=True)):
        exact = hessian(
            lambda x, label=label: of_penalties(scale * rbf(x[None]), torch.tensor([label])), state
        )
        assert torch.allclose(diagonal, exact.diagonal())


def test_the_default_is_the_curvature_of_half_distances() -> None:
    net, images, centres = small_network(), randn(2, 1, 8, 8), randn(3, 5)
    half = gauss_newton_diagonal(
        net, images, loss_curvature(centres, loss="mle", penalty_scale=0.5)
    )
    full = gauss_newton_diagonal(net, images, loss_curvature(centres, loss="mle"))
    for name, h in gauss_newton_diagonal(net, images).items():
        assert torch.allclose(half[name], h)
        assert torch.allclose(full[name], 2 * h)


@pytest.mark.parametrize("loss", ["mse", "hinge"])
def test_another_loss_is_named(loss: str) -> None:
    with pytest.raises(ValueError, match=rf"'mle' .* or 'map' .* got '{loss}'"):
        loss_curvature(torch.zeros(2, 3), loss=loss)


def test_a_rectified_unit_at_zero_passes_nothing() -> None:
    slope = squash_derivative(nn.ReLU(), torch.tensor([0.0, 0.5]))
    assert slope.tolist() == [0, 1] and slope.dtype == torch.float32


@pytest.mark.parametrize(
    "held", [{}, {"w": torch.zeros(2)}, {"w": torch.zeros(4)}], ids=["none", "few", "many"]
)
def test_a_parameter_without_its_curvature_is_named(held: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"curvature of w: expected shape \(3,\), got"):
        check_curvature({"w": torch.zeros(3)}, held)


# On LeNet-5


def test_curvature_of_lenet5_is_complete_and_not_negative() -> None:
    net = LeNet5Classic()
    h = gauss_newton_diagonal(net, torch.rand(3, 1, 32, 32))
    assert {n: d.shape for n, d in h.items()} == {n: p.shape for n, p in net.named_parameters()}
    assert all((d >= 0).all() and d.max() > 0 and not d.requires_grad for d in h.values())
    assert all(p.grad is None for p in net.parameters())


def test_mistake_batch_summed_before_squaring() -> None:
    """The mean over patterns of each one's own second derivative, which no order can change."""
    net, images = LeNet5Classic().double(), randn(3, 1, 32, 32)
    singles = [gauss_newton_diagonal(net, image[None]) for image in images]
    for name, h in gauss_newton_diagonal(net, images).items():
        assert torch.allclose(h, torch.stack([single[name] for single in singles]).mean(0))


def test_no_image_has_no_curvature() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        gauss_newton_diagonal(LeNet5Classic(), torch.zeros(0, 1, 32, 32))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_no_curvature_enters_but_a_positive_one(value: float) -> None:
    with pytest.raises(ValueError, match=f"expected output_curvature > 0 and finite, got {value}"):
        gauss_newton_diagonal(LeNet5Classic(), torch.zeros(1, 1, 32, 32), value)
    with pytest.raises(ValueError, match=f"expected penalty_scale > 0 and finite, got {value}"):
        loss_curvature(torch.ones(2, 3), loss="map", penalty_scale=value)
    with pytest.raises(ValueError, match="penalty j"):
        loss_curvature(torch.ones(2, 3), loss="map", j=float("nan"))
