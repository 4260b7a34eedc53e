"""MNIST's four files, and QMNIST's: find them, fetch them, check them, read them.

The reading is done here rather than by torchvision, whose errors on a damaged file do not name it.
"""

import gzip
import io
import math
import os
import socket
import struct
import tempfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from hashlib import md5
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
from platformdirs import user_cache_path
from torch import Tensor

from lenet1998.data.dataset import Dataset, DatasetError
from lenet1998.data.field import IMAGE
from lenet1998.data.normalisation import to_network_input
from lenet1998.data.writers import mnist_writers

NAME = "MNIST"
OTHER_NAME = "MNIST layout, not the original files"
VARIABLE = "LENET1998_DATA"
STALLED = 10.0  # seconds without an answer before a mirror is given up
_SMALL = 2**26  # bytes that any compressed file may hold; a larger one, so many times its size:
_COMPRESSION = 100  # MNIST's images have 5, but blank ones would have 1,000

# file -> md5 of its uncompressed content
ORIGINALS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@dataclass(frozen=True)
class Collection:
    """Files that torchvision has under one name."""

    name: str  # its class there, and the folder that it puts `raw` with the files in
    files: tuple[str, ...]
    megabytes: int  # to download


MNIST = Collection("MNIST", tuple(ORIGINALS), 11)
QMNIST = Collection(
    "QMNIST",
    tuple(
        f"qmnist-{part}-{kind}"
        for part in ("train", "test")
        for kind in ("images-idx3-ubyte", "labels-idx2-int")
    ),
    20,
)


class MnistUnavailable(DatasetError):
    """MNIST, or QMNIST, is not on this machine and could not be downloaded."""


def search_folders() -> list[Path]:
    """The folders that MNIST is looked for in, in this order."""
    named = os.environ.get(VARIABLE)
    folders = [Path(os.path.expanduser(named))] if named else []  # a ~ of nobody stays
    return [*folders, Path("data").absolute(), user_cache_path("lenet1998")]


def raw_folder(folder: Path, of: Collection = MNIST) -> Path | None:
    """Where in a folder the files lie, if it has even one of them: MNIST/raw, raw or itself."""
    places = (folder / of.name / "raw", folder / "raw", folder)
    return next((raw for raw in places if any(_variant(raw, name) for name in of.files)), None)


def find_or_download(announce: Callable[[str], None], of: Collection = MNIST) -> Path:
    """The raw folder: the first found, else downloaded into the user's cache folder.

    Raises:
        MnistUnavailable: neither worked; the message says where it looked and what failed.
    """
    folders = search_folders()
    for folder in folders:
        if raw := raw_folder(folder, of):
            return raw
    cache = folders[-1]
    announce(f"{of.name} is not on this machine: downloading it ({of.megabytes} MB) into {cache}")
    try:
        return _download(cache, of)
    except (OSError, RuntimeError, HTTPException) as error:
        looked = ", ".join(map(str, folders))
        unset = "" if os.environ.get(VARIABLE) else f"; {VARIABLE} is not set"
        reason = " ".join(str(error).split())
        own = "--data DIR or " if of is MNIST else ""
        raise MnistUnavailable(
            f"{of.name} was not found (looked in {looked}{unset}) and could not be downloaded "
            f"({reason}). Give its folder with {own}{VARIABLE}, or take the embedded "
            "digits with --data digits."
        ) from error


def read_mnist(raw: Path, announce: Callable[[str], None]) -> Dataset:
    """Read and check the four files of a raw folder.

    Well-formed files that are not the original ones (by md5) are read all the same, but the data
    set is then named so, and `announce` is told which they are.

    Raises:
        DatasetError: a file is missing or damaged, or the files do not belong together.
    """
    strangers: list[str] = []
    parts: list[tuple[Tensor, Tensor]] = []
    for part in ("train", "t10k"):
        _, images = read_idx(raw, f"{part}-images-idx3-ubyte", (IMAGE, IMAGE), strangers)
        file, labels = read_idx(raw, f"{part}-labels-idx1-ubyte", (), strangers)
        check_belonging(file, labels, images)
        parts.append((to_network_input(images), labels.long()))
    if strangers:
        announce(
            f"WARNING: {raw} is well formed but not the original MNIST: another md5 for "
            f'{", ".join(strangers)}. The results are labelled "{OTHER_NAME}".'
        )
    training, test = parts
    if strangers:
        return Dataset(OTHER_NAME, *training, *test)
    writers, test_writers = mnist_writers()
    read = Dataset(NAME, *training, *test, is_papers=True)
    return replace(read, training_writers=writers, test_writers=test_writers)


