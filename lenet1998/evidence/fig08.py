"""Fig. 8: the test digits that the network of 1998 misread, beside those that ours misread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log10
from typing import TypeAlias

from lenet1998.data import Dataset
from lenet1998.evidence import facts
from lenet1998.evidence.experiment import Experiment, Runs
from lenet1998.learning.presets import preset
from lenet1998.measures import misread
from lenet1998.measures.answers import scores
from lenet1998.measures.spread import Spread
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table

PARTNER = "paper-distorted"  # whose runs the figure shows, by their number: 0.82 %

_ORIGINAL = {digit.index: digit.answer for digit in facts.misread_digits()}
_ENOUGH = 6  # networks, below which an order of them says nothing
_COLUMNS = 8  # of digits in a sheet


_Pairs: TypeAlias = Sequence[tuple[misread.Wrong, misread.Wrong]]


@dataclass(frozen=True)
class Seeds:
    """What the seeds of a recipe misread: of each, the wrong answers by the digit's index."""

    wrong: tuple[dict[int, int], ...]

    @property
    def misread(self) -> Spread:
        """How many digits each misreads."""
        return Spread(tuple(len(wrong) for wrong in self.wrong))

    @property
    def every(self) -> list[int]:
        """The digits that all misread."""
        return sorted(set.intersection(*(set(wrong) for wrong in self.wrong)))

    @property
    def by_seeds(self) -> list[facts.MisreadDigit]:
        """The digits of 1998, first those that most misread; of those alike by index."""
        return sorted(facts.misread_digits(), key=lambda digit: -self.count(digit.index))

    @property
    def pairs(self) -> _Pairs:
        """Any two of them."""
        return list(combinations(self.wrong, 2))

    @property
    def with_1998(self) -> _Pairs:
        """Each beside the network of 1998."""
        return [(wrong, _ORIGINAL) for wrong in self.wrong]

    @property
    def shared(self) -> Spread:
        """How many digits of 1998 each misreads."""
        return Spread(tuple(len(wrong.keys() & _ORIGINAL.keys()) for wrong in self.wrong))

    def by_chance(self, digits: int) -> Spread:
        """How many they would, were theirs drawn from so many digits at random."""
        return Spread(tuple(len(_ORIGINAL) * len(wrong) / digits for wrong in self.wrong))

    def log10_probability(self, digits: int) -> float:
        """The greatest probability, over the seeds, of as many by chance, as a power of ten."""
        sizes = ((len(wrong.keys() & _ORIGINAL.keys()), len(wrong)) for wrong in self.wrong)
        return max(misread.log10_probability(*size, len(_ORIGINAL), digits) for size in sizes)

    def count(self, index: int) -> int:
        """How many misread a digit."""
        return sum(index in wrong for wrong in self.wrong)

    def answer(self, index: int, label: int) -> int:
        """The most frequent wrong answer to a digit; its label where there is none."""
        usual = misread.usual_answer(self.wrong, index)
        return label if usual is None else usual


@dataclass(frozen=True)
class Values:
    """What was measured: how many digits were read, and what each recipe's seeds misread."""

    digits: int
    recipes: dict[str, Seeds]


def _measure(runs: Runs, dataset: Dataset) -> Values:
    recipes = {}
    for name in (PARTNER,):
        answers = (scores(run.net, dataset.test_images).argmax(1) for run in runs[name])
        wrong = (misread.wrong_answers(of_seed, dataset.test_labels) for of_seed in answers)
        recipes[name] = Seeds(tuple(wrong))
    return Values(len(dataset.test_labels), recipes)


