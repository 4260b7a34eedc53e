"""Reading pictures: MNIST's test digits made into scans, drawings and photographs."""

import io
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from lenet1998.data import Dataset
from lenet1998.measures.answers import misread
from lenet1998.models import load
from lenet1998.reading.pictures import read_picture

Pixels = npt.NDArray[Any]

DIGITS = 1000


def on_paper(ink: Pixels, paper: Any = 255, pen: Any = 0) -> Pixels:
    """uint8 grey values or colours."""
    paper, pen = (np.asarray(colour, float) for colour in (paper, pen))
    mixed = paper + ink.reshape(*ink.shape, *[1] * paper.ndim) * (pen - paper)
    return mixed.round().clip(0, 255).astype(np.uint8)


def lit(picture: Pixels, light: Pixels, noise: float = 4.0) -> Pixels:
    """A picture (H, W, 3) under uneven light, through a camera."""
    generator = np.random.default_rng(0)
    seen = picture * light[..., None] + generator.normal(0, noise, picture.shape)
    return seen.round().clip(0, 255).astype(np.uint8)


def slope(side: int) -> Pixels:
    """Light that falls off over the picture."""
    y, x = np.mgrid[0:side, 0:side] / side
    light: Pixels = 0.35 + 0.65 * (0.3 * x + 0.7 * y)
    return light


def pictures_of(digit: Pixels, seed: int) -> dict[str, Image.Image]:
    """A scan, a drawing and a photograph of an MNIST digit (28, 28)."""
    generator = np.random.default_rng(seed)
    side = int(generator.integers(80, 250))
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    ink = np.pad(np.asarray(large) / 255, ((side // 3, side // 8), (side // 5, side // 2)))
    photo = on_paper(ink, (240, 235, 220), (40, 50, 120))[: 13 * side // 10, : 13 * side // 10]
    photo = lit(photo, slope(2000)[: len(photo), : photo.shape[1]] + 0.3, noise=8)
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=70)
    return {
        "scan": Image.fromarray(on_paper(ink)),
        "drawing": Image.fromarray(on_paper(ink, 0, 255)),
        "photograph": Image.open(file),
    }


def measure(dataset: Dataset) -> dict[str, object]:
    """Errors in percent of the packaged network on the first test digits, and of their pictures."""
    net = load("lenet5-classic")
    images, labels = dataset.test_images[:DIGITS], dataset.test_labels[:DIGITS]
    digits = (images[:, 0, 2:30, 2:30] * 200 + 20).round().to(torch.uint8).numpy()
    read: dict[str, list[torch.Tensor]] = {}
    seconds = 0.0
    for seed, digit in enumerate(digits):
        for kind, picture in pictures_of(digit, seed).items():
            started = time.perf_counter()
            read.setdefault(kind, []).append(read_picture(picture))
            seconds += time.perf_counter() - started

    def error(inputs: torch.Tensor) -> float:
        return 100 * misread(net, inputs, labels).double().mean().item()

    return {
        "digits": DIGITS,
        "error_percent": {
            "MNIST": error(images),
            **{kind: error(torch.cat(inputs)) for kind, inputs in read.items()},
        },
        "milliseconds_per_picture": 1e3 * seconds / (DIGITS * len(read)),
    }
