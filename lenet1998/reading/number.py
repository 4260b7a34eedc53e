"""Reading numbers: the space-displacement network of section VII on digits in a row."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad

from lenet1998.codes import DIGITS
from lenet1998.data.field import BACKGROUND, FIELD
from lenet1998.data.strings import BLANK
from lenet1998.learning.strings import log_posteriors
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.network import Network
from lenet1998.models.saved import load
from lenet1998.reading.decoder import Path, compose
from lenet1998.reading.grammar import Grammar, any_number, pattern
from lenet1998.reading.pictures import AnyPicture, ImageError, NothingToRead, read_line

__all__ = ["EVERY", "Alternative", "Digit", "NumberReading", "NumberRow", "read", "read_each"]

EVERY = 2
"""Pixels from one output of the network to the next."""

READERS = ("lenet5-strings-global", "lenet5-strings-second")
"""The networks that read numbers together where none is given."""

_AT_ONCE = 500  # outputs that are computed together: a field of 1,030 pixels
_CANDIDATES = 6  # strings, by their best paths, of which the most probable is the answer
_PIECE = 50  # characters
_SHIFTS = (0, 1)  # of the field to the right, in pixels: outputs lie every 2


class NoNumbersError(ValueError):
    """A network reads no numbers; the message is one line."""


@dataclass(frozen=True)
class Digit:
    """One that was read: where its middle lies in the picture, and its penalty there (eq. 7)."""

    digit: str
    x: float
    penalty: float


@dataclass(frozen=True)
class Alternative:
    """A string that it may be: the penalty of its best path, and how probable it is."""

    text: str
    penalty: float
    probability: float


@dataclass(frozen=True)
class NumberReading:
    """What a network makes of a picture of a number.

    Attributes:
        text: the answer; None where there is nothing to read.
        penalty: of the text's best path: the sum over the outputs of -log of the posterior that
            each has for what the path takes it for, so that 0 is certain. None without a text.
        probability: of the text: all paths that spell it, of all that the grammar allows; the
            geometric mean over the networks, each on the picture as it is and moved by a pixel. The
            most probable text is the answer. None without one.
        digits: from the left, without what the grammar puts between.
        alternatives: the next most probable strings, the most probable first.
    """

    text: str | None = None
    penalty: float | None = None
    probability: float | None = None
    digits: tuple[Digit, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


class NumberRow(TypedDict):
    """The reading of one file, or why there is none; `json.dumps` takes it as it is."""

    image: str
    text: str | None
    penalty: float | None
    probability: float | None
    digits: list[dict[str, Any]]
    alternatives: list[dict[str, Any]]
    error: str | None


@dataclass(frozen=True)
class Outputs:
    """What networks put out along a field.

    Attributes:
        field: `(1, 1, 32, W)`.
        states: of the first network's F6, `(outputs, 84)`.
        penalties: of the first network, `(classes, outputs)`.
        logs: log posteriors, `(views, outputs, classes)`, the gap last: of each network two views,
            of the field as it is and moved to the right by a pixel.
        path: of the answer; None where there is none.
    """

    field: Tensor
    states: Tensor
    penalties: Tensor
    logs: Any
    path: Path | None = None

    @property
    def spelt(self) -> list[tuple[str, int, int]]:
        """Of each character of the path: its first output, and the one after its last."""
        path = self.path or Path("", 0.0, ())
        return [(one, *span) for one, span in zip(path.text, path.spans, strict=True)]

    @classmethod
    def of(cls, nets: Sequence[LeNet5Classic], field: Tensor) -> Outputs:
        """In windows of the field, so that the maps of one that is however wide stay small."""
        width = field.shape[-1]
        views = [pad(field, (shift, 0), value=BACKGROUND)[..., :width] for shift in _SHIFTS]
        of_nets = [cls._of_one(net, torch.cat(views)) for net in nets]
        states, penalties, _ = of_nets[0]
        logs = torch.cat([logs for *_, logs in of_nets]).double().numpy()
        return cls(field, states[0, 0], penalties[0, :, 0], logs)

    @staticmethod
    def _of_one(net: LeNet5Classic, views: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """F6's states, penalties and log posteriors, of each view."""
        places = (views.shape[-1] - FIELD) // EVERY + 1
        starts = range(0, places, _AT_ONCE)
        ends = (min(start + _AT_ONCE, places) - 1 for start in starts)
        with torch.no_grad():
            parts = [
                net.f6_map(views[..., EVERY * start : EVERY * end + FIELD], EVERY)
                for start, end in zip(starts, ends, strict=True)
            ]
            states = torch.cat(parts, 2)
            penalties = net.output(states).permute(0, 3, 1, 2)
            return states, penalties, log_posteriors(net, penalties)


def read(
    image: AnyPicture,
    net: Network | Sequence[Network] | None = None,
    *,
    grammar: Grammar | str | None = None,
    n_best: int = 1,
) -> NumberReading:
    r"""Read a handwritten number in any picture: photograph, scan or drawing, file, array, tensor.

    Its digits may touch, stand apart unevenly, be dark or light; they stand in one row.

    Args:
        image: a file's name, or what `read_line` takes besides.
        net: of the digits and a blank, one or several that read together; by default the package's
            two that learnt whole strings.
        grammar: which strings there are: of `lenet1998.reading.grammar`, or a pattern such as
            `r"\d{5}(-\d{4})?"`; any number by default. What is no digit looks like a gap.
        n_best: how many strings to give, the answer among them.

    Raises:
        ImageError: the picture can't be read.
        GrammarError: as `grammar.pattern`.
        NoNumbersError: for a network of other classes than the digits and a blank.
        ValueError: for n_best below 1.
    """
    if n_best < 1:
        raise ValueError(f"expected n_best from 1 on, got {n_best}")
    return _read(image, _together(net), grammar, n_best)[0]


