"""The rule of 1998 in compiled kernels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from lenet1998.data.field import check_levels, check_scale
from lenet1998.kernels.packed import PackedNetwork
from lenet1998.learning.curvature import check_curvature
from lenet1998.learning.online import NO_CURVATURE, OnlineTrainer, Seen
from lenet1998.learning.recipe import Recipe
from lenet1998.models.chain import ChainNetwork

__all__ = ["FusedTrainer"]


class FusedTrainer(OnlineTrainer):
    """The same rule in compiled kernels: forward, backward and update in one call.

    Float32 on the CPU. Results equal the reference's but for the rounding of sums.

    Raises:
        TypeError: if the network's parameters are not float32 on the CPU.
    """

    def __init__(self, net: ChainNetwork, recipe: Recipe) -> None:
        super().__init__(net, recipe)
        self._packed = PackedNetwork(net)
        self._curvature: np.ndarray | None = None
        self._means, self._squares, self._taken = self._packed.zeros(), self._packed.zeros(), 0
        self._loss = (np.float32(recipe.penalty_scale), recipe.loss == "map", np.float32(recipe.j))

    def estimate_curvature(self, images: Tensor) -> dict[str, Tensor]:
        if len(images) == 0:
            raise ValueError(
                "the mean curvature of no image is undefined: expected at least one image"
            )
        check_scale(images)
        packed, is_exact = self._packed, self.recipe.output_curvature == "loss"
        packed.pack()
        rows, total = packed.rows(images), packed.zeros()
        seen = packed.programs.curvature(packed.weights, is_exact, *self._loss, rows, total)
        check_levels(images[seen : seen + 1])
        total /= len(images)
        return packed.gather(total)

    def set_curvature(self, diagonal: Mapping[str, Tensor]) -> None:
        check_curvature(dict(self.net.named_parameters()), diagonal)
        self._curvature = self._packed.scatter(diagonal)
        if self.recipe.rule != "sdlm":
            self._curvature[:] = 0
        self._means[:], self._squares[:], self._taken = 0, 0, 0

    def learn(self, images: Tensor, labels: Tensor, order: Tensor, eta: float) -> Seen:
        if self._curvature is None:
            raise RuntimeError(NO_CURVATURE)
        self._check(images, labels, order, eta)
        packed, recipe = self._packed, self.recipe
        packed.pack()
        if packed.is_prepared:  # and no others than those that are seen need to be
            images, labels, order = images[order], labels[order], torch.arange(len(order))
        penalties = np.empty((len(order), packed.plan.output.classes), np.float32)
        energies = np.empty(len(order), np.float32)
        # Padding and absent connections get no step, and so stay 0.
        steps = packed.zeros()
        np.multiply(packed.live, np.float32(eta), steps)
        learn = packed.programs.learn_by_adam
        if recipe.rule != "adam":
            steps /= self._curvature + np.float32(recipe.mu)
            learn = packed.programs.learn
        moments = (self._means, self._squares, self._taken)
        # Contiguous: for another layout Numba would compile all anew.
        indices = (values.cpu().contiguous().numpy() for values in (labels, order))
        patterns = (packed.rows(images), *indices)
        seen = learn(packed.weights, steps, *moments, *self._loss, *patterns, penalties, energies)
        self._taken += seen
        packed.unpack()
        check_levels(images[order[seen : seen + 1]])
        return Seen(torch.from_numpy(penalties), torch.from_numpy(energies))
