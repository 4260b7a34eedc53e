"""The choices that the paper leaves open, or prints in a form that fails: every reading tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lenet1998.data import Dataset
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import not_comparable
from lenet1998.evidence.fig05 import distance_to_fig05, draw_readings
from lenet1998.evidence.trials import EARLY, OF_INTERVALS, Trials, Tried, dots_plot, experiment
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.report.sections import Claim, Plot, Section, Table

_LEARNS = 5.0  # percent; what ends above it has not learnt to read
_AWAY = 0.05  # points farther from Fig. 5 than 'paper', to be said so


@dataclass(frozen=True)
class Alternative:
    """Another way to read one open choice."""

    choice: str
    words: str
    recipe: Recipe
    printed: bool = False  # in the paper

    @property
    def label(self) -> str:
        return f"{self.choice} {self.words}" if self.words[0].isdigit() else self.words


def _but(choice: str, words: str, *, printed: bool = False, **changes: float | str) -> Alternative:
    name = "paper," + ",".join(f"{field}={value}" for field, value in changes.items())
    return Alternative(choice, words, preset("paper", name=name, **changes), printed)


ALTERNATIVES = (
    _but("initial weights", "within 2.4/F", init_bound=2.4, init_power=1.0, printed=True),
    _but("initial weights", "within 1/√F", init_bound=1.0),
    _but("initial weights", "within 2.5/√F", init_bound=2.5),
    _but("coefficients of S2, S4", "0.25, the average", coefficient=0.25),
    _but("coefficients of S2, S4", "1, the sum", coefficient=1.0),
    _but("penalty", "half the squared distance", penalty_scale=0.5),
    _but("penalty", "the whole squared distance", penalty_scale=1.0, printed=True),
    _but("loss", "eq. 8", loss="mle"),
    _but("rubbish class", "j = 0.1", j=0.1),
    _but("rubbish class", "j = 4", j=4.0),
    _but("rubbish class", "j = 16", j=16.0),
    _but("μ", "0.005", mu=0.005),
    _but("μ", "0.01", mu=0.01),
    _but("μ", "0.04", mu=0.04),
    _but("μ", "0.08", mu=0.08),
    _but("μ", "0.16", mu=0.16),
    _but("curvature at F6", "the loss's own", output_curvature="loss"),
    _but("patterns of an estimate", "50", curvature_patterns=50),
    _but("patterns of an estimate", "5,000", curvature_patterns=5000),
    _but("order", "reshuffled for each pass", order="reshuffled"),
    _but("step without curvature", "η / 0.02", rule="sgd", mu=0.02),
    _but("step without curvature", "η / 0.05", rule="sgd", mu=0.05),
    _but("step without curvature", "η / 0.1", rule="sgd", mu=0.1),
    _but("step without curvature", "η / 0.2", rule="sgd", mu=0.2),
    _but("step without curvature", "η / 0.5", rule="sgd", mu=0.5),
    *(
        Alternative("all of these", f"the recipe '{name}'", preset(name))
        for name in ("fitted", "authors-software")
    ),
)
"""What is tried, beside the recipe `paper`."""


def _present(trials: Trials, dataset: Dataset) -> Section:
    paper = trials.paper
    text = [
        f"All runs here learn from {len(dataset.training_labels):,} training digits and are "
        f"measured on {len(dataset.test_labels):,} others of the training set ({dataset.name}); "
        "the test set has no part in it. Each row changes a choice of the recipe 'paper', which "
        f"misreads {paper.errors.in_words()} of them.",
        "Beside the error on digits held out, a reading is judged by how closely the training "
        "error, counted on line, follows that of Fig. 5 (root mean square distance over the "
        f"passes). That is a curve of {facts.size_points()[-1].patterns:,} digits: 'paper' itself "
        f"is {distance_to_fig05(paper.online):.2f} points away here.",
    ]
    if not dataset.is_papers:
        text.append(f"{not_comparable(dataset)} Fig. 5 is no measure of them.")
    if len(paper.errors.values) > 1:
        text.append(f"{OF_INTERVALS} What is not told apart may still differ.")
    rows = [("paper", "", *_cells(paper), "–", "–")]
    learning, curves = {"paper": paper}, {"paper": paper}
    for reading in ALTERNATIVES:
        tried = trials.tried[reading.recipe.name]
        words = reading.words + (" (printed)" if reading.printed else "")
        verdict = _verdict(tried, paper, dataset)
        rows.append((reading.choice, words, *_cells(tried), tried.cost_in_words, verdict))
        if tried.errors.mean < _LEARNS:
            learning[reading.label] = tried
            if reading.choice in ("initial weights", "μ"):
                curves[reading.label] = tried
    header = (
        *("choice", "reading", "validation error, %", "pass 2", "training, %"),
        *("from Fig. 5, points", "against 'paper', points", "conclusion"),
    )
    caption = "The error on the digits held out, of the readings that learn. Dotted: 'paper'."
    errors = dots_plot("choices-errors", "Open choices", learning, trials, dataset, caption)
    table = Table("Readings of the open choices", header, rows)
    drawn = [errors, _curves(curves, dataset)]
    return Section("", text, [table], drawn, claims=_claims(trials) if dataset.is_papers else ())


def _claims(trials: Trials) -> list[Claim]:
    def tried(choice: str) -> dict[str, Tried]:
        of_choice = (reading for reading in ALTERNATIVES if reading.choice == choice)
        return {reading.words: trials.tried[reading.recipe.name] for reading in of_choice}

    def errors(some: Mapping[str, Tried]) -> str:
        return ", ".join(f"{of.errors.mean:.2f} % ({words})" for words, of in some.items())

    paper, seeds = trials.paper, trials.paper.errors.seeds
    here = f"{paper.errors.mean:.2f} % as in 'paper'"
    starts = tried("initial weights")
    small, large = starts["within 2.4/F"], starts["within 2.5/√F"]
    slow = small.errors.mean > _LEARNS or small.early_cost.verdict == "worse"
    saturates = large.effect == "worse"
    with_mu, plain = {"0.02": paper, **tried("μ")}, tried("step without curvature")
    spread, spread_of_plain = (
        max(of.errors.mean for of in some.values()) - min(of.errors.mean for of in some.values())
        for some in (with_mu, plain)
    )
    best = min(plain.values(), key=lambda of: of.errors.mean)
    few = tried("patterns of an estimate")
    reliable = spread < spread_of_plain / 2
    enough = all(of.effect == "same" for of in few.values())
    return [
        Claim(
            38,
            f"error {errors(starts)}; {here} ({seeds})",
            "yes" if slow and saturates else "in part" if slow or saturates else "not shown",
        ),
        Claim(
            40,
            f"μ from 0.005 to 0.16 moves the error by {spread:.2f} points, one plain rate over as "
            f"wide a range by {spread_of_plain:.2f}: {errors(plain)}; {here}. The best plain rate "
            f"is {best.cost_in_words} points away, after pass {EARLY} "
            f"{best.early_cost.mean:+.2f}. Estimates from other numbers of patterns: "
            f"{errors(few)} ({seeds})",
            "yes" if reliable and enough else "in part" if reliable or enough else "not here",
        ),
    ]


def _cells(tried: Tried) -> tuple[str, ...]:
    return (
        f"{tried.errors.mean:.2f} ({tried.errors.range_in_words()})",
        f"{tried.test[1]:.2f}" if len(tried.test) > 1 else "–",
        f"{tried.online[-1]:.2f}",
        f"{distance_to_fig05(tried.online):.2f}",
    )


def _verdict(tried: Tried, paper: Tried, dataset: Dataset) -> str:
    if tried.errors.mean > _LEARNS:
        return "hardly learns"
    effect = tried.effect or "so few seeds cannot say"
    words = "not told apart by the error" if effect == "same" else effect
    away = distance_to_fig05(tried.online) - distance_to_fig05(paper.online)
    return words + (", farther from Fig. 5" if away > _AWAY and dataset.is_papers else "")


def _curves(readings: dict[str, Tried], dataset: Dataset) -> Plot:
    online = {label: tried.online for label, tried in readings.items()}
    figure = draw_readings("Open choices", dataset.name, online)
    caption = "Mean training error on line, of the readings of μ and initial weights that learn."
    return Plot("choices", figure, caption)


_RECIPES = [reading.recipe for reading in ALTERNATIVES]
CHOICES = experiment(
    "choices",
    "The choices that the paper leaves open",
    _RECIPES,
    _present,
    seeds=3,
    validation=True,
)
