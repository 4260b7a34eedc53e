"""Fig. 10: what rejecting doubtful patterns gains, and whether the penalty knows a non-digit."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from statistics import fmean

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lenet1998 import codes
from lenet1998.certainty import REJECTED_PERCENT, TARGET_PERCENT, rejected_percent, rejection
from lenet1998.data import Dataset
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.evaluation import scores, wilson_interval
from lenet1998.evidence.experiment import (
    Experiment,
    Picture,
    Runs,
    Section,
    Table,
    Values,
    in_words,
    spread,
)
from lenet1998.evidence.non_digits import (
    LOOK_ALIKES,
    OF_LOOK_ALIKES,
    draw_patterns,
    drawn_characters,
    non_digits,
)
from lenet1998.learning.recipe import preset
from lenet1998.learning.training import Run
from lenet1998.report import plain_axes, titled

RECIPES = ("paper", "paper-distorted")
KEPT_PERCENT = (95, 99)
"""Of the test digits, at the thresholds that non-digits are held against."""

RULES = ("penalty", "difference")
"""By the best penalty itself, and by its difference from the second best (Fig. 10)."""

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_RESAMPLINGS = 200
_WIDTH = 5.0  # inches
_COLOURS = {"paper": "#2f6690", "paper-distorted": "#b5403a"}

_DIGITS, _CODES_OF_DIGITS = "test digits", "Fig. 3's digits"


@cache
def paper_rejections() -> tuple[tuple[str, float], ...]:
    """Fig. 10: its classifiers, and the test digits to reject (%) for 0.5 % error."""
    text = (resources.files(__package__) / "paper" / "fig09_to_12.csv").read_text()
    column = "fig10_reject_percent_for_0.5_percent_error"
    return tuple(
        (f"{row['classifier']}, {row['input']}", float(row[column]))
        for row in csv.DictReader(text.splitlines())
        if row[column]
    )


def measure(runs: Runs, dataset: Dataset) -> Values:
    """Rejection of misread digits by Fig. 10's rule, and of non-digits by the penalty's value."""
    strangers = non_digits(dataset.test_images, dataset.test_labels)
    patterns = {_CODES_OF_DIGITS: drawn_characters(codes.DIGITS), **strangers}
    return {
        "digits": len(dataset.test_labels),
        "recipes": {name: _of_recipe(runs[name], dataset, patterns) for name in RECIPES},
    }


def _of_recipe(runs: Sequence[Run], dataset: Dataset, patterns: Mapping[str, Tensor]) -> Values:
    penalties = torch.stack([scores(run.net, dataset.test_images).double() for run in runs])
    others = {
        kind: torch.stack([scores(run.net, images).double() for run in runs])
        for kind, images in patterns.items()
    }
    right = penalties.argmin(2) == dataset.test_labels
    # Eq. 9's rubbish class wins where every penalty, in the scale of training, is above j.
    limits = torch.tensor([run.recipe.j / run.recipe.penalty_scale for run in runs]).double()
    refused = penalties.amin(2) > limits[:, None]
    return {
        "error_percent": spread((100 * (~right).double().mean(1)).tolist()),
        "misread_digits": of_misread(penalties, right),
        "rubbish": {
            "limit": limits[0].item(),
            "right_refused_percent": _range(_share(refused, of=right)),
            "misread_refused_percent": _range(_share(refused, of=~right)),
        },
        "kinds": {kind: of_kind(penalties, found, limits) for kind, found in others.items()},
        "penalty_quantiles": {
            kind: _quantiles(found) for kind, found in {_DIGITS: penalties, **others}.items()
        },
    }


def of_misread(penalties: Tensor, right: Tensor) -> Values:
    """What rejecting the doubtful digits leaves misread.

    Args:
        penalties: `(seeds, N, classes)` float64 of the test digits.
        right: `(seeds, N)` bool, whether they are read right.

    Returns:
        Digits to reject (%) for 0.5 % error among the others, least certain first, by each rule;
        of the mean by the difference, the 95 % `interval_percent` that the N digits leave (by
        resampling them); `errors_left`, of how many `digits_left`, and their 95 % interval as
        `error_left_percent`; and the `curve` of the error left at `REJECTED_PERCENT`.
    """
    by_rule = {
        rule: [
            rejected_percent(one, good, TARGET_PERCENT)
            for one, good in zip(certainty(penalties, rule), right, strict=True)
        ]
        for rule in RULES
    }
    curves = torch.tensor(
        [rejection(-one, good).error_percent for one, good in zip(penalties, right, strict=True)]
    )
    digits_left = round(right.shape[1] * (1 - fmean(by_rule["difference"]) / 100))
    errors_left = int(digits_left * TARGET_PERCENT / 100)
    return {
        **{f"by_{rule}_percent": spread(percents) for rule, percents in by_rule.items()},
        "interval_percent": _resampled(certainty(penalties, "difference"), right),
        "digits_left": digits_left,
        "errors_left": errors_left,
        "error_left_percent": [
            round(end, 4) for end in wilson_interval(errors_left, max(1, digits_left))
        ],
        "curve": {
            "mean": _rounded(curves.mean(0)),
            "least": _rounded(curves.amin(0)),
            "greatest": _rounded(curves.amax(0)),
        },
    }


def of_kind(digits: Tensor, others: Tensor, limits: Tensor) -> Values:
    """How far a kind of patterns is told from digits.

    Args:
        digits: `(seeds, N, classes)` float64, the penalties of the test digits.
        others: `(seeds, M, classes)`, those of the patterns.
        limits: `(seeds,)`, the best penalty above which eq. 9's rubbish class wins.

    Returns:
        `count`: M; for each rule, means and extremes over the seeds of the patterns rejected (%) at
        the thresholds that keep 95 and 99 % of the digits, and `area`, the probability that a
        pattern is less certain than a digit (the area under the ROC curve); `rubbish_percent`,
        likewise, the patterns for which the rubbish class wins.
    """
    from sklearn.metrics import roc_auc_score  # slow to import

    values: Values = {"count": others.shape[1]}
    are_digits = [1] * digits.shape[1] + [0] * others.shape[1]
    for rule in RULES:
        sure, unsure = certainty(digits, rule), certainty(others, rule)
        values[rule] = {
            f"rejected_keeping_{kept}_percent": _range(
                (unsure < sure.quantile(1 - kept / 100, dim=1, keepdim=True)).double().mean(1) * 100
            )
            for kept in KEPT_PERCENT
        }
        areas = [
            roc_auc_score(are_digits, torch.cat(pair)) for pair in zip(sure, unsure, strict=True)
        ]
        values[rule]["area"] = _range(torch.tensor(areas))
    refused = others.amin(2) > limits[:, None]
    values["rubbish_percent"] = _range(100 * refused.double().mean(1))
    return values


def certainty(penalties: Tensor, rule: str) -> Tensor:
    """How certain each answer is, the larger the more, by one of `RULES`.

    Shape: (..., classes) -> (...).
    """
    best, second = penalties.topk(2, largest=False).values.unbind(-1)
    return second - best if rule == "difference" else -best


def _share(marked: Tensor, *, of: Tensor) -> Tensor:
    """Percentage of some digits that are marked, `(seeds, N)` -> `(seeds,)`; 0 of none are."""
    return 100 * (marked & of).sum(1) / of.sum(1).clamp(min=1)


def _resampled(sure: Tensor, right: Tensor) -> list[float]:
    """The 95 % interval of the mean share to reject, over test sets drawn from this one."""
    generator = torch.Generator().manual_seed(0)
    digits = right.shape[1]
    means = []
    for _ in range(_RESAMPLINGS):
        drawn = torch.randint(digits, (digits,), generator=generator)
        means.append(
            fmean(
                rejected_percent(one[drawn], good[drawn], TARGET_PERCENT)
                for one, good in zip(sure, right, strict=True)
            )
        )
    return _rounded(torch.tensor(means).quantile(torch.tensor([0.025, 0.975])))


def _quantiles(penalties: Tensor) -> list[float]:
    """Of the best penalty, over the patterns, as means over the seeds."""
    best = penalties.amin(2)
    return _rounded(best.quantile(torch.tensor(_QUANTILES).double(), dim=1).mean(1))


def _range(values: Tensor) -> Values:
    """What `spread` gives, without each seed's value."""
    whole = spread(values.tolist())
    return {key: whole[key] for key in ("mean", "least", "greatest")}


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 4) for value in values.tolist()]


