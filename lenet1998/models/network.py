"""What every network of this library offers, whatever it puts out: one contract to read by."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

from lenet1998.data.field import FIELD, check_levels, check_scale
from lenet1998.files import make_folder
from lenet1998.models import saved

__all__ = ["AT_ONCE", "Network", "Reader"]

AT_ONCE = 500
"""Images that are read together, so that the maps of however many stay small."""


class Reader(Protocol):
    """Whatever classifies images: the largest of its scores wins."""

    @property
    def rubbish(self) -> float:
        """The score of "none of the classes"; -infinity for a reader that has no such class."""

    def scores(self, images: Tensor) -> Tensor:
        """`(N, 1, side, side)` -> `(N, classes)`, whose softmax, with `rubbish`, is probability."""


class Network(nn.Module):
    """A network that classifies images; it is a `Reader`."""

    FIELD: ClassVar[int] = FIELD
    """Side of the square input that is read at once, in pixels."""

    @property
    def rubbish(self) -> float:
        return -math.inf

    def scores(self, images: Tensor) -> Tensor:
        """Scores of the classes: the largest wins, and their softmax is the classes' probability.

        Shape: `(N, 1, 32, 32)` of the parameters' dtype, -0.1 to 1.175 -> `(N, classes)`.

        The levels are not looked at, as `predict` does, so that it costs nothing in training.

        Raises:
            ValueError: for another shape or dtype.
        """
        outputs: Tensor = self(images)
        return outputs

    def predict(self, images: Tensor) -> Tensor:
        """The class that wins for each of any number of images, `(N,)` int64; of digits, the digit.

        Raises:
            ValueError: as `scores`; for NaN; or for levels that are not those of the paper.
        """
        check_levels(images)
        check_scale(images)
        return torch.cat([self.scores(part).argmax(1) for part in images.split(AT_ONCE)])

    def arguments(self) -> dict[str, Any]:
        """What its class is to be called with to make its like, ready for JSON."""
        return {}

    def save_pretrained(
        self, folder: str | Path, description: Mapping[str, object] | None = None
    ) -> None:
        """Write the network to `weights.safetensors` in a folder, whole; `load` reads it back.

        Args:
            folder: made if it is not there; a network in it is replaced.
            description: what a reader should know, such as data and measured error; `read_origin`
                returns it.

        Raises:
            TypeError, ValueError: for a class without an entry in `lenet1998.catalogue`, or a
                description that has no place in JSON; nothing is written then.
        """
        make_folder(folder)
        origin = saved.Origin(description=dict(description or {}))
        saved.write(Path(folder, saved.WEIGHTS), self, origin)

    @classmethod
    def from_pretrained(cls, source: str | Path) -> Self:
        """Read a saved network of this class, as `lenet1998.load` does.

        Raises:
            WeightsError: as `load`, or if the network is of another class.
        """
        net = saved.load(source)
        if not isinstance(net, cls):
            raise saved.WeightsError(
                f"{source} holds a {type(net).__name__}, not a {cls.__name__}: "
                "load it with the class that saved it, or with lenet1998.load"
            )
        return net
