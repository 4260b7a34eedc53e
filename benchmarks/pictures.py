"""Reading pictures: MNIST's test digits made into scans, drawings and photographs."""

import io
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy import ndimage

from lenet1998.data import Dataset
from lenet1998.measures.answers import misread
from lenet1998.models import load
from lenet1998.models.network import Network
from lenet1998.reading import ImageError, predict
from lenet1998.reading.pictures import read_picture

Pixels = npt.NDArray[Any]

DIGITS = 1000
HARD = 40
"""Photographs of each hard kind."""

ONE_DIGIT = ("plain", "sheet", "frame", "rules", "hard shadow", "glare")
"""Hard kinds in which the digit is to be read."""
NO_DIGIT = ("several digits", "blank sheet", "blob")
"""Hard kinds that no digit is to be read in."""


def on_paper(ink: Pixels, paper: Any = 255, pen: Any = 0) -> Pixels:
    """uint8 grey values or colours."""
    paper, pen = (np.asarray(colour, float) for colour in (paper, pen))
    mixed = paper + ink.reshape(*ink.shape, *[1] * paper.ndim) * (pen - paper)
    return mixed.round().clip(0, 255).astype(np.uint8)


def lit(picture: Pixels, light: Pixels, noise: float = 4.0, seed: int = 0) -> Pixels:
    """A picture (H, W, 3) under uneven light, through a camera."""
    generator = np.random.default_rng(seed)
    seen = picture * light[..., None] + generator.normal(0, noise, picture.shape)
    return seen.round().clip(0, 255).astype(np.uint8)


def slope(side: int) -> Pixels:
    """Light that falls off over the picture."""
    y, x = np.mgrid[0:side, 0:side] / side
    light: Pixels = 0.35 + 0.65 * (0.3 * x + 0.7 * y)
    return light


def as_jpeg(pixels: Pixels, quality: int = 70) -> Image.Image:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return Image.open(file)