def check_belonging(file: Path, labels: Tensor, images: Tensor) -> None:
    """See that labels, `(N,)` of a file, are one for each image and 0 to 9.

    Raises:
        DatasetError: if they are not; it names the file.
    """
    if len(images) != len(labels):
        raise damaged(file, f"{len(labels)} labels for {len(images)} images")
    low, high = labels.aminmax()
    if low < 0 or high > 9:
        raise damaged(file, f"labels must be 0 to 9, one is {low if low < 0 else high}")


def _variant(raw: Path, name: str) -> Path | None:
    """The file of that name, plain or compressed; the plain one wins, as in torchvision."""
    files = (raw / name, raw / f"{name}.gz")
    return next((file for file in files if os.path.isfile(file)), None)


def read_idx(
    raw: Path, name: str, item_shape: tuple[int, ...], strangers: list[str] | None = None
) -> tuple[Path, Tensor]:
    """An idx file and its values; one of MNIST's may join the strangers, by its md5.

    The format: 0, 0, type (8: unsigned byte; 12: 32-bit integer), number of dimensions; each
    dimension as a big-endian 32-bit integer; the values, big-endian too. A name that ends in "-int"
    is that of a file of integers.

    Returns:
        The file, and (N, *item_shape) uint8, or int64 where it holds integers.

    Raises:
        DatasetError: it is missing or damaged, or its items have another shape.
    """
    code, kind, values_as = (
        (12, np.dtype(">i4"), np.int64) if name.endswith("-int") else (8, np.dtype("u1"), np.uint8)
    )
    file = _variant(raw, name)
    if file is None:
        missing = "the file, or the same with .gz, is missing beside the others"
        raise damaged(raw / name, missing)
    size, is_compressed = 4 * (2 + len(item_shape)), file.suffix == ".gz"
    try:
        # As a stream: what a header promises, or a small file unpacks to, may not fit in memory.
        with gzip.open(file) if is_compressed else file.open("rb") as stream:
            header = stream.read(size)
            count = _count(file, header, 0x100 * code + 1 + len(item_shape), item_shape)
            length = size + count * math.prod(item_shape) * kind.itemsize
            promises, there = f"its header promises {length} bytes in all", os.path.getsize(file)
            if is_compressed and length > max(_SMALL, _COMPRESSION * there):
                raise damaged(file, f"{promises}, too many for {there} compressed ones")
            if not is_compressed and length != there:
                raise damaged(file, f"{promises}, it has {there}")
            content = header + stream.read(length - size + 1)  # the one more shows where it ends
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(file, f"it can't be read ({error})") from error
    if len(content) != length:
        has = "more" if len(content) > length else len(content)
        raise damaged(file, f"{promises}, it has {has}")
    if strangers is not None and md5(content, usedforsecurity=False).hexdigest() != ORIGINALS[name]:
        strangers.append(file.name)
    values = np.frombuffer(content, kind, offset=size).astype(values_as)
    return file, torch.from_numpy(values.reshape(count, *item_shape))


def _count(file: Path, header: bytes, magic: int, item_shape: tuple[int, ...]) -> int:
    """Of the items that a header promises; what else it says must be what is expected."""
    expected = 2 + len(item_shape)
    if len(header) < 4 * expected:
        raise damaged(file, f"{len(header)} bytes, less than the header's {4 * expected}")
    found, count, *shape = struct.unpack(f">{expected}I", header)
    if found != magic:
        raise damaged(file, f"it must start with magic number {magic}, not {found}")
    if tuple(shape) != item_shape:
        raise damaged(file, f"its items must be {_by(item_shape)}, not {_by(shape)}")
    if count == 0:
        raise damaged(file, "it holds no patterns")
    return int(count)


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def damaged(file: Path, what: str) -> DatasetError:
    """What to raise for a file of MNIST or QMNIST: what is wrong with it, and what to do."""
    of = QMNIST if file.name.startswith("qmnist") else MNIST
    return DatasetError(
        f"{file} is damaged or incomplete: {what}. Replace it with an intact copy, or delete "
        f"{of.name}'s four files there and use --data {of.name.lower()}, which downloads what it "
        "does not find."
    )


def _download(folder: Path, of: Collection) -> Path:
    """Have torchvision fetch the files from its mirrors and check them; return the raw folder."""
    from torchvision import datasets  # slow, seldom needed

    folder.mkdir(parents=True, exist_ok=True)
    raw = folder / of.name / "raw"
    # No endless wait behind a firewall (torchvision sets no timeout), and no progress bars.
    timeout, nowhere = socket.getdefaulttimeout(), io.StringIO()
    socket.setdefaulttimeout(STALLED)
    try:
        # Into a scratch folder first: what is cut off must not be found by the next run.
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                for train in (True, False):  # QMNIST has each part fetched by itself
                    getattr(datasets, of.name)(scratch, train=train, download=True)
            raw.mkdir(parents=True, exist_ok=True)
            for name in of.files:
                os.replace(Path(scratch, of.name, "raw", name), raw / name)
    finally:
        socket.setdefaulttimeout(timeout)
    return raw
