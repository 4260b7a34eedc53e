r"""Which strings may be read: any number of digits, so many of them, a pattern, a list of words.

A grammar is kept as Glushkov's automaton: a state for each place where a character stands, such as
each of the five `\d` of `\d{5}` ten times, and which places may come after it. So there is no move
that reads nothing, and nothing to be worked out while a picture is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from string import digits

__all__ = ["Grammar", "GrammarError", "any_number", "of_length", "pattern", "words"]

LARGEST = 200_000
"""Places of a grammar: that many cost a second and half a gigabyte for a picture of five digits."""


class GrammarError(ValueError):
    """A pattern or a list of words that can't be read by; the message is one line."""


@dataclass(frozen=True)
class Grammar:
    """Places of characters, which of them may begin and end, and which come after each.

    Attributes:
        characters: of each place.
        after: of each place, those that may follow it.
        first, last: where a string may begin and end.
        nothing: whether the empty string is one.
    """

    characters: tuple[str, ...] = ()
    after: tuple[frozenset[int], ...] = ()
    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()
    nothing: bool = True

    def then(self, other: Grammar) -> Grammar:
        """First this, then the other."""
        other = other._moved(len(self.characters))
        after = tuple(
            follow | other.first if place in self.last else follow
            for place, follow in enumerate(self.after)
        )
        return Grammar(
            _few(self.characters + other.characters),
            after + other.after,
            self.first | other.first if self.nothing else self.first,
            self.last | other.last if other.nothing else other.last,
            self.nothing and other.nothing,
        )

    def otherwise(self, other: Grammar) -> Grammar:
        """Either this or the other."""
        other = other._moved(len(self.characters))
        return Grammar(
            _few(self.characters + other.characters),
            self.after + other.after,
            self.first | other.first,
            self.last | other.last,
            self.nothing or other.nothing,
        )

    def repeated(self, least: int, most: int | None) -> Grammar:
        """So many times in a row; `None` for any number."""
        whole = Grammar()
        _check(len(self.characters) * max(least, most or 0))
        for _ in range(least):
            whole = whole.then(self)
        if most is None:
            ring = tuple(
                follow | self.first if place in self.last else follow
                for place, follow in enumerate(self.after)
            )
            return whole.then(Grammar(self.characters, ring, self.first, self.last))
        rest = Grammar()
        for _ in range(most - least):
            rest = self.then(rest).otherwise(Grammar())
        return whole.then(rest)

    def _moved(self, by: int) -> Grammar:
        def moved(places: frozenset[int]) -> frozenset[int]:
            return frozenset(place + by for place in places)

        after = tuple(map(moved, self.after))
        return Grammar(self.characters, after, moved(self.first), moved(self.last), self.nothing)


def _check(places: int) -> None:
    if places > LARGEST:
        raise GrammarError(f"more than {LARGEST:,} characters have a place in it: ask for fewer")


def _few(characters: tuple[str, ...]) -> tuple[str, ...]:
    _check(len(characters))
    return characters


def _one_of(characters: Iterable[str]) -> Grammar:
    given = tuple(dict.fromkeys(characters))
    places = frozenset(range(len(given)))
    return Grammar(given, (frozenset(),) * len(given), places, places, nothing=False)


def any_number(characters: str = digits) -> Grammar:
    """Any string of these characters, the empty one too."""
    return _one_of(characters).repeated(0, None)


def of_length(count: int) -> Grammar:
    """So many digits; GrammarError for fewer than one."""
    if count < 1:
        raise GrammarError(f"expected a length from 1 on, got {count}")
    return _one_of(digits).repeated(count, count)


