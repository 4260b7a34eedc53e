"""What each part of LeNet-5 contributes: one replaced at a time (section II, apps. A and C)."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from matplotlib.figure import Figure

from lenet1998.data import Dataset
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.evidence.chance import interval_in_words, paired, verdict
from lenet1998.evidence.experiment import (
    Experiment,
    Picture,
    Runs,
    Section,
    Table,
    Values,
    in_words,
    last_errors,
    last_training_error,
    not_comparable,
    spread,
)
from lenet1998.learning.recipe import Recipe, preset
from lenet1998.report import plain_axes, titled

_EARLY = 3
"""The pass after which slow rules of learning still show."""


@dataclass(frozen=True)
class Part:
    """One part, and what stands in its place.

    Attributes:
        recipe: that trains the network without it; its name is the part's.
        instead: what takes its place.
        claim: what the paper says of the part, and where.
        expected: what follows for the error of the network without it: `"worse"`, `"same"`,
            `"lost"`, or `"slower"`: worse after the first few passes; None where the paper says
            nothing of it.
    """

    recipe: Recipe
    instead: str
    claim: str
    expected: str | None = None


def _variant(name: str) -> Recipe:
    return preset("paper", name=name, variant=name)


PARTS = (
    Part(
        _variant("full-c3"),
        "every C3 map sees all of S2 (96 kernels for Table I's 60)",
        "Table I breaks the symmetry of the maps and bounds the connections (II.B)",
    ),
    Part(
        _variant("random-codes"),
        "ten random codes of 84 bits",
        "drawn codes help with strings and look-alikes, little with single digits (II.B)",
        "same",
    ),
    Part(
        _variant("one-of-ten-codes"),
        "ten units in F6, one for each class",
        "such codes fail with many classes and make poor rejection; for ten digits they may do "
        "(II.B)",
        "same",
    ),
    Part(
        _variant("trainable-centres"),
        "centres that learn, from Fig. 3's codes on, under eq. 9",
        "eq. 9 keeps learning centres apart, which eq. 8 does not (II.C)",
        "same",
    ),
    Part(
        preset("paper", name="trainable-centres-eq8", variant="trainable-centres", loss="mle"),
        "centres that learn under eq. 8",
        "states and centres may all become equal: penalty 0, nothing told apart (II.C)",
        "lost",
    ),
    Part(
        _variant("average-pooling"),
        "plain averages: no coefficient, bias or squash",
        "coefficient and bias let a unit act as anything from a blur to an OR (II.A)",
        "worse",
    ),
    Part(
        _variant("max-pooling"),
        "the largest of four: no coefficient, bias or squash",
        "of today, not in the paper",
    ),
    Part(
        _variant("plain-tanh"),
        "tanh(a): the codes' ±1 are its asymptotes",
        "targets inside the range keep units out of saturation; 1.7159 tanh(2a/3) converges "
        "faster (App. A)",
        "slower",
    ),
    Part(
        preset("paper", name="relu", variant="relu", mu=0.2),
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


def _measure(runs: Runs, dataset: Dataset) -> Values:
    published = last_errors(runs, "paper")
    values: Values = {"published": _of(runs, "paper"), "parts": {}}
    published_early = _early(runs, "paper")
    for part in PARTS:
        name = part.recipe.name
        values["parts"][name] = _of(runs, name) | {
            "cost": paired(published, last_errors(runs, name)),
            "early_cost": paired(published_early, _early(runs, name)),
        }
    return values


def _early(runs: Runs, name: str) -> list[float]:
    """Test errors in percent after the first few passes, one for each seed."""
    records = (run.records[min(_EARLY, len(run.records)) - 1] for run in runs[name])
    return [record.test_error_percent for record in records]


def _of(runs: Runs, name: str) -> Values:
    return {
        "test": spread(last_errors(runs, name)),
        "early_test_percent": round(fmean(_early(runs, name)), 4),
        "online_training_percent": last_training_error(runs, name),
        "parameters": sum(p.numel() for p in runs[name][0].net.parameters() if p.requires_grad),
    }


def _present(values: Values, dataset: Dataset) -> Section:
    published = values["published"]
    text = [
        "The network and the recipe as published, with one part at a time replaced; all else, the "
        "seeds and so the order of the patterns included, stays. The cost is the mean over pairs "
        "of the same seed of how much higher the test error is, with its 95 % interval.",
        f"As published: {in_words(published['test'])} on {dataset.name}.",
        "Of twenty parts that made no difference, one would be called worse or better by chance; "
        f"here are {len(PARTS)}. Where no difference shows there may still be a small one.",
    ]
    if dataset.name != MNIST:
        text.append(not_comparable(dataset))
    rows = [
        [
            "as published",
            f"{published['test']['mean']:.2f}",
            "–",
            "–",
            f"{published['early_test_percent']:.2f}",
            f"{published['online_training_percent']:.2f}",
            f"{published['parameters']:,}",
        ]
    ]
    for name, found in values["parts"].items():
        rows.append(
            [
                name,
                f"{found['test']['mean']:.2f}",
                f"{found['cost']['mean']:+.2f}",
                interval_in_words(found["cost"]),
                f"{found['early_test_percent']:.2f}",
                f"{found['online_training_percent']:.2f}",
                f"{found['parameters']:,}",
            ]
        )
    header = (
        *("replaced", "test error, %", "cost, points", "95 % interval"),
        *(f"test at pass {_EARLY}", "training, %", "parameters"),
    )
    claims = [
        [
            *(part.recipe.name, part.instead, part.claim),
            _verdict(values["parts"][part.recipe.name])
            + _early_verdict(part, values["parts"][part.recipe.name]),
            _holds(part, values["parts"][part.recipe.name]),
        ]
        for part in PARTS
    ]
    tables = [
        Table("Errors with one part replaced", header, rows),
        Table(
            "What the paper says of the part, and what replacing it does",
            ("replaced", "by", "the paper", "measured", "holds"),
            claims,
        ),
    ]
    picture = Picture(
        "parts",
        _draw(values, dataset.name),
        "The test error with one part replaced: every seed, and their mean. Dotted: as published.",
    )
    summary = [
        (f"without one part: {part.recipe.name}", "–", _verdict(values["parts"][part.recipe.name]))
        for part in PARTS
    ]
    return Section(text, tables, [picture], summary)


def _effect(found: Values) -> str:
    """What replacing a part does: `"lost"`, `"worse"`, `"better"`, `"same"`, or `""`: unknown."""
    if found["test"]["mean"] > 50:
        return "lost"
    return verdict(found["cost"])


def _verdict(found: Values) -> str:
    cost, effect = found["cost"], _effect(found)
    if effect in ("worse", "better"):
        return f"{effect} by {abs(cost['mean']):.2f} points, beyond chance"
    if effect == "same":
        most = max(map(abs, cost["interval"]))
        return f"no difference beyond chance (up to {most:.2f} points)"
    return "nothing is learnt, or all of it lost" if effect else "so few seeds cannot say"


def _early_verdict(part: Part, found: Values) -> str:
    if part.expected != "slower" or not verdict(found["early_cost"]):
        return ""
    effect, points = verdict(found["early_cost"]), abs(found["early_cost"]["mean"])
    said = "no difference beyond chance" if effect == "same" else f"{effect} by {points:.2f} points"
    return f"; after pass {_EARLY} {said}"


def _holds(part: Part, found: Values) -> str:
    effect = _effect(found)
    if part.expected == "slower":
        effect = {"worse": "slower"}.get(early := verdict(found["early_cost"]), early)
    if part.expected is None or not effect:
        return "–"
    if effect == part.expected:
        return "yes" if effect != "same" else "not contradicted"
    # That no difference shows does not refute one: it may be smaller than these seeds can tell.
    return "not shown" if effect == "same" else "not here"


def _draw(values: Values, dataset_name: str) -> Figure:
    found = {"as published": values["published"]} | values["parts"]
    usual = 4 * values["published"]["test"]["mean"]
    figure = Figure(figsize=(5.0, 1.2 + 0.34 * len(found)), layout="constrained")
    axes = figure.add_subplot()
    for row, of_part in enumerate(found.values()):
        test = of_part["test"]
        if test["mean"] > usual:
            axes.annotate(
                f"{test['mean']:.0f} % →", (1, row), xycoords=("axes fraction", "data"),
                ha="right", va="center", fontsize=9, color="#b5403a",
            )  # fmt: skip
            continue
        axes.plot(test["values"], [row] * len(test["values"]), "o", mfc="none", color="#2f6690")
        axes.plot([test["mean"]] * 2, [row - 0.3, row + 0.3], color="#b5403a", linewidth=2)
    axes.axvline(values["published"]["test"]["mean"], color="#222222", linewidth=1, linestyle=":")
    axes.set_yticks(range(len(found)), list(found))
    axes.set(xlabel="test error (%)", ylim=(len(found) - 0.4, -0.6))
    plain_axes(axes, axis="x")
    axes.set_title(titled("One part replaced", dataset_name), fontsize=11)
    return figure


PARTS_EXPERIMENT = Experiment(
    name="parts",
    title="What each part contributes",
    recipes=(preset("paper"), *(part.recipe for part in PARTS)),
    measure=_measure,
    present=_present,
)
