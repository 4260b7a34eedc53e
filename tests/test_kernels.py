"""The compiled kernels against PyTorch, on LeNet-5 and on networks of other sizes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import NETWORKS, randomised
from numba import njit
from torch import nn

from lenet1998 import catalogue
from lenet1998.kernels.operations import backward, forward
from lenet1998.kernels.packed import FusedField, FusedReader, PackedNetwork
from lenet1998.kernels.plan import plan_for
from lenet1998.kernels.pooling import Pooling
from lenet1998.kernels.simd import Tile, tile_product
from lenet1998.kernels.squash import Rectifier, Tanh, Unsquashed, squash, through_squash
from lenet1998.layers import Squash
from lenet1998.learning import FusedTrainer, Recipe, ReferenceTrainer
from lenet1998.losses import map_loss, mle_loss
from lenet1998.models import LeNet5Classic
from lenet1998.models.variants import LeNet5Variant

OF_1998, PLAIN = Tanh(Squash.AMPLITUDE, Squash.SLOPE), Tanh(1.0, 1.0)

VARIANTS = {
    name: entry.build
    for name, entry in catalogue.NETWORKS.items()
    if entry.network.startswith("variants:") or name in ("field-24", "levels-inverted")
}


# One network after the other, so that each is compiled once.
@pytest.fixture(scope="module", params=NETWORKS | VARIANTS)
def kind(request):
    return request.param


@pytest.fixture
def net(kind):
    torch.manual_seed(5)
    return randomised((NETWORKS | VARIANTS)[kind]())


def images_and_labels(net, count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 1, net.FIELD, net.FIELD, generator=generator) * 1.275 - 0.1
    labels = torch.randint(len(net.output.centres), (count,), generator=generator)
    return images, labels


def parameters(net):
    return {name: parameter.detach().clone() for name, parameter in net.named_parameters()}


def relative(ours, reference):
    return ((ours - reference).norm() / reference.norm().clamp(min=1e-12)).item()


def squash_all(kind, states):
    """Squash an array in place, as one call of the compiled code."""

    @njit
    def run(states):
        squash(kind, states, 0, len(states))

    run(states)


@pytest.mark.parametrize("kind", [OF_1998, PLAIN], ids=["of 1998", "plain"])
def test_rational_squash_is_accurate_to_float32_rounding(kind):
    positive = np.geomspace(1e-30, 1e30, 1_000_000).astype(np.float32)
    dense = np.linspace(-14, 14, 2_000_000).astype(np.float32)
    activations = np.concatenate([positive, -positive, dense])
    activations = activations[: len(activations) // 16 * 16]
    exact = kind.amplitude * np.tanh(activations.astype(np.float64) * kind.slope)
    states = activations.copy()
    squash_all(kind, states)
    nonzero = exact != 0
    error = np.abs(states[nonzero] / exact[nonzero] - 1)
    assert error.max() < 3.6e-7  # three units in the last place
    assert np.abs(states).max() <= np.float32(kind.amplitude) * (1 + 3.6e-7)
    assert np.array_equal(np.sign(states), np.sign(activations))


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        (OF_1998, Squash()), (PLAIN, nn.Tanh()), (Rectifier(), nn.ReLU()),
        (Unsquashed(), nn.Identity()),
    ],
    ids=["of 1998", "plain tanh", "rectifier", "unsquashed"],
)  # fmt: skip
def test_errors_pass_a_squash_as_through_autograd(kind, module):
    activations = torch.linspace(-4, 4, 161)[:160].requires_grad_()  # 0 is among them
    states = module(activations)
    (derivative,) = torch.autograd.grad(states.sum(), activations)

    @njit
    def run(order, errors, states):
        through_squash(kind, order, errors, states, 0, len(states))

    squashed = activations.detach().numpy().copy()
    squash_all(kind, squashed)
    np.testing.assert_allclose(squashed, states.detach(), rtol=1e-6)
    for order in (1, 2):
        errors = np.full(160, 3.0, np.float32)
        run(order, errors, squashed)
        np.testing.assert_allclose(errors, 3 * derivative**order, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pooling", [nn.AvgPool2d(2), nn.MaxPool2d(2)], ids=["average", "maximum"])
@pytest.mark.parametrize("maps", [6, 18])
def test_pooling_equals_pytorch_even_where_maxima_tie(pooling, maps):
    side = 6
    pixels, inner = side**2, (side // 2) ** 2
    plan = Pooling(
        maximum=isinstance(pooling, nn.MaxPool2d),
        in_maps=maps,
        in_side=side,
        in_width=side,
        maps=maps,
        side=side // 2,
        width=side // 2,
        inputs=0,
        outputs=pixels * 32 + 32,
        squash=Unsquashed(),
        squash_below=Unsquashed(),
    )

    @njit
    def up(weights, states):
        forward(plan, weights, states)

    @njit
    def down(order, weights, states, errors, gradients):
        backward(plan, order, weights, states, states, errors, gradients)

    # Three levels only: most windows hold their maximum more than once.
    x = torch.randint(3, (1, maps, side, side)).float().requires_grad_()
    y = pooling(x)
    sent = torch.rand_like(y)
    states, errors = np.zeros((2, plan.outputs + inner * maps + 64), np.float32)
    below = np.s_[: pixels * plan.padded]
    above = np.s_[plan.outputs : plan.outputs + inner * maps]
    none = np.zeros(0, np.float32)
    states[below].reshape(pixels, plan.padded)[:, :maps] = x.detach().view(maps, -1).T
    up(none, states)
    np.testing.assert_array_equal(states[above].reshape(inner, maps).T, y.detach().view(maps, -1))
    (gradient,) = torch.autograd.grad(y, x, sent)
    for order, weight in ((1, 1), (2, 1 if plan.maximum else 1 / 4)):
        errors[above].reshape(inner, maps)[:] = sent.view(maps, -1).T
        down(order, none, states, errors, none)
        sent_down = errors[below].reshape(pixels, plan.padded)[:, :maps].T
        np.testing.assert_array_equal(sent_down, weight * gradient.view(maps, -1))


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
    assert len(positions) == sum(saved.numel() for saved in net.state_dict().values())
    assert len(np.unique(positions)) == len(positions)
    assert positions.max() < plan.weights
    if isinstance(net.output.centres, nn.Parameter):
        # Their gradients are kept until the update, as those of all that lies before the full ones.
        assert plan.positions()["output.centres"].max() < plan.convolutional_weights


def test_penalties_equal_pytorch(net):
    images, _ = images_and_labels(net, 19)
    reader = FusedReader(net)
    with torch.no_grad():
        expected = net(images)
    for count in (0, 1, 8, 19):  # none, one, all at once, at once and one by one
        ours = reader.penalties(images[:count])
        torch.testing.assert_close(ours, expected[:count], rtol=1e-5, atol=1e-5)
        scores = reader.scores(images[:count])
        assert torch.equal(scores, net.to_scores(ours))
        assert torch.equal(scores.argmax(1), expected[:count].argmin(1))
    assert reader.rubbish == net.rubbish == -1


def test_reader_takes_later_weights_when_told(net):
    images, _ = images_and_labels(net, 3)
    reader = FusedReader(net)
    before = reader.penalties(images)
    randomised(net, seed=9)
    assert torch.equal(reader.penalties(images), before)
    reader.pack()
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
    "recipe",
    [
        Recipe(),
        Recipe(penalty_scale=0.01, j=0.5),
        Recipe(loss="mle"),
        Recipe(rule="sgd", penalty_scale=0.01),
    ],
    ids=["map", "map, small penalties", "mle", "sgd, whatever the curvature"],
)
def test_one_update_equals_autograd(net, recipe):
    images, labels = images_and_labels(net, 4)
    penalties, label = recipe.penalty_scale * net(images[2:3]), labels[2:3]
    is_mle = recipe.loss == "mle"
    loss = mle_loss(penalties, label) if is_mle else map_loss(penalties, label, recipe.j)
    before, gradients = parameters(net), torch.autograd.grad(loss, net.parameters())
    gradients = dict(zip(before, gradients, strict=True))
    like = torch.rand_like if recipe.rule == "sgd" else torch.zeros_like
    for trainer_class in (ReferenceTrainer, FusedTrainer):
        net.load_state_dict(before, strict=False)
        trainer = trainer_class(net, recipe)
        trainer.set_curvature({name: like(p) for name, p in before.items()})
        seen = trainer.learn(images, labels, torch.tensor([2]), eta=recipe.mu)  # a step of 1
        torch.testing.assert_close(seen.penalties, penalties.detach(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(seen.energies, loss.detach()[None], rtol=1e-5, atol=1e-6)
        for name, after in parameters(net).items():
            # The difference of weights of order 1 leaves absolute rounding of 1e-7.
            missed = before[name] - after - gradients[name]
            assert missed.norm() < 2e-5 * gradients[name].norm() + 1e-5, name
    assert all(gradient.any() for gradient in gradients.values())


def by_each_trainer(net, recipe, learn):
    """The parameters of the network before, and after each trainer has learnt."""
    before = parameters(net)
    after = []
    for trainer_class in (ReferenceTrainer, FusedTrainer):
        net.load_state_dict(before, strict=False)
        learn(trainer_class(net, recipe))
        after.append(parameters(net))
    return before, *after


def distance(some, others):
    return sum((some[name] - others[name]).square().sum() for name in some).sqrt()


def test_many_updates_equal_the_reference(net):
    images, labels = images_and_labels(net, 40)
    order = torch.randint(40, (120,), generator=torch.Generator().manual_seed(3))

    def learn(trainer):
        trainer.set_curvature(trainer.estimate_curvature(images))
        trainer.learn(images, labels, order, eta=1e-3)

    before, reference, fused = by_each_trainer(net, Recipe(mu=0.5), learn)
    moved = distance(reference, before)
    assert moved > 1e-2
    assert distance(reference, fused) < 1e-3 * moved
    for name in before:
        moved = (reference[name] - before[name]).norm()
        assert moved > 1e-4, name
        assert (reference[name] - fused[name]).norm() < 2e-3 * moved, name


def test_adam_equals_pytorch_and_begins_anew_with_each_pass():
    torch.manual_seed(5)
    net = randomised(NETWORKS["pooling"]())
    images, labels = images_and_labels(net, 20)

    def learn(trainer):
        for eta in (1e-3, 5e-4):
            h = {name: p.abs() for name, p in parameters(net).items()}  # of the right shapes alone
            trainer.set_curvature(h)
            for part in torch.arange(20).split(7):
                trainer.learn(images, labels, part, eta)

    before, reference, fused = by_each_trainer(net, Recipe(rule="adam"), learn)
    moved = distance(reference, before)
    assert moved > 0.1
    assert distance(reference, fused) < 1e-3 * moved


READ = """
import os
import numpy as np
import torch
from networks import full_layers
from lenet1998.kernels.packed import PackedNetwork

