"""Full connection, of C5 (whose kernels cover S4 whole) and F6."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from lenet1998.kernels.known import overload_for
from lenet1998.kernels.layout import (
    LANES,
    REGISTERS,
    Ground,
    Layer,
    largest_divisor,
    lay_out,
    whole,
)
from lenet1998.kernels.operations import backward, backward_and_learn, forward
from lenet1998.kernels.simd import Tile, load, splat, store, sum_lanes, tile_product
from lenet1998.kernels.squash import squash, through_squash


@dataclass(frozen=True, kw_only=True)
class Full(Layer):
    """Plan of a fully connected layer; its units are maps of one pixel."""

    weights: int  # where the weights start: input by input, vectors over the units
    bias: int  # where the biases start
    images: int = 1  # that `forward` takes at once, so that each weight is loaded once for all
    stride: int = 0  # floats from the states of one image to those of the next

    @property
    def lanes(self) -> int:
        return LANES

    @property
    def in_units(self) -> int:
        return self.in_side**2 * self.in_maps

    def positions(self) -> dict[str, np.ndarray]:
        # By unit, then input map, row and column, as a convolution that covers its input has them.
        side, units = self.in_side, np.arange(self.maps)
        inputs = np.arange(self.in_units).reshape(side, side, self.in_maps).transpose(2, 0, 1)
        weight = self.weights + np.add.outer(units, inputs * self.padded)
        return {"weight": weight, "bias": self.bias + units}


@lay_out.register(nn.Linear)
def lay_out_full(module: nn.Linear | nn.Conv2d, ground: Ground) -> Layer | None:
    """The plan of a full layer, or of a convolution whose kernels cover the maps below."""
    if module.bias is None:
        return None
    ground.is_full, ground.width = True, ground.side  # in a field it is run at each place
    units = len(module.weight)
    padded = whole(units)
    weights = ground.weights.take(ground.side**2 * ground.maps * padded)
    bias = ground.weights.take(padded)
    return ground.stand(Full, padded, maps=units, side=1, width=1, weights=weights, bias=bias)


@overload_for(forward, Full)
def _forward(plan: Full):
    together = largest_divisor(plan.padded // LANES, REGISTERS // plan.images)
    tile = Tile(
        lanes=LANES,
        sums=((plan.in_units, 1, plan.padded),),
        rows=((plan.images, plan.stride, plan.stride),),
        columns=((together, LANES, LANES),),
        start="vector",
    )
    inputs, outputs, matrix, bias = plan.inputs, plan.outputs, plan.weights, plan.bias
    padded, step, images, stride = plan.padded, together * LANES, plan.images, plan.stride
    kind = plan.squash

    def connect(layer, weights, states) -> None:
        for unit in range(0, padded, step):
            tile_product(
                tile,
                states, outputs + unit,
                states, inputs,
                weights, matrix + unit,
                weights, bias + unit,
            )  # fmt: skip
        for image in range(images):
            squash(kind, states, outputs + image * stride, outputs + image * stride + padded)

    return connect


@overload_for(backward, Full)
def _backward(plan: Full):
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


@overload_for(backward_and_learn, Full)
def _backward_and_learn(plan: Full):
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
