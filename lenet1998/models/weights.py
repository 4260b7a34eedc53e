"""Trained parameters on disk: safetensors files, each with a description of where it comes from."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from lenet1998.models.classic import LeNet5Classic


class WeightsError(Exception):
    """A file of weights is absent, damaged or of another network. The message is one line."""


def load_classic(file: Path) -> tuple[LeNet5Classic, dict[str, str]]:
    """Read the weights of a `LeNet5Classic`, in eval mode, and the description saved with them.

    Raises:
        WeightsError: if the file is not there, is damaged, or holds other parameters.
    """
    if not file.is_file():
        raise WeightsError(f"{file}: there is no such file; expected weights.safetensors of a run")
    net = LeNet5Classic()
    try:
        with safe_open(file, framework="pt") as saved:
            description = saved.metadata() or {}
            tensors = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
        net.load_state_dict(tensors)
    except SafetensorError as error:
        raise WeightsError(f"{file} is not a safetensors file, or is cut off: {error}") from error
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{file} does not hold a LeNet5Classic: {reason}") from error
    unfinite = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if unfinite:
        raise WeightsError(f"{file} holds NaN or infinite values in {', '.join(unfinite)}")
    return net.eval(), description
