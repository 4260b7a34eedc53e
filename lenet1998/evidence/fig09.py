"""Figs. 9 and 10: every classifier of the paper on the same digits, measured again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lenet1998.data import Dataset
from lenet1998.evidence import facts
from lenet1998.evidence.classifiers import ROWS, OnStates
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.evidence.fits import Answers, Fit, pixels
from lenet1998.learning.recipe import Recipe
from lenet1998.measures import certainty
from lenet1998.measures.answers import scores
from lenet1998.measures.certainty import TARGET_PERCENT, rejected_percent
from lenet1998.measures.spread import Paired, Spread
from lenet1998.measures.writers import Resampled, error_percent, gain_points
from lenet1998.models.boosted import BoostedLeNet4
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.network import Network
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table

__all__ = ["FIG09"]

BARS = {bar.name: bar for bar in facts.all_bars()}
BASE, BOOSTED = "LeNet-4", "Boosted LeNet-4, distorted"
_HEADS = tuple(name for name, row in ROWS.items() if isinstance(row, OnStates))
AVERAGE_COST = 1.75  # networks that run for a digit, of the boosted three
_LEVELS = 2**8  # that a byte has
_FEW = 6_000  # training digits of which a machine on permuted pixels learns


def _fit(name: str) -> Fit:
    row = ROWS[name]
    assert isinstance(row, Fit)
    return row


_SVM, _NEIGHBOURS = _fit("SVM poly 4"), _fit("K-NN Euclidean, deslanted")
_FOUR_BITS = replace(
    _NEIGHBOURS, name="neighbours-deslanted-4-bits", version="20x20 deslanted, 4 bits"
)
_ONE_BIT = replace(_NEIGHBOURS, name="neighbours-1-bit", version="20x20, 1 bit")
RECIPES = tuple(row for row in ROWS.values() if isinstance(row, Recipe))
_WIDE = {of.name: 3 for of in RECIPES if of.network.endswith(("-1000", "-500-150"))}
FITS = tuple(row for row in ROWS.values() if isinstance(row, Fit))

Fits: TypeAlias = Mapping[str, Answers]


@dataclass(frozen=True)
class OfRow:
    """How one classifier reads the test digits."""

    errors: Spread  # in percent, of each seed; of one where nothing is random
    error: Resampled  # its mean, with the interval that writers and seeds leave
    rejected: Spread  # test digits to reject, the least certain first, for 0.5 % error


@dataclass(frozen=True)
class Cascade:
    """The boosted networks, the second and third of which run for doubtful digits only."""

    cost: Spread  # networks that run for a digit, on average
    errors: Spread  # in percent
    difference: Resampled  # points of error more than of all three for each digit


@dataclass(frozen=True)
class Permuted:
    """A support vector machine of the first training digits, and of the same with other pixels."""

    patterns: int  # that both learn from
    error: float  # in percent
    permuted: float  # likewise, all digits' pixels in another order
    differ: int  # answers


@dataclass(frozen=True)
class Values:
    """What was measured; rows by the names of the bars."""

    rows: dict[str, OfRow]
    cascade: Cascade
    next_best: str  # the row of least mean error but for the boosted networks
    boosting_gain: Resampled  # points of error less than that row
    raw_gains: dict[str, Resampled]  # of what LeNet-4's states are given to: points less than it
    rejection_gains: dict[str, Paired]  # and how much less it rejects, seed by seed
    eight_bits: dict[str, Spread]  # errors of networks whose parameters have a byte each
    four_bits: dict[str, float]  # errors of the deslanted neighbours, at 8 and at 4 bits a pixel
    one_bit: float  # and of those in the box of 20x20, black and white
    permuted: Permuted


def _measure(runs: Runs, dataset: Dataset, fits: Fits) -> Values:
    labels, writers = dataset.test_labels, dataset.test_writers
    read: dict[str, Tensor] = {}  # (seeds, N, classes)
    for name, row in ROWS.items():
        if isinstance(row, Recipe):
            nets = [run.net for run in runs[row.name]]
            read[name] = torch.stack([scores(net, dataset.test_images).double() for net in nets])
        elif isinstance(row, Fit):
            read[name] = fits[row.name].scores[None]
        else:
            nets = [run.net for run in runs[ROWS[BASE].name]]  # type: ignore[union-attr]
            read[name] = torch.stack([_on_states(row.fit, net, dataset) for net in nets])
    wrong = {name: of.argmax(2) != labels for name, of in read.items()}
    rows = {name: _of_row(read[name], wrong[name], writers) for name in ROWS}
    others = (name for name in rows if name != BOOSTED)
    next_best = min(others, key=lambda name: rows[name].errors.mean)

    def percent(fit: Fit) -> float:
        wrong = fits[fit.name].scores.argmax(1) != labels
        return round(100 * wrong.double().mean().item(), 4)

    return Values(
        rows=rows,
        cascade=_cascade([run.net for run in runs["lenet4-boosted"]], dataset, read[BOOSTED]),
        next_best=next_best,
        boosting_gain=_gain(wrong[BOOSTED], wrong[next_best], writers),
        raw_gains={name: _gain(wrong[name], wrong[BASE], writers) for name in _HEADS},
        rejection_gains={
            name: Paired.of(rows[name].rejected.values, rows[BASE].rejected.values)
            for name in _HEADS
        },
        eight_bits={
            name: Spread.of(100 * _misread(_in_bytes(run.net), dataset) for run in runs[row.name])
            for name, row in ROWS.items()
            if isinstance(row, Recipe)
        },
        four_bits={
            "8 bits": rows["K-NN Euclidean, deslanted"].errors.mean,
            "4 bits": percent(_FOUR_BITS),
        },
        one_bit=percent(_ONE_BIT),
        permuted=_permuted(dataset),
    )


def _gain(ours: Tensor, others: Tensor, writers: Tensor | None) -> Resampled:
    """Of as many seeds as both have; what has one, as nothing in it is random, serves for each."""
    seeds = max(len(ours), len(others))
    ours, others = (of.expand(seeds, -1) if len(of) == 1 else of for of in (ours, others))
    seeds = min(len(ours), len(others))
    return gain_points(ours[:seeds], others[:seeds], writers)


def _of_row(read: Tensor, wrong: Tensor, writers: Tensor | None) -> OfRow:
    lead = certainty.difference(read)
    rejected = (
        rejected_percent(sure, ~of_seed, TARGET_PERCENT)
        for sure, of_seed in zip(lead, wrong, strict=True)
    )
    return OfRow(
        errors=Spread.of(100 * wrong.double().mean(1)),
        error=error_percent(wrong, writers),
        rejected=Spread.of(rejected),
    )


def _on_states(fit: Fit, net: Network, dataset: Dataset) -> Tensor:
    """What a classifier of LeNet-4's last hidden states scores."""
    below = states_below_the_top(net)
    classifier = fit.build()
    classifier.fit(below(dataset.training_images).numpy(), dataset.training_labels.numpy())
    return torch.from_numpy(classifier.decision_function(below(dataset.test_images).numpy()))


