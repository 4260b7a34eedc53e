"""The paper's evidence, figure by figure: train what is missing, measure, write one report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenet1998.data import Dataset, Source
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.evidence.choices import CHOICES
from lenet1998.evidence.experiment import Experiment, Section, Values
from lenet1998.evidence.fig05 import FIG05
from lenet1998.evidence.fig06 import experiment as fig06
from lenet1998.evidence.fig07 import FIG07, LONGER
from lenet1998.evidence.fig07_choice import WHAT_DECIDES
from lenet1998.evidence.fig08 import FIG08
from lenet1998.evidence.fig10 import FIG10
from lenet1998.evidence.fig13 import FIG13
from lenet1998.evidence.parts import PARTS_EXPERIMENT
from lenet1998.files import write_atomically
from lenet1998.learning.recipe import Recipe
from lenet1998.learning.seeds import SeedErrors
from lenet1998.learning.study import train_many
from lenet1998.learning.training import STATE, Run, RunError
from lenet1998.models import registry
from lenet1998.report import Page, png

if TYPE_CHECKING:
    from rich.console import Console

RESULTS, PAGE, SUMMARY = "paper.json", "paper.html", "paper.md"
"""What is written beside the pictures."""

QUICK = Source(first=(6_000, 1_000))
QUICK_SEEDS, QUICK_PASSES = 2, 5
_HELD_OUT = 6  # one in so many training patterns, where choices are made


def experiments(training_patterns: int = 60_000) -> dict[str, Experiment]:
    """Every experiment by its name, in the order of the report.

    Args:
        training_patterns: how many there are; Fig. 6 takes a quarter and a half of them.
    """
    found = (
        *(FIG05, fig06(training_patterns), FIG07, WHAT_DECIDES, LONGER),
        *(FIG08, FIG10, FIG13, PARTS_EXPERIMENT, CHOICES),
    )
    return {experiment.name: experiment for experiment in found}


def check_names(only: Sequence[str]) -> None:
    """Refuse names of experiments that there are not.

    Raises:
        ValueError: that lists those there are.
    """
    unknown = sorted(set(only) - set(experiments()))
    if unknown:
        raise ValueError(
            f"no experiment {', '.join(unknown)}: expected some of {', '.join(experiments())}"
        )


def recompute(
    folder: Path,
    *,
    only: Sequence[str] = (),
    place: str = "auto",
    quick: bool = False,
    seeds: int | None = None,
    report: Callable[[str], None] = print,
    **how: Any,
) -> dict[str, Any]:
    """Run experiments and write their report; what is there already is not done again.

    The report is written anew after each experiment, so that a stop loses no more than the runs
    that were under way, and those go on after their last whole pass. Experiments that are not asked
    for stay in the report if they were measured on the same digits.

    Args:
        folder: for `paper.html`, `paper.json`, `paper.md`, a PNG for each picture, and `runs/`.
        only: names of experiments; all by default.
        place: of the data, as `load_dataset` takes it.
        quick: a part of the digits, two seeds, five passes; labelled so.
        seeds: of each recipe; by default as many as each experiment asks for.
        report: called with a line of progress.
        how: `jobs`, `backend` and `address`, as for `learning.train_many`.

    Returns:
        What `paper.json` holds.

    Raises:
        ValueError: for the name of an unknown experiment.
        DatasetError, RunError: as `load_dataset` and `train_many`.
    """
    check_names(only)
    source = replace(QUICK, place=place) if quick else Source(place)
    dataset = source.load()
    held_out = len(dataset.training_labels) // _HELD_OUT
    known = experiments(len(dataset.training_labels))
    folder.mkdir(parents=True, exist_ok=True)
    earlier = _earlier(folder, dataset, known)
    measured = {name: facts for name, (facts, _) in earlier.items()}
    sections = {name: section for name, (_, section) in earlier.items()}
    results: dict[str, Any] = {"digits": dataset.name, "experiments": measured}
    for section in sections.values():
        _draw(section, folder)
    for name, experiment in known.items():
        if only and name not in only:
            continue
        digits = _digits(experiment, dataset)
        count = seeds or (QUICK_SEEDS if quick else experiment.seeds)
        passes = min(experiment.passes, QUICK_PASSES) if quick else experiment.passes
        names = ", ".join(one.name for one in experiment.recipes)
        report(f"{experiment.title}: {count} seeds of {names}")
        place_of_runs = folder / "runs" / ("validation" if experiment.validation else "test")
        runs = train_many(
            [replace(one, seed=seed) for one in experiment.recipes for seed in range(count)],
            replace(source, validation=held_out if experiment.validation else None),
            place_of_runs if experiment.passes == 20 else place_of_runs / f"{passes}-passes",
            passes=passes,
            on_run=lambda run: report(_line(run)),
            on_found=lambda run: None,
            **how,
        )
        by_name = {
            one.name: runs[count * k : count * (k + 1)] for k, one in enumerate(experiment.recipes)
        }
        facts = {
            "title": experiment.title,
            "digits": digits.name,
            "seeds": count,
            "passes": passes,
            "recipes": {one.name: choices(one) for one in experiment.recipes},
            "values": experiment.measure(by_name, digits),
        }
        # By way of JSON, so that the report shows what the file holds and nothing else.
        measured[name] = json.loads(json.dumps(facts))
        sections[name] = experiment.present(measured[name]["values"], digits)
        _draw(sections[name], folder)
        results["experiments"] = {one: measured[one] for one in known if one in measured}
        _write(results, sections, dataset, folder)
    return results


def _line(run: Run) -> str:
    last = run.records[-1]
    return (
        f"  {run.recipe.name}, seed {run.recipe.seed}: test error {last.test_error_percent:.2f} %, "
        f"training error on line {last.online_training_error_percent:.2f} %, {last.seconds:.0f} s"
    )


def choices(recipe: Recipe) -> dict[str, Any]:
    """What tells a recipe from the default one."""
    usual = asdict(Recipe())
    return {
        name: value
        for name, value in asdict(recipe).items()
        if name not in ("name", "seed") and value != usual[name]
    }


def _earlier(
    folder: Path, dataset: Dataset, known: Mapping[str, Experiment]
) -> dict[str, tuple[Values, Section]]:
    """What the folder holds of these digits and the present experiments, with its sections."""
    try:
        found = json.loads((folder / RESULTS).read_text())
        measured = dict(found["experiments"]) if found["digits"] == dataset.name else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    earlier = {}
    for name, experiment in known.items():
        # Values of what the experiment was in another version are left out.
        recipes = {one.name: choices(one) for one in experiment.recipes}
        try:
            facts = measured[name]
            if facts["recipes"] == json.loads(json.dumps(recipes)):
                section = experiment.present(facts["values"], _digits(experiment, dataset))
                earlier[name] = facts, section
        except (KeyError, TypeError, IndexError, ValueError):
            continue
    return earlier


def _draw(section: Section, folder: Path) -> None:
    for picture in section.pictures:
        write_atomically(folder / f"{picture.name}.png", png(picture.figure))


def _write(
    results: Mapping[str, Any], sections: Mapping[str, Section], dataset: Dataset, folder: Path
) -> None:
    measured = results["experiments"]
    ordered = {name: sections[name] for name in measured}
    write_atomically(folder / PAGE, _page(measured, ordered, dataset, folder))
    write_atomically(folder / SUMMARY, markdown(ordered.values(), dataset.name))
    write_atomically(folder / RESULTS, json.dumps(results, indent=1) + "\n")


def _digits(experiment: Experiment, dataset: Dataset) -> Dataset:
    if not experiment.validation:
        return dataset
    return dataset.with_validation_split(len(dataset.training_labels) // _HELD_OUT)


def _glance(digits: str) -> tuple[str, str, str]:
    """The heads of the table at the top; other digits than MNIST's are named there."""
    return ("", "1998", "here") if digits == MNIST else ("", "1998, on MNIST", f"here, on {digits}")


