"""Fig. 6: training and test error of LeNet-5 against the size of the training set."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources

from matplotlib.figure import Figure

from lenet1998.data import Dataset
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.evaluation import wilson_interval
from lenet1998.evidence.experiment import (
    Experiment,
    Picture,
    Runs,
    Section,
    Table,
    Values,
    in_words,
    listed,
    range_in_words,
    spread,
)
from lenet1998.learning.recipe import Recipe, preset
from lenet1998.report import plain_axes, titled

_WIDTH = 5.0  # inches
_COLOURS = {"test": "#b5403a", "training": "#2f6690"}


@dataclass(frozen=True)
class PaperPoint:
    """A training set of Fig. 6 and the errors of the network that learned from it.

    Attributes:
        patterns: of the originals.
        test_error_percent: of the undistorted test digits.
        training_error_percent: likewise; NaN where the figure has no such point.
        distorted: whether distorted patterns were added to the originals.
    """

    patterns: int
    test_error_percent: float
    training_error_percent: float
    distorted: bool


def paper_points() -> list[PaperPoint]:
    """The points of Fig. 6, measured from the figure's vector coordinates."""
    text = (resources.files(__package__) / "paper" / "fig06_training_set_size.csv").read_text()
    return [
        PaperPoint(
            patterns=int(row["training_set_size"]),
            test_error_percent=float(row["test_error_percent"]),
            training_error_percent=float(row["training_error_percent"] or "nan"),
            distorted=row["distortions"] == "yes",
        )
        for row in csv.DictReader(text.splitlines())
    ]


def experiment(patterns: int) -> Experiment:
    """The error against the size of the training set: a quarter of it, half of it, all of it.

    The recipes are `paper`, which takes all, and others named by their patterns: `paper-15000`.

    Args:
        patterns: in the whole training set; the paper's has 60,000.
    """
    return Experiment(
        name="fig06",
        title="Fig. 6: error against the size of the training set",
        recipes=tuple(_recipes(patterns).values()),
        measure=partial(measure, patterns),
        present=present,
    )


