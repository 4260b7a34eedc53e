"""What comes in is checked at the door: labels and orders, which compiled code reads where they
point, and the levels of images, which on another scale are misread without a word."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lenet1998.data import Dataset, load_digits_dataset
from lenet1998.data.disturbances import DISTURBANCES
from lenet1998.data.field import check_scale
from lenet1998.evidence import fig13
from lenet1998.evidence.non_digits import patterns
from lenet1998.learning import FusedTrainer, Recipe, ReferenceTrainer
from lenet1998.measures.answers import evaluate, misread, scores
from lenet1998.models import LeNet5Classic, LeNet5Modern
from lenet1998.models.tutorials import AveragePoolingNet

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


@pytest.mark.parametrize("eta", [0.0, -1e-4, float("nan"), float("inf")])
@trainers
def test_no_trainer_takes_another_rate(kind, eta: float) -> None:
    with pytest.raises(ValueError, match=f"expected eta > 0 and finite, got {eta}"):
        _trainer(kind).learn(IMAGES, LABELS, torch.arange(6), eta)


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


@trainers
def test_labels_are_a_tensor(kind) -> None:
    for labels in ([0, 1, 2, 3, 4, 5], LABELS.numpy(), 3):
        with pytest.raises(TypeError, match=r"labels as a tensor, got a (list|ndarray|int): take"):
            Dataset("mine", IMAGES, labels, IMAGES[:0], LABELS[:0])
        with pytest.raises(TypeError, match="labels as a tensor"):
            _trainer(kind).learn(IMAGES, labels, torch.arange(6), 1e-4)


@pytest.mark.parametrize(
    "images",
    [IMAGES.to_sparse(), IMAGES.to(torch.float8_e4m3fn), IMAGES.to("meta")],
    ids=["sparse", "float8", "meta"],
)
def test_images_hold_numbers_that_can_be_looked_at(images: Tensor) -> None:
    with pytest.raises(ValueError, match="expected images that hold float32 or float64, got"):
        Dataset("mine", images, LABELS, IMAGES[:0], LABELS[:0])


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


# Levels

UNIT = (IMAGES + 0.1) / 1.275  # 0..1


def _padded(images: Tensor, level: float) -> Tensor:
    return F.pad(images[:, :, 2:-2, 2:-2], (2, 2, 2, 2), value=level)


OTHER_SCALES = {
    "0..1": UNIT,
    "inverted, 0..1": 1 - UNIT,
    "-1..1": 2 * UNIT - 1,
    "inverted, -1..1": 1 - 2 * UNIT,
    "inverted, -0.1..1.175": 1.075 - IMAGES,
    "-0.4242..2.821": (UNIT - 0.1307) / 0.3081,
}
other_scales = pytest.mark.parametrize(
    ("name", "images"), OTHER_SCALES.items(), ids=OTHER_SCALES.keys()
)


@other_scales
def test_images_of_another_scale_come_in_nowhere(name: str, images: Tensor) -> None:
    words = re.escape(f"the images' levels look like {name}: expected background -0.1")
    none = IMAGES[:0], LABELS[:0]
    ways = (
        *(net.predict for net in (LeNet5Classic(), LeNet5Modern(), AveragePoolingNet())),
        *(lambda x, net=net: scores(net, x) for net in (LeNet5Classic(), LeNet5Modern())),
        lambda x: scores(LeNet5Classic(), x, fused=False),
        lambda x: evaluate(LeNet5Classic(), x, LABELS[: len(x)], "mine"),
        lambda x: Dataset("mine", x, LABELS[: len(x)], *none),
        lambda x: Dataset("mine", *none, x, LABELS[: len(x)]),
        FusedTrainer(Recipe().build(), Recipe()).estimate_curvature,
        ReferenceTrainer(Recipe().build(), Recipe()).estimate_curvature,
    )
    for way in ways:
        way(IMAGES)
        for some in (images, images[2:3]):
            with pytest.raises(ValueError, match=words):
                way(some)
    LeNet5Classic()(images)  # a forward pass looks at no value


@other_scales
def test_the_words_say_how_to_convert(name: str, images: Tensor) -> None:
    with pytest.raises(ValueError) as refused:
        check_scale(images)
    assert "\n" not in str(refused.value)
    found = re.search(r"take (\S+) \* images ([+-]) (\S+),", str(refused.value))
    assert found is not None
    slope, sign, shift = found.groups()
    converted = float(slope) * images + float(sign + shift)
    torch.testing.assert_close(converted, IMAGES, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["0..1", "inverted, 0..1", "-1..1"])
@pytest.mark.parametrize("level", [-0.1, 0.0])
def test_right_padding_hides_no_other_scale(name: str, level: float) -> None:
    with pytest.raises(ValueError, match=f"look like {re.escape(name)}: "):
        check_scale(_padded(OTHER_SCALES[name], level))


def test_levels_of_0_to_255_are_no_others() -> None:
    for images in (255 * UNIT, 255 - 255 * UNIT, (255 * UNIT).to(torch.uint8)):
        with pytest.raises(ValueError, match=r"look like (inverted, )?0\.\.255: "):
            check_scale(images)
        with pytest.raises(ValueError, match=r"0\.\.255"):
            Dataset("mine", images, LABELS, IMAGES[:0], LABELS[:0])


def test_a_data_set_holds_no_nan() -> None:
    with pytest.raises(ValueError, match="NaN"):
        Dataset("mine", IMAGES * torch.nan, LABELS, IMAGES[:0], LABELS[:0])


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_disturbed_digits_come_in(kind: str) -> None:
    images = load_digits_dataset().test_images[:200]
    for strength in fig13.STRENGTHS.get(kind, (6.0,)):
        disturbed = DISTURBANCES[kind].apply(images, strength)
        check_scale(disturbed)
        if (kind, strength) != ("size", 2.0):  # ink all around, in one of a hundred
            for image in disturbed.split(1):
                check_scale(image)


def test_what_has_no_background_comes_in() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((1, 1, 32, 32), (300, 1, 32, 32)):
        for draw in (torch.rand, torch.randn):
            check_scale(draw(shape, generator=generator))
        for level in (-0.1, 0.0, 0.5, 1.175):
            check_scale(torch.full(shape, level))
    for kind in patterns(IMAGES, LABELS).values():
        check_scale(kind)
    check_scale(0.5 * (IMAGES + 0.1) - 0.1)  # faint
    for shape in ((0, 1, 32, 32), (2, 1, 28, 28), (2, 3, 32, 32), (5,)):
        check_scale(torch.zeros(shape))  # another check's
