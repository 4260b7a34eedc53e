"""The embedded set: 1,797 real digits that need no download, for trying things out.

They are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, UCI
Machine Learning Repository, 1998), which scikit-learn carries. They are not MNIST.
"""

import torch

from lenet1998.data.dataset import Dataset
from lenet1998.data.normalisation import normalise_digit, to_network_input

NAME = "UCI digits, not MNIST"


def load_digits_dataset() -> Dataset:
    """UCI's 8x8 digits, normalised as in section III.A: 1,500 to train on and 297 to test on.

    The order and the split are one shuffle with a fixed seed. The same writers appear on both
    sides of it, which makes the test part easier than one from unseen writers.
    """
    from sklearn.datasets import load_digits  # slow to import

    bunch = load_digits()
    images = torch.stack([normalise_digit(image) for image in torch.from_numpy(bunch.images)])
    labels = torch.from_numpy(bunch.target).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1998))
    inputs, labels = to_network_input(images[order]), labels[order]
    return Dataset(NAME, inputs[:1500], labels[:1500], inputs[1500:], labels[1500:])