def _present(values: Values, dataset: Dataset) -> Section:
    ours, digits = values.recipes[PARTNER], values.digits
    if not dataset.is_comparable:
        return _without_1998(values, dataset)
    every = _ORIGINAL.keys() & ours.every
    none = sum(ours.count(index) == 0 for index in _ORIGINAL)
    same = sum(misread.usual_answer(ours.wrong, index) == _ORIGINAL[index] for index in every)
    text = [
        f"Fig. 8 shows the {len(_ORIGINAL)} test digits that the network of 1998 misread: "
        f"{100 * len(_ORIGINAL) / digits:.2f} % of {digits:,}, so this is the network trained with "
        f"distortions ({facts.TEST_ERROR_DISTORTED} %), not that of Fig. 5 ({facts.TEST_ERROR} %), "
        f"and its fair partner here is the recipe {PARTNER}. The images were found in MNIST's test "
        "set by their pixels; the answers are those printed under them.",
        "That networks misread the same digits far beyond chance only says that some digits are "
        "hard for every reader. The fair measure is how much networks share that differ in nothing "
        f"but the seed: {_given_difficulty(ours)}",
        f"Of the {len(_ORIGINAL)}, every seed of {PARTNER} ({ours.misread.seeds}) misreads "
        f"{len(every)}, {same} of them usually with the answer of 1998, and no seed misreads "
        f"{none}. Every seed misreads {len(ours.every) - len(every)} more, which 1998 read right. "
        "The more seeds, the fewer digits are left at these ends.",
    ]
    what = f"Fig. 8: misread digits that 1998 misread too, of its {len(_ORIGINAL)}"
    shared = f"{ours.shared.mean:.1f} ({ours.by_chance(digits).mean:.1f} by chance)"
    verdict = "beyond chance" if ours.log10_probability(digits) < log10(0.05) else ""
    conclusions = [
        Conclusion(what, "–", shared, verdict),
        Conclusion("the same wrong answer there", "–", _same_answer(ours.with_1998)),
    ]
    tables = [_overlaps(values, with_1998=True), _difficulty(values), _both_ends(ours)]
    return Section(
        "", text, tables, _plots(values, dataset), conclusions=conclusions, claims=[_claim(ours)]
    )


def _claim(ours: Seeds) -> Claim:
    """What most networks misread is hard to read; whether it is ambiguous, only eyes can say."""
    counts = [ours.count(index) for index in _ORIGINAL]
    half = sum(2 * count >= len(ours.wrong) for count in counts)
    measured = (
        f"of the {len(counts)}, at least half of {ours.misread.seeds} misread {half}, none "
        f"{counts.count(0)}; of all test digits, a seed misreads {ours.misread.mean:.0f}"
    )
    return Claim(23, measured, "not contradicted" if 2 * half > len(counts) else "in part")


def _without_1998(values: Values, dataset: Dataset) -> Section:
    ours = values.recipes[PARTNER]
    text = (
        f"The {len(_ORIGINAL)} digits of Fig. 8 are among all test digits of MNIST. These are not "
        f"they ({dataset.name}), so nothing can be said of 1998 here; what follows is ours alone."
    )
    every, shown = ours.every, []
    if every:
        labels = dataset.test_labels.tolist()
        notes = [f"{labels[index]}→{ours.answer(index, labels[index])}" for index in every]
        sheet = ("Misread", dataset.name, dataset.test_images[every], notes, _COLUMNS)
        caption = f"The test digits that every seed of {PARTNER} misreads: label→usual answer."
        shown.append(Plot("fig08-every-seed", plots.digit_sheet(*sheet), caption))
    return Section(text=[text], tables=[_overlaps(values, with_1998=False)], plots=shown)


def _same_answer(pairs: _Pairs) -> str:
    percent = misread.same_answer_percent(pairs)
    return "none" if percent is None else f"{percent:.0f} %"


def _overlap(pairs: _Pairs) -> Spread:
    return Spread(tuple(misread.overlap_percent(*pair) for pair in pairs))


def _probability(ours: Seeds, digits: int) -> str:
    exponent = ours.log10_probability(digits)
    return f"10^{exponent:.0f}" if exponent < -3 else f"{10**exponent:.2g}"


def _given_difficulty(ours: Seeds) -> str:
    if not ours.pairs:
        return "a single seed can't show it."
    own, with_1998 = _overlap(ours.pairs), _overlap(ours.with_1998)
    rank, networks = misread.rank_among(_ORIGINAL, ours.wrong), 1 + len(ours.wrong)
    verdict = "by these digits the network of 1998 can't be told from one more seed of ours."
    if networks < _ENOUGH:
        verdict = f"with {networks} networks nothing follows."
    elif rank == networks:
        verdict = f"a last place comes by chance 1 time in {networks}: a hint, not a proof."
    return (
        f"two seeds overlap in {own.mean:.1f} % (digits that both misread, as a percentage of the "
        f"mean of the two sets), a seed and 1998 in {with_1998.mean:.1f} %. Ordered by the mean "
        f"overlap of each with all the others, the network of 1998 is number {rank} of {networks}. "
        f"One more seed of ours would have any of these places by the same chance, so {verdict}"
    )


