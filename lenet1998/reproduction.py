"""The main job: train as in 1998, and lay the result beside the paper's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import save
from torch import Tensor

from lenet1998 import views
from lenet1998.counting import summary
from lenet1998.data import Dataset
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.evidence import fig05
from lenet1998.files import write_atomically
from lenet1998.learning.online import TRAINERS
from lenet1998.learning.recipe import LITERAL_NOTE, Recipe
from lenet1998.learning.training import Progress, Run, train
from lenet1998.report import Page, png

if TYPE_CHECKING:
    from rich.console import Console

PAPER_TEST_ERROR_PERCENT = 0.95
PAPER_TRAINING_ERROR_PERCENT = 0.36  # at pass 20, on line: Fig. 5; the text says 0.35 at 19


@dataclass(frozen=True)
class Reproduction:
    """A finished run and what it came to.

    Attributes:
        run: the network and its log.
        figures: what `summary.json` holds.
        answers: the network's answer to each test digit, `(N,)`.
    """

    run: Run
    figures: dict[str, object]
    answers: Tensor

    def comparison(self) -> list[tuple[str, str, str]]:
        """Rows of the table "1998 / here"."""
        counts = summary(self.run.net)
        is_mnist = self.run.dataset_name == MNIST
        last = self.run.records[-1]
        pass_20 = f" (pass {last.number})"
        printed = (
            f"{PAPER_TEST_ERROR_PERCENT:.2f} %" if is_mnist else "0.95 % on MNIST",
            f"{PAPER_TRAINING_ERROR_PERCENT:.2f} %" if is_mnist else "0.36 % on MNIST",
        )
        return [
            ("test error" + pass_20, printed[0], f"{last.test_error_percent:.2f} %"),
            (
                "training error, on line" + pass_20,
                printed[1],
                f"{last.online_training_error_percent:.2f} %",
            ),
            ("trainable parameters", "60,000", f"{counts.total.count.trainable:,}"),
            ("connections", "340,908", f"{counts.total.count.connections:,}"),
            ("time", "2 to 3 days", f"{last.seconds:.0f} s"),
        ]


def reproduce(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    passes: int = 20,
    engine: str = "fused",
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Reproduction:
    """Train, measure, and write the run to a folder.

    As it goes: `recipe.json`, `metrics.csv`, `state.safetensors`. At the end:
    `weights.safetensors`, `fig05.png`, `report.html`, `summary.json`. Each file is whole or absent.

    Args and errors as for `learning.train`.
    """
    run = train(
        recipe,
        dataset,
        passes=passes,
        engine=engine,
        folder=folder,
        resume=resume,
        on_progress=on_progress,
    )
    trainer = TRAINERS[engine](run.net, recipe)
    answers = trainer.read(dataset.test_images).argmin(1)
    after = trainer.read(dataset.training_images).argmin(1) != dataset.training_labels
    last = run.records[-1]
    updates = len(dataset.training_labels) * len(run.records)
    figures: dict[str, object] = {
        "dataset": run.dataset_name,
        "seed": recipe.seed,
        "recipe": recipe.name,
        "test_error_percent": round(last.test_error_percent, 4),
        "training_error_percent": round(last.online_training_error_percent, 4),
        "training_error_after_last_pass_percent": round(100 * after.double().mean().item(), 4),
        "passes": len(run.records),
        "seconds": round(last.seconds, 3),
        "updates_per_second": round(
            updates / sum(record.learning_seconds for record in run.records), 1
        ),
        "engine": engine,
    }
    result = Reproduction(run, figures, answers)
    curve = fig05.draw([fig05.learning_curve(run)], run.dataset_name)
    description = {
        "recipe": recipe.to_json(),
        **{key: str(value) for key, value in figures.items() if key != "recipe"},
    }
    for name, content in (
        ("weights.safetensors", save(dict(run.net.state_dict()), metadata=description)),
        ("fig05.png", png(curve)),
        ("report.html", _report(result, dataset)),
        ("summary.json", json.dumps(figures, indent=2) + "\n"),
    ):
        write_atomically(folder / name, content)
    return result


def _report(result: Reproduction, dataset: Dataset) -> str:
    run = result.run
    page = Page("LeNet-5, as in 1998")
    if run.dataset_name != MNIST:
        page.text(
            f"This run used {run.dataset_name}. Its errors cannot be set against the paper's.",
            "warning",
        )
    if run.recipe.name == "paper-literal":
        page.text(LITERAL_NOTE, "warning")
    page.text(
        f"Data: {run.dataset_name}, {len(dataset.training_labels):,} training and "
        f"{len(dataset.test_labels):,} test digits. Recipe: {run.recipe.name}, "
        f"seed {run.recipe.seed}. One update after each pattern, {len(run.records)} passes."
    )
    page.heading("1998 and here")
    page.table(("", "1998", "here"), result.comparison())
    page.heading("The learning curve (Fig. 5)")
    page.figure(
        fig05.draw([fig05.learning_curve(run)], run.dataset_name),
        "Circles: the points of the paper's Fig. 5. Lines: this run, one seed.",
    )
    page.heading("The parameters, layer by layer")
    page.table(*_layer_table(run))
    page.heading("What C1 has learnt to see")
    page.figure(views.first_layer_kernels(run.net), "The six 5x5 kernels of C1.")
    wrong = (result.answers != dataset.test_labels).nonzero().flatten().tolist()
    page.heading(f"The {len(wrong)} misread test digits (Fig. 8)")
    if wrong:
        page.figure(
            views.misread_digits(
                dataset.test_images,
                dataset.test_labels,
                result.answers,
                wrong,
                dataset_name=run.dataset_name,
            ),
            "Under each digit: its label, and the network's answer.",
        )
    page.heading("The recipe")
    page.code(run.recipe.to_json())
    return page.html()


def _layer_table(run: Run) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    header = ("layer", "maps", "size", "parameters", "1998", "connections", "1998")
    rows: list[tuple[str, ...]] = []
    for row in summary(run.net).layers:
        count, paper = row.count, row.paper
        rows.append(
            (
                count.name,
                f"{count.maps}",
                "×".join(map(str, count.size)),
                f"{count.trainable:,}" + (f" + {count.fixed:,} fixed" if count.fixed else ""),
                f"{paper.trainable:,}" if paper else "",
                f"{count.connections:,}",
                f"{paper.connections:,}" if paper else "",
            )
        )
    return header, rows


def print_result(result: Reproduction, folder: Path, console: Console) -> None:
    """The comparison in one glance: errors, and every layer's count."""
    from rich.table import Table

    from lenet1998.counting import print_summary

    console.print()
    print_summary(summary(result.run.net), console)
    console.print()
    table = Table(title=f"LeNet-5 on {result.run.dataset_name}", box=None, title_justify="left")
    table.add_column("")
    table.add_column("1998", justify="right")
    table.add_column("here", justify="right")
    for row in result.comparison():
        table.add_row(*row)
    console.print(table)
    console.print(f"Report: {folder / 'report.html'}", highlight=False)
