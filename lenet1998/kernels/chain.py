"""Layers in a row: a chain does what its layers do, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lenet1998.kernels.known import Known, depends_on, overload_for
from lenet1998.kernels.layout import Layer
from lenet1998.kernels.operations import backward, backward_and_learn, finish_update, forward


@dataclass(frozen=True)
class Chain(Known):
    """Layers in order, from the input up."""

    layers: tuple[Layer, ...]


def _unroll(operation: Callable[..., Any], *, from_the_top: bool = False) -> None:
    """Let an operation take a chain: one layer, then the chain of the others."""

    @overload_for(operation, Chain)
    def of_chain(plan: Chain):
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
_unroll(backward, from_the_top=True)
_unroll(backward_and_learn, from_the_top=True)
_unroll(finish_update)
