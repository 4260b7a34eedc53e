"""Stochastic learning against batches of all patterns, from one start (appendix B)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import TypeAlias

import torch
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.learning import rule
from lenet1998.learning.patterns import Patterns
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.losses import map_loss
from lenet1998.measures.answers import misread
from lenet1998.models.chain import ChainNetwork
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Plot, Section, Table
from lenet1998.runs.run import Run, learner_for, trainer_for

_ONE_IN = (60, 6)  # training patterns: 1,000 and 10,000 of MNIST
_RATES = (0.001, 0.002, 0.003, 0.005, 0.01, 0.03)
"""Of a batch's step, rate / (mu + h). With 0.03, and with ten times as much, nothing is learnt."""
_RACE = 8  # passes after which the rate of least training error goes on alone
_PASSES = 100  # of this one
_STOCHASTIC_PASSES = 20
_SHOWN = (1, 2, 5, 10, 20, 50, 100)
_AT_ONCE = 500  # patterns whose gradients are taken together, so that their states stay small
_CONSIDERABLY = 3  # times as many passes

Errors: TypeAlias = tuple[float, ...]
"""On the patterns that are learnt, in percent, after each pass."""


@dataclass(frozen=True)
class Race:
    """Both ways to learn from so many patterns, of one seed."""

    patterns: int
    stochastic: Errors
    batch: tuple[Errors, ...]  # of each of `_RATES`; one of them goes on after `_RACE` passes

    @property
    def best(self) -> int:
        """The place of the rate that goes on."""
        return max(range(len(self.batch)), key=lambda place: len(self.batch[place]))

    @property
    def needed(self) -> int | None:
        """Batch passes, by the soonest rate, to what one stochastic pass reaches; None: never."""
        target = self.stochastic[0]
        reached = (
            number
            for errors in self.batch
            for number, error in enumerate(errors, 1)
            if error <= target
        )
        return min(reached, default=None)

    @property
    def times(self) -> int:
        """As many times more passes at least."""
        return self.needed or len(self.batch[self.best])

    def in_words(self) -> str:
        return f"{self.times}" if self.needed else f"more than {self.times}"


@dataclass(frozen=True)
class Values:
    """What was measured."""

    races: tuple[Race, ...]

    @property
    def by_patterns(self) -> dict[int, list[Race]]:
        """The seeds' for each number of patterns, the smallest first."""
        numbers = sorted({race.patterns for race in self.races})
        return {n: [race for race in self.races if race.patterns == n] for n in numbers}


