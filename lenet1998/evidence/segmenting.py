"""What section VII is set against: strings cut into digits by their ink (section V)."""

from __future__ import annotations

import math

import torch
from scipy import ndimage
from torch import Tensor

from lenet1998.data.field import BACKGROUND, INK
from lenet1998.data.normalisation import normalise_digit, to_network_input
from lenet1998.measures.answers import probabilities, scores
from lenet1998.models.chain import ChainNetwork

__all__ = ["by_components", "by_cuts", "cuts"]

_SPECK = 10  # pixels of ink: fewer are no digit
_FAINT = 0.2  # of the ink's level: less is paper
_WIDEST = 26  # pixels: no digit is wider
_NEAREST = 3  # pixels between two cuts
_J = 1.76  # the rubbish class's penalty for pictures, as `reading.predict` has it


def _pictures(pieces: list[Tensor]) -> Tensor:
    """Pieces of ink, `(h, w)` each, as the network takes digits."""
    return to_network_input(torch.stack([normalise_digit(piece) for piece in pieces]))


def by_components(net: ChainNetwork, field: Tensor) -> list[int]:
    """Each connected component of the ink is a digit, from the left; specks are none.

    Shape: `(32, W)`.
    """
    ink = (field - BACKGROUND) / (INK - BACKGROUND)
    labels, _ = ndimage.label(ink.numpy() > _FAINT, [[1] * 3] * 3)
    pieces = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        mark = torch.from_numpy(labels[rows, columns] == number)
        if mark.sum() >= _SPECK:
            pieces.append((columns.start + columns.stop, ink[rows, columns] * mark))
    pieces.sort(key=lambda piece: piece[0])
    if not pieces:
        return []
    answers: list[int] = scores(net, _pictures([piece for _, piece in pieces])).argmax(1).tolist()
    return answers


def cuts(ink: Tensor) -> list[int]:
    """Columns where a string may be cut: ends of its ink, and where there is least ink around.

    Shape: `(32, W)`, 0 to 1.
    """
    profile = ink.clamp(min=0).sum(0)
    inked = (profile > _FAINT).nonzero()[:, 0].tolist()
    if not inked:
        return []
    places = [inked[0]]
    for column in range(inked[0] + 1, inked[-1]):
        is_least = profile[column] <= profile[max(column - 2, 0) : column + 3].min()
        if is_least and column - places[-1] >= _NEAREST:
            places.append(column)
    return [*places, inked[-1] + 1]


def by_cuts(net: ChainNetwork, field: Tensor) -> list[int]:
    """The way through the graph of all pieces between cuts that the network finds most probable.

    Shape: `(32, W)`.
    """
    ink = ((field - BACKGROUND) / (INK - BACKGROUND)).clamp(min=0)
    ink = ink * (ink > _FAINT)
    places = cuts(ink)
    arcs = [
        (begin, end)
        for begin in range(len(places))
        for end in range(begin + 1, len(places))
        if places[end] - places[begin] <= _WIDEST or end == begin + 1
    ]
    pieces = [ink[:, places[begin] : places[end]] for begin, end in arcs]
    full = [index for index, piece in enumerate(pieces) if (piece > _FAINT).sum() >= _SPECK]
    if not full:
        return []
    of_pieces = scores(net, _pictures([pieces[index] for index in full]))
    best, digit = probabilities(of_pieces, -_J)[:, :-1].log().max(1)
    read = {index: (-best[at].item(), int(digit[at])) for at, index in enumerate(full)}
    ways: list[tuple[float, list[int]]] = [(math.inf, [])] * len(places)
    ways[0] = (0.0, [])
    for index, (begin, end) in enumerate(arcs):  # in the order of where they begin
        cost, digits = ways[begin]
        penalty, answer = read.get(index, (0.0, None))
        if cost + penalty < ways[end][0]:
            ways[end] = cost + penalty, digits if answer is None else [*digits, answer]
    return ways[-1][1]
