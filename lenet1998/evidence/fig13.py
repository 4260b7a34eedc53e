"""Fig. 13: how far digits may be disturbed before LeNet-5 misreads them (section III.E)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from lenet1998.data import Dataset
from lenet1998.data.disturbances import (
    rotated,
    scaled,
    sheared,
    shifted_vertically,
    with_noise,
    with_strokes,
)
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
from lenet1998.learning.recipe import preset
from lenet1998.models.checks import BACKGROUND, INK
from lenet1998.report import log_percent, plain_axes, titled

MOST_DIGITS = 2500
"""Of the test set that are disturbed, evenly taken from all of it."""

MOST_SEEDS = 5
"""Of each recipe that read them."""

READ_PERCENT = (5, 10)
"""Errors whose strength is looked for. At most the second counts as read: nine digits of ten."""


@dataclass(frozen=True)
class Disturbance:
    """One way to make digits harder.

    Attributes:
        title: of its panel.
        unit: of the strength, on the axis.
        disturb: images and strength to disturbed images.
        strengths: of the curve, ascending.
        none: the strength that changes nothing, one of them.
        shown: the strengths of the examples.
    """

    title: str
    unit: str
    disturb: Callable[[Tensor, float], Tensor]
    strengths: tuple[float, ...]
    none: float
    shown: tuple[float, ...]


@dataclass(frozen=True)
class Claim:
    """What the paper says is read, as a strength.

    Attributes:
        kind: of the disturbance, a name of `DISTURBANCES`.
        words: the paper's claim, in this reading.
        strengths: where it is tested.
    """

    kind: str
    words: str
    strengths: tuple[float, ...]


_FACTORS = tuple(round(2 ** (step / 6), 4) for step in range(-6, 7))

DISTURBANCES = {
    "size": Disturbance(
        "Size", "relative size", scaled, _FACTORS, 1.0, (0.5, 0.7071, 0.8909, 1.2599, 1.5874, 2.0)
    ),
    "shift": Disturbance(
        "Vertical shift",
        "moved up or down by (pixels)",
        shifted_vertically,
        tuple(float(pixels) for pixels in range(11)),
        0.0,
        (1.0, 2.0, 4.0, 5.0, 7.0, 10.0),
    ),
    "rotation": Disturbance(
        "Rotation",
        "turned to either side by (degrees)",
        rotated,
        tuple(float(degrees) for degrees in range(0, 61, 5)),
        0.0,
        (10.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    ),
    "shear": Disturbance(
        "Shear",
        "leant to either side by (columns per row)",
        sheared,
        tuple(step / 10 for step in range(11)),
        0.0,
        (0.2, 0.3, 0.4, 0.6, 0.8, 1.0),
    ),
    "noise": Disturbance(
        "Noise",
        "pixels inverted (share)",
        with_noise,
        (0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
        0.0,
        (0.025, 0.05, 0.1, 0.2, 0.3, 0.4),
    ),
    "strokes": Disturbance(
        "Stroke width",
        "strokes wider by (pixels)",
        with_strokes,
        (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0),
        0.0,
        (-2.0, -1.5, -1.0, 1.0, 2.0, 3.0),
    ),
}
"""Those of section III.E, and shear and stroke width beside them."""

CLAIMS = (
    Claim("size", "a size range of a factor 2", (0.7071, 1.4142)),
    Claim("size", "a factor 2 in size either way", (0.5, 2.0)),
    Claim("shift", "a vertical shift range of half the height", (5.0,)),
    Claim("shift", "half the height in vertical shift either way", (10.0,)),
    Claim("rotation", "a rotation of ±30 degrees", (30.0,)),
)
"""Sizes and shifts in two readings: the paper's "factor 2" may be a range or to either side."""

_DIGIT = 4  # of the examples

# With the ranges of Fig. 7: those that the network of 1998 was trained with.
_PLAIN, _DISTORTED, _NOISE = "paper", "paper-distorted-measured", "paper-noise"
_NETWORKS = {
    _PLAIN: ("plain", "#b5403a"),
    _DISTORTED: ("trained with distortions", "#2f6690"),
    _NOISE: ("trained with noise", "#4f7f52"),
}
"""What each recipe's networks are called, and their colour."""

_WIDTH = 5.0  # inches, 100 units of the sheet of examples
_TEXT, _QUIET, _WRONG, _FRAME = "#222222", "#666666", "#b5403a", "#bbbbbb"


