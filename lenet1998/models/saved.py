"""The one form in which a network is saved, and the one way to load it.

A safetensors file: the parameters, and in its header, as one JSON text, what the network is and
where it comes from. The same network gives the same bytes: the keys of the header have a fixed
order, and no time stands in it. Reading the header alone takes no PyTorch and no NumPy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenet1998 import catalogue
from lenet1998.errors import Failure
from lenet1998.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

    from lenet1998.models.network import Network

__all__ = ["WEIGHTS", "Origin", "WeightsError", "load", "read_origin"]

WEIGHTS = "weights.safetensors"
"""The name of such a file in the folder of a run or of `save_pretrained`."""

_HEADER = "lenet1998"
_LEARNER = "learner."  # what a run goes on from, beside the network


class WeightsError(Failure):
    """A saved network is absent, damaged or another one."""


class UnknownNetworkError(WeightsError, ValueError):
    """What is asked for is neither a name, nor a file, nor a folder."""


@dataclass(frozen=True)
class Origin:
    """What a saved network is, and where it comes from; no `recipe` where no run trained it."""

    network: str = ""  # its name in `lenet1998.catalogue`
    arguments: dict[str, Any] = field(default_factory=dict)  # of its class
    recipe: dict[str, Any] | None = None  # every choice of its training, the seed among them
    dataset: str | None = None  # what it was trained on
    engine: str | None = None  # that trained it
    log: tuple[dict[str, Any], ...] = ()  # a JSON object for each pass, without times
    description: dict[str, Any] = field(default_factory=dict)  # what `save_pretrained` was given
    sha256: str = ""  # over all of this, and the names and bytes of the tensors

    def unlike(self, dataset: str) -> list[str]:
        """A warning, if it has learnt from another data set than that of this name."""
        if self.dataset in (None, dataset):
            return []
        return [f"These weights have learnt from other digits: {self.dataset}."]


def write(
    file: Path, net: Network, origin: Origin, learner: Mapping[str, Tensor] | None = None
) -> None:
    """Save a network, whole or not at all.

    Args:
        file: replaced if it is there.
        net: of a class that has an entry in the catalogue.
        origin: of it; `network`, `arguments` and `sha256` are filled in.
        learner: what its training goes on from, beside its parameters; `load` leaves it out.

    Raises:
        TypeError, ValueError: as `Network.save_pretrained`.
    """
    from safetensors.torch import save

    tensors = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    tensors |= {_LEARNER + name: tensor for name, tensor in (learner or {}).items()}
    origin = replace(origin, network=catalogue.entry_of(type(net)).name, arguments=net.arguments())
    origin = replace(origin, sha256=_digest(origin, tensors))
    header = json.dumps(asdict(origin), allow_nan=False)
    write_atomically(file, save(tensors, metadata={_HEADER: header}))


def load(source: str | Path) -> Network:
    """A trained network: on the CPU, in eval mode, of the dtype as saved; nothing is downloaded.

    Args:
        source: the name of one that comes with the package, such as `"lenet5-classic"` (`lenet1998
            models` lists them); a file; or the folder of a run or of `save_pretrained`.

    Raises:
        WeightsError: if it is not there, is damaged or holds something else, NaN or infinity. Where
            the source can only be a name, it is a ValueError too.
    """
    return read(find(source))[0]


def read(file: Path) -> tuple[Network, Origin, dict[str, Tensor]]:
    """What `write` wrote: the network, its origin, its learner; WeightsError as `load`."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    origin = read_origin(file)
    try:
        # Each in memory of its own: where it lies in the file is no multiple of a vector's length,
        # and PyTorch's last bit may depend on that, so that a resumed run would.
        tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{file} is damaged or cut off: {error}") from error
    if _digest(origin, tensors) != origin.sha256:
        what = "its values are not those that were saved"
        raise WeightsError(f"{file} is damaged: {what}; get it again")
    try:
        unfinite = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
        if unfinite:
            raise WeightsError(f"{file} holds NaN or infinite values in {', '.join(unfinite)}")
        of_learner = [name for name in tensors if name.startswith(_LEARNER)]
        learner = {name.removeprefix(_LEARNER): tensors.pop(name) for name in of_learner}
        net = catalogue.find(origin.network).build(**origin.arguments)
        net.load_state_dict(tensors, assign=True)
        kinds = {str(one.dtype) for one in tensors.values() if one.is_floating_point()}
        if len(kinds) > 1:
            raise ValueError(f"expected parameters of one dtype, got {', '.join(sorted(kinds))}")
    except (RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(f"{origin.network}: {error}".split())
        raise WeightsError(f"{file} does not hold a {reason}") from error
    return net.eval(), origin, learner


def read_origin(source: str | Path) -> Origin:
    """What a saved network is, and where it comes from; the parameters stay unread.

    Sources and errors as for `load`.
    """
    file = find(source)
    try:
        # By hand, as the format has it: the library reads a header through NumPy, slow to import.
        with file.open("rb") as content:
            length = int.from_bytes(content.read(8), "little")
            header = json.loads(content.read(min(length, file.stat().st_size)))
        values = json.loads(header["__metadata__"][_HEADER])
        return Origin(**{**values, "log": tuple(values["log"])})
    except OSError as error:
        raise WeightsError(f"{file} cannot be read: {error}") from error
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        expected = "expected a safetensors file that lenet1998 saved"
        raise WeightsError(f"{file} does not say which network it holds: {expected}") from error


def find(source: str | Path) -> Path:
    """The file of a saved network; sources and errors as for `load`."""
    known = {name: entry.weights for name, entry in catalogue.NETWORKS.items() if entry.weights}
    if isinstance(source, str) and source in known:
        return known[source]
    place = Path(source)
    file = place / WEIGHTS if place.is_dir() else place
    if file.is_file():
        return file
    if place.is_dir():
        raise WeightsError(f"{place} holds no saved network: {WEIGHTS} is not there")
    if str(source) == place.stem:
        expected = f"a file, a folder or one of {', '.join(known)}"
        raise UnknownNetworkError(f"no trained network {place.stem!r}: expected {expected}")
    raise WeightsError(f"{place}: there is no such file; expected a network that lenet1998 saved")


def _digest(origin: Origin, tensors: Mapping[str, Tensor]) -> str:
    import torch

    total = hashlib.sha256(json.dumps(asdict(replace(origin, sha256=""))).encode())
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
