"""The compiled kernels against PyTorch, on LeNet-5 and on networks of other sizes."""

import numpy as np
import pytest
import torch
from networks import NETWORKS, randomised
from numba import njit
from torch import nn

from lenet1998.kernels.packed import FusedReader, PackedNetwork
from lenet1998.kernels.plan import plan_for
from lenet1998.kernels.simd import Tile, tile_product
from lenet1998.kernels.squash import squash
from lenet1998.layers import Squash
from lenet1998.learning import FusedTrainer, Recipe, ReferenceTrainer
from lenet1998.models import LeNet5Classic


@pytest.fixture(params=NETWORKS)
def net(request):
    torch.manual_seed(5)
    return randomised(NETWORKS[request.param]())


def images_and_labels(net, count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 1, net.FIELD, net.FIELD, generator=generator) * 1.275 - 0.1
    labels = torch.randint(len(net.output.centres), (count,), generator=generator)
    return images, labels


def relative(ours, reference):
    return ((ours - reference).norm() / reference.norm().clamp(min=1e-12)).item()


@njit
def squash_all(states):
    squash(states, 0, len(states))


def test_rational_squash_is_accurate_to_float32_rounding():
    positive = np.geomspace(1e-30, 1e30, 1_000_000).astype(np.float32)
    dense = np.linspace(-14, 14, 2_000_000).astype(np.float32)
    activations = np.concatenate([positive, -positive, dense])
    activations = activations[: len(activations) // 16 * 16]
    exact = Squash.AMPLITUDE * np.tanh(activations.astype(np.float64) * Squash.SLOPE)
    states = activations.copy()
    squash_all(states)
    nonzero = exact != 0
    error = np.abs(states[nonzero] / exact[nonzero] - 1)
    assert error.max() < 3.6e-7  # three units in the last place
    assert np.abs(states).max() <= np.float32(Squash.AMPLITUDE) * (1 + 3.6e-7)
    assert np.array_equal(np.sign(states), np.sign(activations))


def test_tile_product_sums_what_it_says():
    tile = Tile(
        lanes=8,
        sums=((3, 20, 40), (5, 1, 8)),
        rows=((2, 5, 100), (3, 1, 16)),
        columns=((2, 160, 8),),
        start="c",
    )

    @njit
    def run(c, a, b):
        tile_product(tile, c, 1, a, 2, b, 3, c, 0)

    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(size=400).astype(np.float32) for _ in range(3))
    expected = c.astype(np.float64)
    for k1 in range(3):
        for k2 in range(5):
            for r1 in range(2):
                for r2 in range(3):
                    scalar = a[2 + 20 * k1 + k2 + 5 * r1 + r2]
                    for v in range(2):
                        at_b = 3 + 40 * k1 + 8 * k2 + 160 * v
                        at_c = 1 + 100 * r1 + 16 * r2 + 8 * v
                        expected[at_c : at_c + 8] += scalar * b[at_b : at_b + 8].astype(np.float64)
    run(c, a, b)
    np.testing.assert_allclose(c, expected, rtol=2e-5, atol=2e-5)


def test_every_weight_has_its_own_place(net):
    plan = plan_for(net)
    positions = np.concatenate(list(plan.positions().values()))
    assert len(positions) == sum(parameter.numel() for parameter in net.parameters())
    assert len(np.unique(positions)) == len(positions)
    assert positions.max() < plan.weights


def test_penalties_equal_pytorch(net):
    images, _ = images_and_labels(net, 19)
    reader = FusedReader(net)
    with torch.no_grad():
        expected = net(images)
    for count in (0, 1, 8, 19):  # none, one, all at once, at once and one by one
        ours = reader.penalties(images[:count])
        torch.testing.assert_close(ours, expected[:count], rtol=1e-5, atol=1e-5)
        assert torch.equal(reader.predict(images[:count]), expected[:count].argmin(1))


def test_reader_takes_later_weights_when_told(net):
    images, _ = images_and_labels(net, 3)
    reader = FusedReader(net)
    before = reader.penalties(images)
    randomised(net, seed=9)
    assert torch.equal(reader.penalties(images), before)
    reader.refresh()
    with torch.no_grad():
        torch.testing.assert_close(reader.penalties(images), net(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        Recipe(penalty_scale=1.0, j=3.0),
        Recipe(loss="mle"),
        Recipe(output_curvature="loss"),
        Recipe(output_curvature="loss", penalty_scale=0.02, j=2.0),
        Recipe(output_curvature="loss", loss="mle"),
    ],
    ids=lambda r: f"{r.loss}-{r.penalty_scale}-{r.j}-{r.output_curvature}",
)
def test_curvature_equals_the_reference(net, recipe):
    images, _ = images_and_labels(net, 6)
    expected = ReferenceTrainer(net, recipe).estimate_curvature(images)
    ours = FusedTrainer(net, recipe).estimate_curvature(images)
    assert ours.keys() == expected.keys()
    for name in expected:
        assert relative(ours[name], expected[name]) < 1e-4, name


