"""The field that a network looks at: its sizes, its levels, and what an image must be to fit it.

Every size and level of the input stands here and nowhere else (sections II.B and III.A).
"""

import math

import torch
from torch import Tensor

__all__ = [
    "BACKGROUND", "BOX", "CENTRE", "FIELD", "IMAGE", "INK", "PADDING",
    "check_images", "check_labels", "check_levels", "check_scale", "check_whole",
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

_SCALES = (
    *(("0..1", 0, 1), ("-1..1", -1, 1), ("0..255", 0, 255)),
    *(("inverted, 0..1", 1, 0), ("inverted, -1..1", 1, -1), ("inverted, 0..255", 255, 0)),
    (f"inverted, {BACKGROUND}..{INK}", INK, BACKGROUND),
)
"""What images are mistaken for the paper's: name, level of the background, level of the ink."""
_ALIKE = 0.05
"""Levels so near are one: LeNet-5 misreads half of MNIST where the background is at 0."""


def check_images(images: Tensor, dtype: torch.dtype, side: int, *, or_larger: bool = False) -> None:
    """Refuse another shape or dtype; reads no value, so it costs nothing and traces cleanly."""
    shape = tuple(images.shape)
    size, fits = f"{side}, {side}", shape[-2:] == (side, side)
    if or_larger:
        size, fits = f"H >= {side}, W >= {side}", all(extent >= side for extent in shape[-2:])
    if not fits or images.ndim != 4 or shape[1] != 1:
        message = f"expected images of shape (N, 1, {size}), got {shape}"
        if shape[-2:] == (IMAGE, IMAGE):
            message += "; data.to_network_input pads 28x28 digits, 0..255 (uint8), by 2 pixels of "
            message += "background and sets their levels; do not resize"
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
    try:
        low, high = (value.item() for value in images.aminmax())
    except (NotImplementedError, RuntimeError) as error:
        kind = f"{images.layout} {images.dtype} on {images.device}"
        raise ValueError(f"expected images that hold float32 or float64, got {kind}") from error
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("the images hold NaN or infinite values: expected finite levels")
    if low < LOWEST_LEVEL or high > HIGHEST_LEVEL:
        raise ValueError(
            f"the images' levels run from {low:g} to {high:g}: expected {BACKGROUND} (background) "
            f"to {INK} (ink), as data.to_network_input makes them from 0..255"
        )


def check_scale(images: Tensor) -> None:
    """Refuse images whose background is not at -0.1: 0..1, -1..1, inverted, and their like.

    The outermost pixels of MNIST's 28x28 tell (the padding may be right around an image that is
    not), over a hundred of the images at most: three fifths of them have one level, and less than a
    quarter is at -0.1. So digits that are noisy, moved, turned or that touch the edge pass, and so
    does what has no background: noise, and images of one level. What has not the shape of images is
    left to `check_images`.
    """
    if images.shape[1:] != (1, FIELD, FIELD) or len(images) == 0:
        return
    inside = slice(PADDING, -PADDING)
    some = images[:: -(-len(images) // 100), 0, inside, inside].detach()
    edge = torch.cat([some[:, 0], some[:, -1], some[:, :, 0], some[:, :, -1]]).to(torch.float32)
    level = edge.median().item()
    shared = ((edge - level).abs() <= _ALIKE * max(1.0, abs(level))).sum().item()
    background = ((edge - BACKGROUND).abs() <= _ALIKE).sum().item()
    if shared < 0.6 * edge.numel() or background > 0.25 * edge.numel():
        return
    low, high = (value.item() for value in some.aminmax())
    if high - low <= _ALIKE:
        return
    name, white, black = next(
        (scale for scale in _SCALES if _is_on(scale, level, low, high)),
        (f"{low:.4g}..{high:.4g}", level, high if high - level > level - low else low),
    )
    slope = (INK - BACKGROUND) / (black - white)
    shift = BACKGROUND - slope * white
    raise ValueError(
        f"the images' levels look like {name}: expected background {BACKGROUND}, not {level:.4g}, "
        f"and ink {INK}; take {slope:.6g} * images {'-' if shift < 0 else '+'} {abs(shift):.6g}, "
        "or data.to_network_input of 0..255 (uint8, ink high)"
    )


def _is_on(scale: tuple[str, float, float], level: float, low: float, high: float) -> bool:
    _, white, black = scale
    (least, most), extent = sorted((white, black)), abs(black - white)
    room = _ALIKE * extent
    inside = least - room <= low and high <= most + room
    return inside and abs(level - white) <= room and high - low > 0.1 * extent


def check_labels(labels: Tensor, images: Tensor, classes: int) -> None:
    """Refuse labels that are not one for each image, int64 from 0 to `classes` - 1."""
    check_whole(labels, classes, "labels")
    if len(labels) != len(images):
        raise ValueError(f"expected a label for each of {len(images)} images, got {len(labels)}")


def check_whole(values: Tensor, below: int, what: str) -> None:
    """Refuse what is not `(N,)` int64 from 0 to `below` - 1: kernels read where it points."""
    if not isinstance(values, Tensor):
        kind = type(values).__name__
        raise TypeError(f"expected {what} as a tensor, got a {kind}: take torch.as_tensor of it")
    if values.ndim != 1 or values.dtype != torch.int64:
        kind = f"{tuple(values.shape)} {values.dtype}"
        raise ValueError(f"expected {what} of shape (N,) and dtype torch.int64, got {kind}")
    if values.numel():
        low, high = (value.item() for value in values.aminmax())
        if low < 0 or high >= below:
            raise ValueError(f"the {what} run from {low} to {high}: expected 0 to {below - 1}")
