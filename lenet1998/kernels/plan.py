"""The plan of a network: where every weight and state lies in the kernels' flat arrays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
import torch
from torch import nn

from lenet1998.kernels import pooling, subsampling  # noqa: F401  they say how they are laid out
from lenet1998.kernels.chain import Chain
from lenet1998.kernels.convolution import Convolution
from lenet1998.kernels.full import Full
from lenet1998.kernels.known import Known
from lenet1998.kernels.layout import Arena, Ground, Layer, lay_out, whole
from lenet1998.kernels.rbf import RBF
from lenet1998.kernels.squash import Unsquashed, follower
from lenet1998.models.chain import ChainNetwork


@dataclass(frozen=True)
class Plan(Known):
    """A network laid out for the kernels."""

    names: tuple[str, ...]  # the layers' in the network, in order
    convolutional: Chain  # convolutions, subsamplings and pooling, from the input up
    full: Chain  # the full layers above them
    output: RBF
    field: tuple[int, int]  # rows and columns of what the first layer sees
    weights: int  # floats in the flat array of the weights
    states: int  # and in that of the states
    # Where the full layers' weights begin: the gradients of all before (centres that learn are
    # among them) are complete before the update, the full layers learn as the error passes.
    convolutional_weights: int
    trained_weights: int  # where all that learns ends; mirrors and fixed centres follow
    compiled_from: str  # these sources: code compiled from others is not for this

    @property
    def places(self) -> int:
        """Columns of the top convolution of a field of several digits: the full layers see each."""
        layers = self.convolutional.layers
        return layers[-1].width if layers and layers[-1].side == 1 else 1

    def positions(self) -> dict[str, np.ndarray]:
        """Where the values of each parameter and the centres, flattened, lie among the weights."""
        layers: list[Layer | RBF] = [*self.convolutional.layers, *self.full.layers, self.output]
        return {
            f"{name}.{parameter}": positions.ravel()
            for name, layer in zip((*self.names, "output"), layers, strict=True)
            for parameter, positions in layer.positions().items()
        }


def plan_for(net: ChainNetwork, width: int | None = None) -> Plan:
    """Lay out a network that names its `TRAINED_LAYERS`, such as `LeNet5Classic`.

    Args:
        net: of that kind.
        width: columns of a field of several digits, to be read alone; by default the net's own.

    Raises:
        TypeError: for a layer, or what follows it, that has no kernel.
    """
    states, weights = Arena(), Arena()
    classes, units = net.output.centres.shape
    floats = classes * whole(units)
    trainable = isinstance(net.output.centres, nn.Parameter)
    learning_centres = weights.take(floats) if trainable else 0
    side = net.prepare(torch.empty(1, 1, net.FIELD, net.FIELD)).shape[-1]
    width = side if width is None else width
    inputs = states.take(side * width)
    ground = Ground(side, width, 1, inputs, Unsquashed(), Unsquashed(), states, weights)
    convolutional: list[Layer] = []
    full: list[Layer] = []
    weights_before_full = weights.size  # centres that learn, where all layers are full ones
    for name in net.TRAINED_LAYERS:
        layer = _laid_out(name, net, ground)
        if isinstance(layer, Full):
            full.append(layer)
        else:
            convolutional.append(layer)
            weights_before_full = weights.size
    trained_weights = weights.size
    for i, layer in enumerate(convolutional):
        if i > 0 and isinstance(layer, Convolution) and width == side:
            convolutional[i] = replace(layer, mirror=weights.take(layer.mirror_size))
    return Plan(
        names=tuple(net.TRAINED_LAYERS),
        convolutional=Chain(tuple(convolutional)),
        full=Chain(tuple(full)),
        output=RBF(
            units=units,
            classes=classes,
            inputs=ground.inputs,
            centres=learning_centres if trainable else weights.take(floats),
            trainable=trainable,
        ),
        field=(side, width),
        weights=weights.size,
        states=states.size,
        convolutional_weights=weights_before_full,
        trained_weights=trained_weights,
        compiled_from=_sum_over_sources(),
    )


def _laid_out(name: str, net: ChainNetwork, ground: Ground) -> Layer:
    module, follows = net.get_submodule(name), net.squash_after(name)
    ground.squash = follower(follows)
    if ground.squash is None:
        raise TypeError(
            f"no kernel for the {type(follows).__name__} after layer {name!r}: expected a Squash, "
            "ReLU or Identity"
        )
    side = ground.side
    layer = lay_out(module, ground)
    if layer is None:
        raise TypeError(
            f"no kernel for layer {name!r}, a {type(module).__name__} on {side}x{side} maps: "
            "expected convolutions, and subsamplings or 2x2 pooling of even sides, then full "
            "layers; with biases but for pooling, and all else as PyTorch has it by default"
        )
    return layer


@cache
def _sum_over_sources() -> str:
    total = hashlib.sha256()
    for source in sorted(resources.files(__package__).iterdir(), key=lambda file: file.name):
        if source.name.endswith(".py"):
            total.update(source.read_bytes())
    return total.hexdigest()