def measure(runs: Runs, dataset: Dataset) -> Values:
    """Error against strength for each disturbance and recipe, the claims, and examples.

    Args:
        runs: finished, at least one of each recipe; the first `MOST_SEEDS` are measured.
        dataset: that they were trained on.
    """
    step = math.ceil(len(dataset.test_labels) / MOST_DIGITS)
    images, labels = dataset.test_images[::step].contiguous(), dataset.test_labels[::step]
    nets = {name: [run.net for run in runs[name][:MOST_SEEDS]] for name in _NETWORKS}

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
    trained = runs[_DISTORTED][0].recipe.distortions
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
        "examples": _read_examples(nets, dataset),
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


def _read_examples(nets: Mapping[str, Sequence[nn.Module]], dataset: Dataset) -> Values:
    """How seed 0 reads one digit under each disturbance."""
    index = int((dataset.test_labels == _DIGIT).int().argmax())
    original = dataset.test_images[index : index + 1]
    rows = [(kind, _PLAIN) for kind in DISTURBANCES]
    rows.insert(rows.index(("noise", _PLAIN)) + 1, ("noise", _NOISE))
    return {
        "index": index,
        "label": int(dataset.test_labels[index]),
        "undisturbed": _answers(nets[_PLAIN][0], [original])[0],
        "rows": [
            {
                "kind": kind,
                "recipe": name,
                "answers": _answers(nets[name][0], _examples(original, kind)),
            }
            for kind, name in rows
        ],
    }


def _examples(original: Tensor, kind: str) -> list[Tensor]:
    disturbance = DISTURBANCES[kind]
    return [disturbance.disturb(original, strength) for strength in disturbance.shown]


def _answers(net: nn.Module, images: Sequence[Tensor]) -> list[Values]:
    penalties, digits = scores(net, torch.cat(list(images))).min(1)
    return [
        {"digit": digit, "penalty": round(penalty, 2)}
        for digit, penalty in zip(digits.tolist(), penalties.tolist(), strict=True)
    ]


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
                _draw_examples(values, dataset),
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
                    f"{_NETWORKS[name][0]} "
                    + " and ".join(f"{e:.1f}" for e in claim["error_percent"][name]["mean"])
                    + " %"
                    for name in (_PLAIN, _DISTORTED)
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
    seeds = [f"{count} {_NETWORKS[name][0]}" for name, count in values["seeds"].items()]
    verdicts = " ".join(_verdict(values, name) for name in (_PLAIN, _DISTORTED))
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
        f"{_NETWORKS[name][0].capitalize()}: within the bar {listed(met or ['nothing'])}; "
        f"beyond it {listed(missed or ['nothing'])}."
    )


def _cut(values: Values) -> str:
    """How much of the digits is outside of the field where the claims are tested."""
    lost = [
        f"{share:.1f} % at {_strength(claim['kind'], strength)}"
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
        f"{_mean(values, _PLAIN, kind, strength):.1f} to "
        f"{_mean(values, _DISTORTED, kind, strength):.1f} %"
        for kind, strength in (("shift", 5.0), ("rotation", 30.0))
    )
    return (
        f"The distortions learned from reach sizes of {least:.2f} to {greatest:.2f}, shifts of "
        f"{trained['translation']:g} pixels and shears of {trained['shear']:g}, and turn no digit. "
        f"With them the error at a shift of 5 pixels goes from {shift}, at 30 degrees from {turn}."
    )


def _of_noise(values: Values) -> str:
    plain, trained, plain_without, trained_without = (
        _mean(values, name, "noise", share) for share in (0.1, 0.0) for name in (_PLAIN, _NOISE)
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


def _strength(kind: str, strength: float) -> str:
    """A strength in words."""
    return {
        "size": f"×{strength:.2f}",
        "shift": f"{strength:g} pixels",
        "rotation": f"{strength:g}°",
        "shear": f"{strength:g}",
        "noise": f"{100 * strength:g} %",
        "strokes": f"{strength:+g}",
    }[kind].replace("-", "−")


def _claims_table(values: Values) -> Table:
    rows = [
        (
            f"{claim['words']}: {_strength(claim['kind'], strength)}",
            *(_cell(claim["error_percent"][name], i) for name in _NETWORKS),
        )
        for claim in values["claims"]
        for i, strength in enumerate(claim["strengths"])
    ]
    return Table(
        caption="Error in percent at the paper's strengths: mean of the seeds, and their range.",
        header=("claim", *(title for title, _ in _NETWORKS.values())),
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
                for name in _NETWORKS
            ),
        )
        for kind, disturbance in DISTURBANCES.items()
    ]
    header = [
        f"{percent} %, {title}" for percent in READ_PERCENT for title, _ in _NETWORKS.values()
    ]
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
    upper = f"> {_strength(kind, last)}" if high is None else _passed(kind, high)
    if first == disturbance.none:
        return upper
    lower = f"< {_strength(kind, first)}" if low is None else _passed(kind, low)
    return f"{lower} to {upper}"


