"""LeNet-5 as published in 1998: the network, its losses, its learning rule, its evidence."""

from lenet1998.models import LeNet5Classic, LeNet5Modern, load
from lenet1998.reading import predict

__all__ = ["LeNet5Classic", "LeNet5Modern", "load", "predict"]
__version__ = "0.1.0"
