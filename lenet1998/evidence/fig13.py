"""Fig. 13: how far digits may be disturbed before LeNet-5 misreads them (section III.E)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from lenet1998.data import Dataset
from lenet1998.evaluation import scores
from lenet1998.evidence.experiment import (
    Experiment,
    Picture,
    Runs,
    Section,
    Table,
    Values,
    listed,
)
from lenet1998.evidence.fig13_examples import draw_examples, read_examples
from lenet1998.evidence.fig13_strengths import (
    CLAIMS,
    DISTORTED,
    DISTURBANCES,
    NETWORKS,
    NOISE,
    PLAIN,
    Claim,
    strength_in_words,
)
from lenet1998.learning.recipe import preset
from lenet1998.models.checks import BACKGROUND
from lenet1998.report import log_percent, plain_axes, titled

MOST_DIGITS = 2500
"""Of the test set that are disturbed, evenly taken from all of it."""

MOST_SEEDS = 5
"""Of each recipe that read them."""

READ_PERCENT = (5, 10)
"""Errors whose strength is looked for. At most the second counts as read: nine digits of ten."""


_WIDTH = 5.0  # inches
_TEXT = "#222222"


def measure(runs: Runs, dataset: Dataset) -> Values:
    """Error against strength for each disturbance and recipe, the claims, and examples.

    Args:
        runs: finished, at least one of each recipe; the first `MOST_SEEDS` are measured.
        dataset: that they were trained on.
    """
    step = math.ceil(len(dataset.test_labels) / MOST_DIGITS)
    images, labels = dataset.test_images[::step].contiguous(), dataset.test_labels[::step]
    nets = {name: [run.net for run in runs[name][:MOST_SEEDS]] for name in NETWORKS}

    curves: Values = {}
    for kind, disturbance in DISTURBANCES.items():
        errors: dict[str, list[list[float]]] = {name: [] for name in nets}
        for strength in disturbance.strengths:
            disturbed = disturbance.disturb(images, strength)
            for name, of_recipe in nets.items():
                errors[name].append([_error_percent(net, disturbed, labels) for net in of_recipe])
        curves[kind] = {
            "strengths": list(disturbance.strengths),
            "error_percent": {name: _curve(of_net) for name, of_net in errors.items()},
        }
    trained = runs[DISTORTED][0].recipe.distortions
    least, greatest = trained.inverse_scale
    return {
        "dataset": dataset.name,
        "digits": len(labels),
        "test_digits": len(dataset.test_labels),
        "seeds": {name: len(of_recipe) for name, of_recipe in nets.items()},
        "distortions": {
            "sizes": [round(1 / greatest, 4), round(1 / least, 4)],
            "translation": trained.translation,
            "shear": trained.shear,
        },
        "disturbances": curves,
        "claims": [_test(claim, curves, images) for claim in CLAIMS],
        "reach": {
            kind: {
                name: {
                    str(percent): _reach(kind, curve["mean"], percent) for percent in READ_PERCENT
                }
                for name, curve in of_kind["error_percent"].items()
            }
            for kind, of_kind in curves.items()
        },
        "examples": read_examples(nets, dataset),
    }


def _error_percent(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    return 100 * (scores(net, images).argmin(1) != labels).double().mean().item()


def _curve(errors: Sequence[Sequence[float]]) -> Values:
    """Mean and range of the seeds at each strength."""
    return {
        "mean": [round(fmean(of_seeds), 4) for of_seeds in errors],
        "least": [round(min(of_seeds), 4) for of_seeds in errors],
        "greatest": [round(max(of_seeds), 4) for of_seeds in errors],
    }


def _test(claim: Claim, curves: Values, images: Tensor) -> Values:
    """The errors at the strengths of a claim, and how much of the digits is cut off there."""
    curve, disturbance = curves[claim.kind], DISTURBANCES[claim.kind]
    at = [curve["strengths"].index(strength) for strength in claim.strengths]
    ink = (images - BACKGROUND).double().sum().item()
    lost = []
    for strength in claim.strengths:
        area = strength**2 if claim.kind == "size" else 1.0
        left = (disturbance.disturb(images, strength) - BACKGROUND).double().sum().item()
        lost.append(round(max(0.0, 100 * (1 - left / (area * ink))), 2))
    return {
        "kind": claim.kind,
        "words": claim.words,
        "strengths": list(claim.strengths),
        "ink_lost_percent": lost,
        "error_percent": {
            name: {which: [of_recipe[which][i] for i in at] for which in of_recipe}
            for name, of_recipe in curve["error_percent"].items()
        },
    }


def _reach(kind: str, errors: Sequence[float], percent: float) -> list[float | None]:
    """The strengths, below and above none, at which the error first passes so many percent.

    Linear between the measured strengths; None where it does not pass.
    """
    strengths = DISTURBANCES[kind].strengths
    start = strengths.index(DISTURBANCES[kind].none)
    points = list(zip(strengths, errors, strict=True))
    return [_first_passing(side, percent) for side in (points[start::-1], points[start:])]


def _first_passing(points: Sequence[tuple[float, float]], percent: float) -> float | None:
    if points[0][1] > percent:
        return points[0][0]
    for (inner, before), (outer, after) in pairwise(points):
        if before <= percent < after:
            return round(inner + (outer - inner) * (percent - before) / (after - before), 4)
    return None


def present(values: Values, dataset: Dataset) -> Section:
    """The claims of section III.E, tested; the curves; and examples in the spirit of Fig. 13."""
    examples = values["examples"]
    return Section(
        text=_text(values),
        tables=[_claims_table(values), _reach_table(values)],
        pictures=[
            Picture(
                "fig13",
                _draw_curves(values),
                "Error against strength, mean and range of the seeds. Grey: what the paper says is "
                "read, darker as a range, lighter to either side. Dotted: "
                f"{listed([f'{percent} %' for percent in READ_PERCENT])}. {_digits(values)}.",
            ),
            Picture(
                "fig13_examples",
                draw_examples(values, dataset),
                f"The test digit of index {examples['index']} under each disturbance; below it the "
                "strength, then the answer of seed 0 and its penalty (eq. 7), red where it is "
                "wrong. Shear in columns per row, stroke width in pixels. "
                f"{values['dataset']}.",
            ),
        ],
        summary=[
            (
                f"Fig. 13: error with {claim['words']}",
                "read" if _is_one_reading(claim["kind"]) else "read, if meant so",
                "; ".join(
                    f"{NETWORKS[name][0]} "
                    + " and ".join(f"{e:.1f}" for e in claim["error_percent"][name]["mean"])
                    + " %"
                    for name in (PLAIN, DISTORTED)
                ),
            )
            for claim in values["claims"]
        ],
    )


def _is_one_reading(kind: str) -> bool:
    """Whether the paper's claim is taken in one way only."""
    return sum(claim.kind == kind for claim in CLAIMS) == 1


