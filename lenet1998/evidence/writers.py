"""How sure the errors are: who wrote the test digits, and what other writers would change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.writers import by_series
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.learning.presets import preset
from lenet1998.measures.answers import misread, wilson_interval
from lenet1998.measures.spread import Paired, Spread
from lenet1998.measures.writers import RESAMPLES, Resampled, error_percent, gain_points
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table

PLAIN, DISTORTED = RECIPES = ("paper", "paper-distorted")
ALL = "all"
_PRINTED = {PLAIN: facts.TEST_ERROR, DISTORTED: facts.TEST_ERROR_DISTORTED}


@dataclass(frozen=True)
class Group:
    """Test digits, all or those of one series, and how they are misread."""

    digits: int
    writers: int | None  # None where they are not known: then digits are drawn in their place
    errors: dict[str, Spread]  # in percent, of each recipe's seeds
    resampled: dict[str, Resampled]  # their means, over writers and seeds
    gain: Resampled  # of distorted patterns, in points, likewise

    @property
    def gain_by_seeds(self) -> Paired:
        """The same gain, with chance in the seeds alone."""
        return Paired.of(self.errors[DISTORTED].values, self.errors[PLAIN].values)

    def binomial(self, recipe: str) -> tuple[float, float]:
        """The interval of a recipe's mean error from the number of digits alone."""
        return wilson_interval(round(self.errors[recipe].mean / 100 * self.digits), self.digits)


@dataclass(frozen=True)
class Values:
    """What was measured of all test digits and, where the writers are known, by series."""

    groups: dict[str, Group]


def _measure(runs: Runs, dataset: Dataset) -> Values:
    images, labels, writers = dataset.test_images, dataset.test_labels, dataset.test_writers
    wrong = {
        name: torch.stack([misread(run.net, images, labels) for run in runs[name]])
        for name in RECIPES
    }
    groups = {ALL: _group(wrong, writers)}
    for series, its in ({} if writers is None else by_series(writers)).items():
        if writers is not None and its.any():
            of_series = {name: of_recipe[:, its] for name, of_recipe in wrong.items()}
            groups[series] = _group(of_series, writers[its])
    return Values(groups)


def _group(wrong: Mapping[str, Tensor], writers: Tensor | None) -> Group:
    return Group(
        digits=wrong[PLAIN].shape[1],
        writers=None if writers is None else len(writers.unique()),
        errors={name: Spread.of(100 * of.double().mean(1)) for name, of in wrong.items()},
        resampled={name: error_percent(of, writers) for name, of in wrong.items()},
        gain=gain_points(wrong[DISTORTED], wrong[PLAIN], writers),
    )


def _present(values: Values, dataset: Dataset) -> Section:
    everything = values.groups[ALL]
    drawn = "digits" if everything.writers is None else "writers, each with all of their digits,"
    text = [
        "Other test digits of the same kind would give other errors, and so would other seeds. The "
        "interval from the number of digits alone takes each digit for a trial of its own; but "
        "those of one hand are misread together. Not in the paper, which names about 0.1 %: "
        f"{drawn} and seeds are drawn anew, with replacement, {RESAMPLES:,} times."
    ]
    claims, conclusions = [], []
    if dataset.is_comparable:
        text.append(_who_wrote(dataset))
        claims = [_claim(values)]
        conclusions = _conclusions(everything)
    else:
        text.append(not_comparable(dataset))
    return Section(
        text=text,
        tables=[_errors(values), _gains(values)],
        plots=[_plot(values, dataset)],
        conclusions=conclusions,
        claims=claims,
    )


def _who_wrote(dataset: Dataset) -> str:
    assert dataset.test_writers is not None
    students = by_series(dataset.test_writers)["students"]
    first = int(students.int().argmin())  # the first that is not a student's
    assert not students[first:].any()
    return (
        "Yadav and Bottou (2019) found NIST's writer of each digit of MNIST. Its first "
        f"{first:,} test digits are high-school students' (SD-1), the other "
        f"{len(students) - first:,} Census employees' (SD-3): what is measured on the first few "
        "thousand alone is measured on the harder half."
    )


