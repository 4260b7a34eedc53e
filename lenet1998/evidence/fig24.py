"""Fig. 24: what it costs to run a network along a field, beside window by window (section VII)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn

from lenet1998.data import Dataset
from lenet1998.evidence.experiment import Experiment, Runs
from lenet1998.measures import counting
from lenet1998.measures.answers import scores
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.saved import load
from lenet1998.report.sections import Claim, Conclusion, Section, Table

NETWORK = "lenet5-strings"
WIDTH = 256  # of the field, in pixels

_WINDOWS = range(0, WIDTH - 31, 4)
_REPEATS = 20


@dataclass(frozen=True)
class Way:
    """Of one way to the same outputs: multiply-adds, and seconds on the machine that measured."""

    multiply_adds: int
    seconds: float


@dataclass(frozen=True)
class Costs:
    """What was measured, one thread."""

    ways: dict[str, Way]


SHARED, WINDOWS = "along the field", "window by window"
PLAIN_SHARED, PLAIN = "along the field, PyTorch", "window by window, PyTorch"


class _Along(nn.Module):
    """A network along a field, as `counting` runs it."""

    def __init__(self, net: LeNet5Classic) -> None:
        super().__init__()
        self.net = net

    def forward(self, fields: Tensor) -> Tensor:
        return self.net.penalty_map(fields)


def ways(net: LeNet5Classic) -> dict[str, Callable[[], Tensor]]:
    """All ways to the outputs of a field, ready to be timed."""
    from lenet1998.kernels.packed import FusedField, FusedReader  # Numba is slow to import

    field = torch.rand(1, 1, net.FIELD, WIDTH, generator=torch.Generator().manual_seed(0)) - 0.1
    windows = torch.cat([field[..., left : left + net.FIELD] for left in _WINDOWS])
    along, fused = FusedField(net), FusedReader(net)
    return {
        SHARED: lambda: along.penalty_map(field),
        WINDOWS: lambda: fused.penalties(windows),
        PLAIN_SHARED: lambda: net.penalty_map(field),
        PLAIN: lambda: scores(net, windows, fused=False),
    }


def _measure(runs: Runs, dataset: Dataset) -> Costs:
    net = load(NETWORK)
    assert isinstance(net, LeNet5Classic)
    of_field = ways(net)
    least, threads = dict.fromkeys(of_field, math.inf), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with torch.no_grad():
            for _ in range(_REPEATS):  # in turn, so that all have the machine as it is
                for name, way in of_field.items():
                    started = perf_counter()
                    way()
                    least[name] = min(least[name], perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    counted = counting.count_layers(_Along(net), (net.FIELD, WIDTH))
    shared = counting.total(counted).multiply_adds
    apart = len(_WINDOWS) * counting.total(counting.count_layers(net)).multiply_adds
    return Costs(
        {
            name: Way(shared if name in (SHARED, PLAIN_SHARED) else apart, round(seconds, 6))
            for name, seconds in least.items()
        }
    )


def _present(values: Costs, dataset: Dataset) -> Section:
    shared, windows = values.ways[SHARED], values.ways[WINDOWS]
    fewer, faster = (
        windows.multiply_adds / shared.multiply_adds,
        windows.seconds / shared.seconds,
    )
    plain = values.ways[PLAIN].seconds / shared.seconds
    text = [
        "Replicated over a wide field, the network computes what neighbouring windows share, their "
        "parts of C1 to S4, only once. The paper calls the saving drastic; it prints no number.",
        f"A field of 32x{WIDTH} has {len(_WINDOWS)} windows, one every 4 pixels. Along it the "
        f"network needs {fewer:.1f} times fewer multiply-adds than in all of them. In compiled "
        f"kernels, on one thread, it is {faster:.1f} times as fast as these, and {plain:.1f} times "
        "as fast as they are by PyTorch. C5 and what is above it, which windows do not share, are "
        "most of what is left.",
    ]
    table = Table.of(
        f"A field of 32x{WIDTH}",
        "",
        values.ways,
        {
            "million multiply-adds": lambda way: f"{way.multiply_adds / 1e6:.1f}",
            "times the least": lambda way: f"{way.seconds / shared.seconds:.1f}",
            "ms": lambda way: f"{1000 * way.seconds:.2f}",
        },
    )
    holds = "yes" if min(fewer, faster) >= 2 else "in part" if min(fewer, faster) > 1 else "no"
    claim = Claim(
        33,
        f"a field of 32x{WIDTH} takes {fewer:.1f} times fewer multiply-adds than its windows, and "
        f"{faster:.1f} times less time",
        holds,
    )
    conclusion = Conclusion(
        f"windows of a 32x{WIDTH} field, times the cost of all at once", "–", f"{fewer:.1f}"
    )
    return Section("", text, [table], conclusions=[conclusion], claims=[claim])


FIG24 = Experiment(
    name="fig24",
    title="Fig. 24: a network along a field",
    recipes=(),
    values=Costs,
    measure=_measure,
    present=_present,
    seeds=1,
)
