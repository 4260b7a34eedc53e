"""How everything is drawn: one palette, one look of axes, and sheets of small pictures.

Figures belong to the caller alone (pyplot keeps no hold of them); `figure.savefig("maps.png")`
writes one. All are 5 inches wide, to stay readable on a page as narrow as a phone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import accumulate
from statistics import fmean
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from torch import Tensor

from lenet1998.data.field import BACKGROUND, INK, PADDING

WIDTH = 5.0  # inches

COLOURS = ("#b5403a", "#2f6690", "#4f7f52", "#a87b2d", "#7b5c9e", "#666666", "#3a9a9a", "#c26fa0")
"""Of networks, in their order; `style` adds a marker to each."""
RED, BLUE, GREEN = COLOURS[:3]
TEXT, QUIET, FRAME = "#222222", "#666666", "#bbbbbb"
_MARKERS = ("o", "s", "^", "v", "D", "P", "X", "*")
INK_LEVELS = (BACKGROUND, INK)

LOOK = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "font.size": 9,
    "grid.alpha": 0.25,
    "image.cmap": "Greys",
    "legend.frameon": False,
}
"""For what pyplot draws, such as in the notebooks: `plt.rcParams.update(LOOK)`."""


def png(figure: Figure) -> bytes:
    """A figure as a PNG file's content, the same bytes each time."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=160, metadata={"Software": None})
    return content.getvalue()


# Axes


def panels(what: str, digits: str, count: int, height: float) -> tuple[Figure, list[Axes]]:
    """Axes above one another, each so many inches high, under a title.

    It says what is shown, and names the digits, so that no set passes for another.
    """
    figure = Figure(figsize=(WIDTH, height * count + 0.4), layout="constrained")
    all_axes = list(figure.subplots(count, 1, squeeze=False)[:, 0])
    for axes in all_axes:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    # In lines that five inches hold.
    line = f"{what} — {digits}"
    title = line if len(line) <= 50 else "\n".join([what, *wrap(digits, 55)])
    figure.suptitle(title, fontsize=11)
    return figure, all_axes


def plot(what: str, digits: str, height: float = 3.8) -> tuple[Figure, Axes]:
    """One pair of axes, as `panels` makes them."""
    figure, (axes,) = panels(what, digits, 1, height)
    return figure, axes


def style(place: int) -> dict[str, Any]:
    """The colour and marker of the network at a place."""
    at = place % len(COLOURS)
    return {"color": COLOURS[at], "marker": _MARKERS[at]}


def whole_passes(axes: Axes) -> None:
    """Label the x axis with whole passes through the training set."""
    axes.set_xlabel("passes through the training set")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def log_percent(axis: XAxis | YAxis) -> None:
    """A logarithmic axis, labelled 0.5, 1, 2, 5, ... and not with powers of ten."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def legend_below(figure: Figure, axes: Axes) -> None:
    """The legend of one panel for all, below them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)


def level(axes: Axes, value: float, words: str = "", *, upright: bool = False) -> None:
    """A dotted line at a value of the y axis, or of the x axis where upright, with a word at it."""
    line = axes.axvline if upright else axes.axhline
    line(value, color=TEXT, linewidth=1, linestyle=":")
    if words and upright:
        axes.annotate(words, (value, 1), xycoords=("data", "axes fraction"), xytext=(4, 2),
                      textcoords="offset points", fontsize=8)  # fmt: skip
    elif words:
        axes.annotate(words, (1, value), xycoords=("axes fraction", "data"), xytext=(0, 3),
                      textcoords="offset points", fontsize=8, ha="right")  # fmt: skip


def band(
    axes: Axes, x: Sequence[float], of_seeds: Sequence[Sequence[float]], colour: str, label: str
) -> None:
    """The mean of the seeds as a line, and a band from the lowest to the highest.

    `of_seeds` has the values of each seed at the places `x`.
    """
    values = np.asarray(of_seeds, dtype=float)
    marker = "." if len(x) == 1 else ""  # a line of one point does not show
    axes.plot(x, values.mean(0), marker=marker, color=colour, label=label)
    if len(values) > 1:
        least, greatest = values.min(0), values.max(0)
        axes.fill_between(x, least, greatest, color=colour, alpha=0.15, linewidth=0)