def pictures_of(digit: Pixels, seed: int) -> dict[str, Image.Image]:
    """A scan, a drawing and a photograph of an MNIST digit (28, 28)."""
    generator = np.random.default_rng(seed)
    side = int(generator.integers(80, 250))
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    ink = np.pad(np.asarray(large) / 255, ((side // 3, side // 8), (side // 5, side // 2)))
    photo = on_paper(ink, (240, 235, 220), (40, 50, 120))[: 13 * side // 10, : 13 * side // 10]
    photo = lit(photo, slope(2000)[: len(photo), : photo.shape[1]] + 0.3, noise=8)
    return {
        "scan": Image.fromarray(on_paper(ink)),
        "drawing": Image.fromarray(on_paper(ink, 0, 255)),
        "photograph": as_jpeg(photo),
    }


def hard_photograph(kind: str, digits: Sequence[Pixels], seed: int) -> Image.Image:
    """A photograph of a megapixel: of the first MNIST digit (28, 28), or of no digit.

    Paper, pen, place, size, light, noise and compression vary with the seed.

    Args:
        kind: one of `ONE_DIGIT` or `NO_DIGIT`.
        digits: three, all of which "several digits" may show.
    """
    generator = np.random.default_rng(seed)
    uniform = generator.uniform
    on_table = kind in ("sheet", "blank sheet")
    height, width = generator.permutation((600, 800) if on_table else (900, 1100))
    side = uniform(0.3, 0.55) * min(height, width)
    ink = np.zeros((height, width))
    # The middle of the digit.
    place = [uniform(0.6 * side, extent - 0.6 * side) for extent in (height, width)]
    y, x = np.mgrid[0:height, 0:width] - np.reshape(place, (2, 1, 1))
    along, across = _turned(x, y, uniform(-4, 4))
    if kind == "several digits":
        ink = _several(ink.shape, digits[: generator.integers(2, 4)], generator)
    elif kind == "blob":
        ink = _blob(x, y, side / 2, generator)
    elif kind != "blank sheet":
        _write(ink, digits[0], place, side)
    if kind == "frame":
        distance = np.maximum(
            np.abs(along) - side * uniform(0.6, 0.9), np.abs(across) - side * uniform(0.6, 0.9)
        )
        ink = np.maximum(ink, np.abs(distance) < side * uniform(0.01, 0.04))
    elif kind == "rules":
        spacing = side * uniform(0.3, 0.9)
        off = (across + uniform(0, spacing)) % spacing
        ink = np.maximum(ink, off < side * uniform(0.015, 0.06))
    colours = uniform(190, 245) + uniform(-15, 5, 3), uniform(20, 70) + uniform(-15, 60, 3)
    photo = on_paper(ndimage.gaussian_filter(ink, 1.0), *colours).astype(float)
    if on_table:
        photo = _on_table(photo, generator)
    height, width = photo.shape[:2]
    if kind == "hard shadow":
        edge, _ = _turned(x, y, uniform(0, 360))
        shade = 1 / (1 + np.exp((edge - uniform(-0.3, 0.3) * side).clip(-99, 99) / uniform(0.5, 3)))
        photo *= 1 - uniform(0.35, 0.65) * shade[..., None]
    elif kind == "glare":
        middle, spread = uniform(-0.5, 0.5, 2) * side, uniform(0.25, 0.6, 2) * side
        squared = ((x - middle[0]) / spread[0]) ** 2 + ((y - middle[1]) / spread[1]) ** 2
        haze = np.minimum(uniform(0.8, 1.3) * np.exp(-squared / 2), 0.9)
        photo += (255 - photo) * haze[..., None]
    light = 1 - uniform(0.1, 0.4) * slope(1400)[:height, :width][:: generator.choice((1, -1))]
    pixels = lit(photo, light, uniform(2, 7), seed)
    return as_jpeg(pixels, int(generator.integers(60, 90)))


def _turned(x: Pixels, y: Pixels, degrees: float) -> tuple[Pixels, Pixels]:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return cosine * x + sine * y, cosine * y - sine * x


def _write(ink: Pixels, digit: Pixels, place: Sequence[float], side: float) -> None:
    """Put a digit's ink, its longer side so long, around a place (row, column)."""
    rows, columns = np.flatnonzero(digit.max(1)), np.flatnonzero(digit.max(0))
    box = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = side / max(box.shape)
    size = [round(extent * scale) for extent in box.shape]
    large = Image.fromarray(box).resize(size[::-1], Image.Resampling.BICUBIC)
    crisp = (3 * (np.asarray(large) / 255 - 0.5) + 0.5).clip(0, 1)
    top, left = (round(middle - extent / 2) for middle, extent in zip(place, size, strict=True))
    part = ink[top : top + size[0], left : left + size[1]]
    np.maximum(part, crisp, out=part)


def _several(
    shape: tuple[int, ...], digits: Sequence[Pixels], generator: np.random.Generator
) -> Pixels:
    """Digits of like size in a row that may rise or fall, or one below another."""
    ink = np.zeros(shape)
    side = generator.uniform(0.14, 0.22) * min(shape)
    step = side * np.array([generator.uniform(-0.3, 0.3), generator.uniform(1.15, 1.6)])
    step = step[:: generator.choice((1, -1))]
    for index, digit in enumerate(digits):
        place = np.array(shape) / 2 + (index - (len(digits) - 1) / 2) * step
        _write(ink, digit, place, side * generator.uniform(0.85, 1.15))
    return ink


def _blob(x: Pixels, y: Pixels, radius: float, generator: np.random.Generator) -> Pixels:
    """A blot: a disc with an uneven edge, perhaps squeezed."""
    x, y = _turned(x / generator.uniform(0.5, 1), y, generator.uniform(0, 180))
    angle, wave = np.arctan2(y, x), generator.uniform(0, 0.12, 5)
    phases = generator.uniform(0, 2 * np.pi, 5)
    uneven = sum(wave[k] * np.cos((k + 1) * angle + phases[k]) for k in range(5))
    return (np.hypot(x, y) < radius * (1 + uneven)).astype(float)


def _on_table(sheet: Pixels, generator: np.random.Generator) -> Pixels:
    """A sheet, turned and seen a little from the side, on a table of dark wood."""
    size = height, width = 1000, 1100
    grain = ndimage.gaussian_filter(generator.normal(0, 1, size), (1, 40)) * 40
    wood = generator.uniform(40, 110) * np.array([1, *generator.uniform(0.6, 1, 2)])
    table = (wood + grain[..., None]).clip(0, 255)
    half = np.array(sheet.shape[1::-1]) / 2 * generator.uniform(0.9, 1.1)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    corners += generator.uniform(-0.03, 0.03, (4, 2)) * half
    turned = np.stack(_turned(*corners.T, generator.uniform(-20, 20)), axis=1)
    seen = turned + np.array([width, height]) / 2 + generator.uniform(-30, 30, 2)
    there = [(0, 0), (sheet.shape[1], 0), (sheet.shape[1], sheet.shape[0]), (0, sheet.shape[0])]
    equations, known = [], []
    for (x, y), (u, v) in zip(seen, there, strict=True):
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        known += [u, v]
    view = np.linalg.solve(np.array(equations), np.array(known))
    photo = Image.fromarray(table.astype(np.uint8))
    laid, mask = (
        Image.fromarray(pixels.astype(np.uint8)).transform(
            photo.size, Image.Transform.PERSPECTIVE, view, Image.Resampling.BICUBIC
        )
        for pixels in (sheet, np.full(sheet.shape[:2], 255))
    )
    photo.paste(laid, mask=mask)
    return np.asarray(photo).astype(float)


def grey(images: torch.Tensor) -> Pixels:
    """Inputs (N, 1, 32, 32) as MNIST's (N, 28, 28) uint8, ink 255."""
    return (images[:, 0, 2:30, 2:30] * 200 + 20).round().to(torch.uint8).numpy()


def measure(dataset: Dataset) -> dict[str, object]:
    """Errors in percent of the packaged network on `DIGITS` test digits, and of their pictures.

    They are evenly taken, as the first half of MNIST's are students' and harder.
    """
    net = load("lenet5-classic")
    step = len(dataset.test_labels) // DIGITS
    images, labels = dataset.test_images[::step], dataset.test_labels[::step]
    read: dict[str, dict[int, torch.Tensor]] = {}
    seconds = 0.0
    for seed, digit in enumerate(grey(images)):
        for kind, picture in pictures_of(digit, seed).items():
            of_kind = read.setdefault(kind, {})
            started = time.perf_counter()
            with suppress(ImageError):
                of_kind[seed] = read_picture(picture)
            seconds += time.perf_counter() - started

    def error(inputs: torch.Tensor, indices: list[int]) -> float:
        """What is misread, or not found at all."""
        wrong = int(misread(net, inputs, labels[indices]).sum())
        return 100 * (wrong + DIGITS - len(indices)) / DIGITS

    of_kinds = {
        kind: error(torch.cat([*by_index.values()]), [*by_index]) for kind, by_index in read.items()
    }
    return {
        "digits": DIGITS,
        "error_percent": {"MNIST": error(images, list(range(DIGITS))), **of_kinds},
        "not_found": {kind: DIGITS - len(by_index) for kind, by_index in read.items()},
        "milliseconds_per_picture": 1e3 * seconds / (DIGITS * len(read)),
        "hard": measure_hard(dataset, net),
    }


def measure_hard(
    dataset: Dataset, net: Network, kinds: Sequence[str] = (*ONE_DIGIT, *NO_DIGIT)
) -> dict[str, dict[str, float]]:
    """Of `HARD` photographs of each kind, of test digits evenly taken: the answers.

    `misread` counts digits that are not the right one, each where none is to be read; `refused`
    counts digits that were not read.
    """
    kinds_of_all = (*ONE_DIGIT, *NO_DIGIT)
    step = len(dataset.test_labels) // (3 * HARD * len(kinds_of_all))
    digits, labels = grey(dataset.test_images[::step]), dataset.test_labels[::step]
    result = {}
    for kind in kinds:
        wrong, refused, seconds = 0, 0, 0.0
        first = 3 * HARD * kinds_of_all.index(kind)
        for start in range(first, first + 3 * HARD, 3):
            picture = hard_photograph(kind, digits[start : start + 3], seed=start)
            started = time.perf_counter()
            try:
                answer = predict(picture, net).digit
            except ImageError:
                answer = None
            seconds += time.perf_counter() - started
            refused += answer is None and kind in ONE_DIGIT
            right = int(labels[start]) if kind in ONE_DIGIT else None
            wrong += answer not in (None, right)
        milliseconds = 1e3 * seconds / HARD
        result[kind] = {"misread": wrong, "refused": refused, "milliseconds": milliseconds}
    return result
