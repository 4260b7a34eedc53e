"""Test digits made harder: noisy, moved, turned, sheared, scaled, redrawn (section III.E).

Shape: all take images `(N, 1, side, side)`, background -0.1 to ink 1.175, and return new ones.
Where a disturbance has two sides, the digits take them in turn. Levels stay within those of the
images and the background; what leaves the field is lost, and background comes in. A strength that
is NaN or infinite is a ValueError.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lenet1998.data.field import BACKGROUND, INK

__all__ = [
    "DISTURBANCES", "Disturbance", "rotated", "scaled", "sheared", "shifted", "shifted_vertically",
    "with_noise", "with_strokes",
]  # fmt: skip

_FINE = 4  # a pixel's side, while strokes are made wider or thinner
_BATCH = 500  # images at once at that resolution


def with_noise(images: Tensor, share: float, seed: int = 0) -> Tensor:
    """Invert each pixel with the probability `share`, black for white.

    The paper's noise-resistant network was trained with 0.1 (section III.E).

    Raises:
        ValueError: for a share that is not 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"expected a share of the pixels from 0 to 1, got {share}")
    generator = torch.Generator().manual_seed(seed)
    hit = torch.rand(images.shape, generator=generator) < share
    return torch.where(hit, INK + BACKGROUND - images, images)


def shifted(images: Tensor, pixels: float) -> Tensor:
    """Move each digit by whole pixels: the first right, the next down, then left, up, and so on.

    A digit of MNIST lies in a box of 20x20 that may be moved by about 6 pixels before it is cut.

    Raises:
        ValueError: for part of a pixel.
    """
    if pixels % 1:
        raise ValueError(f"digits are shifted by whole pixels, not by {pixels}")
    moved, extent = torch.empty_like(images), int(pixels)
    for start, (right, down) in enumerate(((extent, 0), (0, extent), (-extent, 0), (0, -extent))):
        moved[start::4] = F.pad(images[start::4], (right, -right, down, -down), value=BACKGROUND)
    return moved


def shifted_vertically(images: Tensor, pixels: float) -> Tensor:
    """Move each digit down or up: the first down, the next up, and so on. Bilinear."""
    rows = _both_sides(images, 2 * pixels / images.shape[-2])
    return _mapped(images, (1, 0, 0), (0, 1, -rows))


def rotated(images: Tensor, degrees: float) -> Tensor:
    """Turn each digit about the centre: the first anticlockwise, the next clockwise; bilinear."""
    angles = _both_sides(images, math.radians(degrees))
    cos, sin = angles.cos(), angles.sin()
    return _mapped(images, (cos, -sin, 0), (sin, cos, 0))


def sheared(images: Tensor, columns_per_row: float) -> Tensor:
    """Lean each digit about the middle row: the first right, the next left, and so on.

    Bilinear. A shear of 1 makes an upright stroke lean by 45 degrees.
    """
    return _mapped(images, (1, _both_sides(images, columns_per_row), 0), (0, 1, 0))


def scaled(images: Tensor, factor: float) -> Tensor:
    """Make each digit larger or smaller about the centre of the field.

    Larger: bilinear. Smaller: each new pixel is a mean, with triangular weights, over the old ones
    that it stands for, so that no stroke falls between two.

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
    for target, batch in zip(redrawn.split(_BATCH), images.split(_BATCH), strict=True):
        fine = (batch - BACKGROUND).repeat_interleave(_FINE, 2).repeat_interleave(_FINE, 3)
        ink = torch.from_numpy(redraw(fine.numpy(), footprint=disc, mode="constant"))
        target.copy_(F.avg_pool2d(ink, _FINE) + BACKGROUND)
    return redrawn


def _both_sides(images: Tensor, extent: float) -> Tensor:
    """`(N,)`: the extent for the first image, its negative for the next, and so on."""
    if not math.isfinite(extent):
        raise ValueError(f"expected a finite strength, got {extent}")
    extents = images.new_full((len(images),), extent)
    extents[1::2] *= -1
    return extents


def _mapped(images: Tensor, *rows: tuple[Tensor | float, ...]) -> Tensor:
    """Each image under its own affine map, from a place in the new image to that in the old one.

    The map's two rows give x and y from (x, y, 1); a coefficient is `(N,)` or the same for all.
    Places run from -1 to 1 over the field, x to the right and y down.
    """
    maps = images.new_empty(len(images), 2, 3)
    for axis, row in enumerate(rows):
        for term, coefficient in enumerate(row):
            maps[:, axis, term] = coefficient
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


@dataclass(frozen=True)
class Disturbance:
    """One way to make digits harder."""

    title: str  # of its panel
    unit: str  # of the strength, on an axis
    apply: Callable[[Tensor, float], Tensor]  # images and strength to disturbed images
    words: str  # the format of a strength, such as "{:g} px"
    none: float = 0.0  # the strength that changes nothing
    scale: float = 1.0  # multiplies a strength, on an axis and in words

    def in_words(self, strength: float) -> str:
        """A strength, such as "5 px"."""
        return self.words.format(self.scale * strength).replace("-", "−")


DISTURBANCES = {
    "size": Disturbance("Size", "relative size", scaled, "×{:.2f}", none=1.0),
    "shift": Disturbance("Shift", "moved by (pixels)", shifted, "{:g} px"),
    "vertical shift": Disturbance(
        "Vertical shift", "moved up or down by (pixels)", shifted_vertically, "{:g} px"
    ),
    "rotation": Disturbance("Rotation", "turned to either side by (degrees)", rotated, "{:g}°"),
    "shear": Disturbance("Shear", "leant to either side by (columns per row)", sheared, "{:g}"),
    "noise": Disturbance("Noise", "pixels inverted (%)", with_noise, "{:g} %", scale=100.0),
    "strokes": Disturbance("Stroke width", "strokes wider by (pixels)", with_strokes, "{:+g}"),
}
"""All of them by their names."""
