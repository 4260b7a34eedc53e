"""Fully connected networks: what they hold, both trainers of them, and what is measured of them."""

import json
from dataclasses import replace

import msgspec
import pytest
import torch
from networks import randomised

from lenet1998 import catalogue
from lenet1998.data import Dataset, load_dataset
from lenet1998.evidence import fully_connected
from lenet1998.evidence.fully_connected import FULLY_CONNECTED, Course, Values
from lenet1998.learning import FusedTrainer, Recipe, ReferenceTrainer, Run, preset
from lenet1998.losses import mle_loss
from lenet1998.measures.counting import count_layers, total
from lenet1998.measures.spread import Spread
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.fully_connected import FullyConnected
from lenet1998.runs.run import PassRecord


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits").first(60, 20)


class Few(FullyConnected):
    HIDDEN = (30, 20)


@pytest.mark.parametrize(
    ("hidden", "in_fig12"),
    [("300", 238.51), ("1000", 795), ("300-100", 267), ("500-150", 469), ("300-deslanted", 123)],
)
def test_each_connection_has_its_own_weight(hidden: str, in_fig12: float) -> None:
    *layers, output = count_layers(catalogue.find(f"fully-connected-{hidden}").build())
    units = [int(number) for number in hidden.split("-") if number.isdigit()]
    assert [layer.maps for layer in layers] == [*units, 10]
    assert total(layers).trainable == total(layers).connections
    assert total(layers).trainable == pytest.approx(1000 * in_fig12, abs=500)
    assert (output.trainable, output.fixed) == (0, 100)


def test_hidden_layers_are_any_number() -> None:
    net = Few()
    assert net.TRAINED_LAYERS == ("f1", "f2", "f3")
    assert net(torch.zeros(2, 1, 32, 32)).shape == (2, 10)


def test_the_border_of_the_field_is_not_seen() -> None:
    net, image = Few(), torch.zeros(1, 1, 32, 32)
    seen = net(image)
    image[:, :, :2] = image[:, :, :, -2:] = 1
    assert torch.equal(net(image), seen)
    image[:, :, 2, 2] = 1
    assert not torch.equal(net(image), seen)


def test_eq8_is_the_squared_error_of_ten_units(digits: Dataset) -> None:
    net = randomised(Few())
    images, labels = digits.test_images, digits.test_labels
    targets = torch.full((len(labels), 10), -1.0)
    targets[torch.arange(len(labels)), labels] = 1
    expected = (net.top_state(images) - targets).square().sum(1).mean()
    torch.testing.assert_close(mle_loss(net(images), labels), expected)


def test_fused_equals_the_reference(digits: Dataset) -> None:
    recipe = preset("fully-connected")
    images, labels = digits.training_images, digits.training_labels
    after = []
    for trainer_class in (ReferenceTrainer, FusedTrainer):
        trainer = trainer_class(recipe.build(), recipe)
        trainer.set_curvature(trainer.estimate_curvature(images))
        trainer.learn(images, labels, torch.arange(40), eta=1e-3)
        after.append(dict(trainer.net.named_parameters()))
    start = dict(recipe.build().named_parameters())
    for name in start:
        reference, fused = (parameters[name] - start[name] for parameters in after)
        assert reference.norm() > 0
        assert (reference - fused).norm() < 1e-3 * reference.norm(), name


# What is measured


def course(norms: list[list[float]], gap: float, parameters: int = 10**6) -> Course:
    of_seeds = tuple(map(tuple, norms))
    training = [1.0 + seed / 10 for seed in range(len(norms))]
    test = Spread.of(error + gap + seed / 100 for seed, error in enumerate(training))
    return Course(parameters, {"f1": of_seeds, "f2": of_seeds}, Spread.of(training), test)


def judged(norms: list[list[float]], gap: float, digits: Dataset) -> dict[int, str]:
    lenet5 = course([[1.0, 2.0]] * len(norms), 0.5, 60_000)
    lenet5 = replace(
        lenet5, test_percent=Spread.of(v + 0.5 for v in lenet5.training_percent.values)
    )
    wide = course(norms, gap)
    names = ("fully-connected-300", "fully-connected-1000")
    values = Values({"lenet5-classic": lenet5, **dict.fromkeys(names, wide)})
    mnist = replace(digits, name="MNIST", is_papers=True)
    section = FULLY_CONNECTED.present(values, mnist)
    return {claim.number: claim.holds for claim in section.claims}


def test_weights_that_shrink_and_grow(digits: Dataset) -> None:
    both = [[10.0, 9.0, 12.0], [10.0, 9.5, 9.6]]
    assert judged(both, 2.0, digits) == {3: "not contradicted", 25: "yes, of the weights"}
    only_grow = [[10.0, 11.0, 12.0], [10.0, 9.0, 12.0]]
    assert judged(only_grow, 0.2, digits) == {3: "no", 25: "no"}
    assert judged([[10.0, 9.0, 8.0]], 2.0, digits) == {3: "not shown", 25: "no"}


def test_measured_on_a_few_digits(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = {"lenet5-classic": 2, "fully-connected-300": 2}
    monkeypatch.setattr(fully_connected, "_SEEDS", seeds)
    record = PassRecord(1, 5e-4, 50.0, 1.0, 50.0)
    runs = [Run(LeNet5Classic(), Recipe(seed=seed), "any", "fused", [record]) for seed in (0, 1)]
    values = FULLY_CONNECTED.measure({"paper": runs}, digits)
    assert FULLY_CONNECTED.read(json.loads(msgspec.json.encode(values))) == values
    wide = values.courses["fully-connected-300"]
    start = preset("fully-connected", seed=1).build().f1.weight.norm().item()
    assert wide.norms["f1"][1][0] == pytest.approx(start, abs=1e-4)
    assert [len(norms) for norms in wide.norms["f2"]] == [2, 2]  # at the start, after the pass
    assert list(values.courses["lenet5-classic"].norms) == ["c1", "c3", "c5", "f6"]
    section = FULLY_CONNECTED.present(values, digits)
    assert section.claims == [] and [plot.name for plot in section.plots] == ["fully-connected"]
