"""`lenet1998 predict`: the digits in pictures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from lenet1998.data import mnist
from lenet1998.errors import Failure
from lenet1998.files import make_folder, write_atomically
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.network import Network
from lenet1998.models.saved import load, read_origin
from lenet1998.reading.pictures import NotOneDigit, read_picture
from lenet1998.reading.predict import PictureReading, default_network, read_files
from lenet1998.reading.predict import predict as read
from lenet1998.report.sections import Document, Outcome, Section

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LayersError(Failure, TypeError):
    """A network has other layers than those that are drawn."""


def predict(
    images: Sequence[Path],
    *,
    weights: str | None = None,
    folder: Path | None = None,
    on_warning: Callable[[str], None] | None = None,
    on_read: Callable[[PictureReading], None] | None = None,
) -> Outcome:
    """Read the digit in each picture; Ctrl-C ends it, and leaves what was read.

    Args:
        images: files; `-` is standard input.
        weights: of the network that reads, as for `lenet1998.load`; by default lenet5-classic.
        folder: for pictures of the layers, as `show` draws them; errors as for both.
        on_warning: called with each warning, before anything is read.
        on_read: called with each reading as it comes.

    Returns:
        With a `PictureReading` for each file: one that can't be read says why.
    """
    net: Network = default_network() if weights is None else load(weights)
    draw = None if folder is None else _Drawer(folder, net)
    notes = [] if weights is None else read_origin(weights).unlike(mnist.NAME)
    if on_warning is not None:
        for note in notes:
            on_warning(note)
    rows: list[PictureReading] = []
    with suppress(KeyboardInterrupt), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of what it reads all the same
        for row, inputs in read_files(images, net):
            rows.append(row)
            if on_read is not None:
                on_read(row)
            if draw is not None and inputs is not None:
                draw(row["image"], inputs)
    lines = [line for row in rows if row["error"] is None for line in in_words(row)]
    return Outcome(rows, Document("Digits read", [Section(text=lines)], notes))


def in_words(row: PictureReading) -> Iterator[str]:
    """The digit or why it is none, the probability, the penalties."""
    answer = f"{row['image']}: {row['reason'] or row['digit']}"
    if row["probability"] is not None:
        answer += f" (probability {row['probability']:.1%})"
    if (row["reason"] or "").startswith("several marks"):
        answer += "; lenet1998 read reads numbers"
    if row["digit"] is None and row["best"] is not None:
        answer += f", {row['best']} is the nearest"
    yield answer
    if row["penalties"] is not None:
        each = (f"{digit}: {penalty:.1f}" for digit, penalty in enumerate(row["penalties"]))
        yield f"  penalties  {'  '.join(each)}"


def show(files: Sequence[str], folder: Path, net: Network | None = None) -> list[Path]:
    """Draw what every layer makes of each picture, into `NAME-layers.png` in a folder.

    One that holds several marks or a blob is left out. Further pictures of the same name get a
    number: `NAME-2-layers.png`. The folder is made if it is not there; the network is by default
    LeNet-5 as packaged. Returns the pictures written.

    Raises:
        ImageError: a picture can't be read.
        LayersError: the network is not LeNet-5 of 1998.
        FileError: a picture can't be written.
    """
    draw = _Drawer(folder, net or default_network())
    written = []
    for file in files:
        with suppress(NotOneDigit):  # there is nothing that the layers could make of it
            written.append(draw(file, read_picture(file)))
    return written


class Drawings:
    """A folder of drawings, one for each picture: NAME-KIND.png, those of one name numbered."""

    def __init__(self, folder: str | Path, kind: str) -> None:
        self._folder, self._kind, self._written = make_folder(folder), kind, set[Path]()

    def __call__(self, file: str, figure: Figure) -> Path:
        from lenet1998.report.plots import png  # Matplotlib is slow to import

        number, name = 1, Path(file).stem
        while (drawn := self._folder / f"{name}-{self._kind}.png") in self._written:
            number += 1
            name = f"{Path(file).stem}-{number}"
        write_atomically(drawn, png(figure))
        self._written.add(drawn)
        return drawn


class _Drawer:
    """Draws layers into a folder, each picture into a file of its own."""

    def __init__(self, folder: str | Path, net: Network) -> None:
        if not isinstance(net, LeNet5Classic):
            kind = type(net).__name__
            raise LayersError(f"the layers of a {kind} are not those of LeNet-5 in 1998")
        self._net, self._write = net, Drawings(folder, "layers")

    def __call__(self, file: str, inputs: Tensor) -> Path:
        from lenet1998.report.views import layer_maps

        verdict = read(inputs, self._net).reason
        return self._write(file, layer_maps(self._net, inputs, verdict=verdict))
