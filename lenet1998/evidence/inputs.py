"""How LeNet-5 sees its images: the size of the field, and the levels (section II.B)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lenet1998 import catalogue
from lenet1998.data import Dataset
from lenet1998.data.field import BACKGROUND, FIELD, INK
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.evidence.trials import EARLY, OF_INTERVALS, Trials, Tried, dots_plot
from lenet1998.evidence.trials import measure as measure_trials
from lenet1998.learning.presets import preset
from lenet1998.measures.spread import listed
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.inputs import OtherLevels, SmallerField
from lenet1998.report.sections import Claim, Section, Table

_FIELDS = ("field-28", "field-24", "field-20")
_LEVELS = ("levels-unit", "levels-symmetric", "levels-inverted", "levels-standard")
_EFFECTS = {
    "same": "not told apart",
    "worse": "worse",
    "better": "better",
    "lost": "nothing learnt",
}


@dataclass(frozen=True)
class Centres:
    """Where the centres of C3's receptive fields lie: in a square in the middle of the image."""

    side: int  # of the square, in pixels: C3's units lie 2 apart
    ink_percent: float  # of the digits' ink (pixels more than half dark), in it
    whole_percent: float  # of the digits, with all of their ink in it


@dataclass(frozen=True)
class Inputs:
    """What was measured."""

    tried: dict[str, Tried]  # by the name of the recipe
    centres: dict[str, Centres]  # by the name of the recipe: `paper`, and the smaller fields
    levels: dict[str, tuple[float, float]]  # mean and variance of the inputs of the training digits


def ink_in_the_middle(images: Tensor, side: int) -> Centres:
    """How much of the digits, `(N, 1, 32, 32)`, lies in the square of that side in the middle."""
    cut = (FIELD - side) // 2
    ink = images > (BACKGROUND + INK) / 2
    of_each = ink.sum((1, 2, 3))
    inside = ink[..., cut : FIELD - cut, cut : FIELD - cut].sum((1, 2, 3))
    whole = (inside == of_each).double().mean()
    shares = (100 * (inside.sum() / of_each.sum()).item(), 100 * whole.item())
    return Centres(side, *(round(share, 4) for share in shares))


def _in_words(name: str) -> str:
    """The levels of a network: "0 and 1"."""
    kind = catalogue.find(name).kind
    assert issubclass(kind, OtherLevels)
    return "{:g} and {:g}".format(*kind.LEVELS)


def _measure(runs: Runs, dataset: Dataset) -> Inputs:
    centres, levels = {}, {}
    for name, (run, *_) in runs.items():
        net = run.net
        assert isinstance(net, ChainNetwork)
        seen = net.prepare(dataset.training_images)
        if name not in _FIELDS:
            levels[name] = (round(seen.mean().item(), 4), round(seen.var().item(), 4))
        if name not in _LEVELS:
            units = (seen.shape[-1] - 4) // 2 - 4  # along a side of C3
            centres[name] = ink_in_the_middle(dataset.test_images, 2 * units)
    return Inputs(measure_trials(runs, dataset).tried, centres, levels)


