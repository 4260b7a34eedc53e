"""Strings made of digits: where each lies, who wrote it, what is drawn."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lenet1998.data import Dataset
from lenet1998.data.distortions import LEANING
from lenet1998.data.field import BACKGROUND, INK
from lenet1998.data.strings import Strings, StringsOf, boxes, flanked
from lenet1998.learning import PRESETS, Recipe
from lenet1998.learning.patterns import Patterns

WIDTHS = (3, 8, 14, 20)


def digits(count: int = 12) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Blocks of ink, each with a level of its own; their labels and writers."""
    images = torch.full((count, 1, 32, 32), BACKGROUND)
    for number in range(count):
        width = WIDTHS[number % 4]
        left = 16 - width // 2
        images[number, :, 6:26, left : left + width] = 0.5 + 0.05 * number
    return images, torch.arange(count) % 10, torch.arange(count) % 3


def runs_of(field: torch.Tensor) -> list[tuple[float, int, int]]:
    """From the left, the level and the columns of each block in a row of the field."""
    row = field[0, 16].tolist()
    edges = [at for at in range(1, len(row)) if row[at] != row[at - 1]]
    parts = zip([0, *edges], [*edges, len(row)], strict=True)
    return [(round(row[a], 3), a, b) for a, b in parts if row[a] > 0]


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 5), st.integers(0, 99))
def test_digits_lie_side_by_side_at_the_gaps_asked_for(n, least, more, seed):
    images, labels, _ = digits()
    strings = StringsOf(n, (least, least + more)).draw(4, seed, images, labels)
    assert strings.fields.shape[1:3] == (1, 32) and strings.fields.shape[-1] % 4 == 0
    for field, right, middles in zip(strings.fields, strings.labels, strings.middles, strict=True):
        # With no gap blocks of one level would be one.
        blocks = runs_of(field)
        if least > 0:
            assert [int((level - 0.5) / 0.05 + 0.01) % 10 for level, *_ in blocks] == right.tolist()
            assert middles.tolist() == [(a + b - 1) / 2 for _, a, b in blocks]
            gaps = [after[1] - before[2] for before, after in pairwise(blocks)]
            assert all(least <= gap <= least + more for gap in gaps)
        assert field.min() == BACKGROUND


@given(st.integers(-4, 8))
def test_a_negative_gap_overlaps_and_the_darker_ink_shows(gap):
    images, labels, _ = digits(8)
    strings = StringsOf(2, (gap, gap)).draw(6, 1, images[[3, 7]], labels[[3, 7]])
    for field in strings.fields:
        inked = (field[0, 16] > 0).nonzero()
        assert inked[-1] - inked[0] + 1 == 40 + gap
        if gap < 0 and field.max() > 0.8 > field[field > 0].min():
            assert (field[0, 16] > 0.8).sum() == 20


def test_the_same_seed_gives_the_same_strings_and_another_others():
    images, labels, writers = digits()
    of = StringsOf(3, (-4, 8), True, LEANING, slant=0.2, noise=0.1, lines=1)
    first, again, other = (of.draw(5, seed, images, labels, writers) for seed in (3, 3, 4))
    assert first.fields.equal(again.fields) and first.labels.equal(again.labels)
    assert first.fields.shape != other.fields.shape or not first.fields.equal(other.fields)
    assert images.equal(digits()[0])


@given(st.integers(0, 99))
def test_one_hand_writes_a_string(seed):
    images, _, writers = digits()
    who = StringsOf(4, one_writer=True).draw(8, seed, images, writers, writers)
    assert (who.labels == who.labels[:, :1]).all() and who.writers is not None
    assert who.labels[:, 0].equal(who.writers)
    with pytest.raises(ValueError, match="expected writers"):
        StringsOf(4, one_writer=True).draw(8, seed, images, writers)


def test_each_disturbance_shows():
    images, labels, _ = digits()

    def drawn(**options) -> Strings:
        return StringsOf(4, (3, 3), **options).draw(50, 0, images, labels)

    plain, noisy, lined = drawn(), drawn(noise=0.1), drawn(lines=1)
    changed = (plain.fields != noisy.fields).double().mean()
    assert 0.09 < changed < 0.11
    more = lined.fields > plain.fields
    assert more.any(2).double().mean() > 0.3 and not (lined.fields < plain.fields).any()
    assert lined.fields.max() <= INK + 1e-6
    leant, other = drawn(slant=0.3), drawn(distortions=LEANING)
    assert leant.middles.shape == other.middles.shape == (50, 4)
    # A block that leans is wider than it was.
    assert leant.fields.shape[-1] > plain.fields.shape[-1]


