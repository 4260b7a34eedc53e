"""Ruled lines: what goes straight through a view from one border to the other."""

import math

import numpy as np
from scipy import ndimage

from lenet1998.reading.pixels import Mask, of_columns

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
        rows = np.arange(height + 2 * reach)[:, None] + reach + shift
        level = np.pad(turned, ((2 * reach, 2 * reach), (0, 0)), constant_values=True)
        level = np.take_along_axis(level, rows, axis=0)  # outside the view lines may go on
        near = of_columns(np.pad(level, ((1, 1), (0, 0))), 3, np.logical_or).T
        for way in (np.logical_or, np.logical_and):  # gaps of up to eight pixels are closed
            near = of_columns(np.pad(near, ((4, 4), (0, 0)), mode="edge"), 9, way)
        near = _of_runs(near, round(0.97 * width)).T
        back = np.arange(height)[:, None] + reach - shift
        line = np.take_along_axis(near, back, axis=0) & thin
        pieces = ndimage.find_objects(ndimage.label(line)[0])
        length = sum(columns.stop - columns.start for _, columns in pieces)
        lines |= line & _thin(turned, math.ceil(1.7 * line.sum() / max(length, 1)) + 1)
    return rules


def _thin(mask: Mask, thickness: int) -> Mask:
    """Where the ink is less than so thick, measured upright."""
    return mask & ~_of_runs(mask, thickness)


def _of_runs(mask: Mask, length: int) -> Mask:
    """The ink in upright runs of at least such a length."""
    beyond = ((length - 1, length - 1), (0, 0))
    starts = of_columns(np.pad(mask, beyond), length, np.logical_and)
    return of_columns(starts, length, np.logical_or)