def _present(values: Inputs, dataset: Dataset) -> Section:
    published = values.tried["paper"]
    text = [
        "The paper takes a field of 32x32 for characters of at most 20x20, so that the ends and "
        "corners of strokes can lie in the centre of what the highest feature detectors see: the "
        "centres of the fields of C3's units, 2 pixels apart, cover the middle 20x20. On a smaller "
        "field, cut out of the same images, C5 covers what is left of S4.",
        "And it takes the levels -0.1 and 1.175, so that the inputs have a mean of about 0 and a "
        "variance of about 1, which accelerates learning. With other levels all else stays.",
        f"As published: {published.errors.in_words()} on {dataset.name}. {OF_INTERVALS}",
    ]
    if not dataset.is_comparable:
        text.append(not_comparable(dataset))
    fields = {"32x32, as published": "paper"}
    for name in _FIELDS:
        kind = catalogue.find(name).kind
        assert issubclass(kind, SmallerField)
        fields[f"{kind.SIDE}x{kind.SIDE}"] = name
    levels = {f"{BACKGROUND} and {INK}, as published": "paper"}
    for name in _LEVELS:
        levels[_in_words(name)] = name
    of_errors = {
        "test error, %": lambda name: f"{values.tried[name].errors.mean:.2f}",
        "cost, points": lambda n: "–" if n == "paper" else values.tried[n].cost_in_words,
        "effect": lambda n: "–" if n == "paper" else _EFFECTS.get(values.tried[n].effect, "–"),
    }
    of_fields = {
        "centres of C3's fields": lambda n: "{0}x{0}".format(values.centres[n].side),
        "ink there, %": lambda name: f"{values.centres[name].ink_percent:.1f}",
        "digits wholly there, %": lambda name: f"{values.centres[name].whole_percent:.1f}",
        **of_errors,
        "parameters": lambda name: f"{values.tried[name].parameters:,}",
    }
    of_levels = {
        "mean": lambda name: f"{round(values.levels[name][0], 2) + 0:.2f}",  # no -0.00
        "variance": lambda name: f"{values.levels[name][1]:.2f}",
        "test at pass 1": lambda name: f"{values.tried[name].test[0]:.2f}",
        f"at pass {EARLY}": lambda name: f"{values.tried[name].test[:EARLY][-1]:.2f}",
        **of_errors,
    }
    tables = [
        Table.of("Fields", "field", fields, of_fields, ["digits wholly there, %", "parameters"]),
        Table.of("Levels of paper and ink", "levels", levels, of_levels),
    ]
    shown = {
        label: values.tried[name]
        for rows in (fields, levels)
        for label, name in rows.items()
        if name != "paper"
    }
    caption = "The test error with another field or other levels. Dotted: as published."
    plot = dots_plot(
        "inputs", "Other fields and levels", shown, Trials(values.tried), dataset, caption
    )
    claims = _claims(values) if dataset.is_comparable else ()
    return Section("", text, tables, [plot], claims=claims)


def _claims(values: Inputs) -> list[Claim]:
    published = values.tried["paper"]
    ours, smaller = values.centres["paper"], values.centres["field-28"]
    mean, variance = values.levels["paper"]
    early = {name: values.tried[name].early_cost for name in _LEVELS}
    said = (
        f"{cost.mean:+.2f} ({cost.interval_in_words()}) at {_in_words(name)}"
        for name, cost in early.items()
    )
    others = {cost.verdict for cost in early.values()}
    if "better" in others:
        faster = "not here"
    elif others == {"worse"}:
        faster = "yes"
    else:
        faster = "in part" if "worse" in others else "not shown"
    # "About": within a tenth, and within a factor of two.
    moments = [abs(mean) < 0.1, 0.5 < variance < 2]
    return [
        Claim(
            4,
            f"C3's fields have their centres in the middle {ours.side}x{ours.side}, where "
            f"{ours.ink_percent:.0f} % of the ink is (a field of 28x28: {smaller.ink_percent:.0f} "
            f"%); the error of that field: {values.tried['field-28'].in_words()}",
            "yes" if ours.side == 20 else "not here",
        ),
        Claim(
            5,
            f"mean {mean:.2f}, variance {variance:.2f}",
            "yes" if all(moments) else "in part" if any(moments) else "not here",
        ),
        Claim(
            5,
            f"points more misread after pass {EARLY}, with other levels: {listed(list(said))} "
            f"({published.errors.seeds})",
            faster,
        ),
    ]


INPUTS = Experiment(
    name="inputs",
    title="The field and the levels of the input",
    recipes=[
        preset("paper"),
        *(preset("paper", name=name, network=name) for name in (*_FIELDS, *_LEVELS)),
    ],
    values=Inputs,
    measure=_measure,
    present=_present,
    seeds=5,
)
