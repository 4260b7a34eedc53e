"""The torchvision transform: the same values as the package's own way in."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_data import write_mnist
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import v2

from lenet1998.data import load_dataset, to_network_input
from lenet1998.data.transforms import transforms
from lenet1998.models import LeNet5Classic


@pytest.fixture
def image() -> Tensor:
    """Every grey level at least three times."""
    return (torch.arange(28 * 28) % 256).to(torch.uint8).view(28, 28)


def test_values_are_those_of_the_network_input(image: Tensor) -> None:
    expected = to_network_input(image[None])[0]
    for given in (image, image[None], image.numpy(), Image.fromarray(image.numpy())):
        found = transforms()(given)
        assert type(found) is Tensor
        assert found.shape == (1, 32, 32) and found.dtype == torch.float32
        assert torch.equal(found, expected)


def test_batches_keep_their_shape(image: Tensor) -> None:
    images = torch.stack([image, image.flip(0), image.flip(1)])
    expected = to_network_input(images)
    assert torch.equal(transforms()(images[:, None]), expected)
    assert transforms()(images[:0, None]).shape == (0, 1, 32, 32)


def test_torchvision_mnist_gives_what_the_package_reads(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    own = load_dataset(tmp_path, announce=lambda _: None)
    theirs = MNIST(tmp_path, train=False, transform=transforms())
    images, labels = next(iter(DataLoader(theirs, batch_size=len(theirs))))
    assert torch.equal(images, own.test_images)
    assert torch.equal(labels, own.test_labels)
    LeNet5Classic().predict(images)


def test_other_transforms_go_before_it_and_labels_pass(image: Tensor) -> None:
    picture = Image.fromarray(image.numpy())
    shifted = v2.Compose([v2.RandomAffine(0, translate=(0.1, 0.1)), transforms()])
    found, label = shifted((picture, torch.tensor(7)))
    assert found.shape == (1, 32, 32) and label == 7
    assert found.min() == torch.tensor(-0.1)
    assert not torch.equal(found, transforms()(picture))


def test_it_can_be_pickled(image: Tensor) -> None:
    copy = pickle.loads(pickle.dumps(transforms()))
    assert torch.equal(copy(image), transforms()(image))


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(torch.zeros(1, 28, 28), id="floats"),
        pytest.param(torch.zeros(1, 32, 32, dtype=torch.uint8), id="size"),
        pytest.param(torch.zeros(3, 28, 28, dtype=torch.uint8), id="colours"),
        pytest.param(Image.new("RGB", (28, 28)), id="colour picture"),
        pytest.param(Image.new("1", (28, 28)), id="black and white picture"),
        pytest.param(np.zeros((28, 28, 3), np.uint8), id="colour array"),
    ],
)
def test_other_images_are_refused(given: object) -> None:
    with pytest.raises(ValueError, match="expected a grey image of 28x28"):
        transforms()(given)


def test_torchvision_is_not_imported_before_it_is_asked_for() -> None:
    script = "import sys, lenet1998.data.transforms; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
