"""Planar affine distortions of the training digits (section III.B, Fig. 7)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lenet1998.data.field import BACKGROUND, FIELD
from lenet1998.errors import settle_types

__all__ = ["INTERPOLATIONS", "LEANING", "Distortions", "distort"]

_CENTRE = 15.5  # column about which the width changes
_SHEAR_AXIS = 18.5  # row that a shear leaves in place
_BASELINE = 26.0  # row about which the height changes: where MNIST's digits stand
_WHITE = np.float32(BACKGROUND)
_PARAMETERS = 5

INTERPOLATIONS = ("bilinear", "nearest", "bicubic")
_AT_ONCE = 1000  # images that PyTorch's interpolations take together


def _check(interpolation: str) -> None:
    if interpolation not in INTERPOLATIONS:
        expected = " or ".join(map(repr, INTERPOLATIONS))
        raise ValueError(f"expected interpolation {expected}, got {interpolation!r}")


@dataclass(frozen=True)
class Distortions:
    """How far the planar affine distortions of section III.B reach.

    The paper names them (translation, scaling, squeezing, horizontal shear; no rotation) and prints
    no ranges; the defaults are measured from Fig. 7. Each parameter is drawn uniformly and
    independently of the others; `distort` says what they do.

    Attributes:
        inverse_scale: least and greatest 1/s, with s the factor that a digit grows by.
        log_squeeze: greatest |log q|; the width is multiplied by q, the height divided by it.
        shear: greatest shear to either side, in columns per row.
        translation: greatest tx and ty in either direction, in pixels before scaling.
        interpolation: of levels between pixels, as `distort` takes it. Not printed; bilinear
            reproduces Fig. 7 to about one grey value.

    Raises:
        ValueError: for a range that is empty or not finite, a scale that is not positive, or an
            unknown interpolation.
    """

    inverse_scale: tuple[float, float] = (0.75, 1.40)
    log_squeeze: float = 0.1
    shear: float = 0.14
    translation: float = 2.0
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        settle_types(self, "distortions")
        scale = self.inverse_scale
        if len(scale) != 2 or not 0 < scale[0] <= scale[1] < math.inf:
            raise ValueError(
                f"expected finite inverse_scale (low, high), 0 < low <= high, got {scale}"
            )
        for name in ("log_squeeze", "shear", "translation"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"expected {name} finite and >= 0, got {getattr(self, name)}")
        _check(self.interpolation)

    def narrowed(self, share: float) -> Distortions:
        """The same distortions, every range reduced to a share of its width, 0 to 1."""
        low, high = self.inverse_scale
        return replace(
            self,
            inverse_scale=(low**share, high**share),
            log_squeeze=share * self.log_squeeze,
            shear=share * self.shear,
            translation=share * self.translation,
        )

    def draw(self, count: int, seed: int | torch.Generator) -> Tensor:
        """`(count, 5)` float64: the parameters of so many distortions, as `distort` takes them.

        Each takes the next five numbers of the generator. So those of pattern k are the same
        however many patterns follow it, and chunks drawn from one generator are what a single draw
        of all gives.

        Args:
            count: how many.
            seed: of a new generator; or a generator on the CPU, which is drawn from further.
        """
        generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
        symmetric = (self.log_squeeze, self.shear, self.translation, self.translation)
        least, greatest = self.inverse_scale
        low = torch.tensor([least, *(-reach for reach in symmetric)], dtype=torch.float64)
        high = torch.tensor([greatest, *symmetric], dtype=torch.float64)
        uniform = torch.rand(count, _PARAMETERS, generator=generator, dtype=torch.float64)
        return low + (high - low) * uniform


LEANING = Distortions(inverse_scale=(0.87, 1.17), log_squeeze=0.12, shear=0.17, translation=1.0)
"""Less change of size than in Fig. 7, half its shifts, more squeeze and shear.

