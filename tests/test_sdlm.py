"""Appendix C, eqs. 18 to 22: the update rule, parameter by parameter."""

import io
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lenet1998.learning.sdlm import StochasticDiagonalLM

ETA, MU = 0.01, 0.1


@pytest.fixture
def net() -> nn.Linear:
    return nn.Linear(3, 2).double()


def random_like(net: nn.Module) -> dict[str, Tensor]:
    return {name: torch.rand_like(p) for name, p in net.named_parameters()}


def movement(
    optimizer: torch.optim.Optimizer, net: nn.Module, gradient: dict[str, Tensor]
) -> dict[str, Tensor]:
    """What one step with this gradient subtracts from each parameter."""
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    for name, parameter in net.named_parameters():
        parameter.grad = gradient[name]
    optimizer.step()
    return {name: before[name] - p.detach() for name, p in net.named_parameters()}


def ready(net: nn.Module, curvature: dict[str, Tensor]) -> StochasticDiagonalLM:
    optimizer = StochasticDiagonalLM(net, eta=ETA, mu=MU)
    optimizer.set_curvature(curvature)
    return optimizer


def test_step_is_eta_over_mu_plus_h_times_the_gradient(net: nn.Linear) -> None:
    h, gradient = random_like(net), random_like(net)
    moved = movement(ready(net, h), net, gradient)
    for name, values in moved.items():
        for k in product(*map(range, values.shape)):
            expected = ETA / (MU + h[name][k].item()) * gradient[name][k].item()
            assert values[k].item() == pytest.approx(expected, rel=1e-9)


def test_mistake_one_rate_per_layer(net: nn.Linear) -> None:
    h = random_like(net)
    ones = {name: torch.ones_like(value) for name, value in h.items()}
    moved = movement(ready(net, h), net, ones)
    assert torch.cat([values.flatten() for values in moved.values()]).unique().numel() == 8


def test_mistake_averaged_squared_gradients(net: nn.Linear) -> None:
    """h is the curvature and nothing else: past gradients leave no trace, and none is squared."""
    optimizer = ready(net, random_like(net))
    gradient, other = random_like(net), random_like(net)
    first = movement(optimizer, net, gradient)
    movement(optimizer, net, other)
    double = movement(optimizer, net, {name: 2 * g for name, g in gradient.items()})
    assert all(torch.allclose(double[name], 2 * first[name]) for name in first)


def test_mistake_curvature_estimated_once_for_ever(net: nn.Linear) -> None:
    optimizer, gradient = ready(net, random_like(net)), random_like(net)
    movement(optimizer, net, gradient)
    h = random_like(net)
    optimizer.set_curvature(h)
    moved = movement(optimizer, net, gradient)
    assert torch.allclose(moved["weight"], ETA / (MU + h["weight"]) * gradient["weight"])


def test_curvature_is_fixed_until_set_again(net: nn.Linear) -> None:
    h, gradient = random_like(net), random_like(net)
    optimizer = ready(net, h)
    first = movement(optimizer, net, gradient)
    h["weight"].zero_()
    assert torch.allclose(movement(optimizer, net, gradient)["weight"], first["weight"])


def test_a_schedule_may_change_eta(net: nn.Linear) -> None:
    optimizer, gradient = ready(net, random_like(net)), random_like(net)
    first = movement(optimizer, net, gradient)
    optimizer.param_groups[0]["eta"] = ETA / 5
    assert torch.allclose(movement(optimizer, net, gradient)["bias"], first["bias"] / 5)


def test_frozen_and_unused_parameters_stay(net: nn.Linear) -> None:
    net.bias.requires_grad_(False)
    optimizer = ready(net, {"weight": torch.ones(2, 3, dtype=torch.float64)})
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer.step()
    assert all(torch.equal(p, before[name]) for name, p in net.named_parameters())


def test_closure_is_run_with_gradients_and_its_loss_returned(net: nn.Linear) -> None:
    optimizer = ready(net, random_like(net))
    before = net.weight.detach().clone()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = net(torch.ones(1, 3, dtype=torch.float64)).square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() > 0
    assert not torch.equal(net.weight, before)


def test_state_dict_keeps_rates_and_curvature(net: nn.Linear) -> None:
    file = io.BytesIO()
    h, gradient = random_like(net), random_like(net)
    torch.save(ready(net, h).state_dict(), file)
    file.seek(0)
    resumed = StochasticDiagonalLM(net, eta=1.0, mu=1.0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    moved = movement(resumed, net, gradient)
    assert all(torch.allclose(moved[n], ETA / (MU + h[n]) * gradient[n]) for n in moved)


# What it refuses


@pytest.mark.parametrize("value", [0.0, -0.1, float("nan"), float("inf"), True, "a"])
@pytest.mark.parametrize("name", ["eta", "mu"])
def test_rates_are_positive(net: nn.Linear, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"expected {name} > 0 and finite, got {value!r}"):
        StochasticDiagonalLM(net, **{"eta": ETA, "mu": MU, name: value})


def test_no_step_without_curvature(net: nn.Linear) -> None:
    with pytest.raises(RuntimeError, match="call set_curvature"):
        movement(StochasticDiagonalLM(net, eta=ETA, mu=MU), net, random_like(net))


@pytest.mark.parametrize(
    ("h", "message"),
    [
        ({"weight": torch.ones(2, 3)}, r"curvature of bias: expected shape \(2,\), got nothing"),
        (
            {"weight": torch.ones(3, 2), "bias": torch.ones(2)},
            r"curvature of weight: expected shape \(2, 3\), got \(3, 2\)",
        ),
    ],
)
def test_curvature_of_another_network(net: nn.Linear, h: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ready(net, h)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1])
def test_no_curvature_but_finite_and_positive(net: nn.Linear, value: float) -> None:
    h = random_like(net)
    h["weight"][1, 2] = value
    with pytest.raises(ValueError, match=r"curvature of weight: expected finite values >= 0, they"):
        StochasticDiagonalLM(net, eta=ETA, mu=MU).set_curvature(h)


def test_rates_may_be_numpys(net: nn.Linear) -> None:
    StochasticDiagonalLM(net, eta=np.float32(ETA), mu=np.float64(MU))
