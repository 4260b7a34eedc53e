"""What decides the gain of distorted patterns: tried on digits held out of the training set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean

from lenet1998.data import Dataset, Distortions
from lenet1998.evidence.experiment import schedule_in_words
from lenet1998.evidence.trials import Trials, dots_plot, experiment
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import PRINTED_SCHEDULE, Recipe
from lenet1998.measures.spread import Paired, holm
from lenet1998.report.sections import Conclusion, Section, Table

_GENTLE = preset("paper-distorted-gentle").schedule
_RATES = {"printed": PRINTED_SCHEDULE, "gentle": _GENTLE}

_MEASURED = Distortions()
_NARROW = preset("paper-distorted-narrow").distortions
_RANGES = {
    "none": _MEASURED,
    "measured": _MEASURED,
    "half": _MEASURED.narrowed(0.5),
    "quarter": _MEASURED.narrowed(0.25),
    "narrow": _NARROW,
}
_COPIES = {"all": 0, "1 in 10": 9, "1 in 2": 1}


@dataclass(frozen=True)
class Trial:
    """One way to distort, in words."""

    ranges: str
    rates: str = "printed"
    originals: str = "1 in 10"
    interpolation: str = "bilinear"  # between pixels
    drawn: str = "once"  # or `"anew"`, whenever a pattern's turn comes
    order: str = "constant"  # or `"reshuffled"`, once all have been seen

    @property
    def name(self) -> str:
        if self.ranges == "none":
            return "paper" if self.rates == "printed" else f"plain-{self.rates}"
        name = f"{self.ranges}-{self.rates}-{_COPIES[self.originals]}"
        name += "-fresh" if self.drawn == "anew" else ""
        name += f"-{self.order}" if self.order != "constant" else ""
        return name if self.interpolation == "bilinear" else f"{name}-{self.interpolation}"

    @property
    def is_as_printed(self) -> bool:
        """Whether the paper allows it: its rates, a constant order, and one original in ten."""
        as_printed = (self.rates, self.originals, self.order) == ("printed", "1 in 10", "constant")
        return as_printed and self.drawn == "once"

    @property
    def recipe(self) -> Recipe:
        return Recipe(
            self.name,
            schedule=_RATES[self.rates],
            distorted_copies=_COPIES[self.originals],
            distortions=replace(_RANGES[self.ranges], interpolation=self.interpolation),
            fresh=self.drawn == "anew",
            order=self.order,
        )


_PLAIN = Trial("none", originals="all")

TRIALS = (
    Trial("none", "gentle", "all"),
    Trial("measured"),
    Trial("half"),
    Trial("quarter"),
    Trial("narrow"),
    Trial("half", interpolation="nearest"),
    Trial("half", interpolation="bicubic"),
    Trial("half", drawn="anew"),
    Trial("half", order="reshuffled"),
    Trial("half", originals="1 in 2"),
    Trial("measured", "gentle"),
    Trial("half", "gentle"),
    Trial("narrow", "gentle"),
)
"""What was tried on held-out digits for the recipes with distortions."""

CHANGES = {
    f"{choice}, {before} to {after}": [
        (trial, changed)
        for trial in TRIALS
        if getattr(trial, choice) == before
        and (changed := replace(trial, **{choice: after})) in TRIALS
    ]
    for choice, before, after in (
        ("rates", "printed", "gentle"),
        ("ranges", "measured", "half"),
        ("ranges", "half", "quarter"),
        ("ranges", "half", "narrow"),
        ("originals", "1 in 10", "1 in 2"),
        ("interpolation", "bilinear", "nearest"),
        ("interpolation", "bilinear", "bicubic"),
        ("drawn", "once", "anew"),
        ("order", "constant", "reshuffled"),
    )
}
"""What one change does, as pairs of trials that differ by nothing else."""


def gain(change: str, trials: Trials) -> tuple[float, float, Paired]:
    """What a change does: mean errors before and after it, and how much lower, seed by seed."""

    def errors(side: int) -> list[float]:
        of_trials = (trials.tried[pair[side].name].errors.values for pair in CHANGES[change])
        return [fmean(of_seed) for of_seed in zip(*of_trials, strict=True)]

    before, after = errors(0), errors(1)
    return fmean(before), fmean(after), Paired.of(after, before)


NOT_TOLD_APART = 0.1
"""Points between two means of a few seeds that mean nothing: one seed's deviation."""

AS_PRINTED = [trial for trial in TRIALS if trial.is_as_printed]
"""Those that the paper's words allow. Of the bilinear ones `paper-distorted` is the widest that is
not told apart from the best."""