PackedNetwork(full_layers(16)).pack()  # starts the compiler, once for all three

def in_a_new_process(*sizes):
    if os.fork():
        os.wait()
        return
    for units in sizes:
        packed = PackedNetwork(full_layers(units))
        packed.weights[:] = np.linspace(-0.1, 0.1, len(packed.weights))
        print(packed.penalties(torch.ones(8, 1, 4, 4)).tolist(), flush=True)
    os._exit(0)

in_a_new_process(464)
in_a_new_process(480)
in_a_new_process(464, 480)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_code_kept_by_two_processes_runs_in_a_third(tmp_path):
    """Networks alike in all but sizes: Numba alone would give their compiled code one name."""
    tests = Path(__file__).parent
    places = os.pathsep.join([str(tests), str(tests.parent)])
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": places}
    command = [sys.executable, "-c", READ]
    told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    first, second, *both = told.stdout.splitlines()
    assert [first, second] == both


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
    fixed = np.zeros(packed.plan.weights, bool)
    fixed[packed.plan.positions()["output.centres"]] = True
    assert not weights[(packed.live == 0) & ~mirrors & ~fixed].any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 255.0])
def test_bad_levels_stop_before_their_pattern(bad):
    nets = [randomised(LeNet5Classic()) for _ in range(2)]
    images, labels = images_and_labels(nets[0], 6)
    trainer, of_three = (FusedTrainer(net, Recipe()) for net in nets)
    for each in (trainer, of_three):
        each.set_curvature({name: torch.ones_like(p) for name, p in parameters(nets[0]).items()})
    of_three.learn(images, labels, torch.arange(3), eta=1e-3)
    images[3, 0, 5, 5] = bad
    for work in (
        lambda: trainer.learn(images, labels, torch.arange(6), eta=1e-3),
        lambda: FusedReader(nets[0]).penalties(images),
        lambda: trainer.estimate_curvature(images),
    ):
        with pytest.raises(ValueError, match=r"levels|NaN"):
            work()
    # The three updates before the bad pattern stand.
    before_it, after_three = (parameters(net) for net in nets)
    assert all(torch.equal(before_it[name], after_three[name]) for name in before_it)


