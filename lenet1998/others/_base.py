"""What the classifiers share: scikit-learn's face, a score for each class, their parts."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from itertools import combinations
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import Ridge
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from torch.nn.functional import pad

Floats = npt.NDArray[np.floating[Any]]
Places = npt.NDArray[np.int64]

_TOGETHER = 1000  # images that are answered at once


class Scored(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier with a score for each class, of which the largest is the answer.

    X is `(n, pixels)`, or images `(n, side, side)`.

    Attributes:
        classes_: the labels, sorted.
        n_features_in_: pixels of an image.
        multiply_adds_: to read one image (Fig. 11).
        variables_: numbers that have to be kept (Fig. 12).
    """

    classes_: npt.NDArray[Any]
    n_features_in_: int

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learn from images and their labels.

        Raises:
            ValueError: for X or y that scikit-learn refuses, or a bad parameter.
        """
        pixels, y = validate_data(self, _flat(X), y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, answers = np.unique(y, return_inverse=True)
        self._fit(pixels, answers)
        return self

    def decision_function(self, X: npt.ArrayLike) -> Floats:
        """The score of each class, `(n, classes)`; of two classes the lead of the second, `(n,)`.

        Raises:
            NotFittedError: before `fit`.
            ValueError: for X that scikit-learn refuses.
        """
        scores = self._answer(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The class with the largest score, `(n,)`; errors as `decision_function`."""
        best = self._answer(X).argmax(1)
        answers: npt.NDArray[Any] = self.classes_[best]
        return answers

    def _answer(self, X: npt.ArrayLike) -> Floats:
        return in_parts(self._scores, self._pixels(X))

    def _pixels(self, X: npt.ArrayLike) -> Floats:
        check_is_fitted(self)
        pixels: Floats = validate_data(self, _flat(X), dtype=np.float32, reset=False)
        return pixels

    @property
    @abstractmethod
    def multiply_adds_(self) -> int: ...

    @property
    @abstractmethod
    def variables_(self) -> int: ...

    @abstractmethod
    def _fit(self, pixels: Floats, answers: Places) -> None:
        """Learn from `(n, pixels)` and the places of their labels in `classes_`."""

    @abstractmethod
    def _scores(self, pixels: Floats) -> Floats:
        """`(n, pixels)` -> `(n, classes)`."""


def in_parts(function: Callable[[Floats], Floats], pixels: Floats) -> Floats:
    """A function of images, of not too many at a time."""
    starts = range(0, len(pixels), _TOGETHER)
    return np.concatenate([function(pixels[start : start + _TOGETHER]) for start in starts])


def _flat(X: Any) -> Any:
    """Images `(n, side, side)` as `(n, pixels)`; else left as it is."""
    return X.reshape(len(X), -1) if getattr(X, "ndim", 2) == 3 else X


def squares(pixels: Floats) -> Tensor:
    """`(n, features)` -> `(n, side, side)`, filled up with background 0."""
    side = math.isqrt(pixels.shape[1] - 1) + 1
    filled = pad(torch.from_numpy(pixels), (0, side**2 - pixels.shape[1]))
    return filled.view(-1, side, side)


def targets(answers: Places, classes: int) -> Floats:
    """+1 for the class of each image and -1 for the others, `(n, classes)`."""
    coded: Floats = np.where(answers[:, None] == np.arange(classes), 1.0, -1.0)
    return coded


def weighted_sums(inputs: Floats, wanted: Floats, ridge: float) -> Ridge:
    """Sums of inputs and a bias that come nearest to `(n, outputs)`, by least squares.

    The `ridge` keeps the weights small, against n times it for each unit of their squares.
    """
    return Ridge(ridge * len(inputs)).fit(inputs.astype(np.float64), wanted)


def pairs(classes: int) -> list[tuple[int, int]]:
    """Each two classes; one alone is its own pair, so that there is something to learn."""
    return list(combinations(range(classes), 2)) or [(0, 0)]


def totals(outputs: Floats, classes: int) -> Floats:
    """Score of each class: outputs of the units for it minus those of the units against it.

    Shape: `(n, pairs)` -> `(n, classes)`.
    """
    rows = np.array(pairs(classes))
    signs = (rows[:, :1] == np.arange(classes)).astype(outputs.dtype)
    scores: Floats = outputs @ (signs - (rows[:, 1:] == np.arange(classes)))
    return scores


def votes(distances: Floats, answers: Places, neighbours: int, classes: int) -> Floats:
    """Score of each class by the nearest of some images, `(n, m)` their distances and classes.

    The neighbours of the class, and half of (distance of the nearest of all) / (distance of the
    nearest of the class): it decides draws, and tells how sure the answer is. Without any, the
    class counts as being at the greatest distance.
    """
    order = distances.argsort(1, kind="stable")
    distances = np.take_along_axis(distances, order, 1)
    of_class = np.take_along_axis(answers, order, 1)[:, :, None] == np.arange(classes)
    nearest = np.where(of_class, distances[:, :, None], distances[:, -1:, None]).min(1)
    alike = np.divide(distances[:, :1], nearest, out=np.ones_like(nearest), where=nearest > 0)
    scores: Floats = of_class[:, :neighbours].sum(1) + alike / 2
    return scores
