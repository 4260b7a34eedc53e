"""Convolution with a connection table, one image at a time.

States lie with their maps innermost, so that the weights of one tap to all output maps are one
vector, and a row of a patch (all input maps of `kernel` neighbouring pixels) is one run of floats.
Connections that the table leaves out are zeros that never get a step: to skip them would break
the vectors, and cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba.extending import overload, register_jitable

from lenet1998.kernels.known import Known, depends_on, known
from lenet1998.kernels.layout import LANES, REGISTERS, lanes_for, largest_divisor, whole
from lenet1998.kernels.operations import backward, finish_update, forward
from lenet1998.kernels.simd import Tile, load, splat, store, tile_product, transpose
from lenet1998.kernels.squash import Follower, squash, through_squash


@dataclass(frozen=True, kw_only=True)
class Convolution(Known):
    """Plan of a convolution without padding.

    Attributes:
        table: for each output map, the input maps that it sees.
        in_maps: number of input maps; pixels lie `in_maps` floats apart.
        in_side: side of the square input maps.
        kernel: side of the kernels.
        inputs, outputs: where the states start; output pixels lie `padded` floats apart.
        weights: where the weights start: tap by tap and input map by input map, a vector over the
            output maps.
        bias: where the biases start.
        mirror: where the same weights start in the order that the backward pass wants, for each
            row of the kernel and each output map a row of a patch; None for the first layer, whose
            inputs have no derivative.
        squash, squash_below: what its own units and those below are squashed by.
    """

    table: tuple[tuple[int, ...], ...]
    in_maps: int
    in_side: int
    kernel: int
    inputs: int
    outputs: int
    weights: int
    bias: int
    mirror: int | None
    squash: Follower
    squash_below: Follower

    @property
    def out_side(self) -> int:
        return self.in_side - self.kernel + 1

    @property
    def lanes(self) -> int:
        return lanes_for(len(self.table))

    @property
    def padded(self) -> int:
        """Floats between output pixels: the output maps in whole vectors."""
        return whole(len(self.table), self.lanes)

    @property
    def patch_row(self) -> int:
        """Floats in one row of a patch."""
        return self.kernel * self.in_maps

    @property
    def in_row(self) -> int:
        return self.in_side * self.in_maps

    @property
    def out_row(self) -> int:
        return self.out_side * self.padded

    @property
    def mirror_size(self) -> int:
        return self.kernel * self.padded * whole(self.patch_row)

    def positions(self) -> dict[str, np.ndarray]:
        """Where each value of the module's parameters lies among the weights."""
        k, n = self.kernel, self.padded
        taps = np.arange(k * k).reshape(k, k) * self.in_maps * n
        kernels = [
            self.weights + taps + source * n + output
            for output, row in enumerate(self.table)
            for source in row
        ]
        return {"weight": np.array(kernels), "bias": self.bias + np.arange(len(self.table))}


@overload(forward)
def _forward(layer, weights, states):
    plan = known(layer, Convolution)
    if plan is None:
        return None
    columns = plan.padded // plan.lanes
    side = largest_divisor(plan.out_side, REGISTERS // columns)
    tile = Tile(
        lanes=plan.lanes,
        sums=(
            (plan.kernel, plan.in_row, plan.patch_row * plan.padded),
            (plan.patch_row, 1, plan.padded),
        ),
        rows=((side, plan.in_maps, plan.padded),),
        columns=((columns, plan.lanes, plan.lanes),),
        start="vector",
    )
    inputs, outputs, kernels, bias = plan.inputs, plan.outputs, plan.weights, plan.bias
    out_side, in_row, out_row = plan.out_side, plan.in_row, plan.out_row
    in_maps, padded, kind = plan.in_maps, plan.padded, plan.squash

    def convolve(layer, weights, states) -> None:
        for row in range(out_side):
            for column in range(0, out_side, side):
                tile_product(
                    tile,
                    states, outputs + row * out_row + column * padded,
                    states, inputs + row * in_row + column * in_maps,
                    weights, kernels,
                    weights, bias,
                )  # fmt: skip
        squash(kind, states, outputs, outputs + out_side * out_row)

    return convolve


@overload(backward)
def _backward(layer, order, weights, states, factors, errors, gradients):
    plan = known(layer, Convolution)
    if plan is None:
        return None
    of_weights = _gradient_of_weights(plan)
    of_inputs = None if plan.mirror is None else _gradient_of_inputs(plan)
    if of_inputs is None:

        def backward_first(layer, order, weights, states, factors, errors, gradients) -> None:
            of_weights(factors, errors, gradients)

        return backward_first

    def backward_inner(layer, order, weights, states, factors, errors, gradients) -> None:
        of_weights(factors, errors, gradients)
        of_inputs(order, weights, states, errors)

    return backward_inner


def _gradient_of_weights(plan: Convolution) -> Callable[..., None]:
    """Sum over positions of (input of the connection) x (error of the output)."""
    lanes, padded, kernel = plan.lanes, plan.padded, plan.kernel
    patch_row, in_row, out_row = plan.patch_row, plan.in_row, plan.out_row
    positions = ((plan.out_side, in_row, out_row), (plan.out_side, plan.in_maps, padded))
    # As many taps at once as the registers hold: whole kernels if they fit, else part of a row.
    kernel_rows = kernel if kernel * patch_row <= REGISTERS else 1
    part = largest_divisor(patch_row, REGISTERS)
    rows = ((kernel_rows, in_row, patch_row * padded), (part, 1, padded))
    tile = Tile(lanes=lanes, sums=positions, rows=rows, columns=((1, 0, 0),), start="c")
    inputs, outputs, kernels, bias = plan.inputs, plan.outputs, plan.weights, plan.bias
    end = outputs + plan.out_side * out_row

    @register_jitable
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
    row = whole(plan.patch_row)
    kernel, in_maps, padded = plan.kernel, plan.in_maps, plan.padded
    in_row, out_row, out_side = plan.in_row, plan.out_row, plan.out_side
    half = out_side // 2
    # Two outputs half a row apart share each load of a weight, if the registers hold both, their
    # patches do not overlap, and the padding behind the right one does not reach the left one's
    # patch in the next row.
    vectors = kernel * row // LANES
    apart = half * in_maps
    disjoint = apart >= plan.patch_row and apart + row <= in_row
    pair = out_side % 2 == 0 and 2 * vectors <= REGISTERS and disjoint
    together = half if pair else 1
    columns = half if pair else out_side
    tile = Tile(
        lanes=LANES,
        sums=((padded, 1, row),),
        rows=((2 if pair else 1, together * padded, together * in_maps),),
        columns=((kernel, padded * row, in_row), (row // LANES, LANES, LANES)),
        start="c",
    )
    inputs, outputs, mirror, kind = plan.inputs, plan.outputs, plan.mirror, plan.squash_below
    size = plan.in_side * in_row

    @register_jitable
    @depends_on(plan)
    def of_inputs(order: int, weights, states, errors) -> None:
        errors[inputs : inputs + size + LANES] = 0
        for r in range(out_side):
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


@overload(finish_update)
def _finish_update(layer, weights):
    plan = known(layer, Convolution)
    if plan is None:
        return None
    if plan.mirror is None:
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
