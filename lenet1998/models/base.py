"""What the learning rule and the kernels ask of a network of the 1998 kind."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from lenet1998.layers import EuclideanRBF, Squash


class ClassicNetwork(nn.Module):
    """A chain of layers, each followed by what `squash_after` says, that ends in penalties.

    Attributes:
        TRAINED_LAYERS: the names of the layers, from the input up. All have trainable parameters,
            but for pooling in variants.
        FIELD: side of the square input that is read at once, in pixels.
        squash: what follows each of them, unless `squash_after` says otherwise.
        output: the layer that turns the top states into penalties.
    """

    TRAINED_LAYERS: ClassVar[tuple[str, ...]]
    FIELD: ClassVar[int]

    squash: Squash
    output: EuclideanRBF

    def squash_after(self, layer: str) -> nn.Module:
        """What follows a layer, by its name: the squash, unless a variant says otherwise."""
        return self.squash
