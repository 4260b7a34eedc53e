"""The rule of 1998 on its page: each line against what PyTorch makes of the paper's formula.

`test_reference.py` drives it along the recorded trajectory.
"""

import copy

import pytest
import torch
from exact import with_random_parameters
from networks import with_small_kernels
from torch import Tensor

from lenet1998.learning import Recipe, StochasticDiagonalLM, rule
from lenet1998.losses import map_loss, mle_loss
from lenet1998.models import LeNet5Classic
from lenet1998.models.chain import ChainNetwork

RECIPES = pytest.mark.parametrize(
    "recipe",
    [Recipe(), Recipe(loss="mle", penalty_scale=1.0), Recipe(penalty_scale=0.02, j=2.5)],
    ids=["map", "mle", "another scale and j"],
)


@pytest.fixture
def net() -> LeNet5Classic:
    return with_random_parameters(LeNet5Classic(), std=0.2)


@pytest.fixture
def images() -> Tensor:
    return torch.empty(6, 1, 32, 32, dtype=torch.float64).uniform_(-0.1, 1.175)


def energy_of(net: ChainNetwork, image: Tensor, label: Tensor, recipe: Recipe) -> Tensor:
    y = recipe.penalty_scale * net(image[None])
    return mle_loss(y, label[None]) if recipe.loss == "mle" else map_loss(y, label[None], recipe.j)


def test_forward_and_penalties_are_the_networks(net: LeNet5Classic, images: Tensor) -> None:
    states = rule.forward(net, images)
    assert states[0] is images
    assert [tuple(x.shape[1:]) for x in states[1:]] == [
        (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1), (84,),
    ]  # fmt: skip
    assert torch.allclose(states[-1], net.f6_state(images))
    assert torch.allclose(rule.penalties(net, images, 0.3), 0.3 * net(images))


@RECIPES
@pytest.mark.parametrize("spread", [0.1, 10.0, 1000.0])
def test_loss_is_eq_8_or_eq_9(recipe: Recipe, spread: float) -> None:
    y = spread * torch.rand(1, 10, dtype=torch.float64)
    for label in range(10):
        expected = (
            mle_loss(y, torch.tensor([label]))
            if recipe.loss == "mle"
            else map_loss(y, torch.tensor([label]), recipe.j)
        )
        assert torch.allclose(rule.loss(y, torch.tensor(label), recipe), expected, atol=1e-10)


@RECIPES
def test_gradient_is_autograds(net: LeNet5Classic, images: Tensor, recipe: Recipe) -> None:
    label = torch.tensor(3)
    y = rule.penalties(net, images[:1], recipe.penalty_scale)
    gradient = rule.gradient(net, rule.loss(y, label, recipe))
    energy_of(net, images[0], label, recipe).backward()
    assert list(gradient) == [name for name, _ in net.named_parameters()]
    for name, parameter in net.named_parameters():
        assert torch.allclose(gradient[name], parameter.grad), name
        assert gradient[name].any(), name


def test_step_by_hand() -> None:
    w, h = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([0.0, 3.9])
    rule.step(w, torch.tensor([0.5, -8.0]), h, eta=0.02, mu=0.1)
    assert w.tolist() == pytest.approx([1 - 0.02 / 0.1 * 0.5, 2 + 0.02 / 4 * 8])


@RECIPES
def test_a_pass_is_one_update_after_the_other(recipe: Recipe) -> None:
    net = with_random_parameters(with_small_kernels(), std=0.2)
    images = torch.rand(6, 1, 22, 22, dtype=torch.float64)
    labels, order = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([4, 0, 4, 5])
    eta, h = 0.01, rule.gauss_newton_diagonal(net, images, 2 * recipe.penalty_scale)
    mine = copy.deepcopy(net)
    optimiser = StochasticDiagonalLM(mine, eta=eta, mu=recipe.mu)
    optimiser.set_curvature(h)

    def update(gradient: dict[str, Tensor]) -> None:
        for name, w in net.named_parameters():
            rule.step(w, gradient[name], h[name], eta, recipe.mu)

    seen = rule.learn(net, images, labels, order, recipe, update)
    for (y, energy), pattern in zip(seen, order, strict=True):
        expected = energy_of(mine, images[pattern], labels[pattern], recipe)
        assert torch.allclose(y, recipe.penalty_scale * mine(images[pattern][None]))
        assert torch.allclose(energy, expected)
        assert not y.requires_grad and not energy.requires_grad
        optimiser.zero_grad()
        expected.backward()
        optimiser.step()
    for name, parameter in net.named_parameters():
        assert torch.allclose(parameter, mine.get_parameter(name)), name
