"""Fig. 5: training and test error of LeNet-5 against the passes through the training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from lenet1998.data import Dataset
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import Experiment, not_comparable, within
from lenet1998.learning.presets import preset
from lenet1998.measures.answers import wilson_interval
from lenet1998.measures.spread import Spread
from lenet1998.report import plots
from lenet1998.report.sections import Conclusion, Plot, Section, Table
from lenet1998.runs.run import Run

_KINDS = {"test": ("test", plots.RED), "online_training": ("training, on line", plots.BLUE)}
_TABLE_PASSES = (1, 2, 3, 5, 10, 15, 20)


@dataclass(frozen=True)
class OfSeeds:
    """One kind of error of all seeds: for each its errors after each pass."""

    curves: tuple[tuple[float, ...], ...]

    @property
    def after(self) -> list[Spread]:
        """After each pass that all of them have."""
        return [Spread(errors) for errors in zip(*self.curves, strict=False)]

    @property
    def last(self) -> Spread:
        return self.after[-1]

    def inside(self, points: Sequence[float]) -> int:
        """How many of the paper's points lie in the band of the seeds.

        From the lowest to the highest; with 40 or more, one in 40 is left out at either end.
        """
        cut = len(self.curves) // 40
        of_passes = (sorted(at.values) for at in self.after)
        pairs = zip(of_passes, points, strict=False)
        return sum(errors[cut] <= point <= errors[-1 - cut] for errors, point in pairs)

    def farthest(self, points: Sequence[float], first: int) -> float:
        """The mean curve's greatest distance to the paper's points, from a pass on."""
        pairs = list(zip(self.after, points, strict=False))
        return max(abs(at.mean - point) for at, point in pairs[first - 1 :])


@dataclass(frozen=True)
class Curves:
    """The learning curves of a recipe's seeds, as Fig. 5 has them."""

    test: OfSeeds
    online_training: OfSeeds

    @property
    def passes(self) -> int:
        return len(self.test.after)

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Curves:
        def errors(run: Run, kind: str) -> tuple[float, ...]:
            return tuple(round(getattr(at, f"{kind}_error_percent"), 4) for at in run.records)

        return cls(*(OfSeeds(tuple(errors(run, kind) for run in runs)) for kind in _KINDS))


def distance_to_fig05(online: Sequence[float]) -> float:
    """Of the training errors on line to the paper's points, root mean square, in points."""
    points = facts.learning_curve().online_training
    return sqrt(fmean((a - b) ** 2 for a, b in zip(online, points, strict=False)))


def draw(curves: Curves, dataset_name: str) -> Figure:
    """The mean of the seeds, and a band from the lowest to the highest, over the paper's points."""
    figure, axes = plots.plot("LeNet-5, learning curve (Fig. 5)", dataset_name)
    for kind, (label, colour) in _KINDS.items():
        points = getattr(facts.learning_curve(), kind)
        numbers = range(1, len(points) + 1)
        axes.plot(numbers, points, "o", mfc="none", color=colour, label=f"1998, {label}")
        ours = [curve[: curves.passes] for curve in getattr(curves, kind).curves]
        mean = "here" if len(ours) == 1 else f"here, mean of {len(ours)} seeds"
        plots.band(axes, range(1, curves.passes + 1), ours, colour, f"{mean}, {label}")
    axes.set(ylabel="error (%)", xlim=(0, None), ylim=(0, None))
    plots.whole_passes(axes)
    axes.legend(frameon=False, fontsize=9)
    return figure


