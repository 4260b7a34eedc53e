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


def _part(layers: tuple[Layer, ...]) -> Layer | Chain:
    return layers[0] if len(layers) == 1 else Chain(layers)


def _unroll(operation: Callable[..., Any], *, from_the_top: bool = False) -> None:
    """Let an operation take a chain: one layer, then the chain of the others."""

    @overload_for(operation, Chain)
    def of_chain(plan: Chain):
        if not plan.layers:
            return lambda chain, *arguments: None
        # In halves: a chain that is nested as deep as it is long takes much longer to compile.
        middle = (len(plan.layers) + 1) // 2
        first, second = _part(plan.layers[:middle]), _part(plan.layers[middle:])
        if from_the_top:
            first, second = second, first

        @depends_on(operation.__name__, plan)
        def one_by_one(chain, *arguments):
            operation(first, *arguments)
            operation(second, *arguments)

        return one_by_one


_unroll(forward)
_unroll(backward, from_the_top=True)
_unroll(backward_and_learn, from_the_top=True)
_unroll(finish_update)
