"""Training runs on the embedded digits: deterministic, resumable, and equal on both engines."""

import csv
import json
from dataclasses import replace

import pytest
import torch

from lenet1998.data import Dataset, Distortions, load_dataset
from lenet1998.learning import Recipe, RunError, preset, train
from lenet1998.learning.training import METRICS, STATE, Run, _Patterns


@pytest.fixture(scope="module")
def digits():
    whole = load_dataset("digits")
    return Dataset(
        whole.name,
        whole.training_images[:200],
        whole.training_labels[:200],
        whole.test_images[:50],
        whole.test_labels[:50],
    )


def same_network(first, second):
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def log(run):
    """A run's log without what the clock says."""
    return [replace(record, seconds=0, learning_seconds=0) for record in run.records]


def test_same_recipe_same_bits_and_another_seed_another_network(digits):
    first, second = (train(Recipe(), digits, passes=2) for _ in range(2))
    other = train(Recipe(seed=1), digits, passes=2)
    assert same_network(first.net, second.net)
    assert log(first) == log(second)
    assert not same_network(first.net, other.net)


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(order="reshuffled", distorted_copies=2)])
def test_resumed_run_ends_at_the_same_bits(digits, tmp_path, recipe):
    straight = train(recipe, digits, passes=4)
    train(recipe, digits, passes=2, folder=tmp_path)
    resumed = train(recipe, digits, passes=4, folder=tmp_path, resume=True)
    assert same_network(straight.net, resumed.net)
    assert log(straight) == log(resumed)
    assert same_network(Run.load(tmp_path).net, straight.net)


def test_a_run_that_is_killed_loses_at_most_one_pass(digits, tmp_path):
    class Killed(BaseException):
        pass

    def kill_in_pass_3(progress):
        if progress.pass_number == 3:
            raise Killed

    with pytest.raises(Killed):
        train(Recipe(), digits, passes=4, folder=tmp_path, on_progress=kill_in_pass_3)
    assert [record.number for record in Run.load(tmp_path).records] in ([1, 2], [1, 2, 3])
    resumed = train(Recipe(), digits, passes=4, folder=tmp_path, resume=True)
    assert same_network(resumed.net, train(Recipe(), digits, passes=4).net)


def test_both_engines_learn_the_same(digits):
    fused = train(Recipe(), digits, passes=2)
    reference = train(Recipe(), digits, passes=2, engine="torch")
    for ours, expected in zip(log(fused), log(reference), strict=True):
        assert ours.online_loss == pytest.approx(expected.online_loss, rel=1e-3)
        assert abs(ours.test_error_percent - expected.test_error_percent) <= 2.0  # one digit
    for ours, expected in zip(fused.net.parameters(), reference.net.parameters(), strict=True):
        assert (ours - expected).norm() < 0.02 * expected.norm() + 1e-3


def test_an_existing_run_is_not_overwritten(digits, tmp_path):
    train(Recipe(), digits, passes=1, folder=tmp_path)
    state = (tmp_path / STATE).read_bytes()
    with pytest.raises(RunError, match=r"--resume"):
        train(Recipe(), digits, passes=1, folder=tmp_path)
    with pytest.raises(RunError, match=r"recipe.*mu"):
        train(Recipe(mu=0.2), digits, passes=2, folder=tmp_path, resume=True)
    with pytest.raises(RunError, match="engine"):
        train(Recipe(), digits, passes=2, folder=tmp_path, resume=True, engine="torch")
    with pytest.raises(RunError, match="data set"):
        other = replace(digits, name="other digits")
        train(Recipe(), other, passes=2, folder=tmp_path, resume=True)
    assert (tmp_path / STATE).read_bytes() == state


def test_a_damaged_state_is_named(digits, tmp_path):
    train(Recipe(), digits, passes=1, folder=tmp_path)
    state = tmp_path / STATE
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(RunError, match=STATE):
        train(Recipe(), digits, passes=2, folder=tmp_path, resume=True)


