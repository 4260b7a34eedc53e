"""Wide fully connected networks beside LeNet-5: their weights, pass by pass, and their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TypeAlias

from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable, within
from lenet1998.learning.presets import preset, recipe_for
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.answers import misread
from lenet1998.measures.spread import Paired, Spread, listed
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table
from lenet1998.runs.run import Run, learner_for

_LENET5 = "lenet5-classic"
_SEEDS = {_LENET5: 3, "fully-connected-300": 3, "fully-connected-1000": 1}
"""How many of each network are trained, at most: a pattern costs the widest some 20 times more."""
_TITLES = {
    _LENET5: "LeNet-5",
    "fully-connected-300": "300 hidden units",
    "fully-connected-1000": "1,000 hidden units",
}

_Norms: TypeAlias = tuple[float, ...]


@dataclass(frozen=True)
class Course:
    """What became of one network, over its seeds."""

    parameters: int  # that learn
    # the norm of each layer's weights: of each seed, at the start and after each pass
    norms: dict[str, tuple[_Norms, ...]]
    training_percent: Spread  # errors on all training digits, after the last pass
    test_percent: Spread  # and on the test digits

    @property
    def gaps(self) -> Spread:
        """How far the test error lies above the training error, in points."""
        both = zip(self.test_percent.values, self.training_percent.values, strict=True)
        return Spread.of(test - training for test, training in both)


@dataclass(frozen=True)
class Values:
    """What was measured, by the network's name."""

    courses: dict[str, Course]

    @property
    def wide(self) -> dict[str, Course]:
        """The fully connected ones."""
        return {name: course for name, course in self.courses.items() if name != _LENET5}

    def wider(self, name: str) -> Paired:
        """How much wider the gap of a network is than LeNet-5's, seed by seed."""
        theirs = self.courses[name].gaps.values
        return Paired.of(self.courses[_LENET5].gaps.values[: len(theirs)], theirs)


def _measure(runs: Runs, dataset: Dataset) -> Values:
    passes = len(runs["paper"][0].records)
    courses = {}
    for name, most in _SEEDS.items():
        recipe = recipe_for(name)
        assert isinstance(recipe, Recipe)
        seeds = range(min(most, len(runs["paper"])))
        courses[name] = _course([replace(recipe, seed=seed) for seed in seeds], passes, dataset)
    return Values(courses)


def _course(recipes: Sequence[Recipe], passes: int, dataset: Dataset) -> Course:
    """Train a network of each recipe, which differ in the seed: runs keep no weights of a pass."""
    nets = [recipe.build() for recipe in recipes]
    of_seeds = []
    for net, recipe in zip(nets, recipes, strict=True):
        learner = learner_for(Run(net, recipe, dataset.name, recipe.ENGINES[0], []), dataset)
        weights = {n: p for n, p in net.named_parameters() if n.endswith(".weight")}
        norms = [{name: weight.norm().item() for name, weight in weights.items()}]
        for number in range(1, passes + 1):
            for _ in learner.learn(number):
                pass
            norms.append({name: weight.norm().item() for name, weight in weights.items()})
        of_seeds.append(norms)

    def percent(images: Tensor, labels: Tensor) -> Spread:
        return Spread.of(100 * misread(net, images, labels).double().mean().item() for net in nets)

    return Course(
        parameters=sum(p.numel() for p in nets[0].parameters() if p.requires_grad),
        norms={
            name.removesuffix(".weight"): tuple(
                tuple(round(after[name], 4) for after in norms) for norms in of_seeds
            )
            for name in of_seeds[0][0]
        },
        training_percent=percent(dataset.training_images, dataset.training_labels),
        test_percent=percent(dataset.test_images, dataset.test_labels),
    )


def _mean(of_seeds: Sequence[_Norms]) -> list[float]:
    return [fmean(at) for at in zip(*of_seeds, strict=True)]


def _shrinks_then_grows(of_seeds: Sequence[_Norms]) -> bool:
    """Whether, for every seed, the norm is least neither at the start nor at the end."""
    return all(min(norms) < min(norms[0], norms[-1]) for norms in of_seeds)


def _in_words(of_seeds: Sequence[_Norms]) -> str:
    """Against the start: the least, if it is a lower one, and the last."""
    norms = _mean(of_seeds)
    least = min(range(len(norms)), key=norms.__getitem__)
    fall = f"{norms[least] / norms[0] - 1:+.0%} at pass {least}, " if least else "no lower, "
    return f"{fall}{norms[-1] / norms[0] - 1:+.0%} at the end"


