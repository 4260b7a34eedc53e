"""MNIST's four files: find them, fetch them, check them, read them.

The reading is done here rather than by torchvision, whose errors on a damaged file do not name it.
"""

import gzip
import hashlib
import io
import math
import os
import socket
import struct
import tempfile
import zlib
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from http.client import HTTPException
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import Tensor

from lenet1998.data.dataset import Dataset, DatasetError
from lenet1998.data.field import IMAGE
from lenet1998.data.normalisation import to_network_input

NAME = "MNIST"
OTHER_NAME = "MNIST layout, not the original files"
VARIABLE = "LENET1998_DATA"
STALLED = 10.0  # seconds without an answer before a mirror is given up

# file -> md5 of its uncompressed content
ORIGINALS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class MnistUnavailable(DatasetError):
    """MNIST is not on this machine and could not be downloaded."""


def search_folders() -> list[Path]:
    """The folders that MNIST is looked for in, in this order."""
    named = os.environ.get(VARIABLE)
    folders = [Path(named).expanduser()] if named else []
    return [*folders, Path("data").absolute(), user_cache_path("lenet1998")]


def raw_folder(folder: Path) -> Path | None:
    """Where in a folder MNIST's files lie, if it has even one of them: MNIST/raw, raw or itself."""
    places = (folder / "MNIST" / "raw", folder / "raw", folder)
    return next((raw for raw in places if any(_variant(raw, name) for name in ORIGINALS)), None)


def find_or_download(announce: Callable[[str], None]) -> Path:
    """MNIST's raw folder: the first found, else downloaded into the user's cache folder.

    Raises:
        MnistUnavailable: neither worked; the message says where it looked and what failed.
    """
    folders = search_folders()
    for folder in folders:
        if raw := raw_folder(folder):
            return raw
    cache = folders[-1]
    announce(f"MNIST is not on this machine: downloading it (11 MB) into {cache}")
    try:
        return _download(cache)
    except (OSError, RuntimeError, HTTPException) as error:
        looked = ", ".join(map(str, folders))
        unset = "" if os.environ.get(VARIABLE) else f"; {VARIABLE} is not set"
        reason = " ".join(str(error).split())
        raise MnistUnavailable(
            f"MNIST was not found (looked in {looked}{unset}) and could not be downloaded "
            f"({reason}). Give its folder with --data DIR or {VARIABLE}, or take the embedded "
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
        _, images = _read_idx(raw, f"{part}-images-idx3-ubyte", (IMAGE, IMAGE), strangers)
        file, labels = _read_idx(raw, f"{part}-labels-idx1-ubyte", (), strangers)
        if len(images) != len(labels):
            raise _damaged(file, f"{len(labels)} labels for {len(images)} images")
        if labels.max() > 9:
            raise _damaged(file, f"labels must be 0 to 9, one is {labels.max()}")
        parts.append((to_network_input(images), labels.long()))
    if strangers:
        announce(
            f"WARNING: {raw} is well formed but not the original MNIST: another md5 for "
            f'{", ".join(strangers)}. The results are labelled "{OTHER_NAME}".'
        )
    training, test = parts
    return Dataset(OTHER_NAME if strangers else NAME, *training, *test, is_papers=not strangers)


def _variant(raw: Path, name: str) -> Path | None:
    """The file of that name, plain or compressed; the plain one wins, as in torchvision."""
    files = (raw / name, raw / f"{name}.gz")
    return next((file for file in files if os.path.isfile(file)), None)


def _read_idx(
    raw: Path, name: str, item_shape: tuple[int, ...], strangers: list[str]
) -> tuple[Path, Tensor]:
    """An idx file and its values, (N, *item_shape) uint8; by its md5 it may join the strangers.

    The format: 0, 0, type (8: unsigned byte), number of dimensions; each dimension as a big-endian
    32-bit integer; the values.
    """
    file = _variant(raw, name)
    if file is None:
        missing = "the file, or the same with .gz, is missing beside the others"
        raise _damaged(raw / name, missing)
    try:
        content = file.read_bytes()
        if file.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(file, f"it can't be read ({error})") from error

    header = struct.Struct(f">{2 + len(item_shape)}I")
    if len(content) < header.size:
        raise _damaged(file, f"{len(content)} bytes, less than the header's {header.size}")
    magic, count, *shape = header.unpack_from(content)
    expected_magic = 0x0800 + 1 + len(item_shape)
    if magic != expected_magic:
        raise _damaged(file, f"it must start with magic number {expected_magic}, not {magic}")
    if tuple(shape) != item_shape:
        raise _damaged(file, f"its images must be 28x28, not {'x'.join(map(str, shape))}")
    if count == 0:
        raise _damaged(file, "it holds no patterns")
    length = header.size + count * math.prod(item_shape)
    if len(content) != length:
        raise _damaged(file, f"its header promises {length} bytes in all, it has {len(content)}")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != ORIGINALS[name]:
        strangers.append(file.name)
    values = torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header.size)
    return file, values.view(count, *item_shape)


def _damaged(file: Path, what: str) -> DatasetError:
    return DatasetError(
        f"{file} is damaged or incomplete: {what}. Replace it with an intact copy, or delete "
        "MNIST's four files there and use --data mnist, which downloads what it does not find."
    )


def _download(folder: Path) -> Path:
    """Have torchvision fetch MNIST from its mirrors and check it; return the raw folder."""
    from torchvision.datasets import MNIST  # slow, seldom needed

    folder.mkdir(parents=True, exist_ok=True)
    raw = folder / "MNIST" / "raw"
    # No endless wait behind a firewall (torchvision sets no timeout), and no progress bars.
    timeout, nowhere = socket.getdefaulttimeout(), io.StringIO()
    socket.setdefaulttimeout(STALLED)
    try:
        # Into a scratch folder first: what is cut off must not be found by the next run.
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                MNIST(scratch, download=True)
            raw.mkdir(parents=True, exist_ok=True)
            for name in ORIGINALS:
                os.replace(Path(scratch, "MNIST", "raw", name), raw / name)
    finally:
        socket.setdefaulttimeout(timeout)
    return raw
