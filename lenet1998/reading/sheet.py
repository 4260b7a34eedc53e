"""The sheet of paper on a darker table: found in a picture, cut out and set upright."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from lenet1998.reading.pixels import Pixels, border_of, grey_of, otsu_threshold, view

__all__ = ["OVERVIEW", "upright"]

OVERVIEW = 256  # pixels, longer side of the whole picture
_SHEET = 700  # pixels, longer side of a sheet that is cut out


def upright(picture: Image.Image) -> tuple[Image.Image, Pixels, Pixels | None]:
    """The sheet in a picture cut out, an overview of it, and its corners in the picture.

    Without a sheet the picture is as it was, and None are its corners.
    """
    scale = min(1, OVERVIEW / max(picture.size))
    overview = view(picture, (0, 0, *picture.size), scale)
    corners = _sheet(overview)
    if corners is None:
        return picture, overview, None
    sheet = _cut_out(picture, corners / scale)
    reduced = view(sheet, (0, 0, *sheet.size), min(1, OVERVIEW / max(sheet.size)))
    return sheet, reduced, corners / scale


def _sheet(pixels: Pixels) -> Pixels | None:
    """The corners of a sheet of paper on a darker table, if there is one.

    Shape: `(H, W, 3)` -> `(4, 2)`, x and y, in the order in which Pillow takes them: top left,
    bottom left, bottom right, top right.
    """
    grey = grey_of(pixels)
    paper = grey >= otsu_threshold(grey)
    edge = paper[border_of(paper.shape, 2)]
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
    scale = min(1, _SHEET / max(sides))
    size = max(1, round(sides[0] * scale)), max(1, round(sides[1] * scale))
    factor = int(1 / scale)
    quad = tuple((corners / factor).ravel().tolist())
    return picture.reduce(factor).transform(
        size, Image.Transform.QUAD, quad, Image.Resampling.BILINEAR
    )
