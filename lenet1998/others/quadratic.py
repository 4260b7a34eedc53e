"""Principal components and the products of each two of them (section III.C.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from lenet1998.others._base import Floats, Places, Scored, targets, weighted_sums

__all__ = ["QuadraticClassifier"]


class QuadraticClassifier(Scored):
    """Sums of the products of each two principal components, by least squares.

    The paper's 821 inputs are the 820 products of 40 components, squares among them, and the bias.
    Multiply-adds: those of the components and of the sums, and one for a product. Variables: the
    directions of the components, their offsets, and the weights and biases. Of 50,000 training
    digits of MNIST learned it misread 3.96 % of the 10,000 others, with any ridge up to 1e-3.

    Args:
        components: as many as pixels and images allow, if those are fewer.
        ridge: what the square of a weight costs, against the mean square of an error.
    """

    def __init__(self, components: int = 40, ridge: float = 1e-6) -> None:
        self.components = components
        self.ridge = ridge

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # classes opposite each other look alike
        return tags

    def _fit(self, pixels: Floats, answers: Places) -> None:
        self.pca_ = PCA(min(self.components, *pixels.shape), random_state=0)
        self.pca_.fit(pixels.astype(np.float64))
        wanted = targets(answers, len(self.classes_))
        self.sums_ = weighted_sums(self._products(pixels), wanted, self.ridge)

    def _products(self, pixels: Floats) -> Floats:
        values = self.pca_.transform(pixels.astype(np.float64))
        one, other = np.triu_indices(values.shape[1])
        products: Floats = values[:, one] * values[:, other]
        return products

    def _scores(self, pixels: Floats) -> Floats:
        scores: Floats = self.sums_.predict(self._products(pixels))
        return scores.reshape(len(pixels), -1)

    @property
    def multiply_adds_(self) -> int:
        return int(self.pca_.components_.size + self.sums_.n_features_in_ + self.sums_.coef_.size)

    @property
    def variables_(self) -> int:
        offsets = self.pca_.n_components_ + len(self.classes_)
        return int(self.pca_.components_.size + self.sums_.coef_.size + offsets)