def test_refuses_what_it_cannot_run():
    with pytest.raises(TypeError, match="float32"):
        PackedNetwork(LeNet5Classic().double())
    for name, layer in (
        ("s2", nn.MaxPool2d(2, padding=1)),
        ("s2", nn.MaxPool2d(2, dilation=2)),
        ("s2", nn.MaxPool2d(2, return_indices=True)),
        ("s2", nn.AvgPool2d(2, divisor_override=1)),
        ("c1", nn.Conv2d(1, 6, 5, stride=2)),
        ("c1", nn.Conv2d(1, 6, 5, padding=2)),
        ("c1", nn.Conv2d(1, 6, 3, dilation=2)),
        ("c1", nn.Conv2d(1, 6, (3, 5))),
        ("c5", nn.Conv2d(16, 120, 5, groups=2)),
        ("f6", nn.Linear(120, 84, bias=False)),
    ):
        net = LeNet5Classic()
        net.add_module(name, layer)
        with pytest.raises(TypeError, match=f"{name}.*{type(layer).__name__}"):
            plan_for(net)
    with pytest.raises(TypeError, match=r"Sigmoid after layer 'c3'"):
        plan_for(LeNet5Variant({"c3": nn.Sigmoid()}))
    with pytest.raises(ValueError, match=r"\(N, 1, 32, 32\)"):
        PackedNetwork(LeNet5Classic()).penalties(torch.zeros(1, 1, 28, 28))


