"""Four small networks that tutorials call LeNet-5, with what sets each apart from that of 1998.

None has its trainable subsampling, Table I, squashing function, output codes or learning rule.
All take the images that LeNet-5 takes and bring them to their own input first (`prepare`), so that
they can be trained and compared on the same tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from lenet1998.models.checks import BACKGROUND, INK, check_images, check_levels


@dataclass(frozen=True)
class Published:
    """What a tutorial says of its training, by Adam on the cross-entropy, and of the result.

    Attributes:
        epochs: passes over MNIST's training set.
        accuracy_percent: of the test set, a single run; None where no result is given.
        batch_size: patterns per update.
        rate: learning rate.
        flips: whether training images are mirrored left to right at random.
    """

    epochs: int
    accuracy_percent: float | None
    batch_size: int = 64
    rate: float = 0.001
    flips: bool = False


class TutorialNetwork(nn.Module):
    """What the four have in common: their own input, then a chain of layers that gives ten scores.

    Attributes:
        PUBLISHED: the tutorial's recipe and result.
        layers: the network.
    """

    FIELD = 32
    """Side of the images taken, before `prepare`, in pixels."""

    PUBLISHED: ClassVar[Published]

    layers: nn.Sequential

    def prepare(self, images: Tensor) -> Tensor:
        """From `(N, 1, 32, 32)` in [-0.1, 1.175] to the input that the tutorial feeds."""
        return images

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the classes; the largest wins, and their softmax is the classes' probability.

        Args:
            images: `(N, 1, 32, 32)`, of the parameters' dtype, background -0.1 to ink 1.175.

        Returns:
            `(N, 10)`.

        Raises:
            ValueError: for another shape or dtype.
        """
        check_images(images, next(self.parameters()).dtype, self.FIELD)
        scores: Tensor = self.layers(self.prepare(images))
        return scores

    def predict(self, images: Tensor) -> Tensor:
        """The class with the largest score for each image.

        Args:
            images: as for `forward`.

        Returns:
            `(N,)` int64, the digits.

        Raises:
            ValueError: for another shape or dtype, NaN, or levels that are not those of the paper.
        """
        check_levels(images)
        answers: Tensor = self(images).argmax(1)
        return answers


class AveragePoolingNet(TutorialNetwork):
    """LeNet-5's maps and units on the unpadded image, with ReLU: 44,426 parameters.

    Apart from 1998: no padding, so that the last maps are 4x4; pooling without trainable parameters
    or squash; C3 sees all maps; ReLU; ten linear units and the softmax for the codes of Fig. 3.

    The tutorial's learning rate is not known here; Adam's usual 0.001 is taken.
    """

    PUBLISHED = Published(epochs=10, accuracy_percent=98.72)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=5), nn.ReLU(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5), nn.ReLU(), nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(256, 120), nn.ReLU(),
            nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, 10),
        )  # fmt: skip

    def prepare(self, images: Tensor) -> Tensor:
        """The 28x28 image as grey levels 0 to 1: `(N, 1, 28, 28)`."""
        return grey_levels(images)


class OneConvolutionNet(TutorialNetwork):
    """One wide convolution and most of its weights in one full connection: 442,446 parameters.

    Apart from 1998: it has a single convolution, of 32 maps, and no second stage; batch
    normalisation; max pooling; hidden layers of 70 and 30 units; seven times the parameters.
    """

    PUBLISHED = Published(epochs=10, accuracy_percent=98.69)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=5, padding=2), nn.BatchNorm2d(32), nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(6272, 70), nn.Tanh(),
            nn.Linear(70, 30), nn.Tanh(),
            nn.Linear(30, 10),
        )  # fmt: skip

    def prepare(self, images: Tensor) -> Tensor:
        """The 28x28 image as grey levels 0 to 1: `(N, 1, 28, 28)`."""
        return grey_levels(images)


class MaxPoolingNet(TutorialNetwork):
    """LeNet-5's maps and units with max pooling and ReLU: 61,706 parameters.

    Apart from 1998: pooling without trainable parameters or squash; C3 sees all maps; ReLU; ten
    linear units and the softmax for the codes of Fig. 3. It computes what `LeNet5Modern` does.

    The tutorial gives no result and no recipe for digits: that of `AveragePoolingNet` stands in.
    """

    PUBLISHED = Published(epochs=10, accuracy_percent=None)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120), nn.ReLU(),
            nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, 10),
        )  # fmt: skip


class ResizedInputNet(TutorialNetwork):
    """`MaxPoolingNet` on digits enlarged to 32x32: 61,706 parameters.

    Apart from 1998, beside what `MaxPoolingNet` changes: the image is enlarged instead of padded,
    so the border that the padding was to give is lost; the second convolution has no activation of
    its own; half of all training digits are mirrored, though a mirrored digit is none; and the
    output is a log-softmax that the cross-entropy then takes again, which changes nothing, since
    the log-softmax of a log-softmax is itself.

    The tutorial's batch size is not known here; 64 is taken.
    """

    PUBLISHED = Published(epochs=5, accuracy_percent=97.72, flips=True)

    MEAN, DEVIATION = 0.1307, 0.3081
    """Of the grey levels of MNIST's training set, 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5), nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120), nn.ReLU(),
            nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, 10), nn.LogSoftmax(dim=1),
        )  # fmt: skip

    def prepare(self, images: Tensor) -> Tensor:
        """The 28x28 image enlarged (bilinear) to 32x32, mean 0 and variance 1: `(N, 1, 32, 32)`."""
        enlarged = F.interpolate(grey_levels(images), (32, 32), mode="bilinear")
        return (enlarged - self.MEAN) / self.DEVIATION


TUTORIALS: dict[str, type[TutorialNetwork]] = {
    "tutorial-average-pooling": AveragePoolingNet,
    "tutorial-one-convolution": OneConvolutionNet,
    "tutorial-max-pooling": MaxPoolingNet,
    "tutorial-resized-input": ResizedInputNet,
}
"""The four by name."""


def grey_levels(images: Tensor) -> Tensor:
    """MNIST's own image inside LeNet-5's, as torchvision's `ToTensor` gives it.

    Shape: `(N, 1, 32, 32)`, background -0.1 to ink 1.175 -> `(N, 1, 28, 28)`, 0 to 1.
    """
    unpadded = images[:, :, 2:-2, 2:-2]
    return (unpadded - BACKGROUND) / (INK - BACKGROUND)
