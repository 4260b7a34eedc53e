"""LeNet-5's plan in today's terms."""

import torch.nn.functional as F
from torch import Tensor, nn

from lenet1998.data.field import check_images
from lenet1998.models.network import Network

__all__ = ["LeNet5Modern"]


class LeNet5Modern(Network):
    """LeNet-5 as one would write it today: 61,706 trainable parameters, ten logits.

    The maps, kernels and units of 1998, with four things changed: max pooling for the trainable
    subsampling, C3 on all the maps instead of Table I, ReLU for the squash, and a linear output
    layer, to be trained with the cross-entropy, for the penalties.

        input  1 @ 32x32
        C1     6 @ 28x28   5x5 convolution              156 parameters
        S2     6 @ 14x14   2x2 max pooling, ReLU
        C3    16 @ 10x10   5x5 convolution            2,416
        S4    16 @ 5x5     2x2 max pooling, ReLU
        C5   120           full connection           48,120
        F6    84           full connection           10,164
        output 10          full connection              850
    """

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, kernel_size=5)
        self.s2 = nn.MaxPool2d(2)
        self.c3 = nn.Conv2d(6, 16, kernel_size=5)
        self.s4 = nn.MaxPool2d(2)
        # On a 32x32 field C5's 5x5 kernels cover their maps whole: the same sums as a convolution.
        self.c5 = nn.Linear(16 * 5 * 5, 120)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, 10)

    def forward(self, images: Tensor) -> Tensor:
        """`(N, 10)`: logits of the classes; images and errors as for `scores`."""
        check_images(images, self.c1.weight.dtype, self.FIELD)
        # ReLU after the pooling gives what it gives before it, for a quarter of the work.
        x = F.relu(self.s2(self.c1(images)))  # (N, 6, 14, 14)
        x = F.relu(self.s4(self.c3(x)))  # (N, 16, 5, 5)
        x = F.relu(self.c5(x.flatten(1)))
        x = F.relu(self.f6(x))
        logits: Tensor = self.output(x)
        return logits
