"""Stochastic against batch learning: the batch's gradient, and what a race is said to show."""

import json
from dataclasses import replace

import msgspec
import pytest
import torch

from lenet1998.data import Dataset, load_dataset
from lenet1998.evidence import batch
from lenet1998.evidence.batch import BATCH, Race, Values
from lenet1998.learning import Recipe, Run, rule
from lenet1998.models.classic import LeNet5Classic


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits").first(120, 20)


def test_the_batchs_gradient_is_the_mean(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_AT_ONCE", 3)
    recipe = Recipe()
    net = recipe.build()
    images, labels = digits.training_images[:7], digits.training_labels[:7]
    gradient = batch._mean_gradient(net, images, labels, recipe)
    singles = []
    rule_of_singles = rule.learn(net, images, labels, torch.arange(7), recipe, singles.append)
    assert len(list(rule_of_singles)) == 7
    for name, ours in gradient.items():
        mean = torch.stack([single[name] for single in singles]).mean(0)
        torch.testing.assert_close(ours, mean, rtol=1e-4, atol=1e-6)


def test_passes_needed() -> None:
    race = Race(10, stochastic=(5.0, 1.0), batch=((90.0, 5.0), (90.0, 80.0, 4.0)))
    assert (race.best, race.needed, race.times, race.in_words()) == (1, 2, 2, "2")
    never = replace(race, stochastic=(3.0,))
    assert (never.needed, never.times, never.in_words()) == (None, 3, "more than 3")


@pytest.mark.parametrize(
    ("errors", "holds"),
    [((90.0, 80.0, 70.0), "yes"), ((90.0, 5.0, 4.0), "in part"), ((4.0, 3.0, 2.0), "no")],
)
def test_speed_is_judged_on_the_larger_set(
    errors: tuple[float, ...], holds: str, digits: Dataset
) -> None:
    batches = (errors,) + (errors[:1],) * (len(batch._RATES) - 1)
    races = [Race(1000, (50.0,), ((1.0,),) * len(batch._RATES)), Race(10_000, (5.0,), batches)]
    section = BATCH.present(Values(tuple(races)), replace(digits, name="MNIST", is_papers=True))
    (claim,) = section.claims
    assert claim.holds == holds and "on 1,000 patterns 1, on 10,000 patterns" in claim.measured


def test_measured_on_a_few_digits(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, passes in (("_RACE", 2), ("_PASSES", 3), ("_STOCHASTIC_PASSES", 2)):
        monkeypatch.setattr(batch, name, passes)
    monkeypatch.setattr(batch, "_RATES", (1e-9, 0.1))
    runs = [Run(LeNet5Classic(), Recipe(), "any", "fused", [])]
    values = BATCH.measure({"paper": runs}, digits)
    assert BATCH.read(json.loads(msgspec.json.encode(values))) == values
    assert [race.patterns for race in values.races] == [2, 20]
    for race in values.races:
        assert sorted(map(len, race.batch)) == [2, 3] and len(race.stochastic) == 2
        assert race.batch[0][0] == race.batch[0][1]  # with so small a rate nothing is learnt
    assert BATCH.present(values, digits).claims == []
