"""What every data set of the package looks like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from lenet1998.data.field import check_labels, check_levels, check_scale
from lenet1998.errors import Failure

__all__ = ["Dataset", "DatasetError"]


class DatasetError(Failure):
    """A data set is absent or damaged."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test digits, as the network takes them (section III.A).

    Shapes: images (N, 1, 32, 32) float32 in [-0.1, 1.175]; labels (N,) int64 in 0..classes - 1.

    Attributes:
        name: goes on every table, plot and file of a run: "MNIST" is the original set only.
        is_papers: whether it is the paper's: all of MNIST, perhaps with `held_out` training
            patterns in the place of its test part.
        classes: how many there are; the digits' are 0 to 9.
        training_writers, test_writers: who wrote each digit, (N,) int64, a number for each person
            (`data.writers`); None where that is not known.

    Raises:
        ValueError: for labels or writers of other kinds or numbers, or levels that are not the
            paper's.
    """

    name: str
    training_images: Tensor = field(repr=False)
    training_labels: Tensor = field(repr=False)
    test_images: Tensor = field(repr=False)
    test_labels: Tensor = field(repr=False)
    is_papers: bool = False
    held_out: int = 0
    classes: int = 10
    training_writers: Tensor | None = field(default=None, repr=False)
    test_writers: Tensor | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for images, labels, writers in (
            (self.training_images, self.training_labels, self.training_writers),
            (self.test_images, self.test_labels, self.test_writers),
        ):
            check_labels(labels, images, self.classes)
            check_levels(images)
            check_scale(images)
            if writers is not None and writers.shape != labels.shape:
                got = tuple(writers.shape)
                raise ValueError(f"expected a writer for each of {len(labels)} digits, got {got}")

    @property
    def is_comparable(self) -> bool:
        """Whether errors on its test part may be set against those that the paper prints."""
        return self.is_papers and not self.held_out

    def first(self, training: int, test: int) -> Dataset:
        """The first patterns of both parts; all of a part that holds no more.

        Raises:
            ValueError: if a part would be empty.
        """
        if training < 1 or test < 1:
            raise ValueError(f"expected at least 1 digit of each part, not {training} and {test}")
        training, test = min(training, len(self.training_labels)), min(test, len(self.test_labels))
        if (training, test) == (len(self.training_labels), len(self.test_labels)):
            return self
        return replace(
            self,
            name=f"{self.name}, the first {training:,} training and {test:,} test digits",
            training_images=self.training_images[:training],
            training_labels=self.training_labels[:training],
            test_images=self.test_images[:test],
            test_labels=self.test_labels[:test],
            is_papers=False,
            training_writers=_taken(self.training_writers, slice(training)),
            test_writers=_taken(self.test_writers, slice(test)),
        )

    def with_validation_split(self, count: int, seed: int = 0) -> Dataset:
        """Hold `count` random training patterns out as the test part; the real one is left behind.

        For choices that must not see the test set. The paper has no validation set; this is ours.

        Raises:
            ValueError: if a part would be empty.
        """
        total = len(self.training_labels)
        if not 0 < count < total:
            raise ValueError(f"a validation split takes 1 to {total - 1} patterns, not {count}")
        order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
        training, validation = order[:-count], order[-count:]
        return replace(
            self,
            name=f"{self.name}, validation split of {count} training patterns",
            training_images=self.training_images[training],
            training_labels=self.training_labels[training],
            test_images=self.training_images[validation],
            test_labels=self.training_labels[validation],
            held_out=count,
            training_writers=_taken(self.training_writers, training),
            test_writers=_taken(self.training_writers, validation),
        )


def _taken(writers: Tensor | None, which: slice | Tensor) -> Tensor | None:
    return None if writers is None else writers[which]
