"""From a row of outputs to the strings they may be: Viterbi, n-best and forward scores (VI, VII).

The character model says what the outputs of one character look like: it is spotted by one output or
several in a row; between two characters there may be a gap, and between two that are the same there
must be. Composed with a grammar it is an automaton: a state for each place of the grammar, which
explains an output as that place's character, and one for the gap after it. A path takes a state for
each output; its score is the sum of the log probabilities that the outputs have there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import count, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from lenet1998.reading.grammar import Grammar

__all__ = ["Automaton", "Path", "compose"]

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """A way to read a row of outputs.

    Attributes:
        text: what it spells.
        score: log probability of the path: the sum over the outputs.
        spans: for each character of the text, its first output and the one after its last.
    """

    text: str
    score: float
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Automaton:
    """States, each of which explains an output, and the moves from one output to the next.

    Attributes:
        texts: of each state, the character that it writes when it is entered; empty for a gap.
        classes: of each state, which of an output's log probabilities is its own, `(states,)`.
        sources, targets: the moves, `(moves,)` each, sorted by source; each state can stay.
        starts, ends: whether a path may begin and end there, `(states,)` bool.
    """

    texts: tuple[str, ...]
    classes: npt.NDArray[np.intp]
    sources: npt.NDArray[np.intp]
    targets: npt.NDArray[np.intp]
    starts: npt.NDArray[np.bool_]
    ends: npt.NDArray[np.bool_]

    def total(self, outputs: Scores) -> Scores:
        """The forward score: log of the sum over all paths; -infinity where there is none.

        Shape: `(..., outputs, classes)`, log probabilities -> `(...)`.
        """
        if not outputs.shape[-2]:
            return np.full(outputs.shape[:-2], -np.inf)
        (rest,) = deque(self._backwards(outputs, np.logaddexp), maxlen=1)
        whole = (outputs[..., 0, self.classes] + rest)[..., self.starts]
        return np.asarray(np.logaddexp.reduce(whole, axis=-1))

    def best(self, outputs: Scores, n: int = 1) -> list[Path]:
        """The n strings with the best paths, the best first, each by its best path.

        Exact: what is still to come has its best score from a Viterbi search that goes backwards,
        so that a search from the front which always goes on with the best of its beginnings meets
        whole paths in their order.

        Shape: `(outputs, classes)`, log probabilities. Fewer than n where there are no more.
        """
        return list(islice(self._in_order(outputs), n))

    def _in_order(self, outputs: Scores) -> Iterator[Path]:
        if not len(outputs):
            return
        # Ties have to stay ties: what the grammar may leave out, such as a hyphen, costs as much as
        # a gap, and through rounding the search would try all ways with and without it. Sums of
        # multiples of so small a power of two are exact.
        largest = np.abs(outputs, where=np.isfinite(outputs), out=np.zeros_like(outputs)).max(1)
        steps = 2.0 ** min(52 - int(np.frexp(largest.sum())[1]), 1000)  # 2^1024 is infinite
        outputs = np.rint(outputs * steps) / steps
        rest, order = np.array([*self._backwards(outputs, np.maximum)])[::-1], count()
        # Beginnings: what they come to at best, how far they are (the longest first, where they tie
        # it ends sooner), their score, state, text, and what they go on from.
        heap: list[tuple[float, int, int, float, int, _Text, Any]] = []
        seen, found, nothing = set[tuple[int, int, int]](), set[int](), _Text()

        def push(at: int, score: float, state: int, text: _Text, before: Any) -> None:
            score += outputs[at, self.classes[state]]
            if (best := score + rest[at, state]) > -np.inf:
                heappush(heap, (-best, -at, next(order), score, state, text, before))

        for state in map(int, np.flatnonzero(self.starts)):
            push(0, 0.0, state, nothing.then(self.texts[state]), None)
        while heap:
            node = heappop(heap)
            _, at, _, score, state, text, _ = node
            if (-at, state, id(text)) in seen:
                continue
            seen.add((-at, state, id(text)))
            if -at == len(outputs) - 1:
                if id(text) not in found:
                    found.add(id(text))
                    yield self._path(node)
                continue
            for target in self._moves[state]:
                written = text if target == state else text.then(self.texts[target])
                push(1 - at, score, target, written, node)

    def _path(self, node: Any) -> Path:
        """The whole path that ends with a node of the search."""
        *_, score, _, text, _ = node
        states: list[int] = []
        while node is not None:
            states.append(node[4])
            node = node[6]
        spans: list[tuple[int, int]] = []
        for at, state in enumerate(reversed(states)):
            if self.texts[state]:
                is_same = at > 0 and states[-at] == state
                spans = [*spans[:-1], (spans[-1][0], at + 1)] if is_same else [*spans, (at, at + 1)]
        return Path(text.whole(), float(score), tuple(spans))

    def _backwards(self, outputs: Scores, combine: np.ufunc) -> Iterator[Scores]:
        """From the last output to the first: of each state, what may come after it, combined.

        Shape: `(..., outputs, classes)` -> so many times `(..., states)`.
        """
        begin = np.searchsorted(self.sources, np.arange(len(self.texts)))
        rest = np.where(self.ends, 0, -np.inf)
        for output in np.moveaxis(outputs, -2, 0)[::-1]:
            yield rest
            after = (output[..., self.classes] + rest)[..., self.targets]
            rest = combine.reduceat(after, begin, axis=-1)

    @cached_property
    def _moves(self) -> list[list[int]]:
        begin = np.searchsorted(self.sources, np.arange(1, len(self.texts)))
        return [part.tolist() for part in np.split(self.targets, begin)]


class _Text:
    """A string as its last character and what is before it; the same string is the same object."""

    def __init__(self, before: _Text | None = None, last: str = "") -> None:
        self._before, self._last, self._next = before, last, dict[str, _Text]()

    def then(self, character: str) -> _Text:
        if not character:
            return self
        if character not in self._next:
            self._next[character] = _Text(self, character)
        return self._next[character]

    def whole(self) -> str:
        text, at = [], self
        while at._before is not None:
            text.append(at._last)
            at = at._before
        return "".join(reversed(text))


def compose(grammar: Grammar, classes: str) -> Automaton:
    """The automaton of a grammar and the character model.

    Args:
        grammar: of the strings that may be read.
        classes: the characters of an output's first classes; after these it has one more, the gap.
            What the grammar has besides, such as a hyphen, looks like a gap too.
    """
    number = {character: index for index, character in enumerate(classes)}
    gap, places = len(classes), range(len(grammar.characters))
    texts = list(grammar.characters)
    # Gaps after which the same may come are one.
    gaps: dict[tuple[frozenset[int], bool], int] = {}
    moves: set[tuple[int, int]] = set()

    def gap_before(follow: frozenset[int], ends: bool) -> int:
        if (follow, ends) not in gaps:
            gaps[follow, ends] = state = len(texts)
            texts.append("")
            moves.update([(state, state), *((state, place) for place in follow)])
        return gaps[follow, ends]

    start = gap_before(grammar.first, grammar.nothing)
    for place in places:
        follow, character = grammar.after[place], grammar.characters[place]
        moves |= {(place, place), (place, gap_before(follow, place in grammar.last))}
        moves |= {(place, to) for to in follow if grammar.characters[to] != character}
    sources, targets = np.array(sorted(moves), np.intp).T
    starts, ends = np.zeros((2, len(texts)), bool)
    starts[[start, *grammar.first]] = True
    ends[[*grammar.last, *(state for (_, is_end), state in gaps.items() if is_end)]] = True
    of = [number.get(text, gap) for text in texts]
    return Automaton(tuple(texts), np.array(of, np.intp), sources, targets, starts, ends)