def _passed(kind: str, strength: float) -> str:
    # Sizes have two decimals in any case; two digits are as good as straight lines are.
    return _strength(kind, strength if kind == "size" else float(f"{strength:.2g}"))


def _draw_curves(values: Values) -> Figure:
    figure = Figure(figsize=(_WIDTH, 2.3 * len(DISTURBANCES) + 0.9), layout="constrained")
    panels = figure.subplots(len(DISTURBANCES), 1)
    for axes, (kind, disturbance) in zip(panels, DISTURBANCES.items(), strict=True):
        _draw_claims(axes, kind)
        curves = values["disturbances"][kind]
        for name, (title, colour) in _NETWORKS.items():
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


def _draw_examples(values: Values, dataset: Dataset) -> Figure:
    """A sheet, 100 units wide with y downwards: a row for each disturbance."""
    examples = values["examples"]
    original = dataset.test_images[examples["index"] : examples["index"] + 1]
    row_height, side, left = 29.0, 14.0, 2.0
    height = 22 + row_height * len(examples["rows"])
    figure = Figure(figsize=(_WIDTH, _WIDTH * height / 100), facecolor="white")
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set(xlim=(0, 100), ylim=(height, 0), autoscale_on=False)
    sheet.axis("off")

    undisturbed = examples["undisturbed"]
    _draw_tile(sheet, original, left, 2, side)
    sheet.text(
        left + side + 2, 2 + side / 2,
        f"undisturbed: reads {undisturbed['digit']}, penalty {undisturbed['penalty']:.1f}\n"
        f"{values['dataset']}",
        va="center", size=10, color=_TEXT,
    )  # fmt: skip
    for number, row in enumerate(examples["rows"]):
        top = 22 + row_height * number
        disturbance = DISTURBANCES[row["kind"]]
        network = "" if row["recipe"] == _PLAIN else f", {_NETWORKS[row['recipe']][0]}"
        sheet.text(left, top, f"{disturbance.title}{network}", size=10, weight="bold", color=_TEXT)
        pictures = _examples(original, row["kind"])
        for column, (picture, strength, answer) in enumerate(
            zip(pictures, disturbance.shown, row["answers"], strict=True)
        ):
            x = left + column * (side + 2.4)
            _draw_tile(sheet, picture, x, top + 1.5, side)
            wrong = answer["digit"] != examples["label"]
            strength_in_words = _strength(row["kind"], strength)
            sheet.text(
                x, top + side + 4.2, strength_in_words.replace(" pixels", " px"),
                size=8, color=_QUIET, va="center",
            )  # fmt: skip
            sheet.text(
                x, top + side + 7.8, f"{answer['digit']} ({answer['penalty']:.1f})",
                size=9, color=_WRONG if wrong else _TEXT, va="center",
            )  # fmt: skip
    return figure


def _draw_tile(sheet: Axes, image: Tensor, x: float, y: float, side: float) -> None:
    sheet.imshow(
        image[0, 0].numpy(), extent=(x, x + side, y + side, y),
        vmin=BACKGROUND, vmax=INK, cmap="Greys", interpolation="nearest", aspect="auto",
    )  # fmt: skip
    sheet.add_patch(Rectangle((x, y), side, side, fill=False, lw=0.4, ec=_FRAME))


FIG13 = Experiment(
    name="fig13",
    title="Fig. 13: reading disturbed digits",
    recipes=(
        preset(_PLAIN),
        preset(_DISTORTED),
        preset(_NOISE),
    ),
    measure=measure,
    present=present,
)
"""Size, vertical shift, rotation, shear, noise and stroke width."""
