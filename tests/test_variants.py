"""LeNet-5 with one part replaced, in both trainers."""

import pytest
import torch
from exact import randn, with_random_parameters
from networks import randomised
from torch import nn
from torch.autograd.functional import hessian
from torch.func import functional_call

from lenet1998.codes import centres
from lenet1998.evaluation import scores
from lenet1998.layers import Squash, Subsampling
from lenet1998.learning import FusedTrainer, Recipe, ReferenceTrainer, gauss_newton_diagonal
from lenet1998.learning.curvature import back_propagate_curvature, squash_derivative
from lenet1998.learning.recipe import initialise
from lenet1998.losses import map_loss
from lenet1998.models import LeNet5Classic
from lenet1998.models.base import ClassicNetwork
from lenet1998.models.variants import VARIANTS, LeNet5Variant, PlainTanh

PARAMETERS = {
    "published": 60_000,
    "full-c3": 60_900,
    "random-codes": 60_000,
    "one-of-ten-codes": 51_046,
    "average-pooling": 59_956,
    "max-pooling": 59_956,
    "plain-tanh": 60_000,
    "relu": 60_000,
    "trainable-centres": 60_840,
}


@pytest.fixture(params=VARIANTS)
def name(request):
    return request.param


@pytest.fixture
def net(name):
    return randomised(VARIANTS[name]())


@pytest.fixture(scope="module")
def patterns():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(24, 1, 32, 32, generator=generator) * 1.275 - 0.1
    return images, torch.randint(10, (24,), generator=generator)


# What is replaced


def test_parameters(name):
    assert sum(p.numel() for p in VARIANTS[name]().parameters()) == PARAMETERS[name]


def test_the_published_network_is_no_variant(patterns):
    assert VARIANTS["published"] is LeNet5Classic
    published, variant = randomised(LeNet5Classic()), randomised(LeNet5Variant())
    assert list(variant.state_dict()) == list(published.state_dict())
    assert torch.equal(variant(patterns[0]), published(patterns[0]))


def test_what_follows_each_layer():
    kinds = {
        name: [type(net.squash_after(layer)) for layer in net.TRAINED_LAYERS]
        for name, net in ((name, make()) for name, make in VARIANTS.items())
    }
    pooled = [Squash, nn.Identity, Squash, nn.Identity, Squash, Squash]
    expected = {
        "average-pooling": pooled,
        "max-pooling": pooled,
        "plain-tanh": [PlainTanh] * 6,
        "relu": [nn.ReLU] * 5 + [Squash],
    }
    assert kinds == {name: expected.get(name, [Squash] * 6) for name in VARIANTS}
    assert torch.equal(PlainTanh()(torch.tensor([-0.3, 2.0])), torch.tensor([-0.3, 2.0]).tanh())


def test_misspelt_layers_are_named():
    with pytest.raises(ValueError, match=r"no part 's22': .*c1, s2.*, f6, output, squash"):
        LeNet5Variant(s22=nn.AvgPool2d(2))
    with pytest.raises(ValueError, match=r"no layer to follow 's22': .*c1, s2, c3, s4, c5, f6$"):
        LeNet5Variant({"s22": nn.Identity()})


def test_codes():
    random, again = (VARIANTS["random-codes"]().output.centres for _ in range(2))
    assert torch.equal(random, again)
    assert random.shape == (10, 84) and (random.abs() == 1).all()
    assert len(random.unique(dim=0)) == 10 and not torch.equal(random, centres())
    place = VARIANTS["one-of-ten-codes"]().output.centres
    assert (place.diagonal() == 1).all() and (place.sum(1) == -8).all()
    assert torch.equal(VARIANTS["trainable-centres"]().output.centres, centres())


def test_every_position_of_a_larger_field_is_read_as_a_crop(net, patterns):
    field = torch.cat([patterns[0][:1], patterns[0][1:2]], dim=-1)  # (1, 1, 32, 64)
    with torch.no_grad():
        crops = torch.cat([net(field[..., x : x + 32]) for x in range(0, 33, 4)])
        torch.testing.assert_close(net.penalty_map(field)[0, :, 0].T, crops, rtol=1e-4, atol=1e-4)


