"""The Euclidean RBF output and the two losses on its penalties (eqs. 7, 8 and 9)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lenet1998.kernels.known import Known, called_by_kernels, operation_on
from lenet1998.kernels.layout import LANES, whole
from lenet1998.kernels.simd import load, splat, store, sum_lanes


@dataclass(frozen=True, kw_only=True)
class RBF(Known):
    """Plan of the output layer."""

    units: int  # below
    classes: int  # and centres
    inputs: int  # where the states below start
    centres: int  # where the centres start: rows of `padded` floats, zeros in the padding
    trainable: bool  # whether they learn

    @property
    def padded(self) -> int:
        return whole(self.units)

    def positions(self) -> dict[str, np.ndarray]:
        """Where each value of the centres lies among the weights."""
        rows = self.centres + self.padded * np.arange(self.classes)
        return {"centres": np.add.outer(rows, np.arange(self.units))}


@operation_on(RBF)
def penalties(plan: RBF):
    """y_i = scale |x - w_i|^2 into `out`."""
    inputs, centres, padded, classes = plan.inputs, plan.centres, plan.padded, plan.classes

    def compute(layer, weights, states, scale, out) -> None:
        for i in range(classes):
            total = splat(LANES, np.float32(0))
            for unit in range(0, padded, LANES):
                centre = load(LANES, weights, centres + i * padded + unit)
                difference = load(LANES, states, inputs + unit) - centre
                total = difference * difference + total
            out[i] = scale * sum_lanes(total)

    return compute


@operation_on(RBF)
def backward_rbf(plan: RBF):
    """dE/dx_j = sum over i of slope_i (x_j - w_ij), slope_i = 2 scale dE/dy_i."""
    inputs, centres, padded, classes = plan.inputs, plan.centres, plan.padded, plan.classes

    def send_back(layer, weights, states, slopes, errors) -> None:
        for unit in range(0, padded, LANES):
            state = load(LANES, states, inputs + unit)
            error = splat(LANES, np.float32(0))
            for i in range(classes):
                difference = state - load(LANES, weights, centres + i * padded + unit)
                error = difference * slopes[i] + error
            store(error, errors, inputs + unit)

    return send_back


@operation_on(RBF)
def backward_centres(plan: RBF):
    """Add dE/dw_ij = - slope_i (x_j - w_ij) to `gradients`, if the centres are trainable."""
    if not plan.trainable:
        return lambda layer, weights, states, slopes, gradients: None
    inputs, centres, padded, classes = plan.inputs, plan.centres, plan.padded, plan.classes

    def add(layer, weights, states, slopes, gradients) -> None:
        for i in range(classes):
            for unit in range(0, padded, LANES):
                at = centres + i * padded + unit
                difference = load(LANES, weights, at) - load(LANES, states, inputs + unit)
                store(difference * slopes[i] + load(LANES, gradients, at), gradients, at)

    return add


@called_by_kernels
def loss_and_slopes(out, classes: int, right: int, is_map: bool, j, slopes) -> float:
    """The loss of one pattern, and dE/dy_i into `slopes`.

    In eq. 9 every exponent is taken relative to the smallest penalty (the rubbish class's
    included), so nothing overflows and the largest term is 1.
    """
    if not is_map:
        slopes[:classes] = 0
        slopes[right] = 1
        return out[right]
    least = j
    for i in range(classes):
        least = min(least, out[i])
    total = math.exp(least - j)
    for i in range(classes):
        slopes[i] = math.exp(least - out[i])
        total += slopes[i]
    for i in range(classes):
        slopes[i] = -slopes[i] / total
    slopes[right] += np.float32(1)
    return out[right] - least + math.log(total)


@operation_on(RBF)
def curvature_of_loss(plan: RBF):
    """d2E/dx^2 of eq. 9 at the states below: 2 s p_rubbish + variance of dy_i/dx over p."""
    inputs, centres, padded, classes = plan.inputs, plan.centres, plan.padded, plan.classes

    def compute(layer, weights, states, scale, posterior, rubbish, errors) -> None:
        for unit in range(0, padded, LANES):
            state = load(LANES, states, inputs + unit)
            mean = splat(LANES, np.float32(0))
            for i in range(classes):
                centre = load(LANES, weights, centres + i * padded + unit)
                mean = (state - centre) * posterior[i] + mean
            spread = mean * mean * rubbish
            for i in range(classes):
                centre = load(LANES, weights, centres + i * padded + unit)
                away = state - centre - mean
                spread = away * away * posterior[i] + spread
            factor = 2 * scale
            store(spread * (factor * factor) + factor * rubbish, errors, inputs + unit)

    return compute


@operation_on(RBF)
def curvature_of_centres(plan: RBF):
    """Add d2E/dx^2 of the states below to each centre's h, if the centres are trainable.

    Eq. 7 bends as much along a centre as along the states.
    """
    if not plan.trainable:
        return lambda layer, errors, gradients: None
    inputs, centres, padded, classes = plan.inputs, plan.centres, plan.padded, plan.classes

    def add(layer, errors, gradients) -> None:
        for i in range(classes):
            for unit in range(0, padded, LANES):
                at = centres + i * padded + unit
                h = load(LANES, gradients, at) + load(LANES, errors, inputs + unit)
                store(h, gradients, at)

    return add
