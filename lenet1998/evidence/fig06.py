"""Fig. 6: training and test error of LeNet-5 against the size of the training set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lenet1998.data import Dataset
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import Experiment, Runs, within
from lenet1998.evidence.fig05 import Curves
from lenet1998.learning.presets import preset
from lenet1998.measures.answers import wilson_interval
from lenet1998.measures.spread import Spread
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table

_KINDS = {"test": ("test", plots.RED), "training": ("training, on line", plots.BLUE)}
_PLAIN = {point.patterns: point for point in facts.size_points() if not point.distorted}


@dataclass(frozen=True)
class Sizes:
    """What was measured: the learning curves, by the number of training patterns, ascending."""

    curves: dict[int, Curves]

    def errors(self, kind: str) -> dict[int, Spread]:
        """The `"test"` or the `"training"` errors after the last pass, by the size."""
        of_kind = "test" if kind == "test" else "online_training"
        return {size: getattr(curves, of_kind).last for size, curves in self.curves.items()}

    @property
    def gain_interval(self) -> tuple[float, float] | None:
        """By how much the last doubling lowers the mean test error, 95 % (Welch).

        None where one seed, or seeds that all agree, say nothing about chance.
        """
        half, whole = list(self.errors("test").values())[-2:]
        if not half.deviation or not whole.deviation:
            return None
        from scipy.stats import ttest_ind  # slow to import

        test = ttest_ind(half.values, whole.values, equal_var=False)
        low, high = test.confidence_interval(0.95)
        return float(low), float(high)


def experiment(patterns: int) -> Experiment[Sizes]:
    """The error against the size of the training set, of so many patterns: a quarter, half, all.

    The recipes are `paper`, which takes all, and others named by their patterns: `paper-15000`. A
    data set of another number of training patterns is refused (ValueError).
    """
    recipes = {
        size: preset("paper", name=f"paper-{size}", training_patterns=size)
        for size in (patterns // 4, patterns // 2)
    }
    recipes[patterns] = preset("paper")

    def measure(runs: Runs, dataset: Dataset) -> Sizes:
        if (count := len(dataset.training_labels)) != patterns:
            raise ValueError(
                f"this Fig. 6 is one of {patterns} training patterns, but {dataset.name} has "
                f"{count}: make it with experiment(that number)"
            )
        return Sizes({size: Curves.of(runs[recipe.name]) for size, recipe in recipes.items()})

    return Experiment(
        name="fig06",
        title="Fig. 6: error against the size of the training set",
        recipes=tuple(recipes.values()),
        values=Sizes,
        measure=measure,
        present=_present,
    )


def _present(sizes: Sizes, dataset: Dataset) -> Section:
    points = _PLAIN if dataset.is_comparable else {}
    (passes,) = {curves.passes for curves in sizes.curves.values()}
    last = list(_PLAIN.values())[-1]
    text = [
        "The paper concludes that more training data would improve the network further. How long "
        f"it learned from the smaller sets is not printed; here it takes {passes} passes through "
        "each, so half the patterns are also half the updates. Each seed takes other patterns.",
        _last_doubling(sizes, dataset),
        "Training errors here are counted during the last pass, on each pattern before its update. "
        f"The paper does not say how Fig. 6 counts them; its {last.training:.2f} % at "
        f"{last.patterns:,} patterns is what its text gives for Fig. 5, where they are counted so.",
    ]
    rows, conclusions = [], []
    for size, curves in sizes.curves.items():
        row = [f"{size:,}"]
        for kind, of_kind in (("test", curves.test), ("training", curves.online_training)):
            errors = of_kind.last
            printed = getattr(points.get(size), kind, None)
            of_1998 = "–" if printed is None else f"{printed:.2f}"
            verdict = within(printed, errors)
            row += [of_1998, errors.mean_in_words(), errors.range_in_words(), verdict]
            if kind == "test":
                of_1998 = "–" if printed is None else f"{printed} %"
                what = f"Fig. 6: test error, {size:,} patterns"
                conclusions.append(Conclusion(what, of_1998, errors.in_words(), verdict))
        rows.append(row)
    header = [f"{kind}{cell}" for kind in _KINDS for cell in (", 1998", ", here", ", range", "")]
    table = Table("Errors in percent after the last pass", ["patterns", *header], rows)
    drawn = [_plot(sizes, dataset)]
    claims = _claims(sizes) if dataset.is_comparable else ()
    return Section("", text, [table], drawn, conclusions=conclusions, claims=claims)


def _claims(sizes: Sizes) -> list[Claim]:
    errors = [f"{of.in_words()} of {size:,} patterns" for size, of in sizes.errors("test").items()]
    low, high = sizes.gain_interval or (-math.inf, math.inf)
    measured = f"{', '.join(errors)}; the last doubling gains {low:.2f} to {high:.2f} points"
    return [Claim(21, measured, "yes" if low > 0 else "no" if high < 0 else "not shown")]


def _last_doubling(sizes: Sizes, dataset: Dataset) -> str:
    (_, half), (size, whole) = list(sizes.errors("test").items())[-2:]
    gain, interval = half.mean - whole.mean, sizes.gain_interval
    change = (
        f"The last doubling, to {size:,} patterns, {'lowers' if gain >= 0 else 'raises'} the mean "
        f"test error by {abs(gain):.2f} points"
    )
    if interval is None:
        return f"{change}; the seeds are too few to say how much of that is chance."
    low, high = interval
    if not dataset.is_comparable:
        verdict = f"That is said of {dataset.name}: it neither confirms nor refutes the paper's."
    elif low > 0:
        verdict = (
            "The paper's conclusion holds as far as this can show it: at this size the error still "
            "falls. That it would go on falling is an extrapolation, here as there."
        )
    elif high < 0:
        verdict = "The paper's conclusion does not hold here: the error rises."
    else:
        verdict = "Whether the error still falls at this size, these seeds do not show."
    return f"{change} (95 % interval of the fall: {low:.2f} to {high:.2f}). {verdict}"


def _plot(sizes: Sizes, dataset: Dataset) -> Plot:
    figure, axes = plots.plot("Training sets of different size (Fig. 6)", dataset.name, 4.2)
    digits = len(dataset.test_labels)
    shown: dict[str, Any] = {"mfc": "none", "markersize": 9}
    bars: dict[str, Any] = {"fmt": "none", "ecolor": plots.RED, "elinewidth": 0.8, "capsize": 3}
    for kind, (label, colour) in _KINDS.items():
        printed = [getattr(point, kind) for point in _PLAIN.values()]
        axes.plot(list(_PLAIN), printed, "o", color=colour, label=f"1998, {kind}", **shown)
        errors = sizes.errors(kind)
        means = [spread.mean for spread in errors.values()]
        axes.plot(list(errors), means, color=colour, label=f"here, {label}")
        for size, spread in errors.items():
            at = [size] * len(spread.values)
            axes.plot(at, spread.values, ".", color=colour, alpha=0.6)
    for point in facts.size_points():
        if point.distorted:
            label = "1998, test, with distortions"
            axes.plot(point.patterns, point.test, "s", color=plots.RED, label=label, **shown)
    for size, spread in sizes.errors("test").items():
        low, high = wilson_interval(round(spread.mean * digits / 100), digits)
        axes.errorbar(size, spread.mean, [[spread.mean - low], [high - spread.mean]], **bars)
    axes.set_xscale("log", base=2)
    ticks = sorted({*sizes.curves, *_PLAIN})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=8)
    axes.minorticks_off()
    axes.margins(x=0.12)
    axes.set(xlabel="training patterns", ylabel="error (%)", ylim=(0, None))
    plots.legend_below(figure, axes)
    caption = (
        f"Open marks: 1998. Dots: one seed each; lines: their means; bars: the 95 % interval of "
        f"{digits:,} test digits around the mean. {dataset.name}."
    )
    return Plot("fig06", figure, caption)