def _overlaps(values: Values, *, with_1998: bool) -> Table:
    digits = values.digits
    cells = {"misread": lambda ours: ours.misread.mean_in_words(1)}
    if with_1998:
        cells |= {
            "of these in 1998": lambda ours: ours.shared.mean_in_words(1),
            "of these in 1998, by chance": lambda ours: ours.by_chance(digits).mean_in_words(1),
            "probability of as many by chance, at most": lambda ours: _probability(ours, digits),
            "overlap with 1998 (%)": lambda ours: _overlap(ours.with_1998).mean_in_words(1),
            "same wrong answer as 1998": lambda ours: _same_answer(ours.with_1998),
        }
    if values.recipes[PARTNER].pairs:
        cells |= {
            "overlap of two seeds (%)": lambda ours: _overlap(ours.pairs).mean_in_words(1),
            "same wrong answer, two seeds": lambda ours: _same_answer(ours.pairs),
        }
    cells["misread by every seed"] = lambda ours: str(len(ours.every))
    rows = [(title, *map(cell, values.recipes.values())) for title, cell in cells.items()]
    caption = "Misread test digits: mean ± standard deviation over seeds, or pairs of them."
    return Table(caption, ("", *values.recipes), rows)


def _difficulty(values: Values) -> Table:
    rows = []
    for name, ours in values.recipes.items():
        for group in misread.by_difficulty(ours.wrong, _ORIGINAL, values.digits):
            others = str(group.low) if group.low == group.high else f"{group.low} to {group.high}"
            row = [f"{name}, by {others}", f"{group.digits:,.1f}"]
            for count in (group.by_seed, group.by_other):
                percent = float(f"{100 * count / group.digits:.2g}")
                row.append(f"{count:.1f} ({percent:g} %)")
            rows.append(row)
    caption = (
        "Test digits by how many of the other seeds misread them; of these, misread by the seed "
        "left out, and in 1998 (means over the seed left out)."
    )
    return Table(caption, ("misread", "digits", "by one more seed", "in 1998"), rows)


def _both_ends(ours: Seeds) -> Table:
    columns = {
        "label": lambda digit: str(digit.label),
        "1998": lambda digit: str(digit.answer),
        "ours": lambda digit: str(ours.answer(digit.index, digit.label)),
        "seeds misreading": lambda digit: str(ours.count(digit.index)),
    }
    ends = {
        str(digit.index): digit
        for digit in ours.by_seeds
        if ours.count(digit.index) in (0, len(ours.wrong))
    }
    caption = (
        f"The digits of Fig. 8 that every seed of {PARTNER} misreads, and those that no seed does."
    )
    return Table.of(caption, "MNIST test digit", ends, columns)


def _plots(values: Values, dataset: Dataset) -> list[Plot]:
    ours = values.recipes[PARTNER]
    drawn = [_overlap_plot(values, dataset)]
    for too, title in ((True, "Misread in 1998 and here"), (False, "Misread in 1998 only")):
        digits = [digit for digit in ours.by_seeds if (ours.count(digit.index) > 0) == too]
        if not digits:
            continue
        notes = [
            f"{digit.label}→{digit.answer}→{ours.answer(digit.index, digit.label)}"
            + (f"\n{ours.count(digit.index)} of {len(ours.wrong)}" if too else "")
            for digit in digits
        ]
        images = dataset.test_images[[digit.index for digit in digits]]
        figure = plots.digit_sheet(title, dataset.name, images, notes, _COLUMNS)
        who = f"some seed of {PARTNER} misreads too" if too else f"no seed of {PARTNER} misreads"
        third = "our most frequent wrong answer; below, how many seeds" if too else "ours"
        caption = f"The {len(digits)} digits of Fig. 8 that {who}: label→answer of 1998→{third}."
        drawn.append(Plot("fig08-shared" if too else "fig08-only-1998", figure, caption))
    return drawn


def _overlap_plot(values: Values, dataset: Dataset) -> Plot:
    rows = {}
    for name, ours in values.recipes.items():
        rows[f"{name}\nand 1998"] = _overlap(ours.with_1998).values
        if ours.pairs:
            rows[f"two seeds of\n{name}"] = _overlap(ours.pairs).values
    each = len(rows) // len(values.recipes)
    colours = [*[plots.RED] * each, *[plots.BLUE] * each, plots.QUIET]
    # Of sets of these sizes drawn at random: what both hold, of the mean of the two.
    rows["by chance"] = tuple(
        200 * ours.by_chance(values.digits).mean / (ours.misread.mean + len(_ORIGINAL))
        for ours in values.recipes.values()
    )
    figure, axes = plots.plot("Misread digits shared", dataset.name, 0.7 + 0.5 * len(rows))
    plots.dots(axes, rows, colours)
    axes.set(xlabel="misread by both (%)", xlim=(0, None))
    caption = "Digits that both of two networks misread; by chance: sets of these sizes at random."
    return Plot("fig08-overlap", figure, caption)


_TITLE = "Fig. 8: the digits misread in 1998 and here"
_TRAINED = [preset(PARTNER)]
FIG08 = Experiment("fig08", _TITLE, _TRAINED, Values, _measure, _present, seeds=20)