def _page(
    measured: Mapping[str, Values], sections: Mapping[str, Section], digits: Dataset, folder: Path
) -> str:
    page = Page("LeNet-5, figure by figure")
    if digits.name != MNIST:
        page.text(
            f"This report used {digits.name}. Its errors cannot be set against the paper's.",
            "warning",
        )
    page.text(
        f"{len(digits.training_labels):,} training and {len(digits.test_labels):,} test digits "
        f"({digits.name}). Unless a section says otherwise, ± is one standard deviation between "
        "seeds; they differ in the initial weights, the order of the patterns and the patterns of "
        "each curvature estimate. 10,000 test digits leave about ± 0.2 points (95 %) on an error "
        "near 1 %, the same for all seeds; differences between networks on the same digits are "
        "surer than that."
    )
    page.heading("At a glance")
    rows = [row for section in sections.values() for row in section.summary]
    page.table(_glance(digits.name), rows)
    for name, section in sections.items():
        facts = measured[name]
        page.heading(facts["title"])
        for paragraph in section.text:
            page.text(paragraph)
        for picture in section.pictures:
            page.picture((folder / f"{picture.name}.png").read_bytes(), picture.caption)
        for table in section.tables:
            page.table(table.header, table.rows, table.caption)
        page.text(
            f"{facts['seeds']} seeds, {facts['passes']} passes, {facts['digits']}. Values and "
            f"recipes: {RESULTS}, {name}.",
            "note",
        )
    return page.html()


