"""LeNet-1, the first of the networks in Figs. 9 to 12 (section III.C)."""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from lenet1998 import codes
from lenet1998.data.field import BACKGROUND, IMAGE
from lenet1998.data.versions import SMALL, to_16x16
from lenet1998.layers import EuclideanRBF, Squash, Subsampling, TableConv2d
from lenet1998.models.chain import ChainNetwork

__all__ = ["LeNet1"]

_HALF = ((0,), (0, 1), (0, 1), (1,), (0, 1), (0, 1))


class LeNet1(ChainNetwork):
    """LeNet-1: 2,578 parameters, 98,442 connections; the digit at 16x16, in a field of 28x28.

        input  1 @ 28x28   the digit at 16x16, and background around it
        C1     4 @ 24x24   5x5 convolution                                104 parameters
        S2     4 @ 12x12   trainable subsampling                            8
        C3    12 @ 8x8     5x5 convolution by a table                     512
        S4    12 @ 4x4     trainable subsampling                           24
        output 10          full connection, a unit for each class       1,930

    The paper prints the 16x16, the 28x28, about 2,600 parameters and about 100,000 multiply-adds.
    The rest is the network of 1990 (LeCun et al., "Handwritten digit recognition with a
    back-propagation network", NIPS 2): of its 98,442 connections and 2,578 parameters follow the 20
    kernels of C3, which the table here gives to two halves of six maps, each on two maps of S2.

    Args:
        penalty_scale, j: of the loss, as `ChainNetwork` takes them.
    """

    TRAINED_LAYERS = ("c1", "s2", "c3", "s4", "f5")

    def __init__(self, **loss: Any) -> None:
        super().__init__(**loss)
        self.c1 = nn.Conv2d(1, 4, kernel_size=5)
        self.s2 = Subsampling(4)
        table = (*_HALF, *(tuple(2 + source for source in row) for row in _HALF))
        self.c3 = TableConv2d(table, kernel_size=5)
        self.s4 = Subsampling(12)
        self.f5 = nn.Linear(12 * 4**2, len(codes.DIGITS))
        self.output = EuclideanRBF(codes.places(len(codes.DIGITS)))
        self.squash = Squash()

    def prepare(self, images: Tensor) -> Tensor:
        small = to_16x16(images.float()).to(images)
        return pad(small, ((IMAGE - SMALL) // 2,) * 4, value=BACKGROUND)
