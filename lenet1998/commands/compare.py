"""`lenet1998 compare`: LeNet-5 of 1998 beside its modern form and the tutorials' networks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from lenet1998.commands.progress import RunProgress
from lenet1998.data import load_dataset
from lenet1998.evidence import today, today_page
from lenet1998.evidence.today import Contender
from lenet1998.files import make_folder, write_atomically
from lenet1998.learning.presets import recipe_for
from lenet1998.report import html
from lenet1998.report.sections import Outcome
from lenet1998.runs.many import train_many
from lenet1998.runs.workers import Workers


def trained(
    names: Sequence[str], seeds: int, place: str, folder: Path, workers: Workers, console: Console
) -> list[Contender]:
    """Networks of the catalogue, trained by their recipes: of the seeds, the one of median error.

    Errors as for `train_many`, and a ValueError for an unknown name.
    """
    recipes = [replace(recipe_for(name), seed=seed) for name in names for seed in range(seeds)]
    log = RunProgress(console, len(recipes))
    runs = train_many(recipes, place, folder, workers=workers, on_run=log.ended, on_found=log.found)
    return [Contender.median(name, runs[k * seeds :][:seeds]) for k, name in enumerate(names)]


def compare(
    contenders: Sequence[Contender], place: str, folder: Path, report: Callable[[str], None]
) -> Outcome:
    """Measure networks; write `compare.html`, `compare.json` and each picture, each file whole.

    The folder is made if it is not there. Errors as for `load_dataset(place)` and `today.compare`.
    """
    dataset = load_dataset(place)
    comparison = today.compare(contenders, dataset, report=report)
    document = today_page.present(comparison, dataset)
    values, page = comparison.to_dict(), folder / "compare.html"
    make_folder(folder)
    for plot in document.plots:
        write_atomically(folder / f"{plot.name}.png", plot.png)
    write_atomically(page, html.page(document))
    write_atomically(folder / "compare.json", json.dumps(values, indent=2) + "\n")
    return Outcome(values, document, page=str(page))
