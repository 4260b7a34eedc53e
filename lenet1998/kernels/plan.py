"""The plan of a network: where every weight and state lies in the kernels' flat arrays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
from torch import nn

from lenet1998 import layers
from lenet1998.kernels.chain import Chain
from lenet1998.kernels.convolution import Convolution
from lenet1998.kernels.full import Full
from lenet1998.kernels.known import Known
from lenet1998.kernels.layout import Arena, lanes_for, whole
from lenet1998.kernels.rbf import RBF
from lenet1998.kernels.subsampling import Subsampling
from lenet1998.models.base import ClassicNetwork


@dataclass(frozen=True)
class Plan(Known):
    """A network laid out for the kernels.

    Attributes:
        names: the layers' names in the network, in order.
        convolutional: convolutions and subsamplings, from the input up.
        full: the full layers above them.
        output: the RBF layer.
        weights, states: sizes of the flat arrays.
        convolutional_weights: where the full layers' weights begin: the gradients of all before
            are complete before the update, the full layers learn as the error passes.
        compiled_from: a sum over this package's sources, so that code compiled from older ones
            is not taken from the disk for this.
    """

    names: tuple[str, ...]
    convolutional: Chain
    full: Chain
    output: RBF
    field: int
    weights: int
    states: int
    convolutional_weights: int
    compiled_from: str

    def positions(self) -> dict[str, np.ndarray]:
        """Where the values of each trainable parameter, flattened, lie in the array of weights."""
        plans = self.convolutional.layers + self.full.layers
        return {
            f"{name}.{parameter}": positions.ravel()
            for name, layer in zip(self.names, plans, strict=True)
            for parameter, positions in layer.positions().items()
        }


def plan_for(net: ClassicNetwork) -> Plan:
    """Lay out a network that names its `TRAINED_LAYERS`, such as `LeNet5Classic`.

    Raises:
        TypeError: for a layer that has no kernel.
    """
    states, weights = Arena(), Arena()
    side, maps = net.FIELD, 1
    below = states.take(side * side)
    convolutional: list[Convolution | Subsampling] = []
    full: list[Full] = []
    weights_before_full = 0
    for name in net.TRAINED_LAYERS:
        module = net.get_submodule(name)
        if isinstance(module, nn.Linear) or (
            isinstance(module, nn.Conv2d) and module.kernel_size == (side, side)
        ):
            units = len(module.weight)
            outputs = states.take(whole(units))
            matrix = weights.take(side * side * maps * whole(units))
            full.append(Full(maps, side, units, below, outputs, matrix, weights.take(whole(units))))
            side, maps = 1, units
        elif isinstance(module, nn.Conv2d | layers.TableConv2d) and not full:
            table = (
                module.table
                if isinstance(module, layers.TableConv2d)
                else (tuple(range(maps)),) * len(module.weight)
            )
            kernel = module.weight.shape[-1]
            padded = whole(len(table), lanes_for(len(table)))
            patch_row = kernel * maps
            out_side = side - kernel + 1
            outputs = states.take(out_side**2 * padded)
            kernels, bias = weights.take(kernel * patch_row * padded), weights.take(padded)
            convolutional.append(
                Convolution(table, maps, side, kernel, below, outputs, kernels, bias, mirror=None)
            )
            side, maps = out_side, len(table)
        elif isinstance(module, layers.Subsampling) and not full and side % 2 == 0:
            outputs = states.take((side // 2) ** 2 * maps)
            padded = whole(maps, lanes_for(maps))
            convolutional.append(
                Subsampling(maps, side, below, outputs, weights.take(padded), weights.take(padded))
            )
            side //= 2
        else:
            raise TypeError(
                f"no kernel for layer {name!r}, a {type(module).__name__} on {side}x{side} maps: "
                "expected convolutions and subsamplings of even sides, then full layers"
            )
        below = outputs
        if not full:
            weights_before_full = weights.size
    classes, units = net.output.centres.shape
    convolutional[1:] = [
        replace(layer, mirror=weights.take(layer.mirror_size))
        if isinstance(layer, Convolution)
        else layer
        for layer in convolutional[1:]
    ]
    return Plan(
        names=tuple(net.TRAINED_LAYERS),
        convolutional=Chain(tuple(convolutional)),
        full=Chain(tuple(full)),
        output=RBF(units, classes, below),
        field=net.FIELD,
        weights=weights.size,
        states=states.size,
        convolutional_weights=weights_before_full,
        compiled_from=_sum_over_sources(),
    )


@cache
def _sum_over_sources() -> str:
    total = hashlib.sha256()
    for source in sorted(resources.files(__package__).iterdir(), key=lambda file: file.name):
        if source.name.endswith(".py"):
            total.update(source.read_bytes())
    return total.hexdigest()
