"""Fig. 7 and the 0.8 %: what distorted patterns gain, and what decides it (section III.B)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lenet1998.data import Dataset, Distortions, distort
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
    spread,
)
from lenet1998.learning.recipe import PRINTED_SCHEDULE, Recipe, preset
from lenet1998.models.checks import BACKGROUND, INK
from lenet1998.report import log_percent, plain_axes, titled

_PAPER_TEST_ERROR_PERCENT = 0.8
ORIGINALS = (359, 366, 339, 330, 336, 376, 331, 337, 333, 334)
"""The ten training images of Fig. 7 (measured from the figure), by digit."""

_EACH = 9  # distorted versions drawn of each


def _training_error(runs: Runs, name: str) -> float:
    return round(fmean(run.records[-1].online_training_error_percent for run in runs[name]), 4)


def _measure(runs: Runs, dataset: Dataset) -> Values:
    plain = last_errors(runs, "paper")
    values: Values = {"plain": spread(plain), "recipes": {}}
    for name in runs:
        if name != "paper":
            ours = last_errors(runs, name)
            values["recipes"][name] = {
                "test": spread(ours),
                "online_training_error_percent": _training_error(runs, name),
                "pairs": paired(ours, plain),
            }
    return values


def _present(values: Values, dataset: Dataset) -> Section:
    text = [
        "1998: with 540,000 distorted patterns added to the 60,000, and still 20 passes of 60,000, "
        f"the test error fell from 0.95 to {_PAPER_TEST_ERROR_PERCENT} %. The figure shows ten "
        "digits and their distorted versions; the ranges are not printed, those measured from the "
        "figure are the recipe 'paper-distorted-measured'."
    ]
    rows = []
    plain = values["plain"]
    rows.append(["paper", f"{plain['mean']:.3f}", _range(plain), "–", "–", "–"])
    for name, found in values["recipes"].items():
        pairs, test = found["pairs"], found["test"]
        interval, p = pairs["interval"], pairs["p"]
        rows.append(
            [
                name,
                f"{test['mean']:.3f}",
                _range(test),
                f"{pairs['mean']:+.3f}",
                interval_in_words(pairs, 3),
                "–" if p is None else f"{p:.2g}",
            ]
        )
        text.append(
            f"{name}: {in_words(test, 3)}, against {in_words(plain, 3)} without distortions. "
            f"Seed by seed the gain is {pairs['mean']:.3f} points"
            + (
                ""
                if interval is None
                else f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f}; "
                f"{'beyond' if interval[0] > 0 else 'not beyond'} chance, p = {p:.2g})"
            )
            + "."
        )
    if dataset.name != MNIST:
        text.append(f"These are errors on {dataset.name}: not to be set against the paper's.")
    header = ("recipe", "test error, %", "seeds", "gain, points", "95 % interval", "p")
    pictures = [
        Picture(
            "fig07-gain",
            _draw_pairs(values, dataset.name),
            "The test error of each seed, without and with distorted patterns.",
        )
    ]
    if dataset.name == MNIST:
        pictures.insert(
            0,
            Picture(
                "fig07",
                draw_originals(dataset.training_images[list(ORIGINALS)]),
                f"The ten training digits of Fig. 7 (left), and {_EACH} versions of each, drawn "
                "from the distribution that is measured from the figure.",
            ),
        )
    table = Table("Test error after the last pass", header, rows)
    return Section(text, [table], pictures, _summary(values))


def _summary(values: Values) -> list[tuple[str, str, str]]:
    rows = []
    for name, found in values["recipes"].items():
        pairs = found["pairs"]
        how = (
            "Fig. 7's ranges, printed rates"
            if name.endswith("measured")
            else "half of Fig. 7's ranges, lower first rates"
        )
        rows.append(
            (
                f"Fig. 7: test error, distorted patterns, {how}",
                f"{_PAPER_TEST_ERROR_PERCENT} %",
                in_words(found["test"]),
            )
        )
        if pairs["interval"] is not None:
            low, high = pairs["interval"]
            rows.append(
                (
                    "gain over the plain runs, points, 95 % interval",
                    "0.15",
                    f"{pairs['mean']:.2f} ({low:.2f} to {high:.2f})",
                )
            )
    return rows


def _range(values: Values) -> str:
    return f"{values['least']:.2f}–{values['greatest']:.2f}"


def draw_originals(images: Tensor, seed: int = 7) -> Figure:
    """Each image at the left, and beside it versions distorted as in Fig. 7.

    Args:
        images: `(N, 1, 32, 32)`.
        seed: of the distortions.
    """
    versions = images.repeat_interleave(_EACH, 0)
    distorted = distort(versions, Distortions().draw(len(versions), seed))
    rows = torch.cat([images.unsqueeze(1), distorted.view(len(images), _EACH, 1, 32, 32)], 1)
    sheet = rows[:, :, 0].permute(0, 2, 1, 3).reshape(32 * len(images), -1).numpy()
    figure = Figure(figsize=(5.0, 0.5 * len(images)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(sheet, cmap="gray_r", vmin=BACKGROUND, vmax=INK, interpolation="nearest")
    axes.axvline(31.5, color="#b5403a", linewidth=1)
    axes.set_axis_off()
    return figure


def _draw_pairs(values: Values, dataset_name: str) -> Figure:
    columns = {"paper": values["plain"]} | {
        name: found["test"] for name, found in values["recipes"].items()
    }
    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for seed in range(len(values["plain"]["values"])):
        errors = [column["values"][seed] for column in columns.values()]
        axes.plot(range(len(errors)), errors, "o-", color="#2f6690", alpha=0.45, linewidth=1)
    means = [column["mean"] for column in columns.values()]
    axes.plot(range(len(means)), means, "_", color="#b5403a", markersize=28, markeredgewidth=2.5)
    if dataset_name == MNIST:
        for level, label in ((0.95, "1998, plain"), (0.8, "1998, distorted")):
            axes.axhline(level, color="#222222", linewidth=1, linestyle=":")
            axes.annotate(label, (1, level), xycoords=("axes fraction", "data"), ha="right",
                          xytext=(0, 3), textcoords="offset points", fontsize=8)  # fmt: skip
    axes.set_xticks(range(len(columns)), [name.replace("-", "-\n", 1) for name in columns])
    axes.set(ylabel="test error (%)", xlim=(-0.5, len(columns) - 0.5))
    plain_axes(axes, axis="y")
    axes.set_title(titled("Pairs of seeds", dataset_name), fontsize=11)
    return figure


FIG07 = Experiment(
    name="fig07",
    title="Fig. 7: distorted patterns, and the 0.8 %",
    recipes=(preset("paper"), preset("paper-distorted"), preset("paper-distorted-measured")),
    measure=_measure,
    present=_present,
    seeds=6,
)

# What decides the gain, on digits held out of the training set.

SLOW_SCHEDULE = ((1, 5e-4), (3, 2e-4), (8, 1e-4), (13, 5e-5), (18, 1e-5))
"""The printed rates, each but the first two for longer."""

GENTLE_SCHEDULE = ((1, 3e-4), (5, 2e-4), (10, 1e-4), (15, 5e-5), (18, 1e-5))
"""A lower start than printed, and a slower fall."""

MEASURED = Distortions()
NARROW = Distortions(inverse_scale=(0.9, 1.12), translation=0.5)
"""Fig. 7's squeeze and shear, but a third of its scales and a quarter of its translations."""


