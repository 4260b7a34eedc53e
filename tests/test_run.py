"""Training runs on the embedded digits: deterministic, resumable, and equal on both engines."""

import csv
import json
import math
import random
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from lenet1998 import load
from lenet1998.data import Distortions, load_dataset
from lenet1998.learning import FusedTrainer, MinibatchRecipe, Recipe, RunError, preset, train
from lenet1998.learning.patterns import Patterns
from lenet1998.measures.answers import misread
from lenet1998.models.saved import WEIGHTS, read_origin
from lenet1998.runs.many import train_many
from lenet1998.runs.run import METRICS, RECIPE, Run

TODAY = MinibatchRecipe(passes=3, batch_size=20)


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits").first(200, 50)


class Killed(BaseException):
    pass


def killed_after(number):
    def kill(standing):
        if standing.pass_number == number and standing.finished:
            raise Killed

    return kill


def same_network(first, second):
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def log(run):
    """A run's log without what the clock says."""
    return [replace(record, seconds=0, learning_seconds=0) for record in run.records]


def kept_for_learning(folder):
    with safe_open(folder / WEIGHTS, framework="np") as saved:
        return [name for name in saved.keys() if name.startswith("learner.")]  # noqa: SIM118


def test_same_recipe_same_bits_and_another_seed_another_network(digits):
    first, second = (train(Recipe(), digits, passes=2) for _ in range(2))
    other = train(Recipe(seed=1), digits, passes=2)
    assert same_network(first.net, second.net)
    assert log(first) == log(second)
    assert not same_network(first.net, other.net)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        Recipe(order="reshuffled", distorted_copies=2, inverted_pixels=0.1),
        TODAY,
        replace(TODAY, schedule="cosine", network="tutorial-one-convolution"),
        replace(TODAY, schedule="one-cycle", distortions=Distortions(), weight_decay=0.1),
        replace(TODAY, optimiser="sgd", schedule="one-cycle", flips=True),
    ],
    ids=["paper", "distorted", "adam", "cosine", "one-cycle", "sgd"],
)
def test_a_run_gives_the_same_bytes_straight_again_and_resumed_after_each_pass(
    digits, tmp_path, recipe
):
    straight, again, resumed = (tmp_path / name for name in ("straight", "again", "resumed"))
    run = train(recipe, digits, passes=3, folder=straight)
    train(recipe, digits, passes=3, folder=again)
    for number in (1, 2):
        options = {"passes": 3, "folder": resumed, "resume": number > 1}
        with pytest.raises(Killed):
            train(recipe, digits, on_progress=killed_after(number), **options)
        assert len(Run.load(resumed).records) == number
        assert bool(kept_for_learning(resumed)) == isinstance(recipe, MinibatchRecipe)
        assert type(load(resumed)) is type(run.net)
    assert log(train(recipe, digits, passes=3, folder=resumed, resume=True)) == log(run)
    written = {folder: (folder / WEIGHTS).read_bytes() for folder in (straight, again, resumed)}
    assert len(set(written.values())) == 1
    assert kept_for_learning(straight) == []
    assert same_network(Run.load(resumed).net, run.net)


def test_a_longer_run_of_the_same_recipe_goes_on_where_the_rate_does_not_ask_how_long(
    digits, tmp_path
):
    train(Recipe(), digits, passes=2, folder=tmp_path / "paper")
    longer = train(Recipe(), digits, passes=4, folder=tmp_path / "paper", resume=True)
    assert same_network(longer.net, train(Recipe(), digits, passes=4).net)
    train(TODAY, digits, passes=1, folder=tmp_path / "today")
    with pytest.raises(RunError, match="recipe, whose passes is 1, not 2"):
        train(TODAY, digits, passes=2, folder=tmp_path / "today", resume=True)


