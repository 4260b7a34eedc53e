"""Support vector machines with a polynomial kernel (section III.C.11).

One machine for a class against all others, by scikit-learn's SVC (libsvm); the machines are spread
over the cores. Virtual support vectors are those of Schölkopf, Burges and Vapnik, "Incorporating
invariances in support vector learning machines" (1996); reduced sets those of Burges, "Simplified
support vector decision rules" (1996).
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
import torch
from joblib import Parallel, delayed
from sklearn.preprocessing import normalize
from sklearn.svm import SVC
from torch import Tensor
from torch.nn.functional import pad

from lenet1998.others._base import Floats, Places, Scored, in_parts, squares

__all__ = ["PolynomialSVM", "ReducedSVM"]

_FIRST = 5000  # images that the machines are first fitted to
_MISSED = 0.01  # of its margin, for which an image is taken in
_CACHE = 1000  # MB of kernel values that each machine may keep
_ROUND = [(rows, columns) for rows in (-1, 0, 1) for columns in (-1, 0, 1) if rows or columns]
_STEPS = {4: [step for step in _ROUND if 0 in step], 8: _ROUND}


class PolynomialSVM(Scored):
    """The class whose machine gives the largest value, of one machine for each against the rest.

    The kernel is ((x·y + constant) / (1 + constant))^degree of two images, scaled to length 1.
    A machine is fitted to some images, then to those too whose margin it misses, until there are
    none: as good as to all at once, and sooner. Multiply-adds: one for a pixel of each support
    vector and for each of their weights, powers not counted; variables: the pixels of the support
    vectors, their weights, and a bias for each class.

    Of 10,000 training digits of MNIST learned at 28x28, so many of the 4,000 after the first 50,000
    were misread, by `degree`, `constant` and `C`; of one machine for each two classes the votes
    misread as many, but the sums of their values 40 to 70 % more:

        4, 0: 121 by 1        4, 1: 168 by 1, 127 by 10        4, 0.3: 130 by 1
        5, 1: 149 by 1, 120 by 10                              9, 1: 122 by 1, 114 by 10

    Args:
        degree: of the polynomial.
        C: the most that an image may weigh.
        constant: that the kernel adds to the product.
        shifts: 0, or the directions, 4 or 8, by a pixel into which the support vectors of each
            machine are shifted, for it to be fitted to them all again (the V-SVM). The images are
            filled up with background 0 to a square for it.
        n_jobs: machines that are fitted at once; None: as many as there are cores.

    Attributes:
        vectors_: support vectors of all machines, `(m, pixels)`.
        weights_: of theirs in each machine, `(m, classes)`.
        biases_: `(classes,)`.
    """

    def __init__(
        self,
        degree: int = 4,
        C: float = 1.0,
        constant: float = 0.0,
        shifts: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.degree = degree
        self.C = C
        self.constant = constant
        self.shifts = shifts
        self.n_jobs = n_jobs

    def _fit(self, pixels: Floats, answers: Places) -> None:
        if self.shifts not in (0, *_STEPS):
            raise ValueError(f"expected shifts 0, 4 or 8, got {self.shifts}")
        classes = len(self.classes_)
        wanted = answers[:, None] == np.arange(classes)
        first = wanted.cumsum(0)[wanted] <= _FIRST // classes
        working = np.repeat(first[:, None], classes, 1)
        supporting = self._fit_machines(normalize(pixels), wanted, working, ~working)
        if self.shifts:
            moved = _shifted(self.vectors_, _STEPS[self.shifts])
            own = np.repeat(self.weights_ != 0, self.shifts + 1, 0)
            labels = np.repeat(wanted[supporting], self.shifts + 1, 0)
            self._fit_machines(moved, labels, own, np.zeros_like(own))

    def _fit_machines(
        self,
        pixels: Floats,
        wanted: npt.NDArray[np.bool_],
        working: npt.NDArray[np.bool_],
        others: npt.NDArray[np.bool_],
    ) -> Places:
        """Fit each machine to the images at work, and those of the others that it then misses.

        Shapes: `(n, pixels)` of length 1, else `(n, classes)`. Gives back the support vectors.
        """
        while True:
            fitted = Parallel(self.n_jobs or os.cpu_count(), prefer="threads")(
                delayed(self._machine)(pixels[rows], labels[rows])
                for rows, labels in zip(working.T, wanted.T, strict=True)
            )
            weights = np.zeros(wanted.shape, np.float32)
            for rows, column, machine in zip(working.T, weights.T, fitted, strict=True):
                column[np.flatnonzero(rows)[machine.support_]] = machine.dual_coef_[0]
            supporting = np.flatnonzero(weights.any(1))
            self.vectors_, self.weights_ = pixels[supporting], weights[supporting]
            self.biases_ = np.array([machine.intercept_[0] for machine in fitted], np.float32)
            if not others.any():
                return supporting
            margins = np.where(wanted, 1, -1) * in_parts(self._values, pixels)
            missed = others & ~working & (margins < 1 - _MISSED)
            if not missed.any():
                return supporting
            working |= missed

    def _machine(self, pixels: Floats, wanted: npt.NDArray[np.bool_]) -> SVC:
        scale = 1 / (1 + self.constant)
        kernel = {"degree": self.degree, "gamma": scale, "coef0": self.constant * scale}
        return SVC(C=self.C, kernel="poly", cache_size=_CACHE, **kernel).fit(pixels, wanted)

    def _kernel(self, a: Tensor, b: Tensor) -> Tensor:
        return ((a @ b.mT + self.constant) / (1 + self.constant)).pow_(self.degree)

    def _scores(self, pixels: Floats) -> Floats:
        return self._values(normalize(pixels.astype(np.float64)))

    def _values(self, unit: Floats) -> Floats:
        """Scores of images of length 1, as exact as their type is."""
        images = torch.from_numpy(unit)
        vectors, weights, biases = (
            torch.from_numpy(part).to(images.dtype)
            for part in (self.vectors_, self.weights_, self.biases_)
        )
        scores: Floats = (self._kernel(images, vectors) @ weights + biases).numpy()
        return scores

    @property
    def multiply_adds_(self) -> int:
        return int(self.vectors_.size + np.count_nonzero(self.weights_))

    @property
    def variables_(self) -> int:
        return self.multiply_adds_ + len(self.biases_)


class ReducedSVM(PolynomialSVM):
    """A few vectors for each machine that stand for all of its support vectors (the RS-SVM).

    They and their weights, which are no images' any more, come as near to the machine's plane in
    the kernel's space as gradients bring them, from the support vectors that weigh the most.

    Args:
        degree: as `PolynomialSVM` takes it, like `C`, `constant`, `shifts` and `n_jobs`.
        C: as there.
        constant: as there.
        shifts: as there.
        n_jobs: as there.
        vectors: for each machine; all, if it has fewer.
        steps: of the gradient.
    """

    def __init__(
        self,
        degree: int = 5,
        C: float = 1.0,
        constant: float = 0.0,
        shifts: int = 0,
        n_jobs: int | None = None,
        vectors: int = 83,
        steps: int = 300,
    ) -> None:
        super().__init__(degree, C, constant, shifts, n_jobs)
        self.vectors = vectors
        self.steps = steps

    def _fit(self, pixels: Floats, answers: Places) -> None:
        super()._fit(pixels, answers)
        reduced = [self._reduced(torch.from_numpy(column)) for column in self.weights_.T]
        self.vectors_ = torch.cat([vectors for vectors, _ in reduced]).numpy()
        self.weights_ = torch.block_diag(*(weights[:, None] for _, weights in reduced)).numpy()

    def _reduced(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        own = weights != 0
        full, weights = torch.from_numpy(self.vectors_)[own], weights[own]
        heaviest = weights.abs().topk(min(self.vectors, len(weights))).indices
        vectors = full[heaviest].clone().requires_grad_()
        optimiser = torch.optim.Adam([vectors], lr=0.01)
        for _ in range(self.steps):
            optimiser.zero_grad()
            near, best = self._nearest(vectors, full, weights)
            (-near @ best).backward()
            optimiser.step()
        vectors = vectors.detach()
        return vectors, self._nearest(vectors, full, weights)[1]

    def _nearest(self, vectors: Tensor, full: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors' products with the plane, and the weights that bring them nearest to it."""
        near = self._kernel(vectors, full) @ weights
        products = self._kernel(vectors, vectors)
        products = products + 1e-6 * torch.eye(len(vectors)) * products.diagonal().mean()
        return near, torch.linalg.solve(products.double(), near.double()).float()


def _shifted(images: Floats, steps: list[tuple[int, int]]) -> Floats:
    """Each image, then its copies moved by each (rows, columns): `(n, pixels)`, n-fold."""
    square = squares(images)
    around = pad(square, (1, 1, 1, 1))
    side = square.shape[1]
    copies = [around[:, 1 - r : 1 - r + side, 1 - c : 1 - c + side] for r, c in [(0, 0), *steps]]
    every: Floats = torch.stack(copies, 1).flatten(0, 1).flatten(1)[:, : images.shape[1]].numpy()
    unit: Floats = normalize(every)
    return unit
