"""What the runs say: learning curves, pairs of seeds, parts replaced, readings of open choices."""

from dataclasses import replace
from importlib import resources

import msgspec
import pytest
import torch

from lenet1998.commands.reproduce import errors_of_1998
from lenet1998.data import Dataset, load_dataset
from lenet1998.evidence import choices, facts, fig05, fig07, fig07_choice, parts, trials
from lenet1998.evidence.claims import claims_section
from lenet1998.evidence.experiment import Experiment
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.spread import Paired, holm
from lenet1998.models.classic import LeNet5Classic
from lenet1998.report.sections import Claim, Section
from lenet1998.runs.run import PassRecord, Run

CHOICES_OF_TRIALS = ("ranges", "rates", "originals", "interpolation", "drawn", "order")
DIGITS = 20_000  # that the networks of the trials are said to have read


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Called MNIST, so that all that is said of MNIST is said."""
    return replace(load_dataset("digits").first(400, 100), name="MNIST", is_papers=True)


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks misread as many digits as their runs' last test error says."""
    monkeypatch.setattr(trials, "misread", lambda net, images, labels: net.misread)


def run(recipe: Recipe, seed: int, test: list[float], online: list[float]) -> Run:
    records = [
        PassRecord(number, 1e-4, training, 0.1, error, 1.0, 1.0)
        for number, (error, training) in enumerate(zip(test, online, strict=True), 1)
    ]
    net = LeNet5Classic()
    net.misread = torch.arange(DIGITS) < DIGITS * test[-1] / 100
    return Run(net, replace(recipe, seed=seed), "MNIST", "fused", records)


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


@pytest.mark.parametrize(
    ("name", "changes", "passes", "paper"),
    [
        ("paper", {}, 1, (2.65, 4.89)),
        ("paper-literal", {}, 19, (0.96, 0.36)),
        ("paper", {}, 20, (0.95, 0.36)),
        ("paper", {}, 21, (0.96, 0.36)),
        ("paper", {}, 22, (None, None)),
        ("paper-distorted", {}, 20, (0.8, None)),
        ("paper-distorted", {}, 19, (None, None)),
        ("paper-noise", {}, 20, (None, None)),
        ("paper", {"training_patterns": 15_000}, 20, (None, None)),
        ("paper", {"network": "full-c3"}, 20, (None, None)),
        ("modern", {}, 20, (None, None)),
    ],
)
def test_a_run_stands_beside_what_the_paper_has_of_its_like(name, changes, passes, paper):
    ours = run(preset(name, **changes), 0, [1.0] * passes, [0.5] * passes)
    assert errors_of_1998(ours) == paper
    assert errors_of_1998(replace(ours, dataset_name="UCI digits, not MNIST")) == (None, None)


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
    assert "Of Fig. 5's points 3 of 3 (test) lie within" in words(section)
    assert section.plots[0].name == "fig05"
    assert section.conclusions[0].verdict == "within the seeds"


def test_fig05_says_where_1998_lies_among_the_seeds(digits):
    paper = facts.learning_curve()
    curves = [[error + shift / 100 for error in paper.test] for shift in range(-10, 10)]
    online = [[error + 1 for error in paper.online_training]] * 20
    runs = [
        run(preset("paper"), seed, *both)
        for seed, both in enumerate(zip(curves, online, strict=True))
    ]
    values = fig05.FIG05.measure({"paper": runs}, digits)
    section = fig05.FIG05.present(values, digits)
    # All but the lowest and the highest seed lie in the band of the others.
    assert "(test) lie within" in words(section) and "Of Fig. 5's points 21 of 21" in words(section)
    assert "A seed of ours has 18.9 of its points in the band of the others, and 20 of 20" in words(
        section
    )
    assert "Of Fig. 5's points 0 of 21 (training, on line)" in words(section)
    assert section.conclusions[0].what == "Fig. 5: test error after 20 passes"
    (claim,) = section.claims
    assert (claim.number, claim.holds) == (18, "in part")  # the training error is off


def test_other_digits_are_not_set_against_fig05(digits):
    other = replace(digits, name="UCI digits, not MNIST", is_papers=False)
    (recipe,) = fig05.FIG05.recipes
    values = fig05.FIG05.measure({"paper": [run(recipe, 0, [5.0, 4.0], [6.0, 5.0])]}, other)
    section = fig05.FIG05.present(values, other)
    assert "not to be set against the paper's" in words(section)
    # After the second pass.
    assert section.conclusions[0].paper == f"{facts.learning_curve().test[1]} %"
    assert not any(line.verdict for line in section.conclusions) and not section.claims


def test_holm_corrects_for_the_number_of_comparisons():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9]) and holm([]) == []