def test_a_run_that_is_killed_in_a_pass_loses_this_one_alone(digits, tmp_path, monkeypatch):
    learn, calls = FusedTrainer.learn, []

    def killed_in_pass_3(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise Killed
        return learn(*arguments)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(FusedTrainer, "learn", killed_in_pass_3)
        train(Recipe(), digits, passes=4, folder=tmp_path)
    assert [record.number for record in Run.load(tmp_path).records] == [1, 2]
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
    before = (tmp_path / WEIGHTS).read_bytes()
    with pytest.raises(RunError, match=r"--resume"):
        train(Recipe(), digits, passes=1, folder=tmp_path)
    for recipe, dataset, engine, named in (
        (Recipe(mu=0.2), digits, None, r"recipe.*mu"),
        (Recipe(network="relu"), digits, None, r"recipe.*network is 'lenet5-classic', not 'relu'"),
        (TODAY, digits, None, "recipe"),
        (Recipe(), digits, "torch", "engine"),
        (Recipe(), replace(digits, name="other digits"), None, "data set"),
    ):
        with pytest.raises(RunError, match=named):
            train(recipe, dataset, passes=2, folder=tmp_path, resume=True, engine=engine)
    assert (tmp_path / WEIGHTS).read_bytes() == before


def test_a_run_that_cannot_be_read_is_named(digits, tmp_path):
    with pytest.raises(RunError, match=f"holds no run to go on with: {WEIGHTS} is not there"):
        Run.load(tmp_path)
    train(Recipe(), digits, passes=1, folder=tmp_path)
    file = tmp_path / WEIGHTS
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(RunError, match=rf"{WEIGHTS}.* delete .*{WEIGHTS} to start the run again"):
        train(Recipe(), digits, passes=2, folder=tmp_path, resume=True)
    Recipe().build().save_pretrained(tmp_path)
    with pytest.raises(RunError, match="a network without the log of a run"):
        Run.load(tmp_path)


def test_what_a_folder_says_is_what_the_records_say(digits, tmp_path):
    told = []
    run = train(Recipe(), digits, passes=2, folder=tmp_path, on_progress=told.append)
    rows = list(csv.DictReader((tmp_path / METRICS).read_text().splitlines()))
    assert [int(row["pass"]) for row in rows] == [1, 2]
    for row, record in zip(rows, run.records, strict=True):
        for column in ("online_training_error_percent", "test_error_percent", "seconds"):
            assert float(row[column]) == pytest.approx(getattr(record, column), abs=1e-5)
    assert json.loads((tmp_path / RECIPE).read_text())["name"] == "paper"
    assert {file.name for file in tmp_path.iterdir()} == {METRICS, RECIPE, WEIGHTS}
    assert [standing.finished for standing in told if standing.finished] == run.records
    wrong = misread(run.net, digits.test_images, digits.test_labels).double().mean().item()
    assert run.records[-1].test_error_percent == pytest.approx(100 * wrong)

    read = Run.load(tmp_path)
    assert (read.recipe, read.engine, read.dataset_name) == (Recipe(), "fused", digits.name)
    assert log(read) == log(run)
    for ours, written in zip(read.records, run.records, strict=True):
        assert ours.seconds == pytest.approx(written.seconds, abs=1e-5)
        assert ours.learning_seconds == pytest.approx(written.learning_seconds, abs=1e-5)
    assert "seconds" not in json.dumps(read_origin(tmp_path).log)
    (tmp_path / METRICS).unlink()  # times only: a run goes on without
    assert log(Run.load(tmp_path)) == log(run)


def test_a_resumed_run_of_pytorch_ends_with_the_same_bits(digits, tmp_path):
    few = digits.first(40, 10)
    whole = train(Recipe(), few, passes=3, engine="torch")
    for after in (1, 2):
        train(Recipe(), few, passes=after, engine="torch", folder=tmp_path / str(after))
        options = {"engine": "torch", "folder": tmp_path / str(after), "resume": True}
        assert same_network(train(Recipe(), few, passes=3, **options).net, whole.net)


def test_the_clock_of_a_resumed_run_goes_on(digits, tmp_path):
    first = train(Recipe(), digits, passes=1, folder=tmp_path).records[0]
    again, second = train(Recipe(), digits, passes=2, folder=tmp_path, resume=True).records
    assert second.seconds > again.seconds == pytest.approx(first.seconds, abs=1e-5)


def test_one_update_per_pattern_in_a_constant_order(digits):
    patterns = Patterns(Recipe(), digits)
    orders = [patterns.of_pass(number)[2] for number in (1, 2, 7)]
    assert all(torch.equal(order, orders[0]) for order in orders)
    assert torch.equal(orders[0].sort().values, torch.arange(200))
    shuffled = Patterns(Recipe(order="reshuffled"), digits)
    assert not torch.equal(shuffled.of_pass(1)[2], shuffled.of_pass(2)[2])


def test_distorted_copies_are_each_seen_once_in_their_turn(digits):
    patterns = Patterns(Recipe(distorted_copies=2), digits)
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
    images, _, _ = Patterns(recipe, two_levels).of_pass(1)
    assert (((images - 1).abs() < 1e-6) | ((images + 0.1).abs() < 1e-6)).all()


def test_the_estimate_of_curvature_is_made_before_each_pass(digits, monkeypatch):
    calls = []
    original = FusedTrainer.estimate_curvature

    def spy(self, images):
        calls.append(images.clone())
        return original(self, images)

    monkeypatch.setattr(FusedTrainer, "estimate_curvature", spy)
    train(Recipe(curvature_patterns=30), digits, passes=3)
    assert [len(images) for images in calls] == [30, 30, 30]
    assert not torch.equal(calls[0], calls[1])


@pytest.mark.parametrize(
    "recipe",
    [Recipe(schedule=((1, 5e-4), (2, 1e30))), replace(TODAY, rate=1e30)],
    ids=["of 1998", "of today"],
)
def test_a_network_that_diverges_ends_its_run_with_these_words(digits, tmp_path, recipe):
    with pytest.raises(RunError, match=r"diverged in pass \d, .* smaller steps"):
        train(recipe, digits, passes=3, folder=tmp_path)
    if isinstance(recipe, Recipe):
        assert len(Run.load(tmp_path).records) == 1  # the passes before are kept


def test_a_network_whose_curvature_is_no_longer_finite_has_diverged(digits, tmp_path):
    run = train(Recipe(), digits, passes=1, folder=tmp_path)
    with torch.no_grad():
        run.net.c5.weight *= 1e30  # finite, but not its square
    run.save(tmp_path)
    with pytest.raises(RunError, match=r"diverged in pass 2, .* second derivatives .* smaller"):
        train(Recipe(), digits, passes=2, folder=tmp_path, resume=True)


def test_a_log_whose_passes_do_not_count_from_1_is_refused(digits, tmp_path):
    run = train(Recipe(), digits, passes=2, folder=tmp_path)
    for records in (run.records[1:], run.records[:1] * 2, run.records[::-1]):
        replace(run, records=records).save(tmp_path)
        with pytest.raises(RunError, match="passes of its log do not count from 1 on"):
            Run.load(tmp_path)


def test_bad_arguments_are_named(digits):
    for recipe, engine in ((Recipe(), "gpu"), (TODAY, "fused")):
        with pytest.raises(ValueError, match=f"'torch' for .*got '{engine}'"):
            train(recipe, digits, engine=engine)
    for passes in (0, 1.5, "3"):
        with pytest.raises(ValueError, match="at least 1 pass"):
            train(Recipe(), digits, passes=passes)
    with pytest.raises(ValueError, match="no recipe 'papier': expected one of paper, "):
        train("papier", digits)
    with pytest.raises(TypeError, match="a recipe or its name, got dict"):
        train({}, digits)
    with pytest.raises(TypeError, match=r"write \['paper'\]"):
        train_many("paper", "digits", "nowhere")
    with pytest.raises(ValueError, match=r"201 patterns, but .* has 200"):
        train(Recipe(training_patterns=201), digits, passes=1)


def test_names_of_recipe_and_data_and_a_string_for_the_folder(tmp_path):
    run = train("paper", "digits", passes=1, folder=str(tmp_path))
    assert run.recipe == Recipe() and run.dataset_name == "UCI digits, not MNIST"
    assert len(Run.load(str(tmp_path)).records) == 1
    (again,) = train_many(["paper"], "digits", str(tmp_path / "many"), passes=1)
    assert again.records[0].test_error_percent == run.records[0].test_error_percent


def test_the_literal_recipe_does_not_learn_and_the_default_does(digits):
    literal = train(preset("paper-literal"), digits, passes=3).records[-1]
    default = train(preset("paper"), digits, passes=3).records[-1]
    assert literal.online_training_error_percent > 80
    assert default.online_training_error_percent < 40


def test_one_pass_over_mnist(mnist):
    record = train(Recipe(), mnist, passes=1).records[0]
    assert record.test_error_percent < 3
    assert 3 < record.online_training_error_percent < 6


@pytest.mark.parametrize("recipe", [Recipe(), TODAY], ids=["of 1998", "of today"])
def test_any_flipped_bit_of_a_run_is_seen(digits, tmp_path, recipe):
    with pytest.raises(Killed):  # so that it keeps what Adam goes on from
        train(recipe, digits, passes=3, folder=tmp_path, on_progress=killed_after(1))
    file, chance = tmp_path / WEIGHTS, random.Random(0)
    whole = file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [chance.randrange(header) for _ in range(60)]
    places += [chance.randrange(header, len(whole)) for _ in range(20)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        file.write_bytes(damaged)
        with pytest.raises(RunError, match=rf"delete .*{WEIGHTS}"):
            Run.load(tmp_path)


@pytest.mark.parametrize("of", ["network", "learner"])
def test_a_state_with_nan_is_refused(digits, tmp_path, of):
    run = train(Recipe(), digits, passes=1, folder=tmp_path)
    if of == "learner":
        run.learner = {"means": torch.full((3,), math.nan)}
    else:
        with torch.no_grad():
            next(run.net.parameters()).fill_(math.nan)
    run.save(tmp_path)
    with pytest.raises(RunError, match="NaN or infinite values in"):
        train(Recipe(), digits, passes=2, folder=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda run: setattr(run, "records", [replace(run.records[0], eta=True)]), "eta"),
        (lambda run: setattr(run, "net", load("lenet5-modern")), "recipe's"),
    ],
)
def test_a_log_or_network_that_is_not_the_recipes_is_refused(digits, tmp_path, harm, message):
    run = train(Recipe(), digits, passes=1, folder=tmp_path)
    harm(run)
    run.save(tmp_path)
    with pytest.raises(RunError, match=message):
        train(Recipe(), digits, passes=2, folder=tmp_path, resume=True)


def test_a_state_that_does_not_fit_its_recipe_is_refused(digits, tmp_path):
    run = train(TODAY, digits, passes=1, folder=tmp_path)
    run.recipe, run.learner = TODAY, {"steps": torch.tensor(1)}
    run.save(tmp_path)
    with pytest.raises(RunError, match="state does not fit its recipe: 'generator'"):
        train(TODAY, digits, folder=tmp_path, resume=True)


def test_a_state_without_records_does_not_start_again_on_trained_weights(digits, tmp_path):
    run = train(Recipe(), digits, passes=1, folder=tmp_path)
    run.records.clear()
    run.save(tmp_path)
    with pytest.raises(RunError, match="a network without the log of a run: delete it"):
        train(Recipe(), digits, passes=2, folder=tmp_path, resume=True)
