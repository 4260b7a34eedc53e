"""Fig. 5: training and test error of LeNet-5 against the passes through the training set."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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
    not_comparable,
    spread,
)
from lenet1998.learning.recipe import preset
from lenet1998.learning.training import Run
from lenet1998.report import plain_axes, titled

KINDS = {"test": "test", "online_training": "training, on line"}
_COLOURS = {"test": "#b5403a", "online_training": "#2f6690"}
_TEST_ERROR_PERCENT = 0.95  # as the text says, reached after about 10 passes
_TABLE_PASSES = (1, 2, 3, 5, 10, 15, 20)


@dataclass(frozen=True)
class LearningCurve:
    """Errors in percent after each pass, from pass 1.

    Attributes:
        online_training: counted during the pass, on each pattern before its update.
        test: after the pass.
    """

    online_training: tuple[float, ...]
    test: tuple[float, ...]


def paper_curve() -> LearningCurve:
    """The 21 points of Fig. 5, measured from the figure's vector coordinates."""
    text = (resources.files(__package__) / "paper" / "fig05_learning_curve.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    return LearningCurve(
        online_training=tuple(float(row["online_training_error_percent"]) for row in rows),
        test=tuple(float(row["test_error_percent"]) for row in rows),
    )


def learning_curve(run: Run) -> LearningCurve:
    """A run's log as the two curves of Fig. 5."""
    return LearningCurve(
        online_training=tuple(record.online_training_error_percent for record in run.records),
        test=tuple(record.test_error_percent for record in run.records),
    )


