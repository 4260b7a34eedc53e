"""LeNet-5 as published in 1998: the network, its losses, its learning rule, its evidence."""

from typing import TYPE_CHECKING

from lenet1998.lazy import lazily

if TYPE_CHECKING:
    from lenet1998.models.classic import LeNet5Classic as LeNet5Classic
    from lenet1998.models.modern import LeNet5Modern as LeNet5Modern
    from lenet1998.models.saved import load as load
    from lenet1998.reading.number import read as read
    from lenet1998.reading.predict import predict as predict

__version__ = "0.1.0"

__getattr__, __all__ = lazily(
    __name__,
    {
        "models": "LeNet5Classic LeNet5Modern load",
        "reading.number": "read",
        "reading": "predict",
        "": "catalogue classifier codes data layers learning losses measures models reading report",
    },
)
