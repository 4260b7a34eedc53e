"""Parameters, connections and multiply-adds of a network, counted from its modules (section II.B).

One blank image runs through the network, and each layer says what a unit of each of its maps reads.
Nothing is looked up: what the paper prints of LeNet-5 stands apart in `PAPER`, to compare with.

- Connections, in the paper's way: the inputs of every unit, and its bias. So a unit of C1 has 26,
  one of S2 has 5, one of the output 84. Where an image is padded, the padding counts as inputs.
- Multiply-adds: one for each input of every unit. The bias is where a sum starts and costs nothing;
  squashing is left out. Three more conventions: a unit of S2 has four, for its three additions and
  its product; a term (x - w)^2 of an RBF is one; maximum pooling, which only compares, has none.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial, singledispatch
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from lenet1998.layers import EuclideanRBF, Subsampling, TableConv2d
from lenet1998.models import LeNet5Classic

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class LayerCount:
    """What one layer holds and does for one image.

    Attributes:
        name: the module's name in the network, such as `c1`.
        kind: what it is, in words.
        maps: number of maps, or of units where each is a map of its own.
        size: height and width of a map, in units.
        fan_in: inputs of one unit without its bias: the smallest and the largest over the maps.
        trainable: parameters that learn.
        fixed: parameters that do not: frozen ones, and the centres of the output.
        connections: inputs and biases of all units.
        multiply_adds: of one forward pass.
    """

    name: str
    kind: str
    maps: int
    size: tuple[int, int]
    fan_in: tuple[int, int]
    trainable: int
    fixed: int
    connections: int
    multiply_adds: int


@dataclass(frozen=True)
class Total:
    """Sums over the layers of a network."""

    trainable: int
    fixed: int
    connections: int
    multiply_adds: int


@dataclass(frozen=True)
class PaperFigures:
    """What the paper says of a layer."""

    trainable: int
    connections: int
    fixed: int = 0


PAPER: Mapping[str, PaperFigures] = {
    "c1": PaperFigures(trainable=156, connections=122_304),
    "s2": PaperFigures(trainable=12, connections=5_880),
    "c3": PaperFigures(trainable=1_516, connections=151_600),
    "s4": PaperFigures(trainable=32, connections=2_000),
    "c5": PaperFigures(trainable=48_120, connections=48_120),
    "f6": PaperFigures(trainable=10_164, connections=10_164),
    "output": PaperFigures(trainable=0, connections=840, fixed=840),
}
"""LeNet-5 in section II.B, by our names of the layers; connections as in the authors' preprint."""

PAPER_TOTAL = PaperFigures(trainable=60_000, connections=340_908, fixed=840)
"""The whole of LeNet-5, likewise."""

PAPER_NOTES = (
    "The printed IEEE version gives C3 156,000 connections and LeNet-5 345,308; the figures of the "
    "paper above are those of the authors' preprint.",
    "Fig. 11 gives LeNet-5 401 thousand multiply-adds, more than it has connections.",
)
"""Where the paper's own figures differ from one another."""


class Units(NamedTuple):
    """The units of a layer: all that its connections and multiply-adds follow from.

    Attributes:
        kind: what the layer is, in words.
        fan_in: inputs of one unit of each map, its bias not counted.
        size: the output's shape without batch and maps: `(h, w)`, or `()` for single units.
        sums: whether a unit sums its inputs (maximum pooling compares them).
    """

    kind: str
    fan_in: tuple[int, ...]
    size: torch.Size
    sums: bool = True


@singledispatch
def units(layer: nn.Module, output: Tensor) -> Units | None:
    """The units of a layer, from the layer and its output for one image.

    Register another kind of layer with `@units.register`.

    Returns:
        None for a module that is no layer of units, such as an activation or a container.
    """
    return None


@units.register
def _(layer: nn.Conv2d, output: Tensor) -> Units:
    height, width = layer.kernel_size
    fan_in = output.shape[1] * (layer.weight[0].numel(),)
    return Units(f"{height}x{width} convolution", fan_in, output.shape[2:])


