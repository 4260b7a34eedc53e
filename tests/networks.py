"""Networks of the 1998 kind in other sizes than LeNet-5's, for the kernels to prove themselves."""

from collections.abc import Mapping

import torch
from torch import nn

from lenet1998.codes import CHARACTERS
from lenet1998.layers import EuclideanRBF, Squash, Subsampling, TableConv2d
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.lenet1 import LeNet1
from lenet1998.models.lenet4 import LeNet4
from lenet1998.models.variants import OneOfTenCodes, PlainTanh


class Chain(ChainNetwork):
    """Any layers in a row, the last of them a full one, and random codes on top."""

    def __init__(
        self,
        field: int,
        classes: int = 3,
        *,
        trainable: bool = False,
        followed_by: Mapping[str, nn.Module] | None = None,
        **layers: nn.Module,
    ) -> None:
        super().__init__()
        self.FIELD = field  # type: ignore[misc]
        self.TRAINED_LAYERS = tuple(layers)  # type: ignore[misc]
        for name, layer in layers.items():
            self.add_module(name, layer)
        units = layers[self.TRAINED_LAYERS[-1]].out_features
        codes = torch.randint(0, 2, (classes, units)) * 2.0 - 1
        self.output = EuclideanRBF(codes, trainable=trainable)
        self.squash = Squash()
        self.followed_by = followed_by or {}

    def squash_after(self, layer: str) -> nn.Module:
        return self.followed_by.get(layer, self.squash)


class WithoutOutput(Chain):
    """It puts out the states of its top layer."""

    forward = ChainNetwork.top_state


def with_wide_maps() -> Chain:
    """A width that fills whole vectors, 36 classes (digits and capitals)."""
    table = [(i, i + 1) for i in range(7)] + [(0, 2, 4, 6), tuple(range(8))] + [(1, 5)] * 11
    return Chain(
        32,
        36,
        c1=nn.Conv2d(1, 8, 5), s2=Subsampling(8),
        c3=TableConv2d(table, 5), s4=Subsampling(20),
        f5=nn.Conv2d(20, 120, 5), f6=nn.Linear(120, 84),
    )  # fmt: skip


def with_small_kernels() -> Chain:
    """Sides and widths that divide into nothing evenly: 18 output maps, 3x3 kernels, odd sums."""
    return Chain(
        22,
        c1=nn.Conv2d(1, 4, 3), s2=Subsampling(4),
        c3=TableConv2d([(i % 3, 3) for i in range(18)], 3), s4=Subsampling(18),
        f5=nn.Conv2d(18, 33, 4), f6=nn.Linear(33, 17),
    )  # fmt: skip


def with_pooling() -> Chain:
    """An average, a maximum, every kind of squash, and centres that learn."""
    return Chain(
        22,
        trainable=True,
        followed_by={
            "c1": nn.ReLU(), "s2": nn.Identity(), "s4": nn.Identity(), "f5": PlainTanh(),
        },
        c1=nn.Conv2d(1, 4, 3), s2=nn.AvgPool2d(2),
        c3=TableConv2d([(i % 3, 3) for i in range(18)], 3), s4=nn.MaxPool2d(2),
        f5=nn.Conv2d(18, 33, 4), f6=nn.Linear(33, 17),
    )  # fmt: skip


def full_layers(units: int = 24) -> Chain:
    """No layer before the full ones, and centres that learn."""
    return Chain(4, trainable=True, f5=nn.Linear(16, units), f6=nn.Linear(units, 3))


def with_a_unit_for_each_character() -> OneOfTenCodes:
    """95 classes: all printable characters, with place codes."""
    return OneOfTenCodes(CHARACTERS[:-1])


def randomised(net: ChainNetwork, seed: int = 0) -> ChainNetwork:
    """Every parameter random, biases and coefficients too, at the scale of a net in training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 16
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
    return net


NETWORKS = {
    "LeNet-5": LeNet5Classic,
    "LeNet-1": LeNet1,
    "LeNet-4": LeNet4,
    "wide maps": with_wide_maps,
    "small kernels": with_small_kernels,
    "pooling": with_pooling,
    "full layers": full_layers,
    "95 place codes": with_a_unit_for_each_character,
}
