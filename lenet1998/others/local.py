"""Local learning: a linear classifier for each image, of what is near it (section III.C.12).

Bottou and Vapnik, "Local learning algorithms" (Neural Computation 4, 1992).
"""

from __future__ import annotations

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from lenet1998.others._base import Floats, Places, Scored, targets

__all__ = ["LocalLinearClassifier"]


class LocalLinearClassifier(Scored):
    """Weighted sums learned by least squares from the nearest patterns of each pattern anew.

    For the states of a network's last hidden layer. The sums start from the mean over the nearest:
    what is learned is how the answer departs from it. Multiply-adds: one for each number kept, to
    find the nearest; for k of them and p numbers each, kp² for the products, p³/3 to solve for the
    weights. Variables: the patterns and their classes.

    By the 120 states of C5 of a LeNet-5 that learned 50,000 training digits of MNIST in 4 passes,
    which misread 112 of 5,000 others (every second), so many were misread, by neighbours and ridge:

        100, 0.3: 83    100, 3: 89    200, 3: 88    200, 30: 109    400, 30: 116

    Args:
        n_neighbors: that the sums are learned from; all, if those are fewer.
        ridge: what the square of a weight costs, as a share of the mean square of a number.
    """

    def __init__(self, n_neighbors: int = 100, ridge: float = 0.3) -> None:
        self.n_neighbors = n_neighbors
        self.ridge = ridge

    def _fit(self, pixels: Floats, answers: Places) -> None:
        count = min(self.n_neighbors, len(pixels))
        self.near_ = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(pixels)
        self.patterns_ = torch.from_numpy(pixels)
        self.wanted_ = torch.from_numpy(targets(answers, len(self.classes_)))

    def _scores(self, pixels: Floats) -> Floats:
        nearest = torch.from_numpy(self.near_.kneighbors(pixels, return_distance=False))
        parts = zip(torch.from_numpy(pixels).split(100), nearest.split(100), strict=True)
        scores: Floats = torch.cat([self._local(*part) for part in parts]).numpy()
        return scores

    def _local(self, images: Tensor, nearest: Tensor) -> Tensor:
        near, wanted = self.patterns_[nearest].double(), self.wanted_[nearest]
        middle, level = near.mean(1, keepdim=True), wanted.mean(1, keepdim=True)
        near = near - middle
        products = near.mT @ near / near.shape[1]
        scale = products.diagonal(dim1=1, dim2=2).mean(1)
        stiff = (self.ridge * scale).clamp(min=1e-12)[:, None, None]
        products += stiff * torch.eye(near.shape[2], dtype=near.dtype)
        weights = torch.linalg.solve(products, near.mT @ (wanted - level) / near.shape[1])
        scores: Tensor = (images.double()[:, None] - middle) @ weights + level
        return scores[:, 0]

    @property
    def multiply_adds_(self) -> int:
        width = self.n_features_in_
        solving = self.near_.n_neighbors * width**2 + width**3 // 3
        return int(self.patterns_.numel() + solving)

    @property
    def variables_(self) -> int:
        return int(self.patterns_.numel() + len(self.patterns_))
