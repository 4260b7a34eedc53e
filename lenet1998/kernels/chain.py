"""Layers in a row: a chain does what its layers do, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba.extending import overload

from lenet1998.kernels.convolution import Convolution
from lenet1998.kernels.full import Full
from lenet1998.kernels.known import Known, depends_on, known
from lenet1998.kernels.operations import (
    backward,
    backward_and_learn,
    finish_update,
    forward,
    forward_batch,
)
from lenet1998.kernels.pooling import Pooling
from lenet1998.kernels.subsampling import Subsampling

Layer = Convolution | Subsampling | Pooling | Full


@dataclass(frozen=True)
class Chain(Known):
    """Layers in order, from the input up."""

    layers: tuple[Layer, ...]


def _unroll(operation: Callable[..., Any], *, from_the_top: bool = False) -> None:
    """Let an operation take a chain: one layer, then the chain of the others."""

    @overload(operation)
    def of_chain(chain, *arguments):
        plan = known(chain, Chain)
        if plan is None:
            return None
        if not plan.layers:
            return lambda chain, *arguments: None
        at = -1 if from_the_top else 0
        layer = plan.layers[at]
        others = Chain(plan.layers[:-1] if from_the_top else plan.layers[1:])

        @depends_on(operation.__name__, plan)
        def one_by_one(chain, *arguments):
            operation(layer, *arguments)
            operation(others, *arguments)

        return one_by_one


_unroll(forward)
_unroll(forward_batch)
_unroll(backward, from_the_top=True)
_unroll(backward_and_learn, from_the_top=True)
_unroll(finish_update)
