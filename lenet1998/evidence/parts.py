"""What each part of LeNet-5 contributes: one replaced at a time (section II, apps. A and C)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lenet1998.data import Dataset
from lenet1998.evidence.experiment import not_comparable
from lenet1998.evidence.trials import EARLY, OF_INTERVALS, Trials, Tried, dots_plot, experiment
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.report.sections import Claim, Conclusion, Section, Table


@dataclass(frozen=True)
class Part:
    """One part, and what stands in its place."""

    recipe: Recipe  # that trains the network without it; its name is the part's
    instead: str  # what takes its place
    # that replacing it makes no difference to the error; most of what the paper says of the parts
    # is not about the error
    claim: int | None = None

    def holds(self, tried: Tried) -> str:
        """Whether the claim does, in a word or two; empty where nothing shows."""
        # That no difference shows proves none: it may be smaller than seeds can tell.
        return {"": "", "same": "not contradicted"}.get(tried.effect, "not here")


def _but(name: str, instead: str, **options: Any) -> Part:
    """A network of the catalogue, by the recipe `paper`."""
    return Part(preset("paper", name=name, network=name), instead, **options)


PARTS = (
    _but("full-c3", "every C3 map sees all of S2 (96 kernels for Table I's 60)"),
    _but("random-codes", "ten random codes of 84 bits", claim=7),
    _but("one-of-ten-codes", "ten units in F6, one for each class"),
    _but("trainable-centres", "centres that learn, from Fig. 3's codes on, under eq. 9"),
    Part(
        preset("paper", name="trainable-centres-eq8", network="trainable-centres", loss="mle"),
        "centres that learn, from Fig. 3's codes on, under eq. 8",
    ),
    _but("crowded-centres", "centres that learn, from random ones within 0.1 of 0, under eq. 9"),
    Part(
        preset("paper", name="crowded-centres-eq8", network="crowded-centres", loss="mle"),
        "centres that learn, from random ones within 0.1 of 0, under eq. 8",
    ),
    _but("average-pooling", "plain averages: no coefficient, bias or squash"),
    _but("max-pooling", "the largest of four: no coefficient, bias or squash"),
    _but("plain-tanh", "tanh(a): the codes' ±1 are its asymptotes"),
    _but("low-squash", "1.3 tanh(1.018 a), which maps 1 to 1 too", claim=37),
    _but("high-squash", "3 tanh(0.347 a), which maps 1 to 1 too", claim=37),
    _but("relu", "max(0, a) up to C5"),
    Part(preset("paper", name="eq8", loss="mle"), "eq. 8: no competition between the classes"),
    Part(preset("paper", name="adam", rule="adam"), "Adam, one pattern at a time, eta as its rate"),
)


def _present(trials: Trials, dataset: Dataset) -> Section:
    published = trials.paper
    text = [
        "The network and the recipe as published, with one part at a time replaced; all else, the "
        "seeds and so the order of the patterns included, stays. The cost is the mean over pairs "
        f"of the same seed of how much higher the test error is. {OF_INTERVALS}",
        f"As published: {published.errors.in_words()} on {dataset.name}. Where no difference shows "
        "there may still be a small one.",
    ]
    if not dataset.is_comparable:
        text.append(not_comparable(dataset))
    replaced = {part.recipe.name: trials.tried[part.recipe.name] for part in PARTS}
    shown = {"as published": published, **replaced}
    of_errors = {
        "test error, %": lambda tried: f"{tried.errors.mean:.2f}",
        "cost, points": lambda t: "–" if t is published else t.cost_in_words,
        f"test at pass {EARLY}": lambda tried: f"{tried.test[:EARLY][-1]:.2f}",
        "training, %": lambda tried: f"{tried.online[-1]:.2f}",
        "parameters": lambda tried: f"{tried.parameters:,}",
    }
    of_parts = {
        "by": lambda part: part.instead,
        "measured": lambda part: replaced[part.recipe.name].in_words(),
    }
    tables = [
        Table.of("Errors with one part replaced", "replaced", shown, of_errors),
        Table.of("What replacing it does", "replaced", {p.recipe.name: p for p in PARTS}, of_parts),
    ]
    caption = "The test error with one part replaced. Dotted: as published."
    plot = dots_plot("parts", "One part replaced", shown, trials, dataset, caption)
    judged = [(part, replaced[part.recipe.name]) for part in PARTS]
    conclusions = [
        Conclusion(f"without one part: {part.recipe.name}", "–", tried.in_words())
        for part, tried in judged
    ]
    claims = [
        Claim(part.claim, f"{part.instead}: {tried.in_words()}", part.holds(tried))
        for part, tried in judged
        if part.claim is not None and dataset.is_comparable
    ]
    return Section("", text, tables, [plot], conclusions=conclusions, claims=claims)


_RECIPES = [part.recipe for part in PARTS]
PARTS_EXPERIMENT = experiment("parts", "What each part contributes", _RECIPES, _present, seeds=3)
