"""What the runs say: learning curves, pairs of seeds, parts replaced, readings of open choices."""

from dataclasses import replace
from importlib import resources

import msgspec
import pytest
import torch

from lenet1998.data import Dataset, load_dataset
from lenet1998.evidence import choices, facts, fig05, fig07, fig07_choice, parts
from lenet1998.evidence.experiment import Experiment
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.spread import Paired
from lenet1998.models.classic import LeNet5Classic
from lenet1998.report.sections import Section
from lenet1998.runs.run import PassRecord, Run

NET = LeNet5Classic()
CHOICES_OF_TRIALS = ("ranges", "rates", "originals", "interpolation")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Called MNIST, so that all that is said of MNIST is said."""
    return replace(load_dataset("digits").first(400, 100), name="MNIST", is_papers=True)


def run(recipe: Recipe, seed: int, test: list[float], online: list[float]) -> Run:
    records = [
        PassRecord(number, 1e-4, training, 0.1, error, 1.0, 1.0)
        for number, (error, training) in enumerate(zip(test, online, strict=True), 1)
    ]
    return Run(NET, replace(recipe, seed=seed), "MNIST", "fused", records)


def measured(experiment: Experiment, last: dict[str, list[float]], digits: Dataset):
    """Of runs of three passes that end at these test errors, 1 % where none are given; by JSON."""
    runs = {
        recipe.name: [
            run(recipe, seed, [3.0, 2.0, error], [4.0, 3.0, error / 2])
            for seed, error in enumerate(last.get(recipe.name, [1.0, 1.1, 0.9]))
        ]
        for recipe in experiment.recipes
    }
    values = experiment.measure(runs, digits)
    held = experiment.read(msgspec.json.decode(msgspec.json.encode(values)))
    assert held == values
    return held


def words(section: Section) -> str:
    cells = [cell for table in section.tables for row in table.rows for cell in row]
    lines = [cell for line in section.conclusions for cell in vars(line).values()]
    return "\n".join([*section.text, *cells, *lines])


def test_pairs_of_seeds():
    pairs = Paired.of([0.8, 0.9, 1.0], [1.0, 1.1, 1.2])
    assert pairs.gains == pytest.approx((0.2, 0.2, 0.2))
    assert pairs.mean == pytest.approx(0.2)
    # t(0.975, 2) = 4.3027; deviation 0.1, so half the interval is 4.3027 * 0.1 / sqrt(3).
    pairs = Paired.of([0.0, 0.0, 0.0], [0.1, 0.2, 0.3])
    assert pairs.interval == pytest.approx((0.2 - 0.2484, 0.2 + 0.2484), abs=1e-4)
    assert pairs.p == pytest.approx(0.074, abs=1e-3)
    assert Paired.of([0.8], [1.0]).interval is None


def test_fig05_counts_points_within_the_band(digits):
    paper = facts.learning_curve()
    above = [error + 0.1 for error in paper.test[:3]]
    below = [error - 0.1 for error in paper.test[:3]]
    online = list(paper.online_training[:3])
    (recipe,) = fig05.FIG05.recipes
    runs = {"paper": [run(recipe, 0, above, online), run(recipe, 1, below, [9.0, 9.0, 9.0])]}
    values = fig05.FIG05.measure(runs, digits)
    assert values.test.inside(paper.test) == 3
    assert values.test.farthest(paper.test, 3) == pytest.approx(0, abs=1e-4)
    far = (9.0 - online[2]) / 2
    assert values.online_training.farthest(paper.online_training, 3) == pytest.approx(far, abs=1e-3)
    section = fig05.FIG05.present(values, digits)
    assert "3 of 3 (test)" in words(section)
    assert section.plots[0].name == "fig05"
    assert section.conclusions[0].verdict == "within the seeds"


def test_other_digits_are_not_set_against_fig05(digits):
    other = replace(digits, name="UCI digits, not MNIST", is_papers=False)
    (recipe,) = fig05.FIG05.recipes
    values = fig05.FIG05.measure({"paper": [run(recipe, 0, [5.0, 4.0], [6.0, 5.0])]}, other)
    section = fig05.FIG05.present(values, other)
    assert "not to be set against the paper's" in words(section)
    # After the second pass.
    assert section.conclusions[0].paper == f"{facts.learning_curve().test[1]} %"
    assert not any(line.verdict for line in section.conclusions)


@pytest.mark.parametrize(
    ("distorted", "verdict"),
    [
        ([0.8, 0.91, 0.7], ("+0.182 to +0.211", "gains")),
        ([1.1, 0.9, 1.0], ("-0.430 to +0.430", "not shown")),
        ([1.2, 1.31, 1.1], ("-0.218 to -0.189", "loses")),
    ],
)
def test_fig07_says_whether_the_gain_is_beyond_chance(distorted, verdict, digits, monkeypatch):
    monkeypatch.setattr(facts, "ORIGINALS_OF_FIG7", tuple(range(10)))
    values = measured(fig07.FIG07, {"paper-distorted": distorted}, digits)
    section = fig07.FIG07.present(values, digits)
    interval, shown = verdict
    assert section.tables[0].rows[0][4] == interval
    assert section.conclusions[1].verdict == shown


def test_fig07_names_the_best_way_to_distort(digits):
    best = fig07_choice.TRIALS[3]
    errors = {best.recipe.name: [0.5, 0.6, 0.4], "plain-slow": [0.2, 0.3, 0.1]}
    values = measured(fig07_choice.WHAT_DECIDES, errors, digits)
    section = fig07_choice.WHAT_DECIDES.present(values, digits)
    assert (
        f"Least error held out, of those with distortions: {best.ranges} ranges, {best.rates} rates"
        in words(section)
    )
    assert len(section.tables[0].rows) == 1 + len(fig07_choice.TRIALS)


@pytest.mark.parametrize(("bicubic", "beyond"), [([0.5, 0.6, 0.41], True), ([1, 1.1, 0.8], False)])
def test_fig07_says_which_change_of_distortions_is_beyond_chance(bicubic, beyond, digits):
    values = measured(fig07_choice.WHAT_DECIDES, {"half-gentle-9-bicubic": bicubic}, digits)
    section = fig07_choice.WHAT_DECIDES.present(values, digits)
    said = "(95 %): interpolation, bilinear to bicubic (better)." in words(section)
    assert said == beyond
    (row,) = (row for row in section.tables[1].rows if row[0].endswith("bicubic"))
    assert row[1:4] == ("1.00", f"{sum(bicubic) / 3:.2f}", f"{1 - sum(bicubic) / 3:+.2f}")


def test_fig07_changes_are_means_over_pairs_that_differ_by_nothing_else(digits):
    last = {"measured-gentle-9": [0.7, 0.81, 0.6], "half-gentle-9": [0.4, 0.5, 0.3]}
    values = measured(fig07_choice.WHAT_DECIDES, last, digits)
    _, _, gain = fig07_choice.gain("rates, printed to gentle", values)
    assert gain.gains == pytest.approx((0.3, 0.2967, 0.3), abs=1e-4)
    assert [len(pairs) for pairs in fig07_choice.CHANGES.values()] == [3, 3, 3, 2, 1, 1]
    for change, pairs in fig07_choice.CHANGES.items():
        changed, _, values_of_change = change.partition(", ")
        for pair in pairs:
            before, after = ({name: getattr(t, name) for name in CHOICES_OF_TRIALS} for t in pair)
            assert {name for name in before if before[name] != after[name]} == {changed}
            assert f"{before[changed]} to {after[changed]}" == values_of_change


def test_the_recipe_is_the_trial_of_least_error():
    text = (resources.files("lenet1998") / "evidence" / "results.json").read_text()
    found = msgspec.json.decode(text)["experiments"]["fig07-choice"]["values"]
    tried = fig07_choice.WHAT_DECIDES.read(found).tried
    least = min(tried, key=lambda name: tried[name].errors.mean)
    (best,) = (trial.recipe for trial in fig07_choice.TRIALS if trial.recipe.name == least)
    assert replace(preset("paper-distorted"), name=least) == best


def test_longer(digits):
    values = measured(fig07.LONGER, {}, digits)
    assert values.test.curves[0] == (3.0, 2.0, 1.0)
    assert "3 passes for its 20" in words(fig07.LONGER.present(values, digits))


@pytest.mark.parametrize(
    ("errors", "verdict", "holds"),
    [
        ([1.5, 1.61, 1.4], "worse by 0.50 points, beyond chance", "yes"),
        ([0.5, 0.61, 0.4], "better by 0.50 points, beyond chance", "not here"),
        ([1.0, 0.9, 1.1], "no difference beyond chance", "not shown"),
        ([90.0, 90.0, 91.0], "nothing is learnt", "not here"),
        ([1.5], "so few seeds cannot say", "–"),
    ],
)
def test_parts_say_what_replacing_costs(errors, verdict, holds, digits):
    recipes = {recipe.name: errors for recipe in parts.PARTS_EXPERIMENT.recipes}
    last = {"paper": [1.0, 1.1, 0.9][: len(errors)], "average-pooling": errors, "relu": errors}
    values = measured(parts.PARTS_EXPERIMENT, recipes | last, digits)
    rows = {row[0]: row for row in parts.PARTS_EXPERIMENT.present(values, digits).tables[1].rows}
    assert verdict in rows["average-pooling"][3] and rows["average-pooling"][4] == holds
    assert rows["relu"][4] == "–"  # the paper says nothing of it


@pytest.mark.parametrize(
    ("early", "holds"), [([2.0, 2.1, 1.8], "yes"), ([0.5, 0.6, 0.3], "not here")]
)
def test_a_claim_of_speed_is_judged_by_the_first_passes(early, holds, digits):
    ones = [4.0, 4.0, 4.0, 4.0]
    runs = {
        recipe.name: [
            run(recipe, seed, [3.0, 2.0, third, 1.0 + seed / 10], ones)
            for seed, third in enumerate(early if recipe.name == "sgd" else [1.0, 1.1, 0.9])
        ]
        for recipe in parts.PARTS_EXPERIMENT.recipes
    }
    values = parts.PARTS_EXPERIMENT.measure(runs, digits)
    rows = {row[0]: row for row in parts.PARTS_EXPERIMENT.present(values, digits).tables[1].rows}
    assert rows["sgd"][4] == holds
    assert f"after pass 3 {'worse' if holds == 'yes' else 'better'} by" in rows["sgd"][3]


def test_choices_measure_the_distance_to_fig05(digits):
    paper = facts.learning_curve().online_training[:3]
    away = (sum((a - b) ** 2 for a, b in zip((4.0, 3.0, 0.5), paper, strict=True)) / 3) ** 0.5
    values = measured(choices.CHOICES, {}, digits)
    assert fig05.distance_to_fig05(values.paper.online) == pytest.approx(away, abs=0.03)


def test_choices_are_told_apart_seed_by_seed(digits):
    errors = {
        "paper,mu=0.02": [1.3, 1.39, 1.2],
        "paper,mu=0.1": [1.1, 1.0, 0.9],
        "paper,j=4.0": [0.8, 0.91, 0.7],
        "paper,init_bound=2.4,init_power=1.0": [60.0, 20.0, 90.0],
    }
    values = measured(choices.CHOICES, errors, digits)
    (table,) = choices.CHOICES.present(values, digits).tables
    rows = {tuple(row[:2]): list(row[-3:]) for row in table.rows}
    assert rows["μ", "0.02, on half distances (printed)"] == ["+0.30", "+0.28 to +0.31", "worse"]
    assert rows["μ", "0.1"][-1] == "not told apart by the error"
    assert rows["rubbish class", "j = 4"][-1] == "better"
    assert rows["initial weights", "within 2.4/F (printed)"][-1] == "hardly learns"


def test_every_reading_changes_something_and_has_a_name_of_its_own():
    names = [recipe.name for recipe in choices.CHOICES.recipes]
    assert len(set(names)) == len(names)
    assert all(
        reading.recipe != replace(Recipe(), name=reading.recipe.name)
        for reading in choices.ALTERNATIVES
    )


def test_fig07_originals_are_one_of_each_digit(mnist):
    assert mnist.training_labels[list(facts.ORIGINALS_OF_FIG7)].tolist() == list(range(10))
    figure = fig07.draw_originals(mnist.training_images[list(facts.ORIGINALS_OF_FIG7)])
    (sheet,) = (torch.from_numpy(one.get_array().data) for one in figure.axes[0].images)
    assert sheet.shape == (320, 320)
    assert torch.equal(sheet[:32, :32], mnist.training_images[facts.ORIGINALS_OF_FIG7[0], 0])
