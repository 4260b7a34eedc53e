"""What the layers that halve their maps share: windows of 2x2 pixels without overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lenet1998.kernels.layout import Ground, Layer


@dataclass(frozen=True, kw_only=True)
class Windows(Layer):
    """Plan of a layer whose units each read a window of one map.

    The pixels below lie `padded` floats apart, its own `maps`, so that the next layer finds each
    row of its patches in one run.
    """

    @property
    def in_row(self) -> int:
        return self.in_width * self.padded


def halved(kind: type[Windows], ground: Ground, maps: int, **own: Any) -> Layer | None:
    """The plan of such a layer of so many maps on some ground; None where it does not fit."""
    if ground.is_full or ground.side % 2 or ground.width % 2:
        return None
    own |= {"maps": maps, "side": ground.side // 2, "width": ground.width // 2}
    return ground.stand(kind, own["side"] * own["width"] * maps, **own)
