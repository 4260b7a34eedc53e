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
from lenet1998.kernels.pooling import Pooling
from lenet1998.kernels.rbf import RBF
from lenet1998.kernels.squash import Follower, Rectifier, Tanh, Unsquashed
from lenet1998.kernels.subsampling import Subsampling
from lenet1998.models.base import ClassicNetwork


@dataclass(frozen=True)
class Plan(Known):
    """A network laid out for the kernels.

    Attributes:
        names: the layers' names in the network, in order.
        convolutional: convolutions, subsamplings and pooling, from the input up.
        full: the full layers above them.
        output: the RBF layer.
        weights, states: sizes of the flat arrays.
        convolutional_weights: where the full layers' weights begin: the gradients of all before
            (centres that learn are among them) are complete before the update, the full layers
            learn as the error passes.
        trained_weights: where all that learns ends; mirrored weights and fixed centres follow.
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
    trained_weights: int
    compiled_from: str

    def positions(self) -> dict[str, np.ndarray]:
        """Where the values of each parameter and the centres, flattened, lie among the weights."""
        plans = (*self.convolutional.layers, *self.full.layers, self.output)
        return {
            f"{name}.{parameter}": positions.ravel()
            for name, layer in zip((*self.names, "output"), plans, strict=True)
            for parameter, positions in layer.positions().items()
        }


def plan_for(net: ClassicNetwork) -> Plan:
    """Lay out a network that names its `TRAINED_LAYERS`, such as `LeNet5Classic`.

    Raises:
        TypeError: for a layer, or what follows it, that has no kernel.
    """
    states, weights = Arena(), Arena()
    classes, units = net.output.centres.shape
    trainable = isinstance(net.output.centres, nn.Parameter)
    learning_centres = weights.take(classes * whole(units)) if trainable else 0
    side, maps = net.FIELD, 1
    below = states.take(side * side)
    convolutional: list[Convolution | Subsampling | Pooling] = []
    full: list[Full] = []
    weights_before_full = weights.size  # centres that learn, where all layers are full ones
    squash_below: Follower = Unsquashed()
    for name in net.TRAINED_LAYERS:
        module = net.get_submodule(name)
        squash = _follower(name, net.squash_after(name))
        if _has_kernel(module) and (
            isinstance(module, nn.Linear)
            or (isinstance(module, nn.Conv2d) and module.kernel_size == (side, side))
        ):
            width = len(module.weight)
            outputs = states.take(whole(width))
            matrix = weights.take(side * side * maps * whole(width))
            full.append(
                Full(
                    in_maps=maps,
                    in_side=side,
                    units=width,
                    inputs=below,
                    outputs=outputs,
                    weights=matrix,
                    bias=weights.take(whole(width)),
                    squash=squash,
                    squash_below=squash_below,
                )
            )
            side, maps = 1, width
        elif (
            isinstance(module, nn.Conv2d | layers.TableConv2d) and _has_kernel(module) and not full
        ):
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
                Convolution(
                    table=table,
                    in_maps=maps,
                    in_side=side,
                    kernel=kernel,
                    inputs=below,
                    outputs=outputs,
                    weights=kernels,
                    bias=bias,
                    mirror=None,
                    squash=squash,
                    squash_below=squash_below,
                )
            )
            side, maps = out_side, len(table)
        elif isinstance(module, layers.Subsampling) and not full and side % 2 == 0:
            outputs = states.take((side // 2) ** 2 * maps)
            padded = whole(maps, lanes_for(maps))
            convolutional.append(
                Subsampling(
                    maps=maps,
                    in_side=side,
                    inputs=below,
                    outputs=outputs,
                    coefficients=weights.take(padded),
                    bias=weights.take(padded),
                    squash=squash,
                    squash_below=squash_below,
                )
            )
            side //= 2
        elif _halves(module) and not full and side % 2 == 0:
            outputs = states.take((side // 2) ** 2 * maps)
            convolutional.append(
                Pooling(
                    maximum=isinstance(module, nn.MaxPool2d),
                    maps=maps,
                    in_side=side,
                    inputs=below,
                    outputs=outputs,
                    squash=squash,
                    squash_below=squash_below,
                )
            )
            side //= 2
        else:
            raise TypeError(
                f"no kernel for layer {name!r}, a {type(module).__name__} on {side}x{side} maps: "
                "expected convolutions, and subsamplings or 2x2 pooling of even sides, then full "
                "layers; with biases but for pooling, and all else as PyTorch has it by default"
            )
        below, squash_below = outputs, squash
        if not full:
            weights_before_full = weights.size
    trained_weights = weights.size
    convolutional[1:] = [
        replace(layer, mirror=weights.take(layer.mirror_size))
        if isinstance(layer, Convolution)
        else layer
        for layer in convolutional[1:]
    ]
    output = RBF(
        units=units,
        classes=classes,
        inputs=below,
        centres=learning_centres if trainable else weights.take(classes * whole(units)),
        trainable=trainable,
    )
    return Plan(
        names=tuple(net.TRAINED_LAYERS),
        convolutional=Chain(tuple(convolutional)),
        full=Chain(tuple(full)),
        output=output,
        field=net.FIELD,
        weights=weights.size,
        states=states.size,
        convolutional_weights=weights_before_full,
        trained_weights=trained_weights,
        compiled_from=_sum_over_sources(),
    )


def _follower(name: str, module: nn.Module) -> Follower:
    """What follows a layer, for the kernels."""
    if isinstance(module, layers.Squash):
        return Tanh(module.AMPLITUDE, module.SLOPE)
    if isinstance(module, nn.ReLU):
        return Rectifier()
    if isinstance(module, nn.Identity):
        return Unsquashed()
    raise TypeError(
        f"no kernel for the {type(module).__name__} after layer {name!r}: expected a Squash, ReLU "
        "or Identity"
    )


def _has_kernel(module: nn.Module) -> bool:
    """Whether a convolution or full layer has the settings that the kernels compute it with."""
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        settings = (module.stride, module.padding, module.dilation, module.groups)
        if height != width or settings != ((1, 1), (0, 0), (1, 1), 1):
            return False
    return getattr(module, "bias", None) is not None


def _halves(module: nn.Module) -> bool:
    """Whether a layer pools windows of 2x2 pixels that do not overlap, as the kernels do it."""
    if isinstance(module, nn.AvgPool2d):
        usual = module.divisor_override is None
    elif isinstance(module, nn.MaxPool2d):
        usual = module.dilation == 1 and not module.return_indices
    else:
        return False
    return usual and (module.kernel_size, module.stride, module.padding) == (2, 2, 0)


@cache
def _sum_over_sources() -> str:
    total = hashlib.sha256()
    for source in sorted(resources.files(__package__).iterdir(), key=lambda file: file.name):
        if source.name.endswith(".py"):
            total.update(source.read_bytes())
    return total.hexdigest()
