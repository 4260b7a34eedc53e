"""Finding a digit in a picture: which ink is the digit.

The picture is looked at twice: as a whole, to find where the digit is, and close up, where the
digit always has the same size. A sheet on a darker table is cut out first. Each look evens out the
light, takes away frames and ruled lines, and gathers what is left into marks. Nothing here knows
what a digit looks like: it is the largest mark in the picture and what lies close to that.
"""

import math

import numpy as np
from PIL import Image
from scipy import ndimage

from lenet1998.data.field import BOX
from lenet1998.reading.ink import find_ink
from lenet1998.reading.marks import NotOneDigitError, one_mark
from lenet1998.reading.pixels import Pixels, Rectangle, extent, longer_side, size_of
from lenet1998.reading.rules import find_rules
from lenet1998.reading.sheet import OVERVIEW, find_page

__all__ = ["CLOSE_UP", "find_digit", "with_thick_strokes"]

CLOSE_UP = 120  # pixels, longer side of the digit
_MARGIN = 0.5  # of the digit's longer side, looked at around it
_THINNEST_STROKE = 2.2  # in MNIST's pixels; one in seven of its digits is thinner
# Of the longer side: what is thicker is a blob; of MNIST's digits one in a thousand.
_THICKEST_STROKE = 0.5


def find_digit(picture: Image.Image) -> Pixels:
    """The ink of a picture's digit; paper, shadows, rules and specks are exactly 0.

    Strokes thinner than nearly all of MNIST's are thickened: a thin pen would fade away when the
    digit is reduced to 20x20 pixels.

    Shape: mode RGB, any size, dark on light or light on dark -> `(H, W)` in [0, 1], ink high, with
    the longer of H and W about 120.

    Raises:
        NoDigitError: nothing stands out.
        NotOneDigitError: several marks as large as digits do, or a blob.
    """
    page, overview = find_page(picture)
    scale = min(1, OVERVIEW / max(page.size))
    rows, columns = extent(_digit(find_ink(overview)))
    left, right, top, bottom = (
        place / scale for place in (columns.start, columns.stop, rows.start, rows.stop)
    )
    side = max(right - left, bottom - top)
    part = _grown((left, top, right, bottom), _MARGIN * side, (0, 0, *page.size))
    digit = _digit(find_ink(page.view(part, size_of(part, CLOSE_UP / side))))
    return with_thick_strokes(digit[extent(digit)])


def _grown(rectangle: Rectangle, margin: float, limits: Rectangle) -> Rectangle:
    left, top, right, bottom = rectangle
    return (
        max(left - margin, limits[0]), max(top - margin, limits[1]),
        min(right + margin, limits[2]), min(bottom + margin, limits[3]),
    )  # fmt: skip


def _digit(ink: Pixels) -> Pixels:
    """The ink without rules, frames and specks.

    Raises:
        NotOneDigitError: it is several marks, or a blob.
    """
    digit, rules = None, find_rules(ink > 0)
    if rules.any() and not rules[ink > 0].all():
        digit = one_mark(np.where(rules, np.float32(0), ink))
        # A stroke of a digit that fills the picture spans it as a rule does.
        if not 0.1 < longer_side(digit) / min(ink.shape) < 0.87:
            digit = None
    if digit is None:
        digit = one_mark(ink)
    stroke = 2 * ndimage.distance_transform_edt(np.pad(digit[extent(digit)] > 0.5, 1)).max() - 1
    if stroke > _THICKEST_STROKE * longer_side(digit):
        raise NotOneDigitError("a blob, its ink is too thick for a digit's strokes")
    return digit


def with_thick_strokes(ink: Pixels) -> Pixels:
    """Ink whose strokes are as thick as nearly all of MNIST's; it may take more room then."""
    inside = ndimage.distance_transform_edt(np.pad(ink > 0.5, 1))
    # From a stroke's edge to its middle the distances run evenly from 0 to half its width.
    width = 4 * inside[inside > 0].mean()
    radius = (_THINNEST_STROKE * CLOSE_UP / BOX - width) / 2
    if radius < 0.5:
        return ink
    reach = math.ceil(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.hypot(x, y) <= radius
    thick: Pixels = ndimage.grey_dilation(np.pad(ink, reach), footprint=disc)
    return thick