def _claim(values: Values) -> Claim:
    easy, hard = values.groups["employees"], values.groups["students"]
    low, high = (group.resampled[PLAIN] for group in (easy, hard))
    measured = (
        f"error of {PLAIN}: {low.in_words()} % on the employees' digits, {high.in_words()} % on "
        f"the students' ({easy.errors[PLAIN].seeds}; 95 % over writers and seeds)"
    )
    if low.interval[1] < high.interval[0]:
        return Claim(16, measured, "yes")
    return Claim(16, measured, "no" if high.mean <= low.mean else "not shown")


def _conclusions(everything: Group) -> list[Conclusion]:
    lines = []
    for name, printed in _PRINTED.items():
        ours = everything.resampled[name]
        is_within = ours.interval[0] <= printed <= ours.interval[1]
        what = f"test error of {name}, %, 95 % over writers and seeds"
        verdict = f"{'within' if is_within else 'outside'} the interval"
        lines.append(Conclusion(what, f"{printed}", ours.in_words(), verdict))
    gain = everything.gain
    verdict = "gains" if gain.interval[0] > 0 else "loses" if gain.interval[1] < 0 else "not shown"
    what = "gain of distorted patterns, points, 95 % over writers and seeds"
    of_1998 = f"{facts.TEST_ERROR - facts.TEST_ERROR_DISTORTED:.2f}"
    shown = "{:.2f} ({:+.2f} to {:+.2f})".format(gain.mean, *gain.interval)
    return [*lines, Conclusion(what, of_1998, shown, verdict)]


def _title(name: str, group: Group) -> str:
    people = "" if group.writers is None else f" of {group.writers} writers"
    return f"{name}: {group.digits:,}{people}"


def _errors(values: Values) -> Table:
    rows = [
        (
            _title(name, group),
            recipe,
            group.errors[recipe].mean_in_words(),
            group.errors[recipe].range_in_words(),
            "{:.2f}–{:.2f}".format(*group.binomial(recipe)),
            "{:.2f}–{:.2f}".format(*group.resampled[recipe].interval),
        )
        for name, group in values.groups.items()
        for recipe in RECIPES
    ]
    caption = "Test errors in percent, and their 95 % intervals"
    header = ("digits", "recipe", "mean", "seeds", "digits alone", "writers and seeds")
    return Table(caption, header, rows)


def _gains(values: Values) -> Table:
    columns = {
        "gain": lambda group: f"{group.gain.mean:+.3f}",
        "seeds alone": lambda group: group.gain_by_seeds.interval_in_words(3),
        "p, seeds": lambda group: (
            "–" if group.gain_by_seeds.p is None else f"{group.gain_by_seeds.p:.2g}"
        ),
        "writers and seeds": lambda group: "{:+.3f} to {:+.3f}".format(*group.gain.interval),
        "p, both": lambda group: f"{group.gain.p:.2g}",
    }
    caption = "What distorted patterns gain, in points, seed by seed, and its 95 % intervals"
    rows = {_title(name, group): group for name, group in values.groups.items()}
    return Table.of(caption, "digits", rows, columns)


def _plot(values: Values, dataset: Dataset) -> Plot:
    rows = {
        f"{name}\n{recipe}": group.errors[recipe].values
        for name, group in values.groups.items()
        for recipe in RECIPES
    }
    figure, axes = plots.plot("Errors by who wrote", dataset.name, 0.7 + 0.5 * len(rows))
    plots.dots(axes, rows, (plots.RED, plots.BLUE))
    bounds = [
        group.resampled[recipe].interval for group in values.groups.values() for recipe in RECIPES
    ]
    for place, interval in enumerate(bounds):
        axes.plot(interval, (place, place), color=plots.QUIET, linewidth=1, zorder=1)
    axes.set(xlabel="test error (%)", xlim=(0, None))
    caption = "Circles: the seeds; line: 95 % over writers and seeds."
    return Plot("writers", figure, caption)


WRITERS = Experiment(
    name="writers",
    title="How sure: who wrote the digits",
    recipes=[preset(name) for name in RECIPES],
    values=Values,
    measure=_measure,
    present=_present,
    seeds=6,
)
