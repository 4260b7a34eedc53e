"""What every experiment of the paper looks like here: runs, measures, a section of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lenet1998.data import Dataset
    from lenet1998.learning.recipe import Recipe
    from lenet1998.learning.training import Run

Runs: TypeAlias = "Mapping[str, Sequence[Run]]"
"""The finished runs by the name of their recipe, each in the order of the seeds."""

Values: TypeAlias = dict[str, Any]
"""What was measured: numbers, texts, lists and objects, ready for JSON."""


@dataclass(frozen=True)
class Table:
    """A table of a report; the first column names the row."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A figure of a report.

    Attributes:
        name: of its file, without `.png`.
        figure: 5 inches wide, to stay readable on a phone.
        caption: one or two sentences.
    """

    name: str
    figure: Figure
    caption: str


@dataclass(frozen=True)
class Section:
    """What the report shows of an experiment.

    Attributes:
        text: paragraphs: what the paper says, what was measured, whether it holds.
        tables, pictures: below the text.
        summary: rows (what, 1998, here) for the table at the top of the report.
    """

    text: Sequence[str]
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    summary: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True)
class Experiment:
    """One figure, or one question, of sections II and III.

    Attributes:
        name: such as `"fig05"`; also the stem of its files.
        title: of its section.
        recipes: what has to be trained, each with the seeds from 0.
        measure: what the runs show on the data set that they were trained on.
        present: the values, perhaps by way of JSON, as a section; of the data set it takes names,
            counts, labels and images, but no network reads them anew.
        seeds: how many of each recipe, where the user does not say.
        passes: of each run.
        validation: train and measure on `Dataset.with_validation_split`, so that what is chosen
            here is not chosen on the test set.
    """

    name: str
    title: str
    recipes: Sequence[Recipe]
    measure: Callable[[Runs, Dataset], Values]
    present: Callable[[Values, Dataset], Section]
    seeds: int = 5
    passes: int = 20
    validation: bool = False


def last_errors(runs: Runs, name: str) -> list[float]:
    """Test errors in percent after the last pass, one for each seed."""
    return [run.records[-1].test_error_percent for run in runs[name]]


def last_training_error(runs: Runs, name: str) -> float:
    """Training error on line in the last pass, in percent, mean of the seeds."""
    return round(fmean(run.records[-1].online_training_error_percent for run in runs[name]), 4)


def not_comparable(dataset: Dataset) -> str:
    """What a section says of other digits than all of MNIST's, or a part of them."""
    return f"These are errors on {dataset.name}: not to be set against the paper's."


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def spread(values: Sequence[float]) -> Values:
    """Seeds' values in one object: each of them, mean, standard deviation, least and greatest."""
    return {
        "values": [round(value, 4) for value in values],
        "mean": round(fmean(values), 4),
        "standard_deviation": round(stdev(values), 4) if len(values) > 1 else None,
        "least": round(min(values), 4),
        "greatest": round(max(values), 4),
    }


def in_words(values: Values, digits: int = 2) -> str:
    """What `spread` made, in words: "0.84 ± 0.03 % (5 seeds)", ± one standard deviation."""
    count = len(values["values"])
    deviation = values["standard_deviation"]
    between = "" if deviation is None else f" ± {deviation:.{digits}f}"
    return f"{values['mean']:.{digits}f}{between} % ({count} seed{'s' if count > 1 else ''})"


def range_in_words(values: Values) -> str:
    """The least and the greatest of what `spread` made: "0.80–0.91"."""
    return f"{values['least']:.2f}–{values['greatest']:.2f}"


def schedule_in_words(schedule: Sequence[tuple[int, float]]) -> str:
    """A recipe's rates: "0.0005 from pass 1, 0.0002 from pass 3"."""
    return ", ".join(f"{eta:g} from pass {first}" for first, eta in schedule)
