"""Fig. 10: what rejecting doubtful patterns gains, and whether the penalty knows a non-digit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.evidence.non_digits import OF_DIGITS, OF_LOOK_ALIKES, draw_patterns, patterns
from lenet1998.learning.presets import preset
from lenet1998.measures import certainty
from lenet1998.measures.answers import scores, wilson_interval
from lenet1998.measures.certainty import REJECTED_PERCENT, TARGET_PERCENT, rejected_percent
from lenet1998.measures.spread import Paired, Spread, listed
from lenet1998.models.chain import ChainNetwork
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table
from lenet1998.runs.run import Run

_COLOURS = {"paper": plots.BLUE, "paper-distorted": plots.RED}  # of the recipes
_PLACE_CODES = preset("paper", name="one-of-ten-codes", network="one-of-ten-codes")
"""A sigmoid for each class, which the claim sets beside the codes of Fig. 3."""

RULES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "penalty": lambda scores: scores.amax(-1),
    "difference": certainty.difference,
}
"""How certain an answer is, `(..., classes)` -> `(...)`: by its penalty, or as in Fig. 10."""

_KEPT = {"95 % kept": 0.95, "99 % kept": 0.99}
_AREA = "area"
_ALIKE = (OF_DIGITS, OF_LOOK_ALIKES)
_AT_ONCE = 500  # images, so that their maps stay small
_OF_1998 = {  # the test digits to reject (%)
    f"{bar.classifier}, {bar.input}": bar.rejected
    for bar in facts.all_bars()
    if bar.rejected is not None
}


@dataclass(frozen=True)
class Doubtful:
    """What rejecting the doubtful test digits gains, the least certain first."""

    digits: int  # in the test set
    by_penalty_percent: Spread  # to reject for 0.5 % error among the others
    by_difference_percent: Spread  # likewise
    interval_percent: tuple[float, float]  # 95 %, that the test digits leave around its mean
    # of each seed, the error left when `REJECTED_PERCENT` are rejected by the difference
    curves: tuple[tuple[float, ...], ...]

    @property
    def digits_left(self) -> int:
        """Where 0.5 % error is left, by the difference."""
        return round(self.digits * (1 - self.by_difference_percent.mean / 100))

    @property
    def errors_left(self) -> int:
        """At most, among these."""
        return int(self.digits_left * TARGET_PERCENT / 100)

    @property
    def error_left_percent(self) -> tuple[float, float]:
        """Their 95 % interval (Wilson)."""
        return wilson_interval(self.errors_left, max(1, self.digits_left))


@dataclass(frozen=True)
class Kind:
    """How far a kind of patterns is told from test digits."""

    count: int  # of the patterns
    # for each of `RULES`, the patterns rejected (%) at the thresholds that keep 95 and 99 % of the
    # digits; and "area", under the ROC curve: how probably a pattern is less certain than a digit
    by_rule: dict[str, dict[str, Spread]]
    rubbish_percent: Spread  # the patterns for which the rubbish class wins

    def means(self, measure: str) -> tuple[float, ...]:
        """Of the seeds, by each rule."""
        return tuple(measured[measure].mean for measured in self.by_rule.values())


@dataclass(frozen=True)
class OfRecipe:
    """What was measured of one recipe's networks."""

    doubtful: Doubtful
    rubbish_limit: float  # the best penalty above which eq. 9's rubbish class wins
    right_refused_percent: Spread  # the digits for which it does, of those read right
    misread_refused_percent: Spread  # and of the others
    kinds: dict[str, Kind]  # of patterns
    # of the best penalty, of test digits and each kind, at 5, 25, 50, 75 and 95 %: seeds' means
    penalty_quantiles: dict[str, tuple[float, ...]]

    def more_by_penalty(self, kept: str) -> str:
        """Of how many kinds the penalty rejects more than the difference: "5 of 6"."""
        pairs = [kind.means(kept) for name, kind in self.kinds.items() if name not in _ALIKE]
        # Rounded, so that no last bit decides between equal means.
        more = sum(round(penalty - difference, 2) > 0 for penalty, difference in pairs)
        return f"{more} of {len(pairs)}"


