"""What a study of many runs comes to: `study.json`, learning curves, a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from lenet1998.data import Source
from lenet1998.evidence import fig05
from lenet1998.files import write_atomically
from lenet1998.learning.recipe import Recipe
from lenet1998.learning.study import train_many
from lenet1998.learning.training import Run
from lenet1998.report import png

if TYPE_CHECKING:
    from rich.console import Console


def study(
    recipes: Sequence[Recipe],
    source: str | Source,
    folder: Path,
    *,
    passes: int = 20,
    jobs: int = -1,
    backend: str = "loky",
    address: str | None = None,
    on_run: Callable[[Run], None] | None = None,
    on_found: Callable[[Run], None] | None = None,
) -> list[dict[str, Any]]:
    """Train recipes with their seeds; write `study.json` and learning curves beside the runs.

    The curves of a single recipe are `fig05.png`, those of several `fig05-NAME.png`.

    Args and errors as for `learning.train_many`.

    Returns:
        What `study.json` holds: an object for each name, in the order of the recipes, with the
        choices, the seeds, and both errors of each seed after each pass, in percent.
    """
    runs = train_many(
        recipes,
        source,
        folder,
        passes=passes,
        jobs=jobs,
        backend=backend,
        address=address,
        on_run=on_run,
        on_found=on_found,
    )
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.recipe.name, []).append(run)
    results = [_result(seeds) for seeds in by_name.values()]
    for name, seeds in by_name.items():
        alone, digits = len(by_name) == 1, seeds[0].dataset_name
        drawn = fig05.draw(
            [fig05.learning_curve(run) for run in seeds], digits if alone else f"{digits}\n{name}"
        )
        write_atomically(folder / ("fig05.png" if alone else f"fig05-{name}.png"), png(drawn))
    write_atomically(folder / "study.json", json.dumps(results) + "\n")
    return results


def _result(runs: Sequence[Run]) -> dict[str, Any]:
    choices = asdict(runs[0].recipe)
    del choices["name"], choices["seed"]
    curves = [fig05.learning_curve(run) for run in runs]
    return {
        "dataset": runs[0].dataset_name,
        "recipe": runs[0].recipe.name,
        "choices": choices,
        "passes": len(runs[0].records),
        "seeds": [run.recipe.seed for run in runs],
        "test_error_percent": [[round(e, 4) for e in curve.test] for curve in curves],
        "online_training_error_percent": [
            [round(e, 4) for e in curve.online_training] for curve in curves
        ],
        "seconds": [round(run.records[-1].seconds, 1) for run in runs],
    }


def print_study(results: Sequence[dict[str, Any]], folder: Path, console: Console) -> None:
    """A row for each recipe: errors after the last pass, over the seeds."""
    from rich.table import Table

    first = results[0]
    table = Table(
        title=f"Errors in % after {first['passes']} passes on {first['dataset']}",
        box=None,
        title_justify="left",
    )
    table.add_column("recipe", overflow="fold")
    for column in ("seeds", "test", "lowest to highest", "training, on line"):
        table.add_column(column, justify="right")
    for result in results:
        test, training = (
            [curve[-1] for curve in result[f"{kind}_error_percent"]]
            for kind in ("test", "online_training")
        )
        table.add_row(
            result["recipe"],
            str(len(test)),
            _mean(test),
            f"{min(test):.2f} to {max(test):.2f}",
            _mean(training),
        )
    console.print(table)
    console.print(f"All curves: {folder / 'study.json'}", highlight=False, soft_wrap=True)


def _mean(errors: Sequence[float]) -> str:
    spread = f" ± {stdev(errors):.2f}" if len(errors) > 1 else ""
    return f"{fmean(errors):.2f}{spread}"
