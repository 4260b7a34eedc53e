"""Trainable subsampling by two, with a coefficient and a bias for each map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lenet1998 import layers
from lenet1998.kernels.known import overload_for
from lenet1998.kernels.layout import Ground, Layer, lanes_for, lay_out, whole
from lenet1998.kernels.operations import backward, forward
from lenet1998.kernels.simd import load, repeated, store, turned
from lenet1998.kernels.squash import error_through, squash
from lenet1998.kernels.windows import Windows, halved


@dataclass(frozen=True, kw_only=True)
class Subsampling(Windows):
    """Plan of a subsampling layer; `coefficients` and `bias` are where its weights start.

    Where two of its maps read each one below, as LeNet-4's do, all of them fill one vector, and
    those below half of one.
    """

    coefficients: int
    bias: int

    @property
    def in_pairs(self) -> bool:
        return self.in_maps < self.maps

    def positions(self) -> dict[str, np.ndarray]:
        maps = np.arange(self.maps)
        return {"coefficient": self.coefficients + maps, "bias": self.bias + maps}


@lay_out.register
def _(module: layers.Subsampling, ground: Ground) -> Layer | None:
    maps, weights = len(module.coefficient), ground.weights
    lanes = lanes_for(maps)
    if module.readers > 1 and (module.readers > 2 or maps != lanes):
        return None
    padded = whole(maps, lanes)
    own = {"coefficients": weights.take(padded), "bias": weights.take(padded)}
    return halved(Subsampling, ground, maps, **own)


@overload_for(forward, Subsampling)
def _forward(plan: Subsampling):
    lanes, padded, maps = plan.lanes, plan.padded, plan.maps
    side, width = plan.side, plan.width
    inputs, outputs, coefficients, bias = plan.inputs, plan.outputs, plan.coefficients, plan.bias
    below, kind, in_pairs, in_maps = plan.in_row, plan.squash, plan.in_pairs, plan.in_maps

    def subsample(layer, weights, states) -> None:
        # A whole vector is written for each pixel; the next pixel overwrites its padding.
        for row in range(side):
            for column in range(width):
                i = inputs + 2 * (row * below + column * padded)
                to = outputs + (row * width + column) * maps
                for lane in range(0, padded, lanes):
                    upper = load(lanes, states, i + lane) + load(lanes, states, i + padded + lane)
                    i_below = i + below + lane
                    lower = load(lanes, states, i_below) + load(lanes, states, i_below + padded)
                    total = upper + lower
                    if in_pairs:
                        total = repeated(total, in_maps)
                    activation = total * load(lanes, weights, coefficients + lane) + load(
                        lanes, weights, bias + lane
                    )
                    store(activation, states, to + lane)
        squash(kind, states, outputs, outputs + side * width * maps)

    return subsample


@overload_for(backward, Subsampling)
def _backward(plan: Subsampling):
    lanes, padded, maps = plan.lanes, plan.padded, plan.maps
    side, width = plan.side, plan.width
    inputs, outputs, coefficients, bias = plan.inputs, plan.outputs, plan.coefficients, plan.bias
    below, kind, in_pairs, in_maps = plan.in_row, plan.squash_below, plan.in_pairs, plan.in_maps
    window = (0, padded, below, below + padded)

    def backward_subsampling(layer, order, weights, states, factors, errors, gradients) -> None:
        for lane in range(0, padded, lanes):
            of_coefficient = load(lanes, gradients, coefficients + lane)
            of_bias = load(lanes, gradients, bias + lane)
            # Zero in the padding, so the next pixel's error, read along, goes no further.
            coefficient = load(lanes, weights, coefficients + lane)
            for row in range(side):
                for column in range(width):
                    i = inputs + 2 * (row * below + column * padded) + lane
                    error = load(lanes, errors, outputs + (row * width + column) * maps + lane)
                    total = (load(lanes, states, i) + load(lanes, states, i + padded)) + (
                        load(lanes, states, i + below) + load(lanes, states, i + below + padded)
                    )
                    if in_pairs:
                        total = repeated(total, in_maps)
                    if order == 2:
                        total = total * total
                    of_coefficient = error * total + of_coefficient
                    of_bias = of_bias + error
                    sent = error * coefficient
                    if in_pairs:  # what lies beside the maps below has no weights that learn
                        sent = sent + turned(sent, in_maps)
                    for offset in window:
                        state = load(lanes, states, i + offset)
                        store(error_through(kind, order, sent, state), errors, i + offset)
            store(of_coefficient, gradients, coefficients + lane)
            store(of_bias, gradients, bias + lane)

    return backward_subsampling
