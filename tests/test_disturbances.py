"""What makes digits harder to read: direction, amount, levels."""

import math

import pytest
import torch

from lenet1998.data import load_digits_dataset
from lenet1998.data.disturbances import (
    DISTURBANCES,
    rotated,
    scaled,
    sheared,
    shifted,
    shifted_vertically,
    with_noise,
    with_strokes,
)

BACKGROUND, INK = -0.1, 1.175

STRONG = [
    (scaled, 0.5),
    (scaled, 0.83),
    (scaled, 1.3),
    (scaled, 2.0),
    (shifted, 3.0),
    (shifted_vertically, 4.3),
    (rotated, 40.0),
    (sheared, 0.7),
    (with_strokes, -1.5),
    (with_strokes, 2.0),
]


@pytest.fixture(scope="module")
def images():
    return load_digits_dataset().test_images[:60]


def _blank(count=1):
    return torch.full((count, 1, 32, 32), BACKGROUND)


def _square(first, last):
    """Ink from one row and column to another, both included."""
    image = _blank()
    image[..., first : last + 1, first : last + 1] = INK
    return image


def _ink(images):
    return (images - BACKGROUND).double().sum((1, 2, 3))


def _centre_of_mass(images):
    """Rows and columns, (N,) each."""
    ink = (images - BACKGROUND).double()[:, 0]
    places = torch.arange(32, dtype=torch.float64)
    total = ink.sum((1, 2))
    return ink.sum(2) @ places / total, ink.sum(1) @ places / total


@pytest.mark.parametrize("disturbance", DISTURBANCES.values(), ids=list(DISTURBANCES))
def test_strength_of_none_changes_nothing(images, disturbance):
    assert torch.allclose(disturbance.apply(images, disturbance.none), images, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "strength", "words"),
    [
        ("size", 0.7071, "×0.71"),
        ("shift", 3.0, "3 px"),
        ("vertical shift", 1.9, "1.9 px"),
        ("rotation", 30.0, "30°"),
        ("shear", 0.3, "0.3"),
        ("noise", 0.025, "2.5 %"),
        ("strokes", -1.5, "−1.5"),
        ("strokes", 2.0, "+2"),
    ],
)
def test_strengths_in_words(kind, strength, words):
    assert DISTURBANCES[kind].in_words(strength) == words


@pytest.mark.parametrize(("disturb", "strength"), STRONG)
def test_levels_stay_and_nothing_else_changes(images, disturb, strength):
    before = images.clone()
    disturbed = disturb(images, strength)
    assert torch.equal(images, before)
    assert disturbed.shape == images.shape and disturbed.dtype == torch.float32
    assert disturbed.min() > BACKGROUND - 1e-5 and disturbed.max() < INK + 1e-5
    assert not torch.allclose(disturbed, images, atol=0.1)
    assert torch.equal(disturb(images, strength), disturbed)


@pytest.mark.parametrize(("disturb", "strength"), STRONG)
def test_blank_fields_stay_blank(disturb, strength):
    assert torch.allclose(disturb(_blank(2), strength), _blank(2), atol=1e-6)


def test_noise_inverts_its_share_of_the_pixels():
    images = load_digits_dataset().test_images
    noisy = with_noise(images, 0.1)
    changed = noisy != images
    # Grey levels in the middle (0.5375) are their own inverse, and rare.
    assert changed.double().mean().item() == pytest.approx(0.1, abs=0.005)
    assert torch.equal(noisy[changed], INK + BACKGROUND - images[changed])
    assert torch.equal(with_noise(images, 0.0), images)
    assert torch.equal(with_noise(images, 0.1), noisy)


def test_shifts_go_right_down_left_and_up(images):
    moved = shifted(images[:5], 2)
    for index, (down, right) in enumerate(((0, 2), (2, 0), (0, -2), (-2, 0), (0, 2))):
        expected = images[index, 0].roll((down, right), (0, 1))  # its border is all background
        assert torch.equal(moved[index, 0], expected)
    assert torch.equal(shifted(images, 32), torch.full_like(images, BACKGROUND))


def test_shifts_are_by_whole_pixels(images):
    with pytest.raises(ValueError, match=r"whole pixels, not by 1\.5"):
        shifted(images, 1.5)


def test_rotations_go_to_either_side_and_keep_the_levels(images):
    images = images[:2]
    assert torch.allclose(rotated(images, 0), images, atol=1e-6)
    quarter = rotated(images, 90)
    assert torch.allclose(quarter[0, 0], images[0, 0].rot90(1), atol=1e-4)
    assert torch.allclose(quarter[1, 0], images[1, 0].rot90(-1), atol=1e-4)
    turned = rotated(images, 30)
    assert turned.min() > -0.1001 and turned.max() < 1.1751
    assert (turned[:, :, 0, 0] == BACKGROUND).all()


