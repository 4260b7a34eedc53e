"""`lenet1998 paper`: the evidence, figure by figure: train what is missing, measure, show."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from lenet1998.commands.progress import in_words
from lenet1998.data import Dataset, Source
from lenet1998.evidence.batch import BATCH
from lenet1998.evidence.centres import CENTRES
from lenet1998.evidence.characters import CHARACTERS
from lenet1998.evidence.choices import CHOICES
from lenet1998.evidence.claims import claims_section
from lenet1998.evidence.experiment import PASSES, Experiment
from lenet1998.evidence.fig05 import FIG05
from lenet1998.evidence.fig06 import experiment as fig06
from lenet1998.evidence.fig07 import FIG07, LONGER
from lenet1998.evidence.fig07_choice import WHAT_DECIDES
from lenet1998.evidence.fig08 import FIG08
from lenet1998.evidence.fig09 import FIG09
from lenet1998.evidence.fig10 import FIG10
from lenet1998.evidence.fig11 import FIG11, FIG12
from lenet1998.evidence.fig13 import FIG13
from lenet1998.evidence.fig24 import FIG24
from lenet1998.evidence.fig25 import FIG25, FIG26
from lenet1998.evidence.first_steps import FIRST_STEPS
from lenet1998.evidence.fits import fit_many
from lenet1998.evidence.fully_connected import FULLY_CONNECTED
from lenet1998.evidence.inputs import INPUTS
from lenet1998.evidence.inside import INSIDE
from lenet1998.evidence.longer import LONGER_PLAIN, equal_updates
from lenet1998.evidence.parts import PARTS_EXPERIMENT
from lenet1998.evidence.pass_by_pass import PASS_BY_PASS
from lenet1998.evidence.penalties import PENALTIES
from lenet1998.evidence.strings import STRINGS
from lenet1998.evidence.writers import WRITERS
from lenet1998.files import make_folder, write_atomically
from lenet1998.report import html, markdown
from lenet1998.report.sections import Document, Outcome, Section
from lenet1998.runs.many import train_many
from lenet1998.runs.workers import Workers

RESULTS, PAGE, SUMMARY = "paper.json", "paper.html", "paper.md"
"""What is written beside the pictures."""

QUICK = Source(first=(6_000, 1_000))
QUICK_SEEDS, QUICK_PASSES = 2, 5
_HELD_OUT = 6  # one in so many training patterns, where choices are made


@dataclass(frozen=True)
class Measured:
    """What the file of results holds of an experiment."""

    title: str
    digits: str  # that it was measured on
    seeds: int  # of each recipe
    passes: int  # of each run
    recipes: dict[str, Any]  # the choices of each
    values: Any  # as `Experiment.read` takes them


@dataclass(frozen=True)
class Results:
    """The file of results."""

    digits: str
    experiments: dict[str, Measured]


def experiments(training_patterns: int = 60_000) -> dict[str, Experiment[Any]]:
    """Every experiment by its name, in the report's order; Fig. 6 takes parts of the patterns."""
    all_of_them: tuple[Experiment[Any], ...] = (
        *(FIRST_STEPS, FIG05, LONGER_PLAIN),
        *(fig06(training_patterns), equal_updates(training_patterns)),
        *(FIG07, WHAT_DECIDES, LONGER),
        *(FIG08, WRITERS, FIG09, FIG10, FIG11, FIG12, FIG13, PARTS_EXPERIMENT),
        *(INPUTS, INSIDE, CENTRES, PASS_BY_PASS, CHARACTERS),
        *(FULLY_CONNECTED, BATCH, PENALTIES, CHOICES),
        *(FIG24, FIG25, FIG26, STRINGS),
    )
    return {experiment.name: experiment for experiment in all_of_them}


def check_names(only: Sequence[str]) -> None:
    """See that they are names of experiments; else a ValueError lists those there are."""
    if unknown := sorted(set(only) - set(experiments())):
        known = ", ".join(experiments())
        raise ValueError(f"no experiment {', '.join(unknown)}: expected some of {known}")


