"""Stochastic diagonal Levenberg-Marquardt, the paper's learning rule (eqs. 18 to 22)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lenet1998.learning import rule
from lenet1998.learning.curvature import check_curvature, check_positive

__all__ = ["StochasticDiagonalLM"]


class StochasticDiagonalLM(torch.optim.Optimizer):
    """One step size per parameter, from its own curvature (eq. 21).

        w_k <- w_k - eta / (mu + h_kk) dE_p/dw_k

    where E_p is the loss of the single pattern p. `h` is estimated anew before each pass on a few
    hundred patterns (`gauss_newton_diagonal`) and stays fixed during it; mu keeps the step finite
    where the loss hardly bends.

    Args:
        net: the network whose trainable parameters learn.
        eta: the global rate of the schedule, > 0.
        mu: > 0, in the units of h (so it scales with the penalties: see `Recipe.penalty_scale`).

    Raises:
        ValueError: if eta or mu is not positive and finite.
    """

    def __init__(self, net: nn.Module, *, eta: float, mu: float) -> None:
        check_positive(eta=eta, mu=mu)
        self._parameters = {n: p for n, p in net.named_parameters() if p.requires_grad}
        super().__init__(self._parameters.values(), {"eta": eta, "mu": mu})

    def set_curvature(self, diagonal: Mapping[str, Tensor]) -> None:
        """Take the second derivatives for the steps to come.

        Args:
            diagonal: h by parameter name, as `gauss_newton_diagonal` returns it.

        Raises:
            ValueError: if a trainable parameter is missing from it, a shape differs, or a value is
                negative or not finite.
        """
        check_curvature(self._parameters, diagonal)
        for name, parameter in self._parameters.items():
            self.state[parameter]["curvature"] = diagonal[name].detach().clone()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter from its gradient.

        Raises:
            RuntimeError: before the first `set_curvature`.
        """
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                curvature = self.state[parameter].get("curvature")
                if curvature is None:
                    raise RuntimeError(
                        "no curvature yet: call set_curvature(gauss_newton_diagonal(net, images)) "
                        "before the first step"
                    )
                rule.step(parameter, parameter.grad, curvature, group["eta"], group["mu"])
        return result
