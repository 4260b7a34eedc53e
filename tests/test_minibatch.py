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
from lenet1998.learning import MinibatchRecipe, train
from lenet1998.learning.learner import Part
from lenet1998.learning.minibatch import MinibatchLearner
from lenet1998.measures.answers import evaluate
from lenet1998.models import LeNet5Modern, Network
from lenet1998.models.tutorials import OneConvolutionNet

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


class Linear(Network):
    """A linear classifier that keeps what it is shown in training."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1024, 10)
        self.shown: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.shown.append(images.detach().clone())
        return self.layer(images.flatten(1))


def learn(net: Network, recipe: MinibatchRecipe, dataset: Dataset) -> list[list[Part]]:
    """All passes of the recipe; the parts of each."""
    learner = MinibatchLearner(net, recipe, dataset)
    return [list(learner.learn(number)) for number in range(1, recipe.passes + 1)]


def shown(dataset: Dataset, recipe: MinibatchRecipe) -> list[Tensor]:
    """The batches that a network sees."""
    net = Linear()
    learn(net, replace(recipe, batch_size=20), dataset)
    return net.shown


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
    recipe = replace(recipe, batch_size=20, passes=4, seed=7)
    net = LeNet5Modern().double()
    mine = copy.deepcopy(net)
    passes = learn(net, recipe, few)

    rule = TextbookAdam if recipe.optimiser == "adam" else TextbookMomentum
    rules = {name: rule() for name, _ in mine.named_parameters()}
    images, labels = few.training_images.double(), few.training_labels
    generator = torch.Generator().manual_seed(7)
    step = 0
    for (part,) in passes:
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
        assert (part.patterns, part.errors) == (45, errors)
        assert part.loss == pytest.approx(total)
        assert part.seconds > 0
    torch.testing.assert_close(learnt(net), learnt(mine), atol=1e-9, rtol=1e-6)


def test_it_learns_digits(digits: Dataset) -> None:
    run = train(MinibatchRecipe(rate=0.003, passes=6, schedule="one-cycle"), digits)
    first, last = run.records[0], run.records[-1]
    assert first.online_loss > 5 * last.online_loss
    assert last.online_training_error_percent < 5
    assert last.test_error_percent < 8
    assert first.eta == pytest.approx(0.003 / 25)
    tested = evaluate(run.net, digits.test_images, digits.test_labels, digits.name)
    assert last.test_error_percent == tested.error_percent


@pytest.mark.parametrize("network", ["lenet5-modern", "tutorial-resized-input"])
def test_same_seeds_same_bits(few: Dataset, network: str) -> None:
    def run(start: int, order: int) -> tuple[Tensor, list[float]]:
        recipe = MinibatchRecipe(
            network=network, passes=2, batch_size=20, distortions=Distortions(), flips=True
        )
        net = replace(recipe, seed=start).build()
        passes = learn(net, replace(recipe, seed=order), few)
        return learnt(net), [part.loss for (part,) in passes]

    parameters, losses = run(3, 4)
    again, losses_again = run(3, 4)
    assert torch.equal(parameters, again) and losses == losses_again
    assert not torch.equal(parameters, run(3, 5)[0])
    assert not torch.equal(parameters, run(2, 4)[0])


def test_the_global_generator_is_left_alone(few: Dataset) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train(MinibatchRecipe(passes=1, distortions=Distortions(), flips=True), few)
    assert torch.equal(torch.get_rng_state(), before)


def test_each_pass_shows_every_pattern_once_in_a_new_order(few: Dataset) -> None:
    batches = shown(few, MinibatchRecipe(passes=2))
    assert [len(batch) for batch in batches] == [20, 20, 5] * 2
    first, second = torch.cat(batches[:3]), torch.cat(batches[3:])
    assert not torch.equal(first, second)

    def as_set(images: Tensor) -> set[bytes]:
        return {image.numpy().tobytes() for image in images}

    assert as_set(first) == as_set(second) == as_set(few.training_images)


def test_a_pass_comes_in_parts_of_fifty_batches(digits: Dataset) -> None:
    net = Linear()
    (parts,) = learn(net, MinibatchRecipe(passes=1, batch_size=20), digits)
    assert [part.patterns for part in parts] == [1000, 500]
    assert len(net.shown) == 75


def matches(images: Tensor, dataset: Dataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Each image, with the distance of every training pattern and of its mirror image."""
    for image in images:
        plain = (dataset.training_images - image).abs().amax((1, 2, 3))
        mirrored = (dataset.training_images.flip(3) - image).abs().amax((1, 2, 3))
        yield plain, mirrored


def test_flips_mirror_about_half_of_the_patterns(few: Dataset) -> None:
    untouched = few.training_images.clone()
    seen = torch.cat(shown(few, MinibatchRecipe(passes=4, flips=True)))
    kinds = [(plain.min() == 0, mirrored.min() == 0) for plain, mirrored in matches(seen, few)]
    assert all(plain or mirrored for plain, mirrored in kinds)
    share = sum(bool(mirrored and not plain) for plain, mirrored in kinds) / len(kinds)
    assert 0.35 < share < 0.65  # 180 draws: 0.5 +- 0.04
    assert torch.equal(few.training_images, untouched)


def test_each_pattern_is_distorted_anew_with_the_recipes_ranges(few: Dataset) -> None:
    untouched = few.training_images.clone()
    shift_only = replace(NO_DISTORTION, translation=2.0)
    seen = torch.cat(shown(few, MinibatchRecipe(passes=2, distortions=shift_only)))
    assert len({image.numpy().tobytes() for image in seen}) == 90
    # A shift by up to two pixels keeps the ink, for a digit ends four pixels from the border.
    ink = (few.training_images + 0.1).sum((1, 2, 3))
    expected = torch.cat([ink, ink]).sort().values
    torch.testing.assert_close(
        (seen + 0.1).sum((1, 2, 3)).sort().values, expected, rtol=1e-3, atol=0
    )
    assert torch.equal(few.training_images, untouched)


def test_labels_follow_their_distorted_patterns(few: Dataset) -> None:
    recipe = MinibatchRecipe(passes=1, batch_size=20)
    plain, distorted = recipe.build(), recipe.build()
    learn(plain, recipe, few)
    learn(distorted, replace(recipe, distortions=NO_DISTORTION), few)
    torch.testing.assert_close(learnt(distorted), learnt(plain))


def test_the_network_is_in_training_mode_while_it_learns_alone(few: Dataset) -> None:
    net = OneConvolutionNet().eval()
    learner = MinibatchLearner(net, MinibatchRecipe(passes=3), few)
    means = [net.layers[1].running_mean.clone()]
    for number in (1, 2, 3):
        for _ in learner.learn(number):
            assert net.training
        assert not net.training
        means.append(net.layers[1].running_mean.clone())
    # Batch normalisation took its statistics in every pass, so training mode came back each time.
    assert all(not torch.equal(a, b) for a, b in pairwise(means))