def present(values: Values, dataset: Dataset) -> Section:
    """The section of Fig. 10, from what `measure` gave and the images of its data set."""
    recipes = values["recipes"]
    comparable = dataset.name == MNIST
    strangers = non_digits(dataset.test_images, dataset.test_labels)
    return Section(
        text=[
            _paper_says(comparable, dataset.name),
            *(_rejection(name, recipes[name]["misread_digits"]) for name in RECIPES),
            "Section II.B gives another use of the RBF outputs: unlike sigmoids they are active in "
            "a bounded region only, so the best penalty itself should tell what is no character. "
            "Eq. 9's rubbish class is such a threshold, at j. Here the penalty's value and Fig. "
            "10's difference are set against patterns that are no digits, at the thresholds that "
            f"keep {' and '.join(map(str, KEPT_PERCENT))} % of the test digits: letters and signs "
            f"of Fig. 3, apart from those that look like digits ({' '.join(LOOK_ALIKES)}); two "
            "test digits side by side, as a window midway between them sees them (section VII); "
            "the upper half of one over the lower half of another, of which some do make a digit; "
            "uniform noise; a blank field.",
            *(_non_digits(name, recipes[name]) for name in RECIPES),
            "Sigmoid outputs are not measured here, so the paper's comparison with them is not "
            "tested: what is shown is how much of the job the penalty does.",
        ],
        tables=[
            _rejection_table(recipes, comparable),
            *(_kinds_table(name, recipes[name]["kinds"]) for name in RECIPES),
        ],
        pictures=[
            Picture(
                "fig10",
                draw_rejection(recipes, dataset.name, comparable),
                "The error left among the digits that are not rejected, least difference between "
                "the best two penalties first: mean of the seeds, and their range.",
            ),
            Picture(
                "fig10-penalties",
                draw_penalties(recipes, dataset.name),
                "The best penalty of each kind of pattern: 5 to 95 % of them (thin), 25 to 75 % "
                "(thick), the median (dot). The right end of the test digits' line is the "
                "threshold that keeps 95 % of them; eq. 9's rubbish class wins right of the dotted "
                "line.",
            ),
            Picture(
                "fig10-non-digits",
                draw_patterns({_CODES_OF_DIGITS: drawn_characters(codes.DIGITS), **strangers}),
                "The first patterns of each kind, and the digits of Fig. 3 drawn as its letters "
                f"are. Test digits: {dataset.name}.",
            ),
        ],
        summary=[
            (
                f"Fig. 10: to reject for {TARGET_PERCENT} % error, {name}",
                "–",
                in_words(recipes[name]["misread_digits"]["by_difference_percent"]),
            )
            for name in RECIPES
        ],
    )


