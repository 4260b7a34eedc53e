"""Where things lie: whole vectors, and regions of one flat array."""

from __future__ import annotations

LANES = 16
"""Floats in a full vector: one AVX-512 register, two of AVX2, four of NEON."""

REGISTERS = 30
"""Accumulators that a tile may keep at once: 32 vector registers less two for what it reads."""


def whole(count: int, lanes: int = LANES) -> int:
    """`count` rounded up to whole vectors."""
    return -(-count // lanes) * lanes


def lanes_for(maps: int) -> int:
    """The width of vector that holds so many maps with the least padding."""
    return 8 if maps <= 8 else LANES


def largest_divisor(number: int, limit: int) -> int:
    """The largest divisor of `number` that is at most `limit` (at least 1)."""
    return next(d for d in range(min(number, max(limit, 1)), 0, -1) if number % d == 0)


class Arena:
    """Hands out the regions of one flat array, each on a vector boundary with a vector of slack.

    The slack takes what the last vector of a region writes past its end.
    """

    def __init__(self) -> None:
        self.size = 0

    def take(self, count: int) -> int:
        """The start of a new region of `count` floats."""
        start = self.size
        self.size += whole(count) + LANES
        return start
