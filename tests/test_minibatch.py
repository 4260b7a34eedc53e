"""Learning in mini-batches: against a loop written out, and its promises."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lenet1998.data import Dataset, Distortions, load_digits_dataset
from lenet1998.evaluation import evaluate
from lenet1998.learning.minibatch import (
    EpochRecord,
    MinibatchRecipe,
    as_published,
    build,
    train,
)
from lenet1998.models.modern import LeNet5Modern
from lenet1998.models.tutorials import OneConvolutionNet, ResizedInputNet

NO_DISTORTION = Distortions(inverse_scale=(1, 1), log_squeeze=0, shear=0, translation=0)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_digits_dataset()


@pytest.fixture
def few(digits: Dataset) -> Dataset:
    """45 patterns: two batches of 20 and one of 5."""
    return replace(
        digits,
        training_images=digits.training_images[:45].clone(),
        training_labels=digits.training_labels[:45],
        test_images=digits.test_images[:30],
        test_labels=digits.test_labels[:30],
    )


class Linear(nn.Module):
    """A linear classifier that keeps what it is shown in training."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1024, 10)
        self.shown: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.shown.append(images.detach().clone())
        return self.layer(images.flatten(1))


def learnt(net: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def constant(step: int, steps: int) -> float:
    return 1.0


def cosine(step: int, steps: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def one_cycle(step: int, steps: int) -> float:
    # PyTorch's: from 1/25 up over 30 % of the steps, then down to 1e-4 of that, along half cosines.
    peak = 0.3 * steps - 1
    if step <= peak:
        start, end, share = 1 / 25, 1.0, step / peak
    else:
        start, end, share = 1.0, 1e-4 / 25, (step - peak) / (steps - 1 - peak)
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))


class TextbookAdam:
    def __init__(self) -> None:
        self.steps, self.mean, self.square = 0, 0.0, 0.0

    def update(self, gradient: Tensor) -> Tensor:
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient**2
        mean = self.mean / (1 - 0.9**self.steps)
        square = self.square / (1 - 0.999**self.steps)
        return mean / (square.sqrt() + 1e-8)


class TextbookMomentum:
    def __init__(self) -> None:
        self.velocity = 0.0

    def update(self, gradient: Tensor) -> Tensor:
        self.velocity = 0.9 * self.velocity + gradient
        return self.velocity


@pytest.mark.parametrize(
    ("recipe", "factor"),
    [
        (MinibatchRecipe(), constant),
        (MinibatchRecipe(schedule="cosine", rate=0.01), cosine),
        (MinibatchRecipe(schedule="one-cycle", weight_decay=0.5, label_smoothing=0.2), one_cycle),
        (MinibatchRecipe(optimiser="sgd", rate=0.02, schedule="one-cycle"), one_cycle),
    ],
    ids=["adam", "cosine", "one-cycle, decay, smoothing", "sgd"],
)
def test_the_same_as_a_loop_written_out(
    few: Dataset, recipe: MinibatchRecipe, factor: Callable[[int, int], float]
) -> None:
    recipe = replace(recipe, batch_size=20, epochs=4)
    net = build(LeNet5Modern, 1).double()
    mine = copy.deepcopy(net)
    records = train(net, few, recipe, seed=7)

    rule = TextbookAdam if recipe.optimiser == "adam" else TextbookMomentum
    rules = {name: rule() for name, _ in mine.named_parameters()}
    images, labels = few.training_images.double(), few.training_labels
    generator = torch.Generator().manual_seed(7)
    step = 0
    for record in records:
        order = torch.randperm(45, generator=generator)
        total, errors = 0.0, 0
        for batch in (order[:20], order[20:40], order[40:]):
            logits = mine(images[batch])
            log_p = logits.log_softmax(1)
            smoothing = recipe.label_smoothing
            target = (1 - smoothing) * F.one_hot(labels[batch], 10) + smoothing / 10
            loss = -(target * log_p).sum(1).mean()
            gradients = torch.autograd.grad(loss, list(mine.parameters()))
            rate = recipe.rate * factor(step, 12)
            with torch.no_grad():
                for (name, parameter), gradient in zip(
                    mine.named_parameters(), gradients, strict=True
                ):
                    parameter.mul_(1 - rate * recipe.weight_decay)
                    parameter.sub_(rate * rules[name].update(gradient))
            step += 1
            total += loss.item() * len(batch)
            errors += int((logits.argmax(1) != labels[batch]).sum())
        assert record.online_loss == pytest.approx(total / 45)
        assert record.online_training_error_percent == pytest.approx(100 * errors / 45)
    torch.testing.assert_close(learnt(net), learnt(mine), atol=1e-9, rtol=1e-6)
    tested = evaluate(mine, few.test_images, few.test_labels, "")
    assert records[-1].test_error_percent == tested.error_percent


def test_it_learns_digits(digits: Dataset) -> None:
    net = build(LeNet5Modern, 0)
    records = train(
        net, digits, MinibatchRecipe(rate=0.003, epochs=6, schedule="one-cycle"), seed=0
    )
    assert records[0].online_loss > 5 * records[-1].online_loss
    assert records[-1].online_training_error_percent < 5
    assert records[-1].test_error_percent < 8


@pytest.mark.parametrize("network", [LeNet5Modern, ResizedInputNet])
def test_same_seed_same_bits(few: Dataset, network: type[nn.Module]) -> None:
    recipe = MinibatchRecipe(epochs=2, batch_size=20, distortions=Distortions(), flips=True)

    def run(start: int, seed: int) -> tuple[Tensor, list[float]]:
        net = build(network, start)
        records = train(net, few, recipe, seed=seed)
        return learnt(net), [record.online_loss for record in records]

    parameters, losses = run(3, 4)
    again, losses_again = run(3, 4)
    assert torch.equal(parameters, again) and losses == losses_again
    assert not torch.equal(parameters, run(3, 5)[0])
    assert not torch.equal(parameters, run(2, 4)[0])


