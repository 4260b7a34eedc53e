"""Reading digits from pictures: the answer, the ten penalties, and how probable the answer is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypedDict

from lenet1998.measures.answers import probabilities, scores
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.network import Network
from lenet1998.models.saved import load
from lenet1998.reading.pictures import AnyPicture, ImageError, read_picture

__all__ = ["PictureReading", "Reading", "predict", "predict_files"]


@dataclass(frozen=True)
class Reading:
    """What a network makes of a picture.

    Attributes:
        digit: the answer; None where the rubbish class is more probable than every digit.
        penalties: of the ten digits (eq. 7), the smallest is the best; None of a network of today.
        probability: of the answer, be it a digit or rubbish, in 0..1 (eq. 9).
    """

    digit: int | None
    penalties: tuple[float, ...] | None
    probability: float


class PictureReading(TypedDict):
    """The reading of one file, or why there is none; `json.dumps` takes it as it is."""

    image: str
    digit: int | None
    penalties: list[float] | None
    probability: float | None
    error: str | None


def predict(image: AnyPicture, net: Network | None = None, *, j: float | None = None) -> Reading:
    """Read the digit in any picture: photograph, scan or drawing, file, array or tensor.

    The probability of a network of the 1998 kind is eq. 9's, on the penalty scale of its training:
    e^-y of the answer over the sum of all ten and e^-j, the rubbish class. So, on half squared
    distances, a penalty above 2j is "not a digit", and no digit's probability exceeds
    1 / (1 + e^-j), which is 73 % for the j = 1 of the training. That j is strict: of MNIST's test
    digits it refuses 95 % of those that the packaged network reads wrong, but also 6.8 % of those
    that it reads right. With j = 8 it is 56 % and 1.1 %.

    Args:
        image: a file or what `read_picture` takes besides.
        net: by default the trained LeNet-5 of the package.
        j: penalty of the rubbish class, > 0, by default that of the training; infinity, or a
            network without such a class, refuses nothing.

    Raises:
        ImageError: the picture can't be read, or nothing in it stands out from its background.
    """
    net = default_network() if net is None else net
    of_digits = scores(net, read_picture(image), fused=False)
    rubbish, penalties = net.rubbish, None
    if isinstance(net, ChainNetwork):
        rubbish = net.rubbish if j is None else -j
        penalties = tuple(net.to_penalties(of_digits)[0].tolist())
    of_all = probabilities(of_digits, rubbish)[0]
    answer = int(of_all.argmax())
    digit = answer if answer < of_digits.shape[1] else None
    return Reading(digit, penalties, probability=of_all[answer].item())


def predict_files(
    files: Sequence[str | os.PathLike[str]], net: Network | None = None, *, j: float | None = None
) -> list[PictureReading]:
    """Read each file as `predict` does; one that can't be read does not stop the others."""
    rows = []
    for file in [os.fspath(file) for file in files]:
        row = PictureReading(image=file, digit=None, penalties=None, probability=None, error=None)
        try:
            reading = predict(file, net, j=j)
        except ImageError as error:
            row["error"] = str(error)
        else:
            row["digit"], row["probability"] = reading.digit, reading.probability
            row["penalties"] = None if reading.penalties is None else list(reading.penalties)
        rows.append(row)
    return rows


@cache
def default_network() -> LeNet5Classic:
    """The network that reads where none is given."""
    net = load("lenet5-classic")
    assert isinstance(net, LeNet5Classic)
    return net