def states_below_the_top(net: Network) -> Callable[[Tensor], Tensor]:
    assert isinstance(net, ChainNetwork)

    @torch.no_grad()
    def of_images(images: Tensor) -> Tensor:
        parts = []
        for some in images.split(500):
            states = net.prepare(some)
            for layer in net.TRAINED_LAYERS[:-1]:
                states = net.through(layer, states)
            parts.append(states.flatten(1))
        return torch.cat(parts)

    return of_images


def _cascade(nets: Sequence[nn.Module], dataset: Dataset, together: Tensor) -> Cascade:
    """The threshold is chosen on the training digits, for the average cost that the paper gives."""
    unsure = (AVERAGE_COST - 1) / 2  # the share for which two more run
    costs, wrong = [], []
    for net, all_three in zip(nets, together, strict=True):
        assert isinstance(net, BoostedLeNet4)
        first = net.networks[0]
        lead = certainty.difference(scores(first, dataset.training_images).double())
        alone = scores(first, dataset.test_images).double()
        doubtful = certainty.difference(alone) < lead.quantile(unsure)
        answers = torch.where(doubtful, all_three.argmax(1), alone.argmax(1))
        costs.append(1 + 2 * doubtful.double().mean().item())
        wrong.append(answers != dataset.test_labels)
    cheap, full = torch.stack(wrong), together.argmax(2) != dataset.test_labels
    return Cascade(
        cost=Spread.of(costs),
        errors=Spread.of(100 * cheap.double().mean(1)),
        difference=gain_points(full, cheap, dataset.test_writers),
    )


def _permuted(dataset: Dataset) -> Permuted:
    labels = dataset.training_labels[:_FEW].numpy()
    answers = []
    for version in ("28x28", "28x28 permuted"):
        few = pixels(dataset.training_images[:_FEW], version)
        machine = _SVM.build().fit(few, labels)
        answers.append(torch.from_numpy(machine.predict(pixels(dataset.test_images, version))))
    errors = [100 * (of != dataset.test_labels).double().mean().item() for of in answers]
    differ = int((answers[0] != answers[1]).sum())
    return Permuted(len(labels), round(errors[0], 4), round(errors[1], 4), differ)


