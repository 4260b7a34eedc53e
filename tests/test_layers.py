"""Sections II.A and II.B: each layer against its own sum, written out in loops, and gradcheck."""

from itertools import product

import pytest
import torch
from exact import randn, with_random_parameters
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call

from lenet1998 import codes
from lenet1998.layers import CoveringConv2d, EuclideanRBF, Squash, Subsampling, TableConv2d
from lenet1998.models.classic import TABLE_I

SEEDS = st.integers(0, 2**32 - 1)
TABLES = st.lists(st.sets(st.integers(0, 4), min_size=1).map(sorted), min_size=1, max_size=4)
SMALL_TABLE = ((0, 2), (1,), (0, 1, 2))


# All four


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Squash(), (2, 3)),
        (Subsampling(2), (2, 2, 4, 5)),
        (TableConv2d(SMALL_TABLE, 2), (2, 3, 4, 3)),
        (EuclideanRBF(codes.centres("01")[:, :9]), (3, 9)),
        (EuclideanRBF(codes.centres("01")[:, :9], trainable=True), (3, 9)),
    ],
    ids=["squash", "subsampling", "table-conv", "rbf", "trainable-rbf"],
)
def test_first_and_second_derivatives(layer: nn.Module, shape: tuple[int, ...]) -> None:
    names = [name for name, _ in with_random_parameters(layer).named_parameters()]

    def run(x: Tensor, *parameters: Tensor) -> Tensor:
        y: Tensor = functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))
        return y

    variables = (randn(*shape).requires_grad_(), *layer.parameters())
    assert gradcheck(run, variables)
    assert gradgradcheck(run, variables)


# Squash


def test_squash_leaves_0_and_plus_and_minus_1_where_they_are() -> None:
    points = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    assert torch.allclose(Squash()(points), points, rtol=0, atol=1e-4)


def test_squash_is_the_papers() -> None:
    x = Squash()(torch.tensor([1e9, 0.5], dtype=torch.float64))
    assert x[0] == 1.7159
    assert x[1].item() == pytest.approx(1.7159 * 0.32151273753163434)  # tanh(1/3)


def test_squash_bends_most_near_plus_and_minus_1() -> None:
    activation = torch.linspace(-4, 4, 8001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(Squash()(activation).sum(), activation, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), activation)
    assert abs(activation[bend.argmin()].item() - 1) < 0.02
    assert abs(activation[bend.argmax()].item() + 1) < 0.02


@given(st.floats(-30, 30))
def test_squash_derivative_follows_from_the_state(value: float) -> None:
    activation = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    state = Squash()(activation)
    (derivative,) = torch.autograd.grad(state, activation)
    assert torch.allclose(Squash.derivative(state.detach()), derivative, atol=1e-12)


# Subsampling


@settings(max_examples=25)
@given(SEEDS, st.integers(0, 2), st.integers(1, 3), st.integers(2, 7), st.integers(2, 7))
def test_subsampling_is_its_sum(seed: int, count: int, maps: int, height: int, width: int) -> None:
    """Odd sides too: the last row or column has no partner and is left out."""
    torch.manual_seed(seed)
    layer = with_random_parameters(Subsampling(maps))
    x = randn(count, maps, height, width)
    expected = torch.empty(count, maps, height // 2, width // 2, dtype=x.dtype)
    for n, m, r, c in product(*map(range, expected.shape)):
        four = x[n, m, 2 * r, 2 * c] + x[n, m, 2 * r, 2 * c + 1]
        four = four + x[n, m, 2 * r + 1, 2 * c] + x[n, m, 2 * r + 1, 2 * c + 1]
        expected[n, m, r, c] = layer.coefficient[m] * four + layer.bias[m]
    assert torch.allclose(layer(x), expected)


def test_mistake_subsampling_bias_multiplied_by_the_coefficient() -> None:
    layer = Subsampling(1)
    nn.init.constant_(layer.coefficient, 10.0)
    nn.init.constant_(layer.bias, 3.0)
    assert layer(torch.zeros(1, 1, 2, 2)).item() == 3.0


def test_fresh_subsampling_keeps_a_constant_level() -> None:
    level = torch.full((1, 6, 4, 4), 0.7)
    assert torch.allclose(Subsampling(6)(level), level[..., :2, :2])


# TableConv2d


@settings(max_examples=25)
@given(SEEDS, TABLES, st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))
def test_table_conv_is_its_sum(
    seed: int, table: list[list[int]], side: int, count: int, more: int
) -> None:
    torch.manual_seed(seed)
    layer = with_random_parameters(TableConv2d(table, side))
    x = randn(count, 1 + max(map(max, table)), side + more, side + 1)
    expected = torch.empty(count, len(table), 1 + more, 2, dtype=x.dtype)
    for n, o, r, c in product(*map(range, expected.shape)):
        first = sum(len(row) for row in table[:o])
        total = layer.bias[o]
        for kernel, source in enumerate(table[o], start=first):
            total = total + (layer.weight[kernel] * x[n, source, r : r + side, c : c + side]).sum()
        expected[n, o, r, c] = total
    assert torch.allclose(layer(x), expected)


@given(SEEDS, TABLES)
def test_table_conv_is_a_dense_one_with_masked_weights(seed: int, table: list[list[int]]) -> None:
    torch.manual_seed(seed)
    layer = with_random_parameters(TableConv2d(table, 2))
    mask = torch.zeros(layer.out_maps, layer.in_maps, dtype=torch.bool)
    for output, row in enumerate(table):
        mask[output, row] = True
    dense = randn(layer.out_maps, layer.in_maps, 2, 2) * mask[..., None, None]
    with torch.no_grad():
        layer.weight.copy_(dense[mask])  # by output map, then by ascending input map
    x = randn(2, layer.in_maps, 4, 4)
    assert torch.equal(layer.dense_weight(), dense)
    assert torch.allclose(layer(x), nn.functional.conv2d(x, dense, layer.bias))


