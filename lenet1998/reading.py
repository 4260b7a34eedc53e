"""Reading digits from pictures: the answer, the ten penalties, and how probable the answer is."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import torch

from lenet1998.learning.recipe import Recipe
from lenet1998.losses import posterior
from lenet1998.models.base import ClassicNetwork
from lenet1998.models.classic import LeNet5Classic

if TYPE_CHECKING:
    from rich.console import Console

    from lenet1998.data.images import Source

_TRAINED = Recipe()  # its penalty scale and j are those of the networks in the package


@dataclass(frozen=True)
class Reading:
    """What a network makes of a picture.

    Attributes:
        digit: the answer; None where the rubbish class is more probable than every digit.
        penalties: of the ten digits, squared distances (eq. 7); the smallest is the best.
        probability: of the answer, be it a digit or rubbish, in 0..1 (eq. 9).
    """

    digit: int | None
    penalties: tuple[float, ...]
    probability: float


class PictureReading(TypedDict):
    """The reading of one file, or why there is none; `json.dumps` takes it as it is."""

    image: str
    digit: int | None
    penalties: list[float] | None
    probability: float | None
    error: str | None


def predict(image: Source, net: ClassicNetwork | None = None, *, j: float = _TRAINED.j) -> Reading:
    """Read the digit in any picture: photograph, scan or drawing, file, array or tensor.

    The probability is eq. 9's, on half squared distances as in training: e^-y of the answer over
    the sum of all ten and e^-j, the rubbish class. So a penalty above 2j is "not a digit", and no
    digit's probability exceeds 1 / (1 + e^-j), which is 73 % for the j = 1 of the training. That j
    is strict: of MNIST's test digits it refuses 95 % of those that the packaged network reads
    wrong, but also 6.8 % of those that it reads right. With j = 8 it is 56 % and 1.1 %.

    Args:
        image: a file or what `lenet1998.data.images.read_picture` takes besides.
        net: a network that gives penalties; by default the trained LeNet-5 of the package.
        j: penalty of the rubbish class, > 0, by default that of the training.

    Raises:
        ImageError: the picture can't be read, or nothing in it stands out from its background.
        TypeError: the network gives scores, not penalties.
    """
    from lenet1998.data.images import read_picture  # SciPy's image functions take a while to load

    if net is None:
        net = _packaged_network()
    if not isinstance(net, ClassicNetwork):
        raise TypeError(f"expected a network with penalties (LeNet5Classic), got {type(net)}")
    weight = next(net.parameters())
    digit = read_picture(image).to(weight.device, weight.dtype)
    with torch.no_grad():
        penalties = net(digit).cpu()
    probabilities = posterior(_TRAINED.penalty_scale * penalties, j)[0]
    answer = int(probabilities.argmax())
    return Reading(
        digit=answer if answer < penalties.shape[1] else None,
        penalties=tuple(penalties[0].tolist()),
        probability=probabilities[answer].item(),
    )


def predict_files(
    files: Sequence[str | os.PathLike[str]],
    net: ClassicNetwork | None = None,
    *,
    j: float = _TRAINED.j,
) -> list[PictureReading]:
    """Read each file; one that can't be read gets its error and does not stop the others.

    Args:
        files: pictures.
        net, j: as for `predict`.
    """
    from lenet1998.data.images import ImageError

    net = net or _packaged_network()
    rows: list[PictureReading] = []
    for file in files:
        row = PictureReading(
            image=os.fspath(file), digit=None, penalties=None, probability=None, error=None
        )
        try:
            reading = predict(file, net, j=j)
        except ImageError as error:
            row["error"] = str(error)
        else:
            row["digit"] = reading.digit
            row["penalties"] = list(reading.penalties)
            row["probability"] = reading.probability
        rows.append(row)
    return rows


def print_readings(rows: Sequence[PictureReading], console: Console) -> None:
    """Two lines for each picture that was read: the digit and its probability, the penalties."""
    for row in rows:
        if row["penalties"] is None or row["probability"] is None:
            continue
        answer = "not a digit" if row["digit"] is None else str(row["digit"])
        of_each = "  ".join(
            f"{digit}: {penalty:.1f}" for digit, penalty in enumerate(row["penalties"])
        )
        console.print(
            f"{row['image']}: {answer} (probability {row['probability']:.1%})\n"
            f"  penalties  {of_each}",
            highlight=False,
            soft_wrap=True,
        )


def show(files: Sequence[str], folder: Path, net: LeNet5Classic | None = None) -> list[Path]:
    """Draw what every layer makes of each picture, into `NAME-layers.png` in a folder.

    Further pictures of the same name get a number: `NAME-2-layers.png`.

    Args:
        files: pictures that can be read.
        folder: made if it is not there.
        net: by default the trained LeNet-5 of the package.

    Returns:
        The pictures written.

    Raises:
        ImageError: a picture can't be read.
    """
    from lenet1998.data.images import read_picture
    from lenet1998.files import write_atomically
    from lenet1998.report import png
    from lenet1998.views import layer_maps

    net = net or _packaged_network()
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for file in files:
        name = Path(file).stem
        numbered = (folder / f"{name}-{number}-layers.png" for number in itertools.count(2))
        names = itertools.chain([folder / f"{name}-layers.png"], numbered)
        drawn = next(path for path in names if path not in written)
        image = read_picture(file)
        verdict = "not a digit" if predict(image, net).digit is None else None
        write_atomically(drawn, png(layer_maps(net, image, verdict=verdict)))
        written.append(drawn)
    return written


def _packaged_network() -> LeNet5Classic:
    from lenet1998.models import load

    net = load("lenet5-classic")
    assert isinstance(net, LeNet5Classic)
    return net
