"""What happens after the paper's 20 passes, and what few patterns give in as many updates."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev

from lenet1998.data import Dataset
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import PASSES, Experiment, Runs, schedule_in_words
from lenet1998.evidence.fig05 import Curves
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import PRINTED_SCHEDULE
from lenet1998.measures.spread import Paired
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Plot, Section, Table

_TIMES = 4  # fewer patterns, and more passes


def _present(curves: Curves, dataset: Dataset) -> Section:
    passes, test = curves.passes, curves.test.after
    early, late = min(PASSES, passes // 2), passes
    change = Paired.of(test[early - 1].values, test[late - 1].values)
    moves = [stdev(errors[early - 1 :]) for errors in curves.test.curves]
    measured = (
        f"test error {test[early - 1].mean_in_words()} % after {early} passes, "
        f"{test[late - 1].in_words()} after {late}: {change.mean:+.2f} points "
        f"({change.interval_in_words()}); between passes it moves by {fmean(moves):.3f} (one "
        "standard deviation)"
    )
    text = [
        f"The recipe 'paper', its last rate kept for {passes} passes. The paper sees no "
        "over-training in its 20, and offers a reason: the rate was kept large, so the weights "
        "oscillate instead of settling in the minimum.",
        f"On {dataset.name}: {measured}. Training error on line in the last pass: "
        f"{curves.online_training.last.mean_in_words()} %.",
    ]
    figure, axes = plots.plot("Longer learning", dataset.name, height=3.4)
    for errors, colour, label in (
        (curves.test, plots.RED, "test"),
        (curves.online_training, plots.BLUE, "training, on line"),
    ):
        plots.band(axes, range(1, passes + 1), errors.curves, colour, label)
    plots.whole_passes(axes)
    plots.log_percent(axes.yaxis)
    axes.set_ylabel("error (%)")
    axes.legend(frameon=False, fontsize=9)
    caption = "Test and on-line training error: means of the seeds, bands from lowest to highest."
    verdict = "yes" if change.verdict != "worse" else "not here"
    claims = [Claim(19, measured, verdict)] if dataset.is_comparable and change.verdict else []
    return Section("", text, plots=[Plot("longer", figure, caption)], claims=claims)


LONGER_PLAIN = Experiment(
    name="longer",
    title="After the 20 passes",
    recipes=(preset("paper"),),
    values=Curves,
    measure=lambda runs, dataset: Curves.of(runs["paper"]),
    present=_present,
    seeds=3,
    passes=60,
)


@dataclass(frozen=True)
class EqualUpdates:
    """A quarter of the patterns, each seen four times as often."""

    patterns: int
    curves: Curves


def equal_updates(patterns: int) -> Experiment[EqualUpdates]:
    """Learning from a quarter of so many patterns in as many updates as Fig. 5's runs take."""
    few = patterns // _TIMES
    schedule = tuple((_TIMES * (first - 1) + 1, eta) for first, eta in PRINTED_SCHEDULE)
    name = f"paper-{few}-equal-updates"
    recipe = preset("paper", name=name, training_patterns=few, schedule=schedule)

    def measure(runs: Runs, dataset: Dataset) -> EqualUpdates:
        return EqualUpdates(few, Curves.of(runs[name]))

    def present(values: EqualUpdates, dataset: Dataset) -> Section:
        curves, passes = values.curves, values.curves.passes
        text = (
            f"Fig. 6 does not say how long the smaller sets were learnt from. Here {few:,} "
            f"patterns, other ones for each seed, for {passes} passes: as many updates as "
            f"{PASSES} passes of all of them ({schedule_in_words(schedule)}). On {dataset.name}."
        )
        of_1998 = {at.patterns: at for at in facts.size_points() if not at.distorted}.get(few)
        rows = [
            (
                kind,
                "–" if of_1998 is None else f"{getattr(of_1998, kind):.2f}",
                errors.mean_in_words(),
                errors.range_in_words(),
            )
            for kind, errors in (
                ("test", curves.test.last),
                ("training", curves.online_training.last),
            )
        ]
        table = Table("Errors in percent after the last pass", ("", "1998", "here", "seeds"), rows)
        measured = (
            f"{few:,} patterns at equal updates: test {curves.test.last.in_words()}, training "
            f"{curves.online_training.last.mean_in_words()} %"
        )
        above = curves.test.last.least > facts.TEST_ERROR
        claims = [Claim(21, measured, "yes" if above else "not shown")]
        return Section("", [text], [table], claims=claims if dataset.is_comparable else ())

    title = "Fig. 6, at equal updates"
    return Experiment(
        "fig06-equal",
        title,
        [recipe],
        EqualUpdates,
        measure,
        present,
        seeds=3,
        passes=_TIMES * PASSES,
    )
