"""Pictures of a network at work: its maps, its first kernels, the digits that it misreads.

Each function returns a matplotlib `Figure` that belongs to the caller alone (pyplot keeps no hold
of it); `figure.savefig("maps.png")` writes it. Figures are 5 inches wide, to stay readable on a
page as narrow as a phone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lenet1998 import codes
from lenet1998.data.normalisation import PADDING
from lenet1998.layers import Squash
from lenet1998.models import LeNet5Classic
from lenet1998.models.base import ClassicNetwork
from lenet1998.models.checks import BACKGROUND, INK

MOST_DIGITS = 160
"""How many misread digits one figure shows at most."""

_COLOURS = "RdBu"  # states and weights: red below 0, white at 0, blue above
_STATES = (-Squash.AMPLITUDE, Squash.AMPLITUDE)
_WIDTH = 5.0  # inches, 100 units of a sheet
_TEXT, _QUIET, _FRAME = "#222222", "#666666", "#bbbbbb"


def layer_maps(net: LeNet5Classic, image: Tensor, *, verdict: str | None = None) -> Figure:
    """What every layer makes of one image, from the input to the ten penalties (as in Fig. 2).

    All states share one colour scale. F6 is drawn as its 7x12 picture, beside the ten codes of
    Fig. 3 that it is compared with; under each code stands its penalty (eq. 7).

    Args:
        net: the network.
        image: `(1, 1, 32, 32)`, background -0.1 to ink 1.175.
        verdict: written under the input, such as "not a digit"; by default the digit with the
            smallest penalty.

    Raises:
        ValueError: for another shape or dtype, or more than one image.
    """
    if len(image) != 1:
        raise ValueError(f"layer_maps draws one image at a time, got {len(image)}")
    states, penalties = _run(net, image)
    answer = int(penalties.argmin())
    bitmap = (codes.ROWS, codes.COLUMNS)

    figure, sheet = empty_sheet(height=174)
    _caption(sheet, 3, 6, "Input", "32×32")
    draw_tile(sheet, image[0, 0], 3, 8, 29, 29)
    verdict = verdict or f"reads {answer}"
    sheet.text(17.5, 43, verdict, ha="center", va="center", size=13, color=_TEXT)
    _caption(sheet, 37, 6, "C1", "6 maps, 28×28")
    _row_of_tiles(sheet, states["c1"][:3], 37, 8, width=60, gap=1.5)
    _row_of_tiles(sheet, states["c1"][3:], 37, 28.5, width=60, gap=1.5)
    _caption(sheet, 3, 53, "S2", "6 maps, 14×14")
    _row_of_tiles(sheet, states["s2"], 3, 55, width=94, gap=2)
    _caption(sheet, 3, 75, "C3", "16 maps, 10×10")
    _row_of_tiles(sheet, states["c3"][:8], 3, 77, width=94, gap=1.5)
    _row_of_tiles(sheet, states["c3"][8:], 3, 89, width=94, gap=1.5)
    _caption(sheet, 3, 105, "S4", "16 maps, 5×5")
    _row_of_tiles(sheet, states["s4"], 3, 107, width=94, gap=1)
    _caption(sheet, 3, 118, "C5", "120 units")
    draw_tile(sheet, states["c5"].view(1, -1), 3, 120, 94, 3.5)
    _caption(sheet, 3, 130, "F6", "84 units, 7×12")
    draw_tile(sheet, states["f6"].view(bitmap), 3, 132, 18.9, 32.4)
    _caption(sheet, 31, 130, "Output", "ten codes, their penalties: the smallest wins")
    for index, (centre, penalty) in enumerate(zip(net.output.centres, penalties, strict=True)):
        row, column = divmod(index, 5)
        x, y, wins = 31 + 14.6 * column, 132 + 17.6 * row, index == answer
        draw_tile(sheet, centre.view(bitmap), x, y, 7.7, 13.2, chosen=wins)
        _note(sheet, x - 1.8, y + 1.5, str(index), chosen=wins)
        _note(sheet, x + 3.85, y + 15, f"{penalty:.1f}", chosen=wins)
    _note(sheet, 50, 170, f"states: red {_STATES[0]:.2f}, white 0, blue +{_STATES[1]:.2f}")
    return figure


def first_layer_kernels(net: ClassicNetwork) -> Figure:
    """The six 5x5 kernels of C1 on one colour scale, each with its bias below."""
    state = net.state_dict()
    kernels, biases = state["c1.weight"][:, 0], state["c1.bias"]
    largest = float(kernels.abs().max())
    figure, sheet = empty_sheet(height=32)
    _caption(sheet, 3, 6, "C1", f"kernels: red -{largest:.2f}, white 0, blue +{largest:.2f}")
    side = _row_of_tiles(sheet, kernels, 3, 9, width=94, gap=2, limits=(-largest, largest))
    for index, bias in enumerate(biases):
        _note(sheet, 3 + index * (side + 2) + side / 2, 9 + side + 3, f"bias {bias:+.2f}")
    return figure


def misread_digits(
    images: Tensor, labels: Tensor, answers: Tensor, indices: Sequence[int], dataset_name: str
) -> Figure:
    """The digits that a network misreads (as in Fig. 8), under each "right label→answer".

    Beyond `MOST_DIGITS` of them only the first are drawn; the title gives the count in any case.

    Args:
        images: `(N, 1, 32, 32)`, the whole set, background -0.1 to ink 1.175.
        labels: `(N,)`, the right digits.
        answers: `(N,)`, the network's.
        indices: which of the N to show, in this order. All that are misread:
            `(answers != labels).nonzero().flatten().tolist()`.
        dataset_name: goes into the title (`Dataset.name`), so that no set passes for another.
    """
    columns = 12
    pitch = 94 / columns
    side, row_height = pitch - 1, pitch * 1.35
    shown = list(indices)[:MOST_DIGITS]
    figure, sheet = empty_sheet(height=10 + row_height * -(-len(shown) // columns))
    part = f", the first {len(shown)} shown" if len(shown) < len(indices) else ""
    count = f"{len(indices):,} of {len(labels):,} misread{part} (label→answer)"
    _caption(sheet, 3, 6, dataset_name, count)
    for place, index in enumerate(shown):
        row, column = divmod(place, columns)
        x, y = 3 + column * pitch, 9 + row * row_height
        digit = images[index, 0, PADDING:-PADDING, PADDING:-PADDING]
        draw_tile(sheet, digit, x, y, side, side, limits=(BACKGROUND, INK), colours="Greys")
        _note(sheet, x + side / 2, y + side + 1.8, f"{labels[index]}→{answers[index]}")
    return figure


def _run(net: LeNet5Classic, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The states of each layer by its name, without the batch's dimension, and the penalties."""
    states: list[Tensor] = []
    # Every layer's activation goes through the one squash, in order.
    hook = net.squash.register_forward_hook(lambda module, inputs, state: states.append(state[0]))
    try:
        with torch.no_grad():
            penalties = net(image)[0]
    finally:
        hook.remove()
    return dict(zip(net.TRAINED_LAYERS, states, strict=True)), penalties


