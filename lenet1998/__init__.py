"""LeNet-5 as published in 1998: the network, its losses, its learning rule, its evidence."""

from lenet1998.models import LeNet5Classic

__all__ = ["LeNet5Classic"]
__version__ = "0.1.0"