@pytest.mark.parametrize("options", [{"digits": 0}, {"digits": 2, "gaps": (3, 2)}])
def test_strings_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError, match="expected at least one digit and gaps"):
        StringsOf(**options)


def test_boxes_hold_the_ink_and_an_empty_image_has_none():
    first, last = boxes(torch.cat([digits()[0], torch.full((1, 1, 32, 32), BACKGROUND)]))
    assert [(b - a + 1).item() for a, b in zip(first, last, strict=True)] == [*(WIDTHS * 3), 0]


def test_a_flanked_digit_stays_and_has_neighbours_at_the_printed_gaps():
    images, labels, _ = digits()
    images, labels = images.repeat(200, 1, 1, 1), labels.repeat(200)
    fields, right = flanked(images, labels, seed=5)
    blank = right == 10
    assert 0.22 < blank.double().mean() < 0.28
    assert right[~blank].equal(labels[~blank])
    seen = set()
    for field, image in zip(fields[~blank], images[~blank], strict=True):
        a, b = boxes(image)
        row = field[0, 16]
        before, after = row[: int(a)].flip(0) > 0, row[int(b) + 1 :] > 0
        for side in (before, after):
            if side.any():
                seen.add(int(side.int().argmax()))
        assert field[0, 16, int(a) : int(b) + 1].min() >= image.max() - 1e-6
    assert seen == {0, 1, 2, 3, 4}  # -1 shows as 0
    # Without its digit, the middle of the field has a gap, and ink on both sides near to it.
    assert all(field[0, 16, 9:16].max() > 0 < field[0, 16, 16:23].max() for field in fields[blank])
    assert flanked(images, labels, seed=5)[0].equal(fields)


def test_the_recipe_for_strings_learns_flanked_digits_anew_in_each_pass():
    images, labels, _ = digits()
    dataset = Dataset("blocks", images, labels, images, labels)
    recipe = PRESETS["paper-strings"]
    patterns = Patterns(recipe, dataset)
    (first, right, order), (second, *_) = patterns.of_pass(1), patterns.of_pass(2)
    assert order.equal(torch.arange(12)) and not first.equal(second)
    assert set(right.tolist()) <= set(range(11)) and Patterns(recipe, dataset).of_pass(1)[0].equal(
        first
    )
    assert recipe.build().characters == "0123456789 "
    with pytest.raises(ValueError, match="only where a character is a blank"):
        Recipe(flanked=True)


def test_a_break_takes_ink_away_along_a_line():
    images, labels, _ = digits()
    whole = StringsOf(3).draw(6, 0, images, labels).fields
    broken = StringsOf(3, breaks=1).draw(6, 0, images, labels).fields
    assert broken.shape == whole.shape and (broken <= whole).all()
    assert broken.min() >= BACKGROUND
    for one, other in zip(whole, broken, strict=True):
        lost = ((one > 0) & (other < one - 0.1))[0]
        # Of the twenty pixels of a column one to three fade or go, in the middle rows.
        assert lost.sum(0)[(one > 0).any(1)[0]].float().mean() >= 0.5
        rows = lost.any(1).nonzero()
        assert rows.min() >= 12 and rows.max() <= 20


def test_a_string_spells_what_is_asked_for():
    images, labels, writers = digits()
    strings = StringsOf(4).draw(5, 3, images, labels, spelling=[1, 1, 7, 0])
    assert strings.labels.tolist() == 5 * [[1, 1, 7, 0]]
    levels = {tuple(level for level, *_ in runs_of(field)) for field in strings.fields}
    assert len(levels) > 1  # several digits have these labels
    with pytest.raises(ValueError, match="no spelling, for strings that one hand wrote"):
        StringsOf(1, one_writer=True).draw(1, 0, images, labels, writers, spelling=[1])
    for spelling in ([1], [1, 2, 3, 77]):
        with pytest.raises(ValueError, match="a spelling of 4 labels that some digits have, got"):
            StringsOf(4).draw(1, 0, images, labels, spelling=spelling)