@dataclass(frozen=True)
class Values:
    """What was measured."""

    recipes: dict[str, OfRecipe]  # by their names
    # of place codes, each kind told apart by the ten sigmoids' outputs: "penalty" stands for the
    # highest of them, "difference" for that of the two highest
    place_codes: dict[str, Kind]

    def gain(self, kind: str, rule: str, measure: str) -> Paired:
        """How much more the penalty of `paper` rejects than a rule of the place codes, by seed."""
        sigmoids = self.place_codes[kind].by_rule[rule][measure].values
        distributed = self.recipes["paper"].kinds[kind].by_rule["penalty"][measure].values
        return Paired.of(sigmoids, distributed)

    def clear(self, rule: str, measure: str) -> tuple[int, int, int]:
        """Of how many kinds it rejects more beyond chance, and of how many less; and of all."""
        gains = [self.gain(kind, rule, measure) for kind in self.place_codes if kind not in _ALIKE]
        # Seeds that all agree have no deviation, and so no interval.
        agree = [len(of.gains) > 1 and min(of.gains) == max(of.gains) for of in gains]
        pairs = zip(gains, agree, strict=True)
        clear = [of.mean for of, agreed in pairs if agreed or of.is_beyond_chance]
        return sum(mean > 0 for mean in clear), sum(mean < 0 for mean in clear), len(gains)


def _measure(runs: Runs, dataset: Dataset) -> Values:
    kinds = patterns(dataset.test_images, dataset.test_labels)
    return Values(
        {name: _of_recipe(runs[name], dataset, kinds) for name in _COLOURS},
        _of_place_codes(runs[_PLACE_CODES.name], dataset, kinds),
    )


def _of_place_codes(
    runs: Sequence[Run], dataset: Dataset, kinds: Mapping[str, Tensor]
) -> dict[str, Kind]:
    digits = _outputs(runs, dataset.test_images)
    return {
        kind: tell_apart(digits, _outputs(runs, images), -math.inf)
        for kind, images in kinds.items()
    }


@torch.no_grad()
def _outputs(runs: Sequence[Run], images: Tensor) -> Tensor:
    """`(seeds, N, 10)` float64: the sigmoids of each network's top layer."""
    nets = [run.net for run in runs]
    return torch.stack(
        [
            torch.cat([net.top_state(some) for some in images.split(_AT_ONCE)]).double()
            for net in nets
            if isinstance(net, ChainNetwork)
        ]
    )


def _of_recipe(runs: Sequence[Run], dataset: Dataset, kinds: Mapping[str, Tensor]) -> OfRecipe:
    net = runs[0].net
    assert isinstance(net, ChainNetwork)
    read = {
        kind: torch.stack([scores(run.net, images).double() for run in runs])
        for kind, images in {"test digits": dataset.test_images, **kinds}.items()
    }
    digits, *_ = read.values()
    best_scores = {kind: of_kind.amax(2) for kind, of_kind in read.items()}
    right = digits.argmax(2) == dataset.test_labels
    refused = digits.amax(2) < net.rubbish
    levels = torch.tensor((0.05, 0.25, 0.5, 0.75, 0.95)).double()
    return OfRecipe(
        doubtful=reject_doubtful(digits, right),
        rubbish_limit=net.j / net.penalty_scale,
        right_refused_percent=_share(refused, right),
        misread_refused_percent=_share(refused, ~right),
        kinds={kind: tell_apart(digits, read[kind], net.rubbish) for kind in kinds},
        penalty_quantiles={
            kind: Spread.of(net.to_penalties(best).quantile(levels, dim=1).mean(1)).values
            for kind, best in best_scores.items()
        },
    )


def reject_doubtful(scores: Tensor, right: Tensor) -> Doubtful:
    """Of scores `(seeds, N, classes)` float64, and `(seeds, N)` bool, whether they are right."""
    of_seeds = [certainty.rejection(*seed) for seed in zip(scores, right, strict=True)]
    return Doubtful(
        digits=right.shape[1],
        by_penalty_percent=Spread.of(_to_reject(RULES["penalty"](scores), right)),
        by_difference_percent=Spread.of(seed.by_difference_percent for seed in of_seeds),
        interval_percent=_resampled(RULES["difference"](scores), right),
        curves=tuple(Spread.of(seed.error_percent).values for seed in of_seeds),
    )


