"""The choices that the paper leaves open, or prints in a form that fails: every reading tried."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import fmean

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lenet1998.data import Dataset
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.evidence.chance import interval_in_words, paired, verdict
from lenet1998.evidence.experiment import (
    Experiment,
    Picture,
    Runs,
    Section,
    Table,
    Values,
    in_words,
    last_errors,
    not_comparable,
    range_in_words,
    spread,
)
from lenet1998.evidence.fig05 import learning_curve, paper_curve
from lenet1998.learning.recipe import Recipe, preset
from lenet1998.report import log_percent, plain_axes, titled

_LEARNS = 5.0  # percent; what ends above it has not learnt to read
_AWAY = 0.05  # points farther from Fig. 5 than 'paper', to be said so


@dataclass(frozen=True)
class Reading:
    """One reading of one open choice.

    Attributes:
        choice: what is open.
        reading: how it is read here.
        recipe: `paper` but for this.
        printed: whether this is what the paper prints.
    """

    choice: str
    reading: str
    recipe: Recipe
    printed: bool = False


def _but(choice: str, reading: str, *, printed: bool = False, **changes: float | str) -> Reading:
    name = "paper," + ",".join(f"{field}={value}" for field, value in changes.items())
    return Reading(choice, reading, preset("paper", name=name, **changes), printed)


READINGS = (
    _but("initial weights", "within 2.4/F", init_bound=2.4, init_power=1.0, printed=True),
    _but("initial weights", "within 1.2/√F", init_bound=1.2),
    _but("initial weights", "within 2.5/√F", init_bound=2.5),
    _but("coefficients of S2, S4", "0.25, the average", coefficient=0.25),
    _but("coefficients of S2, S4", "1, the sum", coefficient=1.0),
    _but("penalty", "the whole squared distance", penalty_scale=1.0, printed=True),
    _but("penalty", "the whole distance, μ and j doubled", penalty_scale=1.0, mu=0.14, j=2.0),
    _but("loss", "eq. 8", loss="mle"),
    _but("rubbish class", "j = 0.1", j=0.1),
    _but("rubbish class", "j = 4", j=4.0),
    _but("rubbish class", "j = 16", j=16.0),
    _but("μ", "0.02, on half distances", mu=0.02, printed=True),
    _but("μ", "0.05", mu=0.05),
    _but("μ", "0.1", mu=0.1),
    _but("μ", "0.2", mu=0.2),
    _but("curvature at F6", "the loss's own", output_curvature="loss"),
    _but("order", "reshuffled for each pass", order="reshuffled"),
    _but("step without curvature", "η / 0.1", rule="sgd", mu=0.1),
    _but("step without curvature", "η / 0.3", rule="sgd", mu=0.3),
    _but("step without curvature", "η / 1", rule="sgd", mu=1.0),
)
"""The readings tried, beside the recipe `paper`."""


def _measure(runs: Runs, dataset: Dataset) -> Values:
    ours = last_errors(runs, "paper")
    return {
        "paper": _of(runs, "paper"),
        "readings": {
            reading.recipe.name: _of(runs, reading.recipe.name)
            | {"cost": paired(ours, last_errors(runs, reading.recipe.name))}
            for reading in READINGS
        },
    }


def _of(runs: Runs, name: str) -> Values:
    curves = [learning_curve(run) for run in runs[name]]
    passes = min(len(curve.test) for curve in curves)
    online = [fmean(curve.online_training[k] for curve in curves) for k in range(passes)]
    validation = [fmean(curve.test[k] for curve in curves) for k in range(passes)]
    points = paper_curve().online_training
    away = [(mean - point) ** 2 for mean, point in zip(online, points, strict=False)]
    return {
        "validation": spread([curve.test[-1] for curve in curves]),
        "validation_curve": [round(error, 3) for error in validation],
        "online_curve": [round(error, 3) for error in online],
        "distance_to_fig05": round(sqrt(fmean(away)), 4),
    }


def _present(values: Values, dataset: Dataset) -> Section:
    paper = values["paper"]
    seeds = len(paper["validation"]["values"])
    text = [
        f"All runs here learn from {len(dataset.training_labels):,} training digits and are "
        f"measured on {len(dataset.test_labels):,} others of the training set; the test set has no "
        f"part in it. Each row changes one choice of the recipe 'paper', {seeds} seeds each.",
        "Two things can speak for a reading: the error on digits held out, and how closely the "
        "training error, counted on line, follows that of Fig. 5 (root mean square distance over "
        "the passes). The second needs no held-out digits, but compares with a curve of 60,000 "
        f"digits: the recipe 'paper' itself is {paper['distance_to_fig05']:.2f} points away here.",
        f"The recipe 'paper': {in_words(paper['validation'])} on the digits held out "
        f"({dataset.name}).",
    ]
    if not _comparable(dataset):
        text.append(f"{not_comparable(dataset)} Fig. 5 is no measure of them.")
    if seeds > 1:
        text.append(
            "Whether a reading is worse or better than 'paper' is said where the 95 % interval of "
            "the difference, seed by seed, leaves 0 out. Of twenty readings that changed nothing, "
            "one would be called so by chance; and what is not told apart may still differ."
        )
    rows = [[*_row("paper", "", paper), "–", "–", "–"]]
    for reading in READINGS:
        found = values["readings"][reading.recipe.name]
        words = reading.reading + (" (printed)" if reading.printed else "")
        rows.append(
            [
                *_row(reading.choice, words, found),
                f"{found['cost']['mean']:+.2f}",
                interval_in_words(found["cost"]),
                _conclusion(found, paper, dataset),
            ]
        )
    header = (
        *("choice", "reading", "validation error, %", "pass 2", "training, %"),
        *("from Fig. 5, points", "against 'paper', points", "95 % interval", "conclusion"),
    )
    picture = Picture(
        "choices",
        _draw(values, dataset.name),
        "The training error on line, mean of the seeds, for the readings of μ and of the initial "
        "weights that learn; circles: Fig. 5.",
    )
    return Section(text, [Table("Readings of the open choices", header, rows)], [picture])


def _row(choice: str, reading: str, found: Values) -> list[str]:
    validation = found["validation"]
    curve = found["validation_curve"]
    return [
        choice,
        reading,
        f"{validation['mean']:.2f} ({range_in_words(validation)})",
        f"{curve[1]:.2f}" if len(curve) > 1 else "–",
        f"{found['online_curve'][-1]:.2f}",
        f"{found['distance_to_fig05']:.2f}",
    ]


def _conclusion(found: Values, paper: Values, dataset: Dataset) -> str:
    if found["validation"]["mean"] > _LEARNS:
        return "hardly learns"
    effect = verdict(found["cost"]) or "so few seeds cannot say"
    words = "not told apart by the error" if effect == "same" else effect
    away = found["distance_to_fig05"] - paper["distance_to_fig05"]
    told = away > _AWAY and _comparable(dataset)
    return words + (", farther from Fig. 5" if told else "")


def _comparable(dataset: Dataset) -> bool:
    """Whether the digits are the paper's: all of MNIST, or its training set split."""
    return dataset.name == MNIST or dataset.name.startswith(f"{MNIST}, validation split")


