"""Patterns that are no digits, to see whether a network refuses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lenet1998 import codes
from lenet1998.data import normalise_digit, to_network_input
from lenet1998.data.normalisation import FIELD, PADDING
from lenet1998.models.checks import BACKGROUND, INK

LOOK_ALIKES = "DOQo" + "!()/I[\\]il|" + "Zz" + "Ss" + "Gb" + "?" + "&B" + "gq"
"""Characters of Fig. 3 that a reader may take for 0, 1, 2, 5, 6, 7, 8 or 9: our judgement."""

OF_LOOK_ALIKES = "look-alikes"
"""Their kind, the only one that may rightly be taken for digits."""

_MOST = 1000  # of a kind
_GAP = 16  # pixels between the centres of two neighbouring digits
_SHOWN = 8  # of each kind in the picture
_WIDTH = 5.0  # inches


def non_digits(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Patterns that are no digits, by their kind; the same for the same digits.

    Characters of Fig. 3 are drawn as MNIST's digits are normalised: the 7x12 bitmap is fitted into
    20x20 pixels with soft edges and centred by its mass. Those that look like digits are apart.

    Args:
        images: `(N, 1, 32, 32)` digits that some are made of, N >= 2.
        labels: `(N,)`, not all alike.

    Returns:
        For each kind `(count, 1, 32, 32)` float32 in [-0.1, 1.175].
    """
    generator = torch.Generator().manual_seed(0)
    first = torch.randperm(len(labels), generator=generator)[:_MOST]
    second = torch.randperm(len(labels), generator=generator)[:_MOST]
    first, second = (half[labels[first] != labels[second]] for half in (first, second))
    noise = torch.randint(0, 256, (_MOST, FIELD, FIELD), generator=generator, dtype=torch.uint8)
    strangers = [one for one in codes.CHARACTERS[1:-1] if one not in codes.DIGITS + LOOK_ALIKES]
    return {
        "letters": drawn_characters([one for one in strangers if one.isalpha()]),
        "signs": drawn_characters([one for one in strangers if not one.isalpha()]),
        OF_LOOK_ALIKES: drawn_characters(LOOK_ALIKES),
        "pairs of digits": _neighbours(images[first], images[second]),
        "halves of two digits": _halves(images[first], images[second]),
        "noise": to_network_input(noise),
        "blank": torch.full((1, *images.shape[1:]), BACKGROUND),
    }


def drawn_characters(characters: Sequence[str]) -> Tensor:
    """Characters of Fig. 3, none of them blank, as inputs: `(len(characters), 1, 32, 32)`."""
    bitmaps = codes.centres(characters).view(-1, codes.ROWS, codes.COLUMNS)
    return to_network_input(torch.stack([normalise_digit(bitmap) for bitmap in bitmaps]))


def _neighbours(left: Tensor, right: Tensor) -> Tensor:
    """What a window sees that lies midway between two neighbouring digits (section VII)."""
    half = _GAP // 2
    return torch.maximum(
        F.pad(left, (-half, half), value=BACKGROUND), F.pad(right, (half, -half), value=BACKGROUND)
    )


def _halves(above: Tensor, below: Tensor) -> Tensor:
    """The upper half of one digit over the lower half of another."""
    middle = above.shape[-2] // 2
    return torch.cat([above[..., :middle, :], below[..., middle:, :]], dim=-2)


def draw_patterns(kinds: Mapping[str, Tensor]) -> Figure:
    """The first eight patterns of each kind, a row for each."""
    pitch, caption = 1.32, 0.32  # of a tile's side
    height = pitch * len(kinds)
    figure = Figure(figsize=(_WIDTH, _WIDTH * height / _SHOWN), facecolor="white")
    sheet = figure.add_axes((0, 0, 1, 1))
    for row, (kind, images) in enumerate(kinds.items()):
        y = row * pitch + caption
        sheet.text(0.08, y - 0.06, f"{kind} ({len(images):,})", size=9, va="bottom")
        for column, image in enumerate(images[:_SHOWN]):
            sheet.imshow(
                image[0, PADDING:-PADDING, PADDING:-PADDING].numpy(),
                extent=(column + 0.06, column + 0.94, y + 0.94, y + 0.06),
                vmin=BACKGROUND,
                vmax=INK,
                cmap="Greys",
            )
            corner = (column + 0.06, y + 0.06)
            sheet.add_patch(Rectangle(corner, 0.88, 0.88, fill=False, lw=0.4, ec="#bbbbbb"))
    sheet.set(xlim=(0, _SHOWN), ylim=(height, 0), aspect="auto")
    sheet.axis("off")
    return figure
