"""Finding a digit in a picture: which pixels are paper, which are ink, which ink is the digit.

The picture is looked at twice: as a whole, to find where the digit is, and close up, where the
digit always has the same size. A sheet on a darker table is cut out first. Each look evens out the
light, takes away frames and ruled lines, and gathers what is left into marks. Nothing here knows
what a digit looks like: it is the largest mark in the picture and what lies close to that.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from lenet1998.data.field import BOX, FIELD

__all__ = ["Line", "NoDigitError", "NotOneDigitError", "find_digit", "find_line"]

Pixels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the picture."""

OVERVIEW = 256  # pixels, longer side of the whole picture
SHEET = 700  # pixels, longer side of a sheet that is cut out
CLOSE_UP = 120  # pixels, longer side of the digit
MARGIN = 0.5  # of the digit's longer side, looked at around it
SAMPLE = 4000  # pixels of a view's border, enough to know the paper by

LEAST_CONTRAST = 8.0  # between paper and ink; black and white are 442 apart
LEAST_CLARITY = 5.0  # contrast in units of the paper's own unevenness; noise alone comes to 2 to 5
INK_ABOVE = 0.4  # of the contrast: fainter marks, such as ruled lines, are paper
FAINTEST = 0.06  # of the contrast, where glare fades the ink
FADING = 5  # pixels, within which it fades by less than `INK_ABOVE`
THINNEST_STROKE = 2.2  # in MNIST's pixels; one in seven of its digits is thinner
# Of the longer side: what is thicker is a blob; of MNIST's digits one in a thousand.
THICKEST_STROKE = 0.5
WIDEST_STROKE = 0.25  # of a view's longer side; wider dark parts are shadows
_SPECK = 0.2  # of the height of a line's marks: what is smaller is none
_WIDEST_PART = 6  # times its height, of a line that is looked at at once
STEEPEST_RULE = 0.13  # rise over run of frames and ruled lines, 7 degrees


class NoDigitError(ValueError):
    """Nothing in the picture stands out from its background."""


class NotOneDigitError(ValueError):
    """What stands out can't be one digit; the message says what it is instead."""


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
    picture, overview, _ = _upright(picture)
    page: Rectangle = (0, 0, *picture.size)
    scale = min(1, OVERVIEW / max(picture.size))
    rows, columns = _extent(_digit(_ink(overview)))
    left, right, top, bottom = (
        place / scale for place in (columns.start, columns.stop, rows.start, rows.stop)
    )
    side = max(right - left, bottom - top)
    part = _grown((left, top, right, bottom), MARGIN * side, page)
    digit = _digit(_ink(_view(picture, part, CLOSE_UP / side)))
    return _with_thick_strokes(digit[_extent(digit)])


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
    picture, _, corners = _upright(picture)
    width, height = picture.size
    if corners is None:
        corners = np.array([(0, 0), (0, height), (width, height), (width, 0)], np.float32)
    scale = min(1, OVERVIEW / height)
    step = max(1, round(_WIDEST_PART * height))
    parts = ((left, 0, min(left + step, width), height) for left in range(0, width, step))
    ink = np.concatenate([_ink_or_none(_view(picture, part, scale)) for part in parts], axis=1)
    marks, tall = _line(ink)
    rows, columns = _extent(marks)
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
        view = picture.resize(size, Image.Resampling.BICUBIC, part, reducing_gap=1)
        of_marks = tuple(place * scale for place in part)
        kept = Image.fromarray(marks).resize(
            size, Image.Resampling.NEAREST, _within(of_marks, marks)
        )
        close = _ink_or_none(np.asarray(view, np.float32)) * np.asarray(kept)
        if close.any():
            close = _with_thick_strokes(close)
            edge = (close.shape[0] - size[1]) // 2
            close = close[edge : edge + size[1], edge : edge + size[0]]
        small = close.reshape(high, fine, last - first, fine).mean((1, 3))
        field[above : above + high, first:last] = small
    if not field.any():
        raise NoDigitError
    return Line(field / field.max(), pixel, left, width, corners)


def _ink_or_none(pixels: Pixels) -> Pixels:
    try:
        return _ink(pixels)
    except NoDigitError:
        return np.zeros(pixels.shape[:2], np.float32)


