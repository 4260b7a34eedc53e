"""`lenet1998 evaluate`: a saved network measured on the test digits."""

from __future__ import annotations

from dataclasses import asdict

from lenet1998.data import Dataset
from lenet1998.measures import answers
from lenet1998.models.saved import load, read_origin
from lenet1998.report.sections import Document, Outcome, Section, Table


def evaluate(weights: str, dataset: Dataset) -> Outcome:
    """The error on the test digits, its interval, and the table of confusions.

    `weights` and errors as for `lenet1998.load`.
    """
    images, labels = dataset.test_images, dataset.test_labels
    measured = answers.evaluate(load(weights), images, labels, dataset.name)
    low, high = measured.interval_percent
    line = (
        f"{measured.error_percent:.2f} % of the {measured.digits:,} test digits misread "
        f"({measured.misread}; 95 % interval {low:.2f} to {high:.2f} %) — {measured.dataset}"
    )
    rows = [
        (str(label), *(str(count or "·") for count in row))
        for label, row in enumerate(measured.confusion)
    ]
    header = ("label", *(label for label, *_ in rows))
    warnings = read_origin(weights).unlike(dataset.name)
    section = Section(text=[line], tables=[Table("answers by label", header, rows)])
    return Outcome(asdict(measured), Document("Evaluation", [section], warnings))
