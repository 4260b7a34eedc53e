"""How far chance moves an error: other people might have written the digits, other seeds learnt.

An interval from the number of digits alone takes each digit for a trial of its own. But a person
writes many, and those of one hand are misread together; and networks differ by their seeds. Here
writers, each with all of their digits, and seeds are both drawn anew, with replacement, many times
over (the bootstrap of two crossed factors). Few seeds vary less than new ones would, n of them in
variance by (n - 1) / n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

__all__ = ["RESAMPLES", "Resampled", "error_percent", "gain_points"]

RESAMPLES = 10_000


@dataclass(frozen=True)
class Resampled:
    """A mean over seeds and digits, in percent or points, and where draws of them anew lie."""

    mean: float
    deviation: float  # standard, of the mean
    interval: tuple[float, float]  # 95 %
    p: float | None = None  # of a difference: probability of one as far from 0 by chance, two-sided

    def in_words(self, digits: int = 2) -> str:
        """Mean and interval: "0.84 (0.66–1.05)"."""
        low, high = self.interval
        return f"{self.mean:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def error_percent(wrong: Tensor, writers: Tensor | None) -> Resampled:
    """The mean error of a recipe's seeds.

    Args:
        wrong: `(seeds, N)` bool: which digits each seed misreads.
        writers: `(N,)`, a number for each person; None, where they are not known, draws digits.

    Raises:
        ValueError: for no seed or digit, or for writers of another number.
    """
    return _summary(wrong.numpy().astype(int), writers)


def gain_points(ours: Tensor, others: Tensor, writers: Tensor | None) -> Resampled:
    """How much lower our mean error is than the other recipe's, in points.

    Both are `(seeds, N)` as for `error_percent`, of the same seeds in the same order: each draw
    takes the same writers and seeds of both. Errors as there, and for matrices of different shapes.
    """
    if ours.shape != others.shape:
        shapes = f"{tuple(ours.shape)} and {tuple(others.shape)}"
        raise ValueError(f"expected the same seeds and digits of both recipes, got {shapes}")
    return _summary(others.numpy().astype(int) - ours.numpy(), writers, is_difference=True)


def _summary(
    values: npt.NDArray[Any], writers: Tensor | None, *, is_difference: bool = False
) -> Resampled:
    """Of the mean of `values`, `(seeds, N)` whole numbers."""
    if values.ndim != 2 or not values.size:
        raise ValueError(f"expected seeds x digits, at least one of each, got {values.shape}")
    if writers is not None and writers.shape != values.shape[1:]:
        got = tuple(writers.shape)
        raise ValueError(f"expected a writer for each of {values.shape[1]} digits, got {got}")
    means = _drawn_means(values, None if writers is None else writers.numpy())
    low, high = np.quantile(means, (0.025, 0.975))
    beyond = min((means <= 0).sum(), (means >= 0).sum())  # on the far side of 0
    return Resampled(
        mean=round(100 * float(values.mean()), 4),
        deviation=round(float(means.std(ddof=1)), 4),
        interval=(round(float(low), 4), round(float(high), 4)),
        p=round(min(1.0, 2 * float(beyond + 1) / (RESAMPLES + 1)), 5) if is_difference else None,
    )


def _drawn_means(
    values: npt.NDArray[Any], writers: npt.NDArray[Any] | None
) -> npt.NDArray[np.float64]:
    """`(RESAMPLES,)`: a hundred times the mean of each draw; the same draws each time."""
    seeds, digits = values.shape
    of = np.arange(digits) if writers is None else np.unique(writers, return_inverse=True)[1]
    # A column for each writer: the sum of each seed, and how many digits.
    sums = np.stack([np.bincount(of, weights=row) for row in (*values, np.ones(digits))])
    # Writers whose columns are alike, as most are that wrote one digit, are drawn together; in the
    # order in which they first appear, so that swapping the recipes of a difference swaps its sign.
    columns, first, alike = np.unique(sums, axis=1, return_index=True, return_counts=True)
    order = first.argsort()
    columns, alike = columns[:, order], alike[order]
    generator = np.random.default_rng(0)
    times_seed = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES)
    times_writer = generator.multinomial(alike.sum(), alike / alike.sum(), size=RESAMPLES)
    *of_seeds, drawn = columns @ times_writer.T
    means: npt.NDArray[np.float64] = 100 * (times_seed.T * of_seeds).sum(0) / (seeds * drawn)
    return means