def _measure(runs: Runs, dataset: Dataset) -> Values:
    of_all = len(dataset.training_labels)
    return Values(
        tuple(
            _race(replace(run.recipe, training_patterns=max(1, of_all // one_in)), dataset)
            for one_in in _ONE_IN
            for run in runs["paper"]
            if isinstance(run.recipe, Recipe)
        )
    )


def _race(recipe: Recipe, dataset: Dataset) -> Race:
    patterns = Patterns(recipe, dataset)
    images, labels, _ = patterns.of_pass(1)

    def errors(nets: Iterator[ChainNetwork], passes: int) -> Errors:
        wrong = (misread(next(nets), images, labels) for _ in range(passes))
        return tuple(round(100 * of.double().mean().item(), 4) for of in wrong)

    batches = [_batch(recipe, patterns, rate) for rate in _RATES]
    courses = [errors(nets, _RACE) for nets in batches]
    best = min(range(len(_RATES)), key=lambda place: courses[place][-1])
    courses[best] += errors(batches[best], _PASSES - _RACE)
    stochastic = errors(_stochastic(recipe, dataset), _STOCHASTIC_PASSES)
    return Race(len(labels), stochastic, tuple(courses))


def _stochastic(recipe: Recipe, dataset: Dataset) -> Iterator[ChainNetwork]:
    """The network after each pass, an update for each pattern."""
    net = recipe.build()
    assert isinstance(net, ChainNetwork)
    learner = learner_for(Run(net, recipe, dataset.name, recipe.ENGINES[0], []), dataset)
    for number in range(1, _STOCHASTIC_PASSES + 1):
        for _ in learner.learn(number):
            pass
        yield net


def _batch(recipe: Recipe, patterns: Patterns, rate: float) -> Iterator[ChainNetwork]:
    """The network after each pass, one update by the mean gradient of all patterns."""
    net = recipe.build()
    assert isinstance(net, ChainNetwork)
    trainer = trainer_for(net, recipe, recipe.ENGINES[0])
    for number in range(1, _PASSES + 1):
        images, labels, order = patterns.of_pass(number)
        h = trainer.estimate_curvature(images[patterns.sample(order, number)])
        gradient = _mean_gradient(net, images, labels, recipe)
        for name, parameter in net.named_parameters():
            rule.step(parameter, gradient[name], h[name], rate, recipe.mu)
        yield net


def _mean_gradient(
    net: ChainNetwork, images: Tensor, labels: Tensor, recipe: Recipe
) -> dict[str, Tensor]:
    """Of eq. 9, over all patterns."""
    total = {name: torch.zeros_like(parameter) for name, parameter in net.named_parameters()}
    for some, theirs in zip(images.split(_AT_ONCE), labels.split(_AT_ONCE), strict=True):
        y = rule.penalties(net, some, recipe.penalty_scale)
        share = map_loss(y, theirs, recipe.j) * len(theirs) / len(labels)
        for name, gradient in rule.gradient(net, share).items():
            total[name] += gradient
    return total


def _present(values: Values, dataset: Dataset) -> Section:
    by_patterns = values.by_patterns
    least, most = min(by_patterns), max(by_patterns)
    text = [
        "Appendix B: stochastic learning is considerably faster than batches on large redundant "
        "sets, sometimes by orders of magnitude: patterns that are alike have like gradients, and "
        "a batch computes them all for one update.",
        f"LeNet-5 learns from the same start and by the same loss both ways, from {least:,} and "
        f"from {most:,} of the training patterns: by the recipe 'paper', an update for each "
        "pattern; and by the mean gradient of all patterns, one update for each pass, with the "
        "step rate / (μ + h) and second derivatives estimated as often. Rates from "
        f"{_RATES[0]:g} to {_RATES[-1]:g} are tried for {_RACE} passes, and that of the least "
        f"training error goes on to {_PASSES}. A pass over the patterns costs both ways about the "
        "same arithmetic. Momentum and conjugate gradients are not tried.",
    ]
    if not dataset.is_comparable:
        text.append(not_comparable(dataset))
    claims = [_of_speed(by_patterns)] if dataset.is_comparable else []
    return Section(
        text=text,
        tables=[_table(by_patterns), _rates_table(by_patterns)],
        plots=[_plot(by_patterns, dataset)],
        claims=claims,
    )


def _of_speed(by_patterns: Mapping[int, Sequence[Race]]) -> Claim:
    said = [
        f"on {patterns:,} patterns {' or '.join(sorted({race.in_words() for race in races}))}"
        for patterns, races in by_patterns.items()
    ]
    races = by_patterns[max(by_patterns)]
    if all(race.times >= _CONSIDERABLY for race in races):
        holds = "yes"
    else:
        holds = "in part" if any(race.times > 1 for race in races) else "no"
    seeds = f"{len(races)} seed{'s' if len(races) > 1 else ''}"
    measured = f"Batch passes to what one stochastic pass reaches: {', '.join(said)} ({seeds})"
    return Claim(39, measured, holds)


def _at(errors: Errors, number: int) -> str:
    return f"{errors[number - 1]:.1f}" if number <= len(errors) else "–"


def _table(by_patterns: Mapping[int, Sequence[Race]]) -> Table:
    rows = [
        (f"{patterns:,} patterns, seed {seed}, {what}", *(_at(at, n) for n in _SHOWN), needed)
        for patterns, races in by_patterns.items()
        for seed, race in enumerate(races)
        for what, at, needed in (
            ("stochastic", race.stochastic, "1"),
            (f"batch, rate {_RATES[race.best]:g}", race.batch[race.best], race.in_words()),
        )
    ]
    heads = [f"pass {number}" for number in _SHOWN]
    caption = "Training error in %, and the passes to what one stochastic pass reaches"
    return Table(caption, ("", *heads, "passes"), rows)


def _rates_table(by_patterns: Mapping[int, Sequence[Race]]) -> Table:
    rows = [
        (f"{patterns:,} patterns, seed {seed}", *(_at(of, _RACE) for of in race.batch))
        for patterns, races in by_patterns.items()
        for seed, race in enumerate(races)
    ]
    caption = f"Training error in % after {_RACE} passes of batch learning, by its rate"
    return Table(caption, ("", *(f"{rate:g}" for rate in _RATES)), rows)


def _plot(by_patterns: Mapping[int, Sequence[Race]], dataset: Dataset) -> Plot:
    figure, axes = plots.plot("LeNet-5, stochastic and batch learning", dataset.name)
    for colour, (patterns, races) in zip(plots.COLOURS, by_patterns.items(), strict=False):
        for place, race in enumerate(races):
            for errors, style, name in (
                (race.stochastic, "-", "stochastic"),
                (race.batch[race.best], "--", "batch"),
            ):
                label = f"{name}, {patterns:,} patterns" if place == 0 else None
                shown = [error or nan for error in errors]  # 0 has no place on the axis
                axes.plot(range(1, len(errors) + 1), shown, style, color=colour, label=label)
    for axis in (axes.xaxis, axes.yaxis):
        plots.log_percent(axis)
    axes.set(xlabel="passes over the patterns", ylabel="training error (%)")
    plots.legend_below(figure, axes)
    return Plot("batch", figure, "Errors after each pass; batch: the best rate. A line a seed.")


BATCH = Experiment(
    name="batch",
    title="Stochastic learning against batches of all patterns",
    recipes=(preset("paper"),),
    values=Values,
    measure=_measure,
    present=_present,
    seeds=1,
)
