"""Fig. 6: training sets of different size."""

from dataclasses import replace

import msgspec
import pytest

from lenet1998.data import load_digits_dataset
from lenet1998.evidence.facts import size_points
from lenet1998.evidence.fig06 import experiment
from lenet1998.learning import Run, preset
from lenet1998.models import LeNet5Classic
from lenet1998.runs.run import PassRecord

NOT_MNIST = "UCI digits, not MNIST"


@pytest.fixture(scope="module")
def digits():
    return load_digits_dataset()


def _run(recipe, test, training, passes=20):
    records = [
        PassRecord(number, 1e-5, training, 1.0, test, 1.0, 1.0) for number in range(1, passes + 1)
    ]
    return Run(LeNet5Classic(), recipe, NOT_MNIST, "fused", records)


def _measured(fig06, errors, dataset):
    """By way of JSON; errors has of each recipe, a seed for each (test error, training error)."""
    runs = {
        recipe.name: [_run(replace(recipe, seed=i), *pair) for i, pair in enumerate(of_recipe)]
        for recipe, of_recipe in zip(fig06.recipes, errors, strict=True)
    }
    values = fig06.measure(runs, dataset)
    held = fig06.read(msgspec.json.decode(msgspec.json.encode(values)))
    assert held == values
    return held


ERRORS = (
    [(3.0, 0.1), (3.2, 0.3)],
    [(2.1, 0.3), (2.0, 0.5)],
    [(1.1, 0.5), (0.9, 0.7), (1.0, 0.6)],
)


def test_points_of_the_paper():
    points = size_points()
    assert [point.patterns for point in points] == [15_000, 30_000, 60_000, 60_000]
    assert [point.test for point in points] == [1.68, 1.14, 0.94, 0.82]
    assert [point.training for point in points] == [0.05, 0.31, 0.35, None]
    assert [point.distorted for point in points] == [False, False, False, True]


def test_recipes_differ_in_the_number_of_patterns_alone():
    quarter, half, whole = experiment(60_000).recipes
    assert whole == preset("paper")
    assert quarter == replace(whole, name="paper-15000", training_patterns=15_000)
    assert half == replace(whole, name="paper-30000", training_patterns=30_000)
    names = [recipe.name for recipe in experiment(6000).recipes]
    assert names == ["paper-1500", "paper-3000", "paper"]


def test_measures_are_those_of_the_last_pass(digits):
    values = _measured(experiment(1500), ERRORS, digits)
    test, training = values.errors("test"), values.errors("training")
    assert list(test) == [375, 750, 1500]
    assert [errors.mean for errors in test.values()] == pytest.approx([3.1, 2.05, 1.0])
    assert test[1500].values == (1.1, 0.9, 1.0)
    assert training[375].mean == pytest.approx(0.2)
    assert 0 < values.gain_interval[0] < 1.05 < values.gain_interval[1]


def test_other_training_sets_are_refused(digits):
    with pytest.raises(ValueError, match="one of 60000 training patterns, but UCI digits"):
        experiment(60_000).measure({}, digits)


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        ([1.0, 1.1, 1.05], "conclusion holds"),
        ([1.9, 2.2, 2.1], "these seeds do not show"),
        ([3.0, 3.1, 3.05], "conclusion does not hold here"),
        ([1.0], "seeds are too few"),
        ([1.0, 1.0], "seeds are too few"),
    ],
)
def test_verdict_follows_from_the_seeds(digits, whole, expected):
    fig06 = experiment(1500)
    values = _measured(fig06, (*ERRORS[:2], [(error, 0.5) for error in whole]), digits)
    section = fig06.present(values, replace(digits, name="MNIST", is_papers=True))
    assert expected in " ".join(section.text)


def test_section_of_other_digits_claims_no_comparison(digits):
    fig06 = experiment(1500)
    section = fig06.present(_measured(fig06, ERRORS, digits), digits)
    text = " ".join(section.text)
    assert "takes 20 passes" in text
    assert "it neither confirms nor refutes the paper's" in text
    (table,) = section.tables
    assert table.rows[2] == [
        *("1,500", "–", "1.00 ± 0.10", "0.90–1.10", ""),
        *("–", "0.60 ± 0.10", "0.50–0.70", ""),
    ]
    assert {(line.paper, line.verdict) for line in section.conclusions} == {("–", "")}
    (plot,) = section.plots
    assert plot.name == "fig06" and NOT_MNIST in plot.caption
    assert plot.figure.get_figwidth() == 5
    assert plot.png.startswith(b"\x89PNG")


def test_section_of_mnist_sets_the_papers_points_beside(digits):
    errors = ([(1.7, 0.04), (1.6, 0.06)], [(1.3, 0.3), (1.25, 0.32)], [(1.0, 0.3), (0.9, 0.4)])
    fig06 = experiment(60_000)
    labels = digits.training_labels.repeat(40)
    images = digits.training_images[:1].expand(len(labels), -1, -1, -1)
    mnist_sized = replace(
        digits, name="MNIST", is_papers=True, training_images=images, training_labels=labels
    )
    section = fig06.present(_measured(fig06, errors, mnist_sized), mnist_sized)
    rows = section.tables[0].rows
    assert rows[0][1:6] == ["1.68", "1.65 ± 0.07", "1.60–1.70", "within the seeds", "0.05"]
    assert rows[1][4] == "outside the seeds" and rows[1][8] == "within the seeds"
    assert [(line.paper, line.verdict) for line in section.conclusions] == [
        ("1.68 %", "within the seeds"),
        ("1.14 %", "outside the seeds"),
        ("0.94 %", "within the seeds"),
    ]