def _recipes(patterns: int) -> dict[int, Recipe]:
    """By the number of patterns, ascending."""
    plain = preset("paper")
    parts = {
        size: replace(plain, name=f"paper-{size}", training_patterns=size)
        for size in (patterns // 4, patterns // 2)
    }
    return {**parts, patterns: plain}


def measure(patterns: int, runs: Runs, dataset: Dataset) -> Values:
    """Errors after the last pass for each size of the training set.

    Args:
        patterns: as for `experiment`.
        runs: finished, at least one of each recipe.
        dataset: that they were trained on.

    Raises:
        ValueError: for another number of training patterns in the data set.
    """
    if len(dataset.training_labels) != patterns:
        raise ValueError(
            f"this Fig. 6 is one of {patterns} training patterns, but {dataset.name} has "
            f"{len(dataset.training_labels)}: make it with experiment(that number)"
        )
    digits = len(dataset.test_labels)
    sizes: list[Values] = []
    for size, recipe in _recipes(patterns).items():
        last = [run.records[-1] for run in runs[recipe.name]]
        test = spread([record.test_error_percent for record in last])
        interval = wilson_interval(round(test["mean"] * digits / 100), digits)
        sizes.append(
            {
                "patterns": size,
                "passes": max(record.number for record in last),
                "test_error_percent": test,
                "interval_percent": [round(end, 4) for end in interval],
                "online_training_error_percent": spread(
                    [record.online_training_error_percent for record in last]
                ),
            }
        )
    half, whole = (one["test_error_percent"]["values"] for one in sizes[-2:])
    return {
        "dataset": dataset.name,
        "test_digits": digits,
        "sizes": sizes,
        "gain_of_last_doubling": _gain(half, whole),
    }


def _gain(half: Sequence[float], whole: Sequence[float]) -> Values:
    """How much lower the second mean is, with the 95 % interval that the seeds give (Welch)."""
    before, after = spread(half), spread(whole)
    interval = None
    # One seed, or seeds that all agree, say nothing about chance.
    if before["standard_deviation"] and after["standard_deviation"]:
        from scipy.stats import ttest_ind  # slow to import

        ends = ttest_ind(half, whole, equal_var=False).confidence_interval(0.95)
        interval = [round(float(end), 4) for end in ends]
    return {"points": round(before["mean"] - after["mean"], 4), "interval": interval}


def present(values: Values, dataset: Dataset) -> Section:
    """Our errors beside Fig. 6's, and whether more patterns would still help."""
    paper = _paper_by_size(values)
    return Section(
        text=_text(values, paper),
        tables=[_table(values, paper)],
        pictures=[
            Picture(
                "fig06",
                _draw(values),
                f"Open marks: 1998. Dots: one seed each; lines: their means; bars: the 95 % "
                f"interval of {values['test_digits']:,} test digits around the mean. The square is "
                f"the paper's test error with distorted patterns added. {values['dataset']}.",
            )
        ],
        summary=[
            (
                f"Fig. 6: test error, {size['patterns']:,} patterns",
                f"{paper[size['patterns']].test_error_percent} %"
                if size["patterns"] in paper
                else "–",
                in_words(size["test_error_percent"]),
            )
            for size in values["sizes"]
        ],
    )


def _paper_by_size(values: Values) -> dict[int, PaperPoint]:
    """The plain points of Fig. 6 by their size; none where the digits are not the paper's."""
    if values["dataset"] != MNIST:
        return {}
    return {point.patterns: point for point in paper_points() if not point.distorted}


def _text(values: Values, paper: dict[int, PaperPoint]) -> list[str]:
    sizes = values["sizes"]
    low, high = sizes[-1]["interval_percent"]
    figure = [point for point in paper_points() if not point.distorted]
    passes = sorted({one["passes"] for one in sizes})
    text = [
        "The paper: "
        f"{listed([f'{point.patterns:,}' for point in figure])} training patterns gave test "
        f"errors of {listed([f'{point.test_error_percent:.2f}' for point in figure])} % and "
        f"training errors of {listed([f'{point.training_error_percent:.2f}' for point in figure])}"
        " %. It concludes that more training data would improve the network further. How long it "
        "learned from the smaller sets is not printed; here it takes "
        f"{' or '.join(map(str, passes))} passes through each, so half the patterns are also half "
        "the updates. Each seed takes other patterns.",
        f"Test errors here: {_measured(sizes, 'test_error_percent')}, ± one standard deviation of "
        f"the seeds. With {values['test_digits']:,} test digits the last is known to lie between "
        f"{low:.2f} and {high:.2f} % (95 %); all networks read the same digits, so less than that "
        "decides between them.",
        _verdict(values["gain_of_last_doubling"], sizes[-1]["patterns"], values["dataset"]),
        "Training errors here, counted during the last pass on each pattern before its update: "
        f"{_measured(sizes, 'online_training_error_percent')}. The paper does not say how Fig. 6 "
        f"counts them; its {figure[-1].training_error_percent:.2f} % at {figure[-1].patterns:,} "
        "patterns is what its text gives for Fig. 5, where they are counted so.",
    ]
    if paper:
        text.append(_differences(sizes, paper))
    return text


def _measured(sizes: Sequence[Values], key: str) -> str:
    return "; ".join(f"{one['patterns']:,} patterns, {in_words(one[key])}" for one in sizes)


def _verdict(gain: Values, patterns: int, dataset_name: str) -> str:
    points, interval = gain["points"], gain["interval"]
    change = (
        f"The last doubling, to {patterns:,} patterns, {'lowers' if points >= 0 else 'raises'} the "
        f"mean test error by {abs(points):.2f} points"
    )
    if interval is None:
        return f"{change}; the seeds are too few to say how much of that is chance."
    low, high = interval
    if dataset_name != MNIST:
        verdict = f"That is said of {dataset_name}: it neither confirms nor refutes the paper's."
    elif low > 0:
        verdict = (
            "The paper's conclusion holds as far as this can show it: at this size the error still "
            "falls. That it would go on falling is an extrapolation, here as there."
        )
    elif high < 0:
        verdict = "The paper's conclusion does not hold here: the error rises."
    else:
        verdict = "Whether the error still falls at this size, these seeds do not show."
    return (
        f"{change} (95 % interval of the fall, from the seeds: {low:.2f} to {high:.2f}). {verdict}"
    )


def _differences(sizes: Sequence[Values], paper: dict[int, PaperPoint]) -> str:
    """Which of the paper's points lie outside of the seeds' range."""
    found = []
    for one in sizes:
        point = paper.get(one["patterns"])
        if point is None:
            continue
        for what, printed, measured in (
            ("test", point.test_error_percent, one["test_error_percent"]),
            ("training", point.training_error_percent, one["online_training_error_percent"]),
        ):
            if measured["least"] <= printed <= measured["greatest"]:
                continue
            side = "above" if printed > measured["greatest"] else "below"
            found.append(
                f"{what} error at {one['patterns']:,}, {printed:.2f} %, {side} all seeds "
                f"({measured['least']:.2f} to {measured['greatest']:.2f} %)"
            )
    if not found:
        return "Every point of the paper lies within the range of the seeds."
    return f"Points of the paper outside of the seeds' range: {'; '.join(found)}."


def _table(values: Values, paper: dict[int, PaperPoint]) -> Table:
    rows = []
    for one in values["sizes"]:
        point = paper.get(one["patterns"])
        rows.append(
            (
                f"{one['patterns']:,}",
                f"{point.test_error_percent:.2f}" if point else "–",
                *_cells(one["test_error_percent"]),
                f"{point.training_error_percent:.2f}" if point else "–",
                *_cells(one["online_training_error_percent"]),
            )
        )
    return Table(
        caption=f"Errors in percent after the last pass, and the range of the seeds. "
        f"{values['dataset']}.",
        header=("patterns", "test, 1998", "here", "seeds", "training, 1998", "here", "seeds"),
        rows=rows,
    )


def _cells(errors: Values) -> tuple[str, str]:
    """The mean, and the range."""
    return f"{errors['mean']:.2f}", range_in_words(errors)


def _draw(values: Values) -> Figure:
    sizes = values["sizes"]
    figure = Figure(figsize=(_WIDTH, 4.2), layout="constrained")
    axes = figure.add_subplot()
    patterns = [one["patterns"] for one in sizes]
    plain = [point for point in paper_points() if not point.distorted]
    for kind, key, label in (
        ("test", "test_error_percent", "test"),
        ("training", "online_training_error_percent", "training, on line"),
    ):
        colour = _COLOURS[kind]
        axes.plot(
            [point.patterns for point in plain],
            [getattr(point, f"{kind}_error_percent") for point in plain],
            "o", mfc="none", markersize=9, color=colour, label=f"1998, {kind}",
        )  # fmt: skip
        axes.plot(
            patterns, [one[key]["mean"] for one in sizes], color=colour, label=f"here, {label}"
        )
        for one in sizes:
            seeds = one[key]["values"]
            axes.plot([one["patterns"]] * len(seeds), seeds, ".", color=colour, alpha=0.6)
    for point in paper_points():
        if point.distorted:
            axes.plot(
                point.patterns, point.test_error_percent, "s", mfc="none", markersize=9,
                color=_COLOURS["test"], label="1998, test, with distortions",
            )  # fmt: skip
    means = [one["test_error_percent"]["mean"] for one in sizes]
    ends = [one["interval_percent"] for one in sizes]
    axes.errorbar(
        patterns,
        means,
        yerr=[
            [mean - low for mean, (low, _) in zip(means, ends, strict=True)],
            [high - mean for mean, (_, high) in zip(means, ends, strict=True)],
        ],
        fmt="none", ecolor=_COLOURS["test"], elinewidth=0.8, capsize=3,
    )  # fmt: skip
    axes.set_xscale("log", base=2)
    ticks = sorted({*patterns, *(point.patterns for point in plain)})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.margins(x=0.12)
    axes.set(xlabel="training patterns", ylabel="error (%)", ylim=(0, None))
    axes.set_title(
        titled("Training sets of different size (Fig. 6)", values["dataset"]), fontsize=11
    )
    plain_axes(axes)
    axes.legend(frameon=False, fontsize=9)
    return figure


FIG06 = experiment(60_000)
"""The paper's: 15,000, 30,000 and 60,000 patterns."""
