"""Finding a digit in a picture: which pixels are paper, which are ink, which ink is the digit.

The picture is looked at twice: as a whole, to find where the digit is, and close up, where the
digit always has the same size, to tell its ink from the paper. Nothing here knows what a digit
looks like: it is the largest mark in the picture and what lies close to that.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy import ndimage
from torch.nn.functional import interpolate

from lenet1998.data.field import BOX

__all__ = ["NoDigitError", "find_digit"]

Pixels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the picture."""

OVERVIEW = 256  # pixels, longer side of the whole picture
CLOSE_UP = 120  # pixels, longer side of the digit
MARGIN = 0.25  # of the digit's longer side, looked at around it

LEAST_CONTRAST = 8.0  # between paper and ink; black and white are 442 apart
LEAST_CLARITY = 3.5  # contrast in units of the paper's own unevenness; noise alone comes to about 3
INK_ABOVE = 0.4  # of the contrast: fainter marks, such as ruled lines, are paper
THINNEST_STROKE = 2.2  # in MNIST's pixels; one in seven of its digits is thinner


class NoDigitError(ValueError):
    """Nothing in the picture stands out from its background."""


def find_digit(picture: Image.Image) -> Pixels:
    """The ink of a picture's digit; paper, shadows, faint lines and specks are exactly 0.

    Strokes thinner than nearly all of MNIST's are thickened: a thin pen would fade away when the
    digit is reduced to 20x20 pixels.

    Shape: mode RGB, any size, dark on light or light on dark -> `(H, W)` in [0, 1], ink high, with
    H and W about 120.

    Raises:
        NoDigitError: nothing stands out.
    """
    digit, page = _locate(picture, (0, 0, *picture.size))
    side = max(digit[2] - digit[0], digit[3] - digit[1])
    close_up = _view(picture, _grown(digit, MARGIN * side, page), CLOSE_UP / side)
    return _with_thick_strokes(_largest_mark(_ink(close_up)))


def _locate(picture: Image.Image, page: Rectangle) -> tuple[Rectangle, Rectangle]:
    """Where on the page the digit is, and the page: a smaller one if a sheet of paper is on it."""
    scale = min(1, OVERVIEW / max(page[2] - page[0], page[3] - page[1]))
    mark = _largest_mark(_ink(_view(picture, page, scale))) > 0
    rows, columns = ndimage.find_objects(mark.astype(int))[0]
    x, y = page[:2]
    place = (
        x + columns.start / scale, y + rows.start / scale,
        x + columns.stop / scale, y + rows.stop / scale,
    )  # fmt: skip
    if _is_sheet(mark[rows, columns]):
        sheet = _grown(place, -0.04 * max(place[2] - place[0], place[3] - place[1]), page)
        try:
            digit, sheet = _locate(picture, sheet)
        except NoDigitError:
            return place, page
        # What reaches the sheet's edge is no digit: it is what surrounds a bold, straight 1.
        if _grown(digit, 1 / scale, sheet) == _grown(digit, 1 / scale, page):
            return digit, sheet
    return place, page


def _is_sheet(mark: Mask) -> bool:
    """Whether a mark, cut out, is a solid upright rectangle large enough to be written on."""
    outline = ndimage.binary_fill_holes(mark)
    large = min(mark.shape) > 0.3 * OVERVIEW
    return bool(large and outline.mean() > 0.85 and mark.sum() > 0.6 * outline.sum())


def _grown(rectangle: Rectangle, margin: float, limits: Rectangle) -> Rectangle:
    left, top, right, bottom = rectangle
    return (
        max(left - margin, limits[0]), max(top - margin, limits[1]),
        min(right + margin, limits[2]), min(bottom + margin, limits[3]),
    )  # fmt: skip


def _view(picture: Image.Image, part: Rectangle, scale: float) -> Pixels:
    """`(H, W, 3)`, 0 to 255: part of the picture, reduced or enlarged."""
    left, top, right, bottom = part
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    view = picture.resize(size, Image.Resampling.BICUBIC, part, reducing_gap=3)
    return np.asarray(view, np.float32)


def _ink(pixels: Pixels) -> Pixels:
    """How far each pixel is from paper (0) to ink (1); below `INK_ABOVE` it is 0.

    Of several guesses at the paper, the one is taken on which the ink stands out most clearly.

    Shape: `(H, W, 3)` -> `(H, W)`.
    """
    best, best_clarity = None, LEAST_CLARITY
    for paper in _papers(pixels):
        difference = paper - pixels
        # The colour of the ink, seen from the paper's: where the largest differences point. It
        # settles dark on light or light on dark as well.
        direction = (difference * np.square(difference).sum(-1, keepdims=True)).sum((0, 1))
        depth = difference @ (direction / max(float(np.linalg.norm(direction)), 1e-9))
        marks = depth[depth > LEAST_CONTRAST]
        if not marks.size:
            continue
        contrast = np.median(marks[marks >= _otsu_threshold(marks)])
        rest = depth[depth <= INK_ABOVE * contrast]
        if not rest.size:
            continue
        clarity = contrast / (1 + math.sqrt(np.square(rest).mean()))
        if clarity > best_clarity:
            best, best_clarity = depth / contrast, clarity
    if best is None:
        raise NoDigitError
    return np.where(best > INK_ABOVE, best.clip(0, 1), 0).astype(np.float32)