def tell_apart(digits: Tensor, others: Tensor, rubbish: float) -> Kind:
    """Of `(seeds, count, classes)`, the scores of digits and others, and of the rubbish class."""
    from sklearn.metrics import roc_auc_score  # slow to import

    are_digits = [1] * digits.shape[1] + [0] * others.shape[1]
    by_rule = {}
    for rule, certain in RULES.items():
        sure, unsure = certain(digits), certain(others)
        spreads = {
            name: _share(unsure < sure.quantile(1 - kept, dim=1, keepdim=True))
            for name, kept in _KEPT.items()
        }
        areas = (roc_auc_score(are_digits, seed) for seed in torch.cat([sure, unsure], dim=1))
        by_rule[rule] = {**spreads, _AREA: Spread.of(areas)}
    return Kind(others.shape[1], by_rule, rubbish_percent=_share(others.amax(2) < rubbish))


def _share(marked: Tensor, of: Tensor | None = None) -> Spread:
    """Percentage that is marked, `(seeds, N)`, of all or of some; 0 of none."""
    of = torch.ones_like(marked) if of is None else of
    return Spread.of(100 * (marked & of).sum(1).double() / of.sum(1).clamp(min=1))


def _to_reject(sure: Tensor, right: Tensor) -> list[float]:
    """Of each seed, what share must be rejected."""
    return [rejected_percent(*seed, TARGET_PERCENT) for seed in zip(sure, right, strict=True)]


def _resampled(sure: Tensor, right: Tensor) -> tuple[float, float]:
    """The 95 % interval of the mean share to reject, over test sets drawn from this one."""
    generator = torch.Generator().manual_seed(0)
    digits = right.shape[1]
    means = []
    for _ in range(200):
        drawn = torch.randint(digits, (digits,), generator=generator)
        means.append(fmean(_to_reject(sure[:, drawn], right[:, drawn])))
    low, high = Spread.of(torch.tensor(means).quantile(torch.tensor([0.025, 0.975]))).values
    return low, high


def _present(values: Values, dataset: Dataset) -> Section:
    recipes, digits, comparable = values.recipes, dataset.name, dataset.is_comparable
    kinds = patterns(dataset.test_images, dataset.test_labels)
    text = [
        "1998: the digits for which the best two outputs differ least are rejected; Fig. 10 gives "
        f"the share that leaves an error of {TARGET_PERCENT} %. LeNet-5 is not among its "
        f"{len(_OF_1998)} classifiers, so no value of 1998 can be met or missed. Few errors are "
        "left among the digits kept, so test digits drawn anew move our shares widely."
        + ("" if comparable else f" {not_comparable(dataset)}"),
        "Section II.B: RBF outputs, unlike sigmoids, are active in a bounded region only, so the "
        "best penalty itself should tell what is no character; eq. 9's rubbish class is such a "
        "threshold, at j. Place codes, a sigmoid for each class, are measured beside it: LeNet-5 "
        f"with ten units in F6 ('{_PLACE_CODES.name}'), rejected by its highest output, as one "
        "reads sigmoids, or by the difference of the two highest.",
        "Here penalty and difference meet patterns that are no digits, at thresholds with "
        f"{' or '.join(_KEPT)} of the test digits. Fig. 3's own digits, drawn as its letters are, "
        "tell how much is owed to the drawing; they and the look-alikes do not count as kinds.",
    ]
    conclusions = []
    for name, ours in recipes.items():
        more = listed([f"in {ours.more_by_penalty(kept)} kinds with {kept}" for kept in _KEPT])
        text.append(f"{name}: the penalty rejects more than the difference {more}.")
        what = f"Fig. 10: to reject for {TARGET_PERCENT} % error, {name}"
        conclusions.append(Conclusion(what, "–", ours.doubtful.by_difference_percent.in_words()))
    tables = [
        _rejection_table(recipes),
        *([_paper_table(recipes)] if comparable else []),
        *(_kinds_table(name, ours) for name, ours in recipes.items()),
        _codes_table(values),
    ]
    seeds = "Mean of the seeds, from the lowest to the highest."
    shown = f"The first patterns of each kind. Test digits: {digits}."
    quantiles = (
        "5 to 95 % of the patterns (thin), 25 to 75 % (thick), the median (dot). The test digits' "
        "right end is the threshold that keeps 95 % of them."
    )
    drawn = [
        Plot("fig10", _draw_rejection(recipes, digits, comparable), seeds),
        Plot("fig10-non-digits", draw_patterns(kinds), shown),
        Plot("fig10-kinds", _draw_kinds(recipes, digits), seeds),
        Plot("fig10-penalties", _draw_penalties(recipes, digits), quantiles),
    ]
    claims = [_of_codes(values)] if comparable else []
    return Section(text=text, tables=tables, plots=drawn, conclusions=conclusions, claims=claims)


