"""Marks: ink that hangs together, what lies close to it, and what goes around it."""

import math

import numpy as np
from scipy import ndimage

from lenet1998.reading.pixels import Mask, Pixels, border_of

__all__ = ["NotOneDigitError", "encloses", "one_mark"]


class NotOneDigitError(ValueError):
    """What stands out can't be one digit; the message says what it is instead."""


def one_mark(ink: Pixels) -> Pixels:
    """The ink of the largest mark and of the parts near it: a digit may be in several pieces.

    Marks that run out of the picture are mostly shadows or what surrounds the paper. A mark drawn
    around another is a frame.

    Raises:
        NotOneDigitError: another mark, or others together, are as large as a digit beside this one.
    """
    labels, count = ndimage.label(ink > 0, np.ones((3, 3)))
    mass = np.bincount(labels.ravel(), ink.ravel(), count + 1)
    inside = np.ones(count + 1, bool)
    inside[labels[border_of(ink.shape, math.ceil(0.02 * max(ink.shape)))]] = False
    boxes = [(slice(0, 0), slice(0, 0)), *ndimage.find_objects(labels)]
    sides = np.array([max(rows.stop - rows.start, cols.stop - cols.start) for rows, cols in boxes])
    largest = int(mass.argmax())
    if (mass * inside).max() > 0.25 * mass[largest]:
        largest = int((mass * inside).argmax())
    for inner in np.argsort(-mass):
        if sides[inner] > 0.35 * sides[largest] and encloses(labels == largest, boxes[inner]):
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
        if size > 1 and encloses(labels == other, box):
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


def encloses(mark: Mask, box: tuple[slice, slice]) -> bool:
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
