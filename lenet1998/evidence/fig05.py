"""Fig. 5: training and test error of LeNet-5 against the passes through the training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

from matplotlib.figure import Figure

from lenet1998.data import Dataset, mnist
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import PASSES, Experiment, not_comparable, within
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.answers import wilson_interval
from lenet1998.measures.spread import Spread
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table
from lenet1998.runs.run import Run

_KINDS = {"test": ("test", plots.RED), "online_training": ("training, on line", plots.BLUE)}
_TABLE_PASSES = (1, 2, 3, 5, 10, 15, 20)
_ENOUGH = 20  # seeds, below which their order says little of another run


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

    def away(self, points: Sequence[float]) -> float:
        """Another curve's distance from the mean curve, root mean square over the passes."""
        pairs = zip(self.after, points, strict=False)
        return sqrt(fmean((at.mean - point) ** 2 for at, point in pairs))

    @property
    def left_out(self) -> list[tuple[OfSeeds, tuple[float, ...]]]:
        """The others of each seed, and its own curve."""
        curves = self.curves
        return [(OfSeeds(curves[:k] + curves[k + 1 :]), curves[k]) for k in range(len(curves))]


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


def is_repeated(run: Run, *, distorted: bool = False) -> bool:
    """Whether a run repeats Fig. 5's: LeNet-5 learns all of MNIST, and that alone.

    Or, `distorted`, the paper's other one, with distorted patterns added.
    """
    recipe = run.recipe
    return (
        isinstance(recipe, Recipe)
        and (recipe.network, run.dataset_name) == ("lenet5-classic", mnist.NAME)
        and recipe.training_patterns is None
        and not recipe.inverted_pixels
        and (recipe.distorted_copies > 0) == distorted
    )


def draw(curves: Curves, dataset_name: str, *, points: bool = True) -> Figure:
    """The mean of the seeds, and a band from the lowest to the highest.

    Over the paper's points, unless these are of something else.
    """
    figure, axes = plots.plot("LeNet-5, learning curve (Fig. 5)", dataset_name)
    for kind, (label, colour) in _KINDS.items():
        if points:
            paper = getattr(facts.learning_curve(), kind)
            numbers = range(1, len(paper) + 1)
            axes.plot(numbers, paper, "o", mfc="none", color=colour, label=f"1998, {label}")
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


def _present(values: Curves, dataset: Dataset) -> Section:
    passes = values.passes
    ends = min(passes, PASSES)  # those of the text; Fig. 5 has a point more
    test, training = values.test.after[ends - 1], values.online_training.after[ends - 1]
    paper = facts.learning_curve()
    digits = len(dataset.test_labels)
    low, high = wilson_interval(round(test.mean * digits / 100), digits)
    at_19, after = facts.TRAINING_ERROR
    text = [
        f"1998: a test error of {facts.TEST_ERROR} %, reached after about ten passes, with a "
        f"quoted uncertainty of 0.1 points; a training error, counted on line, of {at_19} % after "
        f"{after} passes; no over-training seen. The recipe was fixed by printed numbers before "
        "any error was looked at (see the steps of the first pass): this is a prediction of the "
        "figure, not a fit to it.",
        f"Here, after {ends} passes on {dataset.name}: test error {test.in_words()}, from "
        f"{test.least:.2f} to {test.greatest:.2f} %; the {digits:,} test digits alone "
        f"leave this mean uncertain between {low:.2f} and {high:.2f} % (95 %).",
    ]
    # After 20 passes what the text prints; else, what the figure shows there.
    printed = facts.TEST_ERROR if ends == PASSES else paper.test[ends - 1]
    lasts = (
        ("test error", printed, test),
        ("training error, counted on line", paper.online_training[ends - 1], training),
    )
    conclusions = []
    for kind, of_1998, errors in lasts:
        verdict = within(of_1998 if dataset.is_comparable else None, errors)
        line = f"Fig. 5: {kind} after {ends} passes"
        conclusions.append(Conclusion(line, f"{of_1998} %", errors.in_words(), verdict))
    claims: list[Claim] = []
    inside = {kind: getattr(values, kind).inside(getattr(paper, kind)) for kind in _KINDS}
    verdict = ""
    if dataset.is_comparable:
        text += [_where_1998_lies(values, kind) for kind in _KINDS]
        text += [
            f"Of the seeds {sum(error < of_1998 for error in errors.values)} have a {kind} after "
            f"{ends} passes below the {of_1998} % of 1998, "
            f"{sum(error > of_1998 for error in errors.values)} above."
            for kind, of_1998, errors in lasts
            if len(errors.values) > 1
        ]
        verdict = "all" if set(inside.values()) == {passes} else "not all"
        claims = _claims(values)
    else:
        text.append(f"{not_comparable(dataset)} Its points are drawn for the shape only.")
    line = f"Fig. 5: points of test and training error within the seeds' band, of {passes}"
    conclusions.append(Conclusion(line, "–", "{} and {}".format(*inside.values()), verdict))
    caption = "Circles: Fig. 5's points. Lines: the mean of the seeds; bands: lowest to highest."
    plot = Plot("fig05", draw(values, dataset.name), caption)
    return Section("", text, [_table(values)], [plot], conclusions=conclusions, claims=claims)


def _where_1998_lies(values: Curves, kind: str) -> str:
    """The run of 1998 among the seeds, each of which is set beside all others."""
    label, _ = _KINDS[kind]
    ours, points = getattr(values, kind), getattr(facts.learning_curve(), kind)
    passes, first = values.passes, min(3, values.passes)
    text = (
        f"Of Fig. 5's points {ours.inside(points)} of {passes} ({label}) lie within "
        f"{_band_in_words(ours)}; from pass {first} on the mean curve stays within "
        f"{ours.farthest(points, first):.2f} points of them."
    )
    if len(ours.curves) < _ENOUGH:
        return text
    counts = [others.inside(curve) for others, curve in ours.left_out]
    as_few = sum(count <= ours.inside(points) for count in counts)
    as_far = sum(others.away(curve) >= ours.away(points) for others, curve in ours.left_out)
    return (
        f"{text} A seed of ours has {fmean(counts):.1f} of its points in the band of the others, "
        f"and {as_few} of {len(counts)} have as few as 1998. 1998 is {ours.away(points):.2f} "
        f"points from the mean curve (root mean square over the passes); {as_far} of the seeds are "
        "as far from the mean of the others."
    )


def _claims(values: Curves) -> list[Claim]:
    if values.passes < PASSES:
        return []
    test, online = values.test.after, values.online_training.after
    at_19, after = facts.TRAINING_ERROR
    measured = (
        f"test {test[9].mean:.2f}, {test[11].mean:.2f} and {test[PASSES - 1].in_words()} after 10, "
        f"12 and {PASSES} passes; training {online[after - 1].in_words()} after {after}"
    )
    ends = ((facts.TEST_ERROR, test[PASSES - 1]), (at_19, online[after - 1]))
    near = all(at.least <= printed <= at.greatest for printed, at in ends)
    settled = test[9].mean - test[PASSES - 1].mean < facts.QUOTED_UNCERTAINTY
    return [Claim(18, measured, "yes" if near and settled else "in part")]


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


FIG05 = Experiment(
    name="fig05",
    title="Fig. 5: the learning curve",
    recipes=(preset("paper"),),
    values=Curves,
    measure=lambda runs, dataset: Curves.of(runs["paper"]),
    present=_present,
    seeds=100,
    passes=21,
)
