"""What decides the gain of distorted patterns: tried on digits held out of the training set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from statistics import fmean

from lenet1998.data import Dataset, Distortions
from lenet1998.evidence.chance import interval_in_words, is_beyond_chance, paired
from lenet1998.evidence.experiment import (
    Experiment,
    Runs,
    Section,
    Table,
    Values,
    in_words,
    last_errors,
    last_training_error,
    range_in_words,
    schedule_in_words,
    spread,
)
from lenet1998.learning.recipe import PRINTED_SCHEDULE, Recipe, preset

SLOW_SCHEDULE = ((1, 5e-4), (3, 2e-4), (8, 1e-4), (13, 5e-5), (18, 1e-5))
"""The printed rates, each but the first two for longer."""

GENTLE_SCHEDULE = ((1, 3e-4), (5, 2e-4), (10, 1e-4), (15, 5e-5), (18, 1e-5))
"""A lower start than printed, and a slower fall."""

MEASURED = Distortions()
NARROW = Distortions(inverse_scale=(0.9, 1.12), translation=0.5)
"""Fig. 7's squeeze and shear, but a third of its scales and a quarter of its translations."""


@dataclass(frozen=True)
class Trial:
    """One way to distort, in words and as a recipe."""

    ranges: str
    rates: str
    originals: str
    recipe: Recipe

    @property
    def interpolation(self) -> str:
        return self.recipe.distortions.interpolation if self.recipe.distorted_copies else "–"


def _trials() -> Iterator[Trial]:
    ranges = {
        "measured": MEASURED,
        "half": MEASURED.narrowed(0.5),
        "quarter": MEASURED.narrowed(0.25),
        "narrow": NARROW,
    }
    rates = {"printed": PRINTED_SCHEDULE, "slow": SLOW_SCHEDULE, "gentle": GENTLE_SCHEDULE}
    originals = {9: "1 in 10", 1: "1 in 2"}
    for of_rates in ("slow", "gentle"):
        recipe = preset("paper", name=f"plain-{of_rates}", schedule=rates[of_rates])
        yield Trial("none", of_rates, "all", recipe)
    for of_ranges, of_rates, copies, interpolation in (
        ("narrow", "printed", 9, "bilinear"),
        ("narrow", "slow", 9, "bilinear"),
        ("narrow", "slow", 1, "bilinear"),
        ("narrow", "gentle", 9, "bilinear"),
        ("quarter", "printed", 9, "bilinear"),
        ("half", "printed", 9, "bilinear"),
        ("half", "slow", 9, "bilinear"),
        ("half", "gentle", 9, "bilinear"),
        ("half", "gentle", 1, "bilinear"),
        ("half", "gentle", 9, "nearest"),
        ("half", "gentle", 9, "bicubic"),
        ("measured", "printed", 9, "bilinear"),
        ("measured", "slow", 9, "bilinear"),
        ("measured", "gentle", 9, "bilinear"),
    ):
        name = f"{of_ranges}-{of_rates}-{copies}"
        recipe = preset(
            "paper",
            name=name if interpolation == "bilinear" else f"{name}-{interpolation}",
            distorted_copies=copies,
            distortions=replace(ranges[of_ranges], interpolation=interpolation),
            schedule=rates[of_rates],
        )
        yield Trial(of_ranges, of_rates, originals[copies], recipe)


TRIALS = tuple(_trials())
"""What was tried on held-out digits for the recipe `paper-distorted`."""


CHANGES = {
    "rates, printed to gentle": [
        (f"{ranges}-printed-9", f"{ranges}-gentle-9") for ranges in ("measured", "half", "narrow")
    ],
    "ranges, measured to half": [
        (f"measured-{rates}-9", f"half-{rates}-9") for rates in ("printed", "slow", "gentle")
    ],
    "ranges, half to narrow": [
        (f"half-{rates}-9", f"narrow-{rates}-9") for rates in ("printed", "slow", "gentle")
    ],
    "originals, 1 in 10 to 1 in 2": [
        ("narrow-slow-9", "narrow-slow-1"),
        ("half-gentle-9", "half-gentle-1"),
    ],
    "interpolation, bilinear to nearest": [("half-gentle-9", "half-gentle-9-nearest")],
    "interpolation, bilinear to bicubic": [("half-gentle-9", "half-gentle-9-bicubic")],
}
"""What one change does, as pairs of trials that differ by nothing else."""