def _present(values: Values, dataset: Dataset) -> Section:
    text = [
        "Section III.C: networks of one hidden layer have far more parameters than there are "
        "patterns for them, and yet no poor test error. The paper supposes that learning itself "
        "regularises: weights shrink at first, which leaves the units nearly linear, and grow "
        "later. Whether that is why large networks do well is not measured here.",
        "Measured: the norm of each layer's weights before training and after each pass, of "
        "networks that learn by LeNet-5's rule, with its steps and rates, from random weights in "
        "the same bounds, and with eq. 8, the mean squared error.",
        "Section II.A: sharing weights lowers the number of parameters, and so the gap between "
        "training and test error. Both errors are read after the last pass. LeNet-5 shares weights "
        "and these networks do not, but they differ in much else: a wider gap would agree with "
        "the statement, and not show that it is the sharing that narrows it.",
    ]
    if not dataset.is_comparable:
        text.append(not_comparable(dataset))
    conclusions = [
        Conclusion(
            f"Fig. 9: test error, {_TITLES[name]}, fully connected",
            f"{facts.published(name)} %",
            course.test_percent.in_words(),
            within(facts.published(name), course.test_percent) if dataset.is_comparable else "",
        )
        for name, course in values.wide.items()
    ]
    return Section(
        text=text,
        tables=[_norms_table(values.courses), _errors_table(values)],
        plots=[_plot(values.courses, dataset)],
        conclusions=conclusions,
        claims=[_of_gap(values), _of_weights(values)] if dataset.is_comparable else [],
    )


def _of_gap(values: Values) -> Claim:
    lenet5 = values.courses[_LENET5]
    gaps = [
        f"{course.gaps.mean_in_words()} with {course.parameters:,} parameters ({_TITLES[name]}, "
        f"{course.gaps.seeds})"
        for name, course in values.courses.items()
    ]
    pairs = [values.wider(name) for name in values.wide]
    judged = [pair.verdict for pair in pairs if pair.verdict]
    if any(pair.mean < 0 for pair in pairs):
        holds = "no" if "better" in judged else "not shown"
    else:
        holds = "not contradicted" if "worse" in judged and "same" not in judged else "not shown"
    assert lenet5.parameters < min(course.parameters for course in values.wide.values())
    return Claim(3, f"Gap in points: {listed(gaps)}; other things differ too", holds)


def _of_weights(values: Values) -> Claim:
    layers = {
        f"{_TITLES[name]}, {layer.upper()}": of_seeds
        for name, course in values.wide.items()
        for layer, of_seeds in course.norms.items()
    }
    said = [f"{layer}: {_in_words(of_seeds)}" for layer, of_seeds in layers.items()]
    seeds = [f"{_TITLES[name]} {course.gaps.seeds}" for name, course in values.wide.items()]
    met = [_shrinks_then_grows(of_seeds) for of_seeds in layers.values()]
    holds = "yes, of the weights" if all(met) else "in part" if any(met) else "no"
    return Claim(25, f"Norms against the start, {'; '.join(said)} ({listed(seeds)})", holds)


def _norms_table(courses: Mapping[str, Course]) -> Table:
    rows = {
        f"{_TITLES[name]}, {layer.upper()}": of_seeds
        for name, course in courses.items()
        for layer, of_seeds in course.norms.items()
    }
    columns = {
        "at the start": lambda of_seeds: f"{_mean(of_seeds)[0]:.2f}",
        "after pass 1": lambda of_seeds: f"{_mean(of_seeds)[1]:.2f}",
        "least": lambda of_seeds: f"{min(_mean(of_seeds)):.2f}",
        "at the end": lambda of_seeds: f"{_mean(of_seeds)[-1]:.2f}",
        "against the start": _in_words,
        "shrinks, then grows": lambda of_seeds: "yes" if _shrinks_then_grows(of_seeds) else "no",
    }
    caption = "The norm of each layer's weights, means of the seeds"
    return Table.of(caption, "layer", rows, columns, spare=("after pass 1",))


def _errors_table(values: Values) -> Table:
    rows = [
        (
            _TITLES[name],
            f"{course.parameters:,}",
            course.training_percent.mean_in_words(),
            course.test_percent.mean_in_words(),
            course.gaps.mean_in_words(),
            "–" if name == _LENET5 else values.wider(name).interval_in_words(),
            course.gaps.seeds,
        )
        for name, course in values.courses.items()
    ]
    header = ("network", "parameters", "training", "test", "gap", "wider by, 95 %", "seeds")
    return Table("Errors in % after the last pass, and the gap in points", header, rows)


def _plot(courses: Mapping[str, Course], dataset: Dataset) -> Plot:
    what = "The norm of the weights, over that at the start"
    figure, panels = plots.panels(what, dataset.name, len(courses), height=2.3)
    for axes, (name, course) in zip(panels, courses.items(), strict=True):
        for place, (layer, of_seeds) in enumerate(course.norms.items()):
            relative = [[norm / norms[0] for norm in norms] for norms in of_seeds]
            colour = plots.COLOURS[place]
            plots.band(axes, range(len(relative[0])), relative, colour, layer.upper())
        plots.level(axes, 1)
        axes.set(ylabel=_TITLES[name], xlim=(0, None))
        axes.legend(frameon=False, fontsize=9)
        plots.whole_passes(axes)
        axes.label_outer()
    caption = "Mean of the seeds, from the lowest to the highest. Dotted: the norm at the start."
    return Plot("fully-connected", figure, caption)


FULLY_CONNECTED = Experiment(
    name="fully-connected",
    title="Fully connected: what wide layers' weights do, and the gap to the test error",
    recipes=(preset("paper"),),
    values=Values,
    measure=_measure,
    present=_present,
    seeds=max(_SEEDS.values()),
)
