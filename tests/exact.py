"""Random numbers in double precision, for tests that compare to the last digits."""

from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def randn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def with_random_parameters(module: Module, std: float = 0.7) -> Module:
    """In float64, every parameter random: a bias of 0 or a coefficient of 1/4 hides mistakes."""
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=std)
    return module
