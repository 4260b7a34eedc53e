"""The way into the network as a torchvision transform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lenet1998.data.field import IMAGE
from lenet1998.data.normalisation import to_network_input

if TYPE_CHECKING:
    from torchvision.transforms import v2


def transforms() -> v2.Compose:
    """A transform of `torchvision.transforms.v2` that ends in the network's input (section II.B).

        torchvision.datasets.MNIST(folder, transform=transforms())

    The values are those of `to_network_input`. Transforms of one's own go before it, in a
    `v2.Compose`; it can be pickled for the workers of a `DataLoader`.

    Shape: a grey PIL image of 28x28, or a uint8 tensor (28, 28) or (..., 1, 28, 28), ink high, as
    MNIST's are -> (1, 32, 32) or (..., 1, 32, 32) float32 in [-0.1, 1.175].

    Raises:
        ValueError: when it is applied, for an image of another size, dtype or number of channels.
    """
    from torchvision import tv_tensors  # slow to import
    from torchvision.transforms import v2

    return v2.Compose([v2.ToImage(), v2.Lambda(_to_network_input, tv_tensors.Image)])


def _to_network_input(images: Tensor) -> Tensor:
    if images.dtype != torch.uint8 or images.shape[-3:] != (1, IMAGE, IMAGE):
        raise ValueError(
            "expected a grey image of 28x28 with values 0..255 (PIL's mode L, or uint8 "
            f"(1, 28, 28)), got {tuple(images.shape)} {images.dtype}"
        )
    plain = images.as_subclass(Tensor)
    inputs = to_network_input(plain.reshape(-1, IMAGE, IMAGE))
    return inputs.view(*plain.shape[:-2], *inputs.shape[-2:])
