"""What a run asks of whatever learns, whichever the rule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.optim import Optimizer


@dataclass(frozen=True)
class Part:
    """What a part of a pass showed."""

    patterns: int  # how many were seen
    errors: int  # how many of them were misread when they were seen, before their update
    loss: float  # the sum of theirs, likewise
    seconds: float  # spent on the updates


class Learner(ABC):
    """A network that learns from a data set by a recipe, pass by pass.

    Attributes:
        patterns: as many as there are in a pass.
    """

    patterns: int

    @abstractmethod
    def eta(self, number: int) -> float:
        """The global rate at the start of a pass, counted from 1."""

    @abstractmethod
    def learn(self, number: int) -> Iterator[Part]:
        """Learn for one pass, counted from 1, a part at a time.

        Raises:
            FloatingPointError: it cannot go on, as the network has diverged.
        """

    def state(self) -> Mapping[str, Tensor]:
        """What the next pass needs beside the network's parameters and its own number."""
        return {}

    def resume(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027  most have no state
        """Go on from what `state` gave after some pass, with the network as it was then."""


def moments(optimiser: Optimizer) -> dict[str, Tensor]:
    """What an optimiser keeps of each parameter, under names that a file can hold."""
    return {
        f"moments.{index}.{name}": value
        for index, of_parameter in optimiser.state_dict()["state"].items()
        for name, value in of_parameter.items()
    }


def set_moments(optimiser: Optimizer, state: Mapping[str, Tensor], rate: float) -> None:
    """Give an optimiser back what `moments` took of it, among other things, and its rate."""
    kept: dict[int, dict[str, Tensor]] = {}
    for name, value in state.items():
        if name.startswith("moments."):
            _, index, moment = name.split(".")
            kept.setdefault(int(index), {})[moment] = value
    groups = [{**group, "lr": rate} for group in optimiser.state_dict()["param_groups"]]
    optimiser.load_state_dict({"state": kept, "param_groups": groups})
