"""From a picture of a digit to the network's input (sections II.B and III.A)."""

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from lenet1998.data.field import BOX, CENTRE, IMAGE, PADDING

__all__ = ["normalise_digit", "to_network_input"]


def to_network_input(images: Tensor) -> Tensor:
    """Pad MNIST's 28x28 grey images to 32x32 and set the input levels (section II.B).

    Background (0) becomes -0.1 and full ink (255) 1.175, so a level is 0.005 * value - 0.1.

    Shape: (N, 28, 28) uint8, ink high -> (N, 1, 32, 32) float32 in [-0.1, 1.175].

    Raises:
        ValueError: the images are not uint8 or not 28x28.
    """
    if images.dtype != torch.uint8 or images.shape[1:] != (IMAGE, IMAGE):
        shape = tuple(images.shape)
        raise ValueError(f"images must be (N, 28, 28) uint8, not {shape} {images.dtype}")
    fields = pad(images, (PADDING,) * 4).unsqueeze(1)
    # The difference is a whole number: every level is the float32 nearest to the true one.
    return fields.to(torch.float32).sub_(20).div_(200)


def normalise_digit(image: Tensor) -> Tensor:
    """Normalise a digit's size and place as MNIST's were (section III.A).

    The bounding box of the ink is scaled to fit 20x20 with its aspect ratio kept (the scaling is
    anti-aliased, hence grey levels), then moved by whole pixels inside 28x28 until its centre of
    mass lies within half a pixel of row 14, column 14, or as near as the border lets it. The paper
    says "the center"; 14 rather than 13.5 is measured: the centres of mass of MNIST's training
    images average (14.00, 14.01), spread evenly over 13.5 to 14.5.

    Every value above 0 is ink, so a photograph's background must be cleared to 0 first.

    Shape: (H, W), any size, number type and scale, ink high -> (28, 28) uint8, the darkest ink 255.

    Raises:
        ValueError: the image is not two-dimensional, is blank, or has a NaN or infinite pixel.
    """
    if image.ndim != 2 or image.numel() == 0:
        raise ValueError(f"a digit's image must be (height, width), not {tuple(image.shape)}")
    ink = image.to(torch.float32).clamp(min=0)
    darkest = ink.max().item()
    if not 0 < darkest < math.inf:  # a NaN pixel makes the maximum NaN and fails this too
        raise ValueError(f"the image holds no digit: its darkest ink is {darkest}")

    rows, columns = ink.any(dim=1).nonzero(), ink.any(dim=0).nonzero()
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / darkest
    scale = BOX / max(box.shape)
    height, width = (max(1, round(side * scale)) for side in box.shape)
    digit = interpolate(box[None, None], (height, width), mode="bilinear", antialias=True)[0, 0]

    top, left = _first_index(digit.sum(dim=1)), _first_index(digit.sum(dim=0))
    field = torch.zeros(IMAGE, IMAGE, dtype=torch.uint8)
    field[top : top + height, left : left + width] = (digit * (255 / digit.max())).round()
    return field


def _first_index(profile: Tensor) -> int:
    """Where a digit with this ink per row (or column) starts, so that its mass is at CENTRE."""
    centre_of_mass = (torch.arange(len(profile)) * profile).sum() / profile.sum()
    start = round(CENTRE - centre_of_mass.item())
    return min(max(start, 0), IMAGE - len(profile))
