"""Pixels of a picture: a part of it at the size that is needed, its grey levels, its border."""

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = [
    "Mask", "Pixels", "Rectangle",
    "border_of", "extent", "grey_of", "longer_side", "otsu_threshold", "view",
]  # fmt: skip

Pixels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the picture."""


def view(picture: Image.Image, part: Rectangle, scale: float) -> Pixels:
    """`(H, W, 3)`, 0 to 255: part of the picture, reduced or enlarged."""
    left, top, right, bottom = part
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    view = picture.resize(size, Image.Resampling.BICUBIC, part, reducing_gap=1)
    return np.asarray(view, np.float32)


def grey_of(pixels: Pixels) -> Pixels:
    """The mean of the three colours; `mean` over so short an axis takes 20 times as long."""
    mean: Pixels = pixels @ np.full(3, 1 / 3, np.float32)
    return mean


def border_of(shape: tuple[int, ...], thickness: int) -> Mask:
    """Pixels that are no farther than so many from the picture's edge."""
    border = np.ones(shape, bool)
    border[thickness:-thickness, thickness:-thickness] = False
    return border


def otsu_threshold(values: Pixels) -> float:
    """The least value of the upper of two classes, split where they differ most (Otsu 1979)."""
    low, high = float(values.min()), float(values.max())
    step = max(high - low, 1e-9) / 255
    counts = np.bincount(((values.ravel() - low) / step).astype(np.intp), minlength=256)
    below = counts.cumsum()[:-1]
    above = values.size - below
    sums = (counts * np.arange(256)).cumsum()
    gap = (sums[-1] - sums[:-1]) / np.maximum(above, 1) - sums[:-1] / np.maximum(below, 1)
    return low + step * (1 + int((below * above * np.square(gap)).argmax()))


def extent(ink: Pixels | Mask) -> tuple[slice, slice]:
    """Rows and columns that the ink takes."""
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def longer_side(ink: Pixels) -> int:
    """The longer side of what the ink takes."""
    rows, columns = extent(ink)
    return int(max(rows.stop - rows.start, columns.stop - columns.start))