def _digits(values: Values) -> str:
    if values["digits"] == values["test_digits"]:
        return f"{values['dataset']}, all {values['digits']:,} test digits"
    return (
        f"{values['dataset']}, {values['digits']:,} of the {values['test_digits']:,} test digits, "
        "evenly taken"
    )


def _text(values: Values) -> list[str]:
    seeds = [f"{count} {NETWORKS[name][0]}" for name, count in values["seeds"].items()]
    verdicts = " ".join(_verdict(values, name) for name in (PLAIN, DISTORTED))
    return [
        "The paper shows disturbed digits that LeNet-5 reads, and says that it reads them over a "
        "factor 2 in size, vertical shifts of half the height and rotations of ±30 degrees. That "
        "is said of examples; no error rate is printed, so none can be compared.",
        f"Measured on: {_digits(values)}. Networks: {listed(seeds)}. Shift, rotation and shear go "
        'to either side in turn. "A factor 2" and "half the height" may be meant as a whole '
        "range or to either side; both are tested. A digit is 20 pixels high, so half is 10.",
        f"As our bar, for the paper names none, a strength is read if at most {READ_PERCENT[-1]} % "
        f"are misread. {verdicts}",
        _cut(values),
        _of_distortions(values),
        _of_noise(values),
        "Size changes the width of the strokes too, and with it what the 5x5 fields of C1 see; "
        "the last panel changes the strokes alone.",
    ]


def _verdict(values: Values, name: str) -> str:
    """The claims that a recipe's networks meet, and those that they do not."""
    met: list[str] = []
    missed: list[str] = []
    for claim in values["claims"]:
        worst = max(claim["error_percent"][name]["mean"])
        side = met if worst <= READ_PERCENT[-1] else missed
        side.append(f"{claim['words']} ({worst:.1f} %)")
    return (
        f"{NETWORKS[name][0].capitalize()}: within the bar {listed(met or ['nothing'])}; "
        f"beyond it {listed(missed or ['nothing'])}."
    )


def _cut(values: Values) -> str:
    """How much of the digits is outside of the field where the claims are tested."""
    lost = [
        f"{share:.1f} % at {strength_in_words(claim['kind'], strength)}"
        for claim in values["claims"]
        for strength, share in zip(claim["strengths"], claim["ink_lost_percent"], strict=True)
        if share >= 0.05
    ]
    return (
        "The field is 32 pixels high, so that part of the ink leaves it at the greatest strengths: "
        f"{', '.join(lost)}. What is cut off nobody can read."
        if lost
        else "At none of these strengths does ink leave the field of 32x32 pixels."
    )


def _of_distortions(values: Values) -> str:
    trained, (least, greatest) = values["distortions"], values["distortions"]["sizes"]
    shift, turn = (
        f"{_mean(values, PLAIN, kind, strength):.1f} to "
        f"{_mean(values, DISTORTED, kind, strength):.1f} %"
        for kind, strength in (("shift", 5.0), ("rotation", 30.0))
    )
    return (
        f"The distortions learned from reach sizes of {least:.2f} to {greatest:.2f}, shifts of "
        f"{trained['translation']:g} pixels and shears of {trained['shear']:g}, and turn no digit. "
        f"With them the error at a shift of 5 pixels goes from {shift}, at 30 degrees from {turn}."
    )


