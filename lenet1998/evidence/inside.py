"""What the networks have learnt from C1 to C3, and how finely it has to be kept (II.A, II.B)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from lenet1998.data import Dataset
from lenet1998.data.field import BACKGROUND
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.layers import Squash, Subsampling, TableConv2d
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.answers import scores
from lenet1998.measures.counting import count_layers
from lenet1998.measures.spread import Paired, Spread
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.network import Network
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Plot, Section, Table
from lenet1998.runs.run import Run

PAPER: Recipe = preset("paper")
FULL: Recipe = preset("paper", name="full-c3", network="full-c3")

_FEW = 1_000  # test digits, evenly spaced, whose states are looked at
_SHIFTS = range(-4, 5)  # pixels, down and to the right
_LAYERS = {"s2": plots.BLUE, "s4": plots.RED}  # that subsample
# The squash bends most at +-1: that far it is taken as straight (appendix A).
_STRAIGHT = 1.0
_STILL = 0.1  # a unit whose activations span less has nothing but background in its field
_MIDDLE = (0.025, 0.975)  # of the digits, between which a unit's activations range
_BITS = (8, 6, 5, 4, 3)  # of each variable
_UNCERTAINTY = 0.1  # points, quoted for the errors of Fig. 9

STILL, BLUR, OR, BETWEEN, AND = "still", "blur", "noisy OR", "2 or 3 of 4", "noisy AND"


@dataclass(frozen=True)
class Pooling:
    """A layer that subsamples; where there are rows, each is a seed's with a value for each map."""

    coefficients: tuple[tuple[float, ...], ...]
    biases: tuple[tuple[float, ...], ...]
    straight_percent: tuple[tuple[float, ...], ...]  # of the activations, where the squash is
    regimes: dict[str, Spread]  # of all units, percent
    # Spearman's, over the maps: of the coefficient's size and `straight_percent`
    rank_correlation: Spread


@dataclass(frozen=True)
class Features:
    """How alike the maps of C3 are: the mean size of the correlation of two of them."""

    connections: int  # of C3
    alike: Spread  # over positions and digits, all pairs
    at_start: Spread  # the same before learning
    at_place: Spread  # with the mean of each position over the digits taken off
    nearest: Spread  # of each map and the one most like it
    by_shared: dict[str, Spread]  # pairs by how many maps of S2 both see


@dataclass(frozen=True)
class Coarse:
    """Test errors with so many bits to a variable, in percent."""

    errors: Spread
    cost: Paired  # over those of float32


@dataclass(frozen=True)
class Values:
    """What was measured."""

    shift_deviation: tuple[float, ...]  # of C1's states, the greatest of each seed
    pooling: dict[str, Pooling]  # by the layer
    features: dict[str, Features]  # by the recipe
    bits: dict[str, Coarse]  # of the parameters
    states_too: Coarse  # parameters and states of 8 bits


