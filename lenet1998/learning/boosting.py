"""Boosting (section III.C): each network learns patterns that those before it find hard.

The first learns the usual way. The second learns from as many patterns that the first misreads as
ones that it reads right, and the third from those that the first two read differently. There are
not enough of them in the training set, the paper says, as LeNet-4 errs so seldom: distorted digits
are drawn without end until there are as many as it holds (Drucker, Schapire and Simard, "Boosting
performance in neural networks", 1993).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.distortions import distort
from lenet1998.learning.learner import Learner, Part
from lenet1998.learning.online import OnlineLearner, OnlineTrainer
from lenet1998.learning.patterns import FILTERED, MEMBER, generator
from lenet1998.learning.recipe import BoostedRecipe, Recipe, initialise
from lenet1998.measures.answers import scores
from lenet1998.models.boosted import BoostedLeNet4
from lenet1998.models.chain import ChainNetwork

__all__ = ["BoostedLearner"]

_AT_ONCE = 10_000  # distorted patterns that are drawn, and read
_MOST = 300  # times the training set that is drawn at most: networks that never err end it


class BoostedLearner(Learner):
    """Three networks that learn one after the other.

    Args:
        net: learns in place.
        recipe: of each; its `passes` say when the next begins.
        dataset: the training set.
        trainer: makes what trains a network by a recipe.
    """

    def __init__(
        self,
        net: BoostedLeNet4,
        recipe: BoostedRecipe,
        dataset: Dataset,
        trainer: Callable[[ChainNetwork, Recipe], OnlineTrainer],
    ) -> None:
        self._networks, self._recipe, self._dataset = net.networks, recipe, dataset
        self._trainer = trainer
        self._learning: tuple[int, OnlineLearner] | None = None
        self.patterns = len(self._networks) * len(dataset.training_labels)

    def eta(self, number: int) -> float:
        return self._recipe.eta(next(self._steps(number))[1])

    def learn(self, number: int) -> Iterator[Part]:
        for member, of_member in self._steps(number):
            yield from self._learner(member, begins=of_member == 1).learn(of_member)

    def _steps(self, number: int) -> Iterator[tuple[int, int]]:
        """Whose passes, and which of theirs, a pass of all is made of."""
        count = len(self._networks)
        for step in range(count * (number - 1), count * number):
            member, passed = divmod(step, self._recipe.passes)
            yield member, passed + 1

    def _learner(self, member: int, *, begins: bool) -> OnlineLearner:
        if self._learning is None or self._learning[0] != member:
            recipe, net = self._of(member), self._networks[member]
            if begins:
                initialise(net, recipe)
            learner = OnlineLearner(self._trainer(net, recipe), self._patterns(member))
            self._learning = member, learner
        return self._learning[1]

    def _of(self, member: int) -> Recipe:
        """The recipe of one network; the first is the LeNet-4 of the same seed."""
        seed = self._recipe.seed
        if member:
            seed = int(generator(seed, MEMBER, member).integers(2**62))
        return replace(self._recipe, seed=seed)

    def _patterns(self, member: int) -> Dataset:
        """What a network learns from.

        Raises:
            ValueError: if none is hard for those before it.
        """
        dataset, wanted = self._dataset, len(self._dataset.training_labels)
        if member == 0:
            return dataset
        before = self._networks[:member]
        # As many of either kind; of the third network's patterns there is one kind.
        kinds: list[list[tuple[Tensor, Tensor]]] = [[], []] if member == 1 else [[]]
        of_each = wanted // len(kinds)
        held = [0] * len(kinds)
        for number in range(_MOST * wanted // _AT_ONCE + 1):
            images, labels = self._drawn(member, number)
            answers = [scores(net, images).argmax(1) for net in before]
            wrong = answers[0] != labels
            chosen = (wrong, ~wrong) if member == 1 else (answers[0] != answers[1],)
            for kind, which in enumerate(chosen):
                which = which.nonzero().squeeze(1)[: of_each - held[kind]]
                kinds[kind].append((images[which], labels[which]))
                held[kind] += len(which)
            if min(held) == of_each:
                break
        fewest = min(held)
        if fewest == 0:
            raise ValueError(
                f"the networks before number {member + 1} err on no distorted pattern of "
                f"{dataset.name}: there is nothing for it to learn; give them fewer passes"
            )
        parts = [[torch.cat(of)[:fewest] for of in zip(*kind, strict=True)] for kind in kinds]
        images, labels = (torch.cat(of) for of in zip(*parts, strict=True))
        return replace(
            dataset, training_images=images, training_labels=labels, training_writers=None
        )

    def _drawn(self, member: int, number: int) -> tuple[Tensor, Tensor]:
        """The next distorted patterns of the endless stream that a network's are taken from."""
        random = generator(self._recipe.seed, FILTERED, len(self._networks) * number + member)
        labels = self._dataset.training_labels
        source = torch.from_numpy(random.integers(len(labels), size=_AT_ONCE))
        distortions = self._recipe.distortions
        drawn = distortions.draw(_AT_ONCE, int(random.integers(2**62)))
        images = distort(self._dataset.training_images[source], drawn, distortions.interpolation)
        return images, labels[source]
