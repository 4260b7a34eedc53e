"""LeNet-5 with one part replaced, to see what the part contributes (sections II.A to II.C).

All are trained by the same rule, with the same recipe. Each class says what it replaces and why the
paper chose otherwise.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from lenet1998 import codes
from lenet1998.layers import EuclideanRBF, Squash, TableConv2d
from lenet1998.models.classic import LeNet5Classic

__all__ = [
    "AveragePooling", "CrowdedCentres", "FullC3", "HighSquash", "LeNet5Variant", "LowSquash",
    "MaxPooling", "OneOfTenCodes", "PlainTanh", "PlainTanhSquash", "RandomCodes", "Rectified",
    "TrainableCentres",
]  # fmt: skip

_UNSQUASHED = {"s2": nn.Identity(), "s4": nn.Identity()}


class LeNet5Variant(LeNet5Classic):
    """LeNet-5 with other modules in the place of some.

    Args:
        followed_by: what follows a layer, by the layer's name, where it is not the squash.
        characters, penalty_scale, j: as `LeNet5Classic` takes them.
        parts: the modules put in, by the name of the one that they replace.

    Raises:
        ValueError: for a name that is none of LeNet-5's layers.
    """

    def __init__(
        self,
        followed_by: Mapping[str, nn.Module] | None = None,
        *,
        characters: Sequence[str] = codes.DIGITS,
        penalty_scale: float = 0.5,
        j: float = 1.0,
        **parts: nn.Module,
    ) -> None:
        super().__init__(characters, penalty_scale=penalty_scale, j=j)
        followed_by = dict(followed_by or {})
        for what, given, expected in (
            ("part", parts, dict(self.named_children())),
            ("layer to follow", followed_by, self.TRAINED_LAYERS),
        ):
            for name in given:
                if name not in expected:
                    raise ValueError(f"no {what} {name!r}: expected some of {', '.join(expected)}")
        for name, part in parts.items():
            self.add_module(name, part)
        self.followed_by = nn.ModuleDict(followed_by)

    def squash_after(self, layer: str) -> nn.Module:
        return dict(self.followed_by).get(layer, self.squash)


class PlainTanh(Squash):
    """f(a) = tanh(a)."""

    AMPLITUDE = SLOPE = 1.0


class LowTanh(Squash):
    """f(a) = 1.3 tanh(1.018 a), with f(1) = 1."""

    AMPLITUDE = 1.3
    SLOPE = math.atanh(1 / AMPLITUDE)


class HighTanh(Squash):
    """f(a) = 3 tanh(0.347 a), with f(1) = 1."""

    AMPLITUDE = 3.0
    SLOPE = math.atanh(1 / AMPLITUDE)


class FullC3(LeNet5Variant):
    """Each map of C3 sees all six of S2: 60,900 parameters.

    Table I forces different maps to extract different features, as they see different inputs, and
    keeps the connections within bounds (section II.B).
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(c3=TableConv2d([range(6)] * 16, kernel_size=5), **arguments)


class RandomCodes(LeNet5Variant):
    """Random codes of 84 signs, the same ones always.

    Pictures give look-alikes near codes, for a language model to pick among later; for isolated
    digits the paper expects nothing of them (section II.B).
    """

    def __init__(self, characters: Sequence[str] = codes.DIGITS, **arguments: Any) -> None:
        generator = torch.Generator().manual_seed(1998)
        signs = torch.randint(0, 2, (len(characters), codes.SIZE), generator=generator)
        output = EuclideanRBF(2.0 * signs - 1)
        super().__init__(characters=characters, output=output, **arguments)


class OneOfTenCodes(LeNet5Variant):
    """F6 has one unit for each class: +1 in its code, -1 in all others; 51,046 parameters for ten.

    With more than a few dozen classes such place codes do badly, the paper says: sigmoids find it
    hard to be off most of the time. And distributed ones refuse better what is no character
    (section II.B).
    """

    def __init__(self, characters: Sequence[str] = codes.DIGITS, **arguments: Any) -> None:
        f6 = nn.Linear(120, len(characters))
        output = EuclideanRBF(codes.places(len(characters)))
        super().__init__(characters=characters, f6=f6, output=output, **arguments)


class AveragePooling(LeNet5Variant):
    """S2 and S4 average their windows, with nothing to learn and no squash: 59,956 parameters.

    With a coefficient and a bias a unit can blur, or act as a noisy OR or AND of its inputs
    (section II.A).
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(_UNSQUASHED, s2=nn.AvgPool2d(2), s4=nn.AvgPool2d(2), **arguments)


class MaxPooling(LeNet5Variant):
    """S2 and S4 take the maximum of their windows, as is usual now: 59,956 parameters.

    Why 1998 has a sum there is with `AveragePooling`.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(_UNSQUASHED, s2=nn.MaxPool2d(2), s4=nn.MaxPool2d(2), **arguments)


class PlainTanhSquash(LeNet5Variant):
    """Every squash is tanh(a), so that the codes' -1 and +1 are its asymptotes.

    1.7159 tanh(2a/3) reaches them where it bends most: units stay out of saturation, where learning
    is slow and second derivatives are ill-conditioned (section II.B, appendix A).
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(squash=PlainTanh(), **arguments)


class LowSquash(LeNet5Variant):
    """Every squash has asymptotes nearer to the codes, at +-1.3; it too maps 1 to 1.

    1.7159 and 2/3 are a convenience that does not affect the result, the paper says (appendix A).
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(squash=LowTanh(), **arguments)


class HighSquash(LeNet5Variant):
    """Every squash has asymptotes farther from the codes, at +-3: see `LowSquash`."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(squash=HighTanh(), **arguments)


class Rectified(LeNet5Variant):
    """max(0, a) from C1 to C5; F6 keeps the squash, as its codes need both signs.

    The paper takes an odd squash, as symmetric ones are believed to learn faster (appendix A).
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__({name: nn.ReLU() for name in self.TRAINED_LAYERS[:-1]}, **arguments)


class TrainableCentres(LeNet5Variant):
    """The codes of Fig. 3 are where the centres start, and these learn too: 60,840 parameters.

    The paper sets them by hand and keeps them fixed, at least at first. Under eq. 8 free centres
    could collapse to one point; eq. 9 keeps them apart (sections II.B and II.C).
    """

    def __init__(self, characters: Sequence[str] = codes.DIGITS, **arguments: Any) -> None:
        output = EuclideanRBF(codes.centres(characters), trainable=True)
        super().__init__(characters=characters, output=output, **arguments)


class CrowdedCentres(LeNet5Variant):
    """Centres that learn, and start at random within 0.1 of 0, far nearer together than the codes.

    What eq. 8 makes of them shows how near its trivial solution is, where all states and centres
    are one point (section II.C).
    """

    WITHIN = 0.1

    def __init__(self, characters: Sequence[str] = codes.DIGITS, **arguments: Any) -> None:
        generator = torch.Generator().manual_seed(1998)
        uniform = torch.rand(len(characters), codes.SIZE, generator=generator)
        output = EuclideanRBF(self.WITHIN * (2 * uniform - 1), trainable=True)
        super().__init__(characters=characters, output=output, **arguments)
