"""What an image must be before a network reads it, and what to do where it is not."""

from __future__ import annotations

import torch
from torch import Tensor

BACKGROUND, INK = -0.1, 1.175
"""Input levels of white and black (section II.B)."""

# Room for noise, interpolation and distortion around the two levels, far from a 0..255 scale.
LOWEST_LEVEL, HIGHEST_LEVEL = -4.0, 5.0


def check_images(images: Tensor, dtype: torch.dtype, side: int, *, or_larger: bool = False) -> None:
    """Shape and dtype of a batch; reads no value, so it costs nothing and traces cleanly.

    Raises:
        ValueError: saying what was expected and what came.
    """
    height, width = images.shape[-2:] if images.ndim == 4 else (0, 0)
    fits = height >= side and width >= side if or_larger else height == side and width == side
    if images.ndim != 4 or images.shape[1] != 1 or not fits:
        size = f"H >= {side}, W >= {side}" if or_larger else f"{side}, {side}"
        advice = (
            "; pad a 28x28 digit by 2 pixels of background on each side (level -0.1), do not resize"
            if images.shape[-2:] == (28, 28)
            else ""
        )
        raise ValueError(
            f"expected images of shape (N, 1, {size}), got {tuple(images.shape)}{advice}"
        )
    if images.dtype != dtype:
        raise ValueError(
            f"expected images of the network's dtype {dtype}, got {images.dtype}: "
            f"convert with images.to({dtype}) (levels {BACKGROUND} to {INK}, not 0 to 255)"
        )


def check_levels(images: Tensor) -> None:
    """Values of a batch: finite and on the paper's scale, not 0..255.

    Raises:
        ValueError: saying what was expected and what came.
    """
    if images.numel() == 0:
        return
    low, high = (value.item() for value in images.aminmax())
    # NaN fails every comparison, so it is named first.
    if not (low == low and high == high) or abs(low) == torch.inf or high == torch.inf:
        raise ValueError("the images hold NaN or infinite values: expected finite levels")
    if low < LOWEST_LEVEL or high > HIGHEST_LEVEL:
        raise ValueError(
            f"the images' levels run from {low:g} to {high:g}: expected {BACKGROUND} (background) "
            f"to {INK} (ink), as data.to_network_input makes them from 0..255"
        )
