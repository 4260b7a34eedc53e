"""The field that a network looks at: its sizes, its levels, and what an image must be to fit it.

Every size and level of the input stands here and nowhere else (sections II.B and III.A).
"""

import math

import torch
from torch import Tensor

__all__ = [
    "BACKGROUND", "BOX", "CENTRE", "FIELD", "IMAGE", "INK", "PADDING",
    "check_images", "check_labels", "check_levels", "check_whole",
]  # fmt: skip

FIELD = 32
"""Side of LeNet-5's square input, in pixels."""
IMAGE = 28
"""Side of an image of MNIST."""
PADDING = (FIELD - IMAGE) // 2
"""Pixels of background around such an image."""
BOX = 20
"""Side of the box that a digit is fitted into."""
CENTRE = 14
"""Row and column of an image, counted from 0, that a digit's centre of mass is brought to."""

BACKGROUND, INK = -0.1, 1.175
"""Input levels of white and black."""

# Room for noise, interpolation and distortion around the two levels, far from a 0..255 scale.
LOWEST_LEVEL, HIGHEST_LEVEL = -4.0, 5.0


def check_images(images: Tensor, dtype: torch.dtype, side: int, *, or_larger: bool = False) -> None:
    """Refuse another shape or dtype; reads no value, so it costs nothing and traces cleanly."""
    shape = tuple(images.shape)
    size, fits = f"{side}, {side}", shape[-2:] == (side, side)
    if or_larger:
        size, fits = f"H >= {side}, W >= {side}", all(extent >= side for extent in shape[-2:])
    if not fits or images.ndim != 4 or shape[1] != 1:
        message = f"expected images of shape (N, 1, {size}), got {shape}"
        if shape[-2:] == (IMAGE, IMAGE):
            message += "; pad a 28x28 digit by 2 pixels of background on each side (level -0.1), "
            message += "do not resize"
        raise ValueError(message)
    if images.dtype != dtype:
        raise ValueError(
            f"expected images of the network's dtype {dtype}, got {images.dtype}: "
            f"convert with images.to({dtype}) (levels {BACKGROUND} to {INK}, not 0 to 255)"
        )


def check_levels(images: Tensor) -> None:
    """Refuse values that are not finite and on the paper's scale, such as 0..255."""
    if images.numel() == 0:
        return
    low, high = (value.item() for value in images.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("the images hold NaN or infinite values: expected finite levels")
    if low < LOWEST_LEVEL or high > HIGHEST_LEVEL:
        raise ValueError(
            f"the images' levels run from {low:g} to {high:g}: expected {BACKGROUND} (background) "
            f"to {INK} (ink), as data.to_network_input makes them from 0..255"
        )


def check_labels(labels: Tensor, images: Tensor, classes: int) -> None:
    """Refuse labels that are not one for each image, int64 from 0 to `classes` - 1."""
    if len(labels) != len(images):
        raise ValueError(f"expected a label for each of {len(images)} images, got {len(labels)}")
    check_whole(labels, classes, "labels")


def check_whole(values: Tensor, below: int, what: str) -> None:
    """Refuse what is not `(N,)` int64 from 0 to `below` - 1: kernels read where it points."""
    if values.ndim != 1 or values.dtype != torch.int64:
        kind = f"{tuple(values.shape)} {values.dtype}"
        raise ValueError(f"expected {what} of shape (N,) and dtype torch.int64, got {kind}")
    if values.numel():
        low, high = (value.item() for value in values.aminmax())
        if low < 0 or high >= below:
            raise ValueError(f"the {what} run from {low} to {high}: expected 0 to {below - 1}")
