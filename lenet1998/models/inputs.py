"""LeNet-5 that sees its images otherwise: on a smaller field, or at other levels (section II.B)."""

from typing import Any, ClassVar

from torch import Tensor
from torch.nn.functional import pad

from lenet1998.data.field import BACKGROUND, FIELD, INK
from lenet1998.layers import CoveringConv2d
from lenet1998.models.variants import LeNet5Variant

__all__ = [
    "Field20", "Field24", "Field28", "InvertedLevels", "SmallerField", "StandardLevels",
    "SymmetricLevels", "UnitLevels",
]  # fmt: skip


class SmallerField(LeNet5Variant):
    """The layers of LeNet-5 on the middle of the field; C5 covers what is then left of S4.

    The paper has 32x32 for characters of at most 20x20, so that the ends and corners of strokes can
    lie in the centre of what the highest feature detectors see (section II.B).
    """

    SIDE: ClassVar[int]
    """Of what is seen, in pixels: 12 more than a multiple of 4."""

    def __init__(self, **arguments: Any) -> None:
        c5 = CoveringConv2d(16, 120, kernel_size=(self.SIDE - 12) // 4)
        super().__init__(c5=c5, **arguments)

    def prepare(self, images: Tensor) -> Tensor:
        return pad(images, ((self.SIDE - FIELD) // 2,) * 4)  # below 0: it cuts off


class Field28(SmallerField):
    """On MNIST's own 28x28: 42,720 parameters."""

    SIDE = 28


class Field24(SmallerField):
    """On 24x24: 29,280 parameters."""

    SIDE = 24


class Field20(SmallerField):
    """On 20x20, as large as the box of a character: 19,680 parameters."""

    SIDE = 20


class OtherLevels(LeNet5Variant):
    """Paper and ink have other levels than -0.1 and 1.175.

    These make the mean of the inputs about 0 and their variance about 1, the paper says, which
    accelerates learning (section II.B).
    """

    LEVELS: ClassVar[tuple[float, float]]
    """Of paper and ink."""

    def prepare(self, images: Tensor) -> Tensor:
        paper, ink = self.LEVELS
        return paper + (images - BACKGROUND) * ((ink - paper) / (INK - BACKGROUND))


class UnitLevels(OtherLevels):
    """0 and 1, as a picture's pixels have most often now."""

    LEVELS = (0.0, 1.0)


class SymmetricLevels(OtherLevels):
    """-1 and 1, as the states of the layers above."""

    LEVELS = (-1.0, 1.0)


class InvertedLevels(OtherLevels):
    """1.175 and -0.1: light on dark, with a mean far from 0."""

    LEVELS = (INK, BACKGROUND)


class StandardLevels(OtherLevels):
    """Mean 0 and variance 1, both to two digits, over all pixels of MNIST's training digits."""

    LEVELS = (-0.364, 3.27)
