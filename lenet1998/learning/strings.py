"""Learning from whole strings, without being told where their digits are (sections VI and VII.C).

The outputs of a space-displacement network along a field, and the rule that says which of their
labellings spell a string (`reading.decoder` has it in general), make a graph with the penalty of
each path. What is learnt is the discriminative forward criterion (section VI.F): the penalty of all
paths that spell the right string together, less that of all paths whatsoever. As every labelling is
a path of the second kind, that is the connectionist criterion of PyTorch, on the posteriors of
eq. 9.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.strings import BLANK, Strings, StringsOf
from lenet1998.learning.learner import Learner, Part, moments, set_moments
from lenet1998.learning.patterns import generator
from lenet1998.learning.recipe import StringRecipe
from lenet1998.models.classic import LeNet5Classic

__all__ = ["StringLearner", "forward_loss", "log_posteriors", "spelt"]

_RISING = 0.1  # of the steps, in which the rate rises


def log_posteriors(net: LeNet5Classic, penalties: Tensor) -> Tensor:
    """Of each output along a field: log probability of each class, with the gap as the last one.

    A gap is what the blank and the rubbish class take together: pieces of two digits are neither a
    digit nor a blank.

    Args:
        net: whose last class is the blank.
        penalties: `(N, classes, 1, outputs)`, as `penalty_map` gives them.

    Returns:
        `(N, outputs, classes)`.

    Raises:
        ValueError: for a network without a blank.
    """
    if not net.characters.endswith(BLANK):
        raise ValueError(f"expected a network whose last class is a blank, got {net.characters!r}")
    scores = net.to_scores(penalties[:, :, 0]).transpose(1, 2)
    gap = torch.logaddexp(scores[..., -1:], scores.new_tensor(net.rubbish))
    return torch.cat([scores[..., :-1], gap], -1).log_softmax(-1)


def forward_loss(log_posteriors: Tensor, labels: Tensor) -> Tensor:
    """The discriminative forward criterion of each string, over the number of its digits.

    Shape: `(N, outputs, classes)` and `(N, n)` -> `(N,)`; 0 of a string that has no path, as where
    there are fewer outputs than digits.
    """
    count, outputs, classes = log_posteriors.shape
    lengths = labels.new_full((count,), labels.shape[1])
    losses = F.ctc_loss(
        log_posteriors.transpose(0, 1),
        labels,
        torch.full_like(lengths, outputs),
        lengths,
        blank=classes - 1,
        reduction="none",
        zero_infinity=True,
    )
    return losses / labels.shape[1]


def spelt(log_posteriors: Tensor) -> list[list[int]]:
    """What the best path spells, without a grammar: the best class of each output, repeats merged.

    Shape: `(N, outputs, classes)` -> N lists of classes.
    """
    gap = log_posteriors.shape[-1] - 1
    return [
        [int(label) for label in best.unique_consecutive() if label != gap]
        for best in log_posteriors.argmax(-1)
    ]


class StringLearner(Learner):
    """A network that learns from strings made of a data set's digits, always new ones.

    The same start, data and recipe give the same bits on the same machine with the same number of
    threads.

    Args:
        net: learns in place.
        recipe: every choice.
        dataset: whose training digits the strings are made of.
    """

    def __init__(self, net: LeNet5Classic, recipe: StringRecipe, dataset: Dataset) -> None:
        self._net, self._recipe, self._dataset = net, recipe, dataset
        self._batches = -(-recipe.strings // recipe.batch_size)
        self.patterns = self._batches * recipe.batch_size
        self._optimiser = torch.optim.Adam(net.parameters())
        self._taken = 0  # steps, those of earlier passes included

    def eta(self, number: int) -> float:
        return self._rate((number - 1) * self._batches)

    def _rate(self, step: int) -> float:
        """Of a step, counted from 0: up in a straight line, then down along a cosine."""
        share = step / (self._recipe.passes * self._batches)
        up, down = share / _RISING, (share - _RISING) / (1 - _RISING)
        return self._recipe.rate * min(up, (1 + math.cos(math.pi * max(down, 0))) / 2)

    def learn(self, number: int) -> Iterator[Part]:
        random = generator(self._recipe.seed, 0, number)
        first = (number - 1) * self._batches
        for step in range(first, first + self._batches):
            strings = self._draw(random)
            started = time.perf_counter()
            self._optimiser.param_groups[0]["lr"] = self._rate(step)
            penalties = self._net.penalty_map(strings.fields, self._recipe.every)
            outputs = log_posteriors(self._net, penalties)
            losses = forward_loss(outputs, strings.labels)
            self._optimiser.zero_grad()
            losses.mean().backward()
            self._optimiser.step()
            self._taken = step + 1
            read = zip(spelt(outputs.detach()), strings.labels.tolist(), strict=True)
            errors = sum(answer != right for answer, right in read)
            seconds = time.perf_counter() - started
            yield Part(len(losses), errors, losses.detach().double().sum().item(), seconds)

    def _draw(self, random: Any) -> Strings:
        """The strings of a batch: all as long, and with noise or a line through all or none."""
        recipe, digits = self._recipe, self._dataset
        length, seed = random.integers(*recipe.digits, endpoint=True), random.integers(2**62)
        noisy, lined, by_one = random.random(3) < (*(recipe.disturbed,) * 2, 0.5)
        of = StringsOf(
            int(length),
            recipe.gaps,
            one_writer=bool(by_one) and digits.training_writers is not None,
            distortions=recipe.distortions,
            slant=recipe.slant,
            noise=0.1 if noisy else 0.0,
            lines=int(lined),
        )
        images, labels = digits.training_images, digits.training_labels
        return of.draw(recipe.batch_size, int(seed), images, labels, digits.training_writers)

    def state(self) -> Mapping[str, Tensor]:
        is_over = self._taken == self._recipe.passes * self._batches
        return {} if is_over else moments(self._optimiser)

    def resume(self, state: Mapping[str, Tensor]) -> None:
        set_moments(self._optimiser, state, self._recipe.rate)
