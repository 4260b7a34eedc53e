"""MNIST's digits as the paper's other classifiers took them (section III.C)."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate, pad

from lenet1998.data.field import BACKGROUND, BOX, FIELD, IMAGE, INK, PADDING, check_images

__all__ = ["SMALL", "VERSIONS", "deslanted", "to_16x16"]

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
    return interpolate(_boxes(images), (SMALL, SMALL), mode="bilinear", antialias=True)


def deslanted(images: Tensor) -> Tensor:
    """Each digit's lines shifted so that its principal axis is upright, in its box of 20x20.

    The second moments of the ink say by how much a line is shifted for each line that it is above
    the centre of mass; they take a level for the share of ink in a pixel. The shifts are bilinear,
    the box is about the middle of the ink. What is beyond it is lost: of MNIST's first 5,000
    training digits 2 % lose more than 1 % of their ink.

    Shape: `(N, 1, 32, 32)` float32 -> `(N, 1, 20, 20)`, background -0.1 in both.

    Raises:
        ValueError: for another shape or type.
    """
    check_images(images, torch.float32, FIELD)
    ink = (images - BACKGROUND).clamp(min=0)
    weights = ink / ink.sum((2, 3), keepdim=True).clamp(min=_FAINTEST)
    places = (
        2 * torch.arange(FIELD, device=images.device) + 1
    ) / FIELD - 1  # of the pixels, from edge -1 to edge 1
    x, y = places, places[:, None]
    middle = (weights * y).sum((2, 3), keepdim=True)
    below = weights * (y - middle)
    slant = (below * x).sum((1, 2, 3)) / (below * y).sum((1, 2, 3)).clamp(min=1e-6)
    maps = images.new_zeros(len(images), 2, 3)
    maps[:, 0, 0] = maps[:, 1, 1] = 1
    maps[:, 0, 1], maps[:, 0, 2] = slant, -slant * middle[:, 0, 0, 0]
    grid = affine_grid(maps, list(images.shape), align_corners=False)
    upright = grid_sample(images - BACKGROUND, grid, align_corners=False) + BACKGROUND
    return _boxes(upright)


def _boxes(images: Tensor) -> Tensor:
    """The box of 20x20 about the middle of each digit's ink, `(N, 1, 20, 20)`."""
    ink = images[:, 0] > BACKGROUND + _FAINTEST
    inside = torch.arange(BOX, device=images.device)
    rows, columns = (_start(ink.any(dim))[:, None] + inside for dim in (2, 1))
    fields = pad(images[:, 0], (BOX // 2,) * 4, value=BACKGROUND)
    which = torch.arange(len(images), device=images.device)
    boxes = fields[which[:, None, None], rows[:, :, None], columns[:, None]]
    return boxes[:, None]


def _start(inked: Tensor) -> Tensor:
    """Where the box begins in a field with half a box of background around it, `(N,)`."""
    first, last = inked.byte().argmax(1), inked.shape[1] - 1 - inked.byte().flip(1).argmax(1)
    return (first + last + 1) // 2


def _permuted(images: Tensor) -> Tensor:
    """The pixels of 28x28 in one other order, the same for all."""
    inner = pad(images, (-PADDING,) * 4)  # below 0: it cuts off
    order = torch.randperm(IMAGE**2, generator=torch.Generator().manual_seed(0))
    return inner.flatten(1)[:, order].view_as(inner)


def _in_levels(images: Tensor, count: int) -> Tensor:
    """The pixels rounded to so many levels from paper to ink."""
    step = (INK - BACKGROUND) / (count - 1)
    return BACKGROUND + step * ((images - BACKGROUND) / step).round()


VERSIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "28x28": lambda images: pad(images, (-PADDING,) * 4),
    "28x28 permuted": _permuted,
    "20x20, 1 bit": lambda images: _in_levels(_boxes(images), 2),
    "20x20 deslanted": deslanted,
    "20x20 deslanted, 4 bits": lambda images: _in_levels(deslanted(images), 16),
    "16x16": to_16x16,
}
"""The digits as the classifiers of Figs. 9 to 12 take them, by name: `(N, 1, 32, 32)` -> `(N, 1,
side, side)`."""
