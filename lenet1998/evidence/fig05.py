"""Fig. 5: training and test error of LeNet-5 against the passes through the training set."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


@dataclass(frozen=True)
class LearningCurve:
    """Errors in percent after each pass, from pass 1.

    Attributes:
        online_training: counted during the pass, on each pattern before its update.
        test: after the pass.
    """

    online_training: tuple[float, ...]
    test: tuple[float, ...]


def paper_curve() -> LearningCurve:
    """The 21 points of Fig. 5, measured from the figure's vector coordinates."""
    return _read("fig05_learning_curve.csv")


def _read(name: str) -> LearningCurve:
    text = (resources.files(__package__) / "paper" / name).read_text()
    rows = list(csv.DictReader(text.splitlines()))
    return LearningCurve(
        online_training=tuple(float(row["online_training_error_percent"]) for row in rows),
        test=tuple(float(row["test_error_percent"]) for row in rows),
    )


def draw(curves: Sequence[LearningCurve], dataset_name: str) -> Figure:
    """Our curves over the paper's points.

    Args:
        curves: one for each seed; their mean is drawn, and a band from the lowest to the highest.
        dataset_name: what they were measured on, put on the figure.

    Raises:
        ValueError: for no curve.
    """
    if not curves:
        raise ValueError("expected at least one learning curve to draw")
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    paper = paper_curve()
    for kind, label, colour in (
        ("test", "test", "#b5403a"),
        ("online_training", "training, on line", "#2f6690"),
    ):
        points = getattr(paper, kind)
        axes.plot(
            range(1, len(points) + 1), points, "o", mfc="none", color=colour, label=f"1998, {label}"
        )
        ours = [getattr(curve, kind) for curve in curves]
        passes = range(1, min(map(len, ours)) + 1)
        at_each = [[curve[number - 1] for curve in ours] for number in passes]
        here = "here" if len(ours) == 1 else f"here, mean of {len(ours)} seeds"
        axes.plot(
            passes, [sum(e) / len(e) for e in at_each], color=colour, label=f"{here}, {label}"
        )
        if len(ours) > 1:
            axes.fill_between(
                passes, [min(e) for e in at_each], [max(e) for e in at_each],
                color=colour, alpha=0.15, linewidth=0,
            )  # fmt: skip
    axes.set(
        xlabel="passes through the training set", ylabel="error (%)", xlim=(0, None), ylim=(0, None)
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"LeNet-5, learning curve (Fig. 5) — {dataset_name}", fontsize=11)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure
