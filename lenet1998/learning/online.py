"""Learning one pattern at a time: the readable trainer, and what a pass of any trainer is."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.field import check_labels, check_levels, check_scale, check_whole
from lenet1998.learning import rule
from lenet1998.learning.curvature import (
    OutputCurvature,
    check_curvature,
    check_positive,
    loss_curvature,
)
from lenet1998.learning.learner import Learner, Part
from lenet1998.learning.patterns import Patterns
from lenet1998.learning.recipe import Recipe
from lenet1998.models.chain import ChainNetwork

__all__ = ["OnlineTrainer", "ReferenceTrainer", "Seen"]

NO_CURVATURE = "no curvature yet: call set_curvature(estimate_curvature(images)) before learn"

_CHUNK = 2000  # patterns in a part of a pass, about a tenth of a second


class Seen(NamedTuple):
    """What a trainer saw of each pattern before it updated on it."""

    penalties: Tensor  # (N, classes), on the recipe's penalty scale
    energies: Tensor  # (N,), the loss


class OnlineTrainer(ABC):
    """Stochastic diagonal Levenberg-Marquardt on single patterns (section III.B, appendix C).

    With the recipe's rule `"sgd"` every h counts as 0, whatever `set_curvature` is given, so that
    the step is eta / mu everywhere. With `"adam"` h plays no part either; there `set_curvature`,
    which begins a pass, also lets the moments begin anew, so that a run that is resumed after any
    pass goes on as it would have.

    Args:
        net: learns in place.
        recipe: says which loss, rule, penalty scale, output curvature and mu; the schedule and the
            passes are the caller's.
    """

    def __init__(self, net: ChainNetwork, recipe: Recipe) -> None:
        self.net = net
        self.recipe = recipe

    @abstractmethod
    def estimate_curvature(self, images: Tensor) -> dict[str, Tensor]:
        """h of each trainable parameter, the mean over `(N, 1, 32, 32)` float32 (eqs. 23 to 27).

        Raises:
            ValueError: for no image, another shape, NaN, or levels that are not the paper's.
        """

    @abstractmethod
    def set_curvature(self, diagonal: Mapping[str, Tensor]) -> None:
        """Take h for the updates to come, at the start of a pass; only the rule `"sdlm"` uses it.

        Raises:
            ValueError: if a parameter is missing, has another shape, or a value that is negative
                or not finite.
        """

    @abstractmethod
    def learn(self, images: Tensor, labels: Tensor, order: Tensor, eta: float) -> Seen:
        """One update for each index in `order`, in that order.

        Args:
            images, labels: `(P, 1, 32, 32)` float32 and `(P,)` int64, the training set.
            order: `(N,)` int64, indices into it.
            eta: the global rate, > 0.

        Returns:
            Penalties and loss of each pattern just before its update.

        Raises:
            RuntimeError: before the first `set_curvature`.
            ValueError: for another shape, NaN, or levels that are not the paper's: the updates
                before the pattern in question stand. For labels or an order of another number, kind
                or range, or another eta, before any update.
        """

    def _check(self, images: Tensor, labels: Tensor, order: Tensor, eta: float) -> None:
        """What the updates are to go through; the images are looked at in their turn."""
        check_positive(eta=eta)
        check_labels(labels, images, len(self.net.output.centres))
        check_whole(order, len(images), "indices of the order")


class ReferenceTrainer(OnlineTrainer):
    """The rule in plain PyTorch, as `learning.rule` has it."""

    def __init__(self, net: ChainNetwork, recipe: Recipe) -> None:
        super().__init__(net, recipe)
        self._curvature: Mapping[str, Tensor] | None = None
        self._adam: torch.optim.Adam | None = None

    def estimate_curvature(self, images: Tensor) -> dict[str, Tensor]:
        check_levels(images)
        check_scale(images)
        recipe, centres = self.recipe, self.net.output.centres
        entering: OutputCurvature = 2 * recipe.penalty_scale
        if recipe.output_curvature == "loss":
            scale, j = recipe.penalty_scale, recipe.j
            entering = loss_curvature(centres, loss=recipe.loss, penalty_scale=scale, j=j)
        return rule.gauss_newton_diagonal(self.net, images, entering)

    def set_curvature(self, diagonal: Mapping[str, Tensor]) -> None:
        check_curvature(dict(self.net.named_parameters()), diagonal)
        is_sdlm = self.recipe.rule == "sdlm"
        self._curvature = {
            name: h.clone() if is_sdlm else torch.zeros_like(h) for name, h in diagonal.items()
        }
        if self.recipe.rule == "adam":
            self._adam = torch.optim.Adam(self.net.parameters())

    def learn(self, images: Tensor, labels: Tensor, order: Tensor, eta: float) -> Seen:
        if self._curvature is None:
            raise RuntimeError(NO_CURVATURE)
        self._check(images, labels, order, eta)
        penalties = [images.new_zeros(0, len(self.net.output.centres))]
        energies = [images.new_zeros(0)]
        update = partial(self._update, eta, self._curvature)
        for pattern in order.split(1):
            check_levels(images[pattern])
            for seen, energy in rule.learn(self.net, images, labels, pattern, self.recipe, update):
                penalties.append(seen)
                energies.append(energy[None])
        return Seen(torch.cat(penalties), torch.cat(energies))

    def _update(self, eta: float, h: Mapping[str, Tensor], gradient: Mapping[str, Tensor]) -> None:
        for name, parameter in self.net.named_parameters():
            if self._adam is None:
                rule.step(parameter, gradient[name], h[name], eta, self.recipe.mu)
            else:
                parameter.grad = gradient[name]
        if self._adam is not None:
            self._adam.param_groups[0]["lr"] = eta
            self._adam.step()


class OnlineLearner(Learner):
    """A network that learns by the rule of 1998, pass by pass (section III.B)."""

    def __init__(self, trainer: OnlineTrainer, dataset: Dataset) -> None:
        self._trainer = trainer
        self._patterns = Patterns(trainer.recipe, dataset)
        self.patterns = len(self._patterns)

    def eta(self, number: int) -> float:
        return self._trainer.recipe.eta(number)

    def learn(self, number: int) -> Iterator[Part]:
        trainer, recipe = self._trainer, self._trainer.recipe
        images, labels, order = self._patterns.of_pass(number)
        few = images[self._patterns.sample(order, number)]
        h = trainer.estimate_curvature(few)
        if not all(values.isfinite().all() for values in h.values()):
            raise FloatingPointError("the second derivatives are no longer finite")
        trainer.set_curvature(h)
        for chunk in order.split(_CHUNK):
            started = time.perf_counter()
            seen = trainer.learn(images, labels, chunk, recipe.eta(number))
            seconds = time.perf_counter() - started
            errors = int((seen.penalties.argmin(1) != labels[chunk]).sum())
            yield Part(len(chunk), errors, seen.energies.double().sum().item(), seconds)
