"""From finished runs to the trained networks of the package; for those who maintain it.

package(Path("runs/paper/runs/test"), ["lenet5-classic", "lenet5-classic-distorted"])
package(Path("runs/compare"), COMPARED)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import msgspec

from lenet1998 import catalogue
from lenet1998.evidence.today import SeedErrors, packaged_errors
from lenet1998.files import write_atomically
from lenet1998.learning.presets import recipe_for
from lenet1998.models.saved import WEIGHTS
from lenet1998.runs.many import run_folder
from lenet1998.runs.run import Run, RunError


def finished_runs(folder: Path, name: str) -> list[Run]:
    """The runs of a network of the catalogue in a folder of `train_many`, in the seeds' order.

    Raises:
        ValueError: for an unknown name.
        RunError: for a damaged run, or if there is none; runs that were cut off do not count.
    """
    recipe = recipe_for(name).name
    runs = [Run.load(file.parent) for file in folder.glob(f"{recipe}-seed*/{WEIGHTS}")]
    longest = max((len(run.records) for run in runs), default=0)
    if not longest:
        raise RunError(f"{folder} holds no run of the recipe {recipe}: train it first")
    finished = (run for run in runs if len(run.records) == longest)
    return sorted(finished, key=lambda run: run.recipe.seed)


def _for_package(folder: Path, name: str) -> list[Run]:
    """Its finished runs; only that of its own seed, where it has one."""
    seed = catalogue.find(name).seed
    return [run for run in finished_runs(folder, name) if seed in (None, run.recipe.seed)]


def package(folder: Path, names: Sequence[str], into: Path | None = None) -> None:
    """Put finished runs into the package, or into another folder with `weights` and `evidence`.

    Of each network the run of median test error, or of its own seed, its file as it is, and the
    errors of all seeds: the test set chooses nothing but this median. Raises as `finished_runs`,
    and writes nothing.
    """
    root = into or Path(str(resources.files("lenet1998")))
    runs = {name: _for_package(folder, name) for name in names}
    errors = packaged_errors()
    for name, of_network in runs.items():
        errors[name] = SeedErrors.of(of_network)
        median = replace(recipe_for(name), seed=errors[name].median_seed)
        content = (run_folder(folder, median) / WEIGHTS).read_bytes()
        write_atomically(root / "weights" / f"{name}.safetensors", content)
    text = msgspec.json.format(msgspec.json.encode(errors), indent=1)
    write_atomically(root / "evidence" / "seeds.json", text + b"\n")