def test_initialised_from_the_seed_alone(name):
    nets = [VARIANTS[name]() for _ in range(2)]
    for net in nets:
        initialise(net, Recipe(variant=name, seed=3))
    assert all(torch.equal(a, b) for a, b in zip(*(n.parameters() for n in nets), strict=True))
    assert nets[0].c1.weight.abs().max() <= 1 / 5
    c3 = nets[0].c3.weight
    fan_in = 25 * (6 if name == "full-c3" else 3)  # the first map's
    assert 0.9 * fan_in**-0.5 < c3[: fan_in // 25].abs().max() <= fan_in**-0.5
    assert isinstance(nets[0].s2, Subsampling) != ("pooling" in name)


# Both trainers


@pytest.mark.parametrize("output_curvature", ["constant", "loss"])
def test_curvature_equals_the_reference(name, net, patterns, output_curvature):
    recipe = Recipe(variant=name, output_curvature=output_curvature)
    expected = ReferenceTrainer(net, recipe).estimate_curvature(patterns[0][:6])
    ours = FusedTrainer(net, recipe).estimate_curvature(patterns[0][:6])
    assert ours.keys() == expected.keys() == dict(net.named_parameters()).keys()
    for parameter, h in expected.items():
        assert (ours[parameter] - h).norm() < 1e-4 * h.norm(), parameter


def test_scores_equal_the_network(net, patterns):
    with torch.no_grad():
        torch.testing.assert_close(scores(net, patterns[0]), net(patterns[0]), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("trainer_class", [ReferenceTrainer, FusedTrainer])
def test_sgd_steps_by_autograds_gradient_whatever_the_curvature(name, net, patterns, trainer_class):
    images, labels = patterns
    recipe = Recipe(variant=name, rule="sgd", penalty_scale=0.01)
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    loss = map_loss(recipe.penalty_scale * net(images[4:5]), labels[4:5], recipe.j)
    gradients = torch.autograd.grad(loss, list(net.parameters()))
    trainer = trainer_class(net, recipe)
    trainer.set_curvature({n: torch.rand_like(p) for n, p in net.named_parameters()})
    trainer.learn(images, labels, torch.tensor([4]), eta=recipe.mu)  # a step of 1
    for (parameter, after), gradient in zip(net.named_parameters(), gradients, strict=True):
        # The difference of weights of order 1 leaves absolute rounding of 1e-7.
        moved = before[parameter] - after.detach()
        assert (moved - gradient).norm() < 2e-5 * gradient.norm() + 1e-5, parameter
    assert all(gradient.any() for gradient in gradients)


def test_many_updates_equal_the_reference(name, net, patterns):
    images, labels = patterns
    order = torch.randint(24, (40,), generator=torch.Generator().manual_seed(3))
    recipe = Recipe(variant=name, mu=0.5)
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    after = []
    for trainer_class in (ReferenceTrainer, FusedTrainer):
        net.load_state_dict(before, strict=False)
        trainer = trainer_class(net, recipe)
        trainer.set_curvature(trainer.estimate_curvature(images))
        trainer.learn(images, labels, order, eta=1e-3)
        after.append({n: p.detach().clone() for n, p in net.named_parameters()})
    for parameter in before:
        moved = (after[0][parameter] - before[parameter]).norm()
        apart = (after[0][parameter] - after[1][parameter]).norm()
        assert moved > 1e-4, parameter
        assert apart < 2e-3 * moved, parameter


# Second derivatives


@pytest.mark.parametrize("pooling", [nn.AvgPool2d(2), nn.MaxPool2d(2)], ids=["average", "maximum"])
def test_curvature_of_pooling_connection_by_connection(pooling):
    x, curvature = randn(2, 3, 5, 4), randn(2, 3, 2, 2).square()
    expected = torch.zeros_like(x)
    for n, m, r, c in torch.ones(2, 3, 2, 2).nonzero().tolist():
        rows, columns = (2 * r, 2 * r + 1), (2 * c, 2 * c + 1)
        window = [(n, m, i, j) for i in rows for j in columns]
        if isinstance(pooling, nn.AvgPool2d):
            for pixel in window:
                expected[pixel] = curvature[n, m, r, c] / 16
        else:
            expected[max(window, key=lambda pixel: x[pixel].item())] = curvature[n, m, r, c]
    of_parameters, of_inputs = back_propagate_curvature(pooling, x, curvature)
    assert of_parameters == {}
    assert torch.allclose(of_inputs, expected)


class OnePath(ClassicNetwork):
    """A weight that reaches the top by one path at most: no off-diagonal terms to drop."""

    TRAINED_LAYERS = ("first", "pooling", "last")

    def __init__(self, pooling: nn.Module, squash: nn.Module) -> None:
        super().__init__()
        self.first, self.pooling, self.last = nn.Conv2d(1, 1, 1), pooling, nn.Linear(1, 1)
        self.squash = squash

    def squash_after(self, layer):
        return nn.Identity() if layer == "pooling" else self.squash

    def forward(self, x):
        x = self.pooling(self.squash(self.first(x)))
        return self.squash(self.last(x.flatten(1)))


@pytest.mark.parametrize("pooling", [nn.AvgPool2d(2), nn.MaxPool2d(2)], ids=["average", "maximum"])
@pytest.mark.parametrize("squash", [Squash(), PlainTanh(), nn.ReLU()], ids=["1998", "tanh", "relu"])
def test_one_path_is_exact(pooling, squash):
    net = with_random_parameters(OnePath(pooling, squash))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()  # where a rectifier is not flat
    # One pixel of ink: the other connections of the first weight see 0.
    image = torch.tensor([[0.0, 0.0], [0.8, 0.0]], dtype=torch.float64)[None, None]
    target = net(image).detach()
    h = gauss_newton_diagonal(net, image)
    for name in ("first.weight", "last.weight", "last.bias"):

        def energy(parameter, name=name):
            return 0.5 * (functional_call(net, {name: parameter}, (image,)) - target).square().sum()

        exact = hessian(energy, net.get_parameter(name).detach())
        assert exact.item() > 0
        assert torch.allclose(h[name].flatten(), exact.flatten()), name


def test_an_unknown_squash_is_named():
    with pytest.raises(TypeError, match="Sigmoid"):
        squash_derivative(nn.Sigmoid(), torch.zeros(1))


def test_centres_bend_as_the_states_of_f6(patterns):
    net, images = randomised(VARIANTS["trainable-centres"]()), patterns[0][:3]
    recipe = Recipe(variant="trainable-centres", penalty_scale=0.7)
    h = ReferenceTrainer(net, recipe).estimate_curvature(images)["output.centres"]
    torch.testing.assert_close(h, torch.full((10, 84), 1.4))
    of_states = torch.rand(3, 84)
    h = gauss_newton_diagonal(net, images, lambda states: of_states)["output.centres"]
    torch.testing.assert_close(h, of_states.mean(0).expand(10, 84))
    assert "output.centres" not in gauss_newton_diagonal(LeNet5Classic(), images)
