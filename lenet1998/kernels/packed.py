"""A PyTorch network and the flat arrays that the kernels run on, kept in step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lenet1998.kernels.layout import LANES
from lenet1998.kernels.plan import plan_for
from lenet1998.kernels.programs import programs_for
from lenet1998.models.base import ClassicNetwork
from lenet1998.models.checks import check_levels

Array = npt.NDArray[np.float32]


def aligned_zeros(count: int) -> Array:
    """Zeros that start on a vector boundary."""
    vector_bytes = LANES * 4
    array = np.zeros(count + LANES, np.float32)
    skip = -array.ctypes.data % vector_bytes // 4
    return array[skip : skip + count]


class PackedNetwork:
    """The parameters of a network in the layout of its plan.

    The network stays the truth: `pack` before a program runs, `unpack` after one that learns.

    Args:
        net: a network of the 1998 kind, float32, on the CPU.

    Raises:
        TypeError: for a layer that has no kernel, or parameters that are not float32 on the CPU.
    """

    def __init__(self, net: ClassicNetwork) -> None:
        self.net = net
        self.plan = plan_for(net)
        self.programs = programs_for(self.plan)
        self.weights = aligned_zeros(self.plan.weights)
        self._positions = self.plan.positions()
        self.live = self.zeros()
        """1 where a weight lies that learns, 0 in the padding, for absent connections, mirrored
        weights and fixed centres."""
        for name, parameter in net.named_parameters():
            self.live[self._positions[name]] = 1
            if parameter.dtype != torch.float32 or parameter.device.type != "cpu":
                raise TypeError(
                    f"the fused kernels run on float32 parameters on the CPU: {name} is "
                    f"{parameter.dtype} on {parameter.device}; use net.float().cpu() or "
                    "the PyTorch path"
                )

    def pack(self) -> None:
        """Take the network's parameters and centres."""
        state = self.net.state_dict()
        for name, positions in self._positions.items():
            self.weights[positions] = state[name].numpy().ravel()
        self.programs.mirror(self.weights)

    def unpack(self) -> None:
        """Give the weights back to the network."""
        with torch.no_grad():
            for name, parameter in self.net.named_parameters():
                parameter.copy_(self._read(self.weights, name, parameter))

    def zeros(self) -> Array:
        """An empty array in the layout of the weights."""
        return aligned_zeros(self.plan.weights)

    def scatter(self, values: Mapping[str, Tensor]) -> Array:
        """One value for each parameter, by its name, in the layout of the weights; else 0.

        Raises:
            ValueError: if a parameter is missing or has another shape.
        """
        array = self.zeros()
        for name, parameter in self.net.named_parameters():
            if name not in values or values[name].shape != parameter.shape:
                found = tuple(values[name].shape) if name in values else "nothing"
                raise ValueError(f"{name}: expected shape {tuple(parameter.shape)}, got {found}")
            array[self._positions[name]] = values[name].detach().numpy().ravel()
        return array

    def gather(self, array: Array) -> dict[str, Tensor]:
        """The values of an array in the layout of the weights, by parameter name."""
        return {
            name: self._read(array, name, parameter)
            for name, parameter in self.net.named_parameters()
        }

    def _read(self, array: Array, name: str, like: Tensor) -> Tensor:
        return torch.from_numpy(array[self._positions[name]]).view(like.shape)

    def read(self, images: Tensor) -> Tensor:
        """Penalties `(N, classes)`, squared distances, with the weights as last packed.

        Raises:
            ValueError: for another shape, NaN, or levels that are not the paper's.
        """
        penalties = np.empty((len(images), self.plan.output.classes), np.float32)
        seen = self.programs.read(self.weights, self.rows(images), penalties)
        check_levels(images[seen : seen + 1])
        return torch.from_numpy(penalties)

    def rows(self, images: Tensor) -> Array:
        """Images `(N, 1, side, side)` as the programs take them, without a copy if they fit.

        Raises:
            ValueError: for another shape.
        """
        side = self.plan.field
        if images.shape[1:] != (1, side, side):
            raise ValueError(
                f"expected images of shape (N, 1, {side}, {side}), got {tuple(images.shape)}"
            )
        array: Array = images.detach().to(torch.float32).cpu().contiguous().numpy()
        return array.reshape(len(images), side * side)


class FusedReader:
    """Reads digits through the fused kernels, with the weights that the network has now.

    Make one and keep it: the layout is worked out once. `refresh` takes later weights.

    Args:
        net: a network of the 1998 kind, float32 on the CPU.

    Raises:
        TypeError: for a layer that has no kernel, or parameters that are not float32 on the CPU.
    """

    def __init__(self, net: ClassicNetwork) -> None:
        self._packed = PackedNetwork(net)
        self.refresh()

    def refresh(self) -> None:
        """Take the network's weights as they are now."""
        self._packed.pack()

    def penalties(self, images: Tensor) -> Tensor:
        """What the network's `forward` gives, to float32 rounding, without a gradient.

        Args:
            images: `(N, 1, 32, 32)`, background -0.1 to ink 1.175.

        Returns:
            `(N, classes)` float32, squared distances.

        Raises:
            ValueError: for another shape, NaN, or levels that are not the paper's.
        """
        return self._packed.read(images)

    def predict(self, images: Tensor) -> Tensor:
        """The class with the smallest penalty, `(N,)` int64; arguments and errors as above."""
        return self.penalties(images).argmin(1)
