"""The digits at 16x16."""

import pytest
import torch

from lenet1998.data import Dataset, load_digits_dataset
from lenet1998.data.versions import to_16x16

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


def test_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(N, 1, 32, 32\)"):
        to_16x16(DIGITS[:, :, 2:-2, 2:-2])
    with pytest.raises(ValueError, match="dtype"):
        to_16x16(DIGITS.double())
