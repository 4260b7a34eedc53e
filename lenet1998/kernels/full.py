"""Full connection, of C5 (whose kernels cover S4 whole) and F6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba.extending import overload, register_jitable

from lenet1998.kernels.known import Known, depends_on, known
from lenet1998.kernels.layout import LANES, REGISTERS, largest_divisor, whole
from lenet1998.kernels.operations import (
    backward,
    backward_and_learn,
    finish_update,
    forward,
    forward_batch,
)
from lenet1998.kernels.simd import Tile, load, splat, store, sum_lanes, tile_product
from lenet1998.kernels.squash import Follower, squash, through_squash


@dataclass(frozen=True, kw_only=True)
class Full(Known):
    """Plan of a fully connected layer.

    Attributes:
        in_maps, in_side: the states below, `in_side` squared pixels of `in_maps` floats each.
        units: number of units.
        inputs, outputs: where the states start.
        weights: where the weights start: input by input, vectors over the units.
        bias: where the biases start.
        squash, squash_below: what its own units and those below are squashed by.
    """

    in_maps: int
    in_side: int
    units: int
    inputs: int
    outputs: int
    weights: int
    bias: int
    squash: Follower
    squash_below: Follower

    @property
    def in_units(self) -> int:
        return self.in_side**2 * self.in_maps

    @property
    def padded(self) -> int:
        """Floats between the weights of neighbouring inputs: the units in whole vectors."""
        return whole(self.units)

    def positions(self) -> dict[str, np.ndarray]:
        """Where each value of the module's parameters lies among the weights.

        By unit, then input map, row and column, as a convolution that covers its input has them.
        """
        side = self.in_side
        units = np.arange(self.units)
        inputs = np.arange(self.in_units).reshape(side, side, self.in_maps).transpose(2, 0, 1)
        weight = self.weights + np.add.outer(units, inputs * self.padded)
        return {"weight": weight, "bias": self.bias + units}


@dataclass(frozen=True)
class Batch(Known):
    """Images whose states lie `stride` floats apart in one array."""

    count: int
    stride: int


@overload(forward)
def _forward(layer, weights, states):
    plan = known(layer, Full)
    if plan is None:
        return None
    connect = _connect(plan, Batch(1, 0))
    return lambda layer, weights, states: connect(weights, states)


@overload(forward_batch)
def _forward_batch(layer, batch, weights, states):
    plan = known(layer, Full)
    if plan is None:
        return None
    connect = _connect(plan, known(batch, Batch))
    return lambda layer, batch, weights, states: connect(weights, states)


def _connect(plan: Full, batch: Batch) -> Callable[..., None]:
    together = largest_divisor(plan.padded // LANES, REGISTERS // batch.count)
    tile = Tile(
        lanes=LANES,
        sums=((plan.in_units, 1, plan.padded),),
        rows=((batch.count, batch.stride, batch.stride),),
        columns=((together, LANES, LANES),),
        start="vector",
    )
    inputs, outputs, matrix, bias = plan.inputs, plan.outputs, plan.weights, plan.bias
    padded, step, count, stride = plan.padded, together * LANES, batch.count, batch.stride
    kind = plan.squash

    @register_jitable
    @depends_on(plan, batch)
    def connect(weights, states):
        for unit in range(0, padded, step):
            tile_product(
                tile,
                states, outputs + unit,
                states, inputs,
                weights, matrix + unit,
                weights, bias + unit,
            )  # fmt: skip
        for image in range(count):
            squash(kind, states, outputs + image * stride, outputs + image * stride + padded)

    return connect


@overload(backward)
def _backward(layer, order, weights, states, factors, errors, gradients):
    plan = known(layer, Full)
    if plan is None:
        return None
    inputs, outputs, matrix, bias = plan.inputs, plan.outputs, plan.weights, plan.bias
    in_units, padded, kind = plan.in_units, plan.padded, plan.squash_below

    def backward_full(layer, order, weights, states, factors, errors, gradients) -> None:
        for unit in range(0, padded, LANES):
            i = bias + unit
            store(load(LANES, gradients, i) + load(LANES, errors, outputs + unit), gradients, i)
        for k in range(in_units):
            sent = splat(LANES, np.float32(0))
            factor = factors[inputs + k]
            row = matrix + k * padded
            for unit in range(0, padded, LANES):
                error = load(LANES, errors, outputs + unit)
                sent = error * load(LANES, weights, row + unit) + sent
                gradient = error * factor + load(LANES, gradients, row + unit)
                store(gradient, gradients, row + unit)
            errors[inputs + k] = sum_lanes(sent)
        through_squash(kind, order, errors, states, inputs, inputs + in_units)

    return backward_full


@overload(backward_and_learn)
def _backward_and_learn(layer, weights, steps, states, errors):
    plan = known(layer, Full)
    if plan is None:
        return None
    inputs, outputs, matrix, bias = plan.inputs, plan.outputs, plan.weights, plan.bias
    in_units, padded, kind = plan.in_units, plan.padded, plan.squash_below

    def learn_full(layer, weights, steps, states, errors) -> None:
        # These weights and their steps outgrow the nearest cache, so each is touched once.
        for unit in range(0, padded, LANES):
            i = bias + unit
            update = load(LANES, steps, i) * load(LANES, errors, outputs + unit)
            store(load(LANES, weights, i) - update, weights, i)
        for k in range(in_units):
            sent = splat(LANES, np.float32(0))
            state = states[inputs + k]
            row = matrix + k * padded
            for unit in range(0, padded, LANES):
                error = load(LANES, errors, outputs + unit)
                weight = load(LANES, weights, row + unit)
                sent = error * weight + sent
                gradient = error * state
                store(weight - load(LANES, steps, row + unit) * gradient, weights, row + unit)
            errors[inputs + k] = sum_lanes(sent)
        through_squash(kind, 1, errors, states, inputs, inputs + in_units)

    return learn_full


@overload(finish_update)
def _finish_update(layer, weights):
    return (lambda layer, weights: None) if known(layer, Full) else None