def _paper_says(comparable: bool, name: str) -> str:
    text = (
        "The paper rejects the digits for which the best two outputs differ least, and Fig. 10 "
        f"gives the share to reject for {TARGET_PERCENT} % error among the others. It has "
        f"{len(paper_rejections())} classifiers and LeNet-5 is not one of them, so no value of "
        "1998 can be met or missed here; "
    )
    if comparable:
        return text + "ours stands beside those of the others."
    return text + f"and as these digits are not MNIST's whole test set ({name}), ours stands alone."


def _rejection(name: str, ours: Values) -> str:
    by_difference, by_penalty = ours["by_difference_percent"], ours["by_penalty_percent"]
    low, high = ours["interval_percent"]
    left_low, left_high = ours["error_left_percent"]
    return (
        f"{name}: {in_words(by_difference)} must be rejected, seeds from "
        f"{by_difference['least']:.2f} to {by_difference['greatest']:.2f} %; the test digits alone "
        f"leave {low:.2f} to {high:.2f} % for the mean (95 %, digits drawn anew). That is wide, "
        f"because {TARGET_PERCENT} % of the {ours['digits_left']:,} digits kept are "
        f"{ours['errors_left']} errors: their 95 % interval is {left_low:.2f} to {left_high:.2f} "
        f"%. Rejecting {REJECTED_PERCENT[-1]:g} % leaves {ours['curve']['mean'][-1]:.2f} %. By the "
        f"best penalty alone, {in_words(by_penalty)} must be rejected for the same "
        f"{TARGET_PERCENT} %."
    )


