"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from lenet1998.data import Dataset, load_dataset
from lenet1998.data.mnist import raw_folder

# The first example of a test may pay for PyTorch's lazy imports: no limit on one example's time.
settings.register_profile("lenet1998", deadline=None)
settings.load_profile("lenet1998")

# Single patterns and small batches: a second thread costs more than it does.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    """The original MNIST, from $LENET1998_DATA or ../shared/mnist; the network is never asked."""
    repository = Path(__file__).resolve().parents[1]
    named = os.environ.get("LENET1998_DATA")
    folders = [Path(named).expanduser()] if named else []
    for folder in [*folders, repository.parent / "shared" / "mnist"]:
        if raw_folder(folder):
            dataset = load_dataset(folder)
            if not dataset.is_comparable:
                pytest.skip(f"{folder} is not the original MNIST")
            return dataset
    pytest.skip("needs MNIST: set LENET1998_DATA to a folder with MNIST/raw/*-ubyte")


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the numbers recorded from the authors' later software, as .npz files."""
    repository = Path(__file__).resolve().parents[1]
    named = os.environ.get("LENET1998_REFERENCE")
    folders = [Path(named).expanduser()] if named else []
    for folder in [*folders, repository.parent / "shared" / "reference"]:
        if (folder / "lush_static.npz").is_file() and (folder / "lush_trajectory.npz").is_file():
            return folder
    pytest.skip("needs the recording: set LENET1998_REFERENCE to a folder with lush_*.npz")


@pytest.fixture(autouse=True)
def seed() -> None:
    """The same random numbers in each test, whatever ran before it."""
    torch.manual_seed(0)