def _read(
    image: AnyPicture, nets: Sequence[LeNet5Classic], grammar: Grammar | str | None, n_best: int
) -> tuple[NumberReading, Outputs | None]:
    grammar = any_number() if grammar is None else grammar
    grammar = pattern(grammar) if isinstance(grammar, str) else grammar
    try:
        field, x_of = read_line(image)
    except NothingToRead:
        return NumberReading(), None
    outputs = Outputs.of(nets, field)
    found = most_probable(outputs.logs, grammar, n_best)
    if not found or not found[0][0].text:
        return NumberReading(), outputs
    outputs = replace(outputs, path=found[0][0])
    best, *others = [
        Alternative(path.text, round(0.0 - path.score, 4), round(probability, 6))
        for path, probability in found
    ]
    digits = tuple(
        Digit(
            character,
            round(x_of(EVERY * (first + end - 1) / 2 + (FIELD - 1) / 2), 1),
            round(outputs.penalties[DIGITS.index(character), first:end].min().item(), 4),
        )
        for character, (first, end) in zip(found[0][0].text, found[0][0].spans, strict=True)
        if character in DIGITS
    )
    reading = NumberReading(best.text, best.penalty, best.probability, digits, tuple(others))
    return reading, outputs


def most_probable(
    logs: npt.NDArray[np.float64], grammar: Grammar, n: int = 1
) -> list[tuple[Path, float]]:
    """The n most probable strings of the six that have the best paths, each with its best path.

    The search goes by the first outputs; the probability is the geometric mean over all of them. Of
    fields that are not read at once the best paths are taken as they come.

    Chosen on 800 strings of five of MNIST's training digits held out, 2 to 6 pixels apart, touching
    and 3 pixels over, by two networks that learnt from the others. Read right were, in %: by the
    best path 94.4, 91.9 and 65.5; the most probable string of one network 94.6, 92.6 and 67.1, of
    both 96.3, 93.9 and 70.4, of both in two views each 97.0, 95.0 and 72.1.

    Shape: logs `(views, outputs, classes)`, as `Outputs` has them.
    """
    automaton = compose(grammar, DIGITS)
    paths = automaton.best(logs[0], max(n, _CANDIDATES) if logs.shape[1] <= _AT_ONCE else n)
    whole = automaton.total(logs)
    shares = ((_total(path, logs) - whole).mean() for path in paths)
    found = [(path, math.exp(min(0.0, share))) for path, share in zip(paths, shares, strict=True)]
    return sorted(found, key=lambda pair: -pair[1])[:n]


def _total(path: Path, logs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The forward score of a path's text, in each view.

    A long text comes to pieces between digits, where the path has a gap, so that the work does not
    grow with its square; what other paths have there is lost, which is next to nothing.
    """
    total, begin = np.zeros(len(logs)), 0
    for first in range(0, max(len(path.text), 1), _PIECE):
        last = first + _PIECE
        is_last = last >= len(path.text)
        end = logs.shape[1] if is_last else (path.spans[last - 1][1] + path.spans[last][0]) // 2
        alone = compose(_spelling(path.text[first:last]), DIGITS)
        total += alone.total(logs[:, begin:end])
        begin = end
    return total


def _spelling(text: str) -> Grammar:
    """The grammar of this string alone."""
    if not text:
        return Grammar()
    after = (*(frozenset({place}) for place in range(1, len(text))), frozenset[int]())
    return Grammar(tuple(text), after, frozenset({0}), frozenset({len(text) - 1}), nothing=False)


def read_each(
    files: Sequence[str | os.PathLike[str]],
    net: Network | Sequence[Network] | None = None,
    *,
    grammar: Grammar | str | None = None,
    n_best: int = 1,
) -> Iterator[tuple[NumberRow, Outputs | None]]:
    """Read each file as `read` does; `-` is standard input. One that can't be read stops no other.

    Beside each what the network put out; None where it was not asked. Raises: as `read`, but for
    ImageError.
    """
    for file in files:
        name = os.fspath(file)
        row = NumberRow(
            image=name, text=None, penalty=None, probability=None,
            digits=[], alternatives=[], error=None,
        )  # fmt: skip
        outputs = None
        try:
            source = sys.stdin.buffer if name == "-" else name
            read_, outputs = _read(source, _together(net), grammar, n_best)
            reading = asdict(read_)
        except ImageError as error:
            row["error"] = str(error)
        else:
            reading |= {key: list(reading[key]) for key in ("digits", "alternatives")}
            row.update(reading)  # type: ignore[typeddict-item]
        yield row, outputs


def checked(net: Network) -> LeNet5Classic:
    """A network that reads numbers; NoNumbersError for one that does not."""
    if not isinstance(net, LeNet5Classic) or net.characters != DIGITS + BLANK:
        kind = type(net).__name__
        raise NoNumbersError(
            f"a {kind} of {getattr(net, 'characters', 'other classes')!r} reads no numbers: "
            "expected LeNet-5 of the ten digits and a blank, such as lenet5-strings-global"
        )
    return net


def _together(net: Network | Sequence[Network] | None) -> Sequence[LeNet5Classic]:
    nets = (net,) if isinstance(net, Network) else net or ()
    return [checked(one) for one in nets] or default_networks()


@cache
def default_networks() -> tuple[LeNet5Classic, ...]:
    """`READERS`."""
    return tuple(checked(load(name)) for name in READERS)
