"""Networks of the 1998 kind in other sizes than LeNet-5's, for the kernels to prove themselves."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lenet1998.layers import EuclideanRBF, Squash, Subsampling, TableConv2d
from lenet1998.models import LeNet5Classic
from lenet1998.models.base import ClassicNetwork
from lenet1998.models.variants import PlainTanh


class ChainNetwork(ClassicNetwork):
    """Convolution, subsampling, table convolution, subsampling, full layers, RBF."""

    TRAINED_LAYERS = ("c1", "s2", "c3", "s4", "f5", "f6")

    def __init__(
        self,
        field: int,
        maps: int,
        table: Sequence[Sequence[int]],
        kernel: int,
        units: tuple[int, int],
        classes: int,
    ) -> None:
        super().__init__()
        self.FIELD = field  # type: ignore[misc]
        s2_side = (field - kernel + 1) // 2
        s4_side = (s2_side - kernel + 1) // 2
        self.c1 = nn.Conv2d(1, maps, kernel)
        self.s2 = Subsampling(maps)
        self.c3 = TableConv2d(table, kernel)
        self.s4 = Subsampling(len(table))
        self.f5 = nn.Conv2d(len(table), units[0], s4_side)
        self.f6 = nn.Linear(*units)
        self.output = EuclideanRBF(torch.randint(0, 2, (classes, units[1])) * 2.0 - 1)
        self.squash = Squash()
        self.followed_by: Mapping[str, nn.Module] = {}

    def squash_after(self, layer: str) -> nn.Module:
        return self.followed_by.get(layer, self.squash)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for name in self.TRAINED_LAYERS:
            layer = self.get_submodule(name)
            x = self.squash_after(name)(layer(x.flatten(1) if isinstance(layer, nn.Linear) else x))
        return self.output(x)


class FullNetwork(ClassicNetwork):
    """Full layers only, so that its kernels compile in little time."""

    TRAINED_LAYERS = ("f5", "f6")
    FIELD = 4

    def __init__(self, units: int, *, trainable: bool = False) -> None:
        super().__init__()
        self.f5, self.f6 = nn.Linear(16, units), nn.Linear(units, 3)
        self.output = EuclideanRBF(2 * torch.eye(3) - 1, trainable=trainable)
        self.squash = Squash()

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.squash(self.f6(self.squash(self.f5(images.flatten(1))))))


def like_lenet1() -> ChainNetwork:
    """28x28, 4 and 12 maps, few units: the sizes of LeNet-1, with an RBF output."""
    table = [(0,), (0, 1)] * 2 + [(1, 2), (2,), (2, 3), (3,)] * 2
    return ChainNetwork(28, 4, table, 5, (20, 12), 10)


def like_lenet4() -> ChainNetwork:
    """Maps in pairs, a width that fills whole vectors, 36 classes (digits and capitals)."""
    table = [(i, i + 1) for i in range(7)] + [(0, 2, 4, 6), tuple(range(8))] + [(1, 5)] * 11
    return ChainNetwork(32, 8, table, 5, (120, 84), 36)


def with_small_kernels() -> ChainNetwork:
    """Sides and widths that divide into nothing evenly: 18 output maps, 3x3 kernels, odd sums."""
    table = [(i % 3, 3) for i in range(18)]
    return ChainNetwork(22, 4, table, 3, (33, 17), 3)


def with_pooling() -> ChainNetwork:
    """An average, a maximum, every kind of squash, and centres that learn."""
    net = with_small_kernels()
    net.s2, net.s4 = nn.AvgPool2d(2), nn.MaxPool2d(2)
    net.followed_by = {"c1": nn.ReLU(), "s2": nn.Identity(), "s4": nn.Identity(), "f5": PlainTanh()}
    net.output = EuclideanRBF(net.output.centres, trainable=True)
    return net


def full_layers() -> FullNetwork:
    """No layer before the full ones, and centres that learn."""
    return FullNetwork(24, trainable=True)


def randomised(net: ClassicNetwork, seed: int = 0) -> ClassicNetwork:
    """Every parameter random, biases and coefficients too, at the scale of a net in training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 16
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
    return net


NETWORKS = {
    "LeNet-5": LeNet5Classic,
    "like LeNet-1": like_lenet1,
    "like LeNet-4": like_lenet4,
    "small kernels": with_small_kernels,
    "pooling": with_pooling,
    "full layers": full_layers,
}
