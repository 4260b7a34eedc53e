"""What follows the sums of a layer, and its derivative, on rows of float32 states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from lenet1998.kernels.known import Known, called_by_kernels, overload_for
from lenet1998.kernels.layout import LANES
from lenet1998.kernels.simd import load, store
from lenet1998.layers import Squash


@dataclass(frozen=True)
class Tanh(Known):
    """f(a) = A tanh(S a), the squash of 1998 and its kin, amplitude A and slope S."""

    amplitude: float
    slope: float


@dataclass(frozen=True)
class Rectifier(Known):
    """f(a) = max(0, a)."""


@dataclass(frozen=True)
class Unsquashed(Known):
    """f(a) = a: of the input, and of layers that nothing follows."""


def follower(module: nn.Module) -> Tanh | Rectifier | Unsquashed | None:
    """What follows a layer, for the kernels; None for what has none."""
    if isinstance(module, Squash):
        return Tanh(module.AMPLITUDE, module.SLOPE)
    if isinstance(module, nn.ReLU):
        return Rectifier()
    return Unsquashed() if isinstance(module, nn.Identity) else None


def squashed(kind, activation) -> Any:
    """f(a) of one vector."""


def error_through(kind, order, error, state) -> Any:
    """dE/dx -> dE/da of one vector for order 1; d2E/dx^2 -> d2E/da^2 (eq. 27) for order 2.

    The derivative comes from the states x = f(a): f'(a) is S A - (S / A) x^2 for a tanh, and 1
    where x > 0, else 0, for the rectifier.
    """


@called_by_kernels
def squash(kind, states, begin: int, end: int) -> None:
    """f of each activation, in place, in whole vectors from `begin` until past `end`."""
    for i in range(begin, end, LANES):
        store(squashed(kind, load(LANES, states, i)), states, i)


@called_by_kernels
def through_squash(kind, order: int, errors, states, begin: int, end: int) -> None:
    """`error_through` in place, in whole vectors from `begin` until past `end`."""
    for i in range(begin, end, LANES):
        state = load(LANES, states, i)
        store(error_through(kind, order, load(LANES, errors, i), state), errors, i)


# 1.7159 tanh(2a/3) = a P(a^2) / Q(a^2) for |a| <= 13, where it is flat to float32: the rational
# minimax fit of the relative error (1.4e-8 before rounding). What rounding leaves is tested.
_LIMIT = 13.0
_P = (1.1439332962, 0.06814105064, 7.956915069e-4, 2.112739821e-6, 6.230990168e-10)
_Q = (1.0, 0.2077154219, 5.130818114e-3, 2.921645319e-5, 3.129908066e-8)


@overload_for(squashed, Tanh)
def _tanh(plan: Tanh):
    # Any tanh is that of 1998 stretched along both axes, which its coefficients take up.
    along, up = plan.slope / Squash.SLOPE, plan.amplitude / Squash.AMPLITUDE
    limit = np.float32(_LIMIT / along)
    p0, p1, p2, p3, p4 = (np.float32(p * up * along ** (2 * k + 1)) for k, p in enumerate(_P))
    q0, q1, q2, q3, q4 = (np.float32(q * along ** (2 * k)) for k, q in enumerate(_Q))

    def tanh(kind, activation):
        a = max(min(activation, limit), -limit)
        t = a * a
        p = (((p4 * t + p3) * t + p2) * t + p1) * t + p0
        q = (((q4 * t + q3) * t + q2) * t + q1) * t + q0
        return a * p / q

    return tanh


@overload_for(error_through, Tanh)
def _through_tanh(plan: Tanh):
    slope_at_0 = np.float32(plan.slope * plan.amplitude)
    minus_fall = np.float32(-plan.slope / plan.amplitude)

    def through_tanh(kind, order, error, state):
        derivative = state * state * minus_fall + slope_at_0
        if order == 2:
            derivative = derivative * derivative
        return derivative * error

    return through_tanh


@overload_for(squashed, Rectifier)
def _rectifier(plan: Rectifier):
    zero = np.float32(0)
    return lambda kind, activation: max(activation, zero)


@overload_for(error_through, Rectifier)
def _through_rectifier(plan: Rectifier):
    zero = np.float32(0)
    return lambda kind, order, error, state: (state > zero) * error  # 0 and 1 are their squares


@overload_for(squashed, Unsquashed)
def _unsquashed(plan: Unsquashed):
    return lambda kind, activation: activation


@overload_for(error_through, Unsquashed)
def _through_unsquashed(plan: Unsquashed):
    return lambda kind, order, error, state: error
