"""Patterns that are no digits, to see whether a network refuses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from lenet1998 import codes
from lenet1998.data.field import BACKGROUND, IMAGE, PADDING
from lenet1998.data.normalisation import normalise_digit, to_network_input
from lenet1998.report import plots

LOOK_ALIKES = "DOQo" + "!()/I[\\]il|" + "Zz" + "Ss" + "Gb" + "?" + "&B" + "gq"
"""Characters of Fig. 3 that a reader may take for 0, 1, 2, 5, 6, 7, 8 or 9: our judgement."""

OF_DIGITS, OF_LOOK_ALIKES = "Fig. 3's digits", "look-alikes"
"""The only kinds that may rightly be taken for digits."""

_PAIRS, _HALVES = "pairs of digits", "halves of two digits"
_DETAILS = {
    OF_DIGITS: ": drawn as its letters are",
    OF_LOOK_ALIKES: f": {LOOK_ALIKES}",
    _PAIRS: ": seen by a window midway between the two (section VII)",
    _HALVES: ": some make a digit",
}
_MOST = 1000  # of a kind
_HALF_GAP = 8  # pixels, of the 16 between the centres of two neighbouring digits


def patterns(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Patterns that are no digits, by their kind, after the digits of Fig. 3 to tell how far.

    Characters of Fig. 3 are drawn as MNIST's digits are normalised: the 7x12 bitmap is fitted into
    20x20 pixels with soft edges and centred by its mass. The same for the same digits.

    Args:
        images: `(N, 1, 32, 32)` digits that some are made of, N >= 2.
        labels: `(N,)`, not all alike.

    Returns:
        For each kind `(count, 1, 32, 32)` float32 in [-0.1, 1.175].
    """
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randperm(len(labels), generator=generator)[:_MOST] for _ in range(2)]
    differ = labels[drawn[0]] != labels[drawn[1]]
    first, second = (images[indices[differ]] for indices in drawn)
    left = F.pad(first, (-_HALF_GAP, _HALF_GAP), value=BACKGROUND)
    right = F.pad(second, (_HALF_GAP, -_HALF_GAP), value=BACKGROUND)
    above, below = first.chunk(2, dim=2)[0], second.chunk(2, dim=2)[1]
    noise = torch.randint(0, 256, (_MOST, IMAGE, IMAGE), generator=generator, dtype=torch.uint8)
    strangers = [char for char in codes.CHARACTERS[1:-1] if char not in codes.DIGITS + LOOK_ALIKES]
    return {
        OF_DIGITS: drawn_characters(codes.DIGITS),
        "letters": drawn_characters([char for char in strangers if char.isalpha()]),
        "signs": drawn_characters([char for char in strangers if not char.isalpha()]),
        OF_LOOK_ALIKES: drawn_characters(LOOK_ALIKES),
        _PAIRS: torch.maximum(left, right),
        _HALVES: torch.cat([above, below], dim=2),
        "noise": to_network_input(noise),
        "blank": torch.full((1, *images.shape[1:]), BACKGROUND),
    }


def drawn_characters(characters: Sequence[str]) -> Tensor:
    """Characters of Fig. 3, none of them blank, as inputs: `(len(characters), 1, 32, 32)`."""
    bitmaps = codes.centres(characters).view(-1, codes.ROWS, codes.COLUMNS)
    return to_network_input(torch.stack([normalise_digit(bitmap) for bitmap in bitmaps]))


def draw_patterns(kinds: Mapping[str, Tensor]) -> Figure:
    """The first eight patterns of each kind, a row for each."""
    groups = []
    for kind, images in kinds.items():
        shown = images[:8, 0, PADDING:-PADDING, PADDING:-PADDING]
        detail = f"{len(images):,}{_DETAILS.get(kind, '')}"
        groups.append((kind, detail, shown, [("", False)] * len(shown)))
    return plots.digit_groups(groups, columns=8)
