"""Test digits made harder: noisy, moved, turned, sheared, scaled, redrawn (section III.E).

Where a disturbance has two sides, the digits take them in turn. Levels stay within those of the
images and the background, and what comes in from outside the field is background.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lenet1998.models.checks import BACKGROUND, INK

_DIRECTIONS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # columns, rows

_FINE = 4  # a pixel's side, while strokes are made wider or thinner
_BATCH = 500  # images at once at that resolution


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


def shifted_vertically(images: Tensor, pixels: float) -> Tensor:
    """Move each digit down or up: the first down, the next up, and so on.

    Bilinear. What leaves the field is lost.

    Shape: `(N, 1, H, W)`, background -0.1 -> the same, new.
    """
    # The field is 2 high and 2 wide in these maps.
    rows = _both_sides(images, 2 * pixels / images.shape[-2])
    one, zero = torch.ones_like(rows), torch.zeros_like(rows)
    return _mapped(images, [one, zero, zero, zero, one, -rows])


def rotated(images: Tensor, degrees: float) -> Tensor:
    """Turn each digit about the centre: the first anticlockwise, the next clockwise, and so on.

    Bilinear; what comes in at the corners is background.

    Shape: `(N, 1, S, S)`, background -0.1 -> the same, new.
    """
    angles = _both_sides(images, math.radians(degrees))
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    return _mapped(images, [cos, -sin, zero, sin, cos, zero])


def sheared(images: Tensor, columns_per_row: float) -> Tensor:
    """Lean each digit about the middle row: the first right, the next left, and so on.

    Bilinear. A shear of 1 makes an upright stroke lean by 45 degrees.

    Shape: `(N, 1, S, S)`, background -0.1 -> the same, new.
    """
    slants = _both_sides(images, columns_per_row)
    one, zero = torch.ones_like(slants), torch.zeros_like(slants)
    return _mapped(images, [one, slants, zero, zero, one, zero])


def scaled(images: Tensor, factor: float) -> Tensor:
    """Make each digit larger or smaller about the centre of the field.

    Larger: bilinear, and what leaves the field is lost. Smaller: each new pixel is a mean, with
    triangular weights, over the old ones that it stands for, so that no stroke falls between two.

    Shape: `(N, 1, H, W)`, background -0.1 -> the same, new.

    Raises:
        ValueError: for a factor that is not positive.
    """
    if not 0 < factor < math.inf:
        raise ValueError(f"expected a finite factor > 0, got {factor}")
    rows, columns = (_resampling(side, factor).to(images) for side in images.shape[-2:])
    return rows @ (images - BACKGROUND) @ columns.T + BACKGROUND


def with_strokes(images: Tensor, wider: float) -> Tensor:
    """Make the strokes of each digit wider by so many pixels, or thinner where negative.

    Grey dilation or erosion by a disc, on pixels divided into 4x4: half of `wider` is its radius,
    since both sides of a stroke move. Strokes of less than a pixel become fainter.

    Shape: `(N, 1, H, W)`, background -0.1 -> the same, new.

    Raises:
        ValueError: where `wider` is no multiple of 0.5.
    """
    from scipy.ndimage import grey_dilation, grey_erosion  # slow to import, seldom needed

    radius = abs(wider) * _FINE / 2
    if radius % 1:
        raise ValueError(f"strokes change by a multiple of {2 / _FINE} pixels, not by {wider}")
    reach = np.arange(-radius, radius + 1)
    disc = (reach**2 + reach[:, None] ** 2 <= radius**2)[None, None]
    redraw = grey_dilation if wider > 0 else grey_erosion
    redrawn = torch.empty_like(images)
    for there, batch in zip(redrawn.split(_BATCH), images.split(_BATCH), strict=True):
        fine = (batch - BACKGROUND).repeat_interleave(_FINE, 2).repeat_interleave(_FINE, 3)
        ink = torch.from_numpy(redraw(fine.numpy(), footprint=disc, mode="constant"))
        there.copy_(F.avg_pool2d(ink, _FINE) + BACKGROUND)
    return redrawn


def _both_sides(images: Tensor, extent: float) -> Tensor:
    """`(N,)`: the extent for the first image, its negative for the next, and so on."""
    extents = images.new_full((len(images),), extent)
    extents[1::2] *= -1
    return extents


def _mapped(images: Tensor, coefficients: list[Tensor]) -> Tensor:
    """Each image under its own affine map, from a place in the new image to that in the old one.

    The six coefficients, `(N,)` each, are the map's two rows: x from (x, y, 1), then y. Places run
    from -1 to 1 over the field, x to the right and y down.
    """
    maps = torch.stack(coefficients, dim=1).view(-1, 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    # Background as 0, so that the interpolation at the border has no other level to blend in.
    ink = F.grid_sample(images - BACKGROUND, grid, mode="bilinear", align_corners=False)
    return ink + BACKGROUND


def _resampling(side: int, factor: float) -> Tensor:
    """The weights `(side, side)` of the old pixels in each new one, along one axis."""
    centre = (side - 1) / 2
    new = (torch.arange(side, dtype=torch.float64)[:, None] - centre) / factor + centre
    reach = max(1.0, 1 / factor)  # half the base of the triangle, in old pixels
    margin = math.ceil(side / factor + reach)
    old = torch.arange(-margin, side + margin, dtype=torch.float64)  # background on either side
    weights = (1 - (new - old).abs() / reach).clamp(min=0)
    weights /= weights.sum(dim=1, keepdim=True)
    return weights[:, margin : margin + side]
