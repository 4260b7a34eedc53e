"""Finding digits side by side in a picture."""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from lenet1998.data.field import BOX, FIELD
from lenet1998.reading.digit import CLOSE_UP, with_thick_strokes
from lenet1998.reading.ink import NoDigitError, ink_or_none
from lenet1998.reading.marks import encloses
from lenet1998.reading.pixels import Mask, Pixels, Rectangle, border_of, extent, size_of
from lenet1998.reading.rules import find_rules
from lenet1998.reading.sheet import OVERVIEW, find_page

__all__ = ["Line", "find_line"]

SPECK = 0.2  # of the height of a line's marks: what is smaller is none
OFF_LINE = 0.75  # of that height, between their middles: what is farther off is none
_WIDEST_PART = 6  # times its height, of a line that is looked at at once


@dataclass(frozen=True)
class Line:
    """The ink of digits side by side, of the size of MNIST's, and where it comes from.

    Attributes:
        ink: `(32, W)`, in 0 to 1, the digits as high as MNIST's, their middle in that of the field;
            it begins and ends with ink.
        scale: pixels of the picture to one of the ink.
        corners: of the picture, top left, bottom left, bottom right, top right, `(4, 2)`, that the
            ink was found in.
        left: where in that part the ink's first column lies, in its pixels.
        width: of that part.
    """

    ink: Pixels
    scale: float
    left: float
    width: float
    corners: Pixels

    def x(self, column: float) -> float:
        """Where a column of the ink lies in the picture, halfway up the part that was looked at."""
        share = (self.left + (column + 0.5) * self.scale) / self.width
        top_left, bottom_left, bottom_right, top_right = self.corners[:, 0].tolist()
        at_left, at_right = (top_left + bottom_left) / 2, (top_right + bottom_right) / 2
        return float(at_left + share * (at_right - at_left))


def find_line(picture: Image.Image) -> Line:
    """The ink of the digits that stand side by side in a picture; all else is 0.

    Looked at twice, as for one digit, but of wide pictures in parts, six times as wide as high. The
    line is where most ink is; its digits are as high as its marks are for the most part.

    Shape: mode RGB, any size, dark on light or light on dark.

    Raises:
        NoDigitError: nothing stands out.
    """
    page, _ = find_page(picture)
    width, height = page.size
    corners = page.corners
    if corners is None:
        corners = np.array([(0, 0), (0, height), (width, height), (width, 0)], np.float32)
    scale = min(1, OVERVIEW / height)
    step = max(1, round(_WIDEST_PART * height))
    parts = [(left, 0, min(left + step, width), height) for left in range(0, width, step)]
    ink = np.concatenate(
        [ink_or_none(page.view(part, size_of(part, scale))) for part in parts], axis=1
    )
    marks, tall = _line(ink)
    rows, columns = extent(marks)
    pixel = tall / scale / BOX  # one of the field's, in the picture's
    centre = (rows.start + rows.stop) / 2 / scale
    top, bottom = max(0, centre - FIELD / 2 * pixel), min(height, centre + FIELD / 2 * pixel)
    left, right = columns.start / scale, min(width, columns.stop / scale + pixel)
    high, wide = (max(1, int(extent / pixel)) for extent in (bottom - top, right - left))
    above = min(round((top - centre) / pixel) + FIELD // 2, FIELD - high)
    fine, field = CLOSE_UP // BOX, np.zeros((FIELD, wide), np.float32)
    for first in range(0, wide, _WIDEST_PART * FIELD):
        last = min(first + _WIDEST_PART * FIELD, wide)
        part = (left + first * pixel, top, left + last * pixel, bottom)
        size = fine * (last - first), fine * high
        of_marks = tuple(place * scale for place in part)
        kept = Image.fromarray(marks).resize(
            size, Image.Resampling.NEAREST, _within(of_marks, marks)
        )
        close = ink_or_none(page.view(part, size)) * np.asarray(kept)
        if close.any():
            close = with_thick_strokes(close)
            edge = (close.shape[0] - size[1]) // 2
            close = close[edge : edge + size[1], edge : edge + size[0]]
        small = close.reshape(high, fine, last - first, fine).mean((1, 3))
        field[above : above + high, first:last] = small
    if not field.any():
        raise NoDigitError
    return Line(field / field.max(), pixel, left, width, corners)


def _within(part: Rectangle, pixels: Mask) -> Rectangle:
    height, width = pixels.shape
    return max(part[0], 0), max(part[1], 0), min(part[2], width), min(part[3], height)


def _line(ink: Pixels) -> tuple[Mask, float]:
    """The marks that stand side by side where most ink is, a little grown, and how high they are.

    Marks that run out of the picture, and specks, count only where there are no others.

    Raises:
        NoDigitError: there is none.
    """
    rules = find_rules(ink > 0)
    if rules.any() and not rules[ink > 0].all():
        ink = np.where(rules, np.float32(0), ink)
    labels, count = ndimage.label(ink > 0, np.ones((3, 3)))
    if not count:
        raise NoDigitError
    mass = np.bincount(labels.ravel(), ink.ravel())[1:]
    boxes = ndimage.find_objects(labels)
    inside = np.ones(count + 1, bool)
    inside[labels[border_of(ink.shape, 1)]] = False
    if mass @ inside[1:] > 0.25 * mass.sum():
        mass = mass * inside[1:]
    top, bottom, sides = np.array(
        [(r.start, r.stop, max(r.stop - r.start, c.stop - c.start)) for r, c in boxes]
    ).T
    frame = int(sides.argmax())
    heaviest = int(np.where(np.arange(count) == frame, 0, mass).argmax())
    if heaviest != frame and encloses(labels == frame + 1, boxes[heaviest]):
        mass[frame] = 0
    order = (bottom - top).argsort()
    half = np.searchsorted(mass[order].cumsum(), mass.sum() / 2)
    tall = float((bottom - top)[order][min(half, count - 1)])
    of_rows = ndimage.uniform_filter1d((ink * np.r_[0, mass > 0][labels]).sum(1), max(1, int(tall)))
    centre = of_rows.argmax() + 0.5
    near = np.abs((top + bottom) / 2 - centre) < OFF_LINE * tall
    kept = near & (mass > 0) & (sides > SPECK * tall)
    if not kept.any():
        raise NoDigitError
    return ndimage.binary_dilation(np.r_[False, kept][labels], np.ones((3, 3))), tall
