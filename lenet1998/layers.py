"""The layers of LeNet-5 that `torch.nn` lacks (sections II.A and II.B)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Squash(nn.Module):
    """The squashing function of every unit up to F6 (eqs. 5 and 6, appendix A).

        f(a) = A tanh(S a),  A = 1.7159,  S = 2/3

    A and S make f(1) = 1 and f(-1) = -1 and put the greatest curvature there, so that the targets
    +1 and -1 lie where the units are neither linear nor saturated.

    Shape: any; values in [-1.7159, 1.7159], the ends reached by rounding only.
    """

    AMPLITUDE = 1.7159
    SLOPE = 2 / 3

    def forward(self, activation: Tensor) -> Tensor:
        scaled = self.SLOPE * activation
        if torch.is_grad_enabled():
            return self.AMPLITUDE * torch.tanh(scaled)
        # In place: on large batches, fresh memory for each step costs as much as the tanh.
        return scaled.tanh_().mul_(self.AMPLITUDE)

    @classmethod
    def derivative(cls, state: Tensor) -> Tensor:
        """f'(a), from the unit's state x = f(a): S (A - x^2 / A)."""
        return cls.SLOPE * (cls.AMPLITUDE - state.square() / cls.AMPLITUDE)


class Subsampling(nn.Module):
    """Trainable subsampling, S2 and S4 (section II.B).

    Each unit adds its 2x2 inputs, multiplies the sum by its map's coefficient, adds its map's bias:

        a = coefficient * (x1 + x2 + x3 + x4) + bias

    Section II.A speaks of the average, II.B of the sum; the authors' software sums. The squashing
    function follows in the network, not here.

    Args:
        maps: of its own.
        readers: maps that read each one below, each with parameters of its own: map i reads map
            i modulo maps / readers. LeNet-4's are "in pairs".

    Shape: (N, maps / readers, H, W) -> (N, maps, H // 2, W // 2). Parameters: 2 per map.

    Raises:
        ValueError: if the maps are no multiple of the readers.
    """

    WINDOW = 2

    def __init__(self, maps: int, readers: int = 1) -> None:
        super().__init__()
        if readers < 1 or maps % readers:
            raise ValueError(f"expected maps a multiple of the readers, got {maps} and {readers}")
        self.readers = readers
        self.coefficient = nn.Parameter(torch.empty(maps))
        self.bias = nn.Parameter(torch.empty(maps))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Coefficients that keep a constant level as it is (1/4), biases 0."""
        nn.init.constant_(self.coefficient, 1 / self.WINDOW**2)
        nn.init.zeros_(self.bias)

    def forward(self, maps: Tensor) -> Tensor:
        # Four times the average is the sum to the last bit. As a grouped convolution this would
        # take several times as long, and exporters forget a divisor of 1.
        average = F.avg_pool2d(maps, self.WINDOW)
        if self.readers > 1:
            average = average.repeat(1, self.readers, 1, 1)
        coefficient = self.WINDOW**2 * self.coefficient.view(-1, 1, 1)
        return torch.addcmul(self.bias.view(-1, 1, 1), average, coefficient)

    def extra_repr(self) -> str:
        of_each = f", readers={self.readers}" if self.readers > 1 else ""
        return f"{len(self.coefficient)}{of_each}"


class TableConv2d(nn.Module):
    """A convolution whose output maps each see only some of the input maps (C3 and Table I).

    Only the live kernels exist: `weight` holds one per connection of the table, by output map and
    within it by ascending input map, so nothing is masked and nothing dead is counted or learns.

    Args:
        table: for each output map, the indices of the input maps that it sees.
        kernel_size: side of the square kernels.

    Shape: (N, inputs, H, W) -> (N, outputs, H - k + 1, W - k + 1). The number of input maps is the
    highest index in the table plus one.

    Raises:
        ValueError: if the table is empty, a row of it is, or a row is not strictly ascending.
    """

    connection: Tensor

    def __init__(self, table: Sequence[Sequence[int]], kernel_size: int) -> None:
        super().__init__()
        for output, row in enumerate(table):
            if not row or row[0] < 0 or any(a >= b for a, b in pairwise(row)):
                raise ValueError(
                    f"output map {output} of the connection table sees {tuple(row)}: expected the "
                    "indices of its input maps, strictly ascending, at least one"
                )
        if not table:
            raise ValueError("the connection table is empty: expected one row per output map")
        self.table = tuple(tuple(row) for row in table)
        self.out_maps = len(self.table)
        self.in_maps = 1 + max(max(row) for row in self.table)
        self.kernel_size = kernel_size
        connection = [
            output * self.in_maps + source
            for output, row in enumerate(self.table)
            for source in row
        ]
        # Where each kernel stands in the dense (outputs, inputs) plan. It follows from the table,
        # so it moves with the module but is not part of what is saved.
        self.register_buffer("connection", torch.tensor(connection), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(connection), kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(self.out_maps))
        self.reset_parameters()

    @property
    def fan_in(self) -> tuple[int, ...]:
        """Weights into one unit of each output map, its bias not counted."""
        return tuple(len(row) * self.kernel_size**2 for row in self.table)

    def reset_parameters(self) -> None:
        """Weights uniform within 1/sqrt(fan-in) of their own output map, biases 0."""
        kernels_of_map = torch.tensor([len(row) for row in self.table])
        bound = torch.tensor(self.fan_in).rsqrt().repeat_interleave(kernels_of_map)[:, None, None]
        with torch.no_grad():
            self.weight.copy_((2 * torch.rand(self.weight.shape) - 1) * bound)
        nn.init.zeros_(self.bias)

    def dense_weight(self) -> Tensor:
        """`(outputs, inputs, k, k)`: the kernels at their places, zeros where nothing connects."""
        side = self.kernel_size
        dense = self.weight.new_zeros(self.out_maps * self.in_maps, side, side)
        return dense.index_copy(0, self.connection, self.weight).view(
            self.out_maps, self.in_maps, side, side
        )

    def forward(self, maps: Tensor) -> Tensor:
        return F.conv2d(maps, self.dense_weight(), self.bias)

    def extra_repr(self) -> str:
        return (
            f"{self.in_maps}, {self.out_maps}, kernel_size={self.kernel_size}, "
            f"kernels={len(self.weight)}"
        )


class CoveringConv2d(nn.Conv2d):
    """A convolution whose kernels cover the maps below when the field is as large as one character.

    C5 is one: a full connection there, a convolution on a larger field (section II.B). As a matrix
    product the first takes a fraction of the time.

    Shape: (N, inputs, H, W) -> (N, outputs, H - k + 1, W - k + 1).
    """

    def forward(self, maps: Tensor) -> Tensor:
        if maps.shape[-2:] != self.weight.shape[-2:]:
            return super().forward(maps)
        units = F.linear(maps.flatten(-3), self.weight.flatten(1), self.bias)
        return units[..., None, None]


class EuclideanRBF(nn.Module):
    """Euclidean radial basis functions, the output layer (eq. 7).

        y_i = sum over j of (x_j - w_ij)^2

    A penalty: the smaller, the better the state of F6 fits the code of class i. In a probabilistic
    reading y_i is an unnormalised -log likelihood of a Gaussian around the code.

    Args:
        centres: `(classes, units)`, the codes w. Kept as a buffer, so that they move and are saved
            with the network but do not learn: left free under eq. 8 they would all collapse to one
            point (section II.C).
        trainable: make them parameters all the same, for experiments with eq. 9.

    Shape: (..., units) -> (..., classes); values >= 0.
    """

    centres: Tensor

    def __init__(self, centres: Tensor, *, trainable: bool = False) -> None:
        super().__init__()
        if centres.ndim != 2:
            raise ValueError(
                f"expected centres of shape (classes, units), got {tuple(centres.shape)}"
            )
        if trainable:
            self.centres = nn.Parameter(centres.clone())
        else:
            self.register_buffer("centres", centres.clone())

    def forward(self, state: Tensor) -> Tensor:
        # Not |x|^2 - 2 x.w + |w|^2, which loses digits where a state is near its code.
        return (state.unsqueeze(-2) - self.centres).square().sum(-1)

    def extra_repr(self) -> str:
        classes, units = self.centres.shape
        return f"units={units}, classes={classes}"
