"""Whole networks: the plan of one, and the compiled programs that run it.

A program is compiled for the plan of its network, sizes and all, and kept on disk by Numba.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
from numba import njit
from numba.extending import overload, register_jitable
from torch import nn

from lenet1998 import layers
from lenet1998.kernels.convolution import Convolution
from lenet1998.kernels.full import Batch, Full
from lenet1998.kernels.known import Known, known
from lenet1998.kernels.layout import LANES, Arena, lanes_for, whole
from lenet1998.kernels.operations import (
    backward,
    backward_and_learn,
    finish_update,
    forward,
    forward_batch,
)
from lenet1998.kernels.rbf import (
    RBF,
    backward_rbf,
    curvature_of_loss,
    loss_and_slopes,
    penalties,
)
from lenet1998.kernels.simd import load, splat, store
from lenet1998.kernels.squash import through_squash
from lenet1998.kernels.subsampling import Subsampling
from lenet1998.models.base import ClassicNetwork
from lenet1998.models.checks import HIGHEST_LEVEL, LOWEST_LEVEL

Layer = Convolution | Subsampling | Full

IMAGES_AT_ONCE = 8
"""Images that the full layers read together: enough to hide the loads of their weights."""


@dataclass(frozen=True)
class Chain(Known):
    """Layers in order, from the input up."""

    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Plan(Known):
    """A network laid out for the kernels.

    Attributes:
        names: the layers' names in the network, in order.
        convolutional: convolutions and subsamplings, from the input up.
        full: the full layers above them.
        output: the RBF layer.
        weights, states: sizes of the flat arrays.
        convolutional_weights: where the full layers' weights begin: the gradients of all before
            are complete before the update, the full layers learn as the error passes.
        compiled_from: a sum over this package's sources, so that code compiled from older ones
            is not taken from the disk for this.
    """

    names: tuple[str, ...]
    convolutional: Chain
    full: Chain
    output: RBF
    field: int
    weights: int
    states: int
    convolutional_weights: int
    compiled_from: str

    def positions(self) -> dict[str, np.ndarray]:
        """Where the values of each trainable parameter, flattened, lie in the array of weights."""
        plans = self.convolutional.layers + self.full.layers
        return {
            f"{name}.{parameter}": positions.ravel()
            for name, layer in zip(self.names, plans, strict=True)
            for parameter, positions in layer.positions().items()
        }


def plan_for(net: ClassicNetwork) -> Plan:
    """Lay out a network that names its `TRAINED_LAYERS`, such as `LeNet5Classic`.

    Raises:
        TypeError: for a layer that has no kernel.
    """
    states, weights = Arena(), Arena()
    side, maps = net.FIELD, 1
    below = states.take(side * side)
    convolutional: list[Convolution | Subsampling] = []
    full: list[Full] = []
    weights_before_full = 0
    for name in net.TRAINED_LAYERS:
        module = net.get_submodule(name)
        if isinstance(module, nn.Linear) or (
            isinstance(module, nn.Conv2d) and module.kernel_size == (side, side)
        ):
            units = len(module.weight)
            outputs = states.take(whole(units))
            matrix = weights.take(side * side * maps * whole(units))
            full.append(Full(maps, side, units, below, outputs, matrix, weights.take(whole(units))))
            side, maps = 1, units
        elif isinstance(module, nn.Conv2d | layers.TableConv2d) and not full:
            table = (
                module.table
                if isinstance(module, layers.TableConv2d)
                else (tuple(range(maps)),) * len(module.weight)
            )
            kernel = module.weight.shape[-1]
            padded = whole(len(table), lanes_for(len(table)))
            patch_row = kernel * maps
            out_side = side - kernel + 1
            outputs = states.take(out_side**2 * padded)
            kernels, bias = weights.take(kernel * patch_row * padded), weights.take(padded)
            convolutional.append(
                Convolution(table, maps, side, kernel, below, outputs, kernels, bias, mirror=None)
            )
            side, maps = out_side, len(table)
        elif isinstance(module, layers.Subsampling) and not full and side % 2 == 0:
            outputs = states.take((side // 2) ** 2 * maps)
            padded = whole(maps, lanes_for(maps))
            convolutional.append(
                Subsampling(maps, side, below, outputs, weights.take(padded), weights.take(padded))
            )
            side //= 2
        else:
            raise TypeError(
                f"no kernel for layer {name!r}, a {type(module).__name__} on {side}x{side} maps: "
                "expected convolutions and subsamplings of even sides, then full layers"
            )
        below = outputs
        if not full:
            weights_before_full = weights.size
    classes, units = net.output.centres.shape
    convolutional[1:] = [
        replace(layer, mirror=weights.take(layer.mirror_size))
        if isinstance(layer, Convolution)
        else layer
        for layer in convolutional[1:]
    ]
    return Plan(
        names=tuple(net.TRAINED_LAYERS),
        convolutional=Chain(tuple(convolutional)),
        full=Chain(tuple(full)),
        output=RBF(units, classes, below),
        field=net.FIELD,
        weights=weights.size,
        states=states.size,
        convolutional_weights=weights_before_full,
        compiled_from=_sum_over_sources(),
    )


@cache
def _sum_over_sources() -> str:
    total = hashlib.sha256()
    for source in sorted(resources.files(__package__).iterdir(), key=lambda file: file.name):
        if source.name.endswith(".py"):
            total.update(source.read_bytes())
    return total.hexdigest()


# A chain does what its layers do, one after the other: its overloads unroll the recursion.


@overload(forward)
def _forward(chain, weights, states):
    plan = known(chain, Chain)
    if plan is None:
        return None
    if not plan.layers:
        return lambda chain, weights, states: None
    first, others = plan.layers[0], Chain(plan.layers[1:])

    def upwards(chain, weights, states) -> None:
        forward(first, weights, states)
        forward(others, weights, states)

    return upwards


@overload(forward_batch)
def _forward_batch(chain, batch, weights, states):
    plan = known(chain, Chain)
    if plan is None:
        return None
    if not plan.layers:
        return lambda chain, batch, weights, states: None
    first, others = plan.layers[0], Chain(plan.layers[1:])

    def upwards(chain, batch, weights, states):
        forward_batch(first, batch, weights, states)
        forward_batch(others, batch, weights, states)

    return upwards


@overload(backward)
def _backward(chain, order, weights, states, factors, errors, gradients):
    plan = known(chain, Chain)
    if plan is None:
        return None
    if not plan.layers:
        return lambda chain, order, weights, states, factors, errors, gradients: None
    last, others = plan.layers[-1], Chain(plan.layers[:-1])

    def downwards(chain, order, weights, states, factors, errors, gradients) -> None:
        backward(last, order, weights, states, factors, errors, gradients)
        backward(others, order, weights, states, factors, errors, gradients)

    return downwards


@overload(backward_and_learn)
def _backward_and_learn(chain, weights, steps, states, errors):
    plan = known(chain, Chain)
    if plan is None:
        return None
    if not plan.layers:
        return lambda chain, weights, steps, states, errors: None
    last, others = plan.layers[-1], Chain(plan.layers[:-1])

    def downwards(chain, weights, steps, states, errors) -> None:
        backward_and_learn(last, weights, steps, states, errors)
        backward_and_learn(others, weights, steps, states, errors)

    return downwards


@overload(finish_update)
def _finish_update(chain, weights):
    plan = known(chain, Chain)
    if plan is None:
        return None
    if not plan.layers:
        return lambda chain, weights: None
    first, others = plan.layers[0], Chain(plan.layers[1:])

    def upwards(chain, weights) -> None:
        finish_update(first, weights)
        finish_update(others, weights)

    return upwards


@register_jitable
def take_image(image, states):
    """Copy an image to the bottom of the states; false if a level is NaN or out of range."""
    fits = True
    for i in range(len(image)):
        level = image[i]
        fits &= (level >= LOWEST_LEVEL) & (level <= HIGHEST_LEVEL)
        states[i] = level
    return fits


@register_jitable
def take_steps(weights, steps, gradients):
    """w -= step dE/dw over whole vectors, and the gradients back to 0 for the next pattern."""
    for i in range(0, len(gradients), LANES):
        gradient = load(LANES, gradients, i)
        store(load(LANES, weights, i) - load(LANES, steps, i) * gradient, weights, i)
        store(splat(LANES, np.float32(0)), gradients, i)


@dataclass(frozen=True)
class Programs:
    """The compiled programs of one plan; see `programs_for`."""

    learn: Callable[..., int]
    curvature: Callable[..., int]
    read: Callable[..., int]
    mirror: Callable[..., None]


@cache
def programs_for(plan: Plan) -> Programs:
    """Programs over a plan's flat arrays, compiled at their first call or read from the disk."""
    convolutional, full, output = plan.convolutional, plan.full, plan.output
    state_count = plan.states
    convolutional_weights = plan.convolutional_weights
    classes, top, top_end = output.classes, output.inputs, output.inputs + output.padded
    compiled_from = plan.compiled_from

    @njit(cache=True, nogil=True)
    def learn(weights, steps, centres, scale, is_map, j, images, labels, order, seen, energies):
        """One update for each index in `order`; `seen` and `energies` take what came before each.

        Stops at the first image with a level out of range; returns how many were in order.
        """
        len(compiled_from)  # Makes the sources part of the key under which the code is kept.
        states = np.zeros(state_count, np.float32)
        errors = np.zeros(state_count, np.float32)
        gradients = np.zeros(convolutional_weights, np.float32)
        slopes = np.zeros(classes, np.float32)
        for step in range(len(order)):
            pattern = order[step]
            if not take_image(images[pattern], states):
                return step
            forward(convolutional, weights, states)
            forward(full, weights, states)
            out = seen[step]
            penalties(output, centres, states, scale, out)
            energies[step] = loss_and_slopes(out, classes, labels[pattern], is_map, j, slopes)
            slopes *= 2 * scale
            backward_rbf(output, centres, states, slopes, errors)
            through_squash(1, errors, states, top, top_end)
            backward_and_learn(full, weights, steps, states, errors)
            backward(convolutional, 1, weights, states, states, errors, gradients)
            take_steps(weights, steps, gradients)
            finish_update(convolutional, weights)
        return len(order)

    @njit(cache=True, nogil=True)
    def curvature(weights, centres, scale, is_exact, is_map, j, images, total):
        """The second derivatives of each image, added to `total` in the layout of the weights."""
        len(compiled_from)
        states = np.zeros(state_count, np.float32)
        squares = np.zeros(state_count, np.float32)
        errors = np.zeros(state_count, np.float32)
        out = np.zeros(classes, np.float32)
        slopes = np.zeros(classes, np.float32)
        squared_weights = weights * weights
        for pattern in range(len(images)):
            if not take_image(images[pattern], states):
                return pattern
            forward(convolutional, weights, states)
            forward(full, weights, states)
            if is_exact and is_map:
                penalties(output, centres, states, scale, out)
                loss_and_slopes(out, classes, 0, True, j, slopes)
                slopes[0] -= np.float32(1)
                posterior = -slopes
                rubbish = max(np.float32(0), np.float32(1) - posterior.sum())
                curvature_of_loss(output, centres, states, scale, posterior, rubbish, errors)
            else:
                errors[top:top_end] = 2 * scale
            for i in range(state_count):
                squares[i] = states[i] * states[i]
            through_squash(2, errors, states, top, top_end)
            backward(full, 2, squared_weights, states, squares, errors, total)
            backward(convolutional, 2, squared_weights, states, squares, errors, total)
        return len(images)

    # To read many images the full layers, whose weights outgrow the nearest cache, take several
    # at once: their states, and those that they see, then lie image by image in an array apart.
    seen_by_full = full.layers[0].inputs
    batch = Batch(IMAGES_AT_ONCE, state_count - seen_by_full)
    full_apart = Chain(
        tuple(
            replace(one, inputs=one.inputs - seen_by_full, outputs=one.outputs - seen_by_full)
            for one in full.layers
        )
    )
    output_apart = replace(output, inputs=output.inputs - seen_by_full)
    stride = batch.stride

    @njit(cache=True, nogil=True)
    def read(weights, centres, images, out):
        """The penalties of each image, squared distances; stops as `learn` does."""
        len(compiled_from)
        states = np.zeros(state_count, np.float32)
        apart = np.zeros(IMAGES_AT_ONCE * stride, np.float32)
        for begin in range(0, len(images), IMAGES_AT_ONCE):
            count = min(IMAGES_AT_ONCE, len(images) - begin)
            for i in range(count):
                if not take_image(images[begin + i], states):
                    return begin + i
                forward(convolutional, weights, states)
                apart[i * stride : (i + 1) * stride] = states[seen_by_full:]
            if count == IMAGES_AT_ONCE:
                forward_batch(full_apart, batch, weights, apart)
            else:
                for i in range(count):
                    forward(full_apart, weights, apart[i * stride : (i + 1) * stride])
            for i in range(count):
                of_image = apart[i * stride : (i + 1) * stride]
                penalties(output_apart, centres, of_image, np.float32(1), out[begin + i])
        return len(images)

    @njit(cache=True, nogil=True)
    def mirror(weights):
        len(compiled_from)
        finish_update(convolutional, weights)

    return Programs(learn, curvature, read, mirror)