def dots(
    axes: Axes,
    rows: Mapping[str, Sequence[float]],
    colours: Sequence[str] = (BLUE,),
    chosen: Mapping[str, float] | None = None,
) -> None:
    """A row for each name, from the top: every value as a circle, their mean as a stroke.

    A value that is `chosen`, by the name, is drawn full; colours are repeated as need be.
    """
    for place, (name, values) in enumerate(rows.items()):
        colour = colours[place % len(colours)]
        axes.plot(values, [place] * len(values), "o", mfc="none", color=colour, markersize=5)
        if values:
            axes.plot([fmean(values)] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2)
        if chosen and name in chosen:
            axes.plot(chosen[name], place, "o", color=colour, markersize=5)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)


def beyond(axes: Axes, place: int, words: str) -> None:
    """Say at the right of a row of `dots` what lies beyond the axes."""
    at = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "center"}
    axes.annotate(f"{words} →", (1, place), color=RED, **at)  # type: ignore[arg-type]


def row_height(rows: int) -> float:
    """Inches that `dots` of so many rows want."""
    return 0.8 + 0.34 * rows


# Sheets


def sheet(height: float) -> tuple[Figure, Axes]:
    """An empty page to draw on, 100 units wide and `height` units high; y runs down."""
    figure = Figure(figsize=(WIDTH, WIDTH * height / 100), dpi=200, facecolor="white")
    figure.set_layout_engine("none")  # whatever `rcParams` say: the axes fill the page
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 100), ylim=(height, 0), autoscale_on=False)
    axes.axis("off")
    return figure, axes


def heading(axes: Axes, x: float, y: float, name: str, detail: str) -> None:
    """A name in bold, and what there is to say of it."""
    title = axes.annotate(name, (x, y), size=9.5, weight="bold", color=TEXT)
    # Anchored to the name's right end, however wide that is.
    axes.annotate(f"  {detail}", (1, 0), xycoords=title, va="bottom", size=8, color=QUIET)


def note(axes: Axes, x: float, y: float, text: str, *, chosen: bool = False) -> None:
    """A few words around a place."""
    weight, colour = ("bold", TEXT) if chosen else ("normal", QUIET)
    text = text.replace("-", "−")
    axes.text(x, y, text, ha="center", va="center", size=7.5, weight=weight, color=colour)


def tile(
    axes: Axes,
    picture: Tensor,
    x: float,
    y: float,
    width: float,
    height: float | None = None,
    *,
    limits: tuple[float, float] = INK_LEVELS,
    colours: str = "Greys",
    chosen: bool = False,
) -> None:
    """Draw one picture, `(H, W)`, in its frame on a sheet, a square by default.

    `limits` are the values at the two ends of the colours; a chosen one's frame stands out.
    """
    height = width if height is None else height
    axes.imshow(
        picture.numpy(),
        extent=(x, x + width, y + height, y),
        clim=limits,
        cmap=colours,
        interpolation="nearest",
        aspect="auto",
    )
    line, colour = (1.6, TEXT) if chosen else (0.4, FRAME)
    axes.add_patch(Rectangle((x, y), width, height, fill=False, lw=line, ec=colour))


def digit_sheet(
    name: str, detail: str, images: Tensor, notes: Sequence[str], columns: int = 12
) -> Figure:
    """Digits, `(N, 1, 32, 32)`, in rows under a heading, each with its note below.

    The data set goes into the heading, so that no set passes for another.
    """
    shown = images[:, 0, PADDING:-PADDING, PADDING:-PADDING]
    return digit_groups([(name, detail, shown, [(text, False) for text in notes])], columns)


def digit_groups(
    groups: Sequence[tuple[str, str, Tensor, Sequence[tuple[str, bool]]]], columns: int
) -> Figure:
    """Groups of digits in rows: name and detail, `(N, H, W)`, N notes and whether each stands out.

    Without any notes there is no room for them.
    """
    pitch = 94 / columns
    lines = max((len(text.splitlines()) for *_, notes in groups for text, _ in notes), default=1)
    side, row = pitch - 1, pitch + 2.7 * lines
    heights = (9 + row * -(-len(notes) // columns) for *_, notes in groups)
    *tops, bottom = accumulate(heights, initial=0.0)
    figure, axes = sheet(height=bottom + 1)
    for top, (name, detail, images, notes) in zip(tops, groups, strict=True):
        heading(axes, 3, top + 6, name, detail)
        for place, (image, (text, chosen)) in enumerate(zip(images, notes, strict=True)):
            x, y = 3 + place % columns * pitch, top + 9 + place // columns * row
            tile(axes, image, x, y, side)
            note(axes, x + side / 2, y + side + 0.5 + 1.3 * lines, text, chosen=chosen)
    return figure