def few_of(images: Tensor) -> Tensor:
    """At most `_FEW` images, evenly spaced."""
    return images[:: -(-len(images) // _FEW)]


def states(net: nn.Module, images: Tensor, last: str) -> Tensor:
    """Those of a layer, squashed."""
    assert isinstance(net, ChainNetwork)
    with torch.no_grad():
        images = net.prepare(images)
        for layer in net.TRAINED_LAYERS:
            images = net.through(layer, images)
            if layer == last:
                return images
    raise ValueError(f"no layer {last!r}")


# C1


def _shifted(pictures: Tensor, down: int, right: int, fill: float = 0.0) -> Tensor:
    """Pictures, `(..., H, W)`, moved by whole pixels; `fill` moves in."""
    moved = pictures.roll((down, right), (-2, -1))
    rows, columns = (torch.arange(side) for side in pictures.shape[-2:])
    outside = (rows - down)[:, None].clamp(0, len(rows) - 1) != (rows - down)[:, None]
    outside = outside | ((columns - right).clamp(0, len(columns) - 1) != columns - right)
    return moved.masked_fill(outside, fill)


def shift_deviation(net: nn.Module, images: Tensor) -> float:
    """How far C1's maps of shifted images are from its maps shifted, wherever both are of ink seen.

    That is at all positions but those whose field of 5x5 lies in part outside the image before the
    shift.
    """
    maps, worst = states(net, images, "c1"), 0.0
    inside = torch.ones_like(maps[:1])
    for down, right in product(_SHIFTS, _SHIFTS):
        of_shifted = states(net, _shifted(images, down, right, BACKGROUND), "c1")
        difference = (of_shifted - _shifted(maps, down, right)).abs()
        worst = max(worst, (difference * _shifted(inside, down, right)).max().item())
    return worst


# S2 and S4


def regime(coefficient: float, bias: float) -> str:
    """What turns a unit on whose activations leave the squash's straight part.

    With inputs of +1 (on) and -1 (off), n of the four on, its activation is
    coefficient (2n - 4) + bias: above 0 from n = 1 on for a noisy OR, for n = 4 alone for a noisy
    AND. With a negative coefficient the same holds of the unit turned off.
    """
    threshold = -bias / coefficient if coefficient else 0.0
    if abs(threshold) <= 2:
        return BETWEEN
    return AND if threshold > 0 else OR


def unit_regimes(activations: Tensor, coefficients: Tensor, biases: Tensor) -> dict[str, float]:
    """Of activations, `(N, maps, H, W)`, the share of units (%) in each regime."""
    ordered = activations.sort(0).values
    low, high = (ordered[round(at * (len(ordered) - 1))] for at in _MIDDLE)
    still = high - low < _STILL
    blur = ~still & (low >= -_STRAIGHT) & (high <= _STRAIGHT)
    bent = (~still & ~blur).flatten(1).sum(1)
    counts = {STILL: int(still.sum()), BLUR: int(blur.sum()), OR: 0, BETWEEN: 0, AND: 0}
    for *of_map, units in zip(coefficients.tolist(), biases.tolist(), bent.tolist(), strict=True):
        counts[regime(*of_map)] += units
    return {name: 100 * count / still.numel() for name, count in counts.items()}


def _pooling(runs: Sequence[Run], layer: str, few: Tensor) -> Pooling:
    from scipy.stats import spearmanr  # slow to import

    coefficients, biases, straight, regimes, ranks = [], [], [], [], []
    for run in runs:
        net, module = run.net, run.net.get_submodule(layer)
        assert isinstance(net, ChainNetwork) and isinstance(module, Subsampling)
        below = net.TRAINED_LAYERS[net.TRAINED_LAYERS.index(layer) - 1]
        with torch.no_grad():
            activations = module(states(net, few, below))
            coefficient, bias = module.coefficient.clone(), module.bias.clone()
        within = 100 * (activations.abs() <= _STRAIGHT).double().mean((0, 2, 3))
        coefficients.append(Spread.of(coefficient).values)
        biases.append(Spread.of(bias).values)
        straight.append(Spread.of(within).values)
        regimes.append(unit_regimes(activations, coefficient, bias))
        # Where all maps are alike, nothing goes with anything.
        both_differ = coefficient.unique().numel() > 1 and within.unique().numel() > 1
        ranks.append(spearmanr(coefficient.abs(), within).statistic if both_differ else 0.0)
    return Pooling(
        coefficients=tuple(coefficients),
        biases=tuple(biases),
        straight_percent=tuple(straight),
        regimes={name: Spread.of(seed[name] for seed in regimes) for name in regimes[0]},
        rank_correlation=Spread.of(ranks),
    )


# C3


def likeness(maps: Tensor) -> Tensor:
    """The size of the correlation of any two maps of `(N, maps, H, W)`, 0 with itself."""
    of_maps = torch.corrcoef(maps.transpose(0, 1).flatten(1).double()).abs()
    return of_maps.fill_diagonal_(0)


def _features(runs: Sequence[Run], few: Tensor) -> Features:
    net = runs[0].net
    table = net.get_submodule("c3")
    assert isinstance(table, TableConv2d)
    pairs = torch.triu_indices(table.out_maps, table.out_maps, 1)
    seen = [set(row) for row in table.table]
    shared = torch.tensor([len(seen[a] & seen[b]) for a, b in pairs.T.tolist()])
    learnt, at_start, at_place, nearest = [], [], [], []
    for run in runs:
        maps = states(run.net, few, "c3")
        alike = likeness(maps)
        learnt.append(alike[*pairs])
        nearest.append(alike.amax(1).mean().item())
        at_place.append(likeness(maps - maps.mean(0))[*pairs].mean().item())
        start = states(run.recipe.build().eval(), few, "c3")
        at_start.append(likeness(start)[*pairs].mean().item())
    by_shared = {
        f"{count}": Spread.of(of_seed[shared == count].mean().item() for of_seed in learnt)
        for count in sorted(set(shared.tolist()))
    }
    (connections,) = (layer.connections for layer in count_layers(net) if layer.name == "c3")
    return Features(
        connections=connections,
        alike=Spread.of(of_seed.mean().item() for of_seed in learnt),
        at_start=Spread.of(at_start),
        at_place=Spread.of(at_place),
        nearest=Spread.of(nearest),
        by_shared=by_shared,
    )


# Bits


class _CoarseSquash(Squash):
    """States of so many bits, evenly spaced from -A to A."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.levels = 2 ** (bits - 1) - 1

    def forward(self, activation: Tensor) -> Tensor:
        step = self.AMPLITUDE / self.levels
        state = super().forward(activation)
        rounded: Tensor = (state / step).round() * step
        return rounded


def coarse(net: Network, bits: int, *, states_too: bool = False) -> Network:
    """A copy whose parameters have so many bits, evenly spaced and as many to either side of 0.

    The weights of a layer share their greatest value, and so do its biases.
    """
    rounded = copy.deepcopy(net)
    levels = 2 ** (bits - 1) - 1
    with torch.no_grad():
        for parameter in rounded.parameters():
            step = parameter.abs().max().clamp(min=1e-30) / levels
            parameter.copy_((parameter / step).round() * step)
    if states_too:
        rounded.squash = _CoarseSquash(bits)
    return rounded


def _coarse(
    runs: Sequence[Run], dataset: Dataset, bits: int, *, states_too: bool = False
) -> Coarse:
    errors = []
    for run in runs:
        rounded = coarse(run.net, bits, states_too=states_too)
        # The kernels know their own squash alone.
        answers = scores(rounded, dataset.test_images, fused=not states_too).argmax(1)
        errors.append(100 * (answers != dataset.test_labels).double().mean().item())
    exact = [run.records[-1].test_error_percent for run in runs]
    return Coarse(Spread.of(errors), Paired.of(exact, errors))


# The experiment


def _measure(runs: Runs, dataset: Dataset) -> Values:
    few, paper = few_of(dataset.test_images), runs[PAPER.name]
    return Values(
        shift_deviation=tuple(shift_deviation(run.net, few[:100]) for run in paper),
        pooling={layer: _pooling(paper, layer, few) for layer in _LAYERS},
        features={name: _features(of_recipe, few) for name, of_recipe in runs.items()},
        bits={f"{bits}": _coarse(paper, dataset, bits) for bits in _BITS},
        states_too=_coarse(paper, dataset, 8, states_too=True),
    )


def _present(values: Values, dataset: Dataset) -> Section:
    paper, full = (values.features[recipe.name] for recipe in (PAPER, FULL))
    learnt = [c for of in values.pooling.values() for seed in of.coefficients for c in seed]
    text = [
        "II.A: a shift of the input shifts the maps of C1 alike. Test digits, shifted by whole "
        f"pixels up to {_SHIFTS[-1]} each way, move the states of C1 by at most "
        f"{max(values.shift_deviation):.1g} from those shifted.",
        "II.A: a subsampling unit blurs where its coefficient is small; with a large one it acts "
        "as a noisy OR or AND of its four inputs, as its bias has it. Here a unit is still where "
        "its field shows nothing but background; blurs where its activations for the middle 95 % "
        "of the digits stay within ±1, to where the squash bends most; and else is named by how "
        "many inputs of +1, the others -1, turn it on: one (noisy OR), all four (noisy AND), or "
        f"two or three. Coefficients of the sum start at {_start(PAPER):g}, and end from "
        f"{min(learnt):.2f} to {max(learnt):.2f}.",
        "II.B: Table I is there so that C3's maps extract different features. Their states on test "
        "digits are compared, pair by pair of maps; the error, which says nothing of it, is in "
        "another section.",
        "III.D: one byte per variable does. Here each parameter is rounded to evenly spaced "
        "levels, as many to either side of 0, the greatest of its layer's the last. Nothing is "
        "learnt after that.",
    ]
    if not dataset.is_comparable:
        text.append(not_comparable(dataset))
    tables = [
        _regimes_table(values.pooling),
        *(_maps_table(layer, of) for layer, of in values.pooling.items()),
        _features_table(values.features),
        _shared_table(paper, full),
        _bits_table(values),
    ]
    claims = []
    if dataset.is_comparable:
        claims = [_on_shifts(values), _on_regimes(values), _on_features(paper, full)]
        claims.append(_on_bytes(values))
    return Section(text=text, tables=tables, plots=[_plot(values, dataset)], claims=claims)


def _start(recipe: Recipe) -> float:
    """What the coefficients start at."""
    return recipe.init_bound / 2 if recipe.coefficient is None else recipe.coefficient


def _regimes_table(pooling: Mapping[str, Pooling]) -> Table:
    rows = [
        (name, *(of.regimes[name].mean_and_range_in_words(0) for of in pooling.values()))
        for name in (STILL, BLUR, OR, BETWEEN, AND)
    ]
    caption = "Units by what they do (% of the layer's; least–greatest seed)"
    return Table(caption, ("", *(layer.upper() for layer in pooling)), rows)


def _maps_table(layer: str, of: Pooling) -> Table:
    rows = [
        (f"{place}", f"{c:.2f}", f"{b:+.2f}", f"{straight:.0f}", regime(c, b))
        for place, (c, b, straight) in enumerate(
            zip(of.coefficients[0], of.biases[0], of.straight_percent[0], strict=True)
        )
    ]
    header = ("map", "coefficient", "bias", "within ±1, %", "where it bends")
    caption = f"{layer.upper()} of seed 0: parameters, and how many activations are within ±1"
    return Table(caption, header, rows)


def _features_table(features: Mapping[str, Features]) -> Table:
    columns: dict[str, Callable[[Features], str]] = {
        "connections": lambda of: f"{of.connections:,}",
        "at the start": lambda of: of.at_start.mean_in_words(3),
        "learnt": lambda of: of.alike.mean_in_words(3),
        "less each place's mean": lambda of: of.at_place.mean_in_words(3),
        "nearest map": lambda of: of.nearest.mean_in_words(3),
    }
    rows = {"Table I": features[PAPER.name], "full table": features[FULL.name]}
    return Table.of("C3: mean |correlation| of two maps' states", "C3", rows, columns)


def _shared_table(paper: Features, full: Features) -> Table:
    of_paper = {f"Table I, {count} shared": at for count, at in paper.by_shared.items()}
    of_full = {f"full table, {count} shared": at for count, at in full.by_shared.items()}
    columns: dict[str, Callable[[Spread], str]] = {
        "|correlation|": lambda at: at.mean_in_words(3),
    }
    caption = "The same by the number of S2's maps that both see"
    return Table.of(caption, "pairs of maps", {**of_paper, **of_full}, columns)


def _bits_table(values: Values) -> Table:
    rows = {f"{bits} bits": of for bits, of in values.bits.items()}
    columns: dict[str, Callable[[Coarse], str]] = {
        "test error, %": lambda of: of.errors.mean_in_words(),
        "cost, points": lambda of: f"{of.cost.mean:+.3f}",
        "95 % interval": lambda of: of.cost.interval_in_words(3),
    }
    rows = {"8 bits, states too": values.states_too, **rows}
    return Table.of("Rounded variables", "each variable", rows, columns)


def _on_shifts(values: Values) -> Claim:
    worst, seeds = max(values.shift_deviation), len(values.shift_deviation)
    measured = (
        f"greatest deviation of a state of C1 over shifts up to {_SHIFTS[-1]} pixels: {worst:.1g} "
        f"({seeds} seeds)"
    )
    return Claim(1, measured, "yes" if worst < 1e-5 else "no")


def _on_regimes(values: Values) -> Claim:
    each, set_by_it, named = [], [], []
    for layer, of in values.pooling.items():
        shares = ", ".join(f"{of.regimes[name].mean:.0f} % {name}" for name in of.regimes)
        ranks = Paired(of.rank_correlation.values)
        set_by_it.append(ranks.interval is not None and ranks.interval[1] < 0)
        named.append(sum(of.regimes[name].mean for name in (BLUR, OR, AND)))
        each.append(
            f"{layer.upper()}: {shares}; rank correlation of coefficient and share of activations "
            f"within ±1 {of.rank_correlation.mean_in_words()}"
        )
    measured = f"units of {'; '.join(each)} ({values.pooling['s2'].rank_correlation.seeds})"
    # Large coefficients also make units that are neither OR nor AND, which the paper does not name.
    holds = "not shown" if not any(set_by_it) else "in part"
    return Claim(2, measured, "yes" if all(set_by_it) and min(named) > 50 else holds)


def _on_features(paper: Features, full: Features) -> Claim:
    gain = Paired.of(paper.alike.values, full.alike.values)
    measured = (
        f"{paper.connections:,} connections for {full.connections:,}; mean |correlation| of two "
        f"maps of C3 {paper.alike.mean_in_words(3)} with Table I, {full.alike.mean_in_words(3)} "
        f"with the full table, which is {gain.mean:+.3f} (95 % interval "
        f"{gain.interval_in_words(3)}, {paper.alike.seeds})"
    )
    return Claim(6, measured, {"worse": "yes", "better": "no"}.get(gain.verdict, "not shown"))


def _on_bytes(values: Values) -> Claim:
    byte, both = values.bits["8"], values.states_too
    coarser = ", ".join(
        f"{of.cost.mean:+.2f} with {bits}" for bits, of in values.bits.items() if bits != "8"
    )
    measured = (
        f"LeNet-5: {byte.cost.mean:+.3f} points of test error with 8 bits (95 % interval "
        f"{byte.cost.interval_in_words(3)}, {byte.errors.seeds}), {both.cost.mean:+.3f} with "
        f"states of 8 bits too; {coarser}"
    )
    ends = [abs(end) for of in (byte, both) for end in of.cost.interval or (of.cost.mean,)]
    # Adequate: it costs less than the uncertainty that the paper gives its errors.
    return Claim(28, measured, "yes, LeNet-5" if max(ends) < _UNCERTAINTY else "no")


def _plot(values: Values, dataset: Dataset) -> Plot:
    figure, axes = plots.plot("S2 and S4: what was learnt", dataset.name, height=4.2)
    for layer, of in values.pooling.items():
        maps = [[value for seed in rows for value in seed] for rows in (of.coefficients, of.biases)]
        axes.plot(*maps, "o", mfc="none", color=_LAYERS[layer], markersize=4, label=layer.upper())
    axes.plot(_start(PAPER), 0, "k*", markersize=9, label="start")
    greatest = max(axes.get_xlim()[1], 0.8)
    across = torch.tensor([0.0, greatest])
    for ratio in (-4, -2, 2, 4):
        axes.plot(across, ratio * across, color=plots.QUIET, linewidth=0.8, linestyle=":")
    corner = _STRAIGHT / 4
    axes.fill([0, corner, 0], [-_STRAIGHT, 0, _STRAIGHT], color=plots.GREEN, alpha=0.2, lw=0)
    for words, slope in ((OR, 3), (BETWEEN, 1), (AND, -3)):
        axes.text(0.98 * greatest, slope * greatest, words, ha="right", va="center", fontsize=8)
    axes.text(0.01, 0, "blur", va="center", fontsize=8)
    axes.set(xlabel="coefficient", ylabel="bias", xlim=(0, greatest))
    axes.set_ylim(-4 * greatest, 4 * greatest)
    plots.legend_below(figure, axes)
    caption = (
        "Each map of all seeds. Dotted: where one more or one fewer of four inputs of ±1 turns a "
        "unit on. Green: such inputs never leave the straight part of the squash."
    )
    return Plot("inside-subsampling", figure, caption)


INSIDE = Experiment(
    name="inside",
    title="What the networks have learnt",
    recipes=(PAPER, FULL),
    values=Values,
    measure=_measure,
    present=_present,
    seeds=3,
)
