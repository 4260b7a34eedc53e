"""The pictures of `lenet1998 compare`: errors, robustness, rejection, calibration, misreadings.

Figures are 5 inches wide, to stay readable on a page as narrow as a phone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lenet1998.certainty import REJECTED_PERCENT, TARGET_PERCENT
from lenet1998.report import plain_axes, titled

if TYPE_CHECKING:
    from lenet1998.comparison import Comparison

_WIDTH = 5.0  # inches
_COLOURS = ("#b5403a", "#2f6690", "#4f7f52", "#a87b2d", "#7b5c9e", "#666666", "#3a9a9a")
_MARKERS = ("o", "s", "^", "v", "D", "P", "X")
_AXES = {
    "noise": ("pixels inverted (%)", 100),
    "shift": ("moved by (pixels)", 1),
    "rotation": ("turned by (degrees)", 1),
}
"""What each disturbance is called, and how its extent is scaled for the axis."""

_FEWEST_IN_BIN = 10  # a bin of fewer digits says nothing


def draw_errors(comparison: Comparison, paper_error_percent: float | None) -> Figure:
    """The test error of each network: every seed, their mean, and the network measured.

    Args:
        comparison: what to draw.
        paper_error_percent: drawn as a line; None where the digits are not the paper's.
    """
    count = len(comparison.networks)
    greatest = 0.0
    figure = Figure(figsize=(_WIDTH, 1.3 + 0.42 * count), layout="constrained")
    axes = figure.add_subplot()
    for row, measures in enumerate(comparison.networks):
        colour = _COLOURS[row % len(_COLOURS)]
        if measures.seeds is not None:
            errors = measures.seeds.test_error_percent
            axes.plot(errors, [row] * len(errors), "o", mfc="none", color=colour)
            mean = measures.seeds.mean
            greatest = max(greatest, *errors)
            axes.plot([mean, mean], [row - 0.28, row + 0.28], color=colour, linewidth=2)
        axes.plot(measures.test_error_percent, row, "o", color=colour)
        greatest = max(greatest, measures.test_error_percent)
    if paper_error_percent is not None:
        axes.axvline(paper_error_percent, color="#222222", linewidth=1, linestyle=":")
        axes.annotate(
            f"1998: {paper_error_percent:.2f}",
            (paper_error_percent, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, 2),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_yticks(range(count), [measures.name for measures in comparison.networks])
    axes.set(xlabel="test error (%)", ylim=(count - 0.4, -0.6))
    axes.set_xlim(0, 1.06 * max(greatest, paper_error_percent or 0.1))
    plain_axes(axes)
    figure.suptitle(titled("Test error", comparison.dataset), fontsize=11)
    return figure


def draw_robustness(comparison: Comparison) -> Figure:
    """Error against noise, shift and rotation, one panel for each."""
    kinds = comparison.disturbances
    figure = Figure(figsize=(_WIDTH, 2.5 * len(kinds) + 0.9), layout="constrained")
    panels = figure.subplots(len(kinds), 1, squeeze=False)[:, 0]
    for axes, (kind, extents) in zip(panels, kinds.items(), strict=True):
        label, scale = _AXES[kind]
        for row, measures in enumerate(comparison.networks):
            axes.plot(
                [scale * extent for extent in extents],
                measures.robustness[kind],
                label=measures.name,
                marker=_MARKERS[row % len(_MARKERS)],
                markersize=4,
                color=_COLOURS[row % len(_COLOURS)],
            )
        axes.set(xlabel=label, ylabel="error (%)", ylim=(0, 100))
        plain_axes(axes)
    _legend(figure, panels[0])
    _title(figure, "Disturbed digits", comparison)
    return figure


def draw_rejection(comparison: Comparison) -> Figure:
    """The error left among the digits that are not rejected."""
    figure = Figure(figsize=(_WIDTH, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for row, measures in enumerate(comparison.networks):
        axes.plot(
            REJECTED_PERCENT,
            measures.rejection.error_percent,
            color=_COLOURS[row % len(_COLOURS)],
            label=measures.name,
        )
    axes.axhline(TARGET_PERCENT, color="#222222", linewidth=1, linestyle=":")
    axes.set(xlabel="rejected (%)", ylabel="error of the others (%)", xlim=(0, None))
    axes.set_ylim(0, None)
    plain_axes(axes)
    _legend(figure, axes)
    _title(figure, "Rejection", comparison)
    return figure


def draw_calibration(comparison: Comparison) -> Figure:
    """How many answers are right, against the probability that the networks give them."""
    figure = Figure(figsize=(_WIDTH, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot((0, 100), (0, 100), color="#222222", linewidth=1, linestyle=":")
    for row, measures in enumerate(comparison.networks):
        filled = [one for one in measures.calibration.bins if one[0] >= _FEWEST_IN_BIN]
        axes.plot(
            [100 * confidence for _, confidence, _ in filled],
            [100 * share for _, _, share in filled],
            marker=_MARKERS[row % len(_MARKERS)],
            markersize=5,
            color=_COLOURS[row % len(_COLOURS)],
            label=measures.name,
        )
    axes.set(xlabel="probability of the answer (%)", ylabel="answers that are right (%)")
    axes.set(xlim=(20, 102), ylim=(0, 102))
    plain_axes(axes)
    _legend(figure, axes)
    _title(figure, "Calibration", comparison)
    return figure


def draw_shared(comparison: Comparison) -> Figure:
    """How many test digits each two networks both misread; on the diagonal, each alone."""
    names = [measures.name for measures in comparison.networks]
    figure = Figure(figsize=(_WIDTH, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(comparison.shared, cmap="Blues", vmin=0)
    largest = max(max(row) for row in comparison.shared)
    for i, row in enumerate(comparison.shared):
        for k, count in enumerate(row):
            axes.text(
                k,
                i,
                str(count),
                ha="center",
                va="center",
                weight="bold" if i == k else "normal",
                color="white" if count > 0.6 * largest else "#222222",
            )
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_xticks(range(len(names)), names, fontsize=9, rotation=35, ha="right")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    _title(figure, "Misread by both", comparison)
    return figure


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)


def _title(figure: Figure, what: str, comparison: Comparison) -> None:
    figure.suptitle(titled(what, comparison.dataset), fontsize=11)
