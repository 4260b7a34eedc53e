"""What the paper prints and shows of LeNet-5, each fact once; its figures are the CSVs beside this.

Errors are in percent. The points of the figures are measured from their vector coordinates, the
digits of Fig. 8 were found in MNIST by their pixels.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from lenet1998 import catalogue


@dataclass(frozen=True)
class Counts:
    """What the paper says of a layer, or of the whole network (section II.B)."""

    trainable: int
    connections: int
    fixed: int = 0


LAYERS = {
    "c1": Counts(trainable=156, connections=122_304),
    "s2": Counts(trainable=12, connections=5_880),
    "c3": Counts(trainable=1_516, connections=151_600),
    "s4": Counts(trainable=32, connections=2_000),
    "c5": Counts(trainable=48_120, connections=48_120),
    "f6": Counts(trainable=10_164, connections=10_164),
    "output": Counts(trainable=0, connections=840, fixed=840),
}
"""LeNet-5, by our names of the layers; connections as in the authors' preprint."""

NETWORK = Counts(trainable=60_000, connections=340_908, fixed=840)
"""The whole of LeNet-5, likewise."""

NOTES = (
    "The printed IEEE version gives C3 156,000 connections and LeNet-5 345,308; the figures of the "
    "paper above are those of the authors' preprint.",
    "Fig. 11 gives LeNet-5 401 thousand multiply-adds, more than it has connections.",
)
"""Where the paper's own figures differ from one another."""

ORIGINALS_OF_FIG7 = (359, 366, 339, 330, 336, 376, 331, 337, 333, 334)
"""The ten training images of Fig. 7, by digit."""


@dataclass(frozen=True)
class LearningCurve:
    """Errors after each pass, from pass 1."""

    online_training: tuple[float, ...]  # counted during the pass, on each pattern before its update
    test: tuple[float, ...]  # after the pass


@cache
def learning_curve() -> LearningCurve:
    """The 21 points of Fig. 5."""
    _, test, online_training = zip(*_rows("fig05_learning_curve.csv"), strict=True)
    return LearningCurve(tuple(map(float, online_training)), tuple(map(float, test)))


@dataclass(frozen=True)
class SizePoint:
    """A training set of Fig. 6 and the errors of the network that learned from it."""

    patterns: int  # of the originals
    test: float  # error on the undistorted test digits
    training: float | None  # likewise; None where the figure has no such point
    distorted: bool  # whether distorted patterns were added to the originals


@cache
def size_points() -> tuple[SizePoint, ...]:
    """The points of Fig. 6."""
    return tuple(
        SizePoint(int(patterns), float(test), _number(training), distorted == "yes")
        for patterns, test, training, distorted in _rows("fig06_training_set_size.csv")
    )


@dataclass(frozen=True)
class MisreadDigit:
    """A digit of Fig. 8: its index in MNIST's test set, its label and the answer of 1998."""

    index: int
    label: int
    answer: int


@cache
def misread_digits() -> tuple[MisreadDigit, ...]:
    """The 82 digits of Fig. 8, which the network of 1998 misread."""
    return tuple(MisreadDigit(*map(int, row)) for row in _rows("fig08_misclassified.csv"))


@dataclass(frozen=True)
class Bar:
    """A classifier of Figs. 9 to 12; None where a figure leaves it out."""

    classifier: str  # as the figures name them
    input: str
    distorted: bool  # whether it learned from distorted patterns too
    test_error: float  # Fig. 9
    rejected: float | None  # Fig. 10, the test digits to reject for 0.5 % error
    multiply_adds: float | None  # Fig. 11, in thousands
    variables: float | None  # Fig. 12, likewise

    @property
    def name(self) -> str:
        """What tells it from all others: "LeNet-5", "Linear, deslanted", "LeNet-5, distorted"."""
        deslanted = ", deslanted" if "deslanted" in self.input else ""
        return self.classifier + deslanted + (", distorted" if self.distorted else "")


@cache
def all_bars() -> tuple[Bar, ...]:
    """Every bar of Figs. 9 to 12, in their order."""
    return tuple(
        Bar(classifier, pixels, distorted == "yes", float(error), *map(_number, others))
        for classifier, pixels, distorted, error, *others, _ in _rows("fig09_to_12.csv")
    )


@dataclass(frozen=True)
class Statement:
    """What the paper says, restated in its own strength, and where."""

    section: str
    says: str


@cache
def claims() -> dict[int, Statement]:
    """Every statement of the paper that an experiment can judge, by its number here."""
    return {int(number): Statement(*text) for number, *text in _rows("claims.csv")}


def _rows(name: str) -> list[list[str]]:
    text = (resources.files(__package__) / "paper" / name).read_text()
    return list(csv.reader(text.splitlines()[1:]))


def _number(text: str) -> float | None:
    return float(text) if text else None


_TEST_ERRORS = {bar.name: bar.test_error for bar in all_bars()}
TEST_ERROR = _TEST_ERRORS["LeNet-5"]  # after 20 passes; reached after about ten, the text says
TEST_ERROR_DISTORTED = _TEST_ERRORS["LeNet-5, distorted"]  # with 540,000 such patterns added
QUOTED_UNCERTAINTY = 0.1  # of the test errors, in points (Fig. 9)
TRAINING_ERROR = (0.35, 19)  # counted on line, and after which pass
TRAINING_TIME = "2 to 3 days"  # on one 200 MHz processor (III.B)
FIRST_STEPS = (7e-5, 0.016)  # the parameters' in the first pass, least and greatest (III.B)
# Disturbances that LeNet-5 is said to read (III.E): a factor, heights of the digit, degrees.
READ_SIZE, READ_SHIFT, READ_ROTATION = 2.0, 0.5, 30.0
INVERTED_PIXELS = 0.1  # the probability of each, training the noise-resistant network (III.E)


def published(name: str) -> float | None:
    """The test error that was published of a network of the catalogue; None where none was."""
    entry = catalogue.NETWORKS.get(name)
    value = None if entry is None else entry.published
    return _TEST_ERRORS[value] if isinstance(value, str) else value
