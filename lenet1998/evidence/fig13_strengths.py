"""What is tried for Fig. 13: disturbances, their strengths, the networks, the paper's claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lenet1998.data.disturbances import (
    rotated,
    scaled,
    sheared,
    shifted_vertically,
    with_noise,
    with_strokes,
)

# With the ranges of Fig. 7: those that the network of 1998 was trained with.
PLAIN, DISTORTED, NOISE = "paper", "paper-distorted-measured", "paper-noise"
NETWORKS = {
    PLAIN: ("plain", "#b5403a"),
    DISTORTED: ("trained with distortions", "#2f6690"),
    NOISE: ("trained with noise", "#4f7f52"),
}
"""What each recipe's networks are called, and their colour."""


@dataclass(frozen=True)
class Disturbance:
    """One way to make digits harder.

    Attributes:
        title: of its panel.
        unit: of the strength, on the axis.
        disturb: images and strength to disturbed images.
        strengths: of the curve, ascending.
        none: the strength that changes nothing, one of them.
        shown: the strengths of the examples.
    """

    title: str
    unit: str
    disturb: Callable[[Tensor, float], Tensor]
    strengths: tuple[float, ...]
    none: float
    shown: tuple[float, ...]


@dataclass(frozen=True)
class Claim:
    """What the paper says is read, as a strength.

    Attributes:
        kind: of the disturbance, a name of `DISTURBANCES`.
        words: the paper's claim, in this reading.
        strengths: where it is tested.
    """

    kind: str
    words: str
    strengths: tuple[float, ...]


_FACTORS = tuple(round(2 ** (step / 6), 4) for step in range(-6, 7))

DISTURBANCES = {
    "size": Disturbance(
        "Size", "relative size", scaled, _FACTORS, 1.0, (0.5, 0.7071, 0.8909, 1.2599, 1.5874, 2.0)
    ),
    "shift": Disturbance(
        "Vertical shift",
        "moved up or down by (pixels)",
        shifted_vertically,
        tuple(float(pixels) for pixels in range(11)),
        0.0,
        (1.0, 2.0, 4.0, 5.0, 7.0, 10.0),
    ),
    "rotation": Disturbance(
        "Rotation",
        "turned to either side by (degrees)",
        rotated,
        tuple(float(degrees) for degrees in range(0, 61, 5)),
        0.0,
        (10.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    ),
    "shear": Disturbance(
        "Shear",
        "leant to either side by (columns per row)",
        sheared,
        tuple(step / 10 for step in range(11)),
        0.0,
        (0.2, 0.3, 0.4, 0.6, 0.8, 1.0),
    ),
    "noise": Disturbance(
        "Noise",
        "pixels inverted (share)",
        with_noise,
        (0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
        0.0,
        (0.025, 0.05, 0.1, 0.2, 0.3, 0.4),
    ),
    "strokes": Disturbance(
        "Stroke width",
        "strokes wider by (pixels)",
        with_strokes,
        (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0),
        0.0,
        (-2.0, -1.5, -1.0, 1.0, 2.0, 3.0),
    ),
}
"""Those of section III.E, and shear and stroke width beside them."""

CLAIMS = (
    Claim("size", "a size range of a factor 2", (0.7071, 1.4142)),
    Claim("size", "a factor 2 in size either way", (0.5, 2.0)),
    Claim("shift", "a vertical shift range of half the height", (5.0,)),
    Claim("shift", "half the height in vertical shift either way", (10.0,)),
    Claim("rotation", "a rotation of ±30 degrees", (30.0,)),
)
"""Sizes and shifts in two readings: the paper's "factor 2" may be a range or to either side."""


def strength_in_words(kind: str, strength: float) -> str:
    """A strength of a disturbance, such as "5 pixels"."""
    return {
        "size": f"×{strength:.2f}",
        "shift": f"{strength:g} pixels",
        "rotation": f"{strength:g}°",
        "shear": f"{strength:g}",
        "noise": f"{100 * strength:g} %",
        "strokes": f"{strength:+g}",
    }[kind].replace("-", "−")