def _of_codes(values: Values) -> Claim:
    """Judged by the highest output, over kinds and thresholds; the difference is said as well."""

    def better(rule: str, kept: str) -> str:
        more, less, kinds = values.clear(rule, kept)
        return f"in {more} of {kinds} kinds (fewer in {less}) with {kept}"

    said = "; ".join(
        f"than {words} {listed([better(rule, kept) for kept in _KEPT])}"
        for rule, words in (("penalty", "the highest sigmoid"), ("difference", "their difference"))
    )
    each = (values.clear("penalty", kept) for kept in _KEPT)
    more, less, kinds = (sum(counts) for counts in zip(*each, strict=True))
    if less == 0:
        holds = "yes" if 2 * more > kinds else "in part" if more else "not shown"
    else:
        holds = "in part" if more > less else "no"
    seeds = values.recipes["paper"].right_refused_percent.seeds
    measured = f"Fig. 3's codes reject more beyond chance {said} ({seeds})"
    return Claim(9, measured, holds)


def _codes_table(values: Values) -> Table:
    """The penalty of `paper` beside both rules of the place codes."""
    columns = {**dict.fromkeys(_KEPT, 0), _AREA: 3}  # and their decimal places
    rows = []
    for kind, of_kind in values.place_codes.items():
        distributed = values.recipes["paper"].kinds[kind]
        cells = [
            f"{distributed.means(measure)[0]:.{places}f} / "
            + " / ".join(f"{mean:.{places}f}" for mean in of_kind.means(measure))
            for measure, places in columns.items()
        ]
        gains = [
            values.gain(kind, rule, "95 % kept").interval_in_words(0) for rule in of_kind.by_rule
        ]
        rows.append((kind, *cells, *gains))
    more = "more, 95 % kept, than"
    return Table(
        "Rejected (%) by Fig. 3's codes (penalty) / place codes by their highest output / by their "
        "difference, area under the ROC curve likewise; and by how much more the first rejects, "
        "95 % interval of the pairs of seeds",
        ("", *columns, f"{more} the highest", f"{more} the difference"),
        rows,
    )


def _rejection_table(recipes: Mapping[str, OfRecipe]) -> Table:
    at_last = f"error left, {REJECTED_PERCENT[-1]:g} % rejected"
    columns: dict[str, Callable[[Doubtful], str]] = {
        "by the difference": lambda of: of.by_difference_percent.mean_in_words(),
        "least–greatest seed": lambda of: of.by_difference_percent.range_in_words(),
        "95 %, digits drawn anew": lambda of: "{:.2f}–{:.2f}".format(*of.interval_percent),
        "by the best penalty": lambda of: of.by_penalty_percent.mean_in_words(),
        "errors left among": lambda of: f"{of.errors_left} of {of.digits_left:,}",
        "error left, 95 %": lambda of: "{:.2f}–{:.2f}".format(*of.error_left_percent),
        at_last: lambda of: f"{fmean(curve[-1] for curve in of.curves):.2f}",
    }
    caption = f"Test digits to reject (%) for {TARGET_PERCENT} % error, and the error (%) left"
    rows = {name: ours.doubtful for name, ours in recipes.items()}
    return Table.of(caption, "recipe", rows, columns)


def _paper_table(recipes: Mapping[str, OfRecipe]) -> Table:
    rejected = {name: f"{percent:g}" for name, percent in _OF_1998.items()}
    for name, ours in recipes.items():
        percent = ours.doubtful.by_difference_percent.mean
        rejected[f"LeNet-5, {name} (here)"] = f"{percent:.2f}"
    return Table(
        f"Test digits to reject for {TARGET_PERCENT} % error, by the difference (Fig. 10)",
        ("classifier", "rejected (%)"),
        sorted(rejected.items(), key=lambda row: float(row[1])),
    )


