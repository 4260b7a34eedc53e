"""Test digits made harder: pixels inverted, digits moved, digits turned (section III.E)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lenet1998.models.checks import BACKGROUND, INK

_DIRECTIONS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # columns, rows


def with_noise(images: Tensor, share: float, seed: int = 0) -> Tensor:
    """Invert each pixel with the probability `share`, black for white.

    The paper's noise-resistant network was trained with 0.1 (section III.E).

    Shape: `(N, 1, H, W)`, background -0.1 to ink 1.175 -> the same, new.
    """
    generator = torch.Generator().manual_seed(seed)
    hit = torch.rand(images.shape, generator=generator) < share
    return torch.where(hit, INK + BACKGROUND - images, images)


def shifted(images: Tensor, pixels: int) -> Tensor:
    """Move each digit by whole pixels: the first right, the next down, then left, up, and so on.

    What leaves the field is lost, and background comes in. A digit of MNIST lies in a box of 20x20
    that may be moved by about 6 pixels before it is cut.

    Shape: `(N, 1, H, W)`, background -0.1 -> the same, new.
    """
    moved = torch.empty_like(images)
    for start, (columns, rows) in enumerate(_DIRECTIONS):
        right, down = columns * pixels, rows * pixels
        moved[start::4] = F.pad(images[start::4], (right, -right, down, -down), value=BACKGROUND)
    return moved


def rotated(images: Tensor, degrees: float) -> Tensor:
    """Turn each digit about the centre: the first anticlockwise, the next clockwise, and so on.

    Bilinear; what comes in at the corners is background.

    Shape: `(N, 1, H, W)`, background -0.1 -> the same, new.
    """
    angles = torch.full((len(images),), math.radians(degrees))
    angles[1::2] *= -1
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    # From a place in the new image to that in the old one; y runs down.
    maps = torch.stack([cos, -sin, zero, sin, cos, zero], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    # Background as 0, so that the interpolation at the corners has no other level to blend in.
    ink = F.grid_sample(images - BACKGROUND, grid, mode="bilinear", align_corners=False)
    return ink + BACKGROUND
