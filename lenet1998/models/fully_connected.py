"""The fully connected networks that Figs. 9 to 12 set beside LeNet-5 (section III.C)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from lenet1998 import codes
from lenet1998.layers import EuclideanRBF, Squash
from lenet1998.models.chain import ChainNetwork

__all__ = ["FullyConnected", "FullyConnected300", "FullyConnected1000"]


class FullyConnected(ChainNetwork):
    """Every pixel to every hidden unit, and the last of these to ten sigmoid units, one a class.

    The penalties are squared distances to the ten units' targets, +1 for the class and -1 for all
    others, so that eq. 8 is the mean squared error. The field is LeNet-5's, 32x32: the paper's
    28x28 image, and a border that is background always, whose weights are as another bias.

    Args:
        hidden: units of each hidden layer, from the input up.
        penalty_scale, j: of the loss, as `ChainNetwork` takes them.
    """

    def __init__(
        self, hidden: Sequence[int], *, penalty_scale: float = 0.5, j: float = 1.0
    ) -> None:
        super().__init__(penalty_scale=penalty_scale, j=j)
        sizes = (self.FIELD**2, *hidden, len(codes.DIGITS))
        layers = {f"f{i}": nn.Linear(*size) for i, size in enumerate(pairwise(sizes), 1)}
        self.TRAINED_LAYERS = tuple(layers)  # type: ignore[misc]
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.output = EuclideanRBF(2 * torch.eye(len(codes.DIGITS)) - 1)
        self.squash = Squash()


class FullyConnected300(FullyConnected):
    """28x28-300-10 of Fig. 9: 4.7 %; 310,510 parameters here, 238,510 of them on the 28x28."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__((300,), **arguments)


class FullyConnected1000(FullyConnected):
    """28x28-1000-10 of Fig. 9: 4.5 %; 1,035,010 parameters here, 795,010 of them on the 28x28."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__((1000,), **arguments)