def _kinds_table(name: str, ours: OfRecipe) -> Table:
    columns = {**dict.fromkeys(_KEPT, 0), _AREA: 3}  # and their decimal places
    rows = [
        ("digits read right", *"–––", ours.right_refused_percent.mean_and_range_in_words(1)),
        ("digits misread", *"–––", ours.misread_refused_percent.mean_and_range_in_words(0)),
    ]
    for kind, of_kind in ours.kinds.items():
        cells = (
            " / ".join(f"{mean:.{places}f}" for mean in of_kind.means(measure))
            for measure, places in columns.items()
        )
        rows.append((kind, *cells, of_kind.rubbish_percent.mean_and_range_in_words(0)))
    return Table(
        f"{name}: rejected (%) by penalty / difference, area under the ROC curve likewise, refused "
        "(%) by the rubbish class (least–greatest seed)",
        ("", *columns, "rubbish class"),
        rows,
    )


def _draw_rejection(recipes: Mapping[str, OfRecipe], digits: str, comparable: bool) -> Figure:
    """Error left against digits rejected; Fig. 10's classifiers where they read the same digits."""
    figure, axes = plots.plot("Rejection by the difference", digits)
    for name, ours in recipes.items():
        plots.band(axes, REJECTED_PERCENT, ours.doubtful.curves, _COLOURS[name], name)
    plots.level(axes, TARGET_PERCENT, f"{TARGET_PERCENT} %")
    if comparable:
        levels = [TARGET_PERCENT] * len(_OF_1998)
        label = "1998, other classifiers"
        axes.plot([*_OF_1998.values()], levels, "o", mfc="none", color=plots.TEXT, label=label)
    axes.set(xlabel="rejected (%)", ylabel="error of the others (%)", ylim=(0, None))
    axes.set_xlim(0, REJECTED_PERCENT[-1])
    axes.legend(frameon=False, fontsize=9)
    return figure


def _draw_kinds(recipes: Mapping[str, OfRecipe], digits: str) -> Figure:
    labels = {kept: f"rejected (%), {kept} of the test digits" for kept in _KEPT}
    labels[_AREA] = "area under the ROC curve"
    figure, panels = plots.panels("Digits told from others", digits, len(labels), height=3.4)
    for axes, (measure, label) in zip(panels, labels.items(), strict=True):
        for place, (name, rule) in enumerate(product(recipes, RULES)):
            spreads = {kind: of.by_rule[rule][measure] for kind, of in recipes[name].kinds.items()}
            rows = {kind: (at.least, at.mean, at.greatest) for kind, at in spreads.items()}
            colour, fill = _COLOURS[name], _COLOURS[name] if rule == "penalty" else "white"
            _lines(axes, rows, 0.2 * (place - 1.5), f"{name}, {rule}", colour, fill)
        axes.set_xlabel(label)
    plots.legend_below(figure, panels[0])
    return figure


def _draw_penalties(recipes: Mapping[str, OfRecipe], digits: str) -> Figure:
    figure, axes = plots.plot("Penalties of digits and others", digits, height=4.8)
    for place, (name, ours) in enumerate(recipes.items()):
        colour = _COLOURS[name]
        _lines(axes, ours.penalty_quantiles, 0.24 * (place - 0.5), name, colour, colour)
    for limit in {ours.rubbish_limit for ours in recipes.values()}:
        plots.level(axes, limit, f"rubbish class, above {limit:g}", upright=True)
    axes.set(xscale="log", xlabel="best penalty (squared distance, eq. 7)")
    axes.xaxis.set_major_formatter("{x:g}")
    plots.legend_below(figure, axes)
    return figure


def _lines(
    axes: Axes, rows: Mapping[str, Sequence[float]], shift: float, name: str, colour: str, fill: str
) -> None:
    """In each row a line from least to greatest, a thick one inside of it, a dot in the middle."""
    ys = [place + shift for place in range(len(rows))]
    least, *inner, greatest = zip(*rows.values(), strict=True)
    axes.hlines(ys, least, greatest, colour, linewidth=1)
    axes.hlines(ys, inner[0], inner[-1], colour, linewidth=4, alpha=0.5)
    axes.plot(inner[len(inner) // 2], ys, "o", color=colour, mfc=fill, markersize=4, label=name)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)


FIG10 = Experiment(
    name="fig10",
    title="Fig. 10: rejecting doubtful digits, and what is no digit",
    recipes=(*(preset(name) for name in _COLOURS), _PLACE_CODES),
    values=Values,
    measure=_measure,
    present=_present,
    seeds=5,
)