def test_vertical_shifts_go_down_and_up(images):
    moved = shifted_vertically(images[:2], 3)
    assert torch.allclose(moved[0], images[0].roll(3, -2), atol=1e-4)
    assert torch.allclose(moved[1], images[1].roll(-3, -2), atol=1e-4)


def test_vertical_shifts_by_part_of_a_pixel_blend_the_two_nearest(images):
    moved = shifted_vertically(images[:1], 2.25)
    expected = 0.75 * images[:1].roll(2, -2) + 0.25 * images[:1].roll(3, -2)
    assert torch.allclose(moved, expected, atol=1e-4)


def test_what_is_shifted_out_is_lost():
    square = _square(6, 25)
    assert _ink(shifted_vertically(square, 10)) / _ink(square) == pytest.approx(16 / 20, abs=1e-4)


def test_shears_lean_right_and_left_about_the_middle():
    upright = _blank(2)
    upright[..., 8:24, 15:17] = INK
    leaning = sheared(upright, 0.5)
    for image, side in zip(leaning, (1, -1), strict=True):
        top, bottom = (_centre_of_mass(rows[None])[1].item() for rows in _halves(image))
        assert top - bottom == pytest.approx(side * 0.5 * 8, abs=0.05)
    assert torch.allclose(_ink(leaning), _ink(upright), rtol=1e-4)


def _halves(image):
    """The image with only its upper, then only its lower half."""
    upper, lower = image.clone(), image.clone()
    upper[:, 16:] = BACKGROUND
    lower[:, :16] = BACKGROUND
    return upper, lower


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.25, 1.5])
def test_scaling_keeps_the_centre_and_multiplies_the_area(factor):
    square = _square(8, 23)
    grown = scaled(square, factor)
    assert (_ink(grown) / _ink(square)).sqrt().item() == pytest.approx(factor, rel=0.02)
    assert [place.item() for place in _centre_of_mass(grown)] == pytest.approx([15.5, 15.5])
    assert grown[0, 0, 15, 15] == pytest.approx(INK, abs=1e-5)


def test_halving_loses_no_thin_stroke():
    # A point sample of every second pixel would see these strokes everywhere or nowhere.
    lines = _blank()
    lines[..., 8:24, 8:24:2] = INK
    halved = scaled(lines, 0.5)
    assert _ink(halved).item() == pytest.approx(_ink(lines).item() / 4, rel=0.02)
    middle = halved[0, 0, 14:18, 14:18]
    assert middle.min().item() == pytest.approx((INK + BACKGROUND) / 2, abs=0.01)
    assert middle.max().item() == pytest.approx((INK + BACKGROUND) / 2, abs=0.01)


def test_doubled_digits_leave_the_field():
    assert (scaled(_square(6, 25), 2.0) > 1).all()


@pytest.mark.parametrize("factor", [0.0, -1.0, math.inf, math.nan])
def test_no_size_that_is_none(images, factor):
    with pytest.raises(ValueError, match="factor > 0"):
        scaled(images, factor)


@pytest.mark.parametrize("wider", [-2.0, -1.5, -0.5, 0.5, 1.0, 3.0])
def test_strokes_change_by_so_many_pixels(wider):
    # The bar's ends move as its sides do; a slice across its middle sees the sides alone.
    bar = _blank()
    bar[..., 4:28, 14:18] = INK
    width = (with_strokes(bar, wider)[0, 0, 16] - BACKGROUND).sum() / (INK - BACKGROUND)
    assert width.item() == pytest.approx(4 + wider, abs=1e-4)


def test_strokes_of_real_digits_grow_and_shrink_everywhere(images):
    assert (with_strokes(images, 1.0) >= images - 1e-6).all()
    assert (with_strokes(images, -1.0) <= images + 1e-6).all()


def test_strokes_change_by_halves_of_a_pixel(images):
    with pytest.raises(ValueError, match=r"multiple of 0\.5 pixels, not by 0\.3"):
        with_strokes(images, 0.3)


def test_many_images_are_redrawn_as_each_alone(images):
    many = images.repeat(9, 1, 1, 1)
    assert torch.equal(with_strokes(many, 0.5), with_strokes(images, 0.5).repeat(9, 1, 1, 1))


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", DISTURBANCES)
def test_no_strength_but_a_finite_one(kind: str, strength: float) -> None:
    with pytest.raises(ValueError):
        DISTURBANCES[kind].apply(torch.full((1, 1, 32, 32), -0.1), strength)
