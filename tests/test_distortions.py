"""Section III.B, Fig. 7: the planar affine distortions, against the map read off the figure."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lenet1998.data import Dataset, Distortions, distort, to_network_input

IDENTITY = (1.0, 0.0, 0.0, 0.0, 0.0)  # 1/s, log q, shear, tx, ty
BACKGROUND = torch.tensor(-0.1)
INK = torch.tensor(1.175)


def noise(count: int, seed: int = 0) -> Tensor:
    """(count, 28, 28) uint8 of random grey values, ink at the borders included."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 28, 28), generator=generator, dtype=torch.uint8)


def repeated(parameters: tuple[float, ...], count: int = 1) -> Tensor:
    return torch.tensor([parameters], dtype=torch.float64).repeat(count, 1)


def smooth_blob(x: Tensor, y: Tensor) -> Tensor:
    """An image wide enough that bilinear interpolation of it is nearly exact."""
    return BACKGROUND + torch.exp(-((x - 15) ** 2 + (y - 21) ** 2) / 18)


def coordinates() -> tuple[Tensor, Tensor]:
    """The columns x and rows y of a 32x32 field, each (32, 32)."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    return x, y


# The truth: Fig. 7's map on MNIST's own 28x28 grey values


def distorted_grey_values(image: Tensor, parameters: Tensor) -> Tensor:
    """(28, 28) uint8 -> (32, 32) float64, the inverse map as it was recovered from the figure.

    X and Y are counted from the centre of the 32x32 field, the source from that of 28x28.
    """
    inverse_scale, log_squeeze, shear, tx, ty = parameters.tolist()
    q = math.exp(log_squeeze)
    m_xx, m_yy = inverse_scale / q, inverse_scale * q
    m_xy = -shear * m_yy
    grey = image.tolist()

    def value(row: int, column: int) -> int:
        return grey[row][column] if 0 <= row < 28 and 0 <= column < 28 else 0

    field = torch.zeros(32, 32, dtype=torch.float64)
    for row in range(32):
        for column in range(32):
            X, Y = column - 15.5, row - 15.5
            x = 13.5 + m_xx * X + m_xy * (Y - 3) + tx
            y = 24 + m_yy * (Y - 10.5) + ty
            left, top = math.floor(x), math.floor(y)
            field[row, column] = sum(
                (1 - abs(x - c)) * (1 - abs(y - r)) * value(r, c)
                for r in (top, top + 1)
                for c in (left, left + 1)
            )
    return field


@pytest.mark.parametrize(
    "distortions",
    [Distortions(), Distortions((0.2, 3.0), log_squeeze=0.5, shear=1.0, translation=12.0)],
    ids=["Fig. 7", "far beyond"],
)
def test_levels_agree_with_grey_values_interpolated_in_the_unpadded_image(
    distortions: Distortions,
) -> None:
    images, parameters = noise(6), distortions.draw(6, seed=1)
    grey = torch.stack(
        [distorted_grey_values(*pair) for pair in zip(images, parameters, strict=True)]
    )
    levels = distort(to_network_input(images), parameters)
    assert levels.dtype == torch.float32
    torch.testing.assert_close(levels[:, 0].double(), 0.005 * grey - 0.1, rtol=0, atol=1e-6)


def test_agrees_with_torch_grid_sample(mnist: Dataset) -> None:
    images = mnist.training_images[:100]
    parameters = Distortions().draw(100, seed=2)
    inverse_scale, log_squeeze, shear, tx, ty = parameters.T[:, :, None, None]
    x, y = coordinates()
    source_y = 26 + inverse_scale * log_squeeze.exp() * (y - 26) + ty
    source_x = 15.5 + inverse_scale / log_squeeze.exp() * (x - 15.5) + tx
    source_x = source_x - shear * inverse_scale * log_squeeze.exp() * (y - 18.5)
    # grid_sample runs from -1 to 1 between the centres of the corner pixels, and pads with 0.
    grid = torch.stack([source_x, source_y], dim=-1) / 15.5 - 1
    ink = torch.nn.functional.grid_sample(images.double() + 0.1, grid, align_corners=True)
    torch.testing.assert_close(distort(images, parameters).double(), ink - 0.1, rtol=0, atol=1e-6)


# One parameter at a time


def test_identity_changes_no_bit() -> None:
    images = to_network_input(noise(20))
    assert torch.equal(distort(images, repeated(IDENTITY, 20)), images)


@pytest.mark.parametrize("interpolation", ["nearest", "bicubic"])
def test_other_interpolations_leave_pixels_that_fall_on_pixels(interpolation: str) -> None:
    images = to_network_input(noise(20))
    same = distort(images, repeated(IDENTITY, 20), interpolation)
    torch.testing.assert_close(same, images, rtol=0, atol=1e-5)
    moved = distort(images, repeated((1, 0, 0, 3, -2), 20), interpolation)
    bilinear = distort(images, repeated((1, 0, 0, 3, -2), 20))
    torch.testing.assert_close(moved, bilinear, rtol=0, atol=1e-5)


def test_interpolations_come_closer_to_the_image_the_smoother_they_are() -> None:
    """Measured on a blob whose levels are known everywhere."""
    x, y = coordinates()
    parameters = Distortions(translation=1.0).draw(20, seed=4)
    images = smooth_blob(x, y).repeat(20, 1, 1, 1)
    inverse_scale, log_squeeze, shear, tx, ty = parameters.float().T[:, :, None, None]
    height = inverse_scale * log_squeeze.exp()
    source_y = 26 + height * (y - 26) + ty
    source_x = 15.5 + inverse_scale / log_squeeze.exp() * (x - 15.5) - shear * height * (y - 18.5)
    truth = smooth_blob(source_x + tx, source_y)[:, None]
    errors = {
        name: (distort(images, parameters, name) - truth).square().mean().sqrt().item()
        for name in ("nearest", "bilinear", "bicubic")
    }
    assert errors["bicubic"] < errors["bilinear"] < 0.2 * errors["nearest"]


def test_nearest_takes_no_level_that_is_not_there() -> None:
    levels = torch.tensor([BACKGROUND, 0.3, INK])
    images = levels[torch.randint(3, (10, 1, 32, 32), generator=torch.Generator().manual_seed(0))]
    distorted = distort(images, Distortions().draw(10, seed=5), "nearest")
    assert ((distorted[..., None] - levels).abs().min(dim=-1).values < 1e-6).all()


@pytest.mark.parametrize(
    ("tx", "ty"), [(3, 0), (0, 2), (-2, 0), (0, -5), (1, -1), (40, 0), (0, 40)]
)
def test_translation_by_whole_pixels_moves_by_whole_pixels(tx: int, ty: int) -> None:
    images = to_network_input(noise(3))
    expected = torch.full_like(images, BACKGROUND)
    for row in range(32):
        for column in range(32):
            if 0 <= row + ty < 32 and 0 <= column + tx < 32:
                expected[..., row, column] = images[..., row + ty, column + tx]
    assert torch.equal(distort(images, repeated((1, 0, 0, tx, ty), 3)), expected)


def test_background_begins_one_pixel_beyond_each_border() -> None:
    images = torch.full((4, 1, 32, 32), INK)
    parameters = repeated(IDENTITY, 4)
    parameters[:, 3:] = torch.tensor([[0.25, 0], [-0.25, 0], [0, 0.25], [0, -0.25]])
    right, left, bottom, top = distort(images, parameters)[:, 0]
    faded = (0.75 * INK + 0.25 * BACKGROUND).expand(32)
    for edge in (right[:, 31], left[:, 0], bottom[31], top[0]):
        torch.testing.assert_close(edge, faded)
    for inside in (right[:, :31], left[:, 1:], bottom[:31], top[1:]):
        assert (inside == INK).all()


def test_scale_of_2_spreads_pixels_about_column_15_and_a_half_and_row_26() -> None:
    images = to_network_input(noise(1))
    twice = distort(images, repeated((0.5, 0, 0, 0, 0)))[0, 0]
    # Rows 26 + 2k come from rows 26 + k; their columns 15.5 + 2d +- 0.5 from a quarter before and
    # after column 15.5 + d, so from two neighbours with weights 3/4 and 1/4.
    source = images[0, 0, 13:29]
    rows = twice[0:32:2]
    torch.testing.assert_close(rows[:, 15], 0.75 * source[:, 15] + 0.25 * source[:, 16])
    torch.testing.assert_close(rows[:, 16], 0.25 * source[:, 15] + 0.75 * source[:, 16])
    torch.testing.assert_close(rows[:, 0], 0.25 * source[:, 7] + 0.75 * source[:, 8])
    torch.testing.assert_close(rows[:, 31], 0.75 * source[:, 23] + 0.25 * source[:, 24])


def test_squeeze_widens_by_q_and_flattens_by_q() -> None:
    x, y = coordinates()
    q = 1.25
    image = smooth_blob(x, y)
    squeezed = distort(image[None, None], repeated((1, math.log(q), 0, 0, 0)))[0, 0]
    expected = smooth_blob(15.5 + (x - 15.5) / q, 26 + (y - 26) * q)
    torch.testing.assert_close(squeezed, expected, rtol=0, atol=0.03)
    ink = (image - BACKGROUND) > 0.5
    wider = (squeezed - BACKGROUND) > 0.5
    assert wider.any(dim=0).sum() > ink.any(dim=0).sum()
    assert wider.any(dim=1).sum() < ink.any(dim=1).sum()


def test_shear_leans_to_the_left_about_row_18_and_a_half() -> None:
    image = torch.full((1, 1, 32, 32), BACKGROUND)
    image[..., 16] = INK  # a vertical bar
    leaning = distort(image, repeated((1, 0, 0.14, 0, 0)))[0, 0]
    ink = leaning - BACKGROUND
    centre = (ink * torch.arange(32)).sum(dim=1) / ink.sum(dim=1)
    torch.testing.assert_close(centre, 16 + 0.14 * (torch.arange(32) - 18.5), rtol=0, atol=1e-5)
    assert centre[4] < 16 < centre[28]


def test_shear_is_measured_in_the_original_and_scales_with_the_height() -> None:
    image = torch.full((1, 1, 32, 32), BACKGROUND)
    image[..., 14:18] = INK
    # 1/s = 1.25 and log q = log 1.25: the width is as it was and the height divided by 1.25^2.
    leaning = distort(image, repeated((1.25, math.log(1.25), 0.1, 0, 0)))[0, 0]
    ink = leaning - BACKGROUND
    centre = (ink * torch.arange(32)).sum(dim=1) / ink.sum(dim=1)
    slopes = centre[10:30].diff()  # the rows that come from inside the image
    torch.testing.assert_close(slopes, torch.full_like(slopes, 0.1 * 1.25**2), rtol=0, atol=1e-4)


@given(
    seed=st.integers(0, 2**32),
    reach=st.floats(0, 20),
    interpolation=st.sampled_from(["bilinear", "nearest", "bicubic"]),
)
@settings(max_examples=50, deadline=None)
def test_levels_stay_between_background_and_ink(
    seed: int, reach: float, interpolation: str
) -> None:
    images = to_network_input(noise(4, seed))
    images[0] = INK
    images[1] = BACKGROUND
    distorted = distort(images, Distortions(translation=reach).draw(4, seed), interpolation)
    assert distorted.min() >= BACKGROUND and distorted.max() <= INK
    assert (distorted[1] == BACKGROUND).all()


def test_each_image_has_its_own_parameters_and_none_is_changed() -> None:
    images = to_network_input(noise(5))
    parameters = Distortions().draw(5, seed=0)
    before = images.clone()
    together = distort(images, parameters)
    alone = [distort(images[k : k + 1], parameters[k : k + 1]) for k in range(5)]
    assert torch.equal(together, torch.cat(alone))
    assert torch.equal(images, before)


def test_takes_views_and_no_image_at_all() -> None:
    images, parameters = to_network_input(noise(6)), Distortions().draw(9, seed=0)
    one_digit = images[:1].expand(9, -1, -1, -1)
    assert torch.equal(distort(one_digit, parameters), distort(one_digit.clone(), parameters))
    strided = distort(images[::2], parameters[::3])
    assert torch.equal(strided, distort(images[::2].clone(), parameters[::3].clone()))
    for interpolation in ("bilinear", "nearest", "bicubic"):
        assert distort(images[:0], parameters[:0], interpolation).shape == (0, 1, 32, 32)


# The distribution


def test_parameters_fill_the_ranges_of_fig_7_evenly() -> None:
    parameters = Distortions().draw(20_000, seed=0)
    assert parameters.shape == (20_000, 5)
    low = torch.tensor([0.75, -0.1, -0.14, -2, -2], dtype=torch.float64)
    high = torch.tensor([1.40, 0.1, 0.14, 2, 2], dtype=torch.float64)
    assert (parameters >= low).all() and (parameters <= high).all()
    uniform = (parameters - low) / (high - low)
    quantiles = torch.linspace(0, 1, 11, dtype=torch.float64)
    torch.testing.assert_close(
        uniform.quantile(quantiles, dim=0), quantiles[:, None].expand(-1, 5), rtol=0, atol=0.015
    )
    off_diagonal = torch.corrcoef(uniform.T) - torch.eye(5)
    assert off_diagonal.abs().max() < 0.03


def test_other_ranges_are_kept() -> None:
    parameters = Distortions((1.0, 1.0), log_squeeze=0, shear=0, translation=5.0).draw(1000, seed=0)
    assert torch.equal(parameters[:, :3], torch.tensor([[1.0, 0, 0]]).expand(1000, 3).double())
    assert 4.9 < parameters[:, 3:].abs().max() <= 5


def test_parameters_depend_on_the_seed_alone_and_not_on_how_many_are_drawn() -> None:
    distortions = Distortions()
    drawn = distortions.draw(100, seed=7)
    assert torch.equal(distortions.draw(100, seed=7), drawn)
    assert torch.equal(distortions.draw(33, seed=7), drawn[:33])
    assert not torch.equal(distortions.draw(100, seed=8), drawn)

    generator = torch.Generator().manual_seed(7)
    chunks = [distortions.draw(count, generator) for count in (1, 0, 16, 50, 33)]
    assert torch.equal(torch.cat(chunks), drawn)


def test_drawing_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    Distortions().draw(10, seed=0)
    assert torch.equal(torch.get_rng_state(), state)


def test_survives_json() -> None:
    distortions = Distortions((0.9, 1.1), log_squeeze=0.05, shear=0.2, translation=1.0)
    read = json.loads(json.dumps(asdict(distortions)))
    assert Distortions(**read | {"inverse_scale": tuple(read["inverse_scale"])}) == distortions


# Errors


@pytest.mark.parametrize(
    ("ranges", "name"),
    [
        ({"inverse_scale": (0.0, 1.0)}, "inverse_scale"),
        ({"inverse_scale": (1.4, 0.75)}, "inverse_scale"),
        ({"inverse_scale": (0.75, math.inf)}, "inverse_scale"),
        ({"log_squeeze": -0.1}, "log_squeeze"),
        ({"shear": math.nan}, "shear"),
        ({"translation": math.inf}, "translation"),
    ],
)
def test_refuses_ranges_that_make_no_sense(ranges: dict, name: str) -> None:
    with pytest.raises(ValueError, match=f"expected .*{name}"):
        Distortions(**ranges)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda images: images[:, 0],
        lambda images: images[..., 2:30, 2:30],
        lambda images: images.double(),
        lambda images: images.to("meta"),
    ],
    ids=["no channel", "28x28", "float64", "not on the CPU"],
)
def test_refuses_other_images(wrong: Callable[[Tensor], Tensor]) -> None:
    images = wrong(to_network_input(noise(2)))
    with pytest.raises(ValueError, match=r"images must be \(N, 1, 32, 32\) float32"):
        distort(images, repeated(IDENTITY, 2))


@pytest.mark.parametrize("shape", [(3, 5), (2, 6), (5,), (1, 5)])
def test_refuses_parameters_that_do_not_fit_the_images(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"parameters must be \(2, 5\)"):
        distort(to_network_input(noise(2)), torch.ones(shape))


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300])
def test_refuses_parameters_that_are_not_finite(value: float, position: int) -> None:
    parameters = repeated(IDENTITY)
    parameters[0, position] = value
    with pytest.raises(ValueError, match="finite"):
        distort(to_network_input(noise(1)), parameters)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
def test_huge_finite_parameters_do_no_harm(interpolation: str) -> None:
    images = to_network_input(noise(5))
    parameters = repeated(IDENTITY, 5)
    parameters.diagonal().copy_(torch.tensor([3e38, 60.0, 3e38, 3e38, -3e38]))
    distorted = distort(images, parameters, interpolation)
    assert distorted.min() >= BACKGROUND and distorted.max() <= INK
    assert (distorted[3:] == BACKGROUND).all()


@pytest.mark.parametrize("interpolation", ["nearest", "bicubic"])
def test_huge_widths_and_shifts_of_one_map_do_no_harm(interpolation: str) -> None:
    parameters = repeated((3e38, 0, 1, 0, 0), 3)  # in float32 the two terms of x were infinite
    assert distort(to_network_input(noise(3)), parameters, interpolation).isfinite().all()


def test_other_interpolations_take_few_images_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = []
    sample = torch.nn.functional.grid_sample

    def counted(ink: Tensor, *arguments: Any, **options: Any) -> Tensor:
        at_once.append(len(ink))
        return sample(ink, *arguments, **options)

    images, parameters = (
        to_network_input(noise(7)).repeat(300, 1, 1, 1),
        Distortions().draw(2100, 6),
    )
    few = [
        distort(*part, "bicubic")
        for part in zip(images.split(300), parameters.split(300), strict=True)
    ]
    monkeypatch.setattr(torch.nn.functional, "grid_sample", counted)
    assert torch.equal(distort(images, parameters, "bicubic"), torch.cat(few))
    assert max(at_once) <= 1000


def test_refuses_an_unknown_interpolation() -> None:
    with pytest.raises(ValueError, match=r"expected interpolation 'bilinear' or .*, got 'cubic'"):
        distort(to_network_input(noise(1)), repeated(IDENTITY), "cubic")
    with pytest.raises(ValueError, match=r"expected interpolation 'bilinear' or .*, got 'cubic'"):
        Distortions(interpolation="cubic")


def test_numba_is_imported_only_to_distort() -> None:
    code = "import sys, lenet1998.data; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
