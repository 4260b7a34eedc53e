"""`lenet1998 models`: the trained networks that come with the package."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from lenet1998 import catalogue
from lenet1998.models.saved import read_origin
from lenet1998.report.sections import Document, Outcome, Section, Table


@dataclass(frozen=True)
class Card:
    """Where a trained network comes from."""

    name: str  # what `lenet1998.load` takes
    description: str  # one line
    network: str  # the catalogue's name of what it is
    dataset: str  # what it was trained and measured on
    recipe: dict[str, Any]  # every choice of its training, as a JSON object
    seed: int  # of the run
    passes: int  # through the training set
    test_error_percent: float  # on the 10,000 test digits, after the last pass
    training_error_percent: float  # counted on line in the last pass
    sha256: str  # of the file


def cards() -> dict[str, Card]:
    """What can be loaded, by name."""
    of_name = {}
    for name, entry in catalogue.NETWORKS.items():
        if (file := entry.weights) is None:
            continue
        origin = read_origin(file)
        recipe, last = origin.recipe or {}, origin.log[-1]
        of_name[name] = Card(
            name=name,
            description=entry.words,
            network=origin.network,
            dataset=origin.dataset or "",
            recipe=recipe,
            seed=recipe["seed"],
            passes=last["number"],
            test_error_percent=round(last["test_error_percent"], 4),
            training_error_percent=round(last["online_training_error_percent"], 4),
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        )
    return of_name


def models() -> Outcome:
    """A row for each."""
    packaged = cards()
    columns = {
        "test error": lambda card: f"{card.test_error_percent:.2f} %",
        "data": lambda card: card.dataset,
        "recipe": lambda card: card.recipe["name"].replace(card.name, "its own"),
        "seed": lambda card: str(card.seed),
        "passes": lambda card: str(card.passes),
        "sha256": lambda card: card.sha256[:12],
    }
    table = Table.of("", "name", packaged, columns, spare=("recipe", "sha256"))
    values = [asdict(card) for card in packaged.values()]
    return Outcome(values, Document("Trained networks", [Section(tables=[table])]))
