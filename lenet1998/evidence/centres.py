"""F6 and the centres above it: saturation, and whether centres that learn stay apart (II.B, C)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.evidence.inside import few_of
from lenet1998.evidence.trials import EARLY
from lenet1998.learning.patterns import Patterns
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.losses import map_loss, mle_loss
from lenet1998.measures.spread import Paired, Spread
from lenet1998.models.chain import ChainNetwork
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Plot, Section, Table
from lenet1998.runs.run import Run, trainer_for


def _of(network: str, equation: int) -> Recipe:
    """The recipe `paper` for a network, with one of its two losses; named as in `parts`."""
    name, loss = (network, "map") if equation == 9 else (f"{network}-eq8", "mle")
    recipe: Recipe = preset("paper", name=name, network=network, loss=loss)
    return recipe


PAPER, PLAIN = preset("paper"), _of("plain-tanh", 9)
_TOPS = {PAPER.name: ("1.7159 tanh(2a/3)", plots.BLUE), PLAIN.name: ("tanh(a)", plots.RED)}
_STARTS = {"Fig. 3's codes": "trainable-centres", "within 0.1 of 0": "crowded-centres"}
_LEARNING = {
    recipe.name: (f"{start}, eq. {equation}", recipe)
    for start, network in _STARTS.items()
    for equation in (9, 8)
    for recipe in [_of(network, equation)]
}

_SATURATED = 1.5 / 1.7159  # of the way to an asymptote; the slope is 0.24 of that at 0 there
_BINS = 44  # of F6's states, between the asymptotes of the paper's squash and a bit beyond
_REACH = 1.76


@dataclass(frozen=True)
class Top:
    """The states of F6 on test digits; a value for each seed."""

    size: Spread  # mean |x|
    saturated_percent: Spread  # of the states
    slope_percent: Spread  # mean f' of that at 0
    median_h: Spread  # second derivatives along F6's weights
    h_ratio: Spread  # the greatest of them to the least
    early: Spread  # test error after pass `EARLY`
    errors: Spread  # and after the last
    early_cost: Paired  # over `paper`, seed by seed
    shares: tuple[float, ...]  # of all seeds' states in each of `_BINS` from -`_REACH` on, percent


@dataclass(frozen=True)
class Centres:
    """Distances between the centres of any two classes; a value for each seed."""

    start: tuple[float, float]  # mean and least, the same for all seeds
    mean: Spread
    least: Spread
    states: Spread  # standard deviation of F6's states over digits, mean of the units
    errors: Spread  # test error (%) after the last pass


@dataclass(frozen=True)
class Values:
    """What was measured."""

    tops: dict[str, Top]  # by the recipe
    centres: dict[str, Centres]  # likewise
    collapsed: tuple[float, float]  # losses of the trivial solution: eq. 8, eq. 9


def _states(run: Run, images: Tensor) -> Tensor:
    assert isinstance(run.net, ChainNetwork)
    with torch.no_grad():
        return run.net.top_state(images)


def _error_after(runs: Sequence[Run], passes: int | None = None) -> Spread:
    return Spread.of(run.records[:passes][-1].test_error_percent for run in runs)


def _top(runs: Sequence[Run], paper: Sequence[Run], dataset: Dataset) -> Top:
    states = [_states(run, few_of(dataset.test_images)) for run in runs]
    diagonals = []
    for run in runs:
        assert isinstance(run.net, ChainNetwork) and isinstance(run.recipe, Recipe)
        patterns = Patterns(run.recipe, dataset)
        images, _, order = patterns.of_pass(1)
        few = images[patterns.sample(order, len(run.records) + 1)]
        trainer = trainer_for(run.net, run.recipe, run.engine)
        diagonals.append(trainer.estimate_curvature(few)["f6.weight"])
    asymptote = runs[0].net.squash.AMPLITUDE  # type: ignore[union-attr]
    assert isinstance(asymptote, float)
    early = _error_after(runs, EARLY)
    counts = torch.histc(torch.cat(states), _BINS, -_REACH, _REACH)
    return Top(
        size=Spread.of(x.abs().mean().item() for x in states),
        saturated_percent=Spread.of(
            100 * (x.abs() > _SATURATED * asymptote).double().mean().item() for x in states
        ),
        slope_percent=Spread.of(100 * (1 - (x / asymptote).square()).mean().item() for x in states),
        median_h=Spread.of(h.median().item() for h in diagonals),
        h_ratio=Spread.of((h.max() / h.min()).item() for h in diagonals),
        early=early,
        errors=_error_after(runs),
        early_cost=Paired.of(_error_after(paper, EARLY).values, early.values),
        shares=Spread.of((100 * counts / counts.sum()).tolist()).values,
    )


def distances(net: ChainNetwork) -> Tensor:
    """Of any two centres, `(pairs,)`."""
    return torch.pdist(net.output.centres.detach().double())


def _centres(runs: Sequence[Run], dataset: Dataset) -> Centres:
    few = few_of(dataset.test_images)
    start = runs[0].recipe.build()
    assert isinstance(start, ChainNetwork)
    at_start = distances(start)
    apart = [distances(run.net) for run in runs if isinstance(run.net, ChainNetwork)]
    mean, least = Spread.of([at_start.mean().item(), at_start.min().item()]).values
    return Centres(
        start=(mean, least),
        mean=Spread.of(pairs.mean().item() for pairs in apart),
        least=Spread.of(pairs.min().item() for pairs in apart),
        states=Spread.of(_states(run, few).std(0).mean().item() for run in runs),
        errors=_error_after(runs),
    )


def collapse(net: ChainNetwork) -> ChainNetwork:
    """A copy in the trivial solution: F6 puts out the same for any image, and all centres are it.

    Its F6 has weights and biases of 0, so all states and centres are 0.
    """
    collapsed = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in (*collapsed.get_submodule("f6").parameters(), collapsed.output.centres):
            parameter.zero_()
    return collapsed


def _collapsed(net: ChainNetwork, dataset: Dataset) -> tuple[float, float]:
    """Losses of the trivial solution, by both equations."""
    labels = few_of(dataset.test_labels)
    with torch.no_grad():
        penalties = -collapse(net).scores(few_of(dataset.test_images))
        return mle_loss(penalties, labels).item(), map_loss(penalties, labels, net.j).item()


def _measure(runs: Runs, dataset: Dataset) -> Values:
    net = runs[next(iter(_LEARNING))][0].net
    assert isinstance(net, ChainNetwork)
    return Values(
        tops={name: _top(runs[name], runs[PAPER.name], dataset) for name in _TOPS},
        centres={name: _centres(runs[name], dataset) for name in _LEARNING},
        collapsed=_collapsed(net, dataset),
    )


def _present(values: Values, dataset: Dataset) -> Section:
    paper, plain = (values.tops[recipe.name] for recipe in (PAPER, PLAIN))
    text = [
        "II.B: codes of -1 and +1 lie where the squash bends most, so that F6 does not saturate; "
        "at its asymptotes learning would be slow and ill-conditioned. With tanh(a) the same codes "
        f"are asymptotes. A state counts as saturated beyond {100 * _SATURATED:.0f} % of the way "
        f"to one (1.5 of 1.7159). Measured on {len(few_of(dataset.test_labels)):,} test digits.",
        "II.C: under eq. 8 centres that learn have a trivial solution. Built here, with F6's "
        f"weights and all centres 0, it has a loss of {values.collapsed[0]:g} under eq. 8 and "
        f"{values.collapsed[1]:.2f} under eq. 9. That training finds it is not claimed. The table "
        "says how far it goes there, from the codes and from random centres close together.",
    ]
    if not dataset.is_comparable:
        text.append(not_comparable(dataset))
    of_tops = {
        "mean |x|": lambda top: top.size.mean_in_words(3),
        "saturated, %": lambda top: top.saturated_percent.mean_in_words(3),
        "slope, % of f'(0)": lambda top: top.slope_percent.mean_in_words(1),
        "h, median": lambda top: top.median_h.mean_in_words(4),
        "greatest / least h": lambda top: _ratio(top.h_ratio),
        f"test at pass {EARLY}, %": lambda top: top.early.mean_in_words(),
        "test, %": lambda top: top.errors.mean_in_words(),
    }
    of_centres = {
        "mean, start": lambda of: f"{of.start[0]:.2f}",
        "mean, end": lambda of: of.mean.mean_in_words(),
        "least, start": lambda of: f"{of.start[1]:.2f}",
        "least, end": lambda of: of.least.mean_in_words(3),
        "F6's spread": lambda of: of.states.mean_in_words(4),
        "test, %": lambda of: of.errors.mean_in_words(),
    }
    tables = [
        Table.of(
            "States of F6, and second derivatives h along its weights, by the squash",
            "squash",
            {_TOPS[name][0]: top for name, top in values.tops.items()},
            of_tops,
        ),
        Table.of(
            "Distances between centres that learn, by their start; and the standard deviation of "
            "F6's states over digits",
            "start, loss",
            {_LEARNING[name][0]: of for name, of in values.centres.items()},
            of_centres,
        ),
    ]
    claims = []
    if dataset.is_comparable:
        claims = [_saturation(paper, plain), *_on_centres(values)]
    return Section(text=text, tables=tables, plots=[_plot(values, dataset)], claims=claims)


def _ratio(spread: Spread) -> str:
    """A ratio of all seeds, from the least to the greatest."""
    return (
        f"{spread.least:,.3g}–{spread.greatest:,.3g}"
        if spread.greatest < 1000
        else (f"{spread.least:,.0f}–{spread.greatest:,.0f}")
    )


def _saturation(paper: Top, plain: Top) -> Claim:
    slow = plain.early_cost
    measured = (
        f"{paper.saturated_percent.mean:.3f} % of F6's states are saturated, with codes at the "
        f"asymptotes {plain.saturated_percent.mean:.0f} %; the second derivatives of F6's weights "
        f"differ by a factor of {_ratio(paper.h_ratio)}, there {_ratio(plain.h_ratio)}; the test "
        f"error after pass {EARLY} is {paper.early.mean_in_words()} %, there "
        f"{plain.early.mean_in_words()} % ({paper.early.seeds})"
    )
    free = paper.saturated_percent.greatest < 1 < plain.saturated_percent.least
    worse = paper.h_ratio.greatest < plain.h_ratio.least
    if free and worse and slow.verdict == "worse":
        return Claim(10, measured, "yes")
    return Claim(10, measured, "in part" if free else "no")


def _on_centres(values: Values) -> list[Claim]:
    codes_9, codes_8, crowded_9, crowded_8 = values.centres.values()
    seeds = crowded_8.mean.seeds
    shrunk = [100 * of.mean.mean / of.start[0] for of in (codes_8, crowded_8)]
    trivial = (
        f"the solution has a loss of {values.collapsed[0]:g}; training leaves {shrunk[0]:.0f} % of "
        f"the mean distance from the codes, {shrunk[1]:.1f} % from random centres close together, "
        f"with {crowded_8.errors.mean_in_words(1)} % test error ({seeds})"
    )
    apart = (
        f"least distance from {codes_9.start[1]:.2f} to {codes_9.least.mean_in_words()} from the "
        f"codes, from {crowded_9.start[1]:.2f} to {crowded_9.least.mean_in_words()} from random "
        f"centres close together; under eq. 8 to {codes_8.least.mean_in_words()} and "
        f"{crowded_8.least.mean_in_words(3)} ({seeds})"
    )
    # From either start farther apart than eq. 8 leaves them, and never nearer than half.
    keeps = all(
        nine.least.least > max(eight.least.greatest, nine.start[1] / 2)
        for nine, eight in ((codes_9, codes_8), (crowded_9, crowded_8))
    )
    return [
        Claim(12, trivial, "yes" if values.collapsed[0] == 0 else "no"),
        Claim(15, apart, "yes" if keeps else "in part"),
    ]


def _plot(values: Values, dataset: Dataset) -> Plot:
    figure, panels = plots.panels("States of F6", dataset.name, len(_TOPS), 1.9)
    width = 2 * _REACH / _BINS
    middles = [-_REACH + (place + 0.5) * width for place in range(_BINS)]
    for axes, (name, top) in zip(panels, values.tops.items(), strict=True):
        words, colour = _TOPS[name]
        axes.bar(middles, top.shares, width, color=colour)
        for code in (-1, 1):
            plots.level(axes, code, "code" if code > 0 else "", upright=True)
        axes.set(ylabel="states (%)", xlim=(-_REACH, _REACH))
        axes.set_title(words, fontsize=9, loc="left")
    panels[-1].set_xlabel("state")
    caption = "The states of F6 on test digits, of all seeds. Dotted: the codes' -1 and +1."
    return Plot("centres-f6", figure, caption)


CENTRES = Experiment(
    name="centres",
    title="F6 and its centres: saturation and collapse",
    recipes=(PAPER, PLAIN, *(recipe for _, recipe in _LEARNING.values())),
    values=Values,
    measure=_measure,
    present=_present,
    seeds=3,
)
