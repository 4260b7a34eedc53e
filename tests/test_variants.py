"""LeNet-5 with one part replaced; `test_kernels.py` holds both trainers of it to each other."""

import pytest
import torch
from exact import randn, with_random_parameters
from networks import WithoutOutput, randomised
from torch import nn
from torch.autograd.functional import hessian
from torch.func import functional_call

from lenet1998 import catalogue
from lenet1998.codes import centres
from lenet1998.layers import Squash, Subsampling
from lenet1998.learning import Recipe, ReferenceTrainer, gauss_newton_diagonal
from lenet1998.learning.curvature import squash_derivative, through_sums
from lenet1998.models import LeNet5Classic
from lenet1998.models.variants import HighTanh, LeNet5Variant, LowTanh, PlainTanh

PARAMETERS = {
    "full-c3": 60_900,
    "random-codes": 60_000,
    "one-of-ten-codes": 51_046,
    "average-pooling": 59_956,
    "max-pooling": 59_956,
    "plain-tanh": 60_000,
    "low-squash": 60_000,
    "high-squash": 60_000,
    "relu": 60_000,
    "trainable-centres": 60_840,
    "crowded-centres": 60_840,
}

POOLINGS = pytest.mark.parametrize(
    "pooling", [nn.AvgPool2d(2), nn.MaxPool2d(2)], ids=["average", "maximum"]
)


def build(name):
    return catalogue.find(name).build()


@pytest.fixture(params=PARAMETERS)
def name(request):
    return request.param


@pytest.fixture
def images():
    return torch.rand(3, 1, 32, 32) * 1.275 - 0.1


# What is replaced


def test_all_are_counted():
    variants = {
        n for n, entry in catalogue.NETWORKS.items() if entry.network.startswith("variants:")
    }
    assert variants == set(PARAMETERS)


def test_parameters(name):
    assert sum(p.numel() for p in build(name).parameters()) == PARAMETERS[name]


def test_with_nothing_replaced_it_is_the_published_network(images):
    published, variant = randomised(LeNet5Classic()), randomised(LeNet5Variant())
    assert list(variant.state_dict()) == list(published.state_dict())
    assert torch.equal(variant(images), published(images))


def test_what_follows_each_layer():
    pooled = [Squash, nn.Identity, Squash, nn.Identity, Squash, Squash]
    expected = {
        "average-pooling": pooled,
        "max-pooling": pooled,
        "plain-tanh": [PlainTanh] * 6,
        "low-squash": [LowTanh] * 6,
        "high-squash": [HighTanh] * 6,
        "relu": [nn.ReLU] * 5 + [Squash],
    }
    for name in ("lenet5-classic", *PARAMETERS):
        net = build(name)
        follows = [type(net.squash_after(layer)) for layer in net.TRAINED_LAYERS]
        assert follows == expected.get(name, [Squash] * 6), name
    assert torch.equal(PlainTanh()(torch.tensor([-0.3, 2.0])), torch.tensor([-0.3, 2.0]).tanh())
    for squash, top in ((LowTanh(), 1.3), (HighTanh(), 3.0)):
        assert squash(torch.tensor([1.0, 100.0])).tolist() == pytest.approx([1, top])


def test_misspelt_layers_are_named():
    with pytest.raises(ValueError, match=r"no part 's22': .*c1, s2.*, f6, output, squash"):
        LeNet5Variant(s22=nn.AvgPool2d(2))
    with pytest.raises(ValueError, match=r"no layer to follow 's22': .*c1, s2, c3, s4, c5, f6$"):
        LeNet5Variant({"s22": nn.Identity()})


def test_codes():
    random, again = (build("random-codes").output.centres for _ in range(2))
    assert torch.equal(random, again)
    assert random.shape == (10, 84) and (random.abs() == 1).all()
    assert len(random.unique(dim=0)) == 10 and not torch.equal(random, centres())
    place = build("one-of-ten-codes").output.centres
    assert (place.diagonal() == 1).all() and (place.sum(1) == -8).all()
    assert torch.equal(build("trainable-centres").output.centres, centres())
    crowded = build("crowded-centres").output.centres
    assert 0.09 < crowded.abs().max() <= 0.1 and len(crowded.unique(dim=0)) == 10


def test_every_position_of_a_larger_field_is_read_as_a_crop(name, images):
    net = randomised(build(name))
    field = torch.cat([images[:1], images[1:2]], dim=-1)  # (1, 1, 32, 64)
    with torch.no_grad():
        crops = torch.cat([net(field[..., x : x + 32]) for x in range(0, 33, 4)])
        torch.testing.assert_close(net.penalty_map(field)[0, :, 0].T, crops, rtol=1e-4, atol=1e-4)


def test_initialised_from_the_seed_alone(name):
    nets = [Recipe(network=name, seed=3).build() for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*(n.parameters() for n in nets), strict=True))
    bound = Recipe().init_bound
    assert nets[0].c1.weight.abs().max() <= bound / 5
    c3 = nets[0].c3.weight
    fan_in = 25 * (6 if name == "full-c3" else 3)  # the first map's
    largest = c3[: fan_in // 25].abs().max() * fan_in**0.5
    assert 0.9 * bound < largest <= bound
    assert isinstance(nets[0].s2, Subsampling) != ("pooling" in name)


# Second derivatives


@POOLINGS
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
    of_parameters, of_inputs = through_sums(pooling, x, curvature)
    assert of_parameters == {}
    assert torch.allclose(of_inputs, expected)


@POOLINGS
@pytest.mark.parametrize("squash", [Squash(), PlainTanh(), nn.ReLU()], ids=["1998", "tanh", "relu"])
def test_one_path_is_exact(pooling, squash):
    """A weight that reaches the top by one path at most has no off-diagonal terms to drop."""
    follows = {"first": squash, "pooling": nn.Identity(), "last": squash}
    layers = {"first": nn.Conv2d(1, 1, 1), "pooling": pooling, "last": nn.Linear(1, 1)}
    net = with_random_parameters(WithoutOutput(2, followed_by=follows, **layers))
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


def test_centres_bend_as_the_states_of_f6(images):
    net = randomised(build("trainable-centres"))
    recipe = Recipe(network="trainable-centres", penalty_scale=0.7)
    h = ReferenceTrainer(net, recipe).estimate_curvature(images)["output.centres"]
    torch.testing.assert_close(h, torch.full((10, 84), 1.4))
    of_states = torch.rand(3, 84)
    h = gauss_newton_diagonal(net, images, lambda states: of_states)["output.centres"]
    torch.testing.assert_close(h, of_states.mean(0).expand(10, 84))
    assert "output.centres" not in gauss_newton_diagonal(LeNet5Classic(), images)