def _measure(runs: Runs, dataset: Dataset) -> Values:
    plain = last_errors(runs, "paper")
    errors = {trial.recipe.name: last_errors(runs, trial.recipe.name) for trial in TRIALS}

    def of_seeds(names: Iterable[str]) -> list[float]:
        return [fmean(seed) for seed in zip(*(errors[name] for name in names), strict=True)]

    changes = {}
    for change, pairs in CHANGES.items():
        before = of_seeds(one for one, _ in pairs)
        after = of_seeds(other for _, other in pairs)
        changes[change] = {
            "before": round(fmean(before), 4),
            "after": round(fmean(after), 4),
            "gain": paired(after, before),
        }
    return {
        "plain": spread(plain),
        "plain_training_percent": last_training_error(runs, "paper"),
        "trials": {
            name: {
                "validation": spread(ours),
                "online_training_error_percent": last_training_error(runs, name),
                "gain": paired(ours, plain),
            }
            for name, ours in errors.items()
        },
        "changes": changes,
    }


def _present(values: Values, dataset: Dataset) -> Section:
    plain, trials, changes = values["plain"], values["trials"], values["changes"]
    best = min(
        (trial for trial in TRIALS if trial.recipe.distorted_copies),
        key=lambda trial: float(trials[trial.recipe.name]["validation"]["mean"]),
    )
    text = [
        "Trained without the digits held out of the training set, and measured on them; the test "
        "set has no part in this choice. Ranges: those measured from Fig. 7, a half and a quarter "
        f"of them, and narrow ones (1/s from {NARROW.inverse_scale[0]} to "
        f"{NARROW.inverse_scale[1]}, shift to {NARROW.translation} pixels, squeeze and shear as "
        f"measured). Rates: as printed; slow: {schedule_in_words(SLOW_SCHEDULE)}; or gentle: "
        f"{schedule_in_words(GENTLE_SCHEDULE)}. Interpolation: bilinear reproduces Fig. 7, to "
        "about one grey value.",
        f"Least error held out, of those with distortions: {best.ranges} ranges, {best.rates} "
        f"rates, {best.originals} an original, {best.interpolation}: "
        f"{in_words(trials[best.recipe.name]['validation'])}, against {in_words(plain)} without "
        "distortions.",
    ]
    if len(plain["values"]) > 1:
        beyond = [
            f"{change} ({'better' if found['gain']['mean'] > 0 else 'worse'})"
            for change, found in changes.items()
            if is_beyond_chance(found["gain"])
        ]
        text.append(
            "One change at a time, seed by seed, means over the ways to distort that differ by "
            f"nothing else. Beyond chance (95 %): {'; '.join(beyond) or 'none'}. What is not may "
            "still be real, but smaller than these seeds show."
        )
    rows = [["none", "printed", "all", "–"]]
    rows[0] += _row(plain, values["plain_training_percent"], None)
    for trial in TRIALS:
        found = trials[trial.recipe.name]
        rows.append(
            [
                *(trial.ranges, trial.rates, trial.originals, trial.interpolation),
                *_row(found["validation"], found["online_training_error_percent"], found["gain"]),
            ]
        )
    header = (
        *("ranges", "rates", "originals", "interpolation", "validation error, %", "seeds"),
        *("training, %", "gain, points"),
    )
    tables = [
        Table("Ways to distort", header, rows),
        Table(
            "What one change gains",
            ("change", "pairs", "before, %", "after, %", "gain, points", "95 % interval"),
            [
                [
                    change,
                    str(len(CHANGES[change])),
                    f"{found['before']:.2f}",
                    f"{found['after']:.2f}",
                    f"{found['gain']['mean']:+.2f}",
                    interval_in_words(found["gain"]),
                ]
                for change, found in changes.items()
            ],
        ),
    ]
    return Section(text, tables)


def _row(errors: Values, training: float, gain: Values | None) -> list[str]:
    shown = "–" if gain is None else f"{gain['mean']:+.2f}"
    return [f"{errors['mean']:.2f}", range_in_words(errors), f"{training:.2f}", shown]


WHAT_DECIDES = Experiment(
    name="fig07-choice",
    title="What decides the gain of distorted patterns",
    recipes=(preset("paper"), *(trial.recipe for trial in TRIALS)),
    measure=_measure,
    present=_present,
    validation=True,
)