def _papers(pixels: Pixels) -> Iterator[Pixels]:
    """Guesses at the paper's colour in each pixel, as if nothing were written on it.

    One colour, for scans and drawings, even those that the digit fills; a smooth surface through
    the border, for uneven light; a wide local median, for shadows with an edge.

    Shape: `(H, W, 3)` -> several of `(H, W, 3)`, or what broadcasts to it.
    """
    height, width, _ = pixels.shape
    scale = min(1, 40 / max(height, width))
    small = _resized(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
    frame = _frame(small.shape[:2], max(1, round(max(small.shape) / 16)))
    yield np.median(small[frame], axis=0)

    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in small.shape[:2]), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    surface = terms @ _robust_fit(terms[frame], small[frame])
    yield _resized(surface.astype(np.float32), height, width)

    window = round(0.45 * max(small.shape))
    median = ndimage.median_filter(small, (window, window, 1), mode="nearest")
    yield _resized(median, height, width)


def _frame(shape: tuple[int, ...], thickness: int) -> Mask:
    frame = np.ones(shape, bool)
    frame[thickness:-thickness, thickness:-thickness] = False
    return frame


def _robust_fit(terms: npt.NDArray[np.float64], values: Pixels) -> npt.NDArray[np.float64]:
    """Coefficients for the least sum of absolute residuals, by reweighted least squares."""
    ridge = 1e-6 * np.eye(terms.shape[1])  # for a picture of a few pixels
    fitted: npt.NDArray[np.float64] = np.median(values.astype(np.float64), axis=0, keepdims=True)
    for _ in range(10):
        weights = 1 / np.maximum(np.abs(values - fitted).max(1, keepdims=True), 1)
        weighted = (terms * weights).T
        coefficients = np.linalg.solve(weighted @ terms + ridge, weighted @ values)
        fitted = terms @ coefficients
    return coefficients


def _resized(pixels: Pixels, height: int, width: int) -> Pixels:
    planes = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    resized = interpolate(planes, (height, width), mode="bilinear", antialias=True)
    return resized[0].permute(1, 2, 0).contiguous().numpy()


def _otsu_threshold(values: Pixels) -> float:
    """The least value of the upper of two classes, split where they differ most (Otsu 1979)."""
    ordered = np.sort(values).astype(np.float64)
    below = np.arange(1, len(ordered))
    above = len(ordered) - below
    sums = ordered.cumsum()
    gap = (sums[-1] - sums[:-1]) / above - sums[:-1] / below
    between = below * above * np.square(gap)
    return float(ordered[1 + between.argmax()] if len(ordered) > 1 else ordered[0])


def _largest_mark(ink: Pixels) -> Pixels:
    """The ink of the largest mark and of the parts near it: a digit may be in several pieces."""
    labels, count = ndimage.label(ink, np.ones((3, 3)))
    numbers = np.arange(1, count + 1)
    mass = ndimage.sum_labels(ink, labels, numbers)
    # Marks that run out of the picture are mostly shadows or what surrounds the paper.
    inside = ~np.isin(numbers, labels[_frame(ink.shape, 1)])
    largest = mass.argmax()
    if (mass * inside).max() > 0.25 * mass[largest]:
        largest = (mass * inside).argmax()

    distance = ndimage.distance_transform_edt(labels != numbers[largest])
    gap = ndimage.minimum(distance, labels, numbers)
    rows, columns = ndimage.find_objects(labels)[largest]
    side = max(rows.stop - rows.start, columns.stop - columns.start)
    kept = (gap < 0.2 * side) & (mass > 0.02 * mass[largest])
    return np.where(np.isin(labels, numbers[kept]), ink, np.float32(0))


def _with_thick_strokes(ink: Pixels) -> Pixels:
    inside = ndimage.distance_transform_edt(np.pad(ink > 0.5, 1))
    # From a stroke's edge to its middle the distances run evenly from 0 to half its width.
    width = 4 * inside[inside > 0].mean()
    radius = (THINNEST_STROKE * CLOSE_UP / BOX - width) / 2
    if radius < 0.5:
        return ink
    reach = math.ceil(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.hypot(x, y) <= radius
    thick: Pixels = ndimage.grey_dilation(np.pad(ink, reach), footprint=disc)
    return thick