@pytest.mark.parametrize(
    "recipe", [Recipe(), Recipe(penalty_scale=0.01, j=0.5), Recipe(loss="mle")],
    ids=["map", "map, small penalties", "mle"],
)  # fmt: skip
def test_one_update_equals_autograd(net, recipe):
    images, labels = images_and_labels(net, 4)
    unit_curvature = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    pattern = torch.tensor([2])

    gradients, seen = [], []
    for trainer_class in (ReferenceTrainer, FusedTrainer):
        net.load_state_dict(before, strict=False)
        trainer = trainer_class(net, recipe)
        trainer.set_curvature(unit_curvature)
        seen.append(trainer.learn(images, labels, pattern, eta=recipe.mu))  # step 1
        gradients.append({name: before[name] - p.detach() for name, p in net.named_parameters()})

    torch.testing.assert_close(seen[1].penalties, seen[0].penalties, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(seen[1].energies, seen[0].energies, rtol=1e-5, atol=1e-6)
    for name, reference in gradients[0].items():
        # The difference of weights of order 1 leaves absolute rounding of 1e-7.
        assert (gradients[1][name] - reference).norm() < 2e-5 * reference.norm() + 1e-5, name


def test_many_updates_equal_the_reference(net):
    images, labels = images_and_labels(net, 40)
    recipe = Recipe(mu=0.5)
    order = torch.randint(40, (120,), generator=torch.Generator().manual_seed(3))
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    after = []
    for trainer_class in (ReferenceTrainer, FusedTrainer):
        net.load_state_dict(before, strict=False)
        trainer = trainer_class(net, recipe)
        trainer.set_curvature(trainer.estimate_curvature(images))
        trainer.learn(images, labels, order, eta=1e-3)
        after.append({name: p.detach().clone() for name, p in net.named_parameters()})
    moved = sum((after[0][name] - before[name]).square().sum() for name in before).sqrt()
    apart = sum((after[0][name] - after[1][name]).square().sum() for name in before).sqrt()
    assert moved > 1e-2
    assert apart < 1e-3 * moved


def test_absent_connections_and_padding_stay_zero(net):
    images, labels = images_and_labels(net, 10)
    packed = PackedNetwork(net)
    trainer = FusedTrainer(net, Recipe())
    trainer.set_curvature(trainer.estimate_curvature(images))
    trainer.learn(images, labels, torch.arange(10), eta=1e-3)
    mirrors = np.zeros(packed.plan.weights, bool)
    for layer in packed.plan.convolutional.layers:
        if getattr(layer, "mirror", None) is not None:
            mirrors[layer.mirror : layer.mirror + layer.mirror_size] = True
    weights = trainer._packed.weights
    assert not weights[(packed.live == 0) & ~mirrors].any()


def test_same_start_same_bits():
    results = []
    for _ in range(2):
        net = randomised(LeNet5Classic())
        images, labels = images_and_labels(net, 50)
        trainer = FusedTrainer(net, Recipe())
        trainer.set_curvature(trainer.estimate_curvature(images))
        seen = trainer.learn(images, labels, torch.arange(50), eta=1e-3)
        results.append([*net.parameters(), seen.penalties])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 255.0])
def test_bad_levels_stop_before_their_pattern(bad):
    net = randomised(LeNet5Classic())
    images, labels = images_and_labels(net, 6)
    good = randomised(LeNet5Classic())
    for trained, order in ((net, torch.arange(6)), (good, torch.arange(3))):
        if trained is net:
            images = images.clone()
            images[3, 0, 5, 5] = bad
        trainer = FusedTrainer(trained, Recipe())
        trainer.set_curvature({n: torch.ones_like(p) for n, p in trained.named_parameters()})
        if trained is net:
            with pytest.raises(ValueError, match=r"levels|NaN"):
                trainer.learn(images, labels, order, eta=1e-3)
            with pytest.raises(ValueError, match=r"levels|NaN"):
                trainer.read(images)
            with pytest.raises(ValueError, match=r"levels|NaN"):
                trainer.estimate_curvature(images)
        else:
            trainer.learn(images, labels, order, eta=1e-3)
    # The three updates before the bad pattern stand.
    for ours, expected in zip(net.parameters(), good.parameters(), strict=True):
        assert torch.equal(ours, expected)


def test_refuses_what_it_cannot_run():
    with pytest.raises(TypeError, match="float32"):
        PackedNetwork(LeNet5Classic().double())
    net = LeNet5Classic()
    net.s2 = nn.MaxPool2d(2)
    with pytest.raises(TypeError, match=r"s2.*MaxPool2d"):
        plan_for(net)
    with pytest.raises(ValueError, match=r"\(N, 1, 32, 32\)"):
        PackedNetwork(LeNet5Classic()).read(torch.zeros(1, 1, 28, 28))