@dataclass(frozen=True)
class Trial:
    """One way to distort, in words and as a recipe."""

    ranges: str
    rates: str
    originals: str
    recipe: Recipe

    @property
    def interpolation(self) -> str:
        return self.recipe.distortions.interpolation if self.recipe.distorted_copies else "–"


def _trials() -> Iterator[Trial]:
    ranges = {
        "measured": MEASURED,
        "half": MEASURED.narrowed(0.5),
        "quarter": MEASURED.narrowed(0.25),
        "narrow": NARROW,
    }
    rates = {"printed": PRINTED_SCHEDULE, "slow": SLOW_SCHEDULE, "gentle": GENTLE_SCHEDULE}
    originals = {9: "1 in 10", 1: "1 in 2"}
    for of_rates in ("slow", "gentle"):
        recipe = preset("paper", name=f"plain-{of_rates}", schedule=rates[of_rates])
        yield Trial("none", of_rates, "all", recipe)
    for of_ranges, of_rates, copies, interpolation in (
        ("narrow", "printed", 9, "bilinear"),
        ("narrow", "slow", 9, "bilinear"),
        ("narrow", "slow", 1, "bilinear"),
        ("narrow", "gentle", 9, "bilinear"),
        ("quarter", "printed", 9, "bilinear"),
        ("half", "printed", 9, "bilinear"),
        ("half", "slow", 9, "bilinear"),
        ("half", "gentle", 9, "bilinear"),
        ("half", "gentle", 1, "bilinear"),
        ("half", "gentle", 9, "nearest"),
        ("half", "gentle", 9, "bicubic"),
        ("measured", "printed", 9, "bilinear"),
        ("measured", "slow", 9, "bilinear"),
        ("measured", "gentle", 9, "bilinear"),
    ):
        name = f"{of_ranges}-{of_rates}-{copies}"
        recipe = preset(
            "paper",
            name=name if interpolation == "bilinear" else f"{name}-{interpolation}",
            distorted_copies=copies,
            distortions=replace(ranges[of_ranges], interpolation=interpolation),
            schedule=rates[of_rates],
        )
        yield Trial(of_ranges, of_rates, originals[copies], recipe)