def empty_sheet(height: float) -> tuple[Figure, Axes]:
    """An empty page to draw on, 100 units wide and `height` units high; y runs down."""
    figure = Figure(figsize=(_WIDTH, _WIDTH * height / 100), dpi=200, facecolor="white")
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set(xlim=(0, 100), ylim=(height, 0), autoscale_on=False)
    sheet.axis("off")
    return figure, sheet


def _caption(sheet: Axes, x: float, y: float, name: str, detail: str) -> None:
    title = sheet.annotate(name, (x, y), size=9.5, weight="bold", color=_TEXT)
    # Anchored to the name's right end, however wide that is.
    sheet.annotate(f"  {detail}", (1, 0), xycoords=title, va="bottom", size=8, color=_QUIET)


def _note(sheet: Axes, x: float, y: float, text: str, *, chosen: bool = False) -> None:
    weight, colour = ("bold", _TEXT) if chosen else ("normal", _QUIET)
    text = text.replace("-", "−")
    sheet.text(x, y, text, ha="center", va="center", size=7.5, weight=weight, color=colour)


def _row_of_tiles(
    sheet: Axes,
    maps: Tensor,
    x: float,
    y: float,
    *,
    width: float,
    gap: float,
    limits: tuple[float, float] = _STATES,
) -> float:
    """Square maps side by side over `width`; returns the side of one."""
    side = (width + gap) / len(maps) - gap
    for index, picture in enumerate(maps):
        draw_tile(sheet, picture, x + index * (side + gap), y, side, side, limits=limits)
    return side


def draw_tile(
    sheet: Axes,
    picture: Tensor,
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    limits: tuple[float, float] = _STATES,
    colours: str = _COLOURS,
    chosen: bool = False,
) -> None:
    """Draw one picture in its frame.

    Args:
        sheet: of `empty_sheet`.
        picture: `(H, W)`.
        x, y, width, height: of its frame, in the sheet's units.
        limits: the values at the two ends of the colours.
        colours: name of a matplotlib colour map.
        chosen: whether the frame stands out.
    """
    sheet.imshow(
        picture.numpy(),
        extent=(x, x + width, y + height, y),
        vmin=limits[0],
        vmax=limits[1],
        cmap=colours,
        interpolation="nearest",
        aspect="auto",
    )
    line, colour = (1.6, _TEXT) if chosen else (0.4, _FRAME)
    sheet.add_patch(Rectangle((x, y), width, height, fill=False, lw=line, ec=colour))
