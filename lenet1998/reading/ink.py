"""Paper and ink: how far each pixel of a view is from the one to the other.

Light is evened out: shadows and glare are neither.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lenet1998.reading.pixels import Pixels, border_of, grey_of, of_squares, otsu_threshold

__all__ = ["NoDigitError", "find_ink", "ink_or_none"]

_Indices = npt.NDArray[np.intp]

_SAMPLE = 4000  # pixels of a view's border, enough to know the paper by
_LEAST_CONTRAST = 8.0  # between paper and ink; black and white are 442 apart
_LEAST_CLARITY = 5.0  # contrast in units of the paper's own unevenness; noise alone comes to 2 to 5
_INK_ABOVE = 0.4  # of the contrast: fainter marks, such as ruled lines, are paper
_FAINTEST = 0.06  # of the contrast, where glare fades the ink
_FADING = 5  # pixels, within which it fades by less than `_INK_ABOVE`
_WIDEST_STROKE = 0.25  # of a view's longer side; wider dark parts are shadows


class NoDigitError(ValueError):
    """Nothing in the picture stands out from its background."""


def find_ink(pixels: Pixels) -> Pixels:
    """How far each pixel is from paper (0) to ink (1); what is fainter than ink is 0.

    Of several guesses at the paper, the one is taken on which the ink stands out most clearly.

    Shape: `(H, W, 3)` -> `(H, W)`.
    """
    best, best_clarity = None, _LEAST_CLARITY
    border = np.flatnonzero(border_of(pixels.shape[:2], max(1, round(max(pixels.shape) / 16))))
    border = border[:: 1 + len(border) // _SAMPLE]
    for even in _evened(pixels, border):
        paper = np.median(even.reshape(-1, 3)[border], axis=0)
        difference = (paper - even).astype(np.float32, copy=False)
        # The colour of the ink, seen from the paper's: where the largest differences point. It
        # settles dark on light or light on dark as well.
        direction = grey_of(np.square(difference)).ravel() @ difference.reshape(-1, 3)
        depth = difference @ (direction / max(float(np.linalg.norm(direction)), 1e-9))
        marks = depth[depth > _LEAST_CONTRAST]
        if not marks.size:
            continue
        contrast = np.median(marks[marks >= otsu_threshold(marks)])
        rest = depth[depth <= _INK_ABOVE * contrast]
        if not rest.size:
            continue
        clarity = contrast / (1 + math.sqrt(np.square(rest).mean()))
        # A dark border is a shadow rather than ink.
        clarity *= 1 - (depth.ravel()[border] > _INK_ABOVE * contrast).mean()
        if clarity > best_clarity:
            best, best_clarity = depth / contrast, clarity
    if best is None:
        raise NoDigitError
    # Glare fades the ink, but gradually: what is fainter goes on from darker ink beside it.
    best = best.clip(0, 1)
    near = of_squares(np.pad(best, _FADING // 2), _FADING, np.maximum)
    labels, count = ndimage.label(best > np.maximum(_INK_ABOVE * near, _FAINTEST), np.ones((3, 3)))
    inked = np.zeros(count + 1, bool)
    inked[labels[best > _INK_ABOVE]] = True
    inked[0] = False
    return np.where(inked[labels], best / np.maximum(near, _FAINTEST), 0).astype(np.float32)


def ink_or_none(pixels: Pixels) -> Pixels:
    """As `find_ink`; all is paper where nothing stands out."""
    try:
        return find_ink(pixels)
    except NoDigitError:
        return np.zeros(pixels.shape[:2], np.float32)


def _evened(pixels: Pixels, border: _Indices) -> Iterator[Pixels]:
    """The picture as it would be in even light.

    As it is, for scans and drawings, even those that the digit fills; then each pixel against the
    paper around it. That is what remains when all strokes are filled up; edges of shadows stay.
    """
    yield pixels
    size = max(3, round(_WIDEST_STROKE * max(pixels.shape)))
    grey = grey_of(pixels)
    # Shadows darken parts of the border; where nearly all of it is dark, the paper is.
    lighter_ink = np.quantile(grey.ravel()[border], 0.9) < (grey.min() + grey.max()) / 2
    ways = (np.minimum, np.maximum) if lighter_ink else (np.maximum, np.minimum)
    # Beyond its border the picture goes on, so that windows reach into its corners.
    paper = np.pad(grey, size - 1, mode="edge")
    for way in ways:
        paper = of_squares(paper, size, way)
    usual = max(float(np.median(paper[::4, ::4])), 1)  # it is smooth
    if lighter_ink:
        yield pixels + (usual - paper).astype(np.float32)[..., None]
    else:
        yield pixels * (usual / paper.clip(1, None)).astype(np.float32)[..., None]