def _within(part: Rectangle, pixels: Mask) -> Rectangle:
    height, width = pixels.shape
    return max(part[0], 0), max(part[1], 0), min(part[2], width), min(part[3], height)


def _line(ink: Pixels) -> tuple[Mask, float]:
    """The marks that stand side by side where most ink is, a little grown, and how high they are.

    Marks that run out of the picture, and specks, count only where there are no others.

    Raises:
        NoDigitError: there is none.
    """
    rules = _rules(ink > 0)
    if rules.any() and not rules[ink > 0].all():
        ink = np.where(rules, np.float32(0), ink)
    labels, count = ndimage.label(ink > 0, np.ones((3, 3)))
    if not count:
        raise NoDigitError
    mass = np.bincount(labels.ravel(), ink.ravel())[1:]
    boxes = ndimage.find_objects(labels)
    inside = np.ones(count + 1, bool)
    inside[labels[_frame(ink.shape, 1)]] = False
    if mass @ inside[1:] > 0.25 * mass.sum():
        mass = mass * inside[1:]
    top, bottom, sides = np.array(
        [(r.start, r.stop, max(r.stop - r.start, c.stop - c.start)) for r, c in boxes]
    ).T
    frame = int(sides.argmax())
    heaviest = int(np.where(np.arange(count) == frame, 0, mass).argmax())
    if heaviest != frame and _encloses(labels == frame + 1, boxes[heaviest]):
        mass[frame] = 0
    order = (bottom - top).argsort()
    half = np.searchsorted(mass[order].cumsum(), mass.sum() / 2)
    tall = float((bottom - top)[order][min(half, count - 1)])
    of_rows = ndimage.uniform_filter1d((ink * np.r_[0, mass > 0][labels]).sum(1), max(1, int(tall)))
    centre = of_rows.argmax() + 0.5
    near = np.abs((top + bottom) / 2 - centre) < 0.75 * tall
    kept = near & (mass > 0) & (sides > _SPECK * tall)
    if not kept.any():
        raise NoDigitError
    return ndimage.binary_dilation(np.r_[False, kept][labels], np.ones((3, 3))), tall


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
    view = picture.resize(size, Image.Resampling.BICUBIC, part, reducing_gap=1)
    return np.asarray(view, np.float32)


def _grey(pixels: Pixels) -> Pixels:
    """The mean of the three colours; `mean` over so short an axis takes 20 times as long."""
    mean: Pixels = pixels @ np.full(3, 1 / 3, np.float32)
    return mean


# The sheet on a darker table


def _upright(picture: Image.Image) -> tuple[Image.Image, Pixels, Pixels | None]:
    """The sheet in a picture cut out, an overview of it, and its corners in the picture.

    Without a sheet the picture is as it was, and None are its corners.
    """
    scale = min(1, OVERVIEW / max(picture.size))
    overview = _view(picture, (0, 0, *picture.size), scale)
    corners = _sheet(overview)
    if corners is None:
        return picture, overview, None
    sheet = _cut_out(picture, corners / scale)
    reduced = _view(sheet, (0, 0, *sheet.size), min(1, OVERVIEW / max(sheet.size)))
    return sheet, reduced, corners / scale


def _sheet(pixels: Pixels) -> Pixels | None:
    """The corners of a sheet of paper on a darker table, if there is one.

    Shape: `(H, W, 3)` -> `(4, 2)`, x and y, in the order in which Pillow takes them: top left,
    bottom left, bottom right, top right.
    """
    grey = _grey(pixels)
    paper = grey >= _otsu_threshold(grey)
    edge = paper[_frame(paper.shape, 2)]
    if edge.mean() > 0.2 or not paper.any() or grey[paper].mean() - grey[~paper].mean() < 40:
        return None
    labels, count = ndimage.label(ndimage.binary_opening(paper, iterations=2))
    if not count:
        return None
    sheet = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    whole = ndimage.binary_fill_holes(sheet)
    outline = np.argwhere(whole & ~ndimage.binary_erosion(whole))[:, ::-1].astype(np.float32)
    # The upright rectangle around it is smallest when it is turned as the sheet is.
    angles = np.deg2rad(np.arange(-45, 45, dtype=np.float32))
    along = outline @ np.stack([np.cos(angles), np.sin(angles)])
    across = outline @ np.stack([-np.sin(angles), np.cos(angles)])
    turn = (np.ptp(along, axis=0) * np.ptp(across, axis=0)).argmin()
    along, across = along[:, turn], across[:, turn]
    sides = np.ptp(along), np.ptp(across)
    if min(sides) < 0.3 * min(grey.shape) or max(sides) > 2.5 * min(sides):
        return None
    # Seen from the side it is no rectangle: its corners are the points farthest out.
    ways = ((-1, -1), (-1, 1), (1, 1), (1, -1))
    corners = np.stack([outline[(a * along + b * across).argmax()] for a, b in ways])
    drawing = Image.new("1", grey.shape[::-1])
    ImageDraw.Draw(drawing).polygon([tuple(corner) for corner in corners.tolist()], fill=1)
    shape = np.asarray(drawing)
    if (shape & whole).sum() < 0.9 * (shape | whole).sum() or sheet.sum() < 0.6 * whole.sum():
        return None
    inner: Pixels = corners + 0.03 * (corners.mean(0) - corners) + 0.5
    return inner


