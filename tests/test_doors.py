"""Labels and orders are checked where they come in: compiled code reads where they point."""

import pytest
import torch
from torch import Tensor

from lenet1998.data import Dataset, load_digits_dataset
from lenet1998.learning import FusedTrainer, Recipe, ReferenceTrainer
from lenet1998.measures.answers import evaluate, misread
from lenet1998.models import LeNet5Classic

DIGITS = load_digits_dataset().first(6, 1)
IMAGES, LABELS = DIGITS.training_images, DIGITS.training_labels

BAD_LABELS = {
    "10, foreign memory": (torch.tensor([0, 1, 2, 3, 4, 10]), "labels run from 0 to 10"),
    "25, another page": (torch.tensor([0, 1, 2, 3, 4, 25]), "labels run from 0 to 25"),
    "-1, counted from the end": (torch.tensor([0, 1, 2, 3, 4, -1]), "labels run from -1 to 4"),
    "fewer than images": (LABELS[:-1], "a label for each of 6 images, got 5"),
    "more than images": (LABELS.repeat(2), "a label for each of 6 images, got 12"),
    "fractions": (LABELS.double(), r"labels of shape \(N,\) and dtype torch.int64, got .*float64"),
    "one of ten": (torch.eye(6).long(), r"labels of shape \(N,\) .* got \(6, 6\)"),
}
bad_labels = pytest.mark.parametrize(
    ("labels", "message"), BAD_LABELS.values(), ids=BAD_LABELS.keys()
)
trainers = pytest.mark.parametrize("kind", [FusedTrainer, ReferenceTrainer])


def _trainer(kind):
    trainer = kind(Recipe().build(), Recipe())
    trainer.set_curvature(trainer.estimate_curvature(IMAGES))
    return trainer


@bad_labels
@trainers
def test_no_trainer_takes_them(kind, labels: Tensor, message: str) -> None:
    trainer = _trainer(kind)
    before = {name: value.clone() for name, value in trainer.net.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        trainer.learn(IMAGES, labels, torch.arange(6), 1e-4)
    after = trainer.net.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("order", [[0, 6], [-1, 0], [10**9]], ids=str)
@trainers
def test_no_trainer_takes_an_order_that_leads_elsewhere(kind, order: list[int]) -> None:
    with pytest.raises(ValueError, match=r"indices of the order run from .*: expected 0 to 5"):
        _trainer(kind).learn(IMAGES, LABELS, torch.tensor(order), 1e-4)


def test_labels_of_any_layout_are_learnt_alike() -> None:
    order = torch.arange(6)
    nets = []
    for labels, indices in (
        (LABELS, order),
        (LABELS.repeat_interleave(2)[::2], order[:, None].T[0]),
    ):
        trainer = _trainer(FusedTrainer)
        trainer.learn(IMAGES, labels, indices, 1e-4)
        nets.append(trainer.net.state_dict())
    assert all(torch.equal(nets[0][name], nets[1][name]) for name in nets[0])


@bad_labels
def test_no_data_set_holds_them(labels: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dataset("mine", IMAGES, labels, IMAGES[:0], LABELS[:0])
    with pytest.raises(ValueError, match=message):
        Dataset("mine", IMAGES[:0], LABELS[:0], IMAGES, labels)


def test_more_classes_have_more_labels() -> None:
    labels = torch.arange(6) + 5
    Dataset("mine", IMAGES, labels, IMAGES[:0], LABELS[:0], classes=11)
    with pytest.raises(ValueError, match="labels run from 6 to 11: expected 0 to 10"):
        Dataset("mine", IMAGES, labels + 1, IMAGES[:0], LABELS[:0], classes=11)


@bad_labels
def test_none_are_counted_against(labels: Tensor, message: str) -> None:
    net = LeNet5Classic()
    with pytest.raises(ValueError, match=message):
        evaluate(net, IMAGES, labels, "mine")
    with pytest.raises(ValueError, match=message):
        misread(net, IMAGES, labels)
