"""Pooling by two, the average or the maximum: nothing in it learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from lenet1998.kernels.known import called_by_kernels, overload_for
from lenet1998.kernels.layout import Ground, Layer, lay_out
from lenet1998.kernels.operations import backward, forward
from lenet1998.kernels.simd import load, store
from lenet1998.kernels.squash import error_through, squash
from lenet1998.kernels.windows import Windows, halved


@dataclass(frozen=True, kw_only=True)
class Pooling(Windows):
    """Plan of a pooling layer: the maximum of each window, or its average."""

    maximum: bool


@lay_out.register(nn.MaxPool2d)
@lay_out.register(nn.AvgPool2d)
def _(module: nn.MaxPool2d | nn.AvgPool2d, ground: Ground) -> Layer | None:
    usual: dict[str, Any] = {"kernel_size": 2, "stride": 2, "padding": 0, "dilation": 1}
    usual |= {"return_indices": False, "divisor_override": None}
    if any(getattr(module, name, value) != value for name, value in usual.items()):
        return None
    return halved(Pooling, ground, ground.maps, maximum=isinstance(module, nn.MaxPool2d))


_ONE, _QUARTER = np.float32(1), np.float32(1 / 4)


@called_by_kernels
def average(a, b, c, d) -> Any:
    return ((a + b) + (c + d)) * _QUARTER


@called_by_kernels
def maximum(a, b, c, d) -> Any:
    return max(max(a, b), max(c, d))


@called_by_kernels
def shares_of_average(order: int, a, b, c, d) -> Any:
    """The weight of each pixel of a window, squared for order 2 (eq. 27)."""
    weight = _QUARTER * _QUARTER if order == 2 else _QUARTER
    return weight, weight, weight, weight


@called_by_kernels
def shares_of_maximum(order: int, a, b, c, d) -> Any:
    """1 for the largest pixel, the first of equals by rows as in PyTorch, and 0 for the others."""
    largest = maximum(a, b, c, d)
    first = _ONE - (largest > a)
    left = _ONE - first
    second = left * (_ONE - (largest > b))
    left = left - second
    third = left * (_ONE - (largest > c))
    return first, second, third, left - third


@overload_for(forward, Pooling)
def _forward(plan: Pooling):
    lanes, padded, maps = plan.lanes, plan.padded, plan.maps
    side, width = plan.side, plan.width
    inputs, outputs, below, kind = plan.inputs, plan.outputs, plan.in_row, plan.squash
    of_window = maximum if plan.maximum else average

    def pool(layer, weights, states) -> None:
        # A whole vector is written for each pixel; the next pixel overwrites its padding.
        for row in range(side):
            for column in range(width):
                to = outputs + (row * width + column) * maps
                for lane in range(0, padded, lanes):
                    i = inputs + 2 * (row * below + column * padded) + lane
                    pooled = of_window(
                        load(lanes, states, i),
                        load(lanes, states, i + padded),
                        load(lanes, states, i + below),
                        load(lanes, states, i + below + padded),
                    )
                    store(pooled, states, to + lane)
        squash(kind, states, outputs, outputs + side * width * maps)

    return pool


@overload_for(backward, Pooling)
def _backward(plan: Pooling):
    lanes, padded, maps = plan.lanes, plan.padded, plan.maps
    side, width = plan.side, plan.width
    inputs, outputs, below, kind = plan.inputs, plan.outputs, plan.in_row, plan.squash_below
    shares_of_window = shares_of_maximum if plan.maximum else shares_of_average

    def backward_pooling(layer, order, weights, states, factors, errors, gradients) -> None:
        # The errors in the padding are the next pixel's. They go no further: the weights there
        # are 0 and take no step.
        for row in range(side):
            for column in range(width):
                for lane in range(0, padded, lanes):
                    error = load(lanes, errors, outputs + (row * width + column) * maps + lane)
                    i = inputs + 2 * (row * below + column * padded) + lane
                    j = i + below
                    a, b = load(lanes, states, i), load(lanes, states, i + padded)
                    c, d = load(lanes, states, j), load(lanes, states, j + padded)
                    of_a, of_b, of_c, of_d = shares_of_window(order, a, b, c, d)
                    store(error_through(kind, order, error * of_a, a), errors, i)
                    store(error_through(kind, order, error * of_b, b), errors, i + padded)
                    store(error_through(kind, order, error * of_c, c), errors, j)
                    store(error_through(kind, order, error * of_d, d), errors, j + padded)

    return backward_pooling
