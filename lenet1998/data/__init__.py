"""The digits of section III.A: MNIST, and the small set that stands in where MNIST can't be had."""

from lenet1998.data import disturbances, transforms, writers
from lenet1998.data.dataset import Dataset, DatasetError
from lenet1998.data.digits import load_digits_dataset
from lenet1998.data.distortions import Distortions, distort
from lenet1998.data.loading import Source, load_dataset
from lenet1998.data.normalisation import normalise_digit, to_network_input

__all__ = [
    "Dataset",
    "DatasetError",
    "Distortions",
    "Source",
    "distort",
    "disturbances",
    "load_dataset",
    "load_digits_dataset",
    "normalise_digit",
    "to_network_input",
    "transforms",
    "writers",
]