TRIALS = tuple(_trials())
"""What was tried on held-out digits for the recipe `paper-distorted`."""


CHANGES = {
    "rates, printed to gentle": [
        (f"{ranges}-printed-9", f"{ranges}-gentle-9") for ranges in ("measured", "half", "narrow")
    ],
    "ranges, measured to half": [
        (f"measured-{rates}-9", f"half-{rates}-9") for rates in ("printed", "slow", "gentle")
    ],
    "ranges, half to narrow": [
        (f"half-{rates}-9", f"narrow-{rates}-9") for rates in ("printed", "slow", "gentle")
    ],
    "originals, 1 in 10 to 1 in 2": [
        ("narrow-slow-9", "narrow-slow-1"),
        ("half-gentle-9", "half-gentle-1"),
    ],
    "interpolation, bilinear to nearest": [("half-gentle-9", "half-gentle-9-nearest")],
    "interpolation, bilinear to bicubic": [("half-gentle-9", "half-gentle-9-bicubic")],
}
"""What one change does, as pairs of trials that differ by nothing else."""


def _measure_trials(runs: Runs, dataset: Dataset) -> Values:
    plain = last_errors(runs, "paper")
    errors = {trial.recipe.name: last_errors(runs, trial.recipe.name) for trial in TRIALS}

    def of_seeds(names: Iterable[str]) -> list[float]:
        return [fmean(seed) for seed in zip(*(errors[name] for name in names), strict=True)]

    changes = {}
    for change, pairs in CHANGES.items():
        before = of_seeds(one for one, _ in pairs)
        after = of_seeds(other for _, other in pairs)
        changes[change] = {
            "before": round(fmean(before), 4),
            "after": round(fmean(after), 4),
            "gain": paired(after, before),
        }
    return {
        "plain": spread(plain),
        "plain_training_percent": _training_error(runs, "paper"),
        "trials": {
            name: {
                "validation": spread(ours),
                "online_training_error_percent": _training_error(runs, name),
                "gain": paired(ours, plain),
            }
            for name, ours in errors.items()
        },
        "changes": changes,
    }


def _present_trials(values: Values, dataset: Dataset) -> Section:
    plain, trials, changes = values["plain"], values["trials"], values["changes"]
    best = min(TRIALS, key=lambda trial: float(trials[trial.recipe.name]["validation"]["mean"]))
    text = [
        "Trained without the digits held out of the training set, and measured on them; the test "
        "set has no part in this choice. Ranges: those measured from Fig. 7, a half and a quarter "
        f"of them, and narrow ones (1/s from {NARROW.inverse_scale[0]} to "
        f"{NARROW.inverse_scale[1]}, shift to {NARROW.translation} pixels, squeeze and shear as "
        f"measured). Rates: as printed; slow: {_in_passes(SLOW_SCHEDULE)}; or gentle: "
        f"{_in_passes(GENTLE_SCHEDULE)}. Interpolation: bilinear reproduces Fig. 7, to about one "
        "grey value.",
        f"Least error held out: {best.ranges} ranges, {best.rates} rates, {best.originals} an "
        f"original, {best.interpolation}: "
        f"{in_words(trials[best.recipe.name]['validation'])}, against {in_words(plain)} without "
        "distortions.",
    ]
    if len(plain["values"]) > 1:
        beyond = [change for change in changes if _is_beyond(changes[change]["gain"])]
        text.append(
            "One change at a time, seed by seed, means over the ways to distort that differ by "
            f"nothing else. Beyond chance (95 %): {'; '.join(beyond) or 'none'}. What is not may "
            "still be real, but smaller than these seeds show."
        )
    rows = [["none", "printed", "all", "–"]]
    rows[0] += _trial_row(plain, values["plain_training_percent"], None)
    for trial in TRIALS:
        found = trials[trial.recipe.name]
        rows.append(
            [
                *(trial.ranges, trial.rates, trial.originals, trial.interpolation),
                *_trial_row(
                    found["validation"], found["online_training_error_percent"], found["gain"]
                ),
            ]
        )
    header = (
        *("ranges", "rates", "originals", "interpolation", "validation error, %", "seeds"),
        *("training, %", "gain, points"),
    )
    tables = [
        Table("Ways to distort", header, rows),
        Table(
            "What one change gains",
            ("change", "pairs", "before, %", "after, %", "gain, points", "95 % interval"),
            [
                [
                    change,
                    str(len(CHANGES[change])),
                    f"{found['before']:.2f}",
                    f"{found['after']:.2f}",
                    f"{found['gain']['mean']:+.2f}",
                    interval_in_words(found["gain"]),
                ]
                for change, found in changes.items()
            ],
        ),
    ]
    return Section(text, tables)


