"""The networks, one file each, and the one form in which they are saved."""

from typing import TYPE_CHECKING

from lenet1998.lazy import lazily

if TYPE_CHECKING:
    from lenet1998.models.classic import LeNet5Classic as LeNet5Classic
    from lenet1998.models.modern import LeNet5Modern as LeNet5Modern
    from lenet1998.models.network import Network as Network
    from lenet1998.models.network import Reader as Reader
    from lenet1998.models.saved import load as load
    from lenet1998.models.saved import read_origin as read_origin

__getattr__, __all__ = lazily(
    __name__,
    {
        "models.classic": "LeNet5Classic",
        "models.modern": "LeNet5Modern",
        "models.network": "Network Reader",
        "models.saved": "load read_origin",
        "": "export",
    },
)
