"""The Euclidean RBF output and the two losses on its penalties (eqs. 7, 8 and 9)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba.extending import overload, register_jitable

from lenet1998.kernels.known import Known, known
from lenet1998.kernels.layout import LANES, whole
from lenet1998.kernels.simd import load, splat, store, sum_lanes


@dataclass(frozen=True)
class RBF(Known):
    """Plan of the output layer.

    Attributes:
        units: number of units below.
        classes: number of centres, kept as rows of `padded` floats, zeros in the padding.
        inputs: where the states below start.
    """

    units: int
    classes: int
    inputs: int

    @property
    def padded(self) -> int:
        return whole(self.units)


def penalties(layer, centres, states, scale, out) -> None:
    """y_i = scale |x - w_i|^2 into `out`."""


@overload(penalties)
def _penalties(layer, centres, states, scale, out):
    plan = known(layer, RBF)
    if plan is None:
        return None
    inputs, padded, classes = plan.inputs, plan.padded, plan.classes

    def compute(layer, centres, states, scale, out) -> None:
        for i in range(classes):
            total = splat(LANES, np.float32(0))
            for unit in range(0, padded, LANES):
                difference = load(LANES, states, inputs + unit) - load(
                    LANES, centres, i * padded + unit
                )
                total = difference * difference + total
            out[i] = scale * sum_lanes(total)

    return compute


def backward_rbf(layer, centres, states, slopes, errors) -> None:
    """dE/dx_j = sum over i of slope_i (x_j - w_ij), slope_i = 2 scale dE/dy_i."""


@overload(backward_rbf)
def _backward_rbf(layer, centres, states, slopes, errors):
    plan = known(layer, RBF)
    if plan is None:
        return None
    inputs, padded, classes = plan.inputs, plan.padded, plan.classes

    def send_back(layer, centres, states, slopes, errors) -> None:
        for unit in range(0, padded, LANES):
            state = load(LANES, states, inputs + unit)
            error = splat(LANES, np.float32(0))
            for i in range(classes):
                difference = state - load(LANES, centres, i * padded + unit)
                error = difference * slopes[i] + error
            store(error, errors, inputs + unit)

    return send_back


@register_jitable
def winner(out, classes: int) -> int:
    """The class with the smallest penalty, the first of equals."""
    best = 0
    for i in range(1, classes):
        if out[i] < out[best]:
            best = i
    return best


@register_jitable
def loss_and_slopes(out, classes: int, right: int, is_map: bool, j, slopes) -> float:
    """The loss of one pattern, and dE/dy_i into `slopes`.

    In eq. 9 every exponent is taken relative to the smallest penalty (the rubbish class's
    included), so nothing overflows and the largest term is 1.
    """
    if not is_map:
        slopes[:classes] = 0
        slopes[right] = 1
        return out[right]
    least = min(j, out[winner(out, classes)])
    total = math.exp(least - j)
    for i in range(classes):
        slopes[i] = math.exp(least - out[i])
        total += slopes[i]
    for i in range(classes):
        slopes[i] = -slopes[i] / total
    slopes[right] += np.float32(1)
    return out[right] - least + math.log(total)


def curvature_of_loss(layer, centres, states, scale, slopes, rubbish, errors) -> None:
    """d2E/dx^2 of eq. 9 at the states below: 2 s p_rubbish + variance of dy_i/dx over p."""


@overload(curvature_of_loss)
def _curvature_of_loss(layer, centres, states, scale, posterior, rubbish, errors):
    plan = known(layer, RBF)
    if plan is None:
        return None
    inputs, padded, classes = plan.inputs, plan.padded, plan.classes

    def compute(layer, centres, states, scale, posterior, rubbish, errors) -> None:
        for unit in range(0, padded, LANES):
            state = load(LANES, states, inputs + unit)
            mean = splat(LANES, np.float32(0))
            for i in range(classes):
                mean = (state - load(LANES, centres, i * padded + unit)) * posterior[i] + mean
            spread = mean * mean * rubbish
            for i in range(classes):
                away = state - load(LANES, centres, i * padded + unit) - mean
                spread = away * away * posterior[i] + spread
            factor = 2 * scale
            store(spread * (factor * factor) + factor * rubbish, errors, inputs + unit)

    return compute
