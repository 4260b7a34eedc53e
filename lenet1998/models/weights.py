"""Trained parameters of a run: one safetensors file with a description of where it comes from."""

from __future__ import annotations

from pathlib import Path

from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.pretrained import WeightsError, load_weights

__all__ = ["WeightsError", "load_classic"]


def load_classic(file: Path) -> tuple[LeNet5Classic, dict[str, str]]:
    """Read the weights of a `LeNet5Classic`, in eval mode, and the description saved with them.

    Raises:
        WeightsError: if the file is not there, is damaged, or holds other parameters.
    """
    net = LeNet5Classic()
    description = load_weights(net, file)
    return net.eval(), description