def best_of(trials: Trials, some: Iterable[Trial]) -> Trial:
    """Of the trials with distortions that of least error held out."""
    distorted = (trial for trial in some if trial.ranges != "none")
    return min(distorted, key=lambda trial: trials.tried[trial.name].errors.mean)


def _in_words(trial: Trial) -> str:
    return (
        f"{trial.ranges} ranges, {trial.rates} rates, {trial.originals} an original, "
        f"{trial.interpolation}, drawn {trial.drawn}, order {trial.order}"
    )


def _present(trials: Trials, dataset: Dataset) -> Section:
    plain, tried = trials.paper.errors, trials.tried
    best, allowed = best_of(trials, TRIALS), best_of(trials, AS_PRINTED)
    text = [
        "Trained without the digits held out of the training set, and measured on them; the test "
        "set has no part in this choice. Ranges: those measured from Fig. 7, a half and a quarter "
        f"of them, and narrow ones (1/s from {_NARROW.inverse_scale[0]} to "
        f"{_NARROW.inverse_scale[1]}, shift to {_NARROW.translation} pixels, squeeze and shear as "
        f"measured). Rates: as printed; or gentle: {schedule_in_words(_GENTLE)}. Interpolation: "
        "bilinear reproduces Fig. 7, to about one grey value.",
        "The paper says: 540,000 distorted patterns beside 60,000 originals, each seen about "
        "twice, and the same training parameters as without. Of what that allows, "
        f"{_in_words(allowed)} had the least error held out, "
        f"{tried[allowed.name].errors.in_words()}, against {plain.in_words()} without distortions. "
        f"Of all with distortions, {_in_words(best)}: {tried[best.name].errors.in_words()}.",
    ]
    changes = {change: gain(change, trials) for change in CHANGES}
    corrected = holm([1.0 if gained.p is None else gained.p for _, _, gained in changes.values()])
    beyond = "; ".join(
        f"{change} ({'better' if gained.mean > 0 else 'worse'})"
        for (change, (_, _, gained)), p in zip(changes.items(), corrected, strict=True)
        if p < 0.05
    )
    if len(plain.values) > 1:
        text.append(
            "One change at a time, seed by seed, means over the ways to distort that differ by "
            "nothing else. Beyond chance (5 %, Holm's correction for all changes): "
            f"{beyond or 'none'}. What is not may still be real, but smaller than these seeds show."
        )
    rows = []
    for trial in (_PLAIN, *TRIALS):
        of_trial, plain_ones = tried[trial.name], trial.ranges == "none"
        choices = ("–",) * 3 if plain_ones else (trial.interpolation, trial.drawn, trial.order)
        errors = (f"{of_trial.errors.mean:.2f}", of_trial.errors.range_in_words())
        gained = "–" if trial is _PLAIN else of_trial.gain_in_words
        allows = "yes" if trial.is_as_printed else "–" if plain_ones else "no"
        rows.append((trial.ranges, trial.rates, trial.originals, *choices, *errors, gained, allows))
    header = (
        *("ranges", "rates", "originals", "interpolation", "drawn", "order"),
        *("validation error, %", "seeds", "gain, points", "as printed?"),
    )
    columns = {
        "before, %": lambda change: f"{change[0]:.2f}",
        "after, %": lambda change: f"{change[1]:.2f}",
        "gain, points": lambda change: f"{change[2].mean:+.2f}",
        "95 % interval": lambda change: change[2].interval_in_words(),
    }
    of_changes = Table.of("What one change gains", "change", changes, columns)
    shown = {"no distortions": trials.paper, **{trial.name: tried[trial.name] for trial in TRIALS}}
    ranked = dict(sorted(shown.items(), key=lambda row: row[1].errors.mean))
    caption = "Ranges, rates, copies of each original, interpolation. Dotted: none, printed rates."
    plot = dots_plot("fig07-choice", "Ways to distort", ranked, trials, dataset, caption)
    what = f"of {len(CHANGES)} changes to the distortions, told from chance on digits held out"
    tables = [Table("Ways to distort", header, rows), of_changes]
    conclusions = [Conclusion(what, "–", beyond or "none")]
    return Section(text=text, tables=tables, plots=[plot], conclusions=conclusions)


_TITLE = "What decides the gain of distorted patterns"
_RECIPES = [trial.recipe for trial in TRIALS]
WHAT_DECIDES = experiment("fig07-choice", _TITLE, _RECIPES, _present, seeds=3, validation=True)
