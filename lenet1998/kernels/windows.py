"""What the layers that halve their maps share: windows of 2x2 pixels without overlap."""

from __future__ import annotations

from dataclasses import dataclass

from lenet1998.kernels.known import Known
from lenet1998.kernels.layout import lanes_for, whole
from lenet1998.kernels.squash import Follower


@dataclass(frozen=True, kw_only=True)
class Windows(Known):
    """Plan of a layer whose units each read a window of one map.

    Attributes:
        maps: number of maps.
        in_side: side of the square input maps, even.
        inputs: where the states start that it reads; pixels lie `padded` floats apart.
        outputs: where its own states start; pixels lie `maps` floats apart, so that the next
            layer finds each row of its patches in one run.
        squash, squash_below: what its own units and those below are squashed by.
    """

    maps: int
    in_side: int
    inputs: int
    outputs: int
    squash: Follower
    squash_below: Follower

    @property
    def out_side(self) -> int:
        return self.in_side // 2

    @property
    def lanes(self) -> int:
        return lanes_for(self.maps)

    @property
    def padded(self) -> int:
        return whole(self.maps, self.lanes)

    @property
    def in_row(self) -> int:
        return self.in_side * self.padded