def words(lines: Iterable[str]) -> Grammar:
    """One of these words, a tree of their beginnings; spaces around them are none of theirs.

    Raises:
        GrammarError: for no word, or too many.
    """
    place_of: dict[str, int] = {}
    after: list[set[int]] = []
    first, last = set[int](), set[int]()
    for word in filter(None, map(str.strip, lines)):
        follow = first
        for end in range(1, len(word) + 1):
            place = place_of.setdefault(word[:end], len(after))
            if place == len(after):
                after.append(set())
            follow.add(place)
            follow = after[place]
        last.add(place)
    if not after:
        raise GrammarError("expected at least one word, each on a line of its own")
    characters = _few(tuple(beginning[-1] for beginning in place_of))
    return Grammar(
        characters, tuple(map(frozenset, after)), frozenset(first), frozenset(last), False
    )


def pattern(text: str) -> Grammar:
    r"""What a regular expression describes: characters, `\d`, `[0-57]`, `( )`, `|`, `? * + {2,5}`.

    Raises:
        GrammarError: for anything else, naming where it stands.
    """
    grammar, rest = _either(text, text)
    if rest:
        raise _unexpected(text, rest)
    return grammar


def _unexpected(text: str, rest: str) -> GrammarError:
    found = f"{rest[0]!r} at character {len(text) - len(rest) + 1}" if rest else "its end"
    return GrammarError(
        f"pattern {text!r}: did not expect {found}; there are characters, \\d, [0-57], (...), |, "
        "and ?, *, +, {2}, {2,5}, {2,} after one of these"
    )


# Each takes the whole text, for its messages, and what is left of it; gives what is left after it.


def _either(text: str, rest: str) -> tuple[Grammar, str]:
    grammar, rest = _row(text, rest)
    while rest.startswith("|"):
        other, rest = _row(text, rest[1:])
        grammar = grammar.otherwise(other)
    return grammar, rest


def _row(text: str, rest: str) -> tuple[Grammar, str]:
    grammar = Grammar()
    while rest and rest[0] not in "|)":
        one, rest = _one(text, rest)
        while rest and rest[0] in "?*+{":
            least, most, rest = _times(text, rest)
            one = one.repeated(least, most)
        grammar = grammar.then(one)
    return grammar, rest


def _one(text: str, rest: str) -> tuple[Grammar, str]:
    if rest[0] == "(":
        grammar, after = _either(text, rest[1:])
        if not after:
            raise _unexpected(text, after)
        return grammar, after[1:]
    if rest[0] == "[":
        inside, bracket, after = rest[1:].partition("]")
        if not bracket or not inside or inside[0] == "^":
            raise _unexpected(text, rest)
        return _one_of(_set(text, rest, inside)), after
    if rest.startswith("\\d"):
        return _one_of(digits), rest[2:]
    if rest[0] == "\\" and len(rest) > 1 and not rest[1].isalnum():
        return _one_of(rest[1]), rest[2:]
    if rest[0] in "\\?*+{}].^$":
        raise _unexpected(text, rest)
    return _one_of(rest[0]), rest[1:]


def _set(text: str, rest: str, inside: str) -> Iterator[str]:
    while inside:
        if inside.startswith("\\d"):
            yield from digits
            inside = inside[2:]
        elif inside[1:2] == "-" and len(inside) > 2:
            if inside[0] > inside[2]:
                raise _unexpected(text, rest)
            yield from map(chr, range(ord(inside[0]), ord(inside[2]) + 1))
            inside = inside[3:]
        else:
            yield inside[0]
            inside = inside[1:]


def _times(text: str, rest: str) -> tuple[int, int | None, str]:
    if rest[0] != "{":
        least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}[rest[0]]
        return least, most, rest[1:]
    inside, _, after = rest[1:].partition("}")
    low, comma, high = inside.partition(",")
    is_number = [part.isascii() and part.isdigit() and len(part) < 7 for part in (low, high)]
    if len(rest) == len(inside) + 1 or not is_number[0] or (high and not is_number[1]):
        raise _unexpected(text, rest)
    most = int(low) if not comma else int(high) if high else None
    if most is not None and most < int(low):
        raise _unexpected(text, rest)
    return int(low), most, after
