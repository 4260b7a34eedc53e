"""Learning one pattern at a time: the fused step, eager PyTorch's, JAX's, and the limit."""

from collections.abc import Callable

import numpy as np
import torch
from numba import njit

from benchmarks import peers
from benchmarks.timing import side_by_side
from lenet1998.data import Dataset
from lenet1998.kernels.chain import Chain
from lenet1998.kernels.operations import backward, backward_and_learn, finish_update, forward
from lenet1998.kernels.packed import FusedReader, PackedNetwork, aligned_zeros
from lenet1998.kernels.plan import Plan
from lenet1998.learning import FusedTrainer, Recipe, ReferenceTrainer, initialise
from lenet1998.measures.counting import count_layers, training_step_multiply_adds
from lenet1998.models import LeNet5Classic

MATRIX = 1024


def measure(dataset: Dataset, repeats: int) -> dict[str, object]:
    """One update: ours, the others', and the time of as many multiply-adds in a matrix product.

    Also what goes with a pass: the estimate of curvature and the test, as shares of the pass.
    """
    net = LeNet5Classic()
    initialise(net, Recipe())
    fused, eager = FusedTrainer(net, Recipe()), ReferenceTrainer(net, Recipe())
    images, labels = dataset.training_images, dataset.training_labels
    h = fused.estimate_curvature(images[:500])
    fused.set_curvature(h)
    eager.set_curvature(h)
    # A rate so small that the network stays what it is, repeat after repeat.
    orders = {"ours": 20_000, "eager": 200, "jax": 2_000}
    many, few, some = (torch.randperm(len(images))[:count] for count in orders.values())
    others = peers.learners(net, Recipe(), h, images, labels)
    a, b = torch.rand(MATRIX, MATRIX), torch.rand(MATRIX, MATRIX)
    timings = side_by_side(
        {
            "ours": lambda: fused.learn(images, labels, many, 1e-9),
            "eager": lambda: eager.learn(images, labels, few, 1e-9),
            **{name: lambda learn=learn: learn(some, 1e-9) for name, learn in others.items()},
            "matrix product": lambda: a @ b,
            "curvature": lambda: fused.estimate_curvature(images[:500]),
            "test": lambda: FusedReader(net).scores(dataset.test_images),
        },
        repeats,
    )
    steps = {name: timings[name].per(count) for name, count in orders.items() if name in timings}
    ours = steps["ours"]
    multiply_adds = training_step_multiply_adds(net)
    limit = timings["matrix product"].best / MATRIX**3 * multiply_adds
    a_pass = ours.median * len(images)
    return {
        "multiply_adds_per_update": multiply_adds,
        **steps,
        "limit_seconds": limit,
        "matrix_product_gflops": 2 * MATRIX**3 / timings["matrix product"].best / 1e9,
        "ours_to_limit": ours.median / limit,
        "curvature_share_of_pass": timings["curvature"].median / a_pass,
        "test_share_of_pass": timings["test"].median / a_pass,
        "layers": layers(net, repeats),
    }


def layers(net: LeNet5Classic, repeats: int) -> dict[str, dict[str, float]]:
    """Where the time of an update goes: each layer's way up, and its way down with the update."""
    packed = PackedNetwork(net)
    packed.pack()
    plan = packed.plan
    weights, states, errors = packed.weights, aligned_zeros(plan.states), aligned_zeros(plan.states)
    gradients, steps = packed.zeros(), packed.zeros()
    states[:] = np.random.default_rng(0).uniform(-1, 1, plan.states)
    errors[:] = np.random.default_rng(1).uniform(-1, 1, plan.states) * 1e-3
    count = 2000
    counted = {layer.name: layer.multiply_adds for layer in count_layers(net)}
    works: dict[str, Callable[[], object]] = {}
    for name, layer in zip(plan.names, plan.convolutional.layers + plan.full.layers, strict=True):
        up, down = _loops(plan, Chain((layer,)), layer in plan.full.layers)
        works[f"{name} up"] = lambda up=up: up(count, weights, states)
        works[f"{name} down"] = lambda down=down: down(
            count, weights, steps, states, errors, gradients
        )
    timings = {name: timing.per(count) for name, timing in side_by_side(works, repeats).items()}
    return {
        name: {
            "multiply_adds": counted[name],
            "up_microseconds": 1e6 * timings[f"{name} up"].median,
            "down_microseconds": 1e6 * timings[f"{name} down"].median,
        }
        for name in plan.names
    }


def _loops(plan: Plan, layer: Chain, is_full: bool) -> tuple[Callable[..., None], ...]:
    convolutional = plan.convolutional_weights

    @njit
    def up(count, weights, states):
        for _ in range(count):
            forward(layer, weights, states)

    @njit
    def down_full(count, weights, steps, states, errors, gradients):
        for _ in range(count):
            backward_and_learn(layer, weights, steps, states, errors)

    @njit
    def down(count, weights, steps, states, errors, gradients):
        for _ in range(count):
            gradients[:convolutional] = 0
            backward(layer, 1, weights, states, states, errors, gradients)
            finish_update(layer, weights)

    return up, down_full if is_full else down