def _non_digits(name: str, ours: Values) -> str:
    kinds, rubbish, most = ours["kinds"], ours["rubbish"], KEPT_PERCENT[0]
    strangers = [kind for kind in kinds if kind not in (_CODES_OF_DIGITS, OF_LOOK_ALIKES)]

    def of_each(kind: str, rule: str, kept: int) -> float:
        return float(kinds[kind][rule][f"rejected_keeping_{kept}_percent"]["mean"])

    sentences = [
        f"{name}: the threshold on the penalty that keeps {most} % of the digits rejects "
        + ", ".join(f"{kind} {of_each(kind, 'penalty', most):.0f} %" for kind in strangers)
        + f"; of the look-alikes {of_each(OF_LOOK_ALIKES, 'penalty', most):.0f} %, and of the ten "
        "digits of Fig. 3, drawn as the letters are, "
        f"{of_each(_CODES_OF_DIGITS, 'penalty', most):.0f} %: so much may be owed to the drawing."
    ]
    for kept in KEPT_PERCENT:
        others = [
            kind
            for kind in strangers
            if of_each(kind, "penalty", kept) <= of_each(kind, "difference", kept)
        ]
        sentences.append(
            f"Where {kept} % of the digits are kept, the penalty rejects more than the difference "
            f"does of {len(strangers) - len(others)} of {len(strangers)} kinds"
            + (f" (not of {', '.join(others)})" if others else "")
            + f", and {of_each('letters', 'penalty', kept):.0f} % of the letters against "
            f"{of_each('letters', 'difference', kept):.0f} %."
        )
    sentences.append(
        f"The rubbish class (best penalty above {rubbish['limit']:g}, which is j in the scale of "
        f"training) refuses {rubbish['right_refused_percent']['mean']:.1f} % of the digits read "
        f"right, {rubbish['misread_refused_percent']['mean']:.0f} % of those misread and "
        f"{kinds['letters']['rubbish_percent']['mean']:.0f} % of the letters."
    )
    return " ".join(sentences)


def _rejection_table(recipes: Values, comparable: bool) -> Table:
    rows = [
        (
            f"LeNet-5, {name} (here)",
            recipes[name]["misread_digits"]["by_difference_percent"]["mean"],
        )
        for name in RECIPES
    ]
    if comparable:
        rows += paper_rejections()
    return Table(
        caption=f"Test digits to reject for {TARGET_PERCENT} % error, by the difference (Fig. 10).",
        header=("classifier", "rejected (%)"),
        rows=[
            (classifier, f"{percent:.2f}" if "(here)" in classifier else f"{percent:g}")
            for classifier, percent in sorted(rows, key=lambda row: row[1])
        ],
    )


