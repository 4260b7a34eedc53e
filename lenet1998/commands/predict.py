"""`lenet1998 predict`: the digits in pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lenet1998.files import write_atomically
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.network import Network
from lenet1998.models.saved import load
from lenet1998.reading.pictures import read_picture
from lenet1998.reading.predict import PictureReading, default_network, predict_files
from lenet1998.reading.predict import predict as read
from lenet1998.report.plots import png
from lenet1998.report.sections import Document, Outcome, Section
from lenet1998.report.views import layer_maps


def predict(
    images: Sequence[Path], *, weights: str | None = None, folder: Path | None = None
) -> Outcome:
    """Read the digit in each picture.

    Args:
        weights: of the network that reads, as for `lenet1998.load`; by default lenet5-classic.
        folder: for pictures of the layers, as `show` draws them; errors as for both.

    Returns:
        With a `PictureReading` for each file: one that can't be read says why.
    """
    net: Network = default_network() if weights is None else load(weights)
    rows = predict_files(images, net)
    readings = [row for row in rows if row["error"] is None]
    if folder is not None:
        show([row["image"] for row in readings], folder, net)
    lines = [line for row in readings for line in _lines(row)]
    return Outcome(rows, Document("Digits read", [Section(text=lines)]))


def _lines(row: PictureReading) -> Iterator[str]:
    """The digit and its probability, the penalties."""
    answer = "not a digit" if row["digit"] is None else str(row["digit"])
    yield f"{row['image']}: {answer} (probability {row['probability']:.1%})"
    if row["penalties"] is not None:
        each = (f"{digit}: {penalty:.1f}" for digit, penalty in enumerate(row["penalties"]))
        yield f"  penalties  {'  '.join(each)}"


def show(files: Sequence[str], folder: Path, net: Network | None = None) -> list[Path]:
    """Draw what every layer makes of each picture, into `NAME-layers.png` in a folder.

    Further pictures of the same name get a number: `NAME-2-layers.png`. The folder is made if it is
    not there; the network is by default LeNet-5 as packaged. Returns the pictures written.

    Raises:
        ImageError: a picture can't be read.
        TypeError: the network is not LeNet-5 of 1998.
    """
    net = net or default_network()
    if not isinstance(net, LeNet5Classic):
        raise TypeError(f"the layers of a {type(net).__name__} are not those of LeNet-5 in 1998")
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for file in files:
        number, name = 1, Path(file).stem
        while (drawn := folder / f"{name}-layers.png") in written:
            number += 1
            name = f"{Path(file).stem}-{number}"
        image = read_picture(file)
        verdict = "not a digit" if read(image, net).digit is None else None
        write_atomically(drawn, png(layer_maps(net, image, verdict=verdict)))
        written.append(drawn)
    return written