def _in_bytes(net: Network) -> Network:
    """A copy whose parameters have 256 levels, from the least to the greatest of each tensor."""
    net = deepcopy(net)
    with torch.no_grad():
        for parameter in net.parameters():
            low, high = parameter.aminmax()
            step = ((high - low) / (_LEVELS - 1)).clamp(min=1e-12)
            parameter.copy_(low + step * ((parameter - low) / step).round())
    return net


def _misread(net: Network, dataset: Dataset) -> float:
    wrong = scores(net, dataset.test_images).argmax(1) != dataset.test_labels
    return wrong.double().mean().item()


# What is said of it


def _verdict(printed: float, ours: Resampled) -> str:
    """Whether the printed error, with the uncertainty that Fig. 9 quotes, meets our interval."""
    low, high = ours.interval
    if printed + facts.QUOTED_UNCERTAINTY < low:
        return "higher here"
    return "lower here" if printed - facts.QUOTED_UNCERTAINTY > high else "met"


def _present(values: Values, dataset: Dataset) -> Section:
    comparable = dataset.is_comparable
    text = [
        "Section III.C sets LeNet-5 beside other classifiers, on the same digits. Each is fitted "
        "here anew: the networks by LeNet-5's rule, with its steps and rates, all others by "
        "lenet1998.others. What the paper leaves open was chosen on training digits held out. "
        "Intervals are of 95 %, over writers and, where there are several, seeds drawn anew.",
        f"Fig. 10: test digits are rejected, those whose two best scores differ least first, until "
        f"{TARGET_PERCENT} % of the others are misread.",
    ]
    if comparable:
        text.append(
            f"The 5.0 % that the paper prints for K-NN at 28x28 is not met by such digits. It may "
            f"have read others: in a box of 20x20 about the middle of the ink, in black and white, "
            f"they are misread by {values.one_bit:.2f} %. Of several ways to show the digits it is "
            "the one that comes nearest."
        )
    else:
        text.append(not_comparable(dataset))
    shown = ["LeNet-1", BASE, BOOSTED, "Tangent distance", "V-SVM poly 9, distorted"]
    conclusions = [
        Conclusion(
            f"Fig. 9: test error, {name}",
            f"{BARS[name].test_error:g} %",
            f"{values.rows[name].error.in_words()} %",
            _verdict(BARS[name].test_error, values.rows[name].error) if comparable else "",
        )
        for name in shown
    ]
    return Section(
        text=text,
        tables=[_errors_table(values, comparable), _other_table(values)],
        plots=[_errors_plot(values, dataset), _rejections_plot(values, dataset)],
        conclusions=conclusions,
        claims=_claims(values) if comparable else (),
    )


def _errors_table(values: Values, comparable: bool) -> Table:
    columns: dict[str, Callable[[tuple[facts.Bar, OfRow]], str]] = {
        "1998": lambda row: f"{row[0].test_error:g}",
        "here (95 %)": lambda row: row[1].error.in_words(),
        "seeds": lambda row: str(len(row[1].errors.values)),
        "": lambda row: _verdict(row[0].test_error, row[1].error) if comparable else "",
        "rejected, 1998": lambda row: "–" if row[0].rejected is None else f"{row[0].rejected:g}",
        "rejected here": lambda row: row[1].rejected.mean_in_words(1),
    }
    rows = {name: (BARS[name], row) for name, row in values.rows.items()}
    caption = f"Test error (%), and test digits to reject (%) for {TARGET_PERCENT} % error"
    return Table.of(caption, "classifier", rows, columns, spare=("seeds",))


def _other_table(values: Values) -> Table:
    """What else was measured for the claims."""
    rows = [
        (name, f"{values.rows[name].errors.mean:.2f}", f"{at_a_byte.mean:.2f}")
        for name, at_a_byte in values.eight_bits.items()
    ]
    header = ("network", "float32", "a byte for each parameter")
    return Table("Test error (%) when each parameter is rounded to a byte", header, rows)


def _errors_plot(values: Values, dataset: Dataset) -> Plot:
    printed = {name: BARS[name].test_error for name in values.rows}
    ours = {name: row.error.interval for name, row in values.rows.items()}
    means = {name: row.errors.mean for name, row in values.rows.items()}
    what, label = "Fig. 9: test error", "test error (%)"
    figure = bars_figure(what, label, dataset, printed, means, ours)
    caption = "Open: as printed in 1998. Full: here, with the 95 % interval."
    return Plot("fig09", figure, caption)


def _rejections_plot(values: Values, dataset: Dataset) -> Plot:
    rows = {name: row for name, row in values.rows.items() if BARS[name].rejected is not None}
    ours = {name: (row.rejected.least, row.rejected.greatest) for name, row in rows.items()}
    printed = {name: BARS[name].rejected for name in rows}
    means = {name: row.rejected.mean for name, row in rows.items()}
    what, label = "Fig. 10: rejection", f"rejected (%) for {TARGET_PERCENT} % error"
    figure = bars_figure(what, label, dataset, printed, means, ours)
    caption = "Open: as printed in 1998. Full: here, from the least to the greatest seed."
    return Plot("fig10-classifiers", figure, caption)


