"""Digits side by side: what a space-displacement network learns from, and reads (section VII).

Bounding boxes hold all of a digit's ink. Where digits overlap, the darker of the two shows. A field
begins and ends as the images of its first and last digit do, with background beside their ink.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lenet1998.data.distortions import Distortions, distort
from lenet1998.data.disturbances import with_noise
from lenet1998.data.field import BACKGROUND, FIELD, INK

__all__ = ["BLANK", "FLANKS", "NORMAL", "Strings", "StringsOf", "flanked"]

BLANK = " "
"""The character of the class "blank", the last of a network that reads strings."""
FLANKS = (-1, 4)
"""Pixels between the bounding boxes of a digit and those beside it: least and greatest (VII)."""
NORMAL = (2, 6)
"""The same of a string that is written with room; ours."""

_FAINTEST = 0.01  # above the background: two grey values, what interpolation leaves around a digit
_BLANKS = 0.25  # of the flanked patterns: the share without a central digit


def boxes(images: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last column with ink of images `(..., H, W)`; of an empty one, the middle.

    Shape: `(...)` int64 both.
    """
    inked = (images > BACKGROUND + _FAINTEST).any(-2)
    width, empty = images.shape[-1], ~inked.any(-1)
    first, last = inked.int().argmax(-1), width - 1 - inked.int().flip(-1).argmax(-1)
    return first.masked_fill(empty, width // 2), last.masked_fill(empty, width // 2 - 1)


def side_by_side(images: Tensor, left: Tensor, width: int) -> Tensor:
    """Lay images on a field, each with its first column at a place that may be outside.

    Shape: `(N, n, 32, W)`, left `(N, n)` int64 -> `(N, 1, 32, width)`.
    """
    columns = torch.arange(width) - left[..., None]
    inside = (columns >= 0) & (columns < images.shape[-1])
    source = columns.clamp(0, images.shape[-1] - 1)[:, :, None].expand(-1, -1, FIELD, -1)
    laid = torch.where(inside[:, :, None], images.gather(3, source), BACKGROUND)
    return laid.amax(1, keepdim=True)


def flanked(images: Tensor, labels: Tensor, seed: int, blank: int = 10) -> tuple[Tensor, Tensor]:
    """Each digit between two others; in a quarter of the fields it is left out (section VII).

    Boxes are -1 to 4 pixels apart, uniformly. A digit stays where its image has it. Where it is
    left out, its neighbours are so far apart themselves, and what is in the middle of the field is
    the gap between them: how often, and what then is there, the paper leaves open.

    Args:
        images, labels: `(N, 1, 32, 32)` and `(N,)`.
        seed: of the neighbours, the gaps, and which digits are left out.
        blank: label of a field without its digit.

    Returns:
        Fields `(N, 1, 32, 32)` and labels `(N,)`, new.
    """
    generator = torch.Generator().manual_seed(seed)
    count = len(images)
    of = torch.randint(count, (count, 2), generator=generator)
    gaps = torch.randint(FLANKS[0], FLANKS[1] + 1, (count, 2), generator=generator)
    absent = torch.rand(count, generator=generator) < _BLANKS
    triple = torch.stack([images[of[:, 0], 0], images[:, 0], images[of[:, 1], 0]], 1)
    triple[absent, 1] = BACKGROUND
    first, last = boxes(triple)
    # Of the gap between two neighbours a half lies on either side of the middle.
    before, after = gaps.unbind(1)
    before = torch.where(absent, before.div(2, rounding_mode="floor"), before)
    after = torch.where(absent, gaps[:, 0] - before, after)
    left = first[:, 1] - before - 1 - last[:, 0]
    right = last[:, 1] + after + 1 - first[:, 2]
    fields = side_by_side(triple, torch.stack([left, torch.zeros_like(left), right], 1), FIELD)
    return fields, labels.masked_fill(absent, blank)


@dataclass(frozen=True)
class Strings:
    """Fields with digits side by side.

    Attributes:
        fields: `(N, 1, 32, W)`, W a multiple of 4; what is to the right of a string is background.
        labels: `(N, n)`, from the left.
        middles: `(N, n)`, of the digits' bounding boxes, in columns of the field.
        writers: `(N,)`, who wrote the first digit; None where that is not known.
    """

    fields: Tensor = field(repr=False)
    labels: Tensor = field(repr=False)
    middles: Tensor = field(repr=False)
    writers: Tensor | None = field(default=None, repr=False)


@dataclass(frozen=True)
class StringsOf:
    """How strings are made of digits; each choice is drawn for itself, uniformly.

    Attributes:
        digits: in a string.
        gaps: between bounding boxes, least and greatest, in pixels; below 0 they overlap.
        one_writer: all digits of a string by one hand, where the writers are known.
        distortions: of each digit; None for none.
        slant: greatest shear of the string to either side, in columns per row.
        noise: probability that a pixel is inverted.
        lines: straight lines through the string, from end to end.
        breaks: likewise, but of background: what they cross is broken.
    """

    digits: int
    gaps: tuple[int, int] = NORMAL
    one_writer: bool = False
    distortions: Distortions | None = None
    slant: float = 0.0
    noise: float = 0.0
    lines: int = 0
    breaks: int = 0

    def __post_init__(self) -> None:
        if self.digits < 1 or self.gaps[0] > self.gaps[1] or self.gaps[0] <= -FIELD:
            raise ValueError(
                "expected at least one digit and gaps (least, greatest) above "
                f"{-FIELD}, got {self.digits} and {self.gaps}"
            )

    def draw(
        self,
        count: int,
        seed: int,
        images: Tensor,
        labels: Tensor,
        writers: Tensor | None = None,
        spelling: Sequence[int] | None = None,
    ) -> Strings:
        """So many strings, a function of the seed and of the digits they are made of.

        Args:
            count: how many.
            seed: of all that is drawn.
            images, labels, writers: `(P, 1, 32, 32)` float32, `(P,)`, and `(P,)` or None.
            spelling: the labels of each, as many as its digits; drawn where there is none.

        Raises:
            ValueError: for one hand's digits of unknown writers, or where it must spell something;
                for a spelling of another length, or of labels that no digit has.
        """
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randint(len(labels), (count, self.digits), generator=generator)
        if spelling is not None:
            of = [(labels == label).nonzero()[:, 0] for label in spelling]
            if len(of) != self.digits or not all(map(len, of)):
                raise ValueError(
                    f"expected a spelling of {self.digits} labels that some digits have, got "
                    f"{list(spelling)}"
                )
            chosen = torch.stack([at[chosen[:, k] % len(at)] for k, at in enumerate(of)], 1)
        if self.one_writer:
            if writers is None or spelling is not None:
                raise ValueError(
                    "expected writers and no spelling, for strings that one hand wrote each"
                )
            chosen = _of_the_first(chosen, writers, generator)
        low, high = self.gaps
        gaps = torch.randint(low, high + 1, (count, self.digits), generator=generator)
        digits = images[chosen.flatten()]
        if self.distortions is not None or self.slant:
            changes = (self.distortions or _UNCHANGED).draw(len(digits), generator)
            leans = self.slant * (2 * torch.rand(count, generator=generator) - 1)
            changes[:, 2] += leans.repeat_interleave(self.digits)
            digits = distort(digits, changes)
        digits = digits.view(count, self.digits, FIELD, FIELD)
        first, last = boxes(digits)
        # Where each image begins: from one to the next, the rest of its box, the gap, and back to
        # where the next one's image begins.
        steps = last[:, :-1] + 1 + gaps[:, :-1] - first[:, 1:]
        left = torch.cat([torch.zeros(count, 1, dtype=torch.int64), steps.cumsum(1)], 1)
        left -= left.amin(1, keepdim=True)
        width = -(-(int(left.max()) + FIELD) // 4) * 4
        fields = side_by_side(digits, left, width)
        for _ in range(self.lines):
            fields = torch.maximum(fields, _line_through(fields, generator))
        for _ in range(self.breaks):
            rest = INK + BACKGROUND - _line_through(fields, generator)
            fields = torch.minimum(fields, rest.clamp(min=BACKGROUND))
        if self.noise:
            fields = with_noise(
                fields, self.noise, int(torch.randint(2**62, (), generator=generator))
            )
        by = None if writers is None else writers[chosen[:, 0]]
        return Strings(fields, labels[chosen], left + (first + last) / 2, by)


_UNCHANGED = Distortions().narrowed(0)


def _of_the_first(chosen: Tensor, writers: Tensor, generator: torch.Generator) -> Tensor:
    """Indices `(N, n)` of which all but the first are drawn anew among its writer's digits."""
    order = writers.argsort(stable=True)
    _, place, counts = writers.unique(return_inverse=True, return_counts=True)
    start = counts.cumsum(0) - counts
    of = place[chosen[:, :1]]
    drawn = (torch.rand(chosen.shape, generator=generator) * counts[of]).long()
    return torch.cat([chosen[:, :1], order[start[of] + drawn][:, 1:]], 1)


def _line_through(fields: Tensor, generator: torch.Generator) -> Tensor:
    """A line along each string, one or two pixels thick, rising or falling by up to 6 rows."""
    count, width = len(fields), fields.shape[-1]
    drawn = torch.rand(count, 3, 1, 1, generator=generator)
    start, end, half = 13 + 6 * drawn[:, 0], 13 + 6 * drawn[:, 1], 0.5 + 0.5 * drawn[:, 2]
    middle = start + (end - start) * torch.linspace(0, 1, width)
    away = (torch.arange(FIELD)[:, None] - middle).abs()
    line = BACKGROUND + (INK - BACKGROUND) * (half + 0.5 - away).clamp(0, 1)
    return line[:, None]
