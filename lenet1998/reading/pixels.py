"""Pixels of a picture: a part of it at the size that is needed, its grey levels, its border."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = [
    "Mask", "Pixels", "Rectangle", "border_of", "extent", "grey_of", "longer_side", "of_columns",
    "of_squares", "otsu_threshold", "size_of", "view",
]  # fmt: skip

Pixels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
_Array = TypeVar("_Array", Pixels, Mask)
Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the picture."""


def size_of(part: Rectangle, scale: float) -> tuple[int, int]:
    """Width and height of a view of a part."""
    left, top, right, bottom = part
    return max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))


def view(picture: Image.Image, part: Rectangle, size: tuple[int, int]) -> Pixels:
    """`(H, W, 3)`, 0 to 255: part of the picture, reduced or enlarged to so many pixels."""
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


def of_columns(values: _Array, size: int, way: np.ufunc) -> _Array:
    """The least or greatest of each window, so high and one wide, `(H, W)` -> `(H - size + 1, W)`.

    Windows are doubled until they are high enough: SciPy's filters take ten times as long.
    """
    reach = 1
    while reach < size:
        step = min(reach, size - reach)
        values, reach = way(values[step:], values[:-step]), reach + step
    return values


def of_squares(values: _Array, size: int, way: np.ufunc) -> _Array:
    """The same of each square window, `(H, W)` -> `(H - size + 1, W - size + 1)`."""
    return of_columns(of_columns(values, size, way).T, size, way).T
