"""Convolution with a connection table, one image at a time.

States lie with their maps innermost, so that the weights of one tap to all output maps are one
vector, and a row of a patch (all input maps of `kernel` neighbouring pixels) is one run of floats.
Connections that the table leaves out are zeros that never get a step: to skip them would break
the vectors, and cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from lenet1998.kernels.full import lay_out_full
from lenet1998.kernels.known import called_by_kernels, depends_on, overload_for
from lenet1998.kernels.layout import (
    LANES,
    REGISTERS,
    Ground,
    Layer,
    lanes_for,
    largest_divisor,
    lay_out,
    whole,
)
from lenet1998.kernels.operations import backward, finish_update, forward
from lenet1998.kernels.simd import Tile, load, splat, store, tile_product, transpose
from lenet1998.kernels.squash import squash, through_squash
from lenet1998.layers import TableConv2d


@dataclass(frozen=True, kw_only=True)
class Convolution(Layer):
    """Plan of a convolution without padding.

    The pixels below lie `in_maps` floats apart, its own `padded`. The mirror holds the weights in
    the order that the backward pass wants: for each row of the kernel and each output map a row of
    a patch. The first layer, whose inputs have no derivative, has none.
    """

    table: tuple[tuple[int, ...], ...]  # for each output map, the input maps that it sees
    kernel: int  # side of the kernels
    # where the weights start: tap by tap and input map by input map, a vector over the output maps
    weights: int
    bias: int  # where the biases start
    mirror: int | None = None  # where the mirror starts

    @property
    def patch_row(self) -> int:
        """Floats in one row of a patch."""
        return self.kernel * self.in_maps

    @property
    def in_row(self) -> int:
        return self.in_width * self.in_maps

    @property
    def out_row(self) -> int:
        return self.width * self.padded

    @property
    def mirror_size(self) -> int:
        return self.kernel * self.padded * whole(self.patch_row)

    def positions(self) -> dict[str, np.ndarray]:
        k, n = self.kernel, self.padded
        taps = np.arange(k * k).reshape(k, k) * self.in_maps * n
        kernels = [
            self.weights + taps + source * n + output
            for output, row in enumerate(self.table)
            for source in row
        ]
        return {"weight": np.array(kernels), "bias": self.bias + np.arange(self.maps)}


@lay_out.register
def _(module: nn.Conv2d, ground: Ground) -> Layer | None:
    height, width = module.kernel_size
    settings = (module.stride, module.padding, module.dilation, module.groups)
    if height != width or settings != ((1, 1), (0, 0), (1, 1), 1) or module.bias is None:
        return None
    if height == ground.side == ground.width:
        return lay_out_full(module, ground)
    return _laid_out((tuple(range(ground.maps)),) * module.out_channels, height, ground)


@lay_out.register
def _(module: TableConv2d, ground: Ground) -> Layer | None:
    return _laid_out(module.table, module.kernel_size, ground)


def _laid_out(table: tuple[tuple[int, ...], ...], kernel: int, ground: Ground) -> Layer | None:
    if ground.is_full:
        return None
    maps, side, width = len(table), ground.side - kernel + 1, ground.width - kernel + 1
    padded = whole(maps, lanes_for(maps))
    weights = ground.weights.take(kernel**2 * ground.maps * padded)
    bias = ground.weights.take(padded)
    own: dict[str, Any] = {"table": table, "kernel": kernel, "weights": weights, "bias": bias}
    own |= {"maps": maps, "side": side, "width": width}
    return ground.stand(Convolution, side * width * padded, **own)


@overload_for(forward, Convolution)
def _forward(plan: Convolution):
    columns = plan.padded // plan.lanes
    together = largest_divisor(plan.width, REGISTERS // columns)
    tile = Tile(
        lanes=plan.lanes,
        sums=(
            (plan.kernel, plan.in_row, plan.patch_row * plan.padded),
            (plan.patch_row, 1, plan.padded),
        ),
        rows=((together, plan.in_maps, plan.padded),),
        columns=((columns, plan.lanes, plan.lanes),),
        start="vector",
    )
    inputs, outputs, kernels, bias = plan.inputs, plan.outputs, plan.weights, plan.bias
    side, width, in_row, out_row = plan.side, plan.width, plan.in_row, plan.out_row
    in_maps, padded, kind = plan.in_maps, plan.padded, plan.squash

    def convolve(layer, weights, states) -> None:
        for row in range(side):
            for column in range(0, width, together):
                tile_product(
                    tile,
                    states, outputs + row * out_row + column * padded,
                    states, inputs + row * in_row + column * in_maps,
                    weights, kernels,
                    weights, bias,
                )  # fmt: skip
        squash(kind, states, outputs, outputs + side * out_row)

    return convolve


@overload_for(backward, Convolution)
def _backward(plan: Convolution):
    of_weights, of_inputs = _gradient_of_weights(plan), _gradient_of_inputs(plan)

    def backward_convolution(layer, order, weights, states, factors, errors, gradients) -> None:
        of_weights(factors, errors, gradients)
        of_inputs(order, weights, states, errors)

    return backward_convolution


def _gradient_of_weights(plan: Convolution) -> Callable[..., None]:
    """Sum over positions of (input of the connection) x (error of the output)."""
    lanes, padded, kernel = plan.lanes, plan.padded, plan.kernel
    patch_row, in_row, out_row = plan.patch_row, plan.in_row, plan.out_row
    positions = ((plan.side, in_row, out_row), (plan.side, plan.in_maps, padded))
    # As many taps at once as the registers hold: whole kernels if they fit, else part of a row.
    kernel_rows = kernel if kernel * patch_row <= REGISTERS else 1
    part = largest_divisor(patch_row, REGISTERS)
    rows = ((kernel_rows, in_row, patch_row * padded), (part, 1, padded))
    tile = Tile(lanes=lanes, sums=positions, rows=rows, columns=((1, 0, 0),), start="c")
    inputs, outputs, kernels, bias = plan.inputs, plan.outputs, plan.weights, plan.bias
    end = outputs + plan.side * out_row

    @called_by_kernels
    @depends_on(plan)
    def of_weights(factors, errors, gradients) -> None:
        for row in range(0, kernel, kernel_rows):
            for begin in range(0, patch_row, part):
                for lane in range(0, padded, lanes):
                    tile_product(
                        tile,
                        gradients, kernels + (row * patch_row + begin) * padded + lane,
                        factors, inputs + row * in_row + begin,
                        errors, outputs + lane,
                        gradients, 0,
                    )  # fmt: skip
        for lane in range(0, padded, lanes):
            # Two chains of additions hide the latency of one.
            even, odd = load(lanes, gradients, bias + lane), splat(lanes, np.float32(0))
            for i in range(outputs + lane, end - padded, 2 * padded):
                even = even + load(lanes, errors, i)
                odd = odd + load(lanes, errors, i + padded)
            if (end - outputs) // padded % 2:
                even = even + load(lanes, errors, end - padded + lane)
            store(even + odd, gradients, bias + lane)

    return of_weights


def _gradient_of_inputs(plan: Convolution) -> Callable[..., None]:
    """Each output sends its error back over its patch, through the mirrored weights."""
    if plan.mirror is None:
        return called_by_kernels(lambda order, weights, states, errors: None)
    row = whole(plan.patch_row)
    kernel, in_maps, padded = plan.kernel, plan.in_maps, plan.padded
    in_row, out_row, side = plan.in_row, plan.out_row, plan.side
    half = side // 2
    # Two outputs half a row apart share each load of a weight, if the registers hold both, their
    # patches do not overlap, and the padding behind the right one does not reach the left one's
    # patch in the next row.
    vectors = kernel * row // LANES
    apart = half * in_maps
    disjoint = apart >= plan.patch_row and apart + row <= in_row
    pair = side % 2 == 0 and 2 * vectors <= REGISTERS and disjoint
    together = half if pair else 1
    columns = half if pair else side
    tile = Tile(
        lanes=LANES,
        sums=((padded, 1, row),),
        rows=((2 if pair else 1, together * padded, together * in_maps),),
        columns=((kernel, padded * row, in_row), (row // LANES, LANES, LANES)),
        start="c",
    )
    inputs, outputs, mirror, kind = plan.inputs, plan.outputs, plan.mirror, plan.squash_below
    size = plan.in_side * in_row

    @called_by_kernels
    @depends_on(plan)
    def of_inputs(order: int, weights, states, errors) -> None:
        errors[inputs : inputs + size + LANES] = 0
        for r in range(side):
            for c in range(columns):
                tile_product(
                    tile,
                    errors, inputs + r * in_row + c * in_maps,
                    errors, outputs + r * out_row + c * padded,
                    weights, mirror,
                    weights, 0,
                )  # fmt: skip
        through_squash(kind, order, errors, states, inputs, inputs + size)

    return of_inputs


@overload_for(finish_update, Layer)
def _finish_update(plan: Layer):
    if not isinstance(plan, Convolution) or plan.mirror is None:
        return lambda layer, weights: None
    kernels, mirror, padded = plan.weights, plan.mirror, plan.padded
    kernel, patch_row, row = plan.kernel, plan.patch_row, whole(plan.patch_row)
    lanes, rest = plan.lanes, plan.patch_row % plan.lanes
    end_of_blocks = patch_row - rest

    def mirror_weights(layer, weights):
        for kernel_row in range(kernel):
            for output in range(0, padded, lanes):
                source = kernels + kernel_row * patch_row * padded + output
                target = mirror + (kernel_row * padded + output) * row
                for tap in range(0, end_of_blocks, lanes):
                    from_tap = source + tap * padded
                    transpose(lanes, lanes, weights, from_tap, padded, weights, target + tap, row)
                if rest:
                    from_tap = source + end_of_blocks * padded
                    to_tap = target + end_of_blocks
                    transpose(lanes, rest, weights, from_tap, padded, weights, to_tap, row)

    return mirror_weights