def _draw(values: Values, dataset_name: str) -> Figure:
    figure = Figure(figsize=(5.0, 4.0), layout="constrained")
    axes = figure.add_subplot()
    points = paper_curve().online_training
    axes.plot(range(1, len(points) + 1), points, "o", mfc="none", color="#222222", label="Fig. 5")
    shown = {"paper": values["paper"]} | {
        reading.reading: values["readings"][reading.recipe.name]
        for reading in READINGS
        if reading.choice in ("initial weights", "μ")
    }
    for index, (name, found) in enumerate(shown.items()):
        curve = found["online_curve"]
        if found["validation"]["mean"] < _LEARNS:
            axes.plot(
                range(1, len(curve) + 1),
                curve,
                ("--", ":", "-.")[index % 3] if index else "-",
                label=f"μ = {name}" if name.startswith("0.") else name,
                color=f"C{index}" if index else "#b5403a",
                linewidth=1.2 if index else 2,
            )
    axes.set(xlabel="passes", ylabel="training error on line (%)", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    log_percent(axes.yaxis)
    plain_axes(axes, which="both")
    axes.legend(frameon=False, fontsize=8)
    axes.set_title(titled("Readings of the open choices", dataset_name), fontsize=11)
    return figure


CHOICES = Experiment(
    name="choices",
    title="The choices that the paper leaves open",
    recipes=(preset("paper"), *(reading.recipe for reading in READINGS)),
    measure=_measure,
    present=_present,
    validation=True,
)
