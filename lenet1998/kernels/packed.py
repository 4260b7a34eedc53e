"""A PyTorch network and the flat arrays that the kernels run on, kept in step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad

from lenet1998.data.field import BACKGROUND, check_images, check_levels
from lenet1998.kernels.layout import LANES
from lenet1998.kernels.plan import plan_for
from lenet1998.kernels.programs import IMAGES_AT_ONCE, programs_for
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.classic import LeNet5Classic

Array = npt.NDArray[np.float32]

_STEP = 4  # pixels from one output of LeNet-5 along a field to the next
_FEWEST_GROUPS = 16  # for a thread, which takes a tenth of a millisecond to start
_PARTS = 8  # for each thread: with one, all would wait for the core that is slowest just now


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
        width: of the fields that it is to read, where they hold several digits; then it reads only.

    Raises:
        TypeError: for a layer that has no kernel, or parameters that are not float32 on the CPU.
    """

    def __init__(self, net: ChainNetwork, width: int | None = None) -> None:
        self.net = net
        self._field = net.FIELD, width or net.FIELD
        self.is_prepared = type(net).prepare is not ChainNetwork.prepare
        """Whether the first layer sees something else than the image."""
        self.plan = plan_for(net, width)
        self.programs = programs_for(self.plan)
        self.weights = self.zeros()
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
        """Take the network's parameters and centres as they are now."""
        state = self.net.state_dict()
        for name, positions in self._positions.items():
            self.weights[positions] = state[name].numpy().ravel()
        self.programs.mirror(self.weights)

    @torch.no_grad()
    def unpack(self) -> None:
        """Give the weights back to the network."""
        for name, values in self.gather(self.weights).items():
            self.net.get_parameter(name).copy_(values)

    def zeros(self) -> Array:
        """An empty array in the layout of the weights."""
        return aligned_zeros(self.plan.weights)

    def scatter(self, values: Mapping[str, Tensor]) -> Array:
        """One value for each parameter, by its name, in the layout of the weights; else 0."""
        array = self.zeros()
        for name, _ in self.net.named_parameters():
            array[self._positions[name]] = values[name].detach().numpy().ravel()
        return array

    def gather(self, array: Array) -> dict[str, Tensor]:
        """The values of an array in the layout of the weights, by parameter name."""
        return {
            name: torch.from_numpy(array[self._positions[name]]).view(parameter.shape)
            for name, parameter in self.net.named_parameters()
        }

    def penalties(self, images: Tensor) -> Tensor:
        """What the network's `forward` gives, to float32 rounding, with the weights as last packed.

        Many images are read on as many threads as PyTorch has.

        Args:
            images: `(N, 1, 32, 32)`, or as wide as the fields, background -0.1 to ink 1.175.

        Returns:
            `(N, classes)` float32, squared distances, without a gradient; of fields a row for each
            place along them.

        Raises:
            ValueError: for another shape, NaN, or levels that are not the paper's.
        """
        rows = self.rows(images)
        places = self.plan.places
        penalties = np.empty((len(images), places, self.plan.output.classes), np.float32)
        # Whole groups of images to each thread, so that their number changes no bit.
        groups, threads = -(-len(images) * places // IMAGES_AT_ONCE), torch.get_num_threads()
        parts = _PARTS * threads if threads > 1 else 1
        size = -(-IMAGES_AT_ONCE * max(_FEWEST_GROUPS, -(-groups // parts)) // places)

        def read(begin: int) -> int:
            part = slice(begin, begin + size)
            out = penalties[part].reshape(-1, penalties.shape[-1])
            return begin + int(self.programs.read(self.weights, rows[part], out))

        begins = range(0, len(images), size)
        with ThreadPoolExecutor(threads) as pool:
            for seen in pool.map(read, begins) if len(begins) > 1 else map(read, begins):
                check_levels(images[seen : seen + 1])
        return torch.from_numpy(penalties.reshape(-1, penalties.shape[-1]))

    def rows(self, images: Tensor) -> Array:
        """Images `(N, 1, rows, columns)` as the programs take them, without a copy if they fit.

        Raises:
            ValueError: for another shape.
        """
        rows, columns = self._field
        if images.shape[1:] != (1, rows, columns):
            raise ValueError(
                f"expected images of shape (N, 1, {rows}, {columns}), got {tuple(images.shape)}"
            )
        seen = self.net.prepare(images.detach().to(torch.float32).cpu())
        array: Array = seen.contiguous().numpy()
        return array.reshape(len(images), math.prod(self.plan.field))


class FusedReader(PackedNetwork):
    """Reads digits through the fused kernels, with the weights that the network has now.

    Make one and keep it: the layout is worked out once. `pack` takes later weights.
    """

    def __init__(self, net: ChainNetwork) -> None:
        super().__init__(net)
        self.pack()

    @property
    def rubbish(self) -> float:
        """The score of the rubbish class."""
        return self.net.rubbish

    def scores(self, images: Tensor) -> Tensor:
        """The network's scores, from `penalties`; arguments and errors as there."""
        return self.net.to_scores(self.penalties(images))


class FusedField(PackedNetwork):
    """`LeNet5Classic.penalty_map` through the fused kernels, with the weights that it has now.

    A field is read in parts of `PLACES` outputs each, which share the states of C1 to S4 among
    them. Make one and keep it, as for `FusedReader`.
    """

    PLACES = 12
    """Outputs of a part: with fewer more states are computed twice, with more there are more
    outputs past the end of most fields."""

    def __init__(self, net: LeNet5Classic) -> None:
        super().__init__(net, net.FIELD + _STEP * (self.PLACES - 1))
        self.pack()

    def penalty_map(self, fields: Tensor, every: int = 4) -> Tensor:
        """As the network's, without a gradient, on as many threads as PyTorch has.

        Shape: `(N, 1, 32, W)`, W at least 32 -> `(N, classes, 1, outputs)`.

        Raises:
            ValueError: as the network's, for fields of another height, and for levels that are not
                the paper's.
        """
        side, width = self._field
        check_images(fields, torch.float32, side, or_larger=True)
        if every not in (_STEP, _STEP // 2):
            raise ValueError(f"expected an output every 4 or 2 pixels, got {every}")
        outputs = (fields.shape[-1] - side) // every + 1
        parts = -(-outputs * every // (_STEP * self.PLACES))
        length = width + _STEP * self.PLACES * (parts - 1)
        phases = []
        for shift in range(0, _STEP, every):
            shifted = fields[..., shift:]
            whole = pad(shifted, (0, max(0, length - shifted.shape[-1])), value=BACKGROUND)
            of_parts = whole[..., :length].unfold(3, width, _STEP * self.PLACES)
            rows = self.penalties(of_parts.permute(0, 3, 1, 2, 4).flatten(0, 1))
            phases.append(rows.view(len(fields), parts * self.PLACES, -1))
        penalties = torch.stack(phases, 2).flatten(1, 2)[:, :outputs]
        return penalties.transpose(1, 2)[:, :, None]
