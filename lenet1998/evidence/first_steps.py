"""The steps of the first pass (section III.B): what they fix of the choices that are not printed.

The paper prints mu, the first rate, and the least and the greatest step. The second derivatives
grow with the penalty scale, which it does not print, and with the bound of the initial weights,
which it prints in a form that does not learn. So, for a given start of the coefficients of S2 and
S4, the two ends are two equations for two unknowns; they are solved before anything is trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import geometric_mean
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lenet1998.data import Dataset
from lenet1998.data.field import BACKGROUND, INK
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import (
    PASSES,
    Experiment,
    Runs,
    not_comparable,
    schedule_in_words,
)
from lenet1998.evidence.fig05 import Curves, distance_to_fig05, draw_readings
from lenet1998.learning.patterns import Patterns
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.counting import count_layers, total
from lenet1998.models.chain import ChainNetwork
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table
from lenet1998.runs.run import trainer_for

PAPER: Recipe = preset("paper")

_SEEDS = range(20)  # that solve the equations; 1998's was one
_BOUNDS = np.linspace(0.6, 2.4, 13)  # of the initial weights, times sqrt(fan-in)
_COEFFICIENTS = (None, 0.25, 0.35, 0.5, 0.7, 1.0)  # of S2 and S4 at the start
_ROUNDING = ((6.5e-5, 7.5e-5), (0.0155, 0.0165))  # what is printed as about 7e-5, and as 0.016
_PASSES = (1, 2, 3, 5, 9, 20)  # in the table
_PRINTED_RATES = (
    "0.0005 from pass 1, 0.0002 from pass 3, 0.0001 from pass 6, 5e-05 from pass 9, "
    "1e-05 from pass 13"
)


@dataclass(frozen=True)
class Steps:
    """The least and the greatest step over the parameters in the first pass, of each seed."""

    least: tuple[float, ...]
    greatest: tuple[float, ...]

    @property
    def means(self) -> tuple[float, float]:
        """Of each end, geometric."""
        return geometric_mean(self.least), geometric_mean(self.greatest)

    @property
    def meet_the_printed(self) -> bool:
        """Whether both printed ends lie within the seeds."""
        ends = zip(facts.FIRST_STEPS, (self.least, self.greatest), strict=True)
        return all(min(end) <= printed <= max(end) for printed, end in ends)


@dataclass(frozen=True)
class Reading:
    """A penalty scale and a bound that give the printed range, by the mean of the seeds."""

    coefficient: float | None  # of S2 and S4 at the start; None for half the bound
    bound: float  # of the initial weights, times sqrt(fan-in)
    scale: float  # of the penalty
    bounds: tuple[float, float]  # what the rounding of the printed numbers allows
    scales: tuple[float, float]  # likewise


@dataclass(frozen=True)
class FirstSteps:
    """What was measured."""

    recipes: dict[str, Steps]  # of named recipes
    moved: dict[str, Steps]  # of `paper` with another choice changed
    readings: tuple[Reading, ...]  # all that meet the range
    curves: dict[str, Curves]  # of those that were trained, by recipe


def _but(words: str, **changes: Any) -> Recipe:
    return replace(PAPER, name=f"paper,{words}", **changes)


TRAINED = (
    PAPER,
    _but("rounding", init_bound=1.28, penalty_scale=0.35),
    _but("second-solution", init_bound=0.92, penalty_scale=2.5),
    _but("coefficient=0.5", init_bound=1.55, penalty_scale=0.34, coefficient=0.5),
    _but("coefficient=1", init_bound=1.31, penalty_scale=0.13, coefficient=1.0),
    preset("fitted"),
)
"""Readings that meet the printed range, `rounding` at an end of what the rounding allows; and one
that does not."""

_NAMED = ("paper", "fitted", "authors-software")
_MOVED: dict[str, dict[str, Any]] = {
    "j = 4": {"j": 4.0},
    "coefficients 0.25": {"coefficient": 0.25},
    "coefficients 1": {"coefficient": 1.0},
    "the loss's own curvature at F6": {"output_curvature": "loss"},
    "5,000 patterns in the estimate": {"curvature_patterns": 5000},
    "the whole distance": {"penalty_scale": 1.0},
    "bound 1.2": {"init_bound": 1.2},
}


def _few(recipe: Recipe, dataset: Dataset, number: int = 1) -> Tensor:
    """The patterns from which a pass estimates the second derivatives."""
    patterns = Patterns(recipe, dataset)
    images, _, order = patterns.of_pass(1)
    return images[patterns.sample(order, number)]


def _curvature(recipe: Recipe, few: Tensor, biases: float = 0.0) -> tuple[float, float]:
    """The least and the greatest h at the start, the biases drawn within so much of 0."""
    net = recipe.build()
    assert isinstance(net, ChainNetwork)
    generator = torch.Generator().manual_seed(recipe.seed)
    for name, parameter in net.named_parameters():
        if biases and name.endswith("bias"):
            nn.init.uniform_(parameter, -biases, biases, generator)
    diagonal = trainer_for(net, recipe, "fused").estimate_curvature(few)
    values = torch.cat([h.flatten() for h in diagonal.values()])
    return values.min().item(), values.max().item()


def _steps(recipe: Recipe, dataset: Dataset, number: int = 1, biases: float = 0.0) -> Steps:
    """Of the first pass, with the patterns that another would take, or other biases."""
    seeded = [replace(recipe, seed=seed) for seed in _SEEDS]
    all_h = [_curvature(of_seed, _few(of_seed, dataset, number), biases) for of_seed in seeded]
    least = tuple(recipe.eta(1) / (recipe.mu + largest) for _, largest in all_h)
    return Steps(least, tuple(recipe.eta(1) / (recipe.mu + smallest) for smallest, _ in all_h))


def _solutions(
    h: npt.NDArray[np.float64], least: float, greatest: float
) -> Iterator[tuple[float, float]]:
    """Bound and scale for steps from `least` to `greatest`.

    `h` has the logarithm of the least and the greatest h for each of `_BOUNDS`, at scale 1: the
    range fixes their ratio, and so the bound, and then the scale.
    """
    smallest, largest = (PAPER.eta(1) / step - PAPER.mu for step in (greatest, least))
    excess = h[:, 1] - h[:, 0] - np.log(largest / smallest)
    for k in np.flatnonzero(np.diff(excess > 0)):
        at = k + excess[k] / (excess[k] - excess[k + 1])
        places = np.arange(len(_BOUNDS))
        scale = largest / np.exp(np.interp(at, places, h[:, 1]))
        yield float(np.interp(at, places, _BOUNDS)), float(scale)


def _readings(coefficient: float | None, of_seeds: Sequence[Tensor]) -> Iterator[Reading]:
    """All that meet the range with this start of the coefficients."""
    start = replace(PAPER, coefficient=coefficient, penalty_scale=1.0)
    h = np.zeros((len(_BOUNDS), 2))
    for k, bound in enumerate(_BOUNDS):
        for seed, few in zip(_SEEDS, of_seeds, strict=True):
            recipe = replace(start, seed=seed, init_bound=float(bound))
            h[k] += np.log(_curvature(recipe, few)) / len(_SEEDS)
    corners = [list(_solutions(h, *ends)) for ends in product(*_ROUNDING)]
    for bound, scale in _solutions(h, *facts.FIRST_STEPS):
        # In each corner of the rounding the solution that belongs to this one.
        nearest = [min(some, key=lambda other: abs(other[0] - bound)) for some in corners if some]
        bounds, scales = zip(*nearest, strict=True)
        intervals = (min(bounds), max(bounds)), (min(scales), max(scales))
        yield Reading(coefficient, bound, scale, *intervals)


def _measure(runs: Runs, dataset: Dataset) -> FirstSteps:
    of_seeds = [_few(replace(PAPER, seed=seed), dataset) for seed in _SEEDS]
    moved = {words: _steps(replace(PAPER, **changes), dataset) for words, changes in _MOVED.items()}
    moved["biases within 0.5"] = _steps(PAPER, dataset, biases=0.5)
    moved["500 other patterns"] = _steps(PAPER, dataset, number=2)
    return FirstSteps(
        recipes={name: _steps(preset(name), dataset) for name in _NAMED},
        moved=moved,
        readings=tuple(
            reading for start in _COEFFICIENTS for reading in _readings(start, of_seeds)
        ),
        curves={name: Curves.of(of_recipe) for name, of_recipe in runs.items()},
    )


def _ends(least: float, greatest: float) -> str:
    return f"{least:.2g} to {greatest:.2g}"


def _present(values: FirstSteps, dataset: Dataset) -> Section:
    paper, fitted = values.recipes["paper"], values.recipes["fitted"]
    starts = {reading.coefficient for reading in values.readings}
    unmet = [f"{start:g}" for start in _COEFFICIENTS if start not in starts and start is not None]
    text = [
        f"The paper prints μ = {PAPER.mu}, {PAPER.curvature_patterns} patterns for the second "
        f"derivatives, and steps from about {_ends(*facts.FIRST_STEPS)} over the parameters in the "
        "first pass. The second derivatives grow with the scale of the penalty and with the bound "
        "of the initial weights. With those that are printed, the whole distance (eq. 7) and "
        "2.4/F, nothing is learnt; so both are open. For a given start of the coefficients of S2 "
        "and S4 the two ends fix them: the ratio of the ends the bound, and then either end the "
        "scale. Nothing is trained for that, and no error is looked at.",
        "More than one reading meets the range. 'paper' has the coefficients start at half "
        "the bound, the rule of all other weights and of the authors' software, which needs no "
        f"further number; its steps run from {_ends(*paper.means)} (means of {len(_SEEDS)} seeds). "
        f"A single network of it may have {_ends(*_both(paper.least))} for the "
        f"least step, and {_ends(*_both(paper.greatest))} for the greatest, so that one printed "
        "range does not fix the reading more closely than the intervals below."
        + (f" Coefficients that start at {' or '.join(unmet)} never meet it." if unmet else ""),
        "j, the labels and the codes do not enter the second derivatives where the curvature at "
        "F6 is constant; nor does the loss's own curvature change them at the start, when the "
        "rubbish class is the most probable.",
        f"The recipe 'fitted' is not bound by the range: its μ = {preset('fitted').mu} was chosen, "
        "with its bound, by how closely Fig. 5's training error is followed. Its steps run from "
        f"{_ends(*fitted.means)}.",
    ]
    claims = []
    if dataset.is_comparable:
        away = {
            name: distance_to_fig05([at.mean for at in curves.online_training.after])
            for name, curves in values.curves.items()
            if name != "fitted"
        }
        near, far = min(away, key=away.__getitem__), max(away, key=away.__getitem__)
        text.append(
            "Fig. 5, which chose none of the others, then tells them apart: its training error is "
            f"followed most closely by '{near}' ({away[near]:.2f} points, root mean square over "
            f"the passes) and least by '{far}' ({away[far]:.1f})."
        )
        measured = (
            f"steps from {_ends(*paper.means)} ({len(_SEEDS)} seeds: {_ends(*_both(paper.least))} "
            f"and {_ends(*_both(paper.greatest))}), with the printed rates, μ and patterns"
        )
        claims = [Claim(17, measured, "yes" if paper.meet_the_printed else "no")]
    else:
        text.append(not_comparable(dataset))
    shown = {**values.recipes, **{f"{PAPER.name}, {key}": m for key, m in values.moved.items()}}
    of_steps = {
        "least": lambda steps: f"{steps.means[0]:.2g}",
        "lowest to highest": lambda steps: _ends(*_both(steps.least)),
        "greatest": lambda steps: f"{steps.means[1]:.2g}",
        "lowest to highest seed": lambda steps: _ends(*_both(steps.greatest)),
        "printed range": lambda steps: _met(steps, dataset),
    }
    caption = f"Steps of the first pass over the parameters, {len(_SEEDS)} seeds"
    rows = [
        (
            "half the bound" if reading.coefficient is None else f"{reading.coefficient:g}",
            f"{reading.bound:.2f}",
            "{:.2f}–{:.2f}".format(*reading.bounds),
            f"{reading.scale:.2f}",
            "{:.2f}–{:.2f}".format(*reading.scales),
        )
        for reading in values.readings
    ]
    header = ("coefficients start at", "bound × √F", "by rounding", "penalty scale", "by rounding ")
    tables = [
        Table.of(caption, "recipe", shown, of_steps),
        Table("Readings that meet the printed range", header, rows),
        _errors(values, dataset),
        _printed(values, dataset),
    ]
    conclusions = [
        Conclusion(
            "least and greatest step of the first pass",
            _ends(*facts.FIRST_STEPS),
            _ends(*paper.means),
            _met(paper, dataset),
        )
    ]
    drawn = [_plot(values, dataset)]
    return Section("", text, tables, drawn, conclusions=conclusions, claims=claims)


def _printed(values: FirstSteps, dataset: Dataset) -> Table:
    """Every number that sections II.B and III.B print of LeNet-5 and its training."""
    layers = count_layers(PAPER.build())
    counted, images = total(layers), dataset.training_images
    steps, digits = values.recipes["paper"], (dataset.training_labels, dataset.test_labels)

    def numbers(counts: Iterable[int]) -> str:
        return ", ".join(f"{count:,}" for count in counts)

    lines = (
        (
            "parameters of C1 to F6",
            numbers(of.trainable for of in facts.LAYERS.values() if of.trainable),
            numbers(layer.trainable for layer in layers if layer.trainable),
            "",
        ),
        (
            "trainable parameters, connections",
            numbers((facts.NETWORK.trainable, facts.NETWORK.connections)),
            numbers((counted.trainable, counted.connections)),
            "",
        ),
        ("levels of paper and ink", "-0.1, 1.175", f"{BACKGROUND}, {INK}", ""),
        (
            "mean and variance of the input",
            "about 0, about 1",
            f"{images.mean():.2f}, {images.var():.2f}",
            "these levels make it so",
        ),
        ("training and test patterns", "60,000, 10,000", numbers(map(len, digits)), ""),
        ("passes", "20", f"{PASSES}", ""),
        ("rates", _PRINTED_RATES, schedule_in_words(PAPER.schedule), ""),
        ("order", "constant", PAPER.order, ""),
        ("patterns of an estimate", "500", f"{PAPER.curvature_patterns}", ""),
        ("μ", "0.02", f"{PAPER.mu}", ""),
        (
            "least and greatest step, pass 1",
            _ends(*facts.FIRST_STEPS),
            _ends(*steps.means),
            "met within the seeds" if steps.meet_the_printed else "not met",
        ),
        (
            "initial weights",
            "within 2.4/F",
            f"within {PAPER.init_bound}/√F",
            "as printed nothing is learnt ('paper-literal')",
        ),
        (
            "penalty (eq. 7)",
            "1 times the squared distance",
            f"{PAPER.penalty_scale} times the squared distance",
            "with 1 and the printed μ no bound gives the steps",
        ),
    )
    rows = [(*line[:3], "met" if line[1] == line[2] else line[3]) for line in lines]
    caption = "Printed numbers of sections II.B and III.B; those of errors are with Fig. 5"
    return Table(caption, ("", "printed", "here", "met?"), rows)


def _both(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _met(steps: Steps, dataset: Dataset) -> str:
    if not dataset.is_comparable:
        return ""
    return "met" if steps.meet_the_printed else "not met"


def _errors(values: FirstSteps, dataset: Dataset) -> Table:
    paper = facts.learning_curve()
    shown = [
        number for number in _PASSES if number <= min(c.passes for c in values.curves.values())
    ]
    curves: dict[str, Sequence[Sequence[float]]] = {}
    if dataset.is_comparable:
        curves["1998"] = (paper.online_training, paper.test)
    for name, of_recipe in values.curves.items():
        kinds = (of_recipe.online_training, of_recipe.test)
        curves[name] = [[at.mean for at in kind.after] for kind in kinds]
    rows = [
        (name, *(f"{errors[number - 1]:.2f}" for errors in both for number in shown))
        for name, both in curves.items()
    ]
    heads = [f"{kind} {number}" for kind in ("training", "test") for number in shown]
    caption = "Errors in %, on line in a pass and after it, means of the seeds"
    return Table(caption, ("reading", *heads), rows)


def _plot(values: FirstSteps, dataset: Dataset) -> Plot:
    online = {
        name: [at.mean for at in curves.online_training.after]
        for name, curves in values.curves.items()
    }
    figure = draw_readings("Readings of the printed steps", dataset.name, online)
    caption = "Mean training error on line, of readings that meet the printed range."
    return Plot("first_steps", figure, caption)


FIRST_STEPS = Experiment(
    name="first_steps",
    title="The steps of the first pass, and what they fix",
    recipes=TRAINED,
    values=FirstSteps,
    measure=_measure,
    present=_present,
)
