"""The networks, one file each."""

from lenet1998.models.classic import LeNet5Classic

__all__ = ["LeNet5Classic"]