def draw_readings(what: str, dataset_name: str, online: Mapping[str, Sequence[float]]) -> Figure:
    """Training errors on line after each pass, by the name of the reading, over the paper's."""
    figure, axes = plots.plot(what, dataset_name)
    points = facts.learning_curve().online_training
    axes.plot(range(1, len(points) + 1), points, "o", mfc="none", color=plots.TEXT, label="Fig. 5")
    for place, (label, errors) in enumerate(online.items()):
        line, width = (("--", ":", "-.")[place % 3], 1.2) if place else ("-", 1.5)
        look = {"color": plots.style(place)["color"], "linestyle": line, "linewidth": width}
        axes.plot(range(1, len(errors) + 1), errors, label=label, **look)
    axes.set_ylabel("training error on line (%)")
    plots.whole_passes(axes)
    plots.log_percent(axes.yaxis)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _present(name: str, what: str, values: Curves, dataset: Dataset) -> Section:
    test, training, passes = values.test, values.online_training, values.passes
    paper = facts.learning_curve()
    digits = len(dataset.test_labels)
    low, high = wilson_interval(round(test.last.mean * digits / 100), digits)
    at_19, after = facts.TRAINING_ERROR
    text = [
        f"1998: a test error of {facts.TEST_ERROR} %, reached after about ten passes, with a "
        f"quoted uncertainty of 0.1 points; a training error, counted on line, of {at_19} % after "
        f"{after} passes; no over-training seen.",
        f"Here, after {passes} passes on {dataset.name}: test error {test.last.in_words()}, from "
        f"{test.last.least:.2f} to {test.last.greatest:.2f} %; the {digits:,} test digits alone "
        f"leave this mean uncertain between {low:.2f} and {high:.2f} % (95 %).",
    ]
    inside = [test.inside(paper.test), training.inside(paper.online_training)]
    # After 20 passes what the text prints; else, what the figure shows there.
    printed = facts.TEST_ERROR if passes == 20 else paper.test[passes - 1]
    lasts = (
        ("test error", printed, test.last),
        ("training error, counted on line", paper.online_training[passes - 1], training.last),
    )
    conclusions = []
    for kind, of_1998, errors in lasts:
        verdict = within(of_1998 if dataset.is_comparable else None, errors)
        line = f"{what}: {kind} after {passes} passes"
        conclusions.append(Conclusion(line, f"{of_1998} %", errors.in_words(), verdict))
    if dataset.is_comparable:
        first = min(3, passes)
        far = test.farthest(paper.test, first), training.farthest(paper.online_training, first)
        text.append(
            f"Of the paper's points {inside[0]} of {passes} (test) and {inside[1]} of {passes} "
            f"(training) lie within {_band_in_words(test)}. From pass {first} on the mean curve "
            f"stays within {far[0]:.2f} points of Fig. 5's test error and within {far[1]:.2f} of "
            "its training error. The figure's 21st point lies beyond the 20 passes of the text."
        )
        text += [
            f"Of the seeds {sum(error < of_1998 for error in errors.values)} have a {kind} below "
            f"the {of_1998} % of 1998, {sum(error > of_1998 for error in errors.values)} above."
            for kind, of_1998, errors in lasts
            if len(errors.values) > 1
        ]
        verdict = "all" if inside == [passes, passes] else "not all"
    else:
        text.append(f"{not_comparable(dataset)} Its points are drawn for the shape only.")
        verdict = ""
    line = f"{what}: points of test and training error within the seeds' band, of {passes}"
    conclusions.append(Conclusion(line, "–", "{} and {}".format(*inside), verdict))
    caption = "Circles: Fig. 5's points. Lines: the mean of the seeds; bands: lowest to highest."
    plot = Plot(name, draw(values, dataset.name), caption)
    return Section(text=text, tables=[_table(values)], plots=[plot], conclusions=conclusions)


def _table(values: Curves) -> Table:
    rows = []
    for number in (number for number in _TABLE_PASSES if number <= values.passes):
        row = [str(number)]
        for kind in _KINDS:
            at = getattr(values, kind).after[number - 1]
            point = getattr(facts.learning_curve(), kind)[number - 1]
            row += [f"{point:.2f}", f"{at.mean:.2f}", at.range_in_words()]
        rows.append(row)
    header = ("pass", *("1998 test", "here", "seeds"), *("1998 training", "here", "seeds"))
    return Table("Errors in %, after each pass and during it", header, rows)


def _band_in_words(errors: OfSeeds) -> str:
    seeds = len(errors.curves)
    if seeds < 40:
        return "the band from the lowest to the highest seed"
    return f"the band of {seeds - 2 * (seeds // 40)} of the {seeds} seeds"


def _experiment(
    name: str, title: str, what: str, recipe: str, **options: Any
) -> Experiment[Curves]:
    return Experiment(
        name=name,
        title=title,
        recipes=(preset(recipe),),
        values=Curves,
        measure=lambda runs, dataset: Curves.of(runs[recipe]),
        present=partial(_present, name, what),
        **options,
    )


FIG05 = _experiment("fig05", "Fig. 5: the learning curve", "Fig. 5", "paper", seeds=10)
PREDICTED = _experiment(
    "fig05_predicted",
    "Fig. 5, by the reading that the printed steps give",
    "Fig. 5, from the printed steps",
    "printed-steps",
    seeds=50,
    passes=21,
)