@pytest.mark.parametrize("width", [32, 33, 34, 35, 76, 79, 80, 203])
@pytest.mark.parametrize("every", [4, 2])
def test_a_field_equals_the_penalty_map_and_its_windows(width, every):
    net = randomised(LeNet5Classic(), 0)
    fields = torch.rand(3, 1, 32, width) * 1.2 - 0.1
    ours = FusedField(net).penalty_map(fields, every)
    with torch.no_grad():
        torch.testing.assert_close(ours, net.penalty_map(fields, every), rtol=1e-5, atol=1e-4)
    windows = fields.unfold(3, 32, every).permute(0, 3, 1, 2, 4).flatten(0, 1)
    of_windows = FusedReader(net).penalties(windows).view(3, -1, 10).transpose(1, 2)
    torch.testing.assert_close(ours[:, :, 0], of_windows, rtol=1e-5, atol=1e-4)


def test_a_field_is_read_on_any_number_of_threads_with_the_same_bits():
    along, fields = FusedField(LeNet5Classic()), torch.rand(2, 1, 32, 2000)
    threads = torch.get_num_threads()
    try:
        ours = []
        for count in (1, 3):
            torch.set_num_threads(count)
            ours.append(along.penalty_map(fields))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*ours)


def test_a_field_that_cannot_be_read_is_refused():
    along = FusedField(LeNet5Classic())
    for shape in ((1, 1, 32, 31), (1, 1, 36, 40), (1, 2, 32, 40)):
        with pytest.raises(ValueError, match="expected images of shape"):
            along.penalty_map(torch.zeros(shape))
    with pytest.raises(ValueError, match="an output every 4 or 2 pixels, got 3"):
        along.penalty_map(torch.zeros(1, 1, 32, 40), every=3)
    bad = torch.zeros(1, 1, 32, 200)
    bad[0, 0, 3, 150] = 30.0
    with pytest.raises(ValueError, match=r"-0\.1"):
        along.penalty_map(bad)


def test_the_number_of_threads_changes_no_bit_of_what_is_read() -> None:
    reader, images = FusedReader(LeNet5Classic()), torch.rand(500, 1, 32, 32)
    threads, read = torch.get_num_threads(), {}
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            read[count] = reader.penalties(images)
            with pytest.raises(ValueError, match="levels run from"):
                reader.penalties(torch.cat([images, 255 * images[:1], images[:3]]))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(read[1], read[2]) and torch.equal(read[1], read[3])
