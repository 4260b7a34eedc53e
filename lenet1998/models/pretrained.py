"""Networks saved as a folder: safetensors for the parameters, JSON for the rest, no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from lenet1998.files import write_atomically

WEIGHTS, CONFIG = "model.safetensors", "config.json"
"""The files of such a folder, under the names that are usual for them."""


class WeightsError(Exception):
    """Saved parameters are absent, damaged or of another network. The message is one line."""


class Pretrained(nn.Module):
    """Gives a network `save_pretrained` and `from_pretrained`."""

    def configuration(self) -> dict[str, Any]:
        """The arguments that make a network of this form again, ready for JSON."""
        return {}

    def save_pretrained(
        self, folder: str | Path, description: Mapping[str, object] | None = None
    ) -> None:
        """Write the network to a folder: `model.safetensors` and `config.json`, each whole.

        Args:
            folder: made if it is not there; a network in it is replaced.
            description: what a reader should know, such as recipe, data and measured error. It is
                kept in `config.json`; `read_description` gives it back.

        Raises:
            TypeError, ValueError: if the description has no place in JSON; nothing is written then.
        """
        config = {
            "network": type(self).__name__,
            "arguments": self.configuration(),
            "description": dict(description or {}),
        }
        text = json.dumps(config, indent=2, allow_nan=False) + "\n"
        tensors = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / WEIGHTS, save(tensors))
        write_atomically(folder / CONFIG, text)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what `save_pretrained` wrote: on the CPU, in eval mode, of the dtype as saved.

        Raises:
            WeightsError: if a file is not there or damaged, or the network is of another class.
        """
        config = _read_config(Path(folder))
        if config["network"] != cls.__name__:
            raise WeightsError(
                f"{folder} holds a {config['network']}, not a {cls.__name__}: "
                "load it with the class that saved it"
            )
        try:
            net = cls(**config["arguments"])
        except (TypeError, ValueError) as error:
            raise WeightsError(
                f"{Path(folder) / CONFIG}: no {cls.__name__} can be made of its arguments: {error}"
            ) from error
        load_weights(net, Path(folder) / WEIGHTS)
        return net.eval()


def read_description(folder: str | Path) -> dict[str, Any]:
    """The description that a network was saved with.

    Raises:
        WeightsError: if `config.json` is not there or damaged.
    """
    description: dict[str, Any] = _read_config(Path(folder))["description"]
    return description


def load_weights(net: nn.Module, file: Path) -> dict[str, str]:
    """Give a network the parameters and buffers of a safetensors file, in the dtype of the file.

    Returns:
        The metadata in the file's header; empty if it has none.

    Raises:
        WeightsError: if the file is not there, is damaged, or holds other parameters, NaN or
            infinity.
    """
    if not file.is_file():
        raise WeightsError(f"{file}: there is no such file; expected a network's safetensors file")
    try:
        with safe_open(file, framework="pt") as saved:
            metadata: dict[str, str] = saved.metadata() or {}
            tensors = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"{file} is not a safetensors file, or is cut off: {error}") from error
    try:
        net.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{file} does not hold a {type(net).__name__}: {reason}") from error
    unfinite = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if unfinite:
        raise WeightsError(f"{file} holds NaN or infinite values in {', '.join(unfinite)}")
    return metadata


def _read_config(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    if not file.is_file():
        raise WeightsError(
            f"{file}: there is no such file; expected a folder that save_pretrained wrote"
        )
    try:
        config = json.loads(file.read_bytes())
    except ValueError as error:
        raise WeightsError(f"{file} is not JSON: {error}") from error
    expected = {"network": str, "arguments": dict, "description": dict}
    for key, kind in expected.items():
        if not isinstance(config, dict) or not isinstance(config.get(key), kind):
            raise WeightsError(f"{file} is not what save_pretrained wrote: no {key!r} in it")
    found: dict[str, Any] = config
    return found
