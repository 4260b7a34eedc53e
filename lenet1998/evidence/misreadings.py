"""What networks misread, together and beside the network of 1998: counts, overlaps, chance."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import combinations
from statistics import fmean

import torch
from torch import Tensor

from lenet1998.evidence.experiment import Values, spread


@dataclass(frozen=True)
class Misreading:
    """A test digit of MNIST that the network of 1998 misread: its index, label and answer."""

    index: int
    label: int
    answer: int


@cache
def paper_misreadings() -> tuple[Misreading, ...]:
    """The 82 digits of Fig. 8, found among MNIST's test images by their pixels."""
    text = (resources.files(__package__) / "paper" / "fig08_misclassified.csv").read_text()
    return tuple(
        Misreading(int(row["mnist_test_index"]), int(row["true_label"]), int(row["lenet5_answer"]))
        for row in csv.DictReader(text.splitlines())
    )


def among_seeds(answers: Tensor, labels: Tensor) -> Values:
    """What the networks of one recipe misread together.

    Args:
        answers: `(seeds, N)`.
        labels: `(N,)`.

    Returns:
        `misread`: digits that each seed misreads; `every_seed`: the indices that all misread, with
        the `usual_answers`; `pairs`: of any two seeds, the digits `shared`, their `overlap_percent`
        and how often the wrong answer is the same, and of each seed its `mean_overlap_percent` with
        the others; None for a single seed.
    """
    wrong = answers != labels
    every = wrong.all(0).nonzero().flatten().tolist()
    pairs = list(combinations(range(len(answers)), 2))
    shared = [wrong[one] & wrong[other] for one, other in pairs]
    same = [
        shared_by & (answers[one] == answers[other])
        for shared_by, (one, other) in zip(shared, pairs, strict=True)
    ]
    overlaps = {pair: overlap_percent(*wrong[list(pair)]) for pair in pairs}
    return {
        "misread": spread(wrong.sum(1).tolist()),
        "every_seed": every,
        "usual_answers": [_usual_answer(answers[:, index], int(labels[index])) for index in every],
        "pairs": {
            "shared": spread([int(both.sum()) for both in shared]),
            "overlap_percent": spread(list(overlaps.values())),
            "mean_overlap_percent": spread(
                [
                    fmean(overlap for pair, overlap in overlaps.items() if seed in pair)
                    for seed in range(len(answers))
                ]
            ),
            "same_answer_percent": _percent(
                sum(int(both.sum()) for both in same), sum(int(both.sum()) for both in shared)
            ),
        }
        if pairs
        else None,
    }


def beside_1998(answers: Tensor, labels: Tensor, original: Sequence[Misreading]) -> Values:
    """How far the networks of one recipe misread what that of 1998 misread.

    Args:
        answers: `(seeds, N)`.
        labels: `(N,)`.
        original: what was misread in 1998, of the same N digits.

    Returns:
        For each seed the digits `shared` and the `overlap_percent`, beside what sets of these sizes
        share by `chance`, and the `log10_probability` of sharing as many by it; the
        `same_answer_percent` of what is shared; for each digit of `original`, in order, the
        `seeds_misreading` it and their `usual_answers`; and the table of `by_difficulty`.
    """
    wrong = answers != labels
    then = torch.zeros(len(labels), dtype=torch.bool)
    then[[one.index for one in original]] = True
    digits, misread = len(labels), wrong.sum(1).tolist()
    shared = (wrong & then).sum(1).tolist()
    chance = [len(original) * count / digits for count in misread]
    same = sum(int((answers[:, one.index] == one.answer).sum()) for one in original)
    return {
        "shared": spread(shared),
        "chance": spread(chance),
        "log10_probability": spread(
            [
                log10_probability(both, count, len(original), digits)
                for both, count in zip(shared, misread, strict=True)
            ]
        ),
        "overlap_percent": spread([overlap_percent(one, then) for one in wrong]),
        "chance_overlap_percent": round(
            100 * fmean(chance) / fmean((count + len(original)) / 2 for count in misread), 4
        ),
        "same_answer_percent": _percent(same, sum(shared)),
        "seeds_misreading": [int(wrong[:, one.index].sum()) for one in original],
        "usual_answers": [
            _usual_answer(answers[:, one.index], int(labels[one.index])) for one in original
        ],
        "by_difficulty": by_difficulty(wrong, then),
    }


def overlap_percent(one: Tensor, other: Tensor) -> float:
    """Digits that both misread, as a percentage of the mean of what either does (Dice)."""
    total = int(one.sum() + other.sum())
    return 200 * int((one & other).sum()) / total if total else 0.0


def rank_of_1998(overlaps: Sequence[float], with_1998: Sequence[float]) -> int:
    """The place of the network of 1998, ordered by mean overlap with all other networks.

    1998 is taken as one among equals: the mean of each seed is over the other seeds and 1998. So if
    it differed from a seed in nothing, each place would have the same probability.

    Args:
        overlaps: of each seed, the mean with the other seeds.
        with_1998: of each seed, that with the network of 1998.

    Returns:
        From 1, the greatest overlap, to one more than there are seeds.
    """
    others = len(overlaps)
    with_all = [
        ((others - 1) * mean + then) / others
        for mean, then in zip(overlaps, with_1998, strict=True)
    ]
    return 1 + others - sum(value < fmean(with_1998) for value in with_all)


def log10_probability(shared: int, ours: int, theirs: int, digits: int) -> float:
    """The chance that random sets of these sizes share so many or more, as a power of ten.

    The upper tail of the hypergeometric distribution; 0 is certain.
    """
    from scipy.stats import hypergeom

    return float(hypergeom.logsf(shared - 1, digits, theirs, ours)) / math.log(10)


def by_difficulty(wrong: Tensor, then: Tensor) -> list[Values]:
    """Whether 1998 misread what is hard for our seeds, no more and no less than a seed does.

    Each seed in turn is left out, and the digits are grouped by how many of the other seeds misread
    them. Of each group, the seed left out misreads a share and 1998 misread a share: these are
    alike where the network of 1998 is like one more seed.

    Args:
        wrong: `(seeds, N)` bool.
        then: `(N,)` bool, misread in 1998.

    Returns:
        A row for each group that is not empty: `others`, from and to how many of the other seeds;
        means over the seeds left out of the `digits` in it and of those misread by the `seed` and
        by `1998`. No rows for a single seed.
    """
    others = len(wrong) - 1
    if not others:
        return []
    counts = wrong.sum(0) - wrong.long()
    half = others // 2
    rows: list[Values] = []
    for low, high in ((0, 0), (1, half), (half + 1, others - 1), (others, others)):
        group = (counts >= low) & (counts <= high)
        if low <= high and bool(group.any()):
            rows.append(
                {
                    "others": [low, high],
                    "digits": _mean(group),
                    "seed": _mean(group & wrong),
                    "1998": _mean(group & then),
                }
            )
    return rows


def _usual_answer(answers: Tensor, label: int) -> int:
    """The most frequent wrong answer, the first seed's of equals; the label where none is wrong."""
    wrong = Counter(answer for answer in answers.tolist() if answer != label)
    return int(wrong.most_common(1)[0][0]) if wrong else label


def _mean(marked: Tensor) -> float:
    """Digits marked, `(seeds, N)`, as a mean over the seeds."""
    return round(marked.double().sum(1).mean().item(), 4)


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 4) if whole else None
