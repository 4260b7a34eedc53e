"""What several seeds say: their spread, and what tells two of them from chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev

__all__ = ["Paired", "Spread", "holm", "listed"]


@dataclass(frozen=True)
class Spread:
    """A value of each seed, such as its error in percent."""

    values: tuple[float, ...]  # at least one

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of values rounded to four digits, as they are kept."""
        return cls(tuple(round(float(value), 4) for value in values))

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """The standard deviation between the seeds; None for one seed."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def greatest(self) -> float:
        return max(self.values)

    @property
    def seeds(self) -> str:
        """How many, in words."""
        count = len(self.values)
        return f"{count} seed{'s' if count > 1 else ''}"

    def mean_in_words(self, digits: int = 2) -> str:
        """Mean and standard deviation: "0.84 ± 0.03"."""
        between = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{between}"

    def in_words(self, digits: int = 2) -> str:
        """Mean, standard deviation and how many: "0.84 ± 0.03 % (5 seeds)"."""
        return f"{self.mean_in_words(digits)} % ({self.seeds})"

    def range_in_words(self, digits: int = 2) -> str:
        """The least and the greatest: "0.80–0.91"."""
        return f"{self.least:.{digits}f}–{self.greatest:.{digits}f}"

    def mean_and_range_in_words(self, digits: int = 2) -> str:
        """Mean, and the range in brackets: "0.84 (0.80–0.91)"."""
        return f"{self.mean:.{digits}f} ({self.range_in_words(digits)})"


@dataclass(frozen=True)
class Paired:
    """What the seeds of two recipes say about their difference, seed by seed."""

    gains: tuple[float, ...]  # of each seed, how much larger the other's value is, in points

    @classmethod
    def of(cls, ours: Sequence[float], others: Sequence[float]) -> Paired:
        """Of two recipes' values of the same seeds, such as test errors in percent."""
        return cls(tuple(round(other - one, 4) for one, other in zip(ours, others, strict=True)))

    @property
    def mean(self) -> float:
        return fmean(self.gains)

    @cached_property
    def _students(self) -> tuple[tuple[float, float], float] | None:
        if len(self.gains) < 2 or stdev(self.gains) == 0:
            return None
        from scipy.stats import ttest_1samp  # slow to import

        test = ttest_1samp(self.gains, 0)
        low, high = test.confidence_interval(0.95)
        return (float(low), float(high)), float(test.pvalue)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the mean, 95 % (Student's t); None where one seed, or seeds that agree, cannot say."""
        return None if self._students is None else self._students[0]

    @property
    def p(self) -> float | None:
        """The probability of a mean as far from 0 by chance alone; None as for `interval`."""
        return None if self._students is None else self._students[1]

    @property
    def verdict(self) -> str:
        """Of a change: `"worse"`, `"better"` (both beyond chance), `"same"`; `""`: nothing says."""
        if self.interval is None:
            return ""
        low, high = self.interval
        return "worse" if low > 0 else "better" if high < 0 else "same"

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the 95 % interval leaves 0 out."""
        return self.verdict in ("worse", "better")

    def interval_in_words(self, digits: int = 2) -> str:
        """The 95 % interval, "+0.02 to +0.31"; a dash where there is none."""
        if self.interval is None:
            return "–"
        low, high = self.interval
        return f"{low:+.{digits}f} to {high:+.{digits}f}"


def holm(probabilities: Sequence[float]) -> list[float]:
    """Probabilities by chance of several comparisons, corrected for how many there are (Holm).

    Where none of them is anything but chance, one falls below 0.05 in 5 % of such families.
    """
    corrected, least = [0.0] * len(probabilities), 0.0
    ranked = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    for rank, place in enumerate(ranked):
        least = max(least, min(1.0, (len(ranked) - rank) * probabilities[place]))
        corrected[place] = least
    return corrected


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
