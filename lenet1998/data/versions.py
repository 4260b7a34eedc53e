"""MNIST's digits as the paper's other classifiers took them (section III.C)."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from lenet1998.data.field import BACKGROUND, BOX, FIELD, check_images

__all__ = ["SMALL", "to_16x16"]

SMALL = 16
"""Side of the smaller images."""

_FAINTEST = 0.0025  # above the background: half a grey value of 0..255


def to_16x16(images: Tensor) -> Tensor:
    """The box of 20x20 about the middle of each digit's ink, at 16x16 pixels.

    How the paper made them isn't printed; here the pixels are means with triangular weights. Ink
    beyond the box, which no digit of MNIST has, is lost.

    Shape: `(N, 1, 32, 32)` float32 -> `(N, 1, 16, 16)`, background -0.1 in both.

    Raises:
        ValueError: for another shape or type.
    """
    check_images(images, torch.float32, FIELD)
    ink = images[:, 0] > BACKGROUND + _FAINTEST
    inside = torch.arange(BOX)
    rows, columns = (_start(ink.any(dim))[:, None] + inside for dim in (2, 1))
    fields = pad(images[:, 0], (BOX // 2,) * 4, value=BACKGROUND)
    boxes = fields[torch.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None]]
    return interpolate(boxes[:, None], (SMALL, SMALL), mode="bilinear", antialias=True)


def _start(inked: Tensor) -> Tensor:
    """Where the box begins in a field with half a box of background around it, `(N,)`."""
    first, last = inked.byte().argmax(1), inked.shape[1] - 1 - inked.byte().flip(1).argmax(1)
    return (first + last + 1) // 2
