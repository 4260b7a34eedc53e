"""Ruled lines: what goes straight through a view from one border to the other."""

import math

import numpy as np
from scipy import ndimage

from lenet1998.reading.pixels import Mask

__all__ = ["find_rules"]

_STEEPEST = 0.13  # rise over run, 7 degrees


def find_rules(mask: Mask) -> Mask:
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
        rises = np.linspace(-_STEEPEST, _STEEPEST, 27)
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
