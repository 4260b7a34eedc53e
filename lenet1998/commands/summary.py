"""`lenet1998 summary`: a network counted, layer by layer, beside the paper's figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from torch import nn

from lenet1998 import catalogue
from lenet1998.evidence import facts
from lenet1998.measures import counting
from lenet1998.measures.counting import LayerCount, Total
from lenet1998.models.classic import LeNet5Classic
from lenet1998.report.sections import Document, Outcome, Section, Table


@dataclass(frozen=True)
class Row:
    """A count beside the paper's figure; None where the paper has none."""

    count: LayerCount | Total  # what the modules hold and do
    paper: facts.Counts | None = None  # what the paper says
    parameters_agree: bool | None = None  # as many trainable, and as many fixed
    connections_agree: bool | None = None


@dataclass(frozen=True)
class Summary:
    """A network counted; `dataclasses.asdict` makes it ready for JSON."""

    network: str  # name of its class
    layers: tuple[Row, ...]  # as they run
    total: Row
    training_step_multiply_adds: int  # the work of learning from one image
    notes: tuple[str, ...] = ()  # what to know of the paper's figures; empty where there are none


def summarise(net: nn.Module, field: int | None = None) -> Summary:
    """Count a network and, where it is LeNet-5, compare it with the paper.

    Args and errors as for `count_layers`.
    """
    layers = counting.count_layers(net, field)
    in_paper = isinstance(net, LeNet5Classic)

    def row(count: LayerCount | Total, paper: facts.Counts | None) -> Row:
        if paper is None or not in_paper:
            return Row(count)
        parameters_agree = (count.trainable, count.fixed) == (paper.trainable, paper.fixed)
        return Row(count, paper, parameters_agree, count.connections == paper.connections)

    return Summary(
        network=type(net).__name__,
        layers=tuple(row(layer, facts.LAYERS.get(layer.name)) for layer in layers),
        total=row(counting.total(layers), facts.NETWORK),
        training_step_multiply_adds=counting.training_step_multiply_adds(net, field),
        notes=facts.NOTES if in_paper else (),
    )


def summary(network: str = "lenet5-classic") -> Outcome:
    """A network of the catalogue counted; ValueError for an unknown name."""
    counted = summarise(catalogue.find(network).build())
    work = f"Learning from one image takes {counted.training_step_multiply_adds:,} multiply-adds."
    sections = [Section(tables=[layer_table(counted)]), Section(text=[work, *counted.notes])]
    return Outcome(asdict(counted), Document(f"{network}, counted", sections))


def layer_table(counted: Summary) -> Table:
    """A summary as a table, with a ✓ where the paper agrees."""
    header = [
        *("layer", "kind", "maps", "fan-in", "trainable", "paper", "fixed"),
        *("connections", "paper", "multiply-\nadds"),
    ]
    lines = [header, *map(_cells, counted.layers), _cells(counted.total)]
    if counted.total.paper is not None:
        return Table(counted.network, header, lines[1:], spare=("kind",))
    kept = [place for place, name in enumerate(header) if name != "paper"]
    header, *rows = ([line[place] for place in kept] for line in lines)
    return Table(counted.network, header, rows)


def _cells(row: Row) -> list[str]:
    count, paper = row.count, row.paper
    head = ["total", "", "", ""]
    if isinstance(count, LayerCount):
        (height, width), (least, most) = count.size, count.fan_in
        fan_in = f"{least:,}" if least == most else f"{least:,}–{most:,}"
        head = [count.name, count.kind, f"{count.maps}@{height}x{width}", fan_in]
    return [
        *head,
        f"{count.trainable:,}",
        f"{paper.trainable:,}{' ✓' * bool(row.parameters_agree)}" if paper else "",
        f"{count.fixed:,}",
        f"{count.connections:,}",
        f"{paper.connections:,}{' ✓' * bool(row.connections_agree)}" if paper else "",
        f"{count.multiply_adds:,}",
    ]
