"""Who wrote MNIST's digits (section III.A): Census employees, SD-3, and high-school students, SD-1.

Yadav and Bottou found NIST's writer of each of the 70,000 digits ("Cold Case: The Lost MNIST
Digits", 2019); `mnist_writers.npz` has them from their labels, under the licence that lies beside
it. 539 people wrote the training digits, 297 others the test digits: 48 employees some 100 each,
249 students some 20.
"""

from importlib import resources

import numpy as np
import torch
from torch import Tensor

__all__ = ["STUDENTS", "by_series", "mnist_writers"]

STUDENTS = range(2100, 2600)
"""NIST's numbers of the students; all of MNIST's and QMNIST's other writers are employees."""


def mnist_writers() -> tuple[Tensor, Tensor]:
    """NIST's number of each digit's writer, of MNIST's training and test part, in their order.

    A number is one person, employee or student; none is in both parts.

    Shape: (60,000,) and (10,000,) int64.
    """
    path = resources.files("lenet1998.data") / "mnist_writers.npz"
    with path.open("rb") as file, np.load(file) as held:
        parts = [held[f"{part}_writer"].astype(np.int64) for part in ("training", "test")]
    training, test = map(torch.from_numpy, parts)
    return training, test


def by_series(writers: Tensor) -> dict[str, Tensor]:
    """Which digits the employees wrote, and which the students, from their writers' numbers.

    Shape: (N,) int64 -> for each of "employees" and "students" (N,) bool.
    """
    students = (writers >= STUDENTS.start) & (writers < STUDENTS.stop)
    return {"employees": ~students, "students": students}
