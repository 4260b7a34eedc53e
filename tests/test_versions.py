"""The digits at 16x16, and deslanted at 20x20."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import pad

from lenet1998.data import Dataset, load_digits_dataset
from lenet1998.data.disturbances import sheared
from lenet1998.data.versions import deslanted, to_16x16

DIGITS = load_digits_dataset().test_images[:50]


def test_the_box_is_found_and_the_levels_kept(mnist: Dataset) -> None:
    for images in (DIGITS, mnist.training_images[:500]):
        small = to_16x16(images)
        assert small.shape == (len(images), 1, 16, 16)
        assert small.min() >= -0.1 - 1e-6 and small.max() <= 1.175 + 1e-6
        # A pixel of the small image has the area of (20/16)² of the old ones.
        mass = ((images + 0.1).sum((1, 2, 3)), (small + 0.1).sum((1, 2, 3)) * (20 / 16) ** 2)
        torch.testing.assert_close(*mass, rtol=0.05, atol=0.1)


def test_where_a_digit_stands_does_not_matter() -> None:
    moved = DIGITS.roll((3, -2), (2, 3))
    torch.testing.assert_close(to_16x16(moved), to_16x16(DIGITS))


def test_a_full_box_fills_the_small_image_and_a_blank_one_stays() -> None:
    images = torch.full((2, 1, 32, 32), -0.1)
    images[0, :, 5:25, 9:29] = 1.175
    small = to_16x16(images)
    torch.testing.assert_close(small[0], torch.full((1, 16, 16), 1.175))
    torch.testing.assert_close(small[1], torch.full((1, 16, 16), -0.1))


def moments(images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mass, mean row, mean column, and mixed over vertical second moment of each image's ink."""
    ink = images[:, 0].double() + 0.1
    places = torch.arange(ink.shape[1], dtype=torch.float64)
    mass = ink.sum((1, 2))
    rows, columns = ((ink.sum(dim) * places).sum(1) / mass for dim in (2, 1))
    down = places[:, None] - rows[:, None, None]
    along = places - columns[:, None, None]
    slant = (ink * down * along).sum((1, 2)) / (ink * down**2).sum((1, 2))
    return mass, rows, columns, slant


@given(st.integers(0, 30), st.floats(-0.4, 0.4), st.integers(-3, 3), st.integers(-3, 3))
def test_deslanted_digits_are_upright_whole_and_stay_so(
    digit: int, lean: float, right: int, down: int
) -> None:
    images = sheared(DIGITS[digit : digit + 20], lean).roll((down, right), (2, 3))
    upright = deslanted(images)
    mass, rows, columns, slant = moments(upright)
    before = moments(images)
    whole = (mass - before[0]).abs() < 1e-3  # a few digits are now wider than the box
    assert whole.double().mean() > 0.7
    assert slant[whole].abs().max() < 1e-4
    for now, then in ((rows, before[1]), (columns, before[2])):  # by whole pixels, to the box
        moved = (now - then)[whole]
        assert (moved - moved.round()).abs().max() < 1e-3
    again = deslanted(pad(upright, (6, 6, 6, 6), value=-0.1))[whole]
    torch.testing.assert_close(again, upright[whole], rtol=0, atol=1e-3)


def test_leaning_is_undone(mnist: Dataset) -> None:
    images = mnist.training_images[:200]
    leaning = deslanted(images.clone()), deslanted(sheared(images, 0.2))
    apart = (leaning[0] - leaning[1]).square().mean().sqrt()
    assert apart < 0.6 * (images - sheared(images, 0.2)).square().mean().sqrt() * 32 / 20
    assert (moments(deslanted(images))[3].abs() < 1e-2).double().mean() > 0.9


def test_a_blank_image_stays_blank() -> None:
    torch.testing.assert_close(
        deslanted(torch.full((1, 1, 32, 32), -0.1)), torch.full((1, 1, 20, 20), -0.1)
    )


@pytest.mark.parametrize("version", [to_16x16, deslanted])
def test_other_images_are_refused(version: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ValueError, match=r"shape \(N, 1, 32, 32\)"):
        version(DIGITS[:, :, 2:-2, 2:-2])
    with pytest.raises(ValueError, match="dtype"):
        version(DIGITS.double())
