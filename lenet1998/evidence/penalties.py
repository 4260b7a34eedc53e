"""What the loss does to the penalties of right and wrong classes (section II.C)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch

from lenet1998.data import Dataset
from lenet1998.evidence.choices import ALTERNATIVES
from lenet1998.evidence.experiment import Experiment, Runs
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.losses import posterior
from lenet1998.measures.answers import scores
from lenet1998.measures.spread import Spread
from lenet1998.report.sections import Claim, Section, Table

_LABELS = {
    recipe.name: words
    for recipe, words in (
        (preset("paper"), "eq. 9, j = 1"),
        *((of.recipe, f"eq. 9, {of.words}") for of in ALTERNATIVES if of.choice == "rubbish class"),
        *((of.recipe, of.words) for of in ALTERNATIVES if of.choice == "loss"),
    )
}
_EQ8 = next(of.recipe.name for of in ALTERNATIVES if of.choice == "loss")


@dataclass(frozen=True)
class OfSeeds:
    """Penalties on the scale of the training, means over the digits for each seed."""

    right: Spread  # of the right class
    nearest: Spread  # the least of a wrong one
    wrong: Spread  # the mean of the wrong ones
    pushed: Spread  # the sum of -dE/dy over the wrong ones, which pushes them up


@dataclass(frozen=True)
class Penalties:
    """What was measured, by the name of the recipe."""

    recipes: dict[str, OfSeeds]


def _measure(runs: Runs, dataset: Dataset) -> Penalties:
    labels = dataset.test_labels[:, None]
    measured = {}
    for name, of_recipe in runs.items():
        of_seeds = []
        for run in of_recipe:
            penalties = -scores(run.net, dataset.test_images)
            right = penalties.gather(1, labels).squeeze(1)
            wrong = penalties.scatter(1, labels, torch.inf)
            others = (penalties.sum(1) - right) / (penalties.shape[1] - 1)
            push = torch.zeros_like(penalties)
            assert isinstance(run.recipe, Recipe)
            if run.recipe.loss == "map":
                push = posterior(penalties, run.recipe.j)[:, :-1].scatter(1, labels, 0)
            measured_of = (right, wrong.amin(1), others, push.sum(1))
            of_seeds.append([values.mean().item() for values in measured_of])
        columns = zip(*of_seeds, strict=True)
        measured[name] = OfSeeds(*map(Spread.of, columns))
    return Penalties(measured)


def _present(values: Penalties, dataset: Dataset) -> Section:
    text = [
        "Eq. 8 has the penalty of the right class alone, so nothing pushes that of a wrong one up. "
        "In eq. 9 the wrong ones are pushed with the force of their probability, "
        "exp(-y) / (exp(-j) + Σ exp(-y)): the term of j takes it from penalties above j.",
        f"Means over {len(dataset.test_labels):,} digits held out of the training set, on the "
        "scale of the training, after the last pass.",
    ]
    shown = {label: values.recipes[name] for name, label in _LABELS.items()}
    columns = {
        "right class": lambda of: of.right.mean_in_words(2),
        "nearest wrong": lambda of: of.nearest.mean_in_words(1),
        "wrong, mean": lambda of: of.wrong.mean_in_words(1),
        "push on the wrong": lambda of: of.pushed.mean_in_words(4),
    }
    table = Table.of("Penalties", "loss", shown, columns)
    return Section("", text, [table], claims=_claims(values) if dataset.is_papers else ())


def _claims(values: Penalties) -> list[Claim]:
    paper, eq8 = values.recipes["paper"], values.recipes[_EQ8]
    by_j = sorted(
        (preset("paper").j if name == "paper" else float(name.rpartition("=")[2]), of.nearest)
        for name, of in values.recipes.items()
        if name != _EQ8
    )
    said = ", ".join(f"{nearest.mean_in_words(1)} at j = {j:g}" for j, nearest in by_j)
    grows = all(lower.greatest < higher.least for (_, lower), (_, higher) in pairwise(by_j))
    return [
        Claim(
            13,
            f"the nearest wrong penalty is {eq8.nearest.mean_in_words(1)} under eq. 8, "
            f"{paper.nearest.mean_in_words(1)} under eq. 9 ({paper.nearest.seeds}); no force on it "
            f"under eq. 8, {paper.pushed.mean_in_words(4)} under eq. 9",
            "yes" if paper.nearest.least > eq8.nearest.greatest else "in part",
        ),
        Claim(
            14,
            f"the nearest wrong penalty after learning: {said}",
            "yes" if grows else "not shown",
        ),
    ]


PENALTIES = Experiment(
    name="penalties",
    title="What the loss does to right and wrong penalties",
    recipes=[
        preset("paper"),
        *(of.recipe for of in ALTERNATIVES if of.choice in ("rubbish class", "loss")),
    ],
    values=Penalties,
    measure=_measure,
    present=_present,
    seeds=3,
    validation=True,
)
