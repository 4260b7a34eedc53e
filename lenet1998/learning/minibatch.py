"""Learning as it is done today: mini-batches, Adam and the cross-entropy of scores."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, OneCycleLR

from lenet1998.data import Dataset
from lenet1998.data.distortions import distort
from lenet1998.learning.learner import Learner, Part, moments, set_moments
from lenet1998.learning.recipe import MinibatchRecipe
from lenet1998.models.network import Network

__all__ = ["MinibatchLearner"]

_BATCHES = 50  # in a part of a pass


class MinibatchLearner(Learner):
    """A network that learns by mini-batches, from the parameters it has.

    The images stay in memory as one tensor and a batch is one indexing of it: for a network this
    small, loading and transforming images one by one takes about as long as learning from them.

    The same start, data and recipe give the same bits on the same machine with the same number of
    threads. PyTorch's global generator is not used.

    Args:
        net: learns in place. It may be on any device and of any type, and is left in evaluation
            mode after each pass.
        recipe: every choice.
        dataset: what it learns from.
    """

    def __init__(self, net: Network, recipe: MinibatchRecipe, dataset: Dataset) -> None:
        self._net, self._recipe = net, recipe
        self._images, self._labels = dataset.training_images, dataset.training_labels
        self.patterns = len(self._labels)
        self._generator = torch.Generator().manual_seed(recipe.seed)
        self._steps = recipe.passes * -(-self.patterns // recipe.batch_size)
        self._optimiser = _optimiser(net, recipe)
        self._schedule = _schedule(self._optimiser, recipe, self._steps)

    def eta(self, number: int) -> float:
        return float(self._schedule.get_last_lr()[0])

    def learn(self, number: int) -> Iterator[Part]:
        order = torch.randperm(self.patterns, generator=self._generator)
        for part in order.split(_BATCHES * self._recipe.batch_size):
            self._net.train()
            started = time.perf_counter()
            loss, errors = self._learn(part)
            yield Part(len(part), int(errors), loss.item(), time.perf_counter() - started)
        self._net.eval()

    def _learn(self, patterns: Tensor) -> tuple[Tensor, Tensor]:
        """Update on some patterns: the sum of their losses, and how many were misread."""
        net, parameter = self._net, next(self._net.parameters())
        losses = torch.zeros((), device=parameter.device)
        errors = torch.zeros((), dtype=torch.int64, device=parameter.device)
        for batch in patterns.split(self._recipe.batch_size):
            # Channels last: on a CPU max pooling is vectorised over the maps, if they lie together.
            seen = self._augmented(self._images[batch]).to(
                parameter, copy=True, memory_format=torch.channels_last
            )
            right = self._labels[batch].to(parameter.device)
            scores = net.scores(seen)
            loss = F.cross_entropy(scores, right, label_smoothing=self._recipe.label_smoothing)
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            self._schedule.step()
            losses += len(batch) * loss.detach()
            errors += (scores.argmax(1) != right).sum()
        return losses, errors

    def _augmented(self, images: Tensor) -> Tensor:
        recipe = self._recipe
        if recipe.flips:
            mirrored = torch.rand(len(images), generator=self._generator) < 0.5
            images[mirrored] = images[mirrored].flip(3)
        if recipe.distortions is not None:
            drawn = recipe.distortions.draw(len(images), self._generator)
            images = distort(images, drawn, recipe.distortions.interpolation)
        return images

    def state(self) -> Mapping[str, Tensor]:
        taken = self._schedule.last_epoch
        if taken == self._steps:
            return {}
        rate = torch.tensor(self._schedule.get_last_lr(), dtype=torch.float64)
        steps, generator = torch.tensor(taken), self._generator.get_state()
        return {"generator": generator, "steps": steps, "rate": rate, **moments(self._optimiser)}

    def resume(self, state: Mapping[str, Tensor]) -> None:
        self._generator.set_state(state["generator"])
        taken, (rate,) = int(state["steps"]), state["rate"].tolist()
        set_moments(self._optimiser, state, rate)
        step = {"last_epoch": taken, "_step_count": taken + 1, "_last_lr": [rate]}
        self._schedule.load_state_dict(self._schedule.state_dict() | step)


def _optimiser(net: Network, recipe: MinibatchRecipe) -> Optimizer:
    # Fused: one call for all parameters of the network, not several for each of them.
    how: dict[str, Any] = {"lr": recipe.rate, "weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(net.parameters(), momentum=0.9, **how)
    return torch.optim.AdamW(net.parameters(), **how)


def _schedule(optimiser: Optimizer, recipe: MinibatchRecipe, steps: int) -> LRScheduler:
    if recipe.schedule == "cosine":
        return CosineAnnealingLR(optimiser, steps)
    if recipe.schedule == "one-cycle":
        return OneCycleLR(optimiser, recipe.rate, total_steps=steps, cycle_momentum=False)
    return ConstantLR(optimiser, factor=1.0)
