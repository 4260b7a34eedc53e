"""Learning one pattern at a time: the readable trainer and the fused one, with the same results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lenet1998.learning.curvature import OutputCurvature, gauss_newton_diagonal, loss_curvature
from lenet1998.learning.recipe import Recipe
from lenet1998.learning.sdlm import StochasticDiagonalLM
from lenet1998.losses import map_loss, mle_loss
from lenet1998.models.base import ClassicNetwork
from lenet1998.models.checks import check_levels

_BATCH = 500  # images at once, so that the maps of a batch stay small


class Seen(NamedTuple):
    """What a trainer saw of each pattern before it updated on it."""

    penalties: Tensor
    """`(N, classes)`, on the recipe's penalty scale."""
    energies: Tensor
    """`(N,)`, the loss."""

    def errors(self, labels: Tensor) -> int:
        """How many of the patterns the network misread when it saw them."""
        return int((self.penalties.argmin(1) != labels).sum())


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

    def __init__(self, net: ClassicNetwork, recipe: Recipe) -> None:
        self.net = net
        self.recipe = recipe

    @abstractmethod
    def estimate_curvature(self, images: Tensor) -> dict[str, Tensor]:
        """h of each trainable parameter, the mean over the images (eqs. 23 to 27).

        Args:
            images: `(N, 1, 32, 32)` float32, N >= 1.

        Raises:
            ValueError: for no image, another shape, NaN, or levels that are not the paper's.
        """

    @abstractmethod
    def set_curvature(self, diagonal: Mapping[str, Tensor]) -> None:
        """Take h for the updates to come, at the start of a pass; only the rule `"sdlm"` uses it.

        Raises:
            ValueError: if a parameter is missing or has another shape.
        """

    @abstractmethod
    def learn(self, images: Tensor, labels: Tensor, order: Tensor, eta: float) -> Seen:
        """One update for each index in `order`, in that order.

        Args:
            images: `(P, 1, 32, 32)` float32, the training set.
            labels: `(P,)` int64.
            order: `(N,)` int64, indices into the training set.
            eta: the global rate.

        Returns:
            Penalties and loss of each pattern just before its update.

        Raises:
            RuntimeError: before the first `set_curvature`.
            ValueError: for another shape, NaN, or levels that are not the paper's. The updates
                before the pattern in question stand.
        """

    @abstractmethod
    def read(self, images: Tensor) -> Tensor:
        """Penalties of images, nothing learnt.

        Args:
            images: `(N, 1, 32, 32)` float32.

        Returns:
            `(N, classes)`, squared distances.

        Raises:
            ValueError: for another shape, NaN, or levels that are not the paper's.
        """


class ReferenceTrainer(OnlineTrainer):
    """The rule in plain PyTorch: autograd, and `StochasticDiagonalLM`."""

    def __init__(self, net: ClassicNetwork, recipe: Recipe) -> None:
        super().__init__(net, recipe)
        self._sdlm = StochasticDiagonalLM(net, eta=1.0, mu=recipe.mu)
        self._optimizer: torch.optim.Optimizer = self._sdlm

    def _output_curvature(self) -> OutputCurvature:
        recipe = self.recipe
        if recipe.output_curvature == "constant":
            return 2 * recipe.penalty_scale
        return loss_curvature(
            self.net.output.centres,
            loss=recipe.loss,
            penalty_scale=recipe.penalty_scale,
            j=recipe.j,
        )

    def estimate_curvature(self, images: Tensor) -> dict[str, Tensor]:
        check_levels(images)
        return gauss_newton_diagonal(self.net, images, self._output_curvature())

    def set_curvature(self, diagonal: Mapping[str, Tensor]) -> None:
        if self.recipe.rule != "sdlm":
            diagonal = {name: torch.zeros_like(h) for name, h in diagonal.items()}
        self._sdlm.set_curvature(diagonal)
        if self.recipe.rule == "adam":
            self._optimizer = torch.optim.Adam(self.net.parameters())

    def learn(self, images: Tensor, labels: Tensor, order: Tensor, eta: float) -> Seen:
        recipe = self.recipe
        self._optimizer.param_groups[0]["lr" if recipe.rule == "adam" else "eta"] = eta
        penalties, energies = [], []
        for pattern in order.tolist():
            image, label = images[pattern : pattern + 1], labels[pattern : pattern + 1]
            check_levels(image)
            seen = recipe.penalty_scale * self.net(image)
            loss = (
                map_loss(seen, label, recipe.j) if recipe.loss == "map" else mle_loss(seen, label)
            )
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            penalties.append(seen.detach())
            energies.append(loss.detach())
        if not penalties:
            return Seen(images.new_zeros(0, len(self.net.output.centres)), images.new_zeros(0))
        return Seen(torch.cat(penalties), torch.stack(energies))

    def read(self, images: Tensor) -> Tensor:
        check_levels(images)
        with torch.no_grad():
            return torch.cat([self.net(batch) for batch in images.split(_BATCH)])