def markdown(sections: Iterable[Section], digits: str) -> str:
    """The rows of the sections' summaries as a table in Markdown; `digits` is the data set."""
    rows = (row for section in sections for row in section.summary)
    lines = (_glance(digits), ("---",) * 3, *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def print_summary(folder: Path, console: Console) -> None:
    """The table at the top of the report that a folder holds."""
    from rich.table import Table

    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (folder / SUMMARY).read_text().splitlines()
    ]
    table = Table(*head, box=None)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(f"Report: {folder / PAGE}", highlight=False, soft_wrap=True)


PACKAGED = {
    "lenet5-classic": ("paper", "LeNet-5 as published"),
    "lenet5-classic-distorted": ("paper-distorted", "LeNet-5 with distorted patterns added"),
    "lenet5-classic-noise": ("paper-noise", "LeNet-5 trained with a tenth of the pixels inverted"),
}
"""The trained networks that the package takes from a report's runs: recipe and description."""


def package(folder: Path, into: Path | None = None) -> None:
    """Put a full report's results, README's picture and trained networks into the package.

    Of each recipe in `PACKAGED` the run of median test error; the test set chooses nothing else.

    Args:
        folder: of `recompute`.
        into: another folder than the package's own, with `weights` and `evidence` in it.

    Raises:
        RunError: if a recipe has no finished run there.
    """
    root = into or Path(str(resources.files("lenet1998")))
    for name, (recipe, description) in PACKAGED.items():
        states = sorted((folder / "runs" / "test").glob(f"{recipe}-seed*/{STATE}"))
        if not states:
            raise RunError(f"{folder} holds no run of the recipe {recipe}: run lenet1998 paper")
        runs = [Run.load(state.parent) for state in states]
        median = SeedErrors.of(runs).median_seed
        run = next(run for run in runs if run.recipe.seed == median)
        choice = f"of {len(runs)} seeds that of median test error"
        registry.add(name, run, f"{description}; {choice}", root / "weights")
    for source, target in ((RESULTS, "results.json"), ("fig05.png", "fig05.png")):
        write_atomically(root / "evidence" / target, (folder / source).read_bytes())
