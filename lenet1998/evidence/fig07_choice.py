"""What decides the gain of distorted patterns: tried on digits held out of the training set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean

from lenet1998.data import Dataset, Distortions
from lenet1998.evidence.experiment import schedule_in_words
from lenet1998.evidence.trials import Trials, dots_plot, experiment
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import PRINTED_SCHEDULE, Recipe
from lenet1998.measures.spread import Paired
from lenet1998.report.sections import Conclusion, Section, Table

_SLOW = ((1, 5e-4), (3, 2e-4), (8, 1e-4), (13, 5e-5), (18, 1e-5))  # all but the first two longer
_GENTLE = preset("paper-distorted").schedule  # a lower start than printed, and a slower fall
_RATES = {"printed": PRINTED_SCHEDULE, "slow": _SLOW, "gentle": _GENTLE}

_MEASURED = Distortions()
# Fig. 7's squeeze and shear, but a third of its scales and a quarter of its translations.
_NARROW = Distortions(inverse_scale=(0.9, 1.12), translation=0.5)
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
    rates: str
    originals: str = "1 in 10"
    interpolation: str = "bilinear"  # between pixels

    @property
    def name(self) -> str:
        if self.ranges == "none":
            return "paper" if self.rates == "printed" else f"plain-{self.rates}"
        name = f"{self.ranges}-{self.rates}-{_COPIES[self.originals]}"
        return name if self.interpolation == "bilinear" else f"{name}-{self.interpolation}"

    @property
    def recipe(self) -> Recipe:
        copies, rates = _COPIES[self.originals], _RATES[self.rates]
        ranges = replace(_RANGES[self.ranges], interpolation=self.interpolation)
        return Recipe(self.name, schedule=rates, distorted_copies=copies, distortions=ranges)


_PLAIN = Trial("none", "printed", "all")

TRIALS = (
    Trial("none", "slow", "all"),
    Trial("none", "gentle", "all"),
    Trial("narrow", "printed"),
    Trial("narrow", "slow"),
    Trial("narrow", "slow", "1 in 2"),
    Trial("narrow", "gentle"),
    Trial("quarter", "printed"),
    Trial("half", "printed"),
    Trial("half", "slow"),
    Trial("half", "gentle"),
    Trial("half", "gentle", "1 in 2"),
    Trial("half", "gentle", interpolation="nearest"),
    Trial("half", "gentle", interpolation="bicubic"),
    Trial("measured", "printed"),
    Trial("measured", "slow"),
    Trial("measured", "gentle"),
)
"""What was tried on held-out digits for the recipe `paper-distorted`."""

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
        ("ranges", "half", "narrow"),
        ("originals", "1 in 10", "1 in 2"),
        ("interpolation", "bilinear", "nearest"),
        ("interpolation", "bilinear", "bicubic"),
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


def _present(trials: Trials, dataset: Dataset) -> Section:
    plain, tried = trials.paper.errors, trials.tried
    distorted = (trial for trial in TRIALS if trial.ranges != "none")
    best = min(distorted, key=lambda trial: tried[trial.name].errors.mean)
    text = [
        "Trained without the digits held out of the training set, and measured on them; the test "
        "set has no part in this choice. Ranges: those measured from Fig. 7, a half and a quarter "
        f"of them, and narrow ones (1/s from {_NARROW.inverse_scale[0]} to "
        f"{_NARROW.inverse_scale[1]}, shift to {_NARROW.translation} pixels, squeeze and shear as "
        f"measured). Rates: as printed; slow: {schedule_in_words(_SLOW)}; or gentle: "
        f"{schedule_in_words(_GENTLE)}. Interpolation: bilinear reproduces Fig. 7, to about one "
        "grey value.",
        f"Least error held out, of those with distortions: {best.ranges} ranges, {best.rates} "
        f"rates, {best.originals} an original, {best.interpolation}: "
        f"{tried[best.name].errors.in_words()}, against {plain.in_words()} without distortions.",
    ]
    changes = {change: gain(change, trials) for change in CHANGES}
    beyond = "; ".join(
        f"{change} ({'better' if gained.mean > 0 else 'worse'})"
        for change, (_, _, gained) in changes.items()
        if gained.is_beyond_chance
    )
    if len(plain.values) > 1:
        text.append(
            "One change at a time, seed by seed, means over the ways to distort that differ by "
            f"nothing else. Beyond chance (95 %): {beyond or 'none'}. What is not may still be "
            "real, but smaller than these seeds show."
        )
    rows = []
    for trial in (_PLAIN, *TRIALS):
        of_trial = tried[trial.name]
        between = "–" if trial.ranges == "none" else trial.interpolation
        errors = (f"{of_trial.errors.mean:.2f}", of_trial.errors.range_in_words())
        others = (f"{of_trial.online[-1]:.2f}", f"{0.0 - of_trial.cost.mean:+.2f}")
        rows.append((trial.ranges, trial.rates, trial.originals, between, *errors, *others))
    header = (
        *("ranges", "rates", "originals", "interpolation", "validation error, %", "seeds"),
        *("training, %", "gain, points"),
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
WHAT_DECIDES = experiment("fig07-choice", _TITLE, _RECIPES, _present, validation=True)
