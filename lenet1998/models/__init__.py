"""The networks, one file each, and those that come trained."""

from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.modern import LeNet5Modern
from lenet1998.models.registry import cards, load

__all__ = ["LeNet5Classic", "LeNet5Modern", "cards", "load"]
