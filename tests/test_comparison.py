"""Figs. 9 to 12: the networks that are new there, how they are boosted, and what is measured."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from networks import randomised

from lenet1998.data import Dataset, Source, load_dataset
from lenet1998.data.field import BACKGROUND
from lenet1998.data.versions import to_16x16
from lenet1998.evidence import facts, fig09, fits
from lenet1998.evidence.classifiers import ROWS, OnStates, network
from lenet1998.evidence.fig09 import FIG09
from lenet1998.evidence.fig11 import FIG11, FIG12
from lenet1998.evidence.fits import Answers, Fit, fit_many
from lenet1998.evidence.lenet4_sizes import Sizes, sizes_that_fit
from lenet1998.layers import Subsampling
from lenet1998.learning import BoostedRecipe, Recipe, boosting
from lenet1998.learning.boosting import BoostedLearner
from lenet1998.learning.presets import from_values, recipe_for
from lenet1998.measures.answers import scores
from lenet1998.measures.counting import count_layers, total
from lenet1998.models.boosted import BoostedLeNet4
from lenet1998.models.lenet1 import LeNet1
from lenet1998.models.lenet4 import LeNet4, neighbours
from lenet1998.models.saved import load
from lenet1998.runs.run import Run, train, trainer_for


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits").first(300, 100)


# The networks


def test_lenet1_has_the_counts_of_1990() -> None:
    *layers, output = count_layers(LeNet1())
    assert (total(layers).trainable, total(layers).connections) == (2_578, 98_442)
    assert [(layer.maps, layer.size) for layer in layers] == [
        (4, (24, 24)), (4, (12, 12)), (12, (8, 8)), (12, (4, 4)), (10, (1, 1)),
    ]  # fmt: skip
    assert output.fixed == 100


def test_lenet1_sees_16x16_within_background(digits: Dataset) -> None:
    seen = LeNet1().prepare(digits.test_images[:5])
    assert seen.shape == (5, 1, 28, 28)
    torch.testing.assert_close(seen[:, :, 6:22, 6:22], to_16x16(digits.test_images[:5]))
    seen[:, :, 6:22, 6:22] = BACKGROUND
    assert (seen == torch.tensor(BACKGROUND)).all()


def test_lenet4_has_the_printed_maps_and_counts() -> None:
    *layers, _ = count_layers(LeNet4())
    assert [layer.maps for layer in layers] == [4, 8, 16, 16, 120, 10]
    of_sizes = Sizes(5, 5, 5, 60, 560)
    assert total(layers).trainable == of_sizes.parameters == 16_998
    assert total(layers).connections == of_sizes.connections == 258_306
    assert of_sizes.off < 0.01


def test_sizes_of_lenet4_are_all_and_near() -> None:
    found = sizes_that_fit()
    assert [of.off for of in found] == sorted(of.off for of in found) and found[-1].off < 0.05
    full = [of for of in found if of.in_c5 == 120 * 16]
    assert [(of.first, of.second, of.third, of.in_c3) for of in full] == [
        (9, 11, 1, 114), (7, 10, 2, 72),
    ]  # fmt: skip
    assert all(of.off > 0.025 for of in full)
    assert {of.first for of in found} - {9, 7} == {5}


def test_neighbours_are_spread_over_the_ring() -> None:
    assert neighbours([2, 3], 4) == [(0, 1), (0, 2, 3)]
    seen = [source for row in LeNet4().c5.table for source in row]
    assert len(seen) == 560 and {seen.count(source) for source in range(16)} == {35}


def test_a_pair_of_maps_reads_the_same_map() -> None:
    layer = Subsampling(8, readers=2)
    with torch.no_grad():
        layer.coefficient.copy_(torch.arange(8.0))
    maps = torch.rand(2, 4, 6, 6)
    expected = 4 * torch.nn.functional.avg_pool2d(maps, 2)
    out = layer(maps)
    torch.testing.assert_close(out[:, 2], 2 * expected[:, 2])
    torch.testing.assert_close(out[:, 6], 6 * expected[:, 2])
    with pytest.raises(ValueError, match="a multiple of the readers, got 7 and 2"):
        Subsampling(7, readers=2)


# Boosting


def boosted() -> BoostedLeNet4:
    net = BoostedLeNet4(penalty_scale=0.22)
    for seed, member in enumerate(net.networks):
        randomised(member, seed)
    return net


def test_scores_of_the_three_are_added(digits: Dataset) -> None:
    net = boosted().eval()
    images = digits.test_images[:20]
    with torch.no_grad():
        expected = torch.stack([member.scores(images) for member in net.networks]).sum(0)
        torch.testing.assert_close(net.scores(images), expected)
    torch.testing.assert_close(scores(net, images), expected)
    torch.testing.assert_close(scores(net, images, fused=False), expected)
    states = [member.top_state(images) for member in net.networks]
    assert torch.equal(torch.stack(states).sum(0).argmax(1), expected.argmax(1))


def learner(net: BoostedLeNet4, digits: Dataset, **changes: Any) -> BoostedLearner:
    recipe = recipe_for("lenet4-boosted")
    assert isinstance(recipe, BoostedRecipe)
    trainer = lambda member, of: trainer_for(member, of, "fused")  # noqa: E731
    return BoostedLearner(net, replace(recipe, **changes), digits, trainer)


def test_the_second_learns_half_of_what_the_first_misreads(digits: Dataset) -> None:
    net = boosted()
    patterns = learner(net, digits)._patterns(1)
    answers = scores(net.networks[0], patterns.training_images).argmax(1)
    wrong = answers != patterns.training_labels
    assert wrong.double().mean() == 0.5 and len(wrong) <= 300
    assert not wrong[150:].any() and wrong[:150].all()


def test_the_third_learns_what_the_two_read_differently(digits: Dataset) -> None:
    net = boosted()
    patterns = learner(net, digits)._patterns(2)
    first, second = (
        scores(member, patterns.training_images).argmax(1) for member in net.networks[:2]
    )
    assert len(first) == 300 and (first != second).all()


def test_networks_without_errors_have_nothing_to_teach(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boosting, "_MOST", 1)
    monkeypatch.setattr(boosting, "scores", lambda net, images: torch.ones(len(images), 10))
    with pytest.raises(ValueError, match="before number 3 err on no distorted pattern"):
        learner(boosted(), digits)._patterns(2)


def test_three_networks_learn_in_turn(digits: Dataset, tmp_path: Path) -> None:
    recipe = recipe_for("lenet4-boosted").lasting(2)
    plain = train(network("lenet4"), digits, passes=2)
    whole = train(recipe, digits, passes=2, folder=tmp_path / "whole")
    first, *others = whole.net.networks
    for name, parameter in plain.net.named_parameters():
        assert torch.equal(parameter, first.get_parameter(name)), name
    assert all(parameter.any() for net in others for parameter in net.parameters())
    # The first pass of all is the two of the first network and one of the second.
    assert [record.eta for record in whole.records] == [5e-4, 5e-4]
    train(recipe, digits, passes=1, folder=tmp_path / "halves")


def test_a_boosted_run_goes_on_with_the_same_bits(digits: Dataset, tmp_path: Path) -> None:
    recipe = replace(recipe_for("lenet4-boosted"), passes=2)
    whole = Run(recipe.build(), recipe, digits.name, "fused", [])
    of_whole = learner(whole.net, digits, passes=2)
    for number in (1, 2):
        parts = list(of_whole.learn(number))
        assert sum(part.patterns for part in parts) <= of_whole.patterns
        if number == 1:
            whole.net.save_pretrained(tmp_path)
    resumed = load(tmp_path)
    assert isinstance(resumed, BoostedLeNet4)
    list(learner(resumed, digits, passes=2).learn(2))
    for name, parameter in whole.net.named_parameters():
        assert torch.equal(parameter, resumed.get_parameter(name)), name


def test_a_boosted_recipe_is_read_back() -> None:
    recipe = replace(recipe_for("lenet4-boosted"), passes=7, seed=3)
    assert from_values(json.loads(recipe.to_json())) == recipe
    with pytest.raises(ValueError, match="network of several that learn one after the other"):
        BoostedRecipe(network="lenet4")
    with pytest.raises(ValueError, match="network that ends in penalties"):
        Recipe(network="lenet4-boosted")
    with pytest.raises(ValueError, match="passes >= 1"):
        BoostedRecipe(passes=0)


# What is measured


def test_every_bar_has_its_row() -> None:
    assert list(ROWS) == [bar.name for bar in facts.all_bars()]
    for name, row in ROWS.items():
        if isinstance(row, Recipe):
            distorted = bool(row.distorted_copies) or "boosted" in row.name
        elif isinstance(row, Fit):
            distorted = bool(row.arguments.get("shifts"))
        else:
            distorted = False
        assert distorted == name.endswith("distorted"), name
        if "deslanted" in name:
            made = row.version if isinstance(row, Fit) else row.network  # type: ignore[union-attr]
            assert "deslanted" in made


def test_a_fit_is_kept_and_not_made_again(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linear = Fit("linear", "linear:LinearClassifier")
    source, told = Source("digits", first=(300, 100)), []
    made = fit_many([linear], source, tmp_path, on_fit=told.append)["linear"]
    assert told == ["linear"] and made.scores.shape == (100, 10)
    assert made.multiply_adds == 7_840 and made.variables == 7_850
    assert (made.scores.argmax(1) == digits.test_labels).double().mean() > 0.6
    again = fit_many([linear], source, tmp_path, on_fit=told.append)["linear"]
    assert told == ["linear"] and torch.equal(again.scores, made.scores)
    other = replace(linear, arguments={"ridge": 0.5})
    assert not torch.equal(fit_many([other], source, tmp_path)["linear"].scores, made.scores)
    monkeypatch.setattr(fits.Fit, "build", lambda self: 1 / 0)
    with pytest.raises(Exception, match="linear: ZeroDivisionError"):
        fit_many([linear], source, tmp_path)


def measured(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    """Of two seeds of networks that have not learnt, and of answers made up."""
    generator = torch.Generator().manual_seed(0)

    def answers(seed: int) -> Answers:
        right = torch.nn.functional.one_hot(digits.test_labels, 10).double()
        noise = torch.randn(right.shape, generator=generator.manual_seed(seed)).double()
        return Answers(right + noise / 2, 40_000 * seed, 50_000)

    runs = {}
    for row in ROWS.values():
        if isinstance(row, Recipe):
            nets = [replace(row, seed=seed).build() for seed in (0, 1)]
            for seed, net in enumerate(nets):
                if isinstance(net, BoostedLeNet4):
                    for member in net.networks:
                        randomised(member, seed)
            runs[row.name] = [Run(net, row, digits.name, "fused", []) for net in nets]
    asked = {fit.name: answers(seed) for seed, fit in enumerate(FIG09.fits)}
    return tuple(experiment.measure(runs, digits, asked) for experiment in (FIG09, FIG11, FIG12))


def test_measured_on_a_few_digits(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    values, multiply_adds, variables = measured(digits, monkeypatch)
    assert FIG09.read(json.loads(msgspec.json.encode(values))) == values
    assert list(values.rows) == list(ROWS)
    assert {name: len(row.errors.values) for name, row in values.rows.items()} == {
        name: 1 if isinstance(row, Fit) else 2 for name, row in ROWS.items()
    }
    assert 1 < values.cascade.cost.mean < 3
    assert set(values.raw_gains) == {n for n, r in ROWS.items() if isinstance(r, OnStates)}
    assert multiply_adds.thousands["LeNet-5"] == 332.8
    assert variables.thousands["LeNet-1"] == 2.6 and variables.thousands["LeNet-5"] == 60.0
    full = multiply_adds.thousands[fig09.BASE]
    assert multiply_adds.thousands[fig09.BOOSTED] == pytest.approx(1.75 * full, abs=0.1)
    mnist = replace(digits, name="MNIST", is_papers=True)
    for experiment, its in ((FIG09, values), (FIG11, multiply_adds), (FIG12, variables)):
        section = experiment.present(its, mnist)
        assert section.plots and section.tables[0].rows
        numbers = {claim.number for claim in section.claims}
        assert numbers == ({24, 26, 27, 28, 29} if experiment is FIG09 else {24})
        assert not experiment.present(its, digits).claims
