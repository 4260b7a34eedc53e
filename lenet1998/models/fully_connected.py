"""The fully connected networks that Figs. 9 to 12 set beside LeNet-5 (section III.C)."""

from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.functional import pad

from lenet1998 import codes
from lenet1998.data.field import BOX, IMAGE, PADDING
from lenet1998.data.versions import deslanted
from lenet1998.layers import EuclideanRBF, Squash
from lenet1998.models.chain import ChainNetwork

__all__ = [
    "FullyConnected", "FullyConnected300", "FullyConnected300And100", "FullyConnected300Deslanted",
    "FullyConnected500And150", "FullyConnected1000",
]  # fmt: skip


class FullyConnected(ChainNetwork):
    """Every pixel to every hidden unit, and the last of these to ten sigmoid units, one a class.

    The penalties are squared distances to the ten units' targets, +1 for the class and -1 for all
    others, so that eq. 8 is the mean squared error.

    Args:
        penalty_scale, j: of the loss, as `ChainNetwork` takes them.
    """

    HIDDEN: ClassVar[tuple[int, ...]]
    """Units of each hidden layer, from the input up."""
    SIDE: ClassVar[int] = IMAGE
    """Of what it sees, in pixels."""

    def __init__(self, **loss: Any) -> None:
        super().__init__(**loss)
        sizes = (self.SIDE**2, *self.HIDDEN, len(codes.DIGITS))
        layers = {f"f{i}": nn.Linear(*size) for i, size in enumerate(pairwise(sizes), 1)}
        self.TRAINED_LAYERS = tuple(layers)  # type: ignore[misc]
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.output = EuclideanRBF(codes.places(len(codes.DIGITS)))
        self.squash = Squash()

    def prepare(self, images: Tensor) -> Tensor:
        return pad(images, (-PADDING,) * 4)  # below 0: it cuts off


class FullyConnected300(FullyConnected):
    """28x28-300-10 of Fig. 9: 4.7 %, and 3.6 % with distortions; 238,510 parameters."""

    HIDDEN = (300,)


class FullyConnected1000(FullyConnected):
    """28x28-1000-10: 4.5 %, and 3.8 % with distortions; 795,010 parameters."""

    HIDDEN = (1000,)


class FullyConnected300And100(FullyConnected):
    """28x28-300-100-10: 3.05 %, and 2.5 % with distortions; 266,610 parameters."""

    HIDDEN = (300, 100)


class FullyConnected500And150(FullyConnected):
    """28x28-500-150-10: 2.95 %, and 2.45 % with distortions; 469,160 parameters.

    The text calls it 1000-150; the 469 thousand weights of Fig. 12 are those of 500-150.
    """

    HIDDEN = (500, 150)


class FullyConnected300Deslanted(FullyConnected):
    """20x20-300-10 on digits set upright: 1.6 %; 123,310 parameters."""

    HIDDEN = (300,)
    SIDE = BOX

    def prepare(self, images: Tensor) -> Tensor:
        return deslanted(images.float()).to(images)
