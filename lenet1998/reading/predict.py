"""Reading digits from pictures: the answer, the ten penalties, and how probable the answer is."""

import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypedDict

import torch
from torch import Tensor

from lenet1998.measures.answers import probabilities, scores
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.network import Network
from lenet1998.models.saved import load
from lenet1998.reading.pictures import AnyPicture, ImageError, NotOneDigit, read_picture

__all__ = ["DEFAULT_J", "PictureReading", "Reading", "predict", "predict_files", "read_files"]

DEFAULT_J = 4.0
"""Penalty of the rubbish class for pictures, on half squared distances; `predict` says why."""


@dataclass(frozen=True)
class Reading:
    """What a network makes of a picture: a digit, or in words why it is none.

    Where the picture holds one mark, the network reads it; the answer is a digit or, where the
    rubbish class is more probable than each, "not a digit". Where it holds several marks, or one
    that can't be a digit, the network is not asked: all but `reason` are None then.

    Attributes:
        digit: the answer; None for any other answer than a digit.
        penalties: of the ten digits (eq. 7), the smallest is the best; None of a network of today.
        probability: of the answer, be it a digit or rubbish, in 0..1 (eq. 9).
        best: the digit with the smallest penalty, refused or not.
        reason: None for a digit; else "not a digit", or "several marks" or "a blob" and more words.
    """

    digit: int | None
    penalties: tuple[float, ...] | None
    probability: float | None
    best: int | None = None
    reason: str | None = None


class PictureReading(TypedDict):
    """The reading of one file, or why there is none; `json.dumps` takes it as it is."""

    image: str
    digit: int | None
    penalties: list[float] | None
    probability: float | None
    best: int | None
    reason: str | None
    error: str | None


def predict(image: AnyPicture, net: Network | None = None, *, j: float | None = None) -> Reading:
    """Read the digit in any picture: photograph, scan or drawing, file, array or tensor.

    The probability of a network of the 1998 kind is eq. 9's, on the penalty scale of its training:
    e^-y of the answer over the sum of all ten and e^-j, the rubbish class. So a penalty above j is
    "not a digit", and no digit's probability exceeds 1 / (1 + e^-j): 85 % with the package's
    networks. The default, 4 on half squared distances, was chosen on 10,000 training digits held
    out, read by a network that learnt the others: it refuses 2.7 % of the digits that are read
    right and 75 % of those read wrong (with 1, 7.5 and 92 %; with 8, 1.1 and 57 %), 97 % of pairs
    of digits and all noise, but only two letters in three.

    Args:
        image: a file's name, or what `read_picture` takes besides.
        net: by default the trained LeNet-5 of the package.
        j: penalty of the rubbish class, > 0, on the scale of the network's training; by default
            `DEFAULT_J` of half squared distances. Infinity, or a network without such a class,
            refuses nothing.

    Returns:
        The digit, or in `reason` why it is none: "several marks" and "a blob" are answers too, not
        errors.

    Raises:
        ImageError: the picture can't be read, or nothing in it stands out from its background.
    """
    net = default_network() if net is None else net
    try:
        of_digits = scores(net, read_picture(image), fused=False)
    except NotOneDigit as error:
        return Reading(digit=None, penalties=None, probability=None, reason=error.reason)
    rubbish, penalties = net.rubbish, None
    if isinstance(net, ChainNetwork):
        rubbish = -2 * net.penalty_scale * DEFAULT_J if j is None else -j
        penalties = tuple(net.to_penalties(of_digits)[0].tolist())
    of_all = probabilities(of_digits, rubbish)[0]
    answer = int(of_all.argmax())
    digit, reason = (answer, None) if answer < of_digits.shape[1] else (None, "not a digit")
    best = int(of_digits[0].argmax())
    return Reading(digit, penalties, of_all[answer].item(), best, reason)


def predict_files(
    files: Sequence[str | os.PathLike[str]], net: Network | None = None, *, j: float | None = None
) -> list[PictureReading]:
    """Read each file as `predict` does, on all cores; `-` is standard input.

    One that can't be read does not stop the others.
    """
    return [row for row, _ in read_files(files, net, j=j)]


def read_files(
    files: Sequence[str | os.PathLike[str]], net: Network | None = None, *, j: float | None = None
) -> Iterator[tuple[PictureReading, Tensor | None]]:
    """What `predict_files` gives, each as soon as it and those before it are read.

    Beside it the network's input, `(1, 1, 32, 32)`; None of a file that holds none.
    """
    names = [os.fspath(file) for file in files]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        # Not standard input: nothing could stop a thread that waits for it.
        waiting = deque(None if name == "-" else pool.submit(_input, name) for name in names)
        try:
            for name in names:
                ahead = waiting.popleft()
                picture = _input(sys.stdin.buffer) if ahead is None else ahead.result()
                row = PictureReading(
                    image=name, digit=None, penalties=None, probability=None,
                    best=None, reason=None, error=None,
                )  # fmt: skip
                if isinstance(picture, NotOneDigit):
                    row["reason"] = picture.reason
                elif isinstance(picture, ImageError):
                    row["error"] = str(picture)
                if isinstance(picture, ImageError):
                    yield row, None
                    continue
                reading = predict(picture, net, j=j)
                row["digit"], row["probability"] = reading.digit, reading.probability
                row["best"], row["reason"] = reading.best, reading.reason
                row["penalties"] = None if reading.penalties is None else list(reading.penalties)
                yield row, picture
        finally:
            pool.shutdown(cancel_futures=True)


def _input(source: AnyPicture) -> Tensor | ImageError:
    try:
        return read_picture(source)
    except ImageError as error:
        return error


@cache
def default_network() -> LeNet5Classic:
    """The network that reads where none is given."""
    net = load("lenet5-classic")
    assert isinstance(net, LeNet5Classic)
    return net
