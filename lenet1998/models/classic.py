"""LeNet-5 as published in 1998 (section II.B, Fig. 2)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from lenet1998 import codes
from lenet1998.data.field import check_images
from lenet1998.layers import CoveringConv2d, EuclideanRBF, Squash, Subsampling, TableConv2d
from lenet1998.models.chain import ChainNetwork

__all__ = ["TABLE_I", "LeNet5Classic"]

TABLE_I: tuple[tuple[int, ...], ...] = (
    # Six maps see three neighbouring maps of S2, ...
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    # ... six see four neighbours, ...
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    # ... three see four with gaps, and the last sees all.
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip
"""Which S2 maps each C3 map sees: it breaks the symmetry of the maps and bounds the connections."""


class LeNet5Classic(ChainNetwork):
    """LeNet-5: 60,000 trainable parameters, 340,908 connections, ten penalties.

    Every unit from C1 to F6 is squashed, so a squash follows each of the six trained layers.

        input  1 @ 32x32
        C1     6 @ 28x28   5x5 convolution                              156 parameters
        S2     6 @ 14x14   trainable subsampling                         12
        C3    16 @ 10x10   5x5 convolution on the S2 maps of Table I  1,516
        S4    16 @ 5x5     trainable subsampling                         32
        C5   120 @ 1x1     5x5 convolution on all 16 maps            48,120
        F6    84           full connection                           10,164
        output 10          Euclidean RBF on the codes of Fig. 3    840 fixed

    Args:
        characters: the classes, by their characters in Fig. 3.
        penalty_scale, j: of the loss, as `ChainNetwork` takes them; no part of `forward`.
    """

    TRAINED_LAYERS = ("c1", "s2", "c3", "s4", "c5", "f6")

    def __init__(
        self,
        characters: Sequence[str] = codes.DIGITS,
        *,
        penalty_scale: float = 0.5,
        j: float = 1.0,
    ) -> None:
        super().__init__(penalty_scale=penalty_scale, j=j)
        self.c1 = nn.Conv2d(1, 6, kernel_size=5)
        self.s2 = Subsampling(6)
        self.c3 = TableConv2d(TABLE_I, kernel_size=5)
        self.s4 = Subsampling(16)
        self.c5 = CoveringConv2d(16, 120, kernel_size=5)
        self.f6 = nn.Linear(120, 84)
        self.output = EuclideanRBF(codes.centres(characters))
        self.squash = Squash()
        self.characters = "".join(characters)

    def arguments(self) -> dict[str, Any]:
        return {"characters": self.characters, **super().arguments()}

    def _up(self, layers: Sequence[str], states: Tensor) -> Tensor:
        """The states after some layers, `(N, maps, h, w)`, of F6 `(N, h, w, 84)`, at every place
        of a field."""
        for name in layers:
            layer = self.get_submodule(name)
            below = states.permute(0, 2, 3, 1) if isinstance(layer, nn.Linear) else states
            states = self.squash_after(name)(layer(below))
        return states

    def f6_map(self, fields: Tensor, every: int = 4) -> Tensor:
        """The states of F6 along larger fields; `penalty_map` has the rest.

        Shape: `(N, 1, H, W)` -> `(N, h, w, 84)`.
        """
        s4 = self.TRAINED_LAYERS.index("s4")
        # What S4 sees has a column every 2 pixels, of which it takes two and two together. From the
        # second column on they are the other pairs.
        c3 = self._up(self.TRAINED_LAYERS[:s4], self.prepare(fields))
        first = self._up(self.TRAINED_LAYERS[s4:], c3)
        if every == 4 or c3.shape[-1] == 2 * self.c5.weight.shape[-1]:
            return first
        second = self._up(self.TRAINED_LAYERS[s4:], c3[..., 1:])
        places = first.shape[2] + second.shape[2]
        second = pad(second, (0, 0, 0, first.shape[2] - second.shape[2]))
        return torch.stack([first, second], 3).flatten(2, 3)[:, :, :places]

    def f6_state(self, images: Tensor) -> Tensor:
        """States of F6, a stylised picture of the character read (section II.B).

        Images and errors as for `scores`.

        Returns:
            `(N, 84)`, in (-1.7159, 1.7159); `.view(-1, 12, 7)` to look at.
        """
        check_images(images, self.c1.weight.dtype, self.FIELD)
        return self.f6_map(images)[:, 0, 0]

    top_state = f6_state

    def penalty_map(self, fields: Tensor, every: int = 4) -> Tensor:
        """Penalties at every position of larger fields: a space-displacement network (section VII).

        The same as cropping and running each 32x32 window, at a fraction of the work: one output
        every 4 pixels, which is how far S2 and S4 together step.

        Shape: `(N, 1, H, W)`, H and W at least 32, of the parameters' dtype -> `(N, 10, h, w)`,
        h = (H - 32) // 4 + 1 and w likewise.

        Args:
            fields: of that shape.
            every: pixels from one output to the next along a row: 4, or 2, for which all from S4 on
                is computed twice.

        Raises:
            ValueError: for another shape or dtype, or another step.
        """
        check_images(fields, self.c1.weight.dtype, self.FIELD, or_larger=True)
        if every not in (4, 2):
            raise ValueError(f"expected an output every 4 or 2 pixels, got {every}")
        penalties: Tensor = self.output(self.f6_map(fields, every))
        return penalties.permute(0, 3, 1, 2)
