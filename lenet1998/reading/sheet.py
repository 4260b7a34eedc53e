"""The sheet of paper on a darker table: found in a picture, seen as if it lay upright."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from lenet1998.reading.pixels import (
    Mask,
    Pixels,
    Rectangle,
    border_of,
    grey_of,
    otsu_threshold,
    size_of,
    view,
)

__all__ = ["OVERVIEW", "Page", "find_page"]

OVERVIEW = 256  # pixels, longer side of the whole page


@dataclass(frozen=True)
class Page:
    """The sheet in a picture; the whole picture where there is none.

    Attributes:
        picture: in mode RGB.
        size: width and height, in pixels of the picture.
        corners: of the sheet, `(4, 2)`, x and y, in the order in which Pillow takes them: top left,
            bottom left, bottom right, top right; None for the whole picture.
    """

    picture: Image.Image
    size: tuple[int, int]
    corners: Pixels | None = None

    def view(self, part: Rectangle, size: tuple[int, int]) -> Pixels:
        """Part of the page in so many pixels, upright: `(H, W, 3)`, 0 to 255.

        A sheet is not cut out as a whole: of a megapixel that takes as long as all else together.
        """
        if self.corners is None:
            return view(self.picture, part, size)
        left, top, right, bottom = part
        x = np.array((left, left, right, right)) / self.size[0]
        y = np.array((top, bottom, bottom, top)) / self.size[1]
        shares = np.stack([(1 - x) * (1 - y), (1 - x) * y, x * y, x * (1 - y)], 1)
        quad, picture = shares @ self.corners, self.picture
        factor = int(min((right - left) / size[0], (bottom - top) / size[1]))
        if factor > 1:
            first = np.floor(quad.min(0)).clip(0).astype(int)
            last = np.ceil(quad.max(0)).clip(None, picture.size).astype(int)
            picture = picture.reduce(factor, (*first.tolist(), *last.tolist()))
            quad = (quad - first) / factor
        way = Image.Transform.QUAD, tuple(quad.ravel().tolist()), Image.Resampling.BILINEAR
        return np.asarray(picture.transform(size, *way), np.float32)


def find_page(picture: Image.Image) -> tuple[Page, Pixels]:
    """The sheet in a picture, or else all of it, and an overview of that, `(H, W, 3)`.

    Shape: mode RGB, any size.
    """
    page, whole = Page(picture, picture.size), (0, 0, *picture.size)
    scale = min(1, OVERVIEW / max(page.size))
    overview = page.view(whole, size_of(whole, scale))
    corners = _sheet(overview)
    if corners is None:
        return page, overview
    corners = corners / scale
    down, right = (math.dist(corners[0], corners[other]) for other in (1, 3))
    page = Page(picture, (max(1, round(right)), max(1, round(down))), corners)
    whole = (0, 0, *page.size)
    return page, page.view(whole, size_of(whole, min(1, OVERVIEW / max(page.size))))


def _sheet(pixels: Pixels) -> Pixels | None:
    """The corners of a sheet of paper on a darker table, if there is one.

    Shape: `(H, W, 3)` -> `(4, 2)`, as those of `Page`.
    """
    grey = grey_of(pixels)
    paper = grey >= otsu_threshold(grey)
    edge = paper[border_of(paper.shape, 2)]
    if edge.mean() > 0.2 or not paper.any() or grey[paper].mean() - grey[~paper].mean() < 40:
        return None
    for way in (np.logical_and, np.logical_and, np.logical_or, np.logical_or):
        paper = _with_neighbours(paper, way)  # without threads and specks
    labels, count = ndimage.label(paper)
    if not count:
        return None
    sheet = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    beyond, _ = ndimage.label(np.pad(~sheet, 1, constant_values=True))
    whole = beyond[1:-1, 1:-1] != beyond[0, 0]
    edge = whole & ~_with_neighbours(whole, np.logical_and)
    outline = np.argwhere(edge)[:, ::-1].astype(np.float32)
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


def _with_neighbours(mask: Mask, way: np.ufunc) -> Mask:
    """Shrunk (`logical_and`) or grown (`logical_or`) by a pixel; SciPy takes ten times as long."""
    padded = np.pad(mask, 1)
    for beside in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        mask = way(mask, beside)
    return mask
