"""One digit under each disturbance, in the spirit of Fig. 13, and how the networks read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lenet1998.data import Dataset
from lenet1998.evaluation import scores
from lenet1998.evidence.experiment import Values
from lenet1998.evidence.fig13_strengths import (
    DISTURBANCES,
    NETWORKS,
    NOISE,
    PLAIN,
    strength_in_words,
)
from lenet1998.models.checks import BACKGROUND, INK
from lenet1998.views import draw_tile, empty_sheet

_DIGIT = 4
_TEXT, _QUIET, _WRONG = "#222222", "#666666", "#b5403a"


def read_examples(nets: Mapping[str, Sequence[nn.Module]], dataset: Dataset) -> Values:
    """How seed 0 reads one digit under each disturbance."""
    index = int((dataset.test_labels == _DIGIT).int().argmax())
    original = dataset.test_images[index : index + 1]
    rows = [(kind, PLAIN) for kind in DISTURBANCES]
    rows.insert(rows.index(("noise", PLAIN)) + 1, ("noise", NOISE))
    return {
        "index": index,
        "label": int(dataset.test_labels[index]),
        "undisturbed": _answers(nets[PLAIN][0], [original])[0],
        "rows": [
            {
                "kind": kind,
                "recipe": name,
                "answers": _answers(nets[name][0], _examples(original, kind)),
            }
            for kind, name in rows
        ],
    }


def _examples(original: Tensor, kind: str) -> list[Tensor]:
    disturbance = DISTURBANCES[kind]
    return [disturbance.disturb(original, strength) for strength in disturbance.shown]


def _answers(net: nn.Module, images: Sequence[Tensor]) -> list[Values]:
    penalties, digits = scores(net, torch.cat(list(images))).min(1)
    return [
        {"digit": digit, "penalty": round(penalty, 2)}
        for digit, penalty in zip(digits.tolist(), penalties.tolist(), strict=True)
    ]


def draw_examples(values: Values, dataset: Dataset) -> Figure:
    """The digit that `read_examples` read, undisturbed and then a row for each disturbance.

    Args:
        values: of the whole experiment, with `examples` and the name of the `dataset`.
        dataset: that holds the digit.
    """
    examples = values["examples"]
    original = dataset.test_images[examples["index"] : examples["index"] + 1]
    row_height, side, left = 29.0, 14.0, 2.0
    height = 22 + row_height * len(examples["rows"])
    figure, sheet = empty_sheet(height)

    def draw(picture: Tensor, x: float, y: float) -> None:
        levels = (BACKGROUND, INK)
        draw_tile(sheet, picture[0, 0], x, y, side, side, limits=levels, colours="Greys")

    undisturbed = examples["undisturbed"]
    draw(original, left, 2)
    sheet.text(
        left + side + 2, 2 + side / 2,
        f"undisturbed: reads {undisturbed['digit']}, penalty {undisturbed['penalty']:.1f}\n"
        f"{values['dataset']}",
        va="center", size=10, color=_TEXT,
    )  # fmt: skip
    for number, row in enumerate(examples["rows"]):
        top = 22 + row_height * number
        disturbance = DISTURBANCES[row["kind"]]
        network = "" if row["recipe"] == PLAIN else f", {NETWORKS[row['recipe']][0]}"
        sheet.text(left, top, f"{disturbance.title}{network}", size=10, weight="bold", color=_TEXT)
        pictures = _examples(original, row["kind"])
        for column, (picture, strength, answer) in enumerate(
            zip(pictures, disturbance.shown, row["answers"], strict=True)
        ):
            x = left + column * (side + 2.4)
            draw(picture, x, top + 1.5)
            wrong = answer["digit"] != examples["label"]
            words = strength_in_words(row["kind"], strength)
            sheet.text(
                x, top + side + 4.2, words.replace(" pixels", " px"),
                size=8, color=_QUIET, va="center",
            )  # fmt: skip
            sheet.text(
                x, top + side + 7.8, f"{answer['digit']} ({answer['penalty']:.1f})",
                size=9, color=_WRONG if wrong else _TEXT, va="center",
            )  # fmt: skip
    return figure
