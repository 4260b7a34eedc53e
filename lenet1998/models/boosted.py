"""Boosted LeNet-4 (section III.C): three networks that learn what those before them find hard."""

from typing import Any

from torch import Tensor, nn

from lenet1998.models.lenet4 import LeNet4
from lenet1998.models.network import Network

__all__ = ["BoostedLeNet4"]


class BoostedLeNet4(Network):
    """Three LeNet-4s whose scores are added: 50,994 parameters.

    Of ten sigmoid units the penalties order the classes as the units themselves do, so that adding
    penalties adds outputs. `learning.boosting` says what each network learns from.

    Args:
        penalty_scale, j: of the loss of each, as `ChainNetwork` takes them.
    """

    def __init__(self, **loss: Any) -> None:
        super().__init__()
        self.members = nn.ModuleList(LeNet4(**loss) for _ in range(3))

    @property
    def networks(self) -> list[LeNet4]:
        """The three, in the order in which they learn."""
        return [net for net in self.members if isinstance(net, LeNet4)]

    def arguments(self) -> dict[str, Any]:
        return self.networks[0].arguments()

    def forward(self, images: Tensor) -> Tensor:
        """The sum of the scores, `(N, 10)`; images and errors as for `scores`."""
        first, second, third = (net.scores(images) for net in self.networks)
        return first + second + third
