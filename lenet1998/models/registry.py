"""Trained networks that come with the package, each with where it comes from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import nn

from lenet1998.files import write_atomically
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.modern import LeNet5Modern
from lenet1998.models.tutorials import TUTORIALS
from lenet1998.models.weights import WeightsError

if TYPE_CHECKING:
    from lenet1998.learning.training import Run

_NETWORKS: dict[str, type[nn.Module]] = {
    network.__name__: network for network in (LeNet5Classic, LeNet5Modern, *TUTORIALS.values())
}


@dataclass(frozen=True)
class Card:
    """Where a trained network comes from.

    Attributes:
        name: what `load` takes.
        network: its class.
        description: one line.
        dataset: what it was trained and measured on.
        recipe: every choice of its training, as a JSON object.
        seed: of the run.
        passes: through the training set.
        test_error_percent: on the 10,000 test digits, after the last pass.
        training_error_percent: counted on line in the last pass.
        sha256: of the file of weights.
    """

    name: str
    network: str
    description: str
    dataset: str
    recipe: dict[str, object]
    seed: int
    passes: int
    test_error_percent: float
    training_error_percent: float
    sha256: str


def _folder() -> Path:
    return Path(str(resources.files("lenet1998") / "weights"))


def cards() -> dict[str, Card]:
    """What can be loaded, by name."""
    found = (json.loads(file.read_text()) for file in sorted(_folder().glob("*.json")))
    return {card["name"]: Card(**card) for card in found}


def load(name: str) -> nn.Module:
    """A trained network from the package, in eval mode; nothing is downloaded.

    Args:
        name: such as `"lenet5-classic"`; `cards()` and `lenet1998 models` list them.

    Raises:
        ValueError: for an unknown name, listing those there are.
        WeightsError: if the file of weights is not the one that was packaged.
    """
    there = cards()
    if name not in there:
        raise ValueError(f"no trained network {name!r}: expected one of {', '.join(there)}")
    file = _folder() / f"{name}.safetensors"
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != there[name].sha256:
        raise WeightsError(f"{file} is not the file that was packaged: install lenet1998 again")
    net = _NETWORKS[there[name].network]()
    net.load_state_dict(read_tensors(content))
    return net.eval()


def add(name: str, run: Run, description: str, folder: Path | None = None) -> Card:
    """Put the network of a finished run into the package, with its card.

    Args:
        name: what `load` shall take.
        run: of `learning.train`.
        description: one line.
        folder: another than the package's.
    """
    last = run.records[-1]
    return add_network(
        name,
        run.net,
        description,
        dataset=run.dataset_name,
        recipe=json.loads(run.recipe.to_json()),
        seed=run.recipe.seed,
        passes=last.number,
        test_error_percent=last.test_error_percent,
        training_error_percent=last.online_training_error_percent,
        folder=folder,
    )


def add_network(
    name: str,
    net: nn.Module,
    description: str,
    *,
    dataset: str,
    recipe: dict[str, object],
    seed: int,
    passes: int,
    test_error_percent: float,
    training_error_percent: float,
    folder: Path | None = None,
) -> Card:
    """Put a network into the package, with its card.

    Args:
        name: what `load` shall take.
        net: trained; of a class that `load` knows.
        description, dataset, recipe, seed, passes: as on the card.
        test_error_percent, training_error_percent: as on the card; rounded to four digits.
        folder: another than the package's.

    Raises:
        ValueError: for a network of another class.
    """
    network = type(net).__name__
    if network not in _NETWORKS:
        raise ValueError(f"load knows no network {network}: expected {', '.join(_NETWORKS)}")
    folder = folder or _folder()
    content = write_tensors(dict(net.state_dict()))
    card = Card(
        name=name,
        network=network,
        description=description,
        dataset=dataset,
        recipe=recipe,
        seed=seed,
        passes=passes,
        test_error_percent=round(test_error_percent, 4),
        training_error_percent=round(training_error_percent, 4),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    write_atomically(folder / f"{name}.safetensors", content)
    write_atomically(folder / f"{name}.json", json.dumps(asdict(card), indent=2) + "\n")
    return card