def test_mistake_masked_dense_c3() -> None:
    layer = TableConv2d(TABLE_I, kernel_size=5)
    assert layer.weight.shape == (60, 5, 5)
    assert sum(p.numel() for p in layer.parameters()) == 1_516  # a dense plan has 2,416
    absent = layer.dense_weight().detach() == 0
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, weight_decay=0.1)
    layer(torch.randn(1, 6, 14, 14)).square().sum().backward()
    optimizer.step()
    assert torch.equal(layer.dense_weight() == 0, absent)
    assert absent.sum() == (16 * 6 - 60) * 25


def test_no_gradient_crosses_an_absent_connection() -> None:
    layer = with_random_parameters(TableConv2d(TABLE_I, kernel_size=5))
    x = randn(1, 6, 5, 5).requires_grad_()
    for output, row in enumerate(TABLE_I):
        (gradient,) = torch.autograd.grad(layer(x)[0, output].sum(), x)
        reached = gradient.abs().amax((0, 2, 3)).nonzero().flatten().tolist()
        assert tuple(reached) == row


def test_table_conv_starts_even_around_0() -> None:
    weight = TableConv2d([[0, 1], [1, 2, 3]], kernel_size=20).weight  # 2000 of them
    for of_map, fan_in in zip(weight.split([2, 3]), (800, 1200), strict=True):
        scaled = of_map * fan_in**0.5
        assert scaled.min() < -0.95 and scaled.max() > 0.95 and scaled.abs().max() <= 1
        assert abs(scaled.mean()) < 0.1


@pytest.mark.parametrize("size", [(5, 5), (7, 6), (5, 9)], ids=str)
def test_covering_conv_is_a_convolution_on_any_field(size: tuple[int, int]) -> None:
    layer = with_random_parameters(CoveringConv2d(3, 4, kernel_size=5)).double()
    maps = randn(2, 3, *size)
    expected = nn.functional.conv2d(maps, layer.weight, layer.bias)
    assert torch.allclose(layer(maps), expected)


def test_mistake_c3_fan_in_not_taken_per_map() -> None:
    layer = TableConv2d([[0], list(range(25))], kernel_size=10)
    assert layer.fan_in == (100, 2500)
    few, many = layer.weight[:1].abs().max().item(), layer.weight[1:].abs().max().item()
    assert 0.09 < few <= 1 / 10
    assert 0.019 < many <= 1 / 50
    assert not layer.bias.any()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "table is empty"),
        ([[0], []], r"output map 1 .* sees \(\)"),
        ([[1, 0]], r"output map 0 .* sees \(1, 0\).*ascending"),
        ([[0], [1], [2, 2]], r"output map 2 .* sees \(2, 2\)"),
        ([[-1, 0]], r"sees \(-1, 0\)"),
    ],
)
def test_a_broken_table_is_named(table: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TableConv2d(table, kernel_size=3)


def test_the_plan_of_the_table_moves_but_is_not_saved() -> None:
    layer = TableConv2d(SMALL_TABLE, kernel_size=2)
    assert set(layer.state_dict()) == {"weight", "bias"}
    assert layer.to("meta").connection.is_meta


# EuclideanRBF


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 4), st.integers(1, 6), st.lists(st.integers(0, 3), max_size=2))
def test_rbf_is_its_sum(seed: int, classes: int, units: int, leading: list[int]) -> None:
    torch.manual_seed(seed)
    centres, states = randn(classes, units), randn(*leading, units)
    penalties = EuclideanRBF(centres)(states)
    assert penalties.shape == (*leading, classes)
    assert (penalties >= 0).all()
    for state, penalty in zip(
        states.reshape(-1, units), penalties.reshape(-1, classes), strict=True
    ):
        for i in range(classes):
            total = sum((state[j] - centres[i, j]) ** 2 for j in range(units))
            assert torch.allclose(penalty[i], total)


def test_rbf_keeps_its_digits_near_a_code() -> None:
    centres = codes.centres()
    state = centres[3] + 1e-4 * torch.randn(84)
    penalty = EuclideanRBF(centres)(state)[3].item()
    exact = EuclideanRBF(centres.double())(state.double())[3].item()
    assert penalty == pytest.approx(exact, rel=1e-5)


def test_mistake_codes_trainable_by_default() -> None:
    layer = EuclideanRBF(codes.centres())
    assert list(layer.parameters()) == []
    assert not layer.centres.requires_grad
    assert set(layer.state_dict()) == {"centres"}


def test_mistake_codes_left_behind_by_to() -> None:
    layer = EuclideanRBF(codes.centres())
    assert layer.to(torch.float64).centres.dtype == torch.float64
    assert layer.to("meta").centres.is_meta


def test_trainable_codes_on_request() -> None:
    centres = codes.centres()
    layer = EuclideanRBF(centres, trainable=True)
    assert [name for name, _ in layer.named_parameters()] == ["centres"]
    layer(torch.zeros(84)).sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    assert not torch.equal(layer.centres, centres)
    assert torch.equal(centres, codes.centres()), "the caller's tensor is not the parameter"


@pytest.mark.parametrize("shape", [(84,), (10, 12, 7)])
def test_rbf_refuses_centres_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected centres of shape \(classes, units\)"):
        EuclideanRBF(torch.zeros(shape))