def _is_beyond(pairs: Values) -> bool:
    return verdict(pairs) in ("worse", "better")


def _in_passes(schedule: Sequence[tuple[int, float]]) -> str:
    return ", ".join(f"{eta:g} from pass {first}" for first, eta in schedule)


def _trial_row(errors: Values, training: float, gain: Values | None) -> list[str]:
    shown = "–" if gain is None else f"{gain['mean']:+.2f}"
    return [f"{errors['mean']:.2f}", _range(errors), f"{training:.2f}", shown]


WHAT_DECIDES = Experiment(
    name="fig07-choice",
    title="What decides the gain of distorted patterns",
    recipes=(preset("paper"), *(trial.recipe for trial in TRIALS)),
    measure=_measure_trials,
    present=_present_trials,
    validation=True,
)

# A natural extension: always new distortions, learnt for longer.

_LONGER = "paper-distorted-longer"


def _measure_longer(runs: Runs, dataset: Dataset) -> Values:
    curves = [[record.test_error_percent for record in run.records] for run in runs[_LONGER]]
    means = [fmean(errors) for errors in zip(*curves, strict=True)]
    return {
        "test": spread(last_errors(runs, _LONGER)),
        "online_training_error_percent": _training_error(runs, _LONGER),
        "curve": [round(mean, 3) for mean in means],
    }


def _present_longer(values: Values, dataset: Dataset) -> Section:
    passes = len(values["curve"])
    recipe = preset(_LONGER)
    ranges = recipe.distortions
    text = [
        f"Not in the paper: {passes} passes for its 20, one pattern in ten an original, the others "
        "distorted anew each time they are seen (1/s from "
        f"{ranges.inverse_scale[0]} to {ranges.inverse_scale[1]}, log q to {ranges.log_squeeze}, "
        f"shear to {ranges.shear}, shift to {ranges.translation} pixel). Rates: "
        f"{_in_passes(recipe.schedule)}. The network and the learning rule are those of 1998.",
        f"Test error: {in_words(values['test'], 3)} on {dataset.name}; training error on line, of "
        f"distorted patterns, {values['online_training_error_percent']:.2f} %. Of two recipes "
        "tried once, this one had the smaller error on digits held out of the training set; the "
        "test set had no part in it.",
    ]
    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(range(1, passes + 1), values["curve"], color="#2f6690")
    axes.set(xlabel="passes", ylabel="test error (%)", yscale="log")
    log_percent(axes.yaxis)
    plain_axes(axes, which="both")
    axes.set_title(titled("Fresh distortions", dataset.name), fontsize=11)
    return Section(
        text,
        pictures=[Picture("fig07-longer", figure, "The test error, mean of the seeds.")],
        summary=[
            (
                f"test error, always new distortions, {passes} passes",
                "–",
                in_words(values["test"]),
            )
        ],
    )


LONGER = Experiment(
    name="fig07-longer",
    title="Always new distortions, learnt for longer",
    recipes=(preset(_LONGER),),
    measure=_measure_longer,
    present=_present_longer,
    passes=100,
)
