"""The sizes that LeNet-4 can have: the paper prints its maps, units and counts, but no kernel.

4 maps, 8 subsampling maps in pairs, 16 maps, 16 subsampling maps, 120 units, 10 units; about 17,000
parameters and about 260,000 connections (section III.C). Windows of subsampling are taken as 2x2,
kernels of one layer as of one size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lenet1998.data.field import FIELD
from lenet1998.report.sections import Table

__all__ = ["CONNECTIONS", "PARAMETERS", "Sizes", "sizes_table", "sizes_that_fit"]

PARAMETERS, CONNECTIONS = 17_000, 260_000
_NEAR = 0.05  # of both, for "about"


@dataclass(frozen=True)
class Sizes:
    """A LeNet-4: the sides of its kernels, and how many there are where a table says."""

    first: int  # side of C1's
    second: int  # side of C3's
    third: int  # side of C5's, which cover S4
    in_c3: int  # kernels, of 16 x 8 at most
    in_c5: int  # kernels, of 120 x 16 at most

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Of the maps of C1, S2, C3 and S4."""
        c1 = FIELD + 1 - self.first
        c3 = c1 // 2 + 1 - self.second
        return c1, c1 // 2, c3, c3 // 2

    @property
    def _layers(self) -> Iterator[tuple[int, int, int]]:
        """Weights, biases, and how often each is used, of layers whose weights are all used so."""
        c1, _, c3, _ = self.sides
        yield 4 * self.first**2, 4, c1**2
        yield self.in_c3 * self.second**2, 16, c3**2
        yield self.in_c5 * self.third**2, 120, 1
        yield 120 * 10, 10, 1

    @property
    def parameters(self) -> int:
        return sum(weights + biases for weights, biases, _ in self._layers) + 2 * (8 + 16)

    @property
    def connections(self) -> int:
        _, s2, _, s4 = self.sides
        windows = (4 + 1) * (8 * s2**2 + 16 * s4**2)
        return windows + sum(times * (weights + biases) for weights, biases, times in self._layers)

    @property
    def off(self) -> float:
        """By how large a share the worse of the two counts is off the printed one."""
        return max(abs(self.parameters / PARAMETERS - 1), abs(self.connections / CONNECTIONS - 1))


def sizes_that_fit() -> list[Sizes]:
    """All within 5 % of both counts, the nearest of each kind.

    Either C5 sees all of S4, and the kernels have any side; or they are 5x5 throughout, and C5
    follows a table. Of either, for each number of kernels that C3 can have.
    """
    full = (
        Sizes(first, second, side, in_c3, 120 * 16)
        for first in range(1, FIELD, 2)
        for second in range(1, FIELD)
        for side in (((FIELD + 1 - first) // 2 + 1 - second) / 2,)
        if side >= 1 and side == int(side)
        for side in (int(side),)
        for in_c3 in range(16, 16 * 8 + 1)
    )
    kernels = (PARAMETERS - Sizes(5, 5, 5, 0, 0).parameters) // 5**2  # in C3 and C5 together
    spare = int(_NEAR * PARAMETERS) // 5**2
    by_table = (
        Sizes(5, 5, 5, in_c3, in_c5)
        for in_c3 in range(16, 16 * 8 + 1)
        for in_c5 in range(kernels - in_c3 - spare, kernels - in_c3 + spare + 1)
    )
    nearest: dict[tuple[int, ...], Sizes] = {}
    for sizes in (*full, *by_table):
        kind = (sizes.first, sizes.second, 0 if sizes.in_c5 == 120 * 16 else sizes.in_c3)
        if sizes.off < min(_NEAR, nearest[kind].off if kind in nearest else _NEAR):
            nearest[kind] = sizes
    return sorted(nearest.values(), key=lambda sizes: sizes.off)


def sizes_table() -> Table:
    """Them as a table."""
    rows = [
        (
            f"{of.first}x{of.first}, {of.second}x{of.second}, {of.third}x{of.third}",
            "{}, {}, {}, {}".format(*of.sides),
            str(of.in_c3),
            "all" if of.in_c5 == 120 * 16 else str(of.in_c5),
            f"{of.parameters:,}",
            f"{of.connections:,}",
            f"{of.off:.1%}",
        )
        for of in sizes_that_fit()
    ]
    header = ("kernels of C1, C3, C5", "sides of C1, S2, C3, S4", "in C3", "in C5", "parameters",
              "connections", "off by")  # fmt: skip
    return Table("LeNet-4: all sizes whose counts are within 5 % of the printed ones", header, rows)