@units.register
def _(layer: TableConv2d, output: Tensor) -> Units:
    side = layer.kernel_size
    return Units(f"{side}x{side} conv. by table", layer.fan_in, output.shape[2:])


@units.register
def _(layer: Subsampling, output: Tensor) -> Units:
    side = layer.WINDOW
    return Units(f"{side}x{side} subsampling", output.shape[1] * (side**2,), output.shape[2:])


@units.register
def _(layer: nn.MaxPool2d | nn.AvgPool2d, output: Tensor) -> Units:
    window = layer.kernel_size
    height, width = window if isinstance(window, tuple) else (window, window)
    sums = isinstance(layer, nn.AvgPool2d)
    kind = f"{height}x{width} {'average' if sums else 'maximum'} pooling"
    return Units(kind, output.shape[1] * (height * width,), output.shape[2:], sums)


@units.register
def _(layer: nn.BatchNorm2d, output: Tensor) -> Units:
    return Units("batch normalisation", output.shape[1] * (1,), output.shape[2:])


@units.register
def _(layer: nn.Linear, output: Tensor) -> Units:
    return Units("full connection", output.shape[-1] * (layer.in_features,), output.shape[1:-1])


@units.register
def _(layer: EuclideanRBF, output: Tensor) -> Units:
    fan_in = output.shape[-1] * (layer.centres.shape[1],)
    return Units("Euclidean RBF", fan_in, output.shape[1:-1])