@pytest.mark.parametrize(
    ("distorted", "shown", "holds"),
    [
        ([0.8, 0.91, 0.7], "+0.20 (+0.", "yes"),
        ([1.1, 0.9, 1.0], "-0.00 (-0.", "not shown"),  # nor is it refuted
        ([1.2, 1.31, 1.1], "-0.20 (-0.", "no"),
        ([0.4, 0.5, 0.3], "+0.60 (+0.", "in part"),  # more than 1998 gained
    ],
)
def test_fig07_judges_what_the_printed_parameters_gain(
    distorted, shown, holds, digits, monkeypatch
):
    monkeypatch.setattr(facts, "ORIGINALS_OF_FIG7", tuple(range(10)))
    values = measured(fig07.FIG07, {"paper-distorted": distorted}, digits)
    section = fig07.FIG07.present(values, digits)
    assert section.tables[0].rows[0][3].startswith(shown)
    (claim,) = section.claims
    assert (claim.number, claim.holds) == (22, holds)


def test_fig07_names_the_best_way_to_distort_and_the_best_that_is_allowed(digits):
    second = fig07_choice.Trial("half", "gentle")
    allowed = fig07_choice.AS_PRINTED[2]
    errors = {
        second.recipe.name: [0.5, 0.6, 0.4],
        "plain-gentle": [0.2, 0.3, 0.1],
        allowed.recipe.name: [0.7, 0.8, 0.6],
    }
    values = measured(fig07_choice.WHAT_DECIDES, errors, digits)
    assert fig07_choice.best_of(values, fig07_choice.TRIALS) == second
    assert fig07_choice.best_of(values, fig07_choice.AS_PRINTED) == allowed
    section = fig07_choice.WHAT_DECIDES.present(values, digits)
    assert f"{allowed.ranges} ranges, printed rates, 1 in 10 an original" in words(section)
    assert len(section.tables[0].rows) == 1 + len(fig07_choice.TRIALS)


@pytest.mark.parametrize(("bicubic", "beyond"), [([0.5, 0.6, 0.401], True), ([1, 1.1, 0.8], False)])
def test_fig07_says_which_change_of_distortions_is_beyond_chance(bicubic, beyond, digits):
    values = measured(fig07_choice.WHAT_DECIDES, {"half-printed-9-bicubic": bicubic}, digits)
    section = fig07_choice.WHAT_DECIDES.present(values, digits)
    said = "for all changes): interpolation, bilinear to bicubic (better)." in words(section)
    assert said == beyond
    (row,) = (row for row in section.tables[1].rows if row[0].endswith("bicubic"))
    assert row[1:4] == ("1.00", f"{sum(bicubic) / 3:.2f}", f"{1 - sum(bicubic) / 3:+.2f}")


def test_fig07_changes_are_means_over_pairs_that_differ_by_nothing_else(digits):
    last = {"measured-gentle-9": [0.7, 0.81, 0.6], "half-gentle-9": [0.4, 0.5, 0.3]}
    values = measured(fig07_choice.WHAT_DECIDES, last, digits)
    _, _, gain = fig07_choice.gain("rates, printed to gentle", values)
    assert gain.gains == pytest.approx((0.3, 0.2967, 0.3), abs=1e-4)
    counts = [len(pairs) for pairs in fig07_choice.CHANGES.values()]
    assert counts == [3, 2, 1, 2, 1, 1, 1, 1, 1]
    for change, pairs in fig07_choice.CHANGES.items():
        changed, _, values_of_change = change.partition(", ")
        for pair in pairs:
            before, after = ({name: getattr(t, name) for name in CHOICES_OF_TRIALS} for t in pair)
            assert {name for name in before if before[name] != after[name]} == {changed}
            assert f"{before[changed]} to {after[changed]}" == values_of_change


def test_the_recipe_has_the_widest_ranges_not_told_apart_from_the_best_that_is_allowed():
    text = (resources.files("lenet1998") / "evidence" / "results.json").read_text()
    found = msgspec.json.decode(text)["experiments"]["fig07-choice"]["values"]
    tried = fig07_choice.WHAT_DECIDES.read(found).tried
    widths = [trial for trial in fig07_choice.AS_PRINTED if trial.interpolation == "bilinear"]
    best = min(tried[trial.name].errors.mean for trial in widths)
    near = [t for t in widths if tried[t.name].errors.mean < best + fig07_choice.NOT_TOLD_APART]
    assert replace(preset("paper-distorted"), name=near[0].name) == near[0].recipe


def test_longer(digits):
    values = measured(fig07.LONGER, {}, digits)
    assert values.test.curves[0] == (3.0, 2.0, 1.0)
    assert "3 passes for its 20" in words(fig07.LONGER.present(values, digits))