def draw(curves: Sequence[LearningCurve], dataset_name: str) -> Figure:
    """Our curves over the paper's points.

    Args:
        curves: one for each seed; their mean is drawn, and a band from the lowest to the highest.
        dataset_name: what they were measured on, put on the figure.

    Raises:
        ValueError: for no curve.
    """
    if not curves:
        raise ValueError("expected at least one learning curve to draw")
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    paper = paper_curve()
    for kind, label in KINDS.items():
        points, colour = getattr(paper, kind), _COLOURS[kind]
        axes.plot(
            range(1, len(points) + 1), points, "o", mfc="none", color=colour, label=f"1998, {label}"
        )
        ours = [getattr(curve, kind) for curve in curves]
        passes = range(1, min(map(len, ours)) + 1)
        at_each = [[curve[number - 1] for curve in ours] for number in passes]
        here = "here" if len(ours) == 1 else f"here, mean of {len(ours)} seeds"
        axes.plot(
            passes, [sum(e) / len(e) for e in at_each], color=colour, label=f"{here}, {label}"
        )
        if len(ours) > 1:
            axes.fill_between(
                passes, [min(e) for e in at_each], [max(e) for e in at_each],
                color=colour, alpha=0.15, linewidth=0,
            )  # fmt: skip
    axes.set(
        xlabel="passes through the training set", ylabel="error (%)", xlim=(0, None), ylim=(0, None)
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(titled("LeNet-5, learning curve (Fig. 5)", dataset_name), fontsize=11)
    plain_axes(axes)
    axes.legend(frameon=False)
    return figure


def _measure(runs: Runs, dataset: Dataset) -> Values:
    curves = [learning_curve(run) for run in runs["paper"]]
    paper = paper_curve()
    passes = min(len(curve.test) for curve in curves)
    values: Values = {"passes": passes}
    for kind in KINDS:
        ours = [list(getattr(curve, kind)[:passes]) for curve in curves]
        means = [sum(at) / len(at) for at in zip(*ours, strict=True)]
        points = getattr(paper, kind)[:passes]
        inside = [min(at) <= point <= max(at) for at, point in zip(zip(*ours), points)]  # noqa: B905
        away = [abs(mean - point) for mean, point in zip(means, points)]  # noqa: B905
        values[kind] = {
            "curves": [[round(error, 4) for error in curve] for curve in ours],
            "last": spread([curve[-1] for curve in ours]),
            "points_inside_the_band": sum(inside),
            "points": len(inside),
            "farthest_from_pass_3": round(max(away[2:]), 4) if len(away) > 2 else None,
        }
    values["binomial_interval_percent"] = [
        round(end, 4)
        for end in wilson_interval(
            round(values["test"]["last"]["mean"] * len(dataset.test_labels) / 100),
            len(dataset.test_labels),
        )
    ]
    return values


def _present(values: Values, dataset: Dataset) -> Section:
    curves = [
        LearningCurve(tuple(online), tuple(test))
        for online, test in zip(
            values["online_training"]["curves"], values["test"]["curves"], strict=True
        )
    ]
    passes, test, training = values["passes"], values["test"], values["online_training"]
    low, high = values["binomial_interval_percent"]
    text = [
        f"1998: a test error of {_TEST_ERROR_PERCENT} %, reached after about ten passes, with a "
        "quoted uncertainty of 0.1 points; a training error, counted on line, of 0.35 % after 19 "
        "passes; no over-training seen.",
        f"Here, after {passes} passes on {dataset.name}: test error {in_words(test['last'])}, from "
        f"{test['last']['least']:.2f} to {test['last']['greatest']:.2f} %; training error on line "
        f"{in_words(training['last'])}. The {len(dataset.test_labels):,} test digits alone leave "
        f"the mean uncertain between {low:.2f} and {high:.2f} % (95 %).",
    ]
    if dataset.name == MNIST:
        text.append(
            f"Of the paper's points {test['points_inside_the_band']} of {test['points']} (test) "
            f"and {training['points_inside_the_band']} of {training['points']} (training) lie "
            "within the band from the lowest to the highest seed."
            + (
                f" From pass 3 on the mean curve stays within {test['farthest_from_pass_3']:.2f} "
                f"points of Fig. 5's test error and within "
                f"{training['farthest_from_pass_3']:.2f} of its training error."
                if passes > 2
                else ""
            )
            + " The figure's 21st point lies beyond the 20 passes of the text."
        )
    else:
        text.append(f"{not_comparable(dataset)} Its points are drawn for the shape only.")
    paper = paper_curve()
    rows = []
    for number in (number for number in _TABLE_PASSES if number <= passes):
        row = [str(number)]
        for kind in KINDS:
            at = [getattr(curve, kind)[number - 1] for curve in curves]
            row += [
                f"{getattr(paper, kind)[number - 1]:.2f}",
                f"{sum(at) / len(at):.2f}",
                f"{min(at):.2f}–{max(at):.2f}",
            ]
        rows.append(row)
    table = Table(
        "Errors in %, after each pass and during it",
        ("pass", *("1998 test", "here", "seeds"), *("1998 training", "here", "seeds")),
        rows,
    )
    picture = Picture(
        "fig05",
        draw(curves, dataset.name),
        "Circles: the points of the paper's Fig. 5. Lines: the mean of the seeds, and a band from "
        "the lowest to the highest.",
    )
    inside = f"{test['points_inside_the_band']} and {training['points_inside_the_band']}"
    # After 20 passes what the text prints; else, what the figure shows there.
    printed = _TEST_ERROR_PERCENT if passes == 20 else paper.test[passes - 1]
    summary = [
        (
            f"Fig. 5: test error after {passes} passes",
            f"{printed} %",
            in_words(test["last"]),
        ),
        (
            "training error, counted on line",
            f"{paper.online_training[passes - 1]} %",
            in_words(training["last"]),
        ),
        (
            f"points of test and training error within the seeds' band, of {test['points']}",
            "–",
            inside,
        ),
    ]
    return Section(text, [table], [picture], summary)


FIG05 = Experiment(
    name="fig05",
    title="Fig. 5: the learning curve",
    recipes=(preset("paper"),),
    measure=_measure,
    present=_present,
    seeds=10,
)
