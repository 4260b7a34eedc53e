"""Strings of digits: what the space-displacement network reads, and its rivals (section VII)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.distortions import Distortions
from lenet1998.data.strings import Strings, StringsOf
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.evidence.segmenting import by_components, by_cuts
from lenet1998.learning.strings import log_posteriors, spelt
from lenet1998.measures.answers import misread
from lenet1998.measures.writers import Resampled, error_percent
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.saved import load
from lenet1998.reading.grammar import any_number
from lenet1998.reading.number import EVERY, Outputs, default_networks, most_probable
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table

PRINTED, GLOBAL, DIGITS = "lenet5-strings", "lenet5-strings-global", "lenet5-classic"
COMPONENTS, CUTS = "connected components", "over-segmentation"
ALONE, VITERBI, TRAINED = "printed recipe", "and Viterbi", "and global training"
READ = "two networks, most probable"
SYSTEMS = (COMPONENTS, CUTS, ALONE, VITERBI, TRAINED, READ)

_STRINGS = 1000  # of each kind; of fewer test digits as many as a tenth of them
_GAPS = (-4, -3, -2, -1, 0, 2, 4, 6, 8)
_LENGTHS = (1, 2, 3, 5, 8, 10)
_SIZES = Distortions(inverse_scale=(0.8, 1.25), log_squeeze=0, shear=0, translation=0)

KINDS = {
    **{f"gap {gap}": StringsOf(5, (gap, gap)) for gap in _GAPS},
    **{f"{count} digits": StringsOf(count) for count in _LENGTHS},
    "one hand": StringsOf(5, one_writer=True),
    "sizes differ": StringsOf(5, distortions=_SIZES),
    "slanted": StringsOf(5, slant=0.4),
    "noise": StringsOf(5, noise=0.1),
    "struck through": StringsOf(5, lines=1),
    "broken": StringsOf(5, breaks=2),
}
_DISTURBED = ("sizes differ", "slanted", "noise", "struck through", "broken")
_USUAL = "5 digits"


@dataclass(frozen=True)
class Read:
    """What a system makes of strings of a kind."""

    strings: Resampled  # misread, in percent; over writers where one wrote each, else over strings
    characters: float  # edits to the right string, in percent of its digits


@dataclass(frozen=True)
class StringsRead:
    """What was measured."""

    read: dict[str, dict[str, Read]]  # by kind of string, and system
    count: int  # of each kind
    # by network: test digits that it misreads, in percent, each alone in its field
    single: dict[str, float]
    spots: float  # outputs that spot a digit, on average, of what the printed recipe reads
    rejected: float | None  # strings to reject, least probable first, for 1 % error of the rest


def edits(ours: Sequence[int], right: Sequence[int]) -> int:
    """The fewest insertions, deletions and substitutions from one to the other (Levenshtein)."""
    row = list(range(len(right) + 1))
    for number, one in enumerate(ours, 1):
        before, row[0] = row[0], number
        for at, other in enumerate(right, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (one != other))
    return row[-1]


def _outputs(net: LeNet5Classic, fields: Tensor, every: int) -> Tensor:
    from lenet1998.kernels.packed import FusedField  # Numba is slow to import

    return log_posteriors(net, FusedField(net).penalty_map(fields, every))


def _each_output(outputs: Tensor) -> list[list[int]]:
    """Without a character model each output that is no gap is a character."""
    gap = outputs.shape[-1] - 1
    return [[label for label in best if label != gap] for best in outputs.argmax(-1).tolist()]


def networks() -> tuple[LeNet5Classic, LeNet5Classic, LeNet5Classic]:
    """The packaged ones: of the printed recipe, after global training, and of single digits."""
    nets = [load(name) for name in (PRINTED, GLOBAL, DIGITS)]
    printed, trained, digits = (net for net in nets if isinstance(net, LeNet5Classic))
    return printed, trained, digits


def readers() -> dict[str, Callable[[Tensor], list[list[int]]]]:
    """Each system, from fields `(N, 1, 32, W)` to what it reads of each."""
    printed, trained, digits = networks()
    return {
        COMPONENTS: lambda fields: [by_components(digits, field[0]) for field in fields],
        CUTS: lambda fields: [by_cuts(digits, field[0]) for field in fields],
        ALONE: lambda fields: _each_output(_outputs(printed, fields, every=4)),
        VITERBI: lambda fields: spelt(_outputs(printed, fields, EVERY)),
        TRAINED: lambda fields: spelt(_outputs(trained, fields, EVERY)),
        READ: lambda fields: [answer for answer, _ in _most_probable(fields)],
    }


def _most_probable(fields: Tensor) -> list[tuple[list[int], float]]:
    """What `reading.read` answers, and how probable it is."""
    rows = (Outputs.of(default_networks(), field[None]).logs for field in fields)
    found = [most_probable(logs, any_number())[0] for logs in rows]
    return [([*map(int, path.text)], probability) for path, probability in found]


def _strings(kind: str, count: int, dataset: Dataset) -> Strings:
    of = KINDS[kind]
    if dataset.test_writers is None:
        of = replace(of, one_writer=False)
    images, labels = dataset.test_images, dataset.test_labels
    return of.draw(count, list(KINDS).index(kind), images, labels, dataset.test_writers)


def _read(answers: list[list[int]], strings: Strings, by: Tensor | None) -> Read:
    right = strings.labels.tolist()
    wrong = torch.tensor([[ours != one for ours, one in zip(answers, right, strict=True)]])
    changes = sum(edits(ours, one) for ours, one in zip(answers, right, strict=True))
    return Read(error_percent(wrong, by), round(100 * changes / strings.labels.numel(), 4))


def _measure(runs: Runs, dataset: Dataset) -> StringsRead:
    printed, trained, digits = networks()
    systems = readers()
    count = min(_STRINGS, max(10, len(dataset.test_labels) // 10))
    read = {}
    for kind, of in KINDS.items():
        strings = _strings(kind, count, dataset)
        by = strings.writers if of.one_writer else None
        read[kind] = {
            name: _read(system(strings.fields), strings, by) for name, system in systems.items()
        }
    single = {
        name: _error(net, dataset)
        for name, net in ((DIGITS, digits), (PRINTED, printed), (GLOBAL, trained))
    }
    usual = _strings(_USUAL, count, dataset)
    spots = sum(map(len, systems[ALONE](usual.fields))) / usual.labels.numel()
    rejected = _rejected(usual)
    return StringsRead(read, count, single, round(spots, 4), rejected)


def _error(net: ChainNetwork, dataset: Dataset) -> float:
    wrong = misread(net, dataset.test_images, dataset.test_labels)
    return round(100 * wrong.double().mean().item(), 4)


def _rejected(strings: Strings) -> float | None:
    """The share to reject, in percent, for 1 % error; None where no share is enough."""
    answers, probabilities = zip(*_most_probable(strings.fields), strict=True)
    pairs = zip(answers, strings.labels.tolist(), strict=True)
    sure = torch.tensor(probabilities)
    wrong = torch.tensor([ours != right for ours, right in pairs])[sure.argsort(descending=True)]
    kept = 1 + torch.arange(len(wrong))
    enough = (wrong.cumsum(0) <= 0.01 * kept).nonzero()
    return None if not len(enough) else round(100 * (1 - (int(enough[-1]) + 1) / len(wrong)), 4)


def _present(values: StringsRead, dataset: Dataset) -> Section:
    usual, touching, over = (values.read[kind] for kind in (_USUAL, "gap 0", "gap -3"))
    text = [
        "Section VII runs the network along a field and has a Viterbi search through a character "
        "model put its outputs together; it shows five examples and prints no rate. Here strings "
        f"are made of {dataset.name}'s test digits, {values.count:,} of each kind, all by anyone "
        "unless said otherwise, with 2 to 6 pixels between bounding boxes where no gap is named.",
        f"{COMPONENTS} and {CUTS} cut a string by its ink and have {DIGITS} read the pieces. "
        f"The {ALONE} is a digit between two others, at times none, and a tenth of the pixels "
        "inverted; every output is a character or a blank. A Viterbi search with the character "
        "model, on outputs every 2 pixels, merges those of one digit. Global training goes on with "
        "whole strings, without being told where their digits are. In the end two networks that "
        "did so from two seeds read together, as `lenet1998 read` has them: of the strings with "
        "the best paths the most probable one is taken, over both, and over the field as it is and "
        "moved by a pixel.",
        f"Of strings of {_USUAL}, that reads {100 - usual[READ].strings.mean:.1f} %, of "
        f"touching ones {100 - touching[READ].strings.mean:.1f} %, of those that overlap by 3 "
        f"pixels {100 - over[READ].strings.mean:.1f} %. "
        + (
            "No share of them need be set aside"
            if values.rejected == 0
            else "No share set aside is enough"
            if values.rejected is None
            else f"The least sure {values.rejected:.1f} % have to be set aside"
        )
        + " for 1 % error of the rest. Of single digits, each alone in its field, "
        + ", ".join(f"{name} misreads {error:.2f} %" for name, error in values.single.items())
        + ".",
    ]
    if not dataset.is_comparable:
        text.append(not_comparable(dataset))
    columns = {
        name: lambda read, name=name: f"{read[name].strings.in_words(1)}" for name in SYSTEMS
    }
    characters = {name: lambda read, name=name: f"{read[name].characters:.2f}" for name in SYSTEMS}
    tables = [
        Table.of("Strings misread, %, and 95 % intervals", "strings", values.read, columns),
        Table.of("Edits to the right string, % of its digits", "strings", values.read, characters),
    ]
    conclusions = [
        Conclusion(f"strings read, {what}", "–", f"{100 - of[READ].strings.mean:.1f} %")
        for what, of in (("five digits", usual), ("touching", touching), ("3 pixels over", over))
    ]
    claims = _claims(values) if dataset.is_comparable else ()
    return Section("", text, tables, [_curve(values, dataset)], "", "", conclusions, claims)


def _curve(values: StringsRead, dataset: Dataset) -> Plot:
    figure, axes = plots.plot("Strings of five digits", dataset.name)
    for place, name in enumerate(SYSTEMS):
        errors = [values.read[f"gap {gap}"][name].strings.mean for gap in _GAPS]
        axes.plot(_GAPS, errors, label=name, **plots.style(place))
    axes.set(xlabel="gap between digits (pixels)", ylabel="strings misread (%)", ylim=(0, 101))
    plots.legend_below(figure, axes)
    return Plot("strings", figure, "Strings misread by the gap between their digits.")


def _claims(values: StringsRead) -> list[Claim]:
    usual = values.read[_USUAL]
    alone, merged, trained = (usual[name].characters for name in (ALONE, VITERBI, TRAINED))
    cut = {kind: values.read[kind][CUTS].strings.mean for kind in _DISTURBED}
    fails = max(cut.values()) > 2 * values.read[_USUAL][CUTS].strings.mean
    return [
        Claim(
            34,
            f"{values.spots:.1f} outputs are a character for each digit; the character model "
            f"lowers the edits from {alone:.0f} to {merged:.1f} % of the digits",
            "yes" if values.spots > 1 and merged < alone else "not here",
        ),
        Claim(
            35,
            "over-segmentation misreads "
            + ", ".join(f"{error:.0f} % ({kind})" for kind, error in cut.items()),
            "yes" if fails else "not here",
        ),
        Claim(
            36,
            f"edits fall from {merged:.1f} to {trained:.1f} % of the digits",
            "yes" if trained < merged else "not here",
        ),
    ]


STRINGS = Experiment(
    name="strings",
    title="Strings: the space-displacement network",
    recipes=(),
    values=StringsRead,
    measure=_measure,
    present=_present,
    seeds=1,
)
