"""Parameters, connections and multiply-adds of a network, counted from its modules (section II.B).

One blank image runs through the network, and each layer says what a unit of each of its maps reads.
Nothing is looked up: what the paper prints of LeNet-5 stands apart, in `evidence.facts`.

- Connections, in the paper's way: the inputs of every unit, and its bias. So a unit of C1 has 26,
  one of S2 has 5, one of the output 84. Where an image is padded, the padding counts as inputs.
- Multiply-adds: one for each input of every unit. The bias is where a sum starts and costs nothing;
  squashing is left out. Three more conventions: a unit of S2 has four, for its three additions and
  its product; a term (x - w)^2 of an RBF is one; maximum pooling, which only compares, has none.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial, singledispatch
from itertools import dropwhile
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lenet1998.layers import EuclideanRBF, Subsampling, TableConv2d

__all__ = [
    "LayerCount", "Total", "Units", "count_layers", "total", "training_step_multiply_adds", "units",
]  # fmt: skip


@dataclass(frozen=True)
class LayerCount:
    """What one layer holds and does for one image."""

    name: str  # the module's name in the network, such as `c1`
    kind: str  # what it is, in words
    maps: int  # number of maps, or of units where each is a map of its own
    size: tuple[int, int]  # height and width of a map, in units
    fan_in: tuple[int, int]  # inputs of one unit but for its bias: least and most over the maps
    trainable: int  # parameters that learn
    fixed: int  # parameters that do not: frozen ones, and the centres of the output
    connections: int  # inputs and biases of all units
    multiply_adds: int  # of one forward pass


@dataclass(frozen=True)
class Total:
    """Sums over the layers of a network."""

    trainable: int
    fixed: int
    connections: int
    multiply_adds: int


class Units(NamedTuple):
    """The units of a layer: all that its connections and multiply-adds follow from."""

    kind: str  # what the layer is, in words
    fan_in: tuple[int, ...]  # inputs of one unit of each map, its bias not counted
    size: torch.Size  # the output's shape without batch and maps: (h, w), or () for single units
    sums: bool = True  # whether a unit sums its inputs (maximum pooling compares them)


@singledispatch
def units(layer: nn.Module, output: Tensor) -> Units | None:
    """The units of a layer, from the layer and its output for one image.

    None for a module that is no layer of units, such as an activation or a container. Register
    another kind of layer with `@units.register`.
    """
    match layer:
        case nn.Conv2d(kernel_size=(height, width), weight=weight):
            return _of_maps(f"{height}x{width} convolution", weight[0].numel(), output)
        case TableConv2d(kernel_size=side, fan_in=fan_in):
            return Units(f"{side}x{side} conv. by table", fan_in, output.shape[2:])
        case Subsampling(WINDOW=side):
            return _of_maps(f"{side}x{side} subsampling", side**2, output)
        case nn.MaxPool2d(kernel_size=window) | nn.AvgPool2d(kernel_size=window):
            height, width = window if isinstance(window, tuple) else (window, window)
            sums = isinstance(layer, nn.AvgPool2d)
            kind = f"{height}x{width} {'average' if sums else 'maximum'} pooling"
            return _of_maps(kind, height * width, output, sums)
        case nn.BatchNorm2d():
            return _of_maps("batch normalisation", 1, output)
        case nn.Linear(in_features=inputs):
            return Units("full connection", output.shape[-1] * (inputs,), output.shape[1:-1])
        case EuclideanRBF(centres=centres):
            fan_in = output.shape[-1] * (centres.shape[1],)
            return Units("Euclidean RBF", fan_in, output.shape[1:-1])
    return None


def _of_maps(kind: str, inputs: int, output: Tensor, sums: bool = True) -> Units:
    return Units(kind, output.shape[1] * (inputs,), output.shape[2:], sums)


def count_layers(net: nn.Module, field: int | tuple[int, int] | None = None) -> list[LayerCount]:
    """Count the layers of a network in the order in which they run.

    Seen are the modules that `units` knows; other modules without parameters (activations, dropout,
    reshaping) and plain functions count for nothing. The network itself is left as it is.

    Args:
        net: takes images `(1, 1, field, field)`.
        field: side of the input in pixels, or its height and width; by default the network's own
            `FIELD`.

    Raises:
        ValueError: if there is neither, or if a layer with parameters is of an unknown kind or does
            not run exactly once, so that the sums over the layers would be wrong.
    """
    side = getattr(net, "FIELD", None) if field is None else field
    if side is None:
        raise ValueError(
            f"{type(net).__name__} does not say how large an image it reads: "
            "pass field, the side in pixels"
        )
    # A copy, so that evaluation mode (batch statistics must not move) and hooks are its own.
    net = copy.deepcopy(net).eval()
    counts: list[LayerCount] = []

    def count(name: str, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if (of_layer := units(layer, output)) is not None:
            counts.append(_count(name, layer, of_layer))

    for name, layer in net.named_modules():
        layer.register_forward_hook(partial(count, name))
    like = next(net.parameters(), torch.empty(0))
    with torch.no_grad():
        net(like.new_zeros(1, 1, *(side if isinstance(side, tuple) else (side, side))))

    times = Counter(counted.name for counted in counts)
    for name, layer in net.named_modules():
        if any(True for _ in layer.parameters(recurse=False)) and times[name] != 1:
            raise ValueError(
                f"cannot count {name or 'the network itself'} ({type(layer).__name__}): it holds "
                f"parameters and was counted {times[name]} times, expected a layer of a kind that "
                "counting.units knows, run once for each image"
            )
    return counts


def _count(name: str, layer: nn.Module, of_layer: Units) -> LayerCount:
    positions = of_layer.size.numel()
    inputs = positions * sum(of_layer.fan_in)
    biases = 0 if getattr(layer, "bias", None) is None else positions * len(of_layer.fan_in)
    weights = [*layer.parameters(), *(layer.buffers() if isinstance(layer, EuclideanRBF) else ())]
    height, width = (1, 1, *of_layer.size)[-2:]
    return LayerCount(
        name=name,
        kind=of_layer.kind,
        maps=len(of_layer.fan_in),
        size=(height, width),
        fan_in=(min(of_layer.fan_in), max(of_layer.fan_in)),
        trainable=sum(weight.numel() for weight in weights if weight.requires_grad),
        fixed=sum(weight.numel() for weight in weights if not weight.requires_grad),
        connections=inputs + biases,
        multiply_adds=inputs if of_layer.sums else 0,
    )


def training_step_multiply_adds(net: nn.Module, field: int | None = None) -> int:
    """The work of learning from one image, in multiply-adds.

    A layer's weights' gradients take as many as its forward sums, and so do its inputs' gradients.
    Needed are the sums of all layers, the weights' gradients of those that learn, and the inputs'
    gradients of those above the first that learns. The loss, and the update itself (one for each
    parameter), come on top.

    Args and errors as for `count_layers`.
    """
    layers = count_layers(net, field)
    learning = [layer for layer in layers if layer.trainable]
    above = list(dropwhile(lambda layer: not layer.trainable, layers))[1:]
    return sum(layer.multiply_adds for layer in (*layers, *learning, *above))


def total(layers: Sequence[LayerCount]) -> Total:
    """The sums over the layers of a network."""
    sums = (sum(getattr(layer, field.name) for layer in layers) for field in fields(Total))
    return Total(*sums)
