"""Fig. 7 and the 0.8 %: what distorted patterns gain (section III.B)."""

from __future__ import annotations

from statistics import fmean

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from lenet1998.data import Dataset, Distortions, distort
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.evidence.chance import interval_in_words, is_beyond_chance, paired
from lenet1998.evidence.experiment import (
    Experiment,
    Picture,
    Runs,
    Section,
    Table,
    Values,
    in_words,
    last_errors,
    last_training_error,
    not_comparable,
    range_in_words,
    schedule_in_words,
    spread,
)
from lenet1998.learning.recipe import preset
from lenet1998.models.checks import BACKGROUND, INK
from lenet1998.report import log_percent, plain_axes, titled

_PAPER_TEST_ERROR_PERCENT = 0.8
ORIGINALS = (359, 366, 339, 330, 336, 376, 331, 337, 333, 334)
"""The ten training images of Fig. 7 (measured from the figure), by digit."""

_EACH = 9  # distorted versions drawn of each


def _measure(runs: Runs, dataset: Dataset) -> Values:
    plain = last_errors(runs, "paper")
    values: Values = {"plain": spread(plain), "recipes": {}}
    for name in runs:
        if name != "paper":
            ours = last_errors(runs, name)
            values["recipes"][name] = {
                "test": spread(ours),
                "online_training_error_percent": last_training_error(runs, name),
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
    rows.append(["paper", f"{plain['mean']:.3f}", range_in_words(plain), "–", "–", "–"])
    for name, found in values["recipes"].items():
        pairs, test = found["pairs"], found["test"]
        interval, p = pairs["interval"], pairs["p"]
        rows.append(
            [
                name,
                f"{test['mean']:.3f}",
                range_in_words(test),
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
                f"{'beyond' if is_beyond_chance(pairs) else 'not beyond'} chance, p = {p:.2g})"
            )
            + "."
        )
    if dataset.name != MNIST:
        text.append(not_comparable(dataset))
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

_LONGER = "paper-distorted-longer"


def _measure_longer(runs: Runs, dataset: Dataset) -> Values:
    curves = [[record.test_error_percent for record in run.records] for run in runs[_LONGER]]
    means = [fmean(errors) for errors in zip(*curves, strict=True)]
    return {
        "test": spread(last_errors(runs, _LONGER)),
        "online_training_error_percent": last_training_error(runs, _LONGER),
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
        f"{schedule_in_words(recipe.schedule)}. The network and the learning rule are those of "
        "1998.",
        f"Test error: {in_words(values['test'], 3)} on {dataset.name}; training error on line, of "
        f"distorted patterns, {values['online_training_error_percent']:.2f} %. Of two recipes "
        "tried once, this one had the smaller error on digits held out of the training set; the "
        "test set had no part in it.",
    ]
    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(range(1, passes + 1), values["curve"], color="#2f6690")
    axes.set(xlabel="passes", ylabel="test error (%)", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
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