class FusedTrainer(OnlineTrainer):
    """The same rule in compiled kernels: forward, backward and update in one call.

    Float32 on the CPU. Results equal the reference's but for the rounding of sums.

    Raises:
        TypeError: if the network's parameters are not float32 on the CPU.
    """

    def __init__(self, net: ClassicNetwork, recipe: Recipe) -> None:
        from lenet1998.kernels.packed import PackedNetwork

        super().__init__(net, recipe)
        self._packed = PackedNetwork(net)
        self._curvature: np.ndarray | None = None
        self._means, self._squares, self._taken = self._packed.zeros(), self._packed.zeros(), 0

    def estimate_curvature(self, images: Tensor) -> dict[str, Tensor]:
        if len(images) == 0:
            raise ValueError(
                "the mean curvature of no image is undefined: expected at least one image"
            )
        packed, recipe = self._packed, self.recipe
        packed.pack()
        total = packed.zeros()
        seen = packed.programs.curvature(
            packed.weights,
            np.float32(recipe.penalty_scale),
            recipe.output_curvature == "loss",
            recipe.loss == "map",
            np.float32(recipe.j),
            packed.rows(images),
            total,
        )
        check_levels(images[seen : seen + 1])
        total /= len(images)
        return packed.gather(total)

    def set_curvature(self, diagonal: Mapping[str, Tensor]) -> None:
        self._curvature = self._packed.scatter(diagonal)
        if self.recipe.rule != "sdlm":
            self._curvature[:] = 0
        self._means[:], self._squares[:], self._taken = 0, 0, 0

    def learn(self, images: Tensor, labels: Tensor, order: Tensor, eta: float) -> Seen:
        if self._curvature is None:
            raise RuntimeError(
                "no curvature yet: call set_curvature(estimate_curvature(images)) before learn"
            )
        packed, recipe = self._packed, self.recipe
        packed.pack()
        penalties = np.empty((len(order), packed.plan.output.classes), np.float32)
        energies = np.empty(len(order), np.float32)
        patterns = (
            np.float32(recipe.penalty_scale),
            recipe.loss == "map",
            np.float32(recipe.j),
            packed.rows(images),
            labels.numpy(),
            order.numpy(),
            penalties,
            energies,
        )
        # Padding and absent connections get no step, and so stay 0.
        steps = packed.zeros()
        np.multiply(packed.live, np.float32(eta), steps)
        if recipe.rule == "adam":
            moments = (self._means, self._squares, self._taken)
            seen = packed.programs.learn_by_adam(packed.weights, steps, *moments, *patterns)
            self._taken += seen
        else:
            steps /= self._curvature + np.float32(recipe.mu)
            seen = packed.programs.learn(packed.weights, steps, *patterns)
        packed.unpack()
        check_levels(images[order[seen : seen + 1]])
        return Seen(torch.from_numpy(penalties), torch.from_numpy(energies))

    def read(self, images: Tensor) -> Tensor:
        self._packed.pack()
        return self._packed.read(images)


TRAINERS: dict[str, type[OnlineTrainer]] = {"fused": FusedTrainer, "torch": ReferenceTrainer}
"""The trainers by the name of the engine."""
