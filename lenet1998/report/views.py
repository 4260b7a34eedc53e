"""Pictures of a network at work: its maps, its first kernels, the digits that it misreads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lenet1998 import codes
from lenet1998.data import Dataset
from lenet1998.data.field import FIELD, check_images
from lenet1998.layers import Squash
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.classic import LeNet5Classic
from lenet1998.report import plots
from lenet1998.report.plots import TEXT, heading, note, sheet

__all__ = ["first_layer_kernels", "layer_maps", "line_of_outputs", "misread_digits"]

MOST_DIGITS = 160
"""How many misread digits one figure shows at most."""

MOST_COLUMNS = 320
"""Of a field that is drawn: about 16 digits."""

_LIMIT = Squash.AMPLITUDE  # of the states


def layer_maps(net: LeNet5Classic, image: Tensor, *, verdict: str | None = None) -> Figure:
    """What every layer makes of one image, from the input to the ten penalties (as in Fig. 2).

    All states share one colour scale. F6 is drawn as its 7x12 picture, beside the ten codes of
    Fig. 3 that it is compared with; under each code stands its penalty (eq. 7).

    Args:
        image: `(1, 1, 32, 32)`, background -0.1 to ink 1.175.
        verdict: written under the input, and no code is marked as the winner; by default the digit
            with the smallest penalty, which is.

    Raises:
        ValueError: for another shape or dtype, or more than one image.
    """
    if len(image) != 1:
        raise ValueError(f"layer_maps draws one image at a time, got {len(image)}")
    check_images(image, net.c1.weight.dtype, net.FIELD)
    states, state = {}, net.prepare(image)
    with torch.no_grad():
        for name in net.TRAINED_LAYERS:
            state = net.through(name, state)
            states[name] = state[0]
        penalties = net.output(state)[0]
    answer, bitmap = int(penalties.argmin()), (codes.ROWS, codes.COLUMNS)

    figure, page = sheet(height=174)
    heading(page, 3, 6, "Input", "32×32")
    _tile(page, image[0, 0], 3, 8, 29)
    said = verdict or f"reads {answer}"
    page.text(17.5, 43, said, ha="center", va="center", size=13, color=TEXT)
    heading(page, 37, 6, "C1", "6 maps, 28×28")
    _row_of_tiles(page, states["c1"][:3], 37, 8, width=60, gap=1.5)
    _row_of_tiles(page, states["c1"][3:], 37, 28.5, width=60, gap=1.5)
    heading(page, 3, 53, "S2", "6 maps, 14×14")
    _row_of_tiles(page, states["s2"], 3, 55, width=94, gap=2)
    heading(page, 3, 75, "C3", "16 maps, 10×10")
    _row_of_tiles(page, states["c3"][:8], 3, 77, width=94, gap=1.5)
    _row_of_tiles(page, states["c3"][8:], 3, 89, width=94, gap=1.5)
    heading(page, 3, 105, "S4", "16 maps, 5×5")
    _row_of_tiles(page, states["s4"], 3, 107, width=94, gap=1)
    heading(page, 3, 118, "C5", "120 units")
    _tile(page, states["c5"].view(1, -1), 3, 120, 94, 3.5)
    heading(page, 3, 130, "F6", "84 units, 7×12")
    _tile(page, states["f6"].view(bitmap), 3, 132, 18.9, 32.4)
    heading(page, 31, 130, "Output", "ten codes, their penalties: the smallest wins")
    for index, (centre, penalty) in enumerate(zip(net.output.centres, penalties, strict=True)):
        row, column = divmod(index, 5)
        x, y = 31 + 14.6 * column, 132 + 17.6 * row
        wins = index == answer and verdict is None
        _tile(page, centre.view(bitmap), x, y, 7.7, 13.2, chosen=wins)
        note(page, x - 1.8, y + 1.5, str(index), chosen=wins)
        note(page, x + 3.85, y + 15, f"{penalty:.1f}", chosen=wins)
    note(page, 50, 170, f"states: red -{_LIMIT:.2f}, white 0, blue +{_LIMIT:.2f}")
    return figure


def first_layer_kernels(net: ChainNetwork) -> Figure:
    """The six 5x5 kernels of C1 on one colour scale, each with its bias below."""
    state = net.state_dict()
    kernels, biases = state["c1.weight"][:, 0], state["c1.bias"]
    largest = float(kernels.abs().max())
    figure, page = sheet(height=32)
    heading(page, 3, 6, "C1", f"kernels: red -{largest:.2f}, white 0, blue +{largest:.2f}")
    side = _row_of_tiles(page, kernels, 3, 9, width=94, gap=2, limit=largest)
    for index, bias in enumerate(biases):
        note(page, 3 + index * (side + 2) + side / 2, 9 + side + 3, f"bias {bias:+.2f}")
    return figure


def misread_digits(dataset: Dataset, wrong: Mapping[int, int]) -> Figure:
    """Test digits that a network misreads (as in Fig. 8), under each "right label→answer".

    Beyond `MOST_DIGITS` of them only the first are drawn; the title gives the count in any case.

    Args:
        dataset: named in the title, so that no set passes for another.
        wrong: the answers by the digits' indices, as `measures.misread.wrong_answers` gives them.
    """
    labels, shown = dataset.test_labels, list(wrong)[:MOST_DIGITS]
    part = f", the first {len(shown)} shown" if len(shown) < len(wrong) else ""
    count = f"{len(wrong):,} of {len(labels):,} misread{part} (label→answer)"
    notes = [f"{labels[index]}→{wrong[index]}" for index in shown]
    return plots.digit_sheet(dataset.name, count, dataset.test_images[shown], notes)


def line_of_outputs(
    field: Tensor,
    states: Tensor,
    penalties: Tensor,
    characters: str,
    spelt: Sequence[tuple[str, int, int]],
) -> Figure:
    """What a space-displacement network puts out along a field (as in Fig. 25).

    From the top: the input, the states of F6 as bitmaps, the penalties of the classes (dark: small)
    with a path, and what this spells. Of a long field the first `MOST_COLUMNS` are drawn.

    Args:
        field: `(1, 1, 32, W)`.
        states: of F6, `(places, 84)`, every 4 pixels.
        penalties: `(classes, outputs)`, every 2 pixels.
        characters: of the classes.
        spelt: of each character of the path, its first output and the one after its last.
    """
    shown = field[..., :MOST_COLUMNS]
    width, side = shown.shape[-1], 94 / shown.shape[-1]
    outputs = (width - FIELD) // 2 + 1
    bitmaps = states[: (width - FIELD) // 4 + 1].view(-1, codes.ROWS, codes.COLUMNS)
    # Bitmaps lie 4 columns apart, and each in the middle of the 32 that it sees.
    wide, left = 3.6 * side, 3 + (FIELD / 2 - 1.8) * side
    tall, classes = wide * codes.ROWS / codes.COLUMNS, len(characters)
    top = 8 + 32 * side
    below = top + tall + 10
    figure, page = sheet(height=below + 3 * classes + 9)
    heading(page, 3, 6, "Input", f"32×{field.shape[-1]}" + ", cut" * (field.shape[-1] > width))
    plots.tile(page, shown[0, 0], 3, 8, 94, 32 * side)
    heading(page, 3, top + 6, "F6", "84 units, 7×12, every 4 pixels")
    for place, picture in enumerate(bitmaps):
        _tile(page, picture, left + 4 * place * side, top + 8, wide, tall)
    heading(page, 3, below + 6, "Output", "penalties of the classes, dark: small; the path")
    first, span = 3 + (FIELD / 2 - 1) * side, 2 * outputs * side
    heat = penalties[:, :outputs]
    limits = (float(heat.min()), float(heat.max()))
    tile = partial(plots.tile, limits=limits, colours="Greys_r")
    tile(page, heat, first, below + 8, span, 3 * classes)
    for row, name in enumerate(characters):
        note(page, first - 2, below + 9.5 + 3 * row, name.replace(" ", "·"))
    for character, begin, end in spelt:
        if end <= outputs and character in characters:
            x, y = first + (begin + end) * side, below + 9.5 + 3 * characters.index(character)
            page.plot([first + 2 * begin * side, first + 2 * end * side], [y, y], color=plots.RED)
            note(page, x, below + 11 + 3 * classes, character, chosen=True)
    return figure


def _row_of_tiles(
    page: Axes, maps: Tensor, x: float, y: float, width: float, gap: float, limit: float = _LIMIT
) -> float:
    """Square maps side by side over `width`; returns the side of one."""
    side = (width + gap) / len(maps) - gap
    for index, picture in enumerate(maps):
        _tile(page, picture, x + index * (side + gap), y, side, limits=(-limit, limit))
    return side


# Red below 0, white at 0, blue above.
_tile = partial(plots.tile, limits=(-_LIMIT, _LIMIT), colours="RdBu")
