"""The choices that the paper leaves open, or prints in a form that fails: every reading tried."""

from __future__ import annotations

from dataclasses import dataclass

from lenet1998.data import Dataset
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import not_comparable
from lenet1998.evidence.fig05 import distance_to_fig05, draw_readings
from lenet1998.evidence.trials import Trials, Tried, dots_plot, experiment
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.report.sections import Plot, Section, Table

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
    _but("initial weights", "within 1.2/√F", init_bound=1.2),
    _but("initial weights", "within 2.5/√F", init_bound=2.5),
    _but("coefficients of S2, S4", "0.25, the average", coefficient=0.25),
    _but("coefficients of S2, S4", "1, the sum", coefficient=1.0),
    _but("penalty", "the whole squared distance", penalty_scale=1.0, printed=True),
    _but("penalty", "the whole distance, μ and j doubled", penalty_scale=1.0, mu=0.14, j=2.0),
    _but("loss", "eq. 8", loss="mle"),
    _but("rubbish class", "j = 0.1", j=0.1),
    _but("rubbish class", "j = 4", j=4.0),
    _but("rubbish class", "j = 16", j=16.0),
    _but("μ", "0.02, on half distances", mu=0.02, printed=True),
    _but("μ", "0.05", mu=0.05),
    _but("μ", "0.1", mu=0.1),
    _but("μ", "0.2", mu=0.2),
    _but("curvature at F6", "the loss's own", output_curvature="loss"),
    _but("order", "reshuffled for each pass", order="reshuffled"),
    _but("step without curvature", "η / 0.1", rule="sgd", mu=0.1),
    _but("step without curvature", "η / 0.3", rule="sgd", mu=0.3),
    _but("step without curvature", "η / 1", rule="sgd", mu=1.0),
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
        text.append(
            "Worse or better than 'paper' is said where the 95 % interval of the difference, seed "
            "by seed, leaves 0 out. Of twenty readings that changed nothing, one would be called "
            "so by chance; what is not told apart may still differ."
        )
    rows = [("paper", "", *_cells(paper), "–", "–", "–")]
    learning, curves = {"paper": paper}, {"paper": paper}
    for reading in ALTERNATIVES:
        tried = trials.tried[reading.recipe.name]
        cost = (f"{tried.cost.mean:+.2f}", tried.cost.interval_in_words())
        words = reading.words + (" (printed)" if reading.printed else "")
        verdict = _verdict(tried, paper, dataset)
        rows.append((reading.choice, words, *_cells(tried), *cost, verdict))
        if tried.errors.mean < _LEARNS:
            learning[reading.label] = tried
            if reading.choice in ("initial weights", "μ"):
                curves[reading.label] = tried
    header = (
        *("choice", "reading", "validation error, %", "pass 2", "training, %"),
        *("from Fig. 5, points", "against 'paper', points", "95 % interval", "conclusion"),
    )
    caption = "The error on the digits held out, of the readings that learn. Dotted: 'paper'."
    errors = dots_plot("choices-errors", "Open choices", learning, trials, dataset, caption)
    table = Table("Readings of the open choices", header, rows)
    return Section(text=text, tables=[table], plots=[errors, _curves(curves, dataset)])


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
    effect = tried.cost.verdict or "so few seeds cannot say"
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
    "choices", "The choices that the paper leaves open", _RECIPES, _present, validation=True
)
