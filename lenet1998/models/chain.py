"""Networks of the 1998 kind: a chain of layers that ends in penalties."""

import math
from typing import Any, ClassVar

from torch import Tensor, nn

from lenet1998.data.field import check_images
from lenet1998.layers import EuclideanRBF, Squash
from lenet1998.models.network import Network

__all__ = ["LARGEST", "ChainNetwork"]

LARGEST = 1e30
"""Of a number that goes into float32, which ends at 3e38."""


class ChainNetwork(Network):
    """A chain of layers, each followed by what `squash_after` says, that ends in penalties.

    The learning rule and the kernels ask no more of a network than this. The smallest penalty wins;
    as scores they are taken negative and on the scale of the training, and the rubbish class of
    eq. 9 has the score -j.

    Args:
        penalty_scale: of the penalties in the loss: 1 for eq. 7 as printed, 0.5 in the authors'
            software.
        j: penalty of the rubbish class on that scale.

    Raises:
        ValueError, TypeError: for a penalty scale that is not above 0, a j that is no number, or
            either from 1e30 on.
    """

    TRAINED_LAYERS: ClassVar[tuple[str, ...]]
    """The layers, from the input up. All have trainable parameters, but for pooling in variants."""

    squash: Squash
    output: EuclideanRBF

    def __init__(self, *, penalty_scale: float = 0.5, j: float = 1.0) -> None:
        super().__init__()
        if not 0 < penalty_scale < LARGEST or not (abs(j) < LARGEST or j == math.inf):
            expected = f"a penalty_scale > 0 and below {LARGEST:g}, and a number for j"
            raise ValueError(f"expected {expected}, got {penalty_scale} and {j}")
        self.penalty_scale = float(penalty_scale)
        self.j = float(j)

    def arguments(self) -> dict[str, Any]:
        return {"penalty_scale": self.penalty_scale, "j": self.j}

    def squash_after(self, layer: str) -> nn.Module:
        """What follows a layer, by its name: the squash, unless a variant says otherwise."""
        return self.squash

    def prepare(self, images: Tensor) -> Tensor:
        """What the first layer sees of the images, `(N, 1, side, side)`: all, unless a variant says
        otherwise."""
        return images

    def through(self, layer: str, states: Tensor) -> Tensor:
        """The states of a layer, squashed, from those below; a full layer sees them in one row."""
        module = self.get_submodule(layer)
        inputs = states.flatten(1) if isinstance(module, nn.Linear) else states
        squashed: Tensor = self.squash_after(layer)(module(inputs))
        return squashed

    def top_state(self, images: Tensor) -> Tensor:
        """`(N, units)`: states of the layer below the output; images and errors as for `scores`."""
        check_images(images, next(self.parameters()).dtype, self.FIELD)
        states = self.prepare(images)
        for layer in self.TRAINED_LAYERS:
            states = self.through(layer, states)
        return states

    def forward(self, images: Tensor) -> Tensor:
        """Penalties of the classes (eq. 7); the smallest wins. Images and errors as for `scores`.

        Returns:
            `(N, classes)`, squared distances >= 0 between the top state and each centre.
        """
        penalties: Tensor = self.output(self.top_state(images))
        return penalties

    @property
    def rubbish(self) -> float:
        return -self.j

    def scores(self, images: Tensor) -> Tensor:
        return self.to_scores(self(images))

    def to_scores(self, penalties: Tensor) -> Tensor:
        """Penalties as scores: the largest wins, and the softmax is eq. 9's probability."""
        return -self.penalty_scale * penalties

    def to_penalties(self, scores: Tensor) -> Tensor:
        """The penalties that `to_scores` made scores of."""
        return scores / -self.penalty_scale
