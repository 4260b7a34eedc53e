"""The one way in: `load_dataset`."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from os.path import expanduser
from pathlib import Path

from lenet1998.data import digits, mnist, qmnist
from lenet1998.data.dataset import Dataset, DatasetError
from lenet1998.errors import visible

__all__ = ["Source", "load_dataset"]

_FALLBACK = f"""\
{"=" * 78}
WARNING: this run does NOT use MNIST
  {{error}}
  It goes on with the 1,797 UCI digits that come with scikit-learn. Its error rates
  are not to be set against the paper's; all are labelled "{digits.NAME}".
{"=" * 78}"""


def _print_to_stderr(message: str) -> None:
    print(visible(message), file=sys.stderr)


def load_dataset(
    source: str | Path = "auto", *, announce: Callable[[str], None] = _print_to_stderr
) -> Dataset:
    """Load digits, as (N, 1, 32, 32) float32 images in [-0.1, 1.175] and (N,) int64 labels.

    Args:
        source: "mnist" looks for MNIST in the folder that the variable LENET1998_DATA names, in
            ./data and in the user's cache folder, and downloads it into the last if none has it;
            "auto" does the same and, where that fails, warns and takes the embedded digits;
            "digits" is the embedded digits (`load_digits_dataset`);
            "qmnist", "qmnist-test10k" and "qmnist-test50k" look for QMNIST, and download it,
            likewise: MNIST made anew, with 60,000 test digits, the 10,000 of MNIST or the 50,000
            that it left out (`data.qmnist`);
            anything else is a folder with MNIST's files, in torchvision's layout or directly
            (a folder named like one of these words: "./mnist", or a `Path`).
        announce: called with each message that the user should see.

    Raises:
        DatasetError: the set is not there or can't be fetched, or a file is missing or damaged.
            "auto" raises too when it finds a damaged MNIST: that is no reason to use other data.
    """
    if source == "digits":
        return digits.load_digits_dataset()
    if source in qmnist.TEST_PARTS:
        raw = mnist.find_or_download(announce, mnist.QMNIST)
        return qmnist.read_qmnist(raw, str(source))
    if source not in ("auto", "mnist"):
        return mnist.read_mnist(_named_folder(Path(expanduser(source))), announce)
    try:
        raw = mnist.find_or_download(announce)
    except mnist.MnistUnavailable as error:
        if source == "mnist":
            raise
        announce(_FALLBACK.format(error=error))
        return digits.load_digits_dataset()
    return mnist.read_mnist(raw, announce)


@dataclass(frozen=True)
class Source:
    """A data set to be loaded, or a part of it: small to send to another process."""

    place: str = "auto"  # as `load_dataset` takes it
    first: tuple[int, int] | None = None  # so many training and test patterns only
    validation: int | None = None  # so many training patterns held out

    def load(self) -> Dataset:
        """Load it; errors as `load_dataset`, `Dataset.first` and `.with_validation_split`."""
        dataset = load_dataset(self.place)
        if self.first is not None:
            dataset = dataset.first(*self.first)
        if self.validation is not None:
            dataset = dataset.with_validation_split(self.validation)
        return dataset

    def settled(self, dataset: Dataset) -> "Source":
        """The same for other computers, as it was settled here when `dataset` was loaded.

        None of them may decide on other digits, or look in another folder.
        """
        place = self.place
        if place == "auto":
            place = "digits" if dataset.name.startswith(digits.NAME) else "mnist"
        elif place not in ("digits", "mnist", *qmnist.TEST_PARTS):
            place = str(Path(expanduser(place)).resolve())
        return replace(self, place=place)


def _named_folder(folder: Path) -> Path:
    if raw := mnist.raw_folder(folder):
        return raw
    what = "does not hold MNIST" if folder.is_dir() else "is not a folder"
    raise DatasetError(
        f'{folder} {what}: expected "mnist", "digits", "auto", "qmnist" or a folder that holds '
        "MNIST/raw/train-images-idx3-ubyte and the three other files of MNIST (plain or .gz)."
    )
