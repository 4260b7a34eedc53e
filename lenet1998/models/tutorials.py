"""Four small networks that tutorials call LeNet-5, with what sets each apart from that of 1998.

None has its trainable subsampling, Table I, squashing function, output codes or learning rule.
All take the images that LeNet-5 takes and bring them to their own input first (`prepare`), so that
they can be trained and compared on the same tensors.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from lenet1998.data.field import BACKGROUND, INK, PADDING, check_images
from lenet1998.models.network import Network

__all__ = [
    "AveragePoolingNet", "MaxPoolingNet", "OneConvolutionNet", "ResizedInputNet", "TutorialNetwork",
]  # fmt: skip


class TutorialNetwork(Network):
    """What the four have in common: an input of their own, then a chain of layers to ten scores."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def prepare(self, images: Tensor) -> Tensor:
        """What the tutorial feeds: most, MNIST's own image as torchvision's `ToTensor` gives it.

        Shape: `(N, 1, 32, 32)`, background -0.1 to ink 1.175 -> `(N, 1, 28, 28)`, 0 to 1.
        """
        unpadded = images[:, :, PADDING:-PADDING, PADDING:-PADDING]
        return (unpadded - BACKGROUND) / (INK - BACKGROUND)

    def forward(self, images: Tensor) -> Tensor:
        """`(N, 10)`: scores of the classes; images and errors as for `Network.scores`."""
        check_images(images, next(self.parameters()).dtype, self.FIELD)
        scores: Tensor = self.layers(self.prepare(images))
        return scores


class AveragePoolingNet(TutorialNetwork):
    """LeNet-5's maps and units on the unpadded image, with ReLU: 44,426 parameters.

    Apart from 1998: no padding, so that the last maps are 4x4; pooling without trainable parameters
    or squash; C3 sees all maps; ReLU; ten linear units and the softmax for the codes of Fig. 3.
    """

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, kernel_size=5), nn.ReLU(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5), nn.ReLU(), nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(256, 120), nn.ReLU(),
            nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, 10),
        )  # fmt: skip


class OneConvolutionNet(TutorialNetwork):
    """One wide convolution and most of its weights in one full connection: 442,446 parameters.

    Apart from 1998: it has a single convolution, of 32 maps, and no second stage; batch
    normalisation; max pooling; hidden layers of 70 and 30 units; seven times the parameters.
    """

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 32, kernel_size=5, padding=2), nn.BatchNorm2d(32), nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(6272, 70), nn.Tanh(),
            nn.Linear(70, 30), nn.Tanh(),
            nn.Linear(30, 10),
        )  # fmt: skip


class MaxPoolingNet(TutorialNetwork):
    """LeNet-5's maps and units with max pooling and ReLU: 61,706 parameters.

    Apart from 1998: pooling without trainable parameters or squash; C3 sees all maps; ReLU; ten
    linear units and the softmax for the codes of Fig. 3. It computes what `LeNet5Modern` does.
    """

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120), nn.ReLU(),
            nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, 10),
        )  # fmt: skip

    def prepare(self, images: Tensor) -> Tensor:
        """LeNet-5's own input."""
        return images


class ResizedInputNet(TutorialNetwork):
    """`MaxPoolingNet` on digits enlarged to 32x32: 61,706 parameters.

    Apart from 1998, beside what `MaxPoolingNet` changes: the image is enlarged instead of padded,
    so the border that the padding was to give is lost; the second convolution has no activation of
    its own; half of all training digits are mirrored, though a mirrored digit is none; and the
    output is a log-softmax that the cross-entropy then takes again, which changes nothing, since
    the log-softmax of a log-softmax is itself.
    """

    MEAN, DEVIATION = 0.1307, 0.3081
    """Of the grey levels of MNIST's training set, 0 to 1."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5), nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120), nn.ReLU(),
            nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, 10), nn.LogSoftmax(dim=1),
        )  # fmt: skip

    def prepare(self, images: Tensor) -> Tensor:
        """The 28x28 image enlarged (bilinear) to 32x32, mean 0 and variance 1: `(N, 1, 32, 32)`."""
        enlarged = F.interpolate(super().prepare(images), (32, 32), mode="bilinear")
        return (enlarged - self.MEAN) / self.DEVIATION