def test_the_global_generator_is_left_alone(few: Dataset) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    recipe = MinibatchRecipe(epochs=1, distortions=Distortions(), flips=True)
    train(build(LeNet5Modern, 0), few, recipe, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_each_epoch_shows_every_pattern_once_in_a_new_order(few: Dataset) -> None:
    net = Linear()
    train(net, few, MinibatchRecipe(epochs=2, batch_size=20), seed=0)
    assert [len(batch) for batch in net.shown] == [20, 20, 5] * 2
    first, second = torch.cat(net.shown[:3]), torch.cat(net.shown[3:])
    assert not torch.equal(first, second)

    def as_set(images: Tensor) -> set[bytes]:
        return {image.numpy().tobytes() for image in images}

    assert as_set(first) == as_set(second) == as_set(few.training_images)


def matches(shown: Tensor, dataset: Dataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Each image shown, with the distance of every training pattern and of its mirror image."""
    for image in shown:
        plain = (dataset.training_images - image).abs().amax((1, 2, 3))
        mirrored = (dataset.training_images.flip(3) - image).abs().amax((1, 2, 3))
        yield plain, mirrored


def test_flips_mirror_about_half_of_the_patterns(few: Dataset) -> None:
    net = Linear()
    untouched = few.training_images.clone()
    train(net, few, MinibatchRecipe(epochs=4, batch_size=20, flips=True), seed=0)
    kinds = [
        (plain.min() == 0, mirrored.min() == 0)
        for plain, mirrored in matches(torch.cat(net.shown), few)
    ]
    assert all(plain or mirrored for plain, mirrored in kinds)
    share = sum(bool(mirrored and not plain) for plain, mirrored in kinds) / len(kinds)
    assert 0.35 < share < 0.65  # 180 draws: 0.5 +- 0.04
    assert torch.equal(few.training_images, untouched)


def test_each_pattern_is_distorted_anew_with_the_recipes_ranges(few: Dataset) -> None:
    net = Linear()
    untouched = few.training_images.clone()
    shift_only = replace(NO_DISTORTION, translation=2.0)
    train(net, few, MinibatchRecipe(epochs=2, batch_size=20, distortions=shift_only), seed=0)
    shown = torch.cat(net.shown)
    assert len({image.numpy().tobytes() for image in shown}) == 90
    # A shift by up to two pixels keeps the ink, for a digit ends four pixels from the border.
    ink = (few.training_images + 0.1).sum((1, 2, 3))
    expected = torch.cat([ink, ink]).sort().values
    torch.testing.assert_close(
        (shown + 0.1).sum((1, 2, 3)).sort().values, expected, rtol=1e-3, atol=0
    )
    assert torch.equal(few.training_images, untouched)


def test_labels_follow_their_distorted_patterns(few: Dataset) -> None:
    recipe = MinibatchRecipe(epochs=1, batch_size=20)
    plain, distorted = (build(LeNet5Modern, 0) for _ in range(2))
    train(plain, few, recipe, seed=2)
    train(distorted, few, replace(recipe, distortions=NO_DISTORTION), seed=2)
    torch.testing.assert_close(learnt(distorted), learnt(plain))


def test_epochs_are_reported_with_the_network_in_evaluation_mode(few: Dataset) -> None:
    net = build(OneConvolutionNet, 0)
    seen: list[EpochRecord] = []
    means = [net.layers[1].running_mean.clone()]

    def on_epoch(record: EpochRecord) -> None:
        assert not net.training
        answers = net.predict(few.test_images)
        wrong = (answers != few.test_labels).double().mean().item()
        assert record.test_error_percent == pytest.approx(100 * wrong)
        assert record.learning_seconds > 0
        means.append(net.layers[1].running_mean.clone())
        seen.append(record)

    records = train(net, few, MinibatchRecipe(epochs=3), seed=0, on_epoch=on_epoch)
    assert records == seen
    assert [record.number for record in records] == [1, 2, 3]
    assert not net.training
    # Batch normalisation took its statistics in every epoch, so training mode came back each time.
    assert all(not torch.equal(a, b) for a, b in pairwise(means))


def test_build_takes_the_starting_parameters_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build(LeNet5Modern, 0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(learnt(build(LeNet5Modern, 0)), learnt(first))
    assert not torch.equal(learnt(build(LeNet5Modern, 1)), learnt(first))


def test_a_tutorials_recipe() -> None:
    assert as_published(ResizedInputNet.PUBLISHED) == MinibatchRecipe(
        optimiser="adam", rate=0.001, schedule="constant", batch_size=64, epochs=5, flips=True
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimiser": "adamw"}, "expected optimiser 'adam' or 'sgd', got 'adamw'"),
        ({"schedule": "step"}, "expected schedule 'constant' or 'cosine' or 'one-cycle'"),
        ({"rate": 0.0}, "expected rate > 0, got 0.0"),
        ({"rate": float("nan")}, "expected rate > 0, got nan"),
        ({"batch_size": 0}, "expected batch_size > 0"),
        ({"epochs": -1}, "expected epochs > 0"),
        ({"weight_decay": -0.1}, "expected weight_decay >= 0"),
        ({"label_smoothing": 1.0}, "expected label_smoothing from 0 to below 1"),
    ],
)
def test_a_recipe_refuses_what_it_cannot_do(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MinibatchRecipe(**changes)
