"""Sums of weighted pixels: one for a class, or one for each two classes (section III.C.1)."""

from __future__ import annotations

import numpy as np

from lenet1998.others._base import Floats, Places, Scored, pairs, targets, totals, weighted_sums

__all__ = ["LinearClassifier", "PairwiseLinearClassifier"]


class LinearClassifier(Scored):
    """The class whose weighted sum of the pixels is the largest, by least squares.

    The paper doesn't print how its weights were learned. Multiply-adds: one for a weight;
    variables: weights and biases. Of 50,000 training digits of MNIST learned, levels 0..1.275, it
    misread of the 10,000 others, by the ridge, in %:

        28x28             1e-4 13.29    1e-3 13.23    0.01 12.80    0.03 12.80    0.1 12.87
        20x20, deslanted  1e-4 10.84    1e-3 10.81    0.01 10.92

    Args:
        ridge: what the square of a weight costs, against the mean square of an error.
    """

    def __init__(self, ridge: float = 0.01) -> None:
        self.ridge = ridge

    def _fit(self, pixels: Floats, answers: Places) -> None:
        self.sums_ = weighted_sums(pixels, targets(answers, len(self.classes_)), self.ridge)

    def _scores(self, pixels: Floats) -> Floats:
        scores: Floats = self.sums_.predict(pixels)
        return scores.reshape(len(pixels), -1)

    @property
    def multiply_adds_(self) -> int:
        return int(self.sums_.coef_.size)

    @property
    def variables_(self) -> int:
        return int(self.sums_.coef_.size + len(self.classes_))


class PairwiseLinearClassifier(Scored):
    """A unit for each two classes, +1 for the one and -1 for the other, by least squares.

    A class's score is the sum of the outputs of the units for it minus those of the units against
    it. Multiply-adds: one for a weight; variables: weights and biases. Of the digits at 28x28 that
    `LinearClassifier` tells of it misread 9.34, 9.23 and 9.35 % by ridges of 1e-4, 1e-3 and 0.01;
    without squashing 16.13, 15.29 and 14.91 %.

    Args:
        ridge: what the square of a weight costs, against the mean square of an error.
        squashed: outputs beyond ±1 count as ±1; else a score is again a weighted sum of the pixels.
    """

    def __init__(self, ridge: float = 1e-3, squashed: bool = True) -> None:
        self.ridge = ridge
        self.squashed = squashed

    def _fit(self, pixels: Floats, answers: Places) -> None:
        self.sums_ = []
        for pair in pairs(len(self.classes_)):
            rows = np.isin(answers, pair)
            wanted = np.where(answers[rows] == pair[0], 1.0, -1.0)
            self.sums_.append(weighted_sums(pixels[rows], wanted, self.ridge))

    def _scores(self, pixels: Floats) -> Floats:
        outputs = np.stack([sums.predict(pixels) for sums in self.sums_], 1)
        return totals(outputs.clip(-1, 1) if self.squashed else outputs, len(self.classes_))

    @property
    def multiply_adds_(self) -> int:
        return len(self.sums_) * self.n_features_in_

    @property
    def variables_(self) -> int:
        return len(self.sums_) * (self.n_features_in_ + 1)
