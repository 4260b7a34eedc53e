"""What the seeds of a recipe can tell from chance."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from lenet1998.evidence.experiment import Values


def paired(ours: Sequence[float], others: Sequence[float]) -> Values:
    """What the seeds of two recipes say about their difference, seed by seed.

    Args:
        ours, others: test errors in percent, of the same seeds.

    Returns:
        The mean of `others - ours` in points, its 95 % interval (Student's t) and the probability
        of a mean as far from 0 by chance alone; None where one seed cannot say.
    """
    gains = [other - one for one, other in zip(ours, others, strict=True)]
    mean = fmean(gains)
    values: Values = {
        "gains": [round(gain, 4) for gain in gains],
        "mean": round(mean, 4),
        "interval": None,
        "p": None,
    }
    if len(gains) > 1 and stdev(gains) > 0:
        from scipy import stats  # slow to import

        error, student = stdev(gains) / sqrt(len(gains)), stats.t(len(gains) - 1)
        half = float(student.ppf(0.975)) * error
        values["interval"] = [round(mean - half, 4), round(mean + half, 4)]
        values["p"] = float(f"{2 * student.sf(abs(mean) / error):.2g}")
    return values


def verdict(pairs: Values) -> str:
    """What `paired(published, changed)` says of a change.

    Returns:
        `"worse"` or `"better"`, both beyond chance (95 %), `"same"`, or `""` where a single seed
        cannot say.
    """
    if pairs["interval"] is None:
        return ""
    low, high = pairs["interval"]
    return "worse" if low > 0 else "better" if high < 0 else "same"


def is_beyond_chance(pairs: Values) -> bool:
    """Whether what `paired` returns leaves 0 out of its 95 % interval."""
    return verdict(pairs) in ("worse", "better")


def interval_in_words(pairs: Values, digits: int = 2) -> str:
    """The 95 % interval of what `paired` returns, "+0.02 to +0.31"; a dash where there is none."""
    if pairs["interval"] is None:
        return "–"
    low, high = pairs["interval"]
    return f"{low:+.{digits}f} to {high:+.{digits}f}"