@pytest.mark.parametrize(
    ("errors", "verdict", "holds"),
    [
        ([1.5, 1.61, 1.4], "worse by 0.50 points, beyond chance", "not here"),
        ([0.5, 0.61, 0.4], "better by 0.50 points, beyond chance", "not here"),
        ([1.0, 0.9, 1.1], "no difference beyond chance", "not contradicted"),
        ([90.0, 90.0, 91.0], "nothing is learnt", "not here"),
        ([1.5], "so few seeds cannot say", ""),
    ],
)
def test_parts_say_what_replacing_costs(errors, verdict, holds, digits):
    recipes = {recipe.name: errors for recipe in parts.PARTS_EXPERIMENT.recipes}
    last = {"paper": [1.0, 1.1, 0.9][: len(errors)], "low-squash": errors}
    values = measured(parts.PARTS_EXPERIMENT, recipes | last, digits)
    section = parts.PARTS_EXPERIMENT.present(values, digits)
    rows = {row[0]: row for row in section.tables[1].rows}
    assert verdict in rows["low-squash"][2]
    assert next(claim.holds for claim in section.claims if claim.number == 37) == holds


def test_choices_measure_the_distance_to_fig05(digits):
    paper = facts.learning_curve().online_training[:3]
    away = (sum((a - b) ** 2 for a, b in zip((4.0, 3.0, 0.5), paper, strict=True)) / 3) ** 0.5
    values = measured(choices.CHOICES, {}, digits)
    assert fig05.distance_to_fig05(values.paper.online) == pytest.approx(away, abs=0.03)


def test_choices_are_told_apart_by_writers_and_seeds(digits):
    errors = {
        "paper,mu=0.01": [1.5, 1.59, 1.4],
        "paper,mu=0.04": [1.1, 1.0, 0.9],
        "paper,j=4.0": [0.5, 0.61, 0.4],
        "paper,init_bound=2.4,init_power=1.0": [60.0, 20.0, 90.0],
        "paper,rule=sgd,mu=0.02": [3.0, 3.1, 2.9],
    }
    values = measured(choices.CHOICES, errors, digits)
    section = choices.CHOICES.present(values, digits)
    (table,) = section.tables
    rows = {tuple(row[:2]): row[-2:] for row in table.rows}
    cost, verdict = rows["μ", "0.01"]
    assert cost.startswith("+0.50 (+0.") and verdict == "worse"
    assert rows["μ", "0.04"][-1] == "not told apart by the error"
    assert rows["rubbish class", "j = 4"][-1].startswith("better")
    assert rows["initial weights", "within 2.4/F (printed)"][-1] == "hardly learns"
    starts, mu = section.claims
    assert (starts.number, starts.holds) == (38, "in part")  # too large ones are no worse here
    assert (mu.number, mu.holds) == (40, "yes")
    assert "moves the error by 0.50 points" in mu.measured and "by 2.00:" in mu.measured


def test_every_reading_changes_something_and_has_a_name_of_its_own():
    names = [recipe.name for recipe in choices.CHOICES.recipes]
    assert len(set(names)) == len(names)
    assert all(
        reading.recipe != replace(Recipe(), name=reading.recipe.name)
        for reading in choices.ALTERNATIVES
    )


def test_claims_of_all_sections_are_one_table():
    sections = [
        Section(claims=[Claim(37, "low: no difference", "yes"), Claim(1, "exact", "yes")]),
        Section(claims=[Claim(37, "high: worse", "not here"), Claim(1, "too", "not contradicted")]),
    ]
    (table,) = claims_section(sections, whole=False).tables
    assert [row[0] for row in table.rows] == ["1", "37"]
    assert table.rows[0][2:] == ("exact; too", "yes")
    assert table.rows[1][2:] == ("low: no difference; high: worse", "in part")
    (everything,) = claims_section(sections, whole=True).tables
    assert len(everything.rows) == len(facts.claims()) > 30
    assert everything.rows[1][2:] == ("–", "not yet")


def test_fig07_originals_are_one_of_each_digit(mnist):
    assert mnist.training_labels[list(facts.ORIGINALS_OF_FIG7)].tolist() == list(range(10))
    figure = fig07.draw_originals(mnist.training_images[list(facts.ORIGINALS_OF_FIG7)])
    (sheet,) = (torch.from_numpy(one.get_array().data) for one in figure.axes[0].images)
    assert sheet.shape == (320, 320)
    assert torch.equal(sheet[:32, :32], mnist.training_images[facts.ORIGINALS_OF_FIG7[0], 0])
