"""Fig. 7 and the 0.8 %: what distorted patterns gain (section III.B)."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lenet1998.data import Dataset, Distortions, distort
from lenet1998.data.field import BACKGROUND, FIELD, INK
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import Experiment, not_comparable, schedule_in_words, within
from lenet1998.evidence.fig05 import Curves
from lenet1998.evidence.trials import OF_INTERVALS, Trials, Tried, experiment
from lenet1998.learning.presets import preset
from lenet1998.measures.spread import Spread
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table

_EACH = 9  # distorted versions drawn of each original
_GENTLE = preset("paper-distorted-gentle").schedule
_HOW = {
    preset("paper-distorted"): "distortions, half of the figure's",
    preset("paper-distorted-measured"): "distortions as far as the figure's",
    preset("paper-distorted-narrow"): "distortions, narrow ones",
    preset("paper-distorted-gentle"): "distortions, half of the figure's, lower first rates",
    preset("paper", name="paper-gentle", schedule=_GENTLE): "no distortions, lower first rates",
}
_SAME = preset("paper-distorted")  # its training parameters are those of `paper`
_CUT, _DRAWN = 2, 5_000  # pixels of the border, and digits distorted to see what they hold


def _present(trials: Trials, dataset: Dataset) -> Section:
    plain, printed = trials.paper.errors, facts.TEST_ERROR_DISTORTED
    text = [
        "1998: with 540,000 distorted patterns added to the 60,000, with the same training "
        "parameters and still 20 passes of 60,000, the test error fell from "
        f"{facts.TEST_ERROR} to {printed} %. The figure shows ten digits and their distorted "
        "versions; the ranges are not printed, those measured from the figure are the recipe "
        "'paper-distorted-measured'; 'paper-distorted' has half of them, the widest that digits "
        "held out do not tell from the best (see what decides the gain). Without distortions: "
        f"{plain.in_words(3)}. {OF_INTERVALS}",
        "Whether the distorted digits were cut at MNIST's 28x28 pixels or at the field's 32x32, as "
        f"here, is not printed either: of {_DRAWN:,} drawn from the measured ranges "
        f"{_beyond_percent(dataset, Distortions()):.1f} % have ink between the two, from half of "
        f"them {_beyond_percent(dataset, _SAME.distortions):.1f} %.",
    ]
    if not dataset.is_comparable:
        text.append(not_comparable(dataset))
    conclusions, rows = [], {}
    for recipe, how in _HOW.items():
        tried = rows[recipe.name] = trials.tried[recipe.name]
        what = f"Fig. 7: test error, {how}"
        of_1998 = f"{printed} %" if recipe.distorted_copies else "–"
        verdict = within(printed if dataset.is_comparable else None, tried.errors)
        verdict = verdict if recipe.distorted_copies else ""
        conclusions.append(Conclusion(what, of_1998, tried.errors.in_words(), verdict))
    columns = {
        "test error, %": lambda tried: tried.errors.mean_in_words(3),
        "seeds": lambda tried: tried.errors.range_in_words(),
        "gain, points": lambda tried: tried.gain_in_words,
        "p": lambda tried: f"{tried.p:.2g}",
    }
    said = "Test error after the last pass, and what distortions gain, seed by seed"
    table = Table.of(said, "recipe", rows, columns)
    caption = "The test error of each seed, without and with distorted patterns."
    drawn = [Plot("fig07-gain", _draw_pairs(trials, dataset), caption)]
    claims = []
    if dataset.is_comparable:
        originals = dataset.training_images[list(facts.ORIGINALS_OF_FIG7)]
        caption = f"Fig. 7's digits (left), and {_EACH} versions drawn from the measured ranges."
        drawn.insert(0, Plot("fig07", draw_originals(originals), caption))
        claims = [_claim(plain, rows[_SAME.name])]
    return Section("", text, [table], drawn, conclusions=conclusions, claims=claims)


def _claim(plain: Spread, tried: Tried) -> Claim:
    measured = (
        f"{plain.in_words()} without, {tried.errors.in_words()} with distortions: a gain of "
        f"{tried.gain_in_words} points"
    )
    met = tried.errors.least <= facts.TEST_ERROR_DISTORTED <= tried.errors.greatest
    of_1998 = facts.TEST_ERROR - facts.TEST_ERROR_DISTORTED
    agrees = tried.cost.interval[0] <= -of_1998 <= tried.cost.interval[1]
    holds = "not shown" if agrees else "no"
    if tried.effect == "better":
        holds = "yes" if met else "in part"
    return Claim(22, measured, holds)


def _beyond_percent(dataset: Dataset, distortions: Distortions) -> float:
    """Of distorted digits, how many have ink outside of MNIST's pixels."""
    images = dataset.training_images[:_DRAWN]
    ink = distort(images, distortions.draw(len(images), seed=7)) - BACKGROUND
    ink[..., _CUT:-_CUT, _CUT:-_CUT] = 0
    return 100 * (ink.flatten(1).amax(1) > (INK - BACKGROUND) / 10).double().mean().item()


