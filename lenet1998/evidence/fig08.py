"""Fig. 8: the test digits that the network of 1998 misread, beside those that ours misread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.data.normalisation import PADDING
from lenet1998.evaluation import scores
from lenet1998.evidence.experiment import (
    Experiment,
    Picture,
    Runs,
    Section,
    Table,
    Values,
)
from lenet1998.evidence.misreadings import (
    Misreading,
    among_seeds,
    beside_1998,
    paper_misreadings,
    rank_of_1998,
)
from lenet1998.learning.recipe import preset
from lenet1998.models.checks import BACKGROUND, INK
from lenet1998.report import plain_axes, titled

RECIPES = ("paper", "paper-distorted")
PARTNER = "paper-distorted"
"""Whose runs the figure shows: 82 misread digits are 0.82 %, the error with distortions."""

_ENOUGH = 6  # networks, below which an order of them says nothing
_WIDTH = 5.0  # inches
_COLUMNS = 8  # of digits in a picture
_COLOURS = {"paper": "#2f6690", "paper-distorted": "#b5403a"}


def measure(runs: Runs, dataset: Dataset) -> Values:
    """Which test digits our networks misread, and how far they are those of 1998.

    On another set than MNIST the digits of 1998 are not there to compare with.
    """
    original = paper_misreadings() if dataset.name == MNIST else ()
    values: Values = {"digits": len(dataset.test_labels), "recipes": {}}
    for name in RECIPES:
        answers = torch.stack(
            [scores(run.net, dataset.test_images).argmin(1) for run in runs[name]]
        )
        of_recipe = among_seeds(answers, dataset.test_labels)
        if original:
            of_recipe["with_1998"] = beside_1998(answers, dataset.test_labels, original)
        values["recipes"][name] = of_recipe
    return values


def present(values: Values, dataset: Dataset) -> Section:
    """The section of Fig. 8, from what `measure` gave and the images of its data set."""
    if "with_1998" not in values["recipes"][PARTNER]:
        return _without_1998(values, dataset)
    recipes = values["recipes"]
    original = paper_misreadings()
    return Section(
        text=[
            f"Fig. 8 shows the {len(original)} test digits that the network of 1998 misread. They "
            f"are {100 * len(original) / values['digits']:.2f} % of {values['digits']:,}, so this "
            "is the network trained with distortions (0.8 %), not that of Fig. 5 (0.95 %): its "
            f"fair partner here is the recipe {PARTNER}. The images were found in MNIST's test set "
            "by their pixels; the answers are those printed under them.",
            *(_beside(name, recipes[name], len(original)) for name in RECIPES),
            _given_difficulty(recipes[PARTNER]),
            _ends(recipes[PARTNER], original),
        ],
        tables=[_overlaps(recipes), _difficulty(recipes), _both_ends(recipes[PARTNER], original)],
        pictures=_pictures(recipes, original, dataset),
        summary=[
            (
                f"Fig. 8: misread digits that 1998 misread too, of its {len(original)}",
                "–",
                f"{recipes[PARTNER]['with_1998']['shared']['mean']:.1f} "
                f"({recipes[PARTNER]['with_1998']['chance']['mean']:.1f} by chance)",
            ),
            (
                "the same wrong answer there",
                "–",
                _in_percent(recipes[PARTNER]["with_1998"]["same_answer_percent"]),
            ),
        ],
    )


def _without_1998(values: Values, dataset: Dataset) -> Section:
    ours = values["recipes"][PARTNER]
    every = ours["every_seed"]
    text = [
        f"The {len(paper_misreadings())} digits of Fig. 8 are among all test digits of MNIST. "
        f"These are not they ({dataset.name}), so nothing can be said of 1998 here; what follows "
        "is ours alone."
    ]
    if ours["pairs"] is not None:
        text.append(
            f"{PARTNER}, {_seeds(ours)}: two of them share {_count(ours['pairs']['shared'])} of "
            f"the {_count(ours['misread'])} digits that each misreads of {values['digits']:,}; "
            f"every seed misreads {len(every)}."
        )
    pictures = []
    if every:
        notes = [
            f"{dataset.test_labels[index]}→{answer}"
            for index, answer in zip(every, ours["usual_answers"], strict=True)
        ]
        pictures.append(
            Picture(
                "fig08-every-seed",
                draw_digits(dataset.test_images[every], notes, f"Misread — {dataset.name}"),
                f"The test digits that every seed of {PARTNER} misreads: label→most frequent "
                "answer.",
            )
        )
    return Section(text=text, tables=[_overlaps(values["recipes"])], pictures=pictures)


def _beside(name: str, ours: Values, count: int) -> str:
    then = ours["with_1998"]
    probability = then["log10_probability"]
    return (
        f"{name}, {_seeds(ours)}: each misreads {_count(ours['misread'])} test digits, and "
        f"{_count(then['shared'])} of the {count} are among them. Sets of these sizes drawn at "
        f"random would share {then['chance']['mean']:.2f}; the probability of sharing as many by "
        f"chance is {_power(probability['greatest'])} at the seed that shares least beyond chance "
        "(hypergeometric). Where both misread a digit, the wrong answer is the same in "
        f"{_in_percent(then['same_answer_percent'])} of the cases."
    )


def _given_difficulty(ours: Values) -> str:
    pairs, overlap = ours["pairs"], ours["with_1998"]["overlap_percent"]
    start = (
        "That only says that some digits are hard for every reader. The fair measure is how "
        "much networks share that differ in nothing but the seed"
    )
    if pairs is None:
        return f"{start}; a single seed can't show it."
    own = pairs["mean_overlap_percent"]
    networks = 1 + len(own["values"])
    rank = rank_of_1998(own["values"], overlap["values"])
    return (
        f"{start}. Of {PARTNER}, a seed and another overlap in {own['mean']:.1f} % (mean of each "
        f"seed with the others: {own['least']:.1f} to {own['greatest']:.1f} %), a seed and 1998 in "
        f"{overlap['mean']:.1f} % (digits that both misread, as a percentage of the mean of the "
        "two sets). Ordered by the mean overlap of each with all the others, the network of 1998 "
        f"is number {rank} of {networks}. One more seed of ours would have any of these places "
        f"with the same probability, so {_verdict(rank, networks)} Two seeds that misread the same "
        f"digit give the same wrong answer in {_in_percent(pairs['same_answer_percent'])} of the "
        "cases."
    )


def _verdict(rank: int, networks: int) -> str:
    if networks < _ENOUGH:
        return f"with {networks} networks nothing follows."
    if rank == networks:
        return (
            f"this, the last place, would come by chance 1 time in {networks}: the misread digits "
            "hint at a difference beyond the seed, and do not prove one."
        )
    return (
        "by the digits that it misread, the network of 1998 can't be told from one more seed of "
        "ours."
    )


def _ends(ours: Values, original: Sequence[Misreading]) -> str:
    every, none = _every_and_none(ours)
    same = sum(ours["with_1998"]["usual_answers"][at] == original[at].answer for at in every)
    return (
        f"Of the {len(original)}, every seed of {PARTNER} ({_seeds(ours)}) misreads {len(every)}, "
        f"{same} of them usually with the answer of 1998, and no seed misreads {len(none)}. Every "
        f"seed misreads {len(ours['every_seed']) - len(every)} more, which 1998 read right. The "
        "more seeds, the fewer digits are left at these ends."
    )


def _overlaps(recipes: Values) -> Table:
    def row(title: str, cell: Callable[[Values], str]) -> tuple[str, ...]:
        return (title, *(cell(recipes[name]) for name in RECIPES))

    rows = [row("misread", lambda ours: _count(ours["misread"]))]
    if "with_1998" in recipes[PARTNER]:
        rows += [
            row("of these in 1998", lambda ours: _count(ours["with_1998"]["shared"])),
            row("of these in 1998, by chance", lambda ours: _count(ours["with_1998"]["chance"])),
            row("overlap with 1998 (%)", lambda ours: _count(ours["with_1998"]["overlap_percent"])),
            row(
                "same wrong answer as 1998",
                lambda ours: _in_percent(ours["with_1998"]["same_answer_percent"]),
            ),
        ]
    if recipes[PARTNER]["pairs"] is not None:
        rows += [
            row("shared by two seeds", lambda ours: _count(ours["pairs"]["shared"])),
            row("overlap of two seeds (%)", lambda ours: _count(ours["pairs"]["overlap_percent"])),
            row(
                "same wrong answer, two seeds",
                lambda ours: _in_percent(ours["pairs"]["same_answer_percent"]),
            ),
        ]
    rows.append(row("misread by every seed", lambda ours: str(len(ours["every_seed"]))))
    return Table(
        caption="Misread test digits: mean ± standard deviation over seeds, or pairs of them.",
        header=("", *RECIPES),
        rows=rows,
    )


def _difficulty(recipes: Values) -> Table:
    rows = []
    for name in RECIPES:
        for group in recipes[name]["with_1998"]["by_difficulty"]:
            low, high = group["others"]
            rows.append(
                (
                    f"{name}, by {low if low == high else f'{low} to {high}'}",
                    f"{group['digits']:,.1f}",
                    f"{group['seed']:.1f} ({100 * group['seed'] / group['digits']:.2g} %)",
                    f"{group['1998']:.1f} ({100 * group['1998'] / group['digits']:.2g} %)",
                )
            )
    return Table(
        caption=(
            "Test digits by how many of the other seeds misread them; of these, misread by the "
            "seed left out, and in 1998 (means over the seed left out)."
        ),
        header=("misread", "digits", "by one more seed", "in 1998"),
        rows=rows,
    )


def _both_ends(ours: Values, original: Sequence[Misreading]) -> Table:
    then = ours["with_1998"]
    every, none = _every_and_none(ours)
    return Table(
        caption=(
            f"The digits of Fig. 8 that every seed of {PARTNER} misreads, and those that no seed "
            "does."
        ),
        header=("MNIST test digit", "label", "1998", "ours", "seeds misreading"),
        rows=[
            (
                str(original[at].index),
                str(original[at].label),
                str(original[at].answer),
                str(then["usual_answers"][at]),
                str(then["seeds_misreading"][at]),
            )
            for at in (*every, *none)
        ],
    )


def _pictures(
    recipes: Values, original: Sequence[Misreading], dataset: Dataset
) -> Sequence[Picture]:
    ours = recipes[PARTNER]
    then = ours["with_1998"]
    seeds = len(ours["misread"]["values"])
    counts, usual = then["seeds_misreading"], then["usual_answers"]
    by_count = sorted(range(len(original)), key=lambda at: -counts[at])  # stable: then by index
    shared = [at for at in by_count if counts[at]]
    _, none = _every_and_none(ours)

    def drawn(places: Sequence[int], title: str, *, with_counts: bool) -> Figure:
        notes = [
            f"{original[at].label}→{original[at].answer}→{usual[at]}"
            + (f"\n{counts[at]} of {seeds}" if with_counts else "")
            for at in places
        ]
        images = dataset.test_images[[original[at].index for at in places]]
        return draw_digits(images, notes, f"{title} — {dataset.name}")

    pictures = [
        Picture(
            "fig08-overlap",
            draw_overlaps(recipes, dataset.name),
            "How far the misread digits of two networks are the same: one of ours and that of "
            "1998, two of ours, and two sets of the same sizes drawn at random.",
        )
    ]
    if shared:
        pictures.append(
            Picture(
                "fig08-shared",
                drawn(shared, "Misread in 1998 and here", with_counts=True),
                f"The {len(shared)} digits of Fig. 8 that some seed of {PARTNER} misreads too: "
                "label→answer of 1998→our most frequent wrong answer; below, how many seeds.",
            )
        )
    if none:
        pictures.append(
            Picture(
                "fig08-only-1998",
                drawn(none, "Misread in 1998 only", with_counts=False),
                f"The {len(none)} digits of Fig. 8 that no seed of {PARTNER} misreads: "
                "label→answer of 1998→ours.",
            )
        )
    return pictures


def draw_digits(images: Tensor, notes: Sequence[str], title: str) -> Figure:
    """Digits in rows of eight, each with its note below.

    Args:
        images: `(N, 1, 32, 32)`, N >= 1, background -0.1 to ink 1.175.
        notes: N of them, of one or two lines.
        title: above all.
    """
    tile, lines = 0.92, 1 + max(note.count("\n") for note in notes)
    pitch, top = tile + 0.26 * lines, 0.5
    height = top + pitch * -(-len(notes) // _COLUMNS)
    figure = Figure(figsize=(_WIDTH, _WIDTH * height / _COLUMNS), facecolor="white")
    sheet = figure.add_axes((0, 0, 1, 1))
    for place, (image, note) in enumerate(zip(images, notes, strict=True)):
        row, column = divmod(place, _COLUMNS)
        x, y = column + (1 - tile) / 2, top + row * pitch
        sheet.imshow(
            image[0, PADDING:-PADDING, PADDING:-PADDING].numpy(),
            extent=(x, x + tile, y + tile, y),
            vmin=BACKGROUND,
            vmax=INK,
            cmap="Greys",
        )
        sheet.text(column + 0.5, y + tile, note, ha="center", va="top", size=8, linespacing=1.0)
    sheet.text(0.1, 0.12, title, va="top", size=10)
    sheet.set(xlim=(0, _COLUMNS), ylim=(height, 0), aspect="auto")
    sheet.axis("off")
    return figure


def draw_overlaps(recipes: Values, dataset_name: str) -> Figure:
    """The overlap of each pair of misread sets, as points in a row, and the mean as a line."""
    rows: list[tuple[str, Sequence[float], str]] = []
    for name in RECIPES:
        then, pairs, colour = recipes[name]["with_1998"], recipes[name]["pairs"], _COLOURS[name]
        rows.append((f"{name}\nand 1998", then["overlap_percent"]["values"], colour))
        if pairs is not None:
            rows.append((f"two seeds of\n{name}", pairs["overlap_percent"]["values"], colour))
    chance = [recipes[name]["with_1998"]["chance_overlap_percent"] for name in RECIPES]
    rows.append(("by chance", chance, "#666666"))
    figure = Figure(figsize=(_WIDTH, 1.1 + 0.5 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for place, (_, values, colour) in enumerate(rows):
        axes.plot(values, [place] * len(values), "o", mfc="none", color=colour, markersize=5)
        mean = fmean(values)
        axes.plot([mean, mean], [place - 0.3, place + 0.3], color=colour, linewidth=2)
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.set(xlabel="misread by both (%)", xlim=(0, None), ylim=(len(rows) - 0.5, -0.5))
    plain_axes(axes)
    figure.suptitle(titled("Misread digits shared", dataset_name), fontsize=11)
    return figure


def _every_and_none(ours: Values) -> tuple[list[int], list[int]]:
    """Places in Fig. 8's list of the digits that every seed misreads, and that none does."""
    counts, seeds = ours["with_1998"]["seeds_misreading"], len(ours["misread"]["values"])
    every = [at for at, count in enumerate(counts) if count == seeds]
    return every, [at for at, count in enumerate(counts) if count == 0]


def _in_percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.0f} %"


def _count(values: Values) -> str:
    deviation = values["standard_deviation"]
    return f"{values['mean']:.1f}" + ("" if deviation is None else f" ± {deviation:.1f}")


def _power(exponent: float) -> str:
    return f"10^{exponent:.0f}" if exponent < -3 else f"{10**exponent:.2g}"


def _seeds(ours: Values) -> str:
    count = len(ours["misread"]["values"])
    return f"{count} seed{'s' if count > 1 else ''}"


FIG08 = Experiment(
    name="fig08",
    title="Fig. 8: the digits misread in 1998 and here",
    recipes=tuple(preset(name) for name in RECIPES),
    measure=measure,
    present=present,
    seeds=6,
)
