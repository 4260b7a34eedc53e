"""What `lenet1998 compare` writes and prints of a comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure

from lenet1998 import views
from lenet1998.certainty import TARGET_PERCENT
from lenet1998.comparison import DISTURBANCES, Comparison, Measures
from lenet1998.data import Dataset
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.evidence import comparison as pictures
from lenet1998.files import write_atomically
from lenet1998.report import Page, png
from lenet1998.reproduction import PAPER_TEST_ERROR_PERCENT

if TYPE_CHECKING:
    from rich.console import Console

_HOW_DISTURBED = {
    "noise": "Noise: each pixel is inverted with the probability given. The paper's "
    "noise-resistant network was trained with 10 % (section III.E).",
    "shift": "Shift: digits are moved right, down, left and up in turn. Networks that take 28×28 "
    "pixels do not see the border of 2.",
    "rotation": "Rotation: digits are turned about the centre, to either side in turn.",
}

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""A header and its rows."""


def write_comparison(comparison: Comparison, dataset: Dataset, folder: Path) -> None:
    """Write `compare.html`, `compare.json` and each picture as a PNG; each file whole.

    Args:
        comparison: what `compare` measured.
        dataset: on this; its digits are drawn.
        folder: made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = _figures(comparison, dataset)
    for name, figure in figures.items():
        write_atomically(folder / f"{name}.png", png(figure))
    write_atomically(folder / "compare.html", _page(comparison, figures))
    write_atomically(folder / "compare.json", json.dumps(comparison.to_dict(), indent=2) + "\n")


def _figures(comparison: Comparison, dataset: Dataset) -> dict[str, Figure]:
    paper = PAPER_TEST_ERROR_PERCENT if comparison.dataset == MNIST else None
    figures = {
        "errors": pictures.draw_errors(comparison, paper),
        "robustness": pictures.draw_robustness(comparison),
        "rejection": pictures.draw_rejection(comparison),
        "calibration": pictures.draw_calibration(comparison),
        "shared": pictures.draw_shared(comparison),
    }
    if comparison.misread_by_all:
        answers = torch.full_like(dataset.test_labels, -1)
        for misread in comparison.misread_by_all:
            answers[misread.index] = misread.answers[0]
        figures["misread_by_all"] = views.misread_digits(
            dataset.test_images,
            dataset.test_labels,
            answers,
            [misread.index for misread in comparison.misread_by_all],
            dataset_name=comparison.dataset,
        )
    return figures


def _page(comparison: Comparison, figures: dict[str, Figure]) -> str:
    first = comparison.networks[0].name
    page = Page("LeNet-5 of 1998, and what goes by its name today")
    if any(measures.trained_on != comparison.dataset for measures in comparison.networks):
        page.text(
            f"The digits read here are {comparison.dataset}; networks were trained on others.",
            "warning",
        )
    for line in _notes(comparison):
        page.text(line)
    page.heading("Errors")
    page.table(*_errors(comparison))
    page.figure(
        figures["errors"],
        "Circles: the seeds; the full one is the network measured on this page. Stroke: their "
        "mean." + (" Dotted: the paper." if comparison.dataset == MNIST else ""),
    )
    page.heading("Size and time")
    page.table(*_costs(comparison))
    page.text(
        "Connections and multiply-adds as the command lenet1998 summary counts them. Time on one "
        "thread of this machine: a digit in PyTorch, batches of 1,000 (in brackets: the fused "
        "kernels); a pass through the training set, from a part of it.",
        "note",
    )
    page.heading("Which digits they misread")
    page.figure(
        figures["shared"],
        "Test digits that both networks misread; on the diagonal, how many each misreads.",
    )
    page.table(*_misread(comparison))
    if "misread_by_all" in figures:
        page.figure(figures["misread_by_all"], f"Misread by all; the answers are {first}'s.")
    page.heading("Robustness")
    page.text(
        f"Errors in percent, of the first {comparison.disturbed_digits:,} test digits. In training "
        "no network sees such digits, unless its recipe has distortions."
    )
    page.figure(figures["robustness"], "Error against noise, shift and rotation.")
    for kind, how in _HOW_DISTURBED.items():
        page.text(how)
        page.table(*_robustness(comparison, kind))
    page.heading("Rejection")
    page.text(
        f"How many digits must be left unread for {TARGET_PERCENT} % error among the others: by "
        "the difference between the best two scores, as in Fig. 10, and by the probability of the "
        "answer."
    )
    page.table(*_certainty(comparison))
    page.figure(figures["rejection"], "Rejected by the difference of the best two scores.")
    page.heading("Calibration")
    page.text(
        "Can the probability of an answer be believed? Of the classic network it is eq. 9's "
        "without the rubbish class, of the others the softmax. The calibration error is the mean "
        "distance between probability and share of right answers, over 15 bins."
    )
    page.figure(
        figures["calibration"], "On the diagonal all is as it should be; below it, too sure."
    )
    return page.html()


def _notes(comparison: Comparison) -> list[str]:
    trained_on = {measures.trained_on for measures in comparison.networks}
    lines = [
        f"Test digits: {comparison.dataset}, {comparison.digits:,}; for noise, shift and rotation "
        f"the first {comparison.disturbed_digits:,}. Trained on: {', '.join(sorted(trained_on))}. "
        f"Measured in {comparison.seconds:.0f} s.",
    ]
    are_medians = [
        measures.seed == measures.seeds.median_seed
        for measures in comparison.networks
        if measures.seeds is not None
    ]
    if are_medians and all(are_medians):
        lines.append(
            "Of the seeds of each network, the one of median test error is measured; the test set "
            "chose nothing else."
        )
    return lines


def _errors(comparison: Comparison) -> Table:
    header = ("", "error, %", "95 % interval", "seeds", "mean", "deviation", "range", "passes")
    return header, [_error_row(measures) for measures in comparison.networks]


def _error_row(measures: Measures) -> tuple[str, ...]:
    low, high = measures.interval_percent
    head = (measures.name, f"{measures.test_error_percent:.2f}", f"{low:.2f}–{high:.2f}")
    seeds = measures.seeds
    if seeds is None:
        return (*head, *5 * ("–",))
    errors = seeds.test_error_percent
    return (
        *head,
        str(len(errors)),
        f"{seeds.mean:.2f}",
        "–" if seeds.deviation is None else f"{seeds.deviation:.2f}",
        f"{min(errors):.2f}–{max(errors):.2f}",
        str(seeds.passes),
    )


def _costs(comparison: Comparison) -> Table:
    header = ("", "parameters", "connections", "multiply-adds", "µs per digit", "s per pass")
    return header, [
        (
            measures.name,
            f"{measures.trainable:,}",
            f"{measures.connections:,}",
            f"{measures.multiply_adds:,}",
            f"{measures.microseconds_per_digit:.0f}"
            + (
                f" ({measures.fused_microseconds_per_digit:.0f})"
                if measures.fused_microseconds_per_digit is not None
                else ""
            ),
            f"{measures.seconds_per_pass:.1f}",
        )
        for measures in comparison.networks
    ]


def _misread(comparison: Comparison) -> Table:
    first = comparison.networks[0].name
    header = ("", "misread", "by it alone", f"shared with {first}", "by all")
    return header, [
        (
            measures.name,
            str(len(measures.misread)),
            str(measures.misread_alone),
            str(comparison.shared[0][index]) if index else "–",
            str(len(comparison.misread_by_all)),
        )
        for index, measures in enumerate(comparison.networks)
    ]


def _robustness(comparison: Comparison, kind: str) -> Table:
    unit, scale = {"noise": ("%", 100), "shift": ("px", 1), "rotation": ("°", 1)}[kind]
    header = (f"{kind}, {unit}", *(f"{scale * extent:g}" for extent in DISTURBANCES[kind]))
    return header, [
        (measures.name, *(f"{error:.1f}" for error in measures.robustness[kind]))
        for measures in comparison.networks
    ]


def _certainty(comparison: Comparison) -> Table:
    header = (
        *("", "rejected by difference, %", "by probability, %"),
        *("calibration error, %", "confidence, %", "right, %"),
    )
    return header, [
        (
            measures.name,
            f"{measures.rejection.by_difference_percent:.1f}",
            f"{measures.rejection.by_probability_percent:.1f}",
            f"{measures.calibration.expected_error_percent:.2f}",
            f"{measures.calibration.confidence_percent:.2f}",
            f"{100 - measures.test_error_percent:.2f}",
        )
        for measures in comparison.networks
    ]


def print_comparison(comparison: Comparison, folder: Path, console: Console) -> None:
    """The tables of the page, in the terminal."""
    from rich.table import Table as Drawn

    for title, (header, rows) in (
        (f"Errors on {comparison.dataset}", _errors(comparison)),
        ("Size and time", _costs(comparison)),
        ("Misread digits", _misread(comparison)),
        *((f"Error in % under {kind}", _robustness(comparison, kind)) for kind in DISTURBANCES),
        (f"Rejected for {TARGET_PERCENT} % error, and calibration", _certainty(comparison)),
    ):
        table = Drawn(title=title, box=None, title_justify="left")
        for column, name in enumerate(header):
            table.add_column(name, justify="right" if column else "left", no_wrap=not column)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        console.print()
    for line in _notes(comparison):
        console.print(line, highlight=False)
    console.print(f"Page: {folder / 'compare.html'}", highlight=False, soft_wrap=True)
