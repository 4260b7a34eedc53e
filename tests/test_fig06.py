"""Fig. 6: training sets of different size."""

import json
import math
from dataclasses import replace

import pytest

from lenet1998.data import load_digits_dataset
from lenet1998.evidence import fig06
from lenet1998.learning.recipe import preset
from lenet1998.learning.training import PassRecord, Run
from lenet1998.models import LeNet5Classic
from lenet1998.report import png

NOT_MNIST = "UCI digits, not MNIST"


@pytest.fixture(scope="module")
def digits():
    return load_digits_dataset()


def _run(recipe, test, training, passes=20):
    record = PassRecord(passes, 1e-5, training, 1.0, test, 1.0, 1.0)
    return Run(LeNet5Classic(), recipe, NOT_MNIST, "fused", [record])


def _runs(experiment, errors):
    """Of each recipe, a seed for each (test error, training error)."""
    return {
        recipe.name: [_run(replace(recipe, seed=i), *pair) for i, pair in enumerate(of_recipe)]
        for recipe, of_recipe in zip(experiment.recipes, errors, strict=True)
    }


ERRORS = (
    [(3.0, 0.1), (3.2, 0.3)],
    [(2.1, 0.3), (2.0, 0.5)],
    [(1.1, 0.5), (0.9, 0.7), (1.0, 0.6)],
)


def test_points_of_the_paper():
    points = fig06.paper_points()
    assert [point.patterns for point in points] == [15_000, 30_000, 60_000, 60_000]
    assert [point.test_error_percent for point in points] == [1.68, 1.14, 0.94, 0.82]
    assert [point.training_error_percent for point in points[:3]] == [0.05, 0.31, 0.35]
    assert [point.distorted for point in points] == [False, False, False, True]
    assert math.isnan(points[3].training_error_percent)


def test_recipes_differ_in_the_number_of_patterns_alone():
    quarter, half, whole = fig06.FIG06.recipes
    assert whole == preset("paper")
    assert quarter == replace(whole, name="paper-15000", training_patterns=15_000)
    assert half == replace(whole, name="paper-30000", training_patterns=30_000)
    names = [recipe.name for recipe in fig06.experiment(6000).recipes]
    assert names == ["paper-1500", "paper-3000", "paper"]


def test_measures_are_those_of_the_last_pass(digits):
    experiment = fig06.experiment(1500)
    values = experiment.measure(_runs(experiment, ERRORS), digits)
    assert [one["patterns"] for one in values["sizes"]] == [375, 750, 1500]
    assert [one["test_error_percent"]["mean"] for one in values["sizes"]] == [3.1, 2.05, 1.0]
    assert values["sizes"][2]["test_error_percent"]["values"] == [1.1, 0.9, 1.0]
    assert values["sizes"][0]["online_training_error_percent"]["mean"] == 0.2
    low, high = values["sizes"][2]["interval_percent"]  # 3 of 297
    assert low < 1.0 < high
    gain = values["gain_of_last_doubling"]
    assert gain["points"] == 1.05
    assert 0 < gain["interval"][0] < 1.05 < gain["interval"][1]


def test_other_training_sets_are_refused(digits):
    with pytest.raises(ValueError, match="one of 60000 training patterns, but UCI digits"):
        fig06.FIG06.measure({}, digits)


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
    experiment = fig06.experiment(1500)
    errors = (*ERRORS[:2], [(error, 0.5) for error in whole])
    values = json.loads(json.dumps(experiment.measure(_runs(experiment, errors), digits)))
    text = " ".join(experiment.present(values | {"dataset": "MNIST"}, digits).text)
    assert expected in text


def test_section_of_other_digits_claims_no_comparison(digits):
    experiment = fig06.experiment(1500)
    measured = experiment.measure(_runs(experiment, ERRORS), digits)
    values = json.loads(json.dumps(measured, allow_nan=False))
    assert values == measured
    section = experiment.present(values, digits)
    text = " ".join(section.text)
    assert "1,500 patterns, 1.00 ± 0.10 % (3 seeds)" in text
    assert "takes 20 passes" in text
    assert "it neither confirms nor refutes the paper's" in text
    assert "Points of the paper" not in text
    (table,) = section.tables
    assert table.rows[2] == ("1,500", "–", "1.00", "0.90–1.10", "–", "0.60", "0.50–0.70")
    (picture,) = section.pictures
    assert picture.name == "fig06" and NOT_MNIST in picture.caption
    assert picture.figure.get_figwidth() == 5
    assert png(picture.figure).startswith(b"\x89PNG")


def test_section_of_mnist_sets_the_papers_points_beside(digits):
    errors = ([(1.7, 0.04), (1.6, 0.06)], [(1.3, 0.3), (1.25, 0.32)], [(1.0, 0.3), (0.9, 0.4)])
    experiment = fig06.FIG06
    mnist_sized = replace(digits, name="MNIST", training_labels=digits.training_labels.repeat(40))
    section = experiment.present(
        experiment.measure(_runs(experiment, errors), mnist_sized), mnist_sized
    )
    assert section.text[-1] == (
        "Points of the paper outside of the seeds' range: test error at 30,000, 1.14 %, below all "
        "seeds (1.25 to 1.30 %)."
    )
    assert section.tables[0].rows[0][1:5] == ("1.68", "1.65", "1.60–1.70", "0.05")
