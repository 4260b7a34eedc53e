"""LeNet-5 as a scikit-learn classifier."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from numbers import Integral
from string import ascii_letters
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from torch.nn.functional import interpolate, pad

from lenet1998.codes import CHARACTERS, DIGITS
from lenet1998.data import Dataset
from lenet1998.data.field import BACKGROUND, FIELD, IMAGE, INK, PADDING
from lenet1998.kernels.packed import FusedReader
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.answers import probabilities
from lenet1998.models.chain import ChainNetwork
from lenet1998.runs.run import train

__all__ = ["LeNet5Classifier"]

Array = npt.NDArray[Any]

_MANY = 10  # images that are not faint all of them, if their scale is right
_PICTURE = 64  # features at least of what is taken for an image, as UCI's digits have

_SIGNS = "".join(char for char in CHARACTERS[:-1] if char not in DIGITS + ascii_letters)
_IN_TURN = DIGITS + ascii_letters + _SIGNS
"""Every character of Fig. 3 with a code of its own: the last is as blank as the first."""


class LeNet5Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """LeNet-5 with the learning rule of 1998, for scikit-learn.

    X is `(n, pixels)`, `(n, side, side)` or `(n, 1, side, side)`, any real numbers. In `fit` the
    level that most of the edge's pixels share, else the smallest value, is taken for background
    (level -0.1), and the value farthest from it for full ink (1.175), so 0..255, 0..1, 0..16 and
    dark ink on light paper all do, as long as `predict` gets the same scale: single values beyond
    those of `fit`, as behind a `MinMaxScaler`, are clipped, another scale is refused. Images of
    28x28 are padded to 32x32 as MNIST's are, 32x32 ones are taken as they are, and squares of
    another side are resized to 28x28. A number of features that is no square is laid out row by row
    on the next larger one, the rest background, with a warning: a convolution makes little sense of
    it.

    y holds up to 95 classes. Where all are digits, as integers or text, or all are single printable
    characters, as text, each has its own code of Fig. 3; else the first in sorted order has the
    code of 0, the second that of 1, and so on: after the digits' come those of the small letters,
    the capitals and the signs.

    The eta schedule is by passes: a few hundred images take fewer steps than the paper's 60,000 and
    may ask for more passes with a schedule of their own (`Recipe(schedule=((1, 5e-4),))`).

    Args:
        recipe: the name of a preset, or a `Recipe`; its seed gives way to `random_state`, and its
            characters to the classes of y.
        passes: over X.
        random_state: of weights, order and curvature estimates. An integer is the recipe's seed: on
            X and y of MNIST the network is `learning.train`'s.
        engine: `"fused"` (compiled) or `"torch"` (the reference, some 40 times slower).

    Attributes:
        classes_: the labels, sorted.
        characters_: whose codes in Fig. 3 stand for them.
        n_features_in_: pixels of an image.
        range_: smallest and largest value of X in `fit`.
        background_, ink_: the values there of background and full ink.
        recipe_: what it was trained with, seed included.
        net_: the trained `LeNet5Classic`.
    """

    def __init__(
        self,
        recipe: str | Recipe = "paper",
        passes: int = 20,
        random_state: int | np.random.RandomState | None = None,
        engine: str = "fused",
    ) -> None:
        self.recipe = recipe
        self.passes = passes
        self.random_state = random_state
        self.engine = engine

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Train a new network.

        Raises:
            ValueError: for X or y that scikit-learn refuses (NaN, other lengths, continuous y),
                images that are not square, more than 95 classes, or a bad parameter.
        """
        pixels, y = validate_data(self, _flat(X), y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self.characters_ = _characters(self.classes_)
        features, side = self.n_features_in_, _side(self.n_features_in_)
        if side**2 != features:
            warnings.warn(
                f"{features} features are no square image: they are laid out row by row on "
                f"{side}x{side}, the rest background. Is one of them no pixel?",
                stacklevel=2,
            )
        self.range_ = low, high = float(pixels.min()), float(pixels.max())
        level = _edge_level(pixels, high - low)
        self.background_ = low if level is None else level
        self.ink_ = max(high, low, key=lambda value: abs(value - self.background_))
        recipe = preset(self.recipe) if isinstance(self.recipe, str) else self.recipe
        seed = self.random_state
        if not isinstance(seed, Integral):
            seed = check_random_state(seed).randint(2**31)
        are_digits = set(self.characters_) <= set(DIGITS)
        among = DIGITS if are_digits else self.characters_
        chosen = None if are_digits else among
        self.recipe_ = replace(recipe, seed=int(seed), characters=chosen)
        images, codes = self._images(pixels), self._codes(among)[torch.from_numpy(labels)]
        dataset = Dataset("X", images, codes, images[:0], codes[:0], classes=len(among))
        self.net_ = train(self.recipe_, dataset, passes=self.passes, engine=self.engine).net
        return self

    def predict(self, X: npt.ArrayLike) -> Array:
        """The class with the smallest penalty for each image, `(n,)`.

        Raises:
            NotFittedError: before `fit`.
            ValueError: for X that scikit-learn refuses, or on another scale than in `fit`.
        """
        winners = self._scores(X).argmax(1)  # refuses before `fit`, when there are no classes
        answers: Array = self.classes_[winners.numpy()]
        return answers

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Probability of each class, `(n, classes)` in the order of `classes_`; rows sum to 1.

        Eq. 9's posterior, on the recipe's penalty scale, shared out again among the classes of
        `fit` alone: without the rubbish class, which scikit-learn has no column for. So an image
        that looks like none of them does not get small probabilities throughout.

        Raises: as `predict`.
        """
        of_classes: Array = probabilities(self._scores(X).double())[:, :-1].numpy()
        return of_classes

    def _images(self, pixels: npt.NDArray[np.float32]) -> Tensor:
        """`(n, features)` on the scale of `fit` -> `(n, 1, 32, 32)` float32."""
        side = _side(pixels.shape[1])
        missing = side**2 - pixels.shape[1]
        squares = pad(torch.from_numpy(pixels), (0, missing), value=self.background_)
        # As in to_network_input, (value - 20) / 200 for 0..255: the same bits.
        unit = ((self.ink_ - self.background_) or 1.0) / (INK - BACKGROUND)
        levels = (squares.view(-1, 1, side, side) - (self.background_ - BACKGROUND * unit)) / unit
        if side not in (IMAGE, FIELD):
            levels = interpolate(levels, (IMAGE, IMAGE), mode="bilinear", antialias=True)
        if side != FIELD:
            levels = pad(levels, (PADDING,) * 4, value=BACKGROUND)
        return levels

    def _scores(self, X: npt.ArrayLike) -> Tensor:
        check_is_fitted(self)
        pixels = validate_data(self, _flat(X), dtype=np.float32, reset=False)
        self._check_scale(pixels)
        assert isinstance(self.net_, ChainNetwork)  # a Recipe trains no other
        of_all = FusedReader(self.net_).scores(self._images(pixels.clip(*self.range_)))
        return of_all[:, self._codes(self.recipe_.characters or DIGITS)]

    def _check_scale(self, pixels: npt.NDArray[np.float32]) -> None:
        """Refuse X on another scale than in `fit`, as far as its images can tell.

        Where 2 % of its values are beyond twice the ink, where all its images are faint (one that
        is faint proves less than ten, and a blank one nothing), or their edges are of another level
        than the background.
        """
        extent = (self.ink_ - self.background_) or 1.0
        ink = (pixels - self.background_) / extent  # 0 background, 1 full ink
        darkest, level = ink.max(), _edge_level(ink, 1.0)
        if (
            np.mean((ink > 2) | (ink < -1)) > 0.02
            or 0 < darkest < (0.1 if len(ink) >= _MANY else 0.01)
            or (level is not None and abs(level) > 0.25 and pixels.shape[1] >= _PICTURE)
        ):
            (low, high), found = self.range_, f"{pixels.min():g} to {pixels.max():g}"
            if level is not None:
                found += f", edge {level * extent + self.background_:g}"
            raise ValueError(
                f"X is on another scale than in fit: it runs from {found}; in fit it ran "
                f"from {low:g} to {high:g}, background {self.background_:g}: scale both alike"
            )

    def _codes(self, among: str) -> Tensor:
        """Which output of a network for these characters stands for each class, `(classes,)`."""
        return torch.tensor([among.index(character) for character in self.characters_])


def _flat(X: Any) -> Any:
    """Images `(n, side, side)` or `(n, 1, side, side)` as `(n, pixels)`; else left as it is."""
    if getattr(X, "ndim", 2) < 3:
        return X
    count, *channels, height, width = X.shape
    if height != width or channels not in ([], [1]):
        expected = "square images (n, side, side) or (n, 1, side, side)"
        raise ValueError(f"expected {expected}, got {tuple(X.shape)}")
    return X.reshape(count, height * width)


def _edge_level(pixels: npt.NDArray[np.float32], extent: float) -> float | None:
    """The level that three fifths of the outermost pixels share, to 5 % of an extent, if any do."""
    side = _side(pixels.shape[1])
    if side**2 != pixels.shape[1]:
        return None
    images = pixels.reshape(-1, side, side)
    edges = images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]
    edge = np.concatenate([pixels.ravel() for pixels in edges])
    level = float(np.median(edge))
    return level if np.mean(np.abs(edge - level) <= 0.05 * extent) >= 0.6 else None


def _side(features: int) -> int:
    """Of the smallest square with room for so many features."""
    return math.isqrt(features - 1) + 1


def _characters(classes: Array) -> str:
    """The character of Fig. 3 whose code stands for each class."""
    if len(classes) > len(_IN_TURN):
        raise ValueError(f"expected at most {len(_IN_TURN)} classes, got {len(classes)}")
    names = [str(label) for label in classes]
    own = _IN_TURN if all(isinstance(label, str) for label in classes) else DIGITS
    if set(names) <= set(own):
        return "".join(names)
    return _IN_TURN[: len(classes)]
