"""Figs. 11 and 12: what it costs to read a digit, and what has to be kept, of every classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lenet1998.data import Dataset
from lenet1998.evidence.classifiers import ROWS, OnStates
from lenet1998.evidence.experiment import Experiment, Runs
from lenet1998.evidence.fig09 import (
    AVERAGE_COST,
    BARS,
    BASE,
    FITS,
    RECIPES,
    Fits,
    bars_figure,
    states_below_the_top,
)
from lenet1998.evidence.fits import Fit
from lenet1998.evidence.lenet4_sizes import sizes_table
from lenet1998.learning.recipe import Recipe
from lenet1998.measures import counting
from lenet1998.models.boosted import BoostedLeNet4
from lenet1998.models.network import Network
from lenet1998.report.sections import Claim, Plot, Section, Table

__all__ = ["FIG11", "FIG12"]


@dataclass(frozen=True)
class Costs:
    """A number for each row, in thousands."""

    thousands: dict[str, float]


def _costs(name: str, title: str, what: str, printed: str, counted: str) -> Experiment[Costs]:
    """An experiment that counts: Fig. 11's multiply-adds, or Fig. 12's variables."""

    def measure(runs: Runs, dataset: Dataset, fits: Fits) -> Costs:
        def of(row: Recipe | Fit | OnStates) -> float:
            if isinstance(row, Fit):
                return float(getattr(fits[row.name], counted))
            if isinstance(row, Recipe):
                return _of_network(runs[row.name][0].net)
            base = runs[ROWS[BASE].name][0].net  # type: ignore[union-attr]
            return _of_network(base) + _of_head(row.fit, base)

        def _of_network(net: Network) -> float:
            total = counting.total(counting.count_layers(net))
            if counted == "variables":
                return total.trainable
            times = AVERAGE_COST / 3 if isinstance(net, BoostedLeNet4) else 1
            return times * total.multiply_adds

        def _of_head(fit: Fit, net: Network) -> float:
            classifier = fit.build()
            states = states_below_the_top(net)(dataset.training_images)
            classifier.fit(states.numpy(), dataset.training_labels.numpy())
            return float(getattr(classifier, f"{counted}_"))

        return Costs({name: round(of(row) / 1000, 1) for name, row in ROWS.items()})

    def present(values: Costs, dataset: Dataset) -> Section:
        bars = {row: getattr(bar, printed) for row, bar in BARS.items()}
        off = [values.thousands[row] / bar for row, bar in bars.items() if bar is not None]
        within = sum(0.8 <= ratio <= 1.25 for ratio in off)
        text = [
            f"{what}, in thousands, counted from what was fitted. Of {len(off)} printed values "
            f"{within} are within a quarter of ours. What stands with many more or fewer was made "
            "otherwise in 1998, or counted otherwise; the paper does not say how.",
        ]
        rows = {row: (bars[row], thousands) for row, thousands in values.thousands.items()}
        columns: dict[str, Callable[[tuple[float | None, float]], str]] = {
            "1998": lambda both: "–" if both[0] is None else f"{both[0]:,.0f}",
            "here": lambda both: f"{both[1]:,.0f}",
            "ratio": lambda both: "–" if both[0] is None else f"{both[1] / both[0]:.2f}",
        }
        shown = {row: thousands for row, thousands in values.thousands.items() if bars[row]}
        figure = bars_figure(
            f"{title.split(':')[0]}: {what.lower()}", "thousands", dataset, bars, shown, log=True
        )
        return Section(
            text=text,
            tables=[
                Table.of(f"{what} (thousands)", "classifier", rows, columns),
                *([sizes_table()] if counted == "variables" else []),
            ],
            plots=[Plot(name, figure, "Open: as printed in 1998. Full: here.")],
            claims=[_of_costs(what, within, len(off))] if dataset.is_comparable else [],
        )

    return Experiment(
        name=name,
        title=title,
        recipes=RECIPES,
        fits=FITS,
        values=Costs,
        measure=measure,
        present=present,
        seeds=1,
    )


def _of_costs(what: str, within: int, printed: int) -> Claim:
    measured = f"{what}: {within} of {printed} within a quarter"
    return Claim(24, measured, "yes" if within == printed else "in part")


FIG11 = _costs("fig11", "Fig. 11: multiply-adds to read a digit", "Multiply-adds for a digit",
               "multiply_adds", "multiply_adds")  # fmt: skip
FIG12 = _costs("fig12", "Fig. 12: variables to be kept", "Variables", "variables", "variables")