def paper(
    folder: Path,
    *,
    only: Sequence[str] = (),
    place: str = "auto",
    quick: bool = False,
    seeds: int | None = None,
    workers: Workers = Workers(),  # noqa: B008  it is a constant
    report: Callable[[str], None] = print,
) -> Outcome:
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

    Raises:
        ValueError: for the name of an unknown experiment.
        DatasetError, RunError: as `load_dataset` and `train_many`.
    """
    check_names(only)
    source = replace(QUICK, place=place) if quick else Source(place)
    dataset = source.load()
    known = experiments(len(dataset.training_labels))
    make_folder(folder)
    parts = _earlier(folder, dataset, known)
    for name, experiment in known.items():
        if only and name not in only:
            continue
        count = seeds or (QUICK_SEEDS if quick else experiment.seeds)
        passes = min(experiment.passes, QUICK_PASSES) if quick else experiment.passes
        names = ", ".join(recipe.name for recipe in experiment.recipes)
        trained = f"{count} seeds of {names}" if names else "networks of its own"
        report(f"{experiment.title}: {trained}")
        digits = _digits_of(experiment, dataset)
        runs_folder = folder / "runs" / ("validation" if experiment.validation else "test")
        runs = train_many(
            [
                replace(recipe, seed=seed)
                for recipe in experiment.recipes
                for seed in range(min(count, experiment.most_seeds.get(recipe.name, count)))
            ],
            replace(source, validation=digits.held_out or None),
            runs_folder if experiment.passes == PASSES else runs_folder / f"{passes}-passes",
            passes=passes,
            workers=workers,
            on_run=lambda run: report(f"  {in_words(run)}"),
            on_found=lambda run: None,
        )
        by_name = {of: list(group) for of, group in groupby(runs, lambda run: run.recipe.name)}
        answers = []
        if experiment.fits:
            answers.append(
                fit_many(
                    experiment.fits,
                    source,
                    runs_folder,
                    workers=workers,
                    on_fit=lambda name: report(f"  {name}"),
                )
            )
        values = _plain(experiment.measure(by_name, digits, *answers))
        recipes = _recipes(experiment)
        measured = Measured(experiment.title, digits.name, count, passes, recipes, values)
        parts[name] = measured, present(experiment, measured, dataset)
        parts = {name: parts[name] for name in known if name in parts}
        document = _document([section for _, section in parts.values()], dataset)
        results = _plain(Results(dataset.name, {name: part[0] for name, part in parts.items()}))
        _write(results, document, folder)
    return Outcome(results, document, page=str(folder / PAGE), is_brief=True)


def _plain(values: Any) -> Any:
    """As JSON has it, so that the report shows what the file holds and nothing else."""
    return json.loads(msgspec.json.encode(values))


def _recipes(experiment: Experiment[Any]) -> dict[str, Any]:
    recipes = {one.name: one.choices() for one in experiment.recipes}
    fits = {one.name: asdict(one) for one in experiment.fits}
    plain: dict[str, Any] = _plain({**recipes, **fits})
    return plain


def present(experiment: Experiment[Any], measured: Measured, dataset: Dataset) -> Section:
    """The section of an experiment, from what the file of results holds of it.

    Raises:
        ValueError: for values of what the experiment was in another version.
    """
    if measured.recipes != _recipes(experiment):
        raise ValueError(f"{experiment.name}: measured with other recipes")
    values = experiment.read(measured.values)
    source = "Values"
    if experiment.recipes:
        source = f"{measured.seeds} seeds, {measured.passes} passes, {measured.digits}. Values and "
        source += "recipes"
    return replace(
        experiment.present(values, _digits_of(experiment, dataset)),
        title=experiment.title,
        note=f"{source}: {RESULTS}, {experiment.name}.",
    )


def _earlier(
    folder: Path, dataset: Dataset, known: Mapping[str, Experiment[Any]]
) -> dict[str, tuple[Measured, Section]]:
    """What the folder holds of these digits and the present experiments."""
    try:
        results = msgspec.json.decode((folder / RESULTS).read_bytes(), type=Results)
    except (OSError, ValueError):
        return {}
    if results.digits != dataset.name:
        return {}
    parts = {}
    for name, measured in results.experiments.items():
        with suppress(KeyError, TypeError, IndexError, ValueError):
            parts[name] = measured, present(known[name], measured, dataset)
    return parts


def _write(results: Any, document: Document, folder: Path) -> None:
    """The report: its page, its table in Markdown, its pictures and its values."""
    for plot in document.plots:
        write_atomically(folder / f"{plot.name}.png", plot.png)
    write_atomically(folder / PAGE, html.page(document))
    if document.glance is not None:
        write_atomically(folder / SUMMARY, markdown.table(document.glance))
    write_atomically(folder / RESULTS, json.dumps(results, indent=1) + "\n")


def _document(sections: Sequence[Section], dataset: Dataset) -> Document:
    """The report of some experiments."""
    others = "" if dataset.is_comparable else dataset.name
    warning = f"This report used {others}. Its errors cannot be set against the paper's."
    text = (
        f"{len(dataset.training_labels):,} training and {len(dataset.test_labels):,} test digits "
        f"({dataset.name}). Unless a section says otherwise, ± is one standard deviation between "
        "seeds; they differ in the initial weights, the order of the patterns and the patterns of "
        "each curvature estimate. 10,000 test digits leave about ± 0.2 points (95 %) on an error "
        "near 1 %, the same for all seeds; differences between networks on the same digits are "
        "surer than that."
    )
    title, warnings = "LeNet-5, figure by figure", [warning] if others else []
    if any(section.claims for section in sections):
        sections = [claims_section(sections, whole=len(sections) == len(experiments())), *sections]
    return Document(title, sections, warnings, [text], others)


def committed(dataset: Dataset, only: Sequence[str] = ()) -> Document:
    """The report of the results that come with the package, of all experiments or only some.

    `dataset` is MNIST, which they were measured on.
    """
    file = resources.files("lenet1998.evidence") / "results.json"
    measured = msgspec.json.decode(file.read_bytes(), type=Results).experiments
    sections = [
        present(experiment, measured[name], dataset)
        for name, experiment in experiments().items()
        if name in (only or measured)
    ]
    return _document(sections, dataset)


def _digits_of(experiment: Experiment[Any], dataset: Dataset) -> Dataset:
    """What an experiment is measured on."""
    if not experiment.validation:
        return dataset
    return dataset.with_validation_split(len(dataset.training_labels) // _HELD_OUT)
