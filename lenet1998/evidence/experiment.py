"""What every experiment of the paper looks like here: runs, measures, a section of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from lenet1998.data import Dataset
from lenet1998.evidence.fits import Fit
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.spread import Spread
from lenet1998.report.sections import Section
from lenet1998.runs.run import Run

Runs: TypeAlias = Mapping[str, Sequence[Run]]
"""The finished runs by the name of their recipe, each in the order of the seeds."""

PASSES = 20
"""Through the training set: as many as in the paper."""

Values = TypeVar("Values")


@dataclass(frozen=True)
class Experiment(Generic[Values]):
    """One figure, or one question, of sections II and III."""

    name: str  # such as `"fig05"`; also the stem of its files
    title: str  # of its section
    recipes: Sequence[Recipe]  # what has to be trained, each with the seeds from 0
    values: type[Values]  # what is measured: a frozen dataclass of values that JSON has
    measure: Callable[
        ..., Values
    ]  # of `Runs` and a `Dataset`: on the data set that the runs were trained on
    # the values as a section; of the data set it takes names, counts, labels and images, but no
    # network reads them anew
    present: Callable[[Values, Dataset], Section]
    # classifiers that are no networks: `measure` takes their answers too, by their names
    fits: Sequence[Fit] = ()
    seeds: int = 5  # how many of each recipe, where the user does not say
    # of recipes that take long, by their names, at most so many
    most_seeds: Mapping[str, int] = field(default_factory=dict)
    passes: int = PASSES  # of each run
    # trained and measured on `Dataset.with_validation_split`: the test set chooses nothing
    validation: bool = False

    def read(self, values: Any) -> Values:
        """What was measured, from its JSON object; a ValueError for values of another kind."""
        return msgspec.convert(values, self.values, str_keys=True)


def within(printed: float | None, seeds: Spread) -> str:
    """Where a value of the paper lies beside ours; empty where one seed, or no value, can't say."""
    if printed is None or len(seeds.values) == 1:
        return ""
    return "within the seeds" if seeds.least <= printed <= seeds.greatest else "outside the seeds"


def not_comparable(dataset: Dataset) -> str:
    """What a section says of other digits than all of MNIST's, or a part of them."""
    return f"These are errors on {dataset.name}: not to be set against the paper's."


def schedule_in_words(schedule: Sequence[tuple[int, float]]) -> str:
    """A recipe's rates: "0.0005 from pass 1, 0.0002 from pass 3"."""
    return ", ".join(f"{eta:g} from pass {first}" for first, eta in schedule)
