"""Recipes tried beside `paper`, seed by seed: what is measured of them, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from lenet1998.data import Dataset
from lenet1998.evidence.experiment import Experiment, Runs
from lenet1998.evidence.fig05 import Curves
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.answers import misread
from lenet1998.measures.spread import Paired, Spread, holm
from lenet1998.measures.writers import RESAMPLES, Resampled, gain_points
from lenet1998.report import plots
from lenet1998.report.sections import Plot, Section

EARLY = 3  # the pass after which slow learning still shows
_MUCH = 4  # times the error of `paper`, above which a plot gives the number only


OF_INTERVALS = (
    f"Intervals are of 95 %, over writers and seeds both drawn anew {RESAMPLES:,} times, the same "
    "of both recipes. Worse and better are said where chance explains the difference with less "
    "than 5 % after Holm's correction for all recipes of the table."
)


@dataclass(frozen=True)
class Tried:
    """A recipe's errors in percent, and how much higher they are than those of `paper`."""

    errors: Spread  # after the last pass
    test: tuple[float, ...]  # after each pass, mean of the seeds
    online: tuple[float, ...]  # counted on line during it, likewise
    cost: Resampled  # after the last pass, seed by seed
    p: float  # of the cost, corrected for all recipes tried (Holm)
    early_cost: Paired  # after the first few passes
    parameters: int  # that learn

    @property
    def effect(self) -> str:
        """`"worse"`, `"better"` or `"same"`; `"lost"` where most is misread, `""` for one seed."""
        if self.errors.mean > 50:
            return "lost"
        if len(self.errors.values) == 1:
            return ""
        return "same" if self.p >= 0.05 else "worse" if self.cost.mean > 0 else "better"

    @property
    def cost_in_words(self) -> str:
        """With its interval: "+0.12 (+0.03 to +0.20)"."""
        low, high = self.cost.interval
        return f"{self.cost.mean:+.2f} ({low:+.2f} to {high:+.2f})"

    @property
    def gain_in_words(self) -> str:
        """The cost the other way round."""
        low, high = self.cost.interval
        return f"{-self.cost.mean:+.2f} ({-high:+.2f} to {-low:+.2f})"

    def in_words(self) -> str:
        """What changing the recipe does."""
        if self.effect in ("worse", "better"):
            return f"{self.effect} by {abs(self.cost.mean):.2f} points, beyond chance"
        if self.effect == "same":
            most = max(map(abs, self.cost.interval))
            return f"no difference beyond chance (up to {most:.2f} points)"
        return "nothing is learnt, or all of it lost" if self.effect else "so few seeds cannot say"


@dataclass(frozen=True)
class Trials:
    """What was measured, by the name of the recipe; `paper` is one of them."""

    tried: dict[str, Tried]

    @property
    def paper(self) -> Tried:
        return self.tried["paper"]


Present: TypeAlias = Callable[[Trials, Dataset], Section]


def experiment(
    name: str, title: str, recipes: Iterable[Recipe], present: Present, **options: Any
) -> Experiment[Trials]:
    """One that sets recipes beside `paper`; the options are those of `Experiment`."""
    recipes = (preset("paper"), *recipes)
    return Experiment(name, title, recipes, Trials, measure, present, **options)


def measure(runs: Runs, dataset: Dataset) -> Trials:
    """The errors of each recipe, and their cost."""
    curves = {name: Curves.of(of_recipe) for name, of_recipe in runs.items()}
    wrong = {
        name: torch.stack(
            [misread(of.net, dataset.test_images, dataset.test_labels) for of in some]
        )
        for name, some in runs.items()
    }
    costs = {
        name: gain_points(wrong["paper"], of_recipe, dataset.test_writers)
        for name, of_recipe in wrong.items()
    }
    others = [name for name in runs if name != "paper"]
    corrected = dict(zip(others, holm([costs[name].p or 1.0 for name in others]), strict=True))

    def tried(name: str) -> Tried:
        test, online = curves[name].test, curves[name].online_training
        early = (curves[of].test.after[:EARLY][-1].values for of in ("paper", name))
        return Tried(
            errors=test.last,
            test=tuple(round(at.mean, 4) for at in test.after),
            online=tuple(round(at.mean, 4) for at in online.after),
            cost=costs[name],
            p=round(corrected.get(name, 1.0), 6),
            early_cost=Paired.of(*early),
            parameters=sum(p.numel() for p in runs[name][0].net.parameters() if p.requires_grad),
        )

    return Trials({name: tried(name) for name in runs})


def dots_plot(
    name: str, what: str, shown: Mapping[str, Tried], trials: Trials, dataset: Dataset, caption: str
) -> Plot:
    """The error of every seed, a row for each recipe of `shown`, beside the mean of `paper`."""
    paper = trials.paper.errors.mean
    rows = {
        label: tried.errors.values if tried.errors.mean <= _MUCH * paper else ()
        for label, tried in shown.items()
    }
    figure, axes = plots.plot(what, dataset.name, plots.row_height(len(rows)))
    plots.dots(axes, rows)
    for place, (label, tried) in enumerate(shown.items()):
        if not rows[label]:
            plots.beyond(axes, place, f"{tried.errors.mean:.0f} %")
    plots.level(axes, paper, upright=True)
    axes.set_xlabel("error on digits held out (%)" if dataset.held_out else "test error (%)")
    return Plot(name, figure, f"{caption} Circles: the seeds; stroke: their mean.")
