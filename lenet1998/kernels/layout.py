"""Where things lie: whole vectors, regions of one flat array, and a layer on top of those below."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from torch import nn

from lenet1998.kernels.known import Known

LANES = 16
"""Floats in a full vector: one AVX-512 register, two of AVX2, four of NEON."""

REGISTERS = 30
"""Accumulators that a tile may keep at once: 32 vector registers less two for what it reads."""


def whole(count: int, lanes: int = LANES) -> int:
    """`count` rounded up to whole vectors."""
    return -(-count // lanes) * lanes


def lanes_for(maps: int) -> int:
    """The width of vector that holds so many maps with the least padding."""
    return 8 if maps <= 8 else LANES


def largest_divisor(number: int, limit: int) -> int:
    """The largest divisor of `number` that is at most `limit` (at least 1)."""
    return next(d for d in range(min(number, max(limit, 1)), 0, -1) if number % d == 0)


class Arena:
    """Hands out the regions of one flat array, each on a vector boundary with a vector of slack.

    The slack takes what the last vector of a region writes past its end.
    """

    def __init__(self) -> None:
        self.size = 0

    def take(self, count: int) -> int:
        """The start of a new region of `count` floats."""
        start = self.size
        self.size += whole(count) + LANES
        return start


@dataclass(frozen=True, kw_only=True)
class Layer(Known):
    """Plan of a layer between the image and the output: what all kinds have."""

    in_maps: int  # of the states below
    in_side: int  # their rows
    in_width: int  # their columns
    maps: int  # of its own
    side: int
    width: int
    inputs: int  # where the states below start
    outputs: int  # where its own start
    squash: Any  # what its own units are squashed by
    squash_below: Any  # what those below are

    @property
    def lanes(self) -> int:
        return lanes_for(self.maps)

    @property
    def padded(self) -> int:
        """Floats that the own maps of one pixel fill, in whole vectors."""
        return whole(self.maps, self.lanes)

    def positions(self) -> dict[str, np.ndarray]:
        """Where each value of the module's parameters lies among the weights."""
        return {}


@dataclass
class Ground:
    """What a layer finds where it is laid out."""

    side: int  # of the states below, their rows
    width: int  # their columns: more than rows in a field of several digits
    maps: int
    inputs: int  # where they start
    squash_below: Any  # what they are squashed by
    squash: Any  # what follows the layer
    states: Arena
    weights: Arena
    is_full: bool = False  # whether a full layer is below, on which no convolution can stand

    def stand(self, kind: type[Layer], floats: int, **own: Any) -> Layer:
        """A layer of that kind, with so many floats of states; from now on it is what is below."""
        layer = kind(
            in_maps=self.maps,
            in_side=self.side,
            in_width=self.width,
            inputs=self.inputs,
            outputs=self.states.take(floats),
            squash=self.squash,
            squash_below=self.squash_below,
            **own,
        )
        self.side, self.width, self.maps = layer.side, layer.width, layer.maps
        self.inputs, self.squash_below = layer.outputs, layer.squash
        return layer


@singledispatch
def lay_out(module: nn.Module, ground: Ground) -> Layer | None:
    """The plan of a module that stands on this ground; each kind of layer registers its own way.

    None for a module that has no kernel, or not with its settings.
    """
    return None