def draw_originals(images: Tensor) -> Figure:
    """Each image, `(N, 1, 32, 32)`, and at its right versions distorted as in Fig. 7."""
    versions = images.repeat_interleave(_EACH, 0)
    distorted = distort(versions, Distortions().draw(len(versions), seed=7))
    each = distorted.view(len(images), _EACH, *images.shape[1:])
    rows = torch.cat([images.unsqueeze(1), each], 1)[:, :, 0]
    picture = rows.permute(0, 2, 1, 3).reshape(FIELD * len(images), -1)
    width = 100 / (1 + _EACH)
    figure, axes = plots.sheet(height=width * len(images))
    plots.tile(axes, picture, 0, 0, 100, width * len(images))
    axes.axvline(width, color=plots.RED, linewidth=1)
    return figure


def _draw_pairs(trials: Trials, dataset: Dataset) -> Figure:
    names = ["paper", *(recipe.name for recipe in _HOW)]
    columns = [trials.tried[name].errors for name in names]
    figure, axes = plots.plot("Pairs of seeds", dataset.name, height=3.4)
    at = range(len(columns))
    for of_seed in zip(*(column.values for column in columns), strict=True):
        axes.plot(at, of_seed, "o-", color=plots.BLUE, alpha=0.45, linewidth=1)
    means = [column.mean for column in columns]
    axes.plot(at, means, "_", color=plots.RED, markersize=28, markeredgewidth=2.5)
    if dataset.is_comparable:
        plots.level(axes, facts.TEST_ERROR, "1998, plain")
        plots.level(axes, facts.TEST_ERROR_DISTORTED, "1998, distorted")
    axes.set_xticks(at, [name.replace("-", "-\n") for name in names])
    axes.set(ylabel="test error (%)", xlim=(-0.5, len(columns) - 0.5))
    axes.grid(visible=False, axis="x")
    return figure


_TITLE = f"Fig. 7: distorted patterns, and the {facts.TEST_ERROR_DISTORTED} %"
FIG07 = experiment("fig07", _TITLE, _HOW, _present)

_LONGER = "fitted-distorted-longer"


def _present_longer(curves: Curves, dataset: Dataset) -> Section:
    recipe, passes = preset(_LONGER), curves.passes
    ranges, errors = recipe.distortions, curves.test.last
    text = [
        f"Not in the paper: {passes} passes for its 20, one pattern in ten an original, the others "
        "distorted anew each time they are seen (1/s from "
        f"{ranges.inverse_scale[0]} to {ranges.inverse_scale[1]}, log q to {ranges.log_squeeze}, "
        f"shear to {ranges.shear}, shift to {ranges.translation} pixel). Rates: "
        f"{schedule_in_words(recipe.schedule)}. The network and the learning rule are those of "
        "1998.",
        f"Test error: {errors.in_words(3)} on {dataset.name}; training error on line, of distorted "
        f"patterns, {curves.online_training.last.mean:.2f} %. Of two recipes tried once, this one "
        "had the smaller error on digits held out of the training set; the test set had no part in "
        "it.",
    ]
    figure, axes = plots.plot("Fresh distortions", dataset.name, height=3.2)
    plots.band(axes, range(1, passes + 1), curves.test.curves, plots.BLUE, "test")
    plots.whole_passes(axes)
    plots.log_percent(axes.yaxis)
    axes.set_ylabel("test error (%)")
    caption = "The test error: mean of the seeds, and a band from the lowest to the highest."
    plot = Plot("fig07-longer", figure, caption)
    what = f"test error, always new distortions, {passes} passes"
    conclusions = [Conclusion(what, "–", errors.in_words())]
    return Section(text=text, plots=[plot], conclusions=conclusions)


LONGER = Experiment(
    name="fig07-longer",
    title="Always new distortions, learnt for longer",
    recipes=(preset(_LONGER),),
    values=Curves,
    measure=lambda runs, dataset: Curves.of(runs[_LONGER]),
    present=_present_longer,
    passes=100,
)
