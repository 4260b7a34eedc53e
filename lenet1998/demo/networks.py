"""A saved network as the page's JavaScript takes it, and what the page says of its layers."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from torch import Tensor, nn

from lenet1998 import catalogue, codes
from lenet1998.data.strings import BLANK
from lenet1998.errors import Failure
from lenet1998.layers import EuclideanRBF, Squash, Subsampling, TableConv2d
from lenet1998.measures.counting import LayerCount, count_layers
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.modern import LeNet5Modern
from lenet1998.models.network import Network
from lenet1998.models.saved import load, read_origin
from lenet1998.reading.predict import DEFAULT_J

__all__ = ["NETWORKS", "NetworkError", "describe"]

NETWORKS = (
    *("lenet5-classic", "lenet5-classic-distorted", "lenet5-classic-noise", "lenet5-modern"),
    "lenet5-strings-global",
)
"""What a page shows where nothing else is asked for."""

_TEXTS = {
    LeNet5Classic: {
        "c1": (
            "Convolutions",
            "Each unit sees a {window} neighbourhood of the input; {shared}.",
        ),
        "s2": (
            "Subsampling",
            "Each unit adds {fan_in} units, times its map’s coefficient, plus its map’s bias: half "
            "the resolution, less of the exact place.",
        ),
        "c3": (
            "Convolutions",
            "Each map sees some maps of S2, by Table I: that breaks the symmetry, so that maps "
            "find different features, and bounds the connections.",
        ),
        "s4": ("Subsampling", "As in S2, each unit adds {fan_in} units of its own map in C3."),
        "c5": (
            "Convolutions",
            "Each unit sees all of S4, {fan_in} units: a full connection, as long as the field is "
            "one character wide.",
        ),
        "f6": (
            "Full connection",
            "The units draw the character that is read as a stylised {bitmap} picture, ink +1 and "
            "paper −1.",
        ),
        "output": (
            "Gaussian connections",
            "A penalty is the squared distance of F6’s {fan_in} units from the code of a class.",
        ),
    },
    LeNet5Modern: {
        "c1": (
            "Convolutions",
            "Each unit sees a {window} neighbourhood of the input; {shared}. No squash here: "
            "pooling comes first.",
        ),
        "s2": ("Maximum pooling", "Each unit takes the greatest of {fan_in} units, then ReLU."),
        "c3": ("Convolutions", "Each map sees all maps of S2, each unit {fan_in} units."),
        "s4": ("Maximum pooling", "Each unit takes the greatest of {fan_in} units, then ReLU."),
        "c5": ("Full connection", "Each unit sees all of S4, {fan_in} units, then ReLU."),
        "f6": (
            "Full connection",
            "ReLU again. No code asks for a picture here, and none is drawn.",
        ),
        "output": (
            "Full connection",
            "Ten numbers, whose softmax is the probability of each digit.",
        ),
    },
}
"""Of each layer the operation that makes it, and what it is for, in the paper's terms."""

_RECTIFIED = ("s2", "s4", "c5", "f6")
"""The layers whose states `LeNet5Modern.forward` hands to ReLU."""


class NetworkError(Failure, TypeError):
    """A network is none of those that the page can show."""


def describe(source: str) -> dict[str, Any]:
    """A network with its weights, ready for JSON.

    Args:
        source: as `lenet1998.load` takes it.

    Raises:
        NetworkError: it is neither LeNet-5 of 1998 nor of today, or reads other than digits, or
            numbers.
        WeightsError: as `load`.
    """
    net, origin = load(source), read_origin(source)
    characters = net.characters if isinstance(net, LeNet5Classic) else codes.DIGITS
    if type(net) not in _TEXTS or characters not in (codes.DIGITS, codes.DIGITS + BLANK):
        expected = "LeNet5Classic of the ten digits, or of these and a blank, or LeNet5Modern"
        raise NetworkError(f"{source}: the page shows {expected}, not a {type(net).__name__}")
    entry, counts = catalogue.NETWORKS.get(source), count_layers(net)
    below = [net.FIELD, *(count.size[0] for count in counts)]
    steps, weights = zip(*(_packed(weight.detach()) for weight in net.parameters()), strict=True)
    return {
        "name": source,
        "words": entry.words if entry else type(net).__name__,
        "error": f"{origin.log[-1]['test_error_percent']:.2f} %" if origin.log else "–",
        "layers": [_layer(net, *one) for one in zip(counts, below, strict=False)],
        "reads": "numbers" if characters.endswith(BLANK) else "digits",
        **_outputs(net, characters),
        "steps": steps,
        "weights": base64.b64encode(b"".join(weights)).decode(),
    }


def _outputs(net: Network, characters: str) -> dict[str, Any]:
    """What makes scores of outputs, and the score of "no digit", as `reading` has it."""
    if not isinstance(net, ChainNetwork):
        return {"factor": 1, "rubbish": None}
    of_pictures = -2 * net.penalty_scale * DEFAULT_J
    rubbish = net.rubbish if characters.endswith(BLANK) else of_pictures
    return {"factor": -net.penalty_scale, "rubbish": rubbish}


def _packed(weights: Tensor) -> tuple[float, bytes]:
    """A tensor as whole numbers of 24 bits, little-endian, and the step that they count.

    That is a quarter less than float32 takes, and changes no penalty by 1e-4 of it; a fraction of
    as many bits would.
    """
    step = weights.abs().max().item() / (2**23 - 1)
    words = (weights.double() / step).round().int().numpy().astype("<i4")
    return step, words.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()


def _layer(net: Network, count: LayerCount, below: int) -> dict[str, Any]:
    """A layer above maps with so many units on a side.

    A full connection is a convolution whose kernels cover the maps below.
    """
    module, (side, _) = net.get_submodule(count.name), count.size
    kind, kernel, stride, table = "convolution", below - side + 1, 1, None
    if isinstance(module, Subsampling | nn.MaxPool2d):
        kind = "subsampling" if isinstance(module, Subsampling) else "maximum"
        kernel = stride = below // side
        table = [[only] for only in range(count.maps)]
    elif isinstance(module, TableConv2d):
        table = [list(row) for row in module.table]
    elif isinstance(module, EuclideanRBF):
        kind = "distances"
    operation, text = _TEXTS[type(net)][count.name]
    parameters = f"{count.fixed:,} fixed" if count.fixed else f"{count.trainable:,}"
    figures = f"{parameters} parameters, {count.connections:,} connections."
    is_squashed = isinstance(net, ChainNetwork) and count.name in net.TRAINED_LAYERS
    return {
        "name": count.name,
        "kind": kind,
        "maps": count.maps,
        "side": side,
        "kernel": kernel,
        "stride": stride,
        "table": table,  # the maps below that each map sees; None for all
        "squash": {"amplitude": Squash.AMPLITUDE, "slope": Squash.SLOPE} if is_squashed else None,
        "rectified": not isinstance(net, ChainNetwork) and count.name in _RECTIFIED,
        "operation": operation,
        "text": f"{_figures_in(text, count, kernel)} {figures}",
    }


def _figures_in(text: str, count: LayerCount, kernel: int) -> str:
    return text.format(
        window=f"{kernel}×{kernel}",
        fan_in=count.fan_in[0],
        bitmap=f"{codes.COLUMNS}×{codes.ROWS}",
        shared="all units of a map share its weights",
    )
