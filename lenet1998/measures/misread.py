"""Which digits networks misread, and how far two of them misread the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeAlias

from torch import Tensor

__all__ = [
    "Difficulty", "Wrong", "by_difficulty", "log10_probability", "overlap_percent", "rank_among",
    "same_answer_percent", "usual_answer", "wrong_answers",
]  # fmt: skip

Wrong: TypeAlias = Mapping[int, int]
"""A network's wrong answers, by the index of the digit in the test set."""


def wrong_answers(answers: Tensor, labels: Tensor) -> dict[int, int]:
    """The answers, `(N,)`, that are not the labels, `(N,)`."""
    return {int(index): int(answers[index]) for index in (answers != labels).nonzero()}


def overlap_percent(first: Wrong, second: Wrong) -> float:
    """Digits that both misread, as a percentage of the mean of what either does (Dice)."""
    total = len(first) + len(second)
    return 200 * len(first.keys() & second.keys()) / total if total else 0.0


def same_answer_percent(pairs: Iterable[tuple[Wrong, Wrong]]) -> float | None:
    """Of the digits that both of a pair misread, those with the same answer; None of no digit."""
    both = ((a, b, a.keys() & b.keys()) for a, b in pairs)
    same = [a[index] == b[index] for a, b, indices in both for index in indices]
    return 100 * fmean(same) if same else None


def usual_answer(seeds: Sequence[Wrong], index: int) -> int | None:
    """The most frequent wrong answer to a digit, the first seed's of equals; None where none is."""
    answers = Counter(wrong[index] for wrong in seeds if index in wrong)
    return answers.most_common(1)[0][0] if answers else None


def log10_probability(shared: int, ours: int, theirs: int, digits: int) -> float:
    """The chance that random sets of these sizes share so many or more, as a power of ten."""
    from scipy.stats import hypergeom  # slow to import

    return float(hypergeom.logsf(shared - 1, digits, theirs, ours)) / math.log(10)


def rank_among(network: Wrong, seeds: Sequence[Wrong]) -> int:
    """The place of a network among our seeds, ordered by the mean overlap of each with all others.

    It is taken as one among equals. So if it differed from a seed in nothing, each place, from 1
    for the greatest overlap to one more than there are seeds, would have the same probability.
    """
    networks = [network, *seeds]

    def with_others(place: int) -> float:
        others = networks[:place] + networks[place + 1 :]
        return fmean(overlap_percent(networks[place], other) for other in others)

    return 1 + sum(with_others(place) >= with_others(0) for place in range(1, len(networks)))


@dataclass(frozen=True)
class Difficulty:
    """Digits that from `low` to `high` of the other seeds misread: means over the seed left out."""

    low: int
    high: int
    digits: float  # in the group
    by_seed: float  # of them, misread by the seed left out
    by_other: float  # and by another network


def by_difficulty(seeds: Sequence[Wrong], other: Wrong, digits: int) -> list[Difficulty]:
    """Whether another network misread what is hard for our seeds, as much as a seed does.

    Each seed in turn is left out, and the digits, of which there are so many, are grouped by how
    many of the other seeds misread them. Of each group, the seed left out misreads a share and the
    other network misreads a share: these are alike where that network is like one more seed. Groups
    without a digit are left out, for a single seed all.
    """
    most, total = len(seeds) - 1, Counter(index for wrong in seeds for index in wrong)
    groups = []
    for low, high in ((0, 0), (1, most // 2), (most // 2 + 1, most - 1), (most, most)):
        members = [
            {index for index in range(digits) if low <= total[index] - (index in wrong) <= high}
            for wrong in seeds
        ]
        if most and any(members):
            pairs = zip(members, seeds, strict=True)
            by_seed = fmean(len(group & wrong.keys()) for group, wrong in pairs)
            by_other = fmean(len(group & other.keys()) for group in members)
            groups.append(Difficulty(low, high, fmean(map(len, members)), by_seed, by_other))
    return groups
