"""`lenet1998 study`: what a grid of runs comes to: `study.json`, learning curves, a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lenet1998.evidence.fig05 import Curves, draw, is_repeated
from lenet1998.files import write_atomically
from lenet1998.report.plots import png
from lenet1998.report.sections import Document, Outcome, Section, Table
from lenet1998.runs.run import Run


def study(runs: Sequence[Run], folder: Path) -> Outcome:
    """What the runs of `learning.train_many` come to: `study.json` and learning curves beside them.

    The curves of a single recipe are `fig05.png`, those of several `fig05-NAME.png`.

    Returns:
        With an object for each name, in the order of the recipes: the choices, the seeds, and both
        errors of each seed after each pass, in percent; `study.json` holds them.
    """
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.recipe.name, []).append(run)
    curves = {name: Curves.of(seeds) for name, seeds in by_name.items()}
    values = [_values(seeds, curves[name]) for name, seeds in by_name.items()]
    digits = runs[0].dataset_name
    for name, of_name in curves.items():
        title, suffix = (digits, "") if len(curves) == 1 else (f"{digits}\n{name}", f"-{name}")
        figure = draw(of_name, title, points=is_repeated(by_name[name][0]))
        write_atomically(folder / f"fig05{suffix}.png", png(figure))
    file = folder / "study.json"
    write_atomically(file, json.dumps(values) + "\n")
    columns = {
        "passes": lambda of_name: str(of_name.passes),
        "seeds": lambda of_name: str(len(of_name.test.curves)),
        "test": lambda of_name: of_name.test.last.mean_in_words(),
        "lowest to highest": lambda of_name: of_name.test.last.range_in_words(),
        "training, on line": lambda of_name: of_name.online_training.last.mean_in_words(),
    }
    table = Table.of(f"Errors in % after the last pass on {digits}", "recipe", curves, columns)
    section = Section(tables=[table], text=[f"All curves: {file}"])
    return Outcome(values, Document("Study", [section]))


def _values(runs: Sequence[Run], curves: Curves) -> dict[str, Any]:
    choices = asdict(runs[0].recipe)
    del choices["name"], choices["seed"]
    return {
        "dataset": runs[0].dataset_name,
        "recipe": runs[0].recipe.name,
        "choices": choices,
        "passes": curves.passes,
        "seeds": [run.recipe.seed for run in runs],
        "test_error_percent": curves.test.curves,
        "online_training_error_percent": curves.online_training.curves,
        "seconds": [round(run.records[-1].seconds, 1) for run in runs],
    }
