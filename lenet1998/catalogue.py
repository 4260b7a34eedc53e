"""Every network of this library: how it is built, trained by which recipe, and what was published.

A new network is a file of its own in `models` and an entry here. Nothing here imports PyTorch: an
entry names its class, and `build` fetches it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lenet1998.models.network import Network

__all__ = ["COMPARED", "NETWORKS", "Entry", "find"]

_WEIGHTS = Path(__file__).with_name("weights")


@dataclass(frozen=True)
class Entry:
    """One network."""

    name: str  # what `lenet1998.load`, the recipes and the commands call it by
    network: str  # its class, as `module:class` in `lenet1998.models`
    recipe: str  # the name of the recipe that it is trained by
    words: str  # what it is, in one line
    # The test error in percent that its source gives; or the name of its bar in Figs. 9 to 12,
    # whose error `evidence.facts` has; None where nothing was published.
    published: float | str | None = None
    compared: bool = False  # whether `lenet1998 compare` takes it up by itself
    seed: int | None = None  # of the packaged run; None for the one of median test error

    @property
    def kind(self) -> type[Network]:
        """Its class."""
        module, _, name = self.network.partition(":")
        kind: type[Network] = getattr(import_module(f"lenet1998.models.{module}"), name)
        return kind

    def build(self, **arguments: Any) -> Network:
        """A new network, with the arguments of its class."""
        return self.kind(**arguments)

    @property
    def weights(self) -> Path | None:
        """The file of the trained network, where one comes with the package."""
        file = _WEIGHTS / f"{self.name}.safetensors"
        return file if file.is_file() else None


def _tutorial(name: str, network: str, words: str, published: float | None = None) -> Entry:
    """A network that a tutorial calls LeNet-5; its recipe has its name."""
    return Entry(name, f"tutorials:{network}", name, words, published, compared=True)


def _but(name: str, network: str, words: str, module: str = "variants") -> Entry:
    """LeNet-5 with one part replaced."""
    return Entry(name, f"{module}:{network}", "paper", f"LeNet-5 with {words}")


def _full(name: str, network: str, bar: str, words: str) -> Entry:
    """A fully connected one."""
    kind = f"fully_connected:FullyConnected{network}"
    return Entry(f"fully-connected-{name}", kind, "fully-connected", words, f"MLP {bar}")


_CLASSIC = "classic:LeNet5Classic"

_ENTRIES = (
    Entry("lenet5-classic", _CLASSIC, "paper", "LeNet-5 as published", "LeNet-5", compared=True),
    Entry("lenet5-classic-distorted", _CLASSIC, "paper-distorted",
          "learnt with distorted patterns", "LeNet-5, distorted", compared=True),
    Entry("lenet5-classic-noise", _CLASSIC, "paper-noise",
          "learnt with a tenth of the pixels inverted"),
    Entry("lenet5-strings", _CLASSIC, "paper-strings",
          "learnt between other digits, with a class for blanks"),
    Entry("lenet5-strings-global", _CLASSIC, "strings-global",
          "the same, learnt further on whole strings", seed=0),
    Entry("lenet5-strings-second", _CLASSIC, "strings-global",
          "as well, from another seed: the two read numbers together", seed=1),
    Entry("lenet5-modern", "modern:LeNet5Modern", "modern",
          "LeNet-5 as one would write it today", compared=True),
    _tutorial("tutorial-average-pooling", "AveragePoolingNet",
              "LeNet-5's maps and units on the unpadded image, with ReLU", 1.28),
    _tutorial("tutorial-one-convolution", "OneConvolutionNet",
              "One wide convolution, and most of its weights in one full connection", 1.31),
    _tutorial("tutorial-max-pooling", "MaxPoolingNet", "LeNet-5's maps with max pooling and ReLU"),
    _tutorial("tutorial-resized-input", "ResizedInputNet",
              "The same on digits enlarged to 32x32, half of them mirrored in training", 2.28),
    _tutorial("tutorial-resized-input-unflipped", "ResizedInputNet", "The same without mirroring"),
    _but("full-c3", "FullC3", "a C3 that sees all of S2"),
    _but("random-codes", "RandomCodes", "ten random codes"),
    _but("one-of-ten-codes", "OneOfTenCodes", "a unit of F6 for each class"),
    _but("average-pooling", "AveragePooling", "plain averages for S2 and S4"),
    _but("max-pooling", "MaxPooling", "maxima for S2 and S4"),
    _but("plain-tanh", "PlainTanhSquash", "tanh(a) for the squash"),
    _but("low-squash", "LowSquash", "a squash between -1.3 and 1.3"),
    _but("high-squash", "HighSquash", "a squash between -3 and 3"),
    _but("relu", "Rectified", "ReLU up to C5"),
    _but("trainable-centres", "TrainableCentres", "centres that learn"),
    _but("crowded-centres", "CrowdedCentres", "centres that learn, from near 0"),
    _but("field-28", "Field28", "a field of 28x28", "inputs"),
    _but("field-24", "Field24", "a field of 24x24", "inputs"),
    _but("field-20", "Field20", "a field of 20x20", "inputs"),
    _but("levels-unit", "UnitLevels", "input levels of 0 and 1", "inputs"),
    _but("levels-symmetric", "SymmetricLevels", "input levels of -1 and 1", "inputs"),
    _but("levels-inverted", "InvertedLevels", "light ink on dark paper", "inputs"),
    _but("levels-standard", "StandardLevels", "input levels of mean 0, variance 1", "inputs"),
    Entry("lenet1", "lenet1:LeNet1", "paper", "The digit at 16x16, and 2,578 parameters",
          "LeNet-1"),
    Entry("lenet4", "lenet4:LeNet4", "paper", "LeNet-5's smaller kin, ten outputs for its codes",
          "LeNet-4"),
    Entry("lenet4-boosted", "boosted:BoostedLeNet4", "lenet4-boosted",
          "Three LeNet-4s, each learns what is hard for those before it",
          "Boosted LeNet-4, distorted"),
    _full("300", "300", "300-10", "300 hidden units"),
    _full("1000", "1000", "1000-10", "1,000 hidden units"),
    _full("300-100", "300And100", "300-100-10", "300 and 100 hidden units"),
    _full("500-150", "500And150", "500-150-10", "500 and 150 hidden units"),
    _full("300-deslanted", "300Deslanted", "300-10, deslanted",
          "300 hidden units, on digits set upright"),
)  # fmt: skip

NETWORKS: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
"""All of them by name, in the order of the tables."""

COMPARED = tuple(entry.name for entry in _ENTRIES if entry.compared)
"""What `lenet1998 compare` compares."""


def find(name: str) -> Entry:
    """The entry of a network; ValueError for an unknown name, listing those there are."""
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}: expected one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def entry_of(network: type) -> Entry:
    """The first entry of a class, which its recipes and saved files name; ValueError if none."""
    place = f"{network.__module__}:{network.__qualname__}"
    for entry in _ENTRIES:
        if place == f"lenet1998.models.{entry.network}":
            return entry
    raise ValueError(
        f"{network.__qualname__} is no network of lenet1998.catalogue: it can be saved and loaded "
        "once it has an entry there"
    )
