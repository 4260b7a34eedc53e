"""Figs. 25 and 26: strings like those that they show, and what is read of them (section VII)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lenet1998.codes import DIGITS
from lenet1998.data import Dataset
from lenet1998.data.strings import BLANK, StringsOf
from lenet1998.evidence.experiment import Experiment, Runs
from lenet1998.evidence.strings import COMPONENTS, CUTS, READ, VITERBI, readers
from lenet1998.reading.grammar import any_number
from lenet1998.reading.number import Outputs, default_networks, most_probable
from lenet1998.report import plots
from lenet1998.report.sections import Conclusion, Plot, Section, Table
from lenet1998.report.views import line_of_outputs

LINE = "2345"  # the string of Fig. 25
SPELT = ("540", "1114", "678", "3514")  # and those of Fig. 26
KINDS = {
    "apart": StringsOf(1),
    "touching": StringsOf(1, (0, 0)),
    "overlapping": StringsOf(1, (-3, -3)),
    "broken": StringsOf(1, (0, 4), breaks=2),
    "struck through": StringsOf(1, (0, 4), lines=1),
    "noise": StringsOf(1, (0, 4), noise=0.1),
}
SHOWN = (COMPONENTS, CUTS, VITERBI, READ)

_SEED = 0  # no other was looked at


def _field(text: str, of: StringsOf, dataset: Dataset) -> Tensor:
    """A text in test digits, `(1, 1, 32, W)`."""
    spelling = [DIGITS.index(character) for character in text]
    of, images, labels = replace(of, digits=len(text)), dataset.test_images, dataset.test_labels
    return of.draw(1, _SEED, images, labels, spelling=spelling).fields


@dataclass(frozen=True)
class Line:
    """What the network puts out along the field of `LINE`."""

    states: list[list[float]]  # of F6, every 4 pixels
    penalties: list[list[float]]  # of each class, every 2 pixels
    spelt: list[tuple[str, int, int]]  # each character, its first output, the one after its last


def _measure_line(runs: Runs, dataset: Dataset) -> Line:
    field = _field(LINE, KINDS["apart"], dataset)
    outputs = Outputs.of(default_networks(), field)
    ((path, _),) = most_probable(outputs.logs, any_number())
    states, penalties = _rounded(outputs.states[::2]), _rounded(outputs.penalties)
    return Line(states, penalties, replace(outputs, path=path).spelt)


def _rounded(values: Tensor) -> list[list[float]]:
    return [[round(value, 3) for value in row] for row in values.tolist()]


def _present_line(values: Line, dataset: Dataset) -> Section:
    outputs = len(values.penalties[0])
    held = [end - begin for _, begin, end in values.spelt]
    answer = "".join(character for character, *_ in values.spelt)
    text = [
        "Fig. 25 shows a field with four digits, the states of F6 along it as bitmaps, and the "
        f"answers; it reads {LINE}. This is the same string in {dataset.name}'s test digits. Of "
        f"{outputs} outputs, one every 2 pixels, {sum(held)} spot a digit, {min(held)} to "
        f"{max(held)} in a row each; all others are gaps. The answer is {answer}.",
    ]
    figure = line_of_outputs(
        _field(LINE, KINDS["apart"], dataset),
        torch.tensor(values.states),
        torch.tensor(values.penalties),
        DIGITS + BLANK,
        values.spelt,
    )
    caption = "A string, F6 along it, the penalties and the path."
    conclusion = Conclusion("a string of four digits, as read", LINE, answer)
    return Section("", text, plots=[Plot("fig25", figure, caption)], conclusions=[conclusion])


@dataclass(frozen=True)
class Answers:
    """What each system reads of each string, by kind and text."""

    read: dict[str, dict[str, dict[str, str]]]


def _measure_strings(runs: Runs, dataset: Dataset) -> Answers:
    systems = {name: system for name, system in readers().items() if name in SHOWN}
    return Answers(
        {
            kind: {
                text: {
                    name: "".join(map(str, system(_field(text, of, dataset))[0]))
                    for name, system in systems.items()
                }
                for text in SPELT
            }
            for kind, of in KINDS.items()
        }
    )


def _present_strings(values: Answers, dataset: Dataset) -> Section:
    right = {
        name: sum(
            answers[name] == text
            for of_kind in values.read.values()
            for text, answers in of_kind.items()
        )
        for name in SHOWN
    }
    count = len(values.read) * len(SPELT)
    text = [
        "Fig. 26 shows four strings that the network reads: 540, 1114, 678 and 3514, with digits "
        "that touch, are broken or struck through. Here they stand in "
        f"{dataset.name}'s test digits, the first that one seed draws, in {len(values.read)} ways. "
        f"Of these {count}, {right[READ]} are read right in the end, "
        f"{right[VITERBI]} before global training, {right[COMPONENTS]} by {COMPONENTS}, "
        f"{right[CUTS]} by {CUTS}. "
        "So few strings measure nothing: the section on strings has the rates.",
    ]
    rows = {
        f"{text}, {kind}": answers
        for kind, of_kind in values.read.items()
        for text, answers in of_kind.items()
    }
    columns = {name: lambda answers, name=name: answers[name] or "–" for name in SHOWN}
    table = Table.of("What is read", "string", rows, columns)
    plot = Plot("fig26", _strings_figure(values, dataset), "Strings, and what is read of each.")
    return Section("", text, [table], [plot])


def _strings_figure(values: Answers, dataset: Dataset) -> Figure:
    """A row for each kind; under each string what is read in the end."""
    pitch, tall = 94 / len(SPELT), 9.0
    figure, page = plots.sheet(height=2 + (tall + 14) * len(values.read))
    for row, (kind, of_kind) in enumerate(values.read.items()):
        top = row * (tall + 14)
        plots.heading(page, 3, top + 6, kind.capitalize(), dataset.name if row == 0 else "")
        for place, (text, answers) in enumerate(of_kind.items()):
            field = _field(text, KINDS[kind], dataset)[0, 0]
            x, wide = 3 + place * pitch, min(pitch - 2, tall * field.shape[1] / field.shape[0])
            plots.tile(page, field, x, top + 8, wide, wide * field.shape[0] / field.shape[1])
            answer = answers[READ] or "–"
            plots.note(page, x + wide / 2, top + tall + 11, answer, chosen=answer != text)
    return figure


FIG25 = Experiment(
    name="fig25",
    title="Fig. 25: along a string",
    recipes=(),
    values=Line,
    measure=_measure_line,
    present=_present_line,
    seeds=1,
)
FIG26 = Experiment(
    name="fig26",
    title="Fig. 26: digits that touch, are broken, or struck through",
    recipes=(),
    values=Answers,
    measure=_measure_strings,
    present=_present_strings,
    seeds=1,
)