def _kinds_table(name: str, kinds: Values) -> Table:
    measures = [f"rejected_keeping_{kept}_percent" for kept in KEPT_PERCENT]
    return Table(
        caption=(
            f"{name}: patterns rejected (%) where so many digits are kept, area under the ROC "
            "curve, and patterns (%) for which the rubbish class wins; means of the seeds (least "
            "to greatest)."
        ),
        header=(
            "",
            "patterns",
            *(f"{rule}, keeps {kept} %" for kept in KEPT_PERCENT for rule in RULES),
            *(f"area, {rule}" for rule in RULES),
            "rubbish class",
        ),
        rows=[
            (
                kind,
                f"{of_kind['count']:,}",
                *(_cell(of_kind[rule][measure], 0) for measure in measures for rule in RULES),
                *(_cell(of_kind[rule]["area"], 3) for rule in RULES),
                _cell(of_kind["rubbish_percent"], 0),
            )
            for kind, of_kind in kinds.items()
        ],
    )


def _cell(values: Values, digits: int) -> str:
    mean, least, greatest = (values[key] for key in ("mean", "least", "greatest"))
    return f"{mean:.{digits}f} ({least:.{digits}f} to {greatest:.{digits}f})"


def draw_rejection(recipes: Values, dataset_name: str, comparable: bool) -> Figure:
    """Error left against digits rejected; Fig. 10's classifiers where they read the same digits."""
    figure = Figure(figsize=(_WIDTH, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for name in RECIPES:
        curve = recipes[name]["misread_digits"]["curve"]
        axes.plot(REJECTED_PERCENT, curve["mean"], color=_COLOURS[name], label=name)
        axes.fill_between(
            REJECTED_PERCENT,
            curve["least"],
            curve["greatest"],
            color=_COLOURS[name],
            alpha=0.15,
            linewidth=0,
        )
    axes.axhline(TARGET_PERCENT, color="#222222", linewidth=1, linestyle=":")
    if comparable:
        percents = [percent for _, percent in paper_rejections()]
        axes.plot(
            percents,
            [TARGET_PERCENT] * len(percents),
            "o",
            mfc="none",
            color="#222222",
            label="1998, other classifiers",
        )
    axes.set(xlabel="rejected (%)", ylabel="error of the others (%)", ylim=(0, None))
    axes.set_xlim(0, REJECTED_PERCENT[-1])
    plain_axes(axes)
    axes.legend(frameon=False, fontsize=9)
    figure.suptitle(titled("Rejection by the difference", dataset_name), fontsize=11)
    return figure


def draw_penalties(recipes: Values, dataset_name: str) -> Figure:
    """The best penalty of each kind of pattern, a line of quantiles for each recipe."""
    kinds = list(recipes[RECIPES[0]]["penalty_quantiles"])
    figure = Figure(figsize=(_WIDTH, 1.4 + 0.42 * len(kinds)), layout="constrained")
    axes = figure.add_subplot()
    for place, name in enumerate(RECIPES):
        quantiles = recipes[name]["penalty_quantiles"]
        for row, kind in enumerate(kinds):
            y = row + 0.24 * (place - (len(RECIPES) - 1) / 2)
            lowest, low, median, high, highest = quantiles[kind]
            axes.plot((lowest, highest), (y, y), color=_COLOURS[name], linewidth=1)
            axes.plot((low, high), (y, y), color=_COLOURS[name], linewidth=4, alpha=0.5)
            label = None if row else name
            axes.plot(median, y, "o", color=_COLOURS[name], markersize=4, label=label)
    axes.axvline(
        recipes[RECIPES[0]]["rubbish"]["limit"], color="#222222", linewidth=1, linestyle=":"
    )
    axes.set_xscale("log")
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set(xlabel="best penalty (squared distance, eq. 7)", ylim=(len(kinds) - 0.5, -0.5))
    plain_axes(axes)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(titled("Penalties of digits and others", dataset_name), fontsize=11)
    return figure


FIG10 = Experiment(
    name="fig10",
    title="Fig. 10: rejecting doubtful digits, and what is no digit",
    recipes=tuple(preset(name) for name in RECIPES),
    measure=measure,
    present=present,
    seeds=6,
)