Chosen for `LeNet5Modern` on training digits held out; the table of `learning.minibatch` has them.
"""


def distort(images: Tensor, parameters: Tensor, interpolation: str = "bilinear") -> Tensor:
    """Distort each image by its own affine map.

    The value at column x, row y of a distorted image is that of the original at

        15.5 + (x - 15.5) / (s q) - shear (y - 18.5) q / s + tx,   26 + (y - 26) q / s + ty

    the map that reproduces Fig. 7 (there from 32x32 to MNIST's 28x28: the same but for the padding
    of two pixels). Outside the original all is background. So tx > 0 moves a digit to the left,
    ty > 0 upwards, and shear > 0 leans it to the left. Levels are not rounded to whole grey values;
    they stay within those of the original and the background.

    Args:
        images: `(N, 1, 32, 32)` float32 on the CPU, the padded input levels, background -0.1.
        parameters: `(N, 5)`, columns 1/s, log q, shear, tx, ty; (1, 0, 0, 0, 0) changes nothing.
        interpolation: between pixels: `"bilinear"`; `"nearest"`, the level of the nearest pixel;
            or `"bicubic"`, where levels beyond those of the image are cut off.

    Returns:
        `(N, 1, 32, 32)` float32, new.

    Raises:
        ValueError: for another shape, type or device, a parameter that is not finite, or an unknown
            interpolation.
    """
    _check(interpolation)
    shape = tuple(images.shape)
    if shape[1:] != (1, FIELD, FIELD) or images.dtype != torch.float32 or not images.is_cpu:
        raise ValueError(
            f"images must be (N, 1, {FIELD}, {FIELD}) float32 on the CPU, "
            f"not {shape} {images.dtype} on {images.device}"
        )
    expected = (len(images), _PARAMETERS)
    if parameters.shape != expected:
        raise ValueError(
            f"parameters must be {expected}, one row per image, not {tuple(parameters.shape)}"
        )
    inverse_scale, log_squeeze, shear, tx, ty = parameters.double().unbind(1)
    width = inverse_scale * torch.exp(-log_squeeze)
    height = inverse_scale * torch.exp(log_squeeze)
    maps = torch.stack([width, -shear * height, tx, height, ty], dim=1)
    # Finite in float32 leaves room: the coordinates that follow, in float64, are then finite too.
    if not maps.float().isfinite().all():
        raise ValueError("parameters must be finite, and so must the maps that follow from them")
    if interpolation != "bilinear":
        # In parts: the coordinates and what follows from them take many times an image's memory.
        parts = zip(images.split(_AT_ONCE), maps.split(_AT_ONCE), strict=True)
        return torch.cat([_resampled(*part, interpolation) for part in parts])
    distorted = torch.empty_like(images, memory_format=torch.contiguous_format)
    _compiled()(images.contiguous().numpy(), maps.numpy(), distorted.numpy())
    return distorted


def _resampled(images: Tensor, maps: Tensor, interpolation: str) -> Tensor:
    """What `distort` gives, by PyTorch's interpolations."""
    # In float64, where coordinates stay finite whatever maps are allowed.
    width, slant, tx, height, ty = maps.T[..., None, None]
    row, column = torch.arange(FIELD)[:, None], torch.arange(FIELD)
    y = (_BASELINE + height * (row - _BASELINE) + ty).expand(-1, FIELD, FIELD)
    x = _CENTRE + width * (column - _CENTRE) + slant * (row - _SHEAR_AXIS) + tx
    # For grid_sample the field goes from -1 to 1; all is background from a field's width off it.
    grid = (torch.stack([x, y], dim=-1) / _CENTRE - 1).clamp(-3, 3).float()
    background = float(_WHITE)
    ink = F.grid_sample(images - background, grid, mode=interpolation, align_corners=True)
    least, greatest = images.flatten(1).aminmax(dim=1)
    least, greatest = least.clamp(max=background), greatest.clamp(min=background)
    return (ink + background).clamp(least.view(-1, 1, 1, 1), greatest.view(-1, 1, 1, 1))


def _interpolate(images: Any, maps: Any, distorted: Any) -> None:
    """Fill `distorted`: the loops that Numba compiles."""
    # In float64, so that rounding at the end takes no level out of the range of the four pixels
    # that it comes from. Nothing tilts rows, so a row of a distorted image comes from one height of
    # the original: it is interpolated there once, between two rows, and then along it.
    blank = np.full(FIELD, _WHITE, np.float32)
    line = np.full(FIELD + 2, _WHITE, np.float64)  # with a pixel of background at either end
    for n in range(len(images)):
        width, slant, tx, height, ty = maps[n]
        for row in range(FIELD):
            y = _BASELINE + height * (row - _BASELINE) + ty
            y = min(max(y, -1.0), float(FIELD))  # all background from there on
            above = min(math.floor(y), FIELD - 1)
            a = images[n, 0, above] if above >= 0 else blank
            b = images[n, 0, above + 1] if above + 1 < FIELD else blank
            for column in range(FIELD):
                line[1 + column] = a[column] + (y - above) * (np.float64(b[column]) - a[column])
            shift = slant * (row - _SHEAR_AXIS) + tx
            for column in range(FIELD):
                x = _CENTRE + width * (column - _CENTRE) + shift
                x = min(max(x, -1.0), float(FIELD))
                left = min(math.floor(x), FIELD - 1)
                level, right = line[1 + left], line[2 + left]
                distorted[n, 0, row, column] = level + (x - left) * (right - level)


@cache
def _compiled() -> Callable[..., None]:
    # Imported here as Numba takes half a second, and few runs distort.
    from lenet1998.compiled import compiled

    interpolate: Callable[..., None] = compiled(_interpolate)
    return interpolate