def count_layers(net: nn.Module, field: int | None = None) -> list[LayerCount]:
    """Count the layers of a network in the order in which they run.

    Seen are the modules that `units` knows; other modules without parameters (activations, dropout,
    reshaping) and plain functions count for nothing. The network itself is left as it is.

    Args:
        net: takes images `(1, 1, field, field)`.
        field: side of the input in pixels; by default the network's own `FIELD`.

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
        of_layer = units(layer, output)
        if of_layer is not None:
            counts.append(_count(name, layer, of_layer))

    for name, layer in net.named_modules():
        layer.register_forward_hook(partial(count, name))
    like = next(net.parameters(), torch.empty(0))
    with torch.no_grad():
        net(like.new_zeros(1, 1, side, side))

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
    frozen = [p for p in layer.parameters() if not p.requires_grad]
    centres = layer.buffers() if isinstance(layer, EuclideanRBF) else ()
    height, width = (1, 1, *of_layer.size)[-2:]
    return LayerCount(
        name=name,
        kind=of_layer.kind,
        maps=len(of_layer.fan_in),
        size=(height, width),
        fan_in=(min(of_layer.fan_in), max(of_layer.fan_in)),
        trainable=sum(p.numel() for p in layer.parameters() if p.requires_grad),
        fixed=sum(weight.numel() for weight in (*frozen, *centres)),
        connections=inputs + biases,
        multiply_adds=inputs if of_layer.sums else 0,
    )


def training_step_multiply_adds(net: nn.Module, field: int | None = None) -> int:
    """The work of learning from one image, in multiply-adds.

    A layer's weights' gradients take as many as its forward sums, and so do its inputs' gradients.
    Needed are the sums of all layers, the weights' gradients of those that learn, and the inputs'
    gradients of those above the first that learns. The loss, and the update itself (one for each
    parameter), come on top.

    Args:
        net: takes images `(1, 1, field, field)`.
        field: side of the input in pixels; by default the network's own `FIELD`.

    Raises:
        ValueError: as `count_layers`.
    """
    layers = count_layers(net, field)
    learning = [index for index, layer in enumerate(layers) if layer.trainable]
    needed = layers + [layers[index] for index in learning]
    if learning:
        needed += layers[learning[0] + 1 :]
    return sum(layer.multiply_adds for layer in needed)


Counted = TypeVar("Counted", LayerCount, Total)


@dataclass(frozen=True)
class Row(Generic[Counted]):
    """A count beside the paper's figure; None where the paper has none.

    Attributes:
        count: what the modules hold and do.
        paper: what the paper says.
        parameters_agree: whether both have as many trainable and as many fixed parameters.
        connections_agree: whether both have as many connections.
    """

    count: Counted
    paper: PaperFigures | None = None
    parameters_agree: bool | None = None
    connections_agree: bool | None = None


@dataclass(frozen=True)
class Summary:
    """A network counted; `dataclasses.asdict` makes it ready for JSON.

    Attributes:
        network: name of its class.
        layers: one row for each, as they run.
        total: their sum.
        training_step_multiply_adds: the work of learning from one image.
        notes: what to know of the paper's figures; empty where there are none.
    """

    network: str
    layers: tuple[Row[LayerCount], ...]
    total: Row[Total]
    training_step_multiply_adds: int
    notes: tuple[str, ...] = ()


def summary(net: nn.Module, field: int | None = None) -> Summary:
    """Count a network and, where it is LeNet-5, compare it with the paper.

    Args:
        net: takes images `(1, 1, field, field)`.
        field: side of the input in pixels; by default the network's own `FIELD`.

    Raises:
        ValueError: as `count_layers`.
    """
    layers = count_layers(net, field)
    total = Total(
        trainable=sum(layer.trainable for layer in layers),
        fixed=sum(layer.fixed for layer in layers),
        connections=sum(layer.connections for layer in layers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
    )
    in_paper = isinstance(net, LeNet5Classic)
    return Summary(
        network=type(net).__name__,
        layers=tuple(
            _compare(layer, PAPER.get(layer.name) if in_paper else None) for layer in layers
        ),
        total=_compare(total, PAPER_TOTAL if in_paper else None),
        training_step_multiply_adds=training_step_multiply_adds(net, field),
        notes=PAPER_NOTES if in_paper else (),
    )


def _compare(count: Counted, paper: PaperFigures | None) -> Row[Counted]:
    if paper is None:
        return Row(count)
    return Row(
        count,
        paper,
        parameters_agree=(count.trainable, count.fixed) == (paper.trainable, paper.fixed),
        connections_agree=count.connections == paper.connections,
    )


_COLUMNS = (
    *("layer", "kind", "maps", "fan-in"),
    *("trainable", "paper", "", "fixed"),
    *("connections", "paper", "", "multiply-\nadds"),
)


def print_summary(summary: Summary, console: Console) -> None:
    """Draw a summary as a table, with a ✓ where the paper agrees.

    LeNet-5 takes 98 columns. Beside the paper's figures the kinds of the layers are left out on a
    console of fewer than 100 columns; then it takes 79.
    """
    from rich import box
    from rich.table import Table

    if summary.total.paper is None:
        hidden = {"paper", ""}
    else:
        hidden = {"kind"} if console.width < 100 else set()
    table = Table(box=box.HORIZONTALS, show_edge=False, padding=0)
    for header in _COLUMNS:
        if header not in hidden:
            words = header in ("layer", "kind")
            table.add_column(header, justify="left" if words else "right", no_wrap=not words)
    rows: list[Row[LayerCount] | Row[Total]] = [*summary.layers, summary.total]
    for row in rows:
        if row is summary.total:
            table.add_section()
        cells = zip(_COLUMNS, _cells(row), strict=True)
        table.add_row(*(cell for header, cell in cells if header not in hidden))

    console.print(summary.network, highlight=False)
    console.print(table)
    work = f"Learning from one image takes {summary.training_step_multiply_adds:,} multiply-adds."
    for line in ("", work, *summary.notes):
        console.print(line, highlight=False)


def _cells(row: Row[LayerCount] | Row[Total]) -> list[str]:
    count, paper = row.count, row.paper
    if isinstance(count, LayerCount):
        (height, width), (least, most) = count.size, count.fan_in
        fan_in = f"{least:,}" if least == most else f"{least:,}–{most:,}"
        head = [count.name, count.kind, f"{count.maps}@{height}x{width}", fan_in]
    else:
        head = ["total", "", "", ""]
    return [
        *head,
        f"{count.trainable:,}",
        f"{paper.trainable:,}" if paper else "",
        "✓" if row.parameters_agree else "",
        f"{count.fixed:,}",
        f"{count.connections:,}",
        f"{paper.connections:,}" if paper else "",
        "✓" if row.connections_agree else "",
        f"{count.multiply_adds:,}",
    ]
