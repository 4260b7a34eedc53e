"""Classifiers of `lenet1998.others` as an experiment takes them: fitted, asked, and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lenet1998.data import Dataset, Source
from lenet1998.data.field import BACKGROUND, INK
from lenet1998.data.versions import VERSIONS
from lenet1998.files import make_folder, write_atomically
from lenet1998.models.saved import WEIGHTS
from lenet1998.runs.many import make_all
from lenet1998.runs.task import Task, load
from lenet1998.runs.workers import Workers

__all__ = ["Answers", "Fit", "fit_many", "pixels"]

_HEADER = "fit"


@dataclass(frozen=True)
class Fit:
    """What is fitted to the training digits, and asked what the test digits are."""

    name: str  # that tells it from others; of its folder
    classifier: str  # its class, as `module:class` in `lenet1998.others`
    arguments: dict[str, Any] = field(default_factory=dict)  # of its class
    version: str = "28x28"  # of the digits, one of `data.versions.VERSIONS`

    def build(self) -> Any:
        """The classifier, not yet fitted."""
        module, _, name = self.classifier.partition(":")
        return getattr(import_module(f"lenet1998.others.{module}"), name)(**self.arguments)


@dataclass(frozen=True)
class Answers:
    """What a classifier makes of the test digits, and what it costs."""

    scores: Tensor  # (N, classes) float64; the largest wins
    multiply_adds: int  # to read one digit
    variables: int  # numbers that are kept


def pixels(images: Tensor, version: str) -> npt.NDArray[np.float32]:
    """A version of the digits for a classifier: `(N, pixels)` float32, paper 0 and ink 1."""
    levels = VERSIONS[version](images).flatten(1)
    rows: npt.NDArray[np.float32] = ((levels - BACKGROUND) / (INK - BACKGROUND)).numpy()
    return rows


@dataclass(frozen=True)
class _FitTask(Task):
    fit: Fit

    def make(self, dataset: Dataset) -> None:
        classifier = self.fit.build()
        version = self.fit.version
        classifier.fit(pixels(dataset.training_images, version), dataset.training_labels.numpy())
        scores = classifier.decision_function(pixels(dataset.test_images, version))
        header = {
            "fit": asdict(self.fit),
            "digits": dataset.name,
            "multiply_adds": classifier.multiply_adds_,
            "variables": classifier.variables_,
        }
        content = save({"scores": torch.from_numpy(scores)}, {_HEADER: json.dumps(header)})
        make_folder(self.place)
        write_atomically(self.place / WEIGHTS, content)


def fit_many(
    fits: Sequence[Fit],
    source: Source,
    folder: Path,
    *,
    workers: Workers = Workers(),  # noqa: B008  it is a constant
    on_fit: Callable[[str], None] = lambda name: None,
) -> Mapping[str, Answers]:
    """Fit and ask classifiers, several at once; one that is in its folder is not fitted again.

    Args:
        fits: told apart by their names.
        source: of the data; each worker loads it once.
        folder: each fit is kept in a folder of its name there.
        workers: what does it.
        on_fit: called with the name of each as it ends.

    Returns:
        Their answers, by their names.

    Raises:
        RunError: as `lenet1998.runs.many.train_many`.
    """
    dataset = load(source)
    source, name = source.settled(dataset), dataset.name
    places = {fit.name: folder / fit.name for fit in fits}
    found = {fit.name: _read(places[fit.name], fit, name) for fit in fits}
    missing = [fit for fit in fits if found[fit.name] is None]
    tasks = [
        _FitTask(number, source, name, places[fit.name], fit) for number, fit in enumerate(missing)
    ]
    del dataset
    with closing(make_all(tasks, folder, workers, len(fits))) as made:
        for place in made:
            on_fit(place.name)
    answers = {fit.name: _read(places[fit.name], fit, name) for fit in fits}
    return {name: answer for name, answer in answers.items() if answer is not None}


def _read(place: Path, fit: Fit, digits: str) -> Answers | None:
    """What is kept of a fit; None for nothing, or for that of another one."""
    try:
        with safe_open(place / WEIGHTS, "pt") as file:
            header = json.loads(file.metadata()[_HEADER])
            if (header["fit"], header["digits"]) != (asdict(fit), digits):
                return None
            scores = file.get_tensor("scores").double()
            return Answers(scores, header["multiply_adds"], header["variables"])
    except (OSError, KeyError, TypeError, ValueError, SafetensorError):
        return None
