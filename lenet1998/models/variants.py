"""LeNet-5 with one part replaced, to see what the part contributes (sections II.A to II.C).

All are trained by the same rule, with the same recipe. Each function's text says what it replaces
and why the paper chose otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from lenet1998 import codes
from lenet1998.layers import EuclideanRBF, Squash, TableConv2d
from lenet1998.models.base import ClassicNetwork
from lenet1998.models.classic import LeNet5Classic

_CODES_SEED = 1998


class LeNet5Variant(LeNet5Classic):
    """LeNet-5 with other modules in the place of some.

    Args:
        followed_by: what follows a layer, by the layer's name, where it is not the squash.
        parts: the modules put in, by the name of the one that they replace.

    Raises:
        ValueError: for a name that is none of LeNet-5's layers.
    """

    def __init__(
        self, followed_by: Mapping[str, nn.Module] | None = None, **parts: nn.Module
    ) -> None:
        super().__init__()
        _check("part", parts, (name for name, _ in self.named_children()))
        _check("layer to follow", followed_by or {}, self.TRAINED_LAYERS)
        for name, part in parts.items():
            self.add_module(name, part)
        self.followed_by = nn.ModuleDict(dict(followed_by or {}))

    def squash_after(self, layer: str) -> nn.Module:
        return dict(self.followed_by).get(layer, self.squash)

    def _f6_map(self, fields: Tensor) -> Tensor:
        x = fields
        for name in self.TRAINED_LAYERS:
            layer = self.get_submodule(name)
            below = x.permute(0, 2, 3, 1) if isinstance(layer, nn.Linear) else x
            x = self.squash_after(name)(layer(below))
        return x


def _check(what: str, given: Iterable[str], expected: Iterable[str]) -> None:
    """Refuse names that the network would never look up."""
    names = tuple(expected)
    for name in given:
        if name not in names:
            raise ValueError(f"no {what} {name!r}: expected some of {', '.join(names)}")


class PlainTanh(Squash):
    """f(a) = tanh(a)."""

    AMPLITUDE = 1.0
    SLOPE = 1.0


def full_c3() -> LeNet5Variant:
    """Each map of C3 sees all six of S2: 60,900 parameters.

    Table I forces different maps to extract different features, as they see different inputs, and
    keeps the connections within bounds (section II.B).
    """
    every_map = tuple(range(6))
    return LeNet5Variant(c3=TableConv2d([every_map] * 16, kernel_size=5))


def random_codes() -> LeNet5Variant:
    """Ten random codes of 84 signs, the same ones always.

    Pictures give look-alikes near codes, for a language model to pick among later; for isolated
    digits the paper expects nothing of them (section II.B).
    """
    generator = torch.Generator().manual_seed(_CODES_SEED)
    signs = torch.randint(0, 2, (len(codes.DIGITS), codes.SIZE), generator=generator)
    return LeNet5Variant(output=EuclideanRBF(2.0 * signs - 1))


def one_of_ten_codes() -> LeNet5Variant:
    """F6 has one unit for each class: +1 in its code, -1 in all others; 51,046 parameters.

    With more than a few dozen classes such place codes do badly, the paper says: sigmoids find it
    hard to be off most of the time. And distributed ones refuse better what is no character
    (section II.B).
    """
    classes = len(codes.DIGITS)
    return LeNet5Variant(
        f6=nn.Linear(120, classes), output=EuclideanRBF(2 * torch.eye(classes) - 1)
    )


def average_pooling() -> LeNet5Variant:
    """S2 and S4 average their windows, with nothing to learn and no squash: 59,956 parameters.

    With a coefficient and a bias a unit can blur, or act as a noisy OR or AND of its inputs
    (section II.A).
    """
    return _pooled(nn.AvgPool2d)


def max_pooling() -> LeNet5Variant:
    """S2 and S4 take the maximum of their windows, as is usual now: 59,956 parameters.

    Why 1998 has a sum there is with `average_pooling`.
    """
    return _pooled(nn.MaxPool2d)


def _pooled(pooling: type[nn.AvgPool2d] | type[nn.MaxPool2d]) -> LeNet5Variant:
    unsquashed = {"s2": nn.Identity(), "s4": nn.Identity()}
    return LeNet5Variant(unsquashed, s2=pooling(2), s4=pooling(2))


def plain_tanh() -> LeNet5Variant:
    """Every squash is tanh(a), so that the codes' -1 and +1 are its asymptotes.

    1.7159 tanh(2a/3) reaches them where it bends most: units stay out of saturation, where learning
    is slow and second derivatives are ill-conditioned (section II.B, appendix A).
    """
    return LeNet5Variant(squash=PlainTanh())


def relu() -> LeNet5Variant:
    """max(0, a) from C1 to C5; F6 keeps the squash, as its codes need both signs.

    The paper takes an odd squash, as symmetric ones are believed to learn faster (appendix A).
    """
    return LeNet5Variant({name: nn.ReLU() for name in LeNet5Classic.TRAINED_LAYERS[:-1]})


def trainable_centres() -> LeNet5Variant:
    """The codes of Fig. 3 are where the centres start, and these learn too: 60,840 parameters.

    The paper sets them by hand and keeps them fixed, at least at first. Under eq. 8 free centres
    would collapse to one point; eq. 9 keeps them apart (sections II.B and II.C).
    """
    return LeNet5Variant(output=EuclideanRBF(codes.centres(), trainable=True))


VARIANTS: dict[str, Callable[[], ClassicNetwork]] = {
    "published": LeNet5Classic,
    "full-c3": full_c3,
    "random-codes": random_codes,
    "one-of-ten-codes": one_of_ten_codes,
    "average-pooling": average_pooling,
    "max-pooling": max_pooling,
    "plain-tanh": plain_tanh,
    "relu": relu,
    "trainable-centres": trainable_centres,
}
"""What `Recipe.variant` names."""