def _of_noise(values: Values) -> str:
    plain, trained, plain_without, trained_without = (
        _mean(values, name, "noise", share) for share in (0.1, 0.0) for name in (PLAIN, NOISE)
    )
    return (
        "The paper's noise-resistant network was trained with each pixel inverted with probability "
        f"0.1. Trained so, {trained:.1f} % are misread at that noise, where the plain network "
        f"misreads {plain:.1f} %; without noise {trained_without:.2f} % instead of "
        f"{plain_without:.2f} %."
    )


def _mean(values: Values, name: str, kind: str, strength: float) -> float:
    """The mean error of a recipe's networks at one of the measured strengths."""
    curves = values["disturbances"][kind]
    return float(curves["error_percent"][name]["mean"][curves["strengths"].index(strength)])


def _claims_table(values: Values) -> Table:
    rows = [
        (
            f"{claim['words']}: {strength_in_words(claim['kind'], strength)}",
            *(_cell(claim["error_percent"][name], i) for name in NETWORKS),
        )
        for claim in values["claims"]
        for i, strength in enumerate(claim["strengths"])
    ]
    return Table(
        caption="Error in percent at the paper's strengths: mean of the seeds, and their range.",
        header=("claim", *(title for title, _ in NETWORKS.values())),
        rows=rows,
    )


def _cell(curve: Values, i: int) -> str:
    return f"{curve['mean'][i]:.1f} ({curve['least'][i]:.1f}–{curve['greatest'][i]:.1f})"


def _reach_table(values: Values) -> Table:
    rows = [
        (
            disturbance.title,
            *(
                _range(kind, values["reach"][kind][name][str(percent)])
                for percent in READ_PERCENT
                for name in NETWORKS
            ),
        )
        for kind, disturbance in DISTURBANCES.items()
    ]
    header = [f"{percent} %, {title}" for percent in READ_PERCENT for title, _ in NETWORKS.values()]
    return Table(
        caption="The strengths at which the mean error passes a percentage, by straight lines "
        "between those measured. Shear in columns per row, stroke width in pixels.",
        header=("disturbance", *header),
        rows=rows,
    )


def _range(kind: str, reach: Sequence[float | None]) -> str:
    """From one end to the other; only the upper end where the disturbance has no other."""
    disturbance, (low, high) = DISTURBANCES[kind], reach
    first, last = disturbance.strengths[0], disturbance.strengths[-1]
    upper = f"> {strength_in_words(kind, last)}" if high is None else _passed(kind, high)
    if first == disturbance.none:
        return upper
    lower = f"< {strength_in_words(kind, first)}" if low is None else _passed(kind, low)
    return f"{lower} to {upper}"


def _passed(kind: str, strength: float) -> str:
    # Sizes have two decimals in any case; two digits are as good as straight lines are.
    return strength_in_words(kind, strength if kind == "size" else float(f"{strength:.2g}"))


def _draw_curves(values: Values) -> Figure:
    figure = Figure(figsize=(_WIDTH, 2.3 * len(DISTURBANCES) + 0.9), layout="constrained")
    panels = figure.subplots(len(DISTURBANCES), 1)
    for axes, (kind, disturbance) in zip(panels, DISTURBANCES.items(), strict=True):
        _draw_claims(axes, kind)
        curves = values["disturbances"][kind]
        for name, (title, colour) in NETWORKS.items():
            of_recipe = curves["error_percent"][name]
            axes.plot(
                curves["strengths"],
                of_recipe["mean"],
                "o-",
                markersize=3,
                color=colour,
                label=title,
            )
            axes.fill_between(
                curves["strengths"], of_recipe["least"], of_recipe["greatest"],
                color=colour, alpha=0.2, linewidth=0,
            )  # fmt: skip
        for percent in READ_PERCENT:
            axes.axhline(percent, color=_TEXT, linewidth=0.8, linestyle=":")
        if kind == "size":
            axes.set_xscale("log", base=2)
            axes.set_xticks((0.5, 0.7, 1, 1.4, 2), ("0.5", "0.7", "1", "1.4", "2"))
            axes.minorticks_off()
        axes.set_yscale("log")
        log_percent(axes.yaxis)
        axes.set(xlabel=disturbance.unit, ylabel="error (%)", ylim=(0.4, 100))
        axes.set_title(disturbance.title, fontsize=10, loc="left")
        plain_axes(axes)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(titled("Disturbed digits (Fig. 13)", values["dataset"]), fontsize=11)
    return figure


def _draw_claims(axes: Axes, kind: str) -> None:
    for claim in CLAIMS:
        if claim.kind == kind:
            low, high = min(*claim.strengths, DISTURBANCES[kind].none), max(claim.strengths)
            axes.axvspan(low, high, color="#888888", alpha=0.15, linewidth=0)


FIG13 = Experiment(
    name="fig13",
    title="Fig. 13: reading disturbed digits",
    recipes=(
        preset(PLAIN),
        preset(DISTORTED),
        preset(NOISE),
    ),
    measure=measure,
    present=present,
)
"""Size, vertical shift, rotation, shear, noise and stroke width."""