def _cut_out(picture: Image.Image, corners: Pixels) -> Image.Image:
    """The sheet with these corners, upright."""
    left, down = corners[1] - corners[0], corners[3] - corners[0]
    sides = float(np.hypot(*down)), float(np.hypot(*left))
    scale = min(1, SHEET / max(sides))
    size = max(1, round(sides[0] * scale)), max(1, round(sides[1] * scale))
    factor = int(1 / scale)
    quad = tuple((corners / factor).ravel().tolist())
    return picture.reduce(factor).transform(
        size, Image.Transform.QUAD, quad, Image.Resampling.BILINEAR
    )


# Paper and ink


def _ink(pixels: Pixels) -> Pixels:
    """How far each pixel is from paper (0) to ink (1); below `INK_ABOVE` it is 0.

    Of several guesses at the paper, the one is taken on which the ink stands out most clearly.

    Shape: `(H, W, 3)` -> `(H, W)`.
    """
    best, best_clarity = None, LEAST_CLARITY
    border = np.flatnonzero(_frame(pixels.shape[:2], max(1, round(max(pixels.shape) / 16))))
    border = border[:: 1 + len(border) // SAMPLE]
    for even in _evened(pixels, border):
        paper = np.median(even.reshape(-1, 3)[border], axis=0)
        difference = (paper - even).astype(np.float32, copy=False)
        # The colour of the ink, seen from the paper's: where the largest differences point. It
        # settles dark on light or light on dark as well.
        direction = _grey(np.square(difference)).ravel() @ difference.reshape(-1, 3)
        depth = difference @ (direction / max(float(np.linalg.norm(direction)), 1e-9))
        marks = depth[depth > LEAST_CONTRAST]
        if not marks.size:
            continue
        contrast = np.median(marks[marks >= _otsu_threshold(marks)])
        rest = depth[depth <= INK_ABOVE * contrast]
        if not rest.size:
            continue
        clarity = contrast / (1 + math.sqrt(np.square(rest).mean()))
        # A dark border is a shadow rather than ink.
        clarity *= 1 - (depth.ravel()[border] > INK_ABOVE * contrast).mean()
        if clarity > best_clarity:
            best, best_clarity = depth / contrast, clarity
    if best is None:
        raise NoDigitError
    # Glare fades the ink, but gradually: what is fainter goes on from darker ink beside it.
    best = best.clip(0, 1)
    near = _of_windows(np.pad(best, FADING // 2), FADING, np.maximum)
    labels, count = ndimage.label(best > np.maximum(INK_ABOVE * near, FAINTEST), np.ones((3, 3)))
    inked = np.zeros(count + 1, bool)
    inked[labels[best > INK_ABOVE]] = True
    inked[0] = False
    return np.where(inked[labels], best / np.maximum(near, FAINTEST), 0).astype(np.float32)


def _evened(pixels: Pixels, border: Indices) -> Iterator[Pixels]:
    """The picture as it would be in even light.

    As it is, for scans and drawings, even those that the digit fills; then each pixel against the
    paper around it. That is what remains when all strokes are filled up; edges of shadows stay.
    """
    yield pixels
    size = max(3, round(WIDEST_STROKE * max(pixels.shape)))
    grey = _grey(pixels)
    # Shadows darken parts of the border; where nearly all of it is dark, the paper is.
    lighter_ink = np.quantile(grey.ravel()[border], 0.9) < (grey.min() + grey.max()) / 2
    ways = (np.minimum, np.maximum) if lighter_ink else (np.maximum, np.minimum)
    # Beyond its border the picture goes on, so that windows reach into its corners.
    paper = np.pad(grey, size - 1, mode="edge")
    for way in ways:
        paper = _of_windows(paper, size, way)
    usual = max(float(np.median(paper[::4, ::4])), 1)  # it is smooth
    if lighter_ink:
        yield pixels + (usual - paper).astype(np.float32)[..., None]
    else:
        yield pixels * (usual / paper.clip(1, None)).astype(np.float32)[..., None]


def _of_windows(values: Pixels, size: int, way: np.ufunc) -> Pixels:
    """The least or greatest of each square window, `(H, W)` -> `(H - size + 1, W - size + 1)`.

    Windows are doubled until they are wide enough: SciPy's filters take ten times as long.
    """
    for _ in range(2):
        values, reach = values.T, 1
        while reach < size:
            step = min(reach, size - reach)
            values, reach = way(values[step:], values[:-step]), reach + step
    return values


def _frame(shape: tuple[int, ...], thickness: int) -> Mask:
    frame = np.ones(shape, bool)
    frame[thickness:-thickness, thickness:-thickness] = False
    return frame


def _otsu_threshold(values: Pixels) -> float:
    """The least value of the upper of two classes, split where they differ most (Otsu 1979)."""
    low, high = float(values.min()), float(values.max())
    step = max(high - low, 1e-9) / 255
    counts = np.bincount(((values.ravel() - low) / step).astype(np.intp), minlength=256)
    below = counts.cumsum()[:-1]
    above = values.size - below
    sums = (counts * np.arange(256)).cumsum()
    gap = (sums[-1] - sums[:-1]) / np.maximum(above, 1) - sums[:-1] / np.maximum(below, 1)
    return low + step * (1 + int((below * above * np.square(gap)).argmax()))


# The digit among the marks


def _digit(ink: Pixels) -> Pixels:
    """The ink without rules, frames and specks.

    Raises:
        NotOneDigitError: it is several marks, or a blob.
    """
    digit, rules = None, _rules(ink > 0)
    if rules.any() and not rules[ink > 0].all():
        digit = _one_mark(np.where(rules, np.float32(0), ink))
        # A stroke of a digit that fills the picture spans it as a rule does.
        if not 0.1 < _side(digit) / min(ink.shape) < 0.87:
            digit = None
    if digit is None:
        digit = _one_mark(ink)
    stroke = 2 * ndimage.distance_transform_edt(np.pad(digit[_extent(digit)] > 0.5, 1)).max() - 1
    if stroke > THICKEST_STROKE * _side(digit):
        raise NotOneDigitError("a blob, its ink is too thick for a digit's strokes")
    return digit


def _rules(mask: Mask) -> Mask:
    """Straight thin lines, nearly level or upright, from one border to the other.

    Where a stroke crosses a line it is thicker than elsewhere and stays.
    """
    rules = np.zeros_like(mask)
    for turned, lines in ((mask, rules), (mask.T, rules.T)):
        height, width = turned.shape
        if not (turned[:, :3].any() and turned[:, -3:].any()):
            continue
        thin = _thin(turned, max(3, height // 20))
        row, column = np.nonzero(thin)
        if len(row) < width / 2:
            continue
        # The rise that gathers most ink in few rows.
        rises = np.linspace(-STEEPEST_RULE, STEEPEST_RULE, 27)
        shifts = np.rint(np.outer(rises, np.arange(width) - width / 2)).astype(int)
        reach = int(shifts.max())
        sharpness = [np.square(np.bincount(row - shift[column] + reach)).sum() for shift in shifts]
        shift = shifts[int(np.argmax(sharpness))]
        rows = (np.arange(height + 2 * reach)[:, None] + shift) % (height + 2 * reach)
        level = np.pad(turned, ((reach, reach), (0, 0)), constant_values=True)
        level = np.take_along_axis(level, rows, axis=0)  # outside the view lines may go on
        near = ndimage.maximum_filter1d(level, 3, axis=0)
        near = ndimage.grey_closing(near, (1, 9), mode="nearest")
        near = ndimage.grey_opening(near, (1, round(0.97 * width)), mode="constant")
        back = (np.arange(height)[:, None] + reach - shift) % (height + 2 * reach)
        line = np.take_along_axis(near, back, axis=0) & thin
        pieces = ndimage.find_objects(ndimage.label(line)[0])
        length = sum(columns.stop - columns.start for _, columns in pieces)
        lines |= line & _thin(turned, math.ceil(1.7 * line.sum() / max(length, 1)) + 1)
    return rules


def _thin(mask: Mask, thickness: int) -> Mask:
    """Where the ink is less than so thick, measured upright."""
    thin: Mask = mask & ~ndimage.binary_opening(mask, np.ones((thickness, 1)))
    return thin


def _one_mark(ink: Pixels) -> Pixels:
    """The ink of the largest mark and of the parts near it: a digit may be in several pieces.

    Marks that run out of the picture are mostly shadows or what surrounds the paper. A mark drawn
    around another is a frame.

    Raises:
        NotOneDigitError: another mark, or others together, are as large as a digit beside this one.
    """
    labels, count = ndimage.label(ink > 0, np.ones((3, 3)))
    mass = np.bincount(labels.ravel(), ink.ravel(), count + 1)
    inside = np.ones(count + 1, bool)
    inside[labels[_frame(ink.shape, math.ceil(0.02 * max(ink.shape)))]] = False
    boxes = [(slice(0, 0), slice(0, 0)), *ndimage.find_objects(labels)]
    sides = np.array([max(rows.stop - rows.start, cols.stop - cols.start) for rows, cols in boxes])
    largest = int(mass.argmax())
    if (mass * inside).max() > 0.25 * mass[largest]:
        largest = int((mass * inside).argmax())
    for inner in np.argsort(-mass):
        if sides[inner] > 0.35 * sides[largest] and _encloses(labels == largest, boxes[inner]):
            mass[largest], largest = 0, int(inner)
            break

    side, box = sides[largest], boxes[largest]
    others = [int(other) for other in np.flatnonzero(mass > 0.02 * mass[largest])]
    others = [other for other in others if inside[other] >= inside[largest] and other != largest]
    if not others:
        return np.where(labels == largest, ink, np.float32(0))
    distance = ndimage.distance_transform_cdt(labels != largest)
    gaps = ndimage.minimum(distance, labels, others) / side
    kept, far = [largest], 0.0
    for other, gap in zip(others, gaps, strict=True):
        size = sides[other] / side
        if size > 1 and _encloses(labels == other, box):
            continue
        # Parts of one digit, such as the bar of a 5, are closer, smaller or boxed in by it.
        like = size > 0.5 and mass[other] > 0.15 * mass[largest] and inside[other]
        if like and gap > (0.07 if size > 0.7 else 0.15) and _apart(box, boxes[other]):
            raise NotOneDigitError("several marks, each as large as a digit")
        if gap < 0.2:
            kept.append(other)
        elif inside[other]:
            far += mass[other]
    if far > 0.5 * mass[kept].sum():  # digits may be broken into pieces that are small each
        raise NotOneDigitError("several marks, together as large as a digit")
    return np.where(np.isin(labels, kept), ink, np.float32(0))


def _encloses(mark: Mask, box: tuple[slice, slice]) -> bool:
    """Whether a mark goes around a box, on three sides at least: a frame may be cut off."""
    rows, columns = box
    sides = (
        mark[rows, : columns.start].any(1), mark[rows, columns.stop :].any(1),
        mark[: rows.start, columns].any(0), mark[rows.stop :, columns].any(0),
    )  # fmt: skip
    return sum(float(side.mean()) > 0.8 for side in sides) >= 3


def _apart(one: tuple[slice, slice], other: tuple[slice, slice]) -> bool:
    """Whether two boxes are beside or above one another, but for a third of the smaller one."""
    return any(
        min(a.stop, b.stop) - max(a.start, b.start) < 0.34 * min(a.stop - a.start, b.stop - b.start)
        for a, b in zip(one, other, strict=True)
    )


def _extent(ink: Pixels | Mask) -> tuple[slice, slice]:
    """Rows and columns that the ink takes."""
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _side(ink: Pixels) -> int:
    """The longer side of what the ink takes."""
    rows, columns = _extent(ink)
    return int(max(rows.stop - rows.start, columns.stop - columns.start))


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
