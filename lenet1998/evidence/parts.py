"""What each part of LeNet-5 contributes: one replaced at a time (section II, apps. A and C)."""

from __future__ import annotations

from dataclasses import dataclass

from lenet1998.data import Dataset
from lenet1998.evidence.experiment import not_comparable
from lenet1998.evidence.trials import EARLY, Trials, Tried, dots_plot, experiment
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.report.sections import Conclusion, Section, Table


@dataclass(frozen=True)
class Part:
    """One part, and what stands in its place."""

    recipe: Recipe  # that trains the network without it; its name is the part's
    instead: str  # what takes its place
    claim: str  # what the paper says of the part, and where
    # what follows for the error without it: `"worse"`, `"same"`, `"lost"`, or `"slower"`: worse
    # after the first few passes; None where the paper says nothing of it
    expected: str | None = None

    def measured(self, tried: Tried) -> str:
        """What replacing it does, in words."""
        if self.expected != "slower" or not tried.early_cost.verdict:
            return tried.in_words()
        early, points = tried.early_cost.verdict, abs(tried.early_cost.mean)
        same = "no difference beyond chance"
        said = same if early == "same" else f"{early} by {points:.2f} points"
        return f"{tried.in_words()}; after pass {EARLY} {said}"

    def holds(self, tried: Tried) -> str:
        """Whether the claim does, in a word or two; empty where there is none, or nothing shows."""
        effect = tried.effect
        if self.expected == "slower":
            effect = tried.early_cost.verdict.replace("worse", "slower")
        if self.expected is None or not effect:
            return ""
        if effect == self.expected:
            return "yes" if effect != "same" else "not contradicted"
        # That no difference shows does not refute one: it may be smaller than seeds can tell.
        return "not shown" if effect == "same" else "not here"


PARTS = (
    Part(
        preset("paper", name="full-c3", network="full-c3"),
        "every C3 map sees all of S2 (96 kernels for Table I's 60)",
        "Table I breaks the symmetry of the maps and bounds the connections (II.B)",
    ),
    Part(
        preset("paper", name="random-codes", network="random-codes"),
        "ten random codes of 84 bits",
        "drawn codes help with strings and look-alikes, little with single digits (II.B)",
        "same",
    ),
    Part(
        preset("paper", name="one-of-ten-codes", network="one-of-ten-codes"),
        "ten units in F6, one for each class",
        "such codes fail with many classes and make poor rejection; for ten digits they may do "
        "(II.B)",
        "same",
    ),
    Part(
        preset("paper", name="trainable-centres", network="trainable-centres"),
        "centres that learn, from Fig. 3's codes on, under eq. 9",
        "eq. 9 keeps learning centres apart, which eq. 8 does not (II.C)",
        "same",
    ),
    Part(
        preset("paper", name="trainable-centres-eq8", network="trainable-centres", loss="mle"),
        "centres that learn under eq. 8",
        "states and centres may all become equal: penalty 0, nothing told apart (II.C)",
        "lost",
    ),
    Part(
        preset("paper", name="average-pooling", network="average-pooling"),
        "plain averages: no coefficient, bias or squash",
        "coefficient and bias let a unit act as anything from a blur to an OR (II.A)",
        "worse",
    ),
    Part(
        preset("paper", name="max-pooling", network="max-pooling"),
        "the largest of four: no coefficient, bias or squash",
        "of today, not in the paper",
    ),
    Part(
        preset("paper", name="plain-tanh", network="plain-tanh"),
        "tanh(a): the codes' ±1 are its asymptotes",
        "targets inside the range keep units out of saturation; 1.7159 tanh(2a/3) converges "
        "faster (App. A)",
        "slower",
    ),
    Part(
        preset("paper", name="relu", network="relu", mu=0.2),
        "max(0, a) up to C5, with μ = 0.2: with less its units die in the first pass",
        "of today, not in the paper",
    ),
    Part(
        preset("paper", name="eq8", loss="mle"),
        "eq. 8: no competition between the classes",
        "eq. 9 also pushes the wrong classes' penalties up (II.C)",
        "worse",
    ),
    Part(
        preset("paper", name="sgd", rule="sgd", mu=0.5),
        "the same step for every weight: eta / 0.5",
        "steps by second derivatives learn faster (III.B, App. C)",
        "slower",
    ),
    Part(
        preset("paper", name="adam", rule="adam"),
        "Adam, one pattern at a time, eta as its rate",
        "of today, not in the paper",
    ),
)


def _present(trials: Trials, dataset: Dataset) -> Section:
    published = trials.paper
    text = [
        "The network and the recipe as published, with one part at a time replaced; all else, the "
        "seeds and so the order of the patterns included, stays. The cost is the mean over pairs "
        "of the same seed of how much higher the test error is, with its 95 % interval.",
        f"As published: {published.errors.in_words()} on {dataset.name}.",
        "Of twenty parts that made no difference, one would be called worse or better by chance; "
        f"here are {len(PARTS)}. Where no difference shows there may still be a small one.",
    ]
    if not dataset.is_comparable:
        text.append(not_comparable(dataset))
    replaced = {part.recipe.name: trials.tried[part.recipe.name] for part in PARTS}
    shown = {"as published": published, **replaced}
    of_errors = {
        "test error, %": lambda tried: f"{tried.errors.mean:.2f}",
        "cost, points": lambda t: "–" if t is published else f"{t.cost.mean:+.2f}",
        "95 % interval": lambda tried: tried.cost.interval_in_words(),
        f"test at pass {EARLY}": lambda tried: f"{tried.test[:EARLY][-1]:.2f}",
        "training, %": lambda tried: f"{tried.online[-1]:.2f}",
        "parameters": lambda tried: f"{tried.parameters:,}",
    }
    of_claims = {
        "by": lambda part: part.instead,
        "the paper": lambda part: part.claim,
        "measured": lambda part: part.measured(replaced[part.recipe.name]),
        "holds": lambda part: part.holds(replaced[part.recipe.name]) or "–",
    }
    said = "What the paper says of the part, and what replacing it does"
    tables = [
        Table.of("Errors with one part replaced", "replaced", shown, of_errors),
        Table.of(said, "replaced", {part.recipe.name: part for part in PARTS}, of_claims),
    ]
    caption = "The test error with one part replaced. Dotted: as published."
    plot = dots_plot("parts", "One part replaced", shown, trials, dataset, caption)
    conclusions = [
        Conclusion(f"without one part: {name}", "–", tried.in_words(), part.holds(tried))
        for part, (name, tried) in zip(PARTS, replaced.items(), strict=True)
    ]
    return Section(text=text, tables=tables, plots=[plot], conclusions=conclusions)


_RECIPES = [part.recipe for part in PARTS]
PARTS_EXPERIMENT = experiment("parts", "What each part contributes", _RECIPES, _present)
