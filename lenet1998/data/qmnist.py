"""QMNIST: MNIST made anew from NIST's pages, with the 50,000 test digits that MNIST left out.

Its training digits and its first 10,000 test digits are MNIST's, in the same order, but for a few
grey levels (Yadav and Bottou: "Cold Case: The Lost MNIST Digits", 2019). They give LeNet-5 without
the last layer, trained on MNIST, 0.82 % on MNIST's test digits and 1.08 % on the 50,000. Since the
digits are not the paper's, no error on them is comparable with those that it prints.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from lenet1998.data.dataset import Dataset
from lenet1998.data.field import IMAGE
from lenet1998.data.mnist import check_belonging, damaged, read_idx
from lenet1998.data.normalisation import to_network_input

__all__ = ["TEST_PARTS", "read_qmnist"]

_OF_MNIST = 10_000  # of the test digits, the first
_COLUMNS = 8  # of labels: the class is 0, NIST's series 1, the writer 2

TEST_PARTS = {
    "qmnist": "QMNIST",
    "qmnist-test10k": "QMNIST, MNIST's test digits only",
    "qmnist-test50k": "QMNIST, without MNIST's test digits",
}
"""The test parts, as `load_dataset` takes them, and the names of the data sets."""


def read_qmnist(raw: Path, part: str = "qmnist") -> Dataset:
    """Read and check the four files of a raw folder; of the test digits a part of `TEST_PARTS`.

    The md5 of a file is checked by torchvision when it is downloaded, and not again.

    Raises:
        DatasetError: a file is missing or damaged, or the files do not belong together.
    """
    which = {"qmnist-test10k": slice(_OF_MNIST), "qmnist-test50k": slice(_OF_MNIST, None)}
    training, writers = _read(raw, "train", slice(None))
    test, test_writers = _read(raw, "test", which.get(part, slice(None)))
    name = TEST_PARTS[part]
    return Dataset(name, *training, *test, training_writers=writers, test_writers=test_writers)


def _read(raw: Path, part: str, which: slice) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Images and labels, and the writers."""
    _, images = read_idx(raw, f"qmnist-{part}-images-idx3-ubyte", (IMAGE, IMAGE))
    file, table = read_idx(raw, f"qmnist-{part}-labels-idx2-int", (_COLUMNS,))
    check_belonging(file, table[:, 0], images)
    if which != slice(None) and len(images) <= _OF_MNIST:
        raise damaged(file, f"it holds no more than {len(images)} digits")
    labels, writers = table[which, 0].contiguous(), table[which, 2].contiguous()
    return (to_network_input(images[which]), labels), writers
