"""The patterns of each pass, in their order (sections III.B and III.E)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.distortions import distort
from lenet1998.data.disturbances import with_noise
from lenet1998.data.strings import BLANK, flanked
from lenet1998.learning.recipe import Recipe

ORDER, SAMPLE, DISTORTION, NOISE, PART, FLANKS = range(6)
MEMBER, FILTERED = 5, 6  # of boosted recipes, which flank nothing
"""What random numbers are drawn for."""


def generator(seed: int, purpose: int, number: int = 0) -> np.random.Generator:
    """One for each purpose and pass, so that a resumed run needs no generator's state."""
    return np.random.default_rng((seed, purpose, number))


class Patterns:
    """The patterns of each pass, in order: the originals, and distorted copies where asked for.

    One order runs over originals and copies together, and each pass takes the next part of it, as
    long as the training set. So with nine copies each pattern is seen twice in 20 passes.

    Whatever is drawn for a pattern, distortion, neighbours, noise, comes in this order.
    """

    def __init__(self, recipe: Recipe, dataset: Dataset) -> None:
        self._recipe = recipe
        self._images = dataset.training_images
        self._labels = dataset.training_labels
        if (few := recipe.training_patterns) is not None:
            held = len(self._labels)
            if few > held:
                raise ValueError(
                    f"the recipe learns from {few} patterns, but the training set of "
                    f"{dataset.name} has {held}"
                )
            chosen = generator(recipe.seed, PART).permutation(held)[:few]
            self._images, self._labels = self._images[chosen], self._labels[chosen]
        self._parts = 1 + recipe.distorted_copies
        if not recipe.fresh:
            self._distortions = self._drawn(recipe.distorted_copies * len(self._labels))

    def __len__(self) -> int:
        return len(self._labels)

    def _drawn(self, count: int, number: int = 0) -> Tensor:
        return self._recipe.distortions.draw(count, self._seed(DISTORTION, number))

    def _seed(self, purpose: int, number: int) -> int:
        return int(generator(self._recipe.seed, purpose, number).integers(2**62))

    def of_pass(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Images, labels, and the order in which this pass goes through them."""
        originals = len(self._labels)
        sweep, part = divmod(number - 1, self._parts)
        shuffle = sweep if self._recipe.order == "reshuffled" else 0
        order = generator(self._recipe.seed, ORDER, shuffle).permutation(self._parts * originals)
        chosen = torch.from_numpy(order[part * originals : (part + 1) * originals])
        recipe = self._recipe
        if self._parts == 1 and not (recipe.flanked or recipe.inverted_pixels):
            return self._images, self._labels, chosen
        source = chosen % originals
        images, labels = self._images[source], self._labels[source]
        distorted = (chosen >= originals).nonzero().squeeze(1)
        if len(distorted):
            if recipe.fresh:
                distortions = self._drawn(len(distorted), number)
            else:
                distortions = self._distortions[chosen[distorted] - originals]
            interpolation = recipe.distortions.interpolation
            images[distorted] = distort(images[distorted], distortions, interpolation)
        if recipe.flanked:
            assert recipe.characters is not None
            blank = recipe.characters.index(BLANK)
            images, labels = flanked(images, labels, self._seed(FLANKS, number), blank)
        if recipe.inverted_pixels:
            images = with_noise(images, recipe.inverted_pixels, self._seed(NOISE, number))
        return images, labels, torch.arange(originals)

    def sample(self, order: Tensor, number: int) -> Tensor:
        """Of a pass's order, what the estimate of the curvature before it takes."""
        shuffled = generator(self._recipe.seed, SAMPLE, number).permutation(len(order))
        return order[shuffled[: self._recipe.curvature_patterns]]
