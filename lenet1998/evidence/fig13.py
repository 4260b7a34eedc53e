"""Fig. 13: how far digits may be disturbed before LeNet-5 misreads them (section III.E)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from matplotlib.figure import Figure
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.disturbances import DISTURBANCES
from lenet1998.data.field import BACKGROUND, BOX, FIELD
from lenet1998.evidence import facts, fig13_examples
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.evidence.fig13_examples import Examples
from lenet1998.learning.presets import preset
from lenet1998.measures.answers import evaluate
from lenet1998.measures.spread import Spread, listed
from lenet1998.models.network import Network
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table

MOST_DIGITS = 2500  # of the test set that are disturbed, evenly taken from all of it
MOST_SEEDS = 5  # of each recipe that read them
READ_PERCENT = (5, 10)
"""Errors whose strength is looked for. At most the second counts as read: nine digits of ten."""

# With the ranges of Fig. 7: those that the network of 1998 was trained with.
PLAIN, DISTORTED, NOISE = "paper", "paper-distorted-measured", "paper-noise"
NETWORKS = {PLAIN: "plain", DISTORTED: "trained with distortions", NOISE: "trained with noise"}
"""What each recipe's networks are called."""

STRENGTHS: Mapping[str, tuple[float, ...]] = {
    "size": tuple(round(2 ** (step / 6), 4) for step in range(-6, 7)),
    "vertical shift": tuple(float(pixels) for pixels in range(11)),
    "rotation": tuple(float(degrees) for degrees in range(0, 61, 5)),
    "shear": tuple(step / 10 for step in range(11)),
    "noise": (0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
    "strokes": tuple(half / 2 for half in range(-4, 7)),
}
"""Of the curves, ascending: the disturbances of section III.E, and two beside them."""
_UNITS = "Shear in columns per row, stroke width in pixels."


@dataclass(frozen=True)
class Extent:
    """What the paper estimates to be read, in one reading."""

    kind: str  # of the disturbance, a name of `STRENGTHS`
    words: str  # of the paper
    strengths: tuple[float, ...]  # where it is tested


_FACTOR, _SHIFT, _TURN = facts.READ_SIZE, facts.READ_SHIFT * BOX, facts.READ_ROTATION
_AS_RANGE = (round(_FACTOR**-0.5, 4), round(_FACTOR**0.5, 4))
EXTENTS = (
    Extent("size", f"a size range of a factor {_FACTOR:g}", _AS_RANGE),
    Extent("size", f"a factor {_FACTOR:g} in size either way", (1 / _FACTOR, _FACTOR)),
    Extent("vertical shift", "a vertical shift of ± half the height", (_SHIFT,)),
    Extent("rotation", f"a rotation of ±{_TURN:g} degrees", (_TURN,)),
)
"""Sizes in two readings: a factor may be that of a whole range, or to either side."""


@dataclass(frozen=True)
class Curves:
    """Error against the strength of one disturbance."""

    strengths: tuple[float, ...]  # ascending
    # by the recipe, for each seed its errors at these strengths
    error_percent: dict[str, tuple[tuple[float, ...], ...]]

    def at(self, strength: float, name: str) -> Spread:
        """The errors of a recipe's networks at one of the strengths."""
        place = self.strengths.index(strength)
        return Spread(tuple(errors[place] for errors in self.error_percent[name]))

    def reach(self, none: float, name: str, percent: float) -> tuple[float | None, float | None]:
        """Where, below and above no disturbance, the mean error first passes a percentage."""
        points = [(strength, self.at(strength, name).mean) for strength in self.strengths]
        start = self.strengths.index(none)
        return first_passing(points[start::-1], percent), first_passing(points[start:], percent)


def first_passing(points: Sequence[tuple[float, float]], percent: float) -> float | None:
    """Where a line through strengths and errors first passes so many percent; None: nowhere."""
    if points[0][1] > percent:
        return points[0][0]
    for (inner, before), (outer, after) in pairwise(points):
        if before <= percent < after:
            return inner + (outer - inner) * (percent - before) / (after - before)
    return None


@dataclass(frozen=True)
class Values:
    """What was measured."""

    digits: int  # that were disturbed
    disturbances: dict[str, Curves]  # the errors, by the kind of disturbance
    # for each of `EXTENTS`, how much of the digits' ink is outside of the field at its strengths
    ink_lost_percent: tuple[tuple[float, ...], ...]
    examples: Examples  # of one digit, by the networks of seed 0

    def errors(self, extent: Extent, name: str) -> list[Spread]:
        """Of a recipe's networks, at the strengths of an extent."""
        return [self.disturbances[extent.kind].at(strength, name) for strength in extent.strengths]

    def readers(self, extent: Extent) -> list[str]:
        """What reads so far, by our bar: the plain networks, those trained with distortions."""
        return [
            NETWORKS[name]
            for name in (PLAIN, DISTORTED)
            if all(errors.mean <= READ_PERCENT[-1] for errors in self.errors(extent, name))
        ]


def _measure(runs: Runs, dataset: Dataset) -> Values:
    step = math.ceil(len(dataset.test_labels) / MOST_DIGITS)
    images, labels = dataset.test_images[::step].contiguous(), dataset.test_labels[::step]
    nets = {name: [run.net for run in runs[name][:MOST_SEEDS]] for name in NETWORKS}
    curves = {}
    for kind, strengths in STRENGTHS.items():
        disturbed = [DISTURBANCES[kind].apply(images, strength) for strength in strengths]
        errors = {
            name: tuple(_errors(net, disturbed, labels) for net in nets[name]) for name in nets
        }
        curves[kind] = Curves(strengths, errors)
    return Values(
        digits=len(labels),
        disturbances=curves,
        ink_lost_percent=tuple(
            tuple(_ink_lost_percent(images, extent.kind, strength) for strength in extent.strengths)
            for extent in EXTENTS
        ),
        examples=fig13_examples.read({name: nets[name][0] for name in (PLAIN, NOISE)}, dataset),
    )


def _errors(net: Network, disturbed: Sequence[Tensor], labels: Tensor) -> tuple[float, ...]:
    return Spread.of(evaluate(net, at, labels, "").error_percent for at in disturbed).values


def _ink_lost_percent(images: Tensor, kind: str, strength: float) -> float:
    disturbed = DISTURBANCES[kind].apply(images, strength)
    left, ink = ((of - BACKGROUND).double().sum().item() for of in (disturbed, images))
    area = strength**2 if kind == "size" else 1.0
    return round(max(0.0, 100 * (1 - left / (area * ink))), 2)


def _present(values: Values, dataset: Dataset) -> Section:
    count = len(dataset.test_labels)
    part = f"{values.digits:,} of the {count:,} test digits, evenly taken"
    digits = f"{dataset.name}, {part if values.digits < count else f'all {count:,} test digits'}"
    noise, share = values.disturbances["noise"], facts.INVERTED_PIXELS
    seeds = {title: len(noise.error_percent[name]) for name, title in NETWORKS.items()}
    networks = listed([f"{number} {title}" for title, number in seeds.items()])
    learned = preset(DISTORTED).distortions
    least, greatest = (1 / inverse for inverse in reversed(learned.inverse_scale))
    readers = {extent.words: values.readers(extent) for extent in EXTENTS}
    met = [f"{words} ({listed(names)})" for words, names in readers.items() if names]
    text = [
        "The paper shows disturbed digits that LeNet-5 reads, and estimates that it reads them "
        f"over a factor {_FACTOR:g} in size, vertical shifts of ± half the height and rotations "
        f"of ±{_TURN:g} degrees. No error rate is printed, and not which network is meant, so none "
        "can be compared.",
        f"Measured on: {digits}. Networks: {networks}. Shift, rotation and shear go to either side "
        f'in turn. "A factor {_FACTOR:g}" may be meant as a whole range or to either side; both '
        f"are tested. A digit is {BOX} pixels high, so half is {_SHIFT:g}.",
        f"As our bar, for the paper names none, a strength is read if at most {READ_PERCENT[-1]} % "
        f"are misread. So read: {listed(met or ['nothing'])}. What leaves the field of "
        f"{FIELD}x{FIELD} pixels nobody can read.",
        f"The distortions learned from reach sizes of {least:.2f} to {greatest:.2f}, shifts of "
        f"{learned.translation:g} pixels and shears of {learned.shear:g}, and turn no digit.",
        "The paper's noise-resistant network was trained with each pixel inverted with probability "
        f"{share:g}. Trained so, {noise.at(share, NOISE).mean:.1f} % are misread at that noise, by "
        f"the plain network {noise.at(share, PLAIN).mean:.1f} %; without noise "
        f"{noise.at(0, NOISE).mean:.2f} % instead of {noise.at(0, PLAIN).mean:.2f} %.",
        "Size changes the width of the strokes too, and with it what the 5x5 fields of C1 see; "
        "the last panel changes the strokes alone.",
        *([] if dataset.is_comparable else [not_comparable(dataset)]),
    ]
    curves = (
        "Error against strength, mean and range of the seeds. Grey: what the paper says is read, "
        "darker as a range, lighter to either side. Dotted: "
        f"{listed([f'{percent} %' for percent in READ_PERCENT])}. {digits}."
    )
    examples = (
        f"The test digit of index {values.examples.index} under each disturbance; below it the "
        "strength, then the answer of seed 0 and its penalty (eq. 7), bold where it is wrong. "
        f"{_UNITS} {dataset.name}."
    )
    drawn = [
        Plot("fig13", _draw_curves(values, dataset.name), curves),
        Plot("fig13_examples", fig13_examples.draw(values.examples, dataset, NETWORKS), examples),
    ]
    tables = [_extents_table(values), _reach_table(values)]
    conclusions = [_conclusion(values, extent, dataset) for extent in EXTENTS]
    claims = _claims(values) if dataset.is_comparable else ()
    return Section("", text, tables, drawn, conclusions=conclusions, claims=claims)


def _claims(values: Values) -> list[Claim]:
    read = [bool(values.readers(extent)) for extent in EXTENTS]
    errors = "; ".join(
        f"{extent.words}: {NETWORKS[PLAIN]} "
        + " and ".join(f"{at.mean:.1f} %" for at in values.errors(extent, PLAIN))
        for extent in EXTENTS
    )
    noise, share = values.disturbances["noise"], facts.INVERTED_PIXELS
    noisy = noise.at(share, NOISE)
    (shown,) = (row for row in values.examples.rows if (row.kind, row.recipe) == ("noise", NOISE))
    right = sum(answer.digit == values.examples.undisturbed.digit for answer in shown.answers)
    extents = "yes" if all(read) else "in part" if any(read) else "not here"
    return [
        Claim(31, f"misread with {errors} (nine of ten read is our bar)", extents),
        Claim(
            32,
            f"of digits of ours, not the figure's: {noisy.mean_in_words(1)} % misread with "
            f"{share:g} of the pixels inverted, and {right} of {len(shown.answers)} versions of "
            f"one 4 read right, with up to {fig13_examples.SHOWN['noise'][-1]:g} inverted",
            "yes" if noisy.mean <= READ_PERCENT[-1] else "no",
        ),
    ]


def _conclusion(values: Values, extent: Extent, dataset: Dataset) -> Conclusion:
    errors = (
        f"{NETWORKS[name]} {' and '.join(f'{at.mean:.1f}' for at in values.errors(extent, name))} %"
        for name in (PLAIN, DISTORTED)
    )
    is_one_reading = [other.kind for other in EXTENTS].count(extent.kind) == 1
    readers = values.readers(extent)
    verdict = f"holds, {readers[0]}" if len(readers) == 1 else "holds" if readers else "not here"
    return Conclusion(
        f"Fig. 13: error with {extent.words}",
        "read" if is_one_reading else "read, if meant so",
        "; ".join(errors),
        verdict if dataset.is_comparable else "",
    )


def _extents_table(values: Values) -> Table:
    rows = []
    for extent, lost in zip(EXTENTS, values.ink_lost_percent, strict=True):
        of_networks = [values.errors(extent, name) for name in NETWORKS]
        for strength, ink, *errors in zip(extent.strengths, lost, *of_networks, strict=True):
            words = f"{extent.words}: {DISTURBANCES[extent.kind].in_words(strength)}"
            cells = (at.mean_and_range_in_words(1) for at in errors)
            rows.append([words, *cells, f"{ink:.1f}"])
    caption = "Error in percent at the paper's strengths: mean of the seeds, and their range."
    return Table(caption, ("extent", *NETWORKS.values(), "ink off the field (%)"), rows)


def _reach_table(values: Values) -> Table:
    return Table.of(
        "The strengths at which the mean error passes a percentage, by straight lines between "
        f"those measured. {_UNITS}",
        "disturbance",
        {DISTURBANCES[kind].title: kind for kind in values.disturbances},
        {
            f"{percent} %, {title}": partial(_range, values, name=name, percent=percent)
            for percent in READ_PERCENT
            for name, title in NETWORKS.items()
        },
    )


def _range(values: Values, kind: str, *, name: str, percent: float) -> str:
    """From one end to the other; only the upper end where the disturbance has no other."""
    disturbance, curves = DISTURBANCES[kind], values.disturbances[kind]
    ends = curves.strengths[0], curves.strengths[-1]
    reach = curves.reach(disturbance.none, name, percent)
    words = [
        f"{sign} {disturbance.in_words(end)}"
        if strength is None
        # Sizes have two decimals in any case; two digits are as good as straight lines are.
        else disturbance.in_words(strength if kind == "size" else float(f"{strength:.2g}"))
        for sign, end, strength in zip("<>", ends, reach, strict=True)
    ]
    return words[1] if ends[0] == disturbance.none else " to ".join(words)


def _draw_curves(values: Values, dataset_name: str) -> Figure:
    count = len(values.disturbances)
    figure, panels = plots.panels("Disturbed digits (Fig. 13)", dataset_name, count, height=2.35)
    for axes, (kind, curves) in zip(panels, values.disturbances.items(), strict=True):
        disturbance = DISTURBANCES[kind]
        for extent in EXTENTS:
            if extent.kind == kind:
                ends = (disturbance.none, *extent.strengths)
                axes.axvspan(min(ends), max(ends), color=plots.QUIET, alpha=0.15, linewidth=0)
        at = [disturbance.scale * strength for strength in curves.strengths]
        for (name, title), colour in zip(NETWORKS.items(), plots.COLOURS, strict=False):
            plots.band(axes, at, curves.error_percent[name], colour, title)
        for percent in READ_PERCENT:
            plots.level(axes, percent)
        if kind == "size":
            axes.set_xscale("log", base=2)
            axes.set_xticks((0.5, 0.7, 1, 1.4, 2), ("0.5", "0.7", "1", "1.4", "2"))
            axes.minorticks_off()
        plots.log_percent(axes.yaxis)
        axes.set(xlabel=disturbance.unit, ylabel="error (%)", ylim=(0.4, 100))
        axes.set_title(disturbance.title, fontsize=10, loc="left")
    plots.legend_below(figure, panels[0])
    return figure


FIG13 = Experiment(
    name="fig13",
    title="Fig. 13: reading disturbed digits",
    recipes=tuple(preset(name) for name in NETWORKS),
    values=Values,
    measure=_measure,
    present=_present,
)