def test_metrics_say_what_the_records_say(digits, tmp_path):
    run = train(Recipe(), digits, passes=2, folder=tmp_path)
    rows = list(csv.DictReader((tmp_path / METRICS).read_text().splitlines()))
    assert [int(row["pass"]) for row in rows] == [1, 2]
    for row, record in zip(rows, run.records, strict=True):
        for column in ("online_training_error_percent", "test_error_percent", "seconds"):
            assert float(row[column]) == pytest.approx(getattr(record, column), abs=1e-5)
    assert json.loads((tmp_path / "recipe.json").read_text())["name"] == "paper"
    assert not [file.name for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_one_update_per_pattern_in_a_constant_order(digits):
    patterns = _Patterns(Recipe(), digits)
    orders = [patterns.of_pass(number)[2] for number in (1, 2, 7)]
    assert all(torch.equal(order, orders[0]) for order in orders)
    assert torch.equal(orders[0].sort().values, torch.arange(200))
    shuffled = _Patterns(Recipe(order="reshuffled"), digits)
    assert not torch.equal(shuffled.of_pass(1)[2], shuffled.of_pass(2)[2])


def test_distorted_copies_are_each_seen_once_in_their_turn(digits):
    patterns = _Patterns(Recipe(distorted_copies=2), digits)
    passes = [patterns.of_pass(number) for number in (1, 2, 3, 4)]
    seen = torch.cat([images for images, _, _ in passes[:3]])
    labels = torch.cat([labels for _, labels, _ in passes[:3]])
    assert torch.equal(labels.bincount(), 3 * digits.training_labels.bincount())
    originals = {image.numpy().tobytes() for image in digits.training_images}
    as_they_were = [image.numpy().tobytes() in originals for image in seen]
    assert sum(as_they_were) == len(originals)
    assert len({image.numpy().tobytes() for image in seen}) == 600
    assert torch.equal(passes[3][0], passes[0][0])  # the fourth pass begins anew


def test_copies_are_distorted_as_the_recipe_interpolates(digits):
    black = digits.training_images > 0.5
    two_levels = replace(digits, training_images=torch.where(black, 1.0, -0.1))
    recipe = Recipe(distorted_copies=1, distortions=Distortions(interpolation="nearest"))
    images, _, _ = _Patterns(recipe, two_levels).of_pass(1)
    assert (((images - 1).abs() < 1e-6) | ((images + 0.1).abs() < 1e-6)).all()


def test_the_estimate_of_curvature_is_made_before_each_pass(digits, monkeypatch):
    from lenet1998.learning.online import FusedTrainer

    calls = []
    original = FusedTrainer.estimate_curvature

    def spy(self, images):
        calls.append(images.clone())
        return original(self, images)

    monkeypatch.setattr(FusedTrainer, "estimate_curvature", spy)
    train(Recipe(curvature_patterns=30), digits, passes=3)
    assert [len(images) for images in calls] == [30, 30, 30]
    assert not torch.equal(calls[0], calls[1])


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_images_of_another_scale_are_refused(digits, engine):
    grey = replace(digits, training_images=digits.training_images * 200)
    with pytest.raises(ValueError, match=r"0\.\.255"):
        train(Recipe(), grey, passes=1, engine=engine)


def test_bad_arguments_are_named(digits):
    with pytest.raises(ValueError, match="'gpu'"):
        train(Recipe(), digits, engine="gpu")
    with pytest.raises(ValueError, match="at least 1 pass"):
        train(Recipe(), digits, passes=0)


def test_the_literal_recipe_does_not_learn_and_the_default_does(digits):
    literal = train(preset("paper-literal"), digits, passes=3).records[-1]
    default = train(preset("paper"), digits, passes=3).records[-1]
    assert literal.online_training_error_percent > 80
    assert default.online_training_error_percent < 40


def test_one_pass_over_mnist(mnist):
    record = train(Recipe(), mnist, passes=1).records[0]
    assert record.test_error_percent < 3
    assert 3 < record.online_training_error_percent < 6
