"""The squashing function and its derivative on rows of float32 states."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from lenet1998.kernels.simd import load, store
from lenet1998.layers import Squash

LANES = 16

# 1.7159 tanh(2a/3) = a P(a^2) / Q(a^2) for |a| <= 13, where it is flat to float32: the rational
# minimax fit of the relative error (1.4e-8 before rounding). What rounding leaves is tested.
_LIMIT = np.float32(13.0)
_P0, _P1, _P2, _P3, _P4 = (
    np.float32(p)
    for p in (1.1439332962, 0.06814105064, 7.956915069e-4, 2.112739821e-6, 6.230990168e-10)
)
_Q0, _Q1, _Q2, _Q3, _Q4 = (
    np.float32(q) for q in (1.0, 0.2077154219, 5.130818114e-3, 2.921645319e-5, 3.129908066e-8)
)
_SLOPE_AT_0 = np.float32(Squash.SLOPE * Squash.AMPLITUDE)
_MINUS_FALL = np.float32(-Squash.SLOPE / Squash.AMPLITUDE)


@register_jitable
def squash(states, begin: int, end: int) -> None:
    """f of each activation, in place, in whole vectors from `begin` until past `end`."""
    for i in range(begin, end, LANES):
        a = max(min(load(LANES, states, i), _LIMIT), -_LIMIT)
        t = a * a
        p = (((_P4 * t + _P3) * t + _P2) * t + _P1) * t + _P0
        q = (((_Q4 * t + _Q3) * t + _Q2) * t + _Q1) * t + _Q0
        store(a * p / q, states, i)


@register_jitable
def squash_derivative(state) -> Any:
    """f'(a) of the states x = f(a) in one vector: S A - (S / A) x^2."""
    return state * state * _MINUS_FALL + _SLOPE_AT_0


@register_jitable
def through_squash(order: int, errors, states, begin: int, end: int) -> None:
    """dE/dx -> dE/da in place for order 1; d2E/dx^2 -> d2E/da^2 (eq. 27) for order 2."""
    for i in range(begin, end, LANES):
        derivative = squash_derivative(load(LANES, states, i))
        if order == 2:
            derivative = derivative * derivative
        store(derivative * load(LANES, errors, i), errors, i)
