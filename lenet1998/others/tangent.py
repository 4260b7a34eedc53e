"""Tangent distance: how far two digits are once each may move a little (section III.C.3).

Small movements of an image - shifts, turns, changes of size, slant and stroke width - span a plane
at it, of its derivatives by them. The distance of two images is that of their planes (Simard, LeCun
and Denker, "Efficient pattern recognition using a new transformation distance", NIPS 1993). Neither
paper prints the smoothing; the springs are those of Simard, LeCun, Denker and Victorri,
"Transformation invariance in pattern recognition" (1998).
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import normalize

from lenet1998.others._base import Floats, Places, Scored, squares, votes

__all__ = ["TangentDistanceClassifier", "one_sided", "tangents", "two_sided"]

SIGMA = 1.0
"""Of the Gaussian that smooths an image before its derivatives are taken, in pixels."""

_MOVES = 7
_TOGETHER = 2000  # images, or pairs of images, whose planes are in work at once
_VALUES = 2**25  # that the distances from a few images to all prototypes may take: 128 MiB


def tangents(images: Tensor, sigma: float = SIGMA) -> Tensor:
    """The derivatives of each image by seven movements.

    With x to the right and y down from the centre of the image, and (gx, gy) the gradient of the
    image smoothed by a Gaussian: gx and gy, the shifts; x gx + y gy, the size; y gx - x gy, the
    turn; x gx - y gy and y gx + x gy, the squeezes along the axes and along the diagonals; and
    gx² + gy², the thickness of the strokes. Outside of the image all is 0, the background.

    Shape: `(N, side, side)` float on the CPU -> `(N, 7, side * side)`, of the same type.

    Raises:
        ValueError: for images of another shape or type, or not finite; or sigma not > 0 and finite.
    """
    if images.ndim != 3 or images.shape[1] != images.shape[2] or not images.is_floating_point():
        found = f"{tuple(images.shape)} {images.dtype}"
        raise ValueError(f"expected images (N, side, side) of a float type, got {found}")
    if not images.isfinite().all():
        raise ValueError("the images hold NaN or infinite values: expected finite levels")
    if not 0 < sigma < math.inf:
        raise ValueError(f"expected sigma > 0 and finite, got {sigma}")
    smooth = partial(gaussian_filter, images.numpy(), sigma, axes=(1, 2), mode="constant")
    gx, gy = (torch.from_numpy(smooth(order=order)) for order in ((0, 1), (1, 0)))
    y = (torch.arange(images.shape[1], dtype=images.dtype) - (images.shape[1] - 1) / 2)[:, None]
    x = y.T
    along, across = (x * gx, y * gx), (y * gy, x * gy)
    size, squeeze = along[0] + across[0], along[0] - across[0]
    turn, diagonal = along[1] - across[1], along[1] + across[1]
    return torch.stack((gx, gy, size, turn, squeeze, diagonal, gx**2 + gy**2), 1).flatten(2)


def one_sided(
    images: Tensor, prototypes: Tensor, ridge: float = 0.0, sigma: float = SIGMA
) -> Tensor:
    """Squared distance of each prototype to the plane of each image; swapped, to the prototypes'.

    Shape: `(M, side, side)` and `(N, side, side)` float -> `(M, N)`.

    Args:
        images: whose planes.
        prototypes: which do not move.
        ridge: how stiff the springs are that hold an image in its place: this times the squared
            length of its way is added. 0: none; without end: Euclidean.
        sigma: as `tangents` takes it.

    Raises:
        ValueError: as `tangents`; for images of two sizes, or a negative ridge.
    """
    _check(ridge, images.shape[1:], prototypes.shape[1:])
    planes = _planes(images, sigma)
    return _to_planes(images.flatten(1), planes, prototypes.flatten(1), ridge)


def two_sided(a: Tensor, b: Tensor, ridge: float = 0.0, sigma: float = SIGMA) -> Tensor:
    """Squared tangent distance of each pair: between the planes of both, both on their springs.

    Shape: `(N, side, side)` float twice -> `(N,)`. Arguments and errors as `one_sided`.
    """
    _check(ridge, a.shape, b.shape)
    return _between((b - a).flatten(1), _planes(a, sigma), _planes(b, sigma), ridge)


def _check(ridge: float, shape: torch.Size, other: torch.Size) -> None:
    if shape != other:
        raise ValueError(f"expected images of one shape, got {tuple(shape)} and {tuple(other)}")
    if not 0 <= ridge < math.inf:
        raise ValueError(f"expected ridge >= 0 and finite, got {ridge}")


def _planes(images: Tensor, sigma: float) -> Tensor:
    """`(N, 7, pixels)`: orthonormal rows that span the tangents, and rows of 0 if those are fewer.

    By the eigenvectors of the tangents' products, in float64: a QR would make up directions for the
    tangents that a blank image lacks, an SVD takes a hundred times as long.
    """
    parts = []
    for part in images.split(_TOGETHER):
        rows = tangents(part.double(), sigma)
        rows = normalize(rows, dim=2)
        squares, vectors = torch.linalg.eigh(rows @ rows.mT)
        scale = torch.where(squares > 1e-12, squares.clamp(min=1e-12).rsqrt(), 0)
        parts.append(((scale[:, :, None] * vectors.mT) @ rows).to(images.dtype))
    return torch.cat(parts) if parts else tangents(images, sigma)


def _to_planes(images: Tensor, planes: Tensor, prototypes: Tensor, ridge: float) -> Tensor:
    """`one_sided` of images `(M, pixels)`, their planes, and prototypes `(N, pixels)`."""
    ways = (planes.flatten(0, 1) @ prototypes.T).view(*planes.shape[:2], -1)
    ways -= planes @ images[:, :, None]
    apart = torch.addmm(prototypes.square().sum(1), images, prototypes.T, alpha=-2)
    apart += images.square().sum(1, keepdim=True)
    apart -= ways.square_().sum(1) / (1 + ridge)
    return apart.clamp_(min=0)


def _between(difference: Tensor, a: Tensor, b: Tensor, ridge: float) -> Tensor:
    """`two_sided` of b - a, `(N, pixels)`, and the planes of both.

    In the principal directions of two planes, those of the singular vectors of their products, each
    coefficient of one acts on one of the other alone, and their sum and difference on nothing else.
    """
    left, cosines, right = torch.linalg.svd(a @ b.mT)
    of_a = (left.mT @ (a @ difference[:, :, None]))[:, :, 0]
    of_b = (right @ (b @ difference[:, :, None]))[:, :, 0]
    apart = 1 + ridge - cosines  # 0 where both planes hold a direction: moving both is no gain
    with_each_other = (of_b - of_a).square() / (2 * apart)
    against = (of_b + of_a).square() / (2 * (1 + ridge + cosines))
    tiny = 100 * torch.finfo(apart.dtype).eps
    gains = torch.where(apart > tiny, with_each_other, 0) + against
    squared: Tensor = difference.square().sum(1) - gains.sum(1)
    return squared.clamp(min=0)


class TangentDistanceClassifier(Scored):
    """The nearest neighbours by tangent distance, for scikit-learn.

    X is `(n, pixels)` of square images, or `(n, side, side)`; background 0. Other numbers of
    features are filled up with background to the next square. As many cores take part as PyTorch
    is let (`torch.set_num_threads`). What is kept of an image is its plane, 8 float32 for a pixel:
    500 MB for 60,000 of 16x16. A score is the class's number of neighbours, and half of (distance
    of the nearest image) / (distance of the nearest of the class).

    Multiply-adds: for each image kept, one for each pixel and each of those of its product with the
    reader's plane, 8 in all; for each of the shortlist, 7 x 7 products of planes and 14 of a plane
    with the difference. The planes' own making and what is done to 7 x 7 are not counted.
    Variables: images and planes.

    Of 10,000 training digits of MNIST learned, at 16x16, levels 0..1.275, so many of the 2,000
    after the first 50,000 were misread:

        sigma  ridge  1 neighbour  3
        0.5    0.1                 40
        0.7    0.03   37
        0.7    0.1    40           38
        1.0    0.03   41
        1.0    0.1    44           40
        1.0    0.3    52
        1.3    0.1    46

    Args:
        n_neighbors: that vote; of classes with equally many, that with the nearest wins.
        shortlist: prototypes, the nearest to an image's own plane (`one_sided`), that the exact
            distance is taken to; None: all.
        ridge: as `one_sided` takes it.
        sigma: as `tangents` takes it.

    Attributes:
        classes_: the labels, sorted.
        n_features_in_: pixels of an image.
        prototypes_, planes_, answers_: images of `fit`, `(n, pixels)`, their planes, their classes.
    """

    def __init__(
        self,
        n_neighbors: int = 1,
        shortlist: int | None = 30,
        ridge: float = 0.03,
        sigma: float = 0.7,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.shortlist = shortlist
        self.ridge = ridge
        self.sigma = sigma

    def _fit(self, pixels: Floats, answers: Places) -> None:
        _check(self.ridge, torch.Size(), torch.Size())
        images = squares(pixels)
        self.prototypes_, self.planes_ = images.flatten(1), _planes(images, self.sigma)
        self.answers_ = torch.from_numpy(answers)

    def _scores(self, pixels: Floats) -> Floats:
        distances, near = self._near(pixels, self.n_neighbors, self._few)
        answers = self.answers_.numpy()[near]
        return votes(distances, answers, self.n_neighbors, len(self.classes_))

    def kneighbors(
        self, X: npt.ArrayLike, n_neighbors: int | None = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Tangent distances (not squared) and indices of the nearest, both `(n, n_neighbors)`.

        Raises:
            NotFittedError: before `fit`.
            ValueError: for X that scikit-learn refuses, or more neighbours than there are.
        """
        pixels, count = self._pixels(X), n_neighbors or self.n_neighbors
        return self._near(pixels, count, count)

    @property
    def _few(self) -> int:
        total = len(self.prototypes_)
        return total if self.shortlist is None else min(self.shortlist, total)

    @property
    def multiply_adds_(self) -> int:
        exact = self._few * (_MOVES**2 + 2 * _MOVES) * self.prototypes_.shape[1]
        return (1 + _MOVES) * self.prototypes_.numel() + exact

    @property
    def variables_(self) -> int:
        return self.prototypes_.numel() + self.planes_.numel()

    def _near(
        self, pixels: Floats, count: int, kept: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """`kept` neighbours, after a check of `count`."""
        few, total = self._few, len(self.prototypes_)
        if not 1 <= count <= few:
            raise ValueError(
                f"expected n_neighbors from 1 to {few}, as many as there are of {total} images "
                f"with shortlist={self.shortlist}, got {count}"
            )
        found = [
            self._nearest(some, few, kept)
            for some in squares(pixels).split(max(1, _VALUES // (8 * total)))
        ]
        distances, indices = (torch.cat(part).numpy() for part in zip(*found, strict=True))
        return distances, indices

    def _nearest(self, some: Tensor, few: int, count: int) -> tuple[Tensor, Tensor]:
        images, planes = some.flatten(1), _planes(some, self.sigma)
        coarse = _to_planes(images, planes, self.prototypes_, self.ridge)
        listed = coarse.topk(few, largest=False).indices
        ours = torch.arange(len(images)).repeat_interleave(few)
        parts = zip(ours.split(_TOGETHER), listed.flatten().split(_TOGETHER), strict=True)
        exact = torch.cat(
            [
                _between(self.prototypes_[b] - images[a], planes[a], self.planes_[b], self.ridge)
                for a, b in parts
            ]
        ).view(-1, few)
        squared, places = exact.topk(count, largest=False)
        return squared.sqrt(), listed.gather(1, places)