def bars_figure(
    what: str,
    label: str,
    dataset: Dataset,
    printed: Mapping[str, float | None],
    ours: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]] | None = None,
    *,
    log: bool = False,
) -> Figure:
    """Two bars for each classifier, in the paper's order; printed ones on the paper's digits."""
    figure, axes = plots.plot(what, dataset.name, plots.row_height(len(ours)))
    places = range(len(ours))
    if dataset.is_comparable:
        widths = [printed[name] or 0 for name in ours]
        axes.barh(
            [at - 0.19 for at in places], widths, 0.34, fc="none", ec=plots.QUIET, label="1998"
        )
    axes.barh(
        [at + 0.19 for at in places], list(ours.values()), 0.34, color=plots.BLUE, label="here"
    )
    if intervals is not None:
        low, high = zip(*intervals.values(), strict=True)
        axes.hlines([at + 0.19 for at in places], low, high, plots.TEXT, linewidth=1.2)
    axes.set_yticks(places, list(ours), fontsize=8)
    axes.set(ylim=(len(ours) - 0.4, -0.6), xlabel=label, axisbelow=True)
    if log:
        axes.set_xscale("log")
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def _claims(values: Values) -> list[Claim]:
    verdicts = [_verdict(BARS[name].test_error, row.error) for name, row in values.rows.items()]
    met, lower, higher = (verdicts.count(word) for word in ("met", "lower here", "higher here"))
    raw = {name: gain.p is not None and gain.p < 0.05 for name, gain in values.raw_gains.items()}
    rejects = {name: gain.verdict for name, gain in values.rejection_gains.items()}
    no_better = not any(raw.values())
    fewer = [verdict == "worse" for verdict in rejects.values()]  # LeNet-4's own share is larger
    best, gain = values.next_best, values.boosting_gain
    cascade = values.cascade
    beats = gain.mean > 0 and gain.p is not None and gain.p < 0.05
    bytes_cost = [of.mean - values.rows[name].errors.mean for name, of in values.eight_bits.items()]
    four = values.four_bits["4 bits"] - values.four_bits["8 bits"]
    permuted = values.permuted
    return [
        Claim(
            24,
            f"of {len(verdicts)} errors in Fig. 9 {met} are met within {facts.QUOTED_UNCERTAINTY} "
            f"points and our interval, {lower} are lower here, {higher} higher",
            "yes" if met == len(verdicts) else "in part",
        ),
        Claim(
            26,
            "; ".join(
                f"{name}: {-values.raw_gains[name].mean:+.2f} points of error, "
                f"{-values.rejection_gains[name].mean:+.2f} of rejection "
                f"({_turned(values.rejection_gains[name])})"
                for name in _HEADS
            ),
            "yes" if no_better and all(fewer) else "in part" if no_better or any(fewer) else "no",
        ),
        Claim(
            27,
            f"{values.rows[BOOSTED].errors.in_words()}, {gain.mean:+.2f} points better than "
            f"{best}; at an average cost of {cascade.cost.mean:.2f} networks "
            f"{cascade.errors.mean_in_words()} %",
            "yes" if beats else "in part" if gain.mean > 0 else "not here",
        ),
        Claim(
            28,
            f"a byte for each parameter changes the networks' errors by {min(bytes_cost):+.2f} to "
            f"{max(bytes_cost):+.2f} points; 4 bits a pixel the neighbours' by {four:+.2f}",
            "yes" if max(bytes_cost) < 0.1 and four < 0.1 else "in part",
        ),
        Claim(
            29,
            f"{permuted.permuted:.2f} % with the pixels permuted, {permuted.error:.2f} % without, "
            f"learnt from {permuted.patterns:,} digits; {permuted.differ} answers differ",
            "yes" if abs(permuted.permuted - permuted.error) < 0.05 else "no",
        ),
    ]


def _turned(gain: Paired) -> str:
    """The interval of the rejection that a head saves, as what it adds."""
    if gain.interval is None:
        return "one seed"
    low, high = gain.interval
    return f"{-high:+.2f} to {-low:+.2f}"


FIG09: Experiment[Values] = Experiment(
    name="fig09",
    title="Figs. 9 and 10: every classifier of the paper",
    recipes=RECIPES,
    fits=(*FITS, _FOUR_BITS, _ONE_BIT),
    values=Values,
    measure=_measure,
    present=_present,
    seeds=5,
    most_seeds=_WIDE,
)
