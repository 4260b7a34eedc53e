"""Fig. 13: reading disturbed digits."""

import copy
import json
from dataclasses import replace

import pytest
import torch

from lenet1998.data import load_digits_dataset
from lenet1998.data.disturbances import rotated
from lenet1998.evaluation import scores
from lenet1998.evidence import fig13
from lenet1998.evidence.fig13_strengths import DISTURBANCES
from lenet1998.learning import preset, train
from lenet1998.models import load
from lenet1998.report import png

RECIPES = ["paper", "paper-distorted-measured", "paper-noise"]


@pytest.fixture(scope="module")
def digits():
    return load_digits_dataset()


@pytest.fixture(scope="module")
def runs(digits):
    part = replace(
        digits,
        training_images=digits.training_images[:600],
        training_labels=digits.training_labels[:600],
    )
    return {
        recipe.name: [train(replace(recipe, seed=seed), part, passes=2) for seed in (0, 1)]
        for recipe in fig13.FIG13.recipes
    }


@pytest.fixture(scope="module")
def values(runs, digits):
    return fig13.FIG13.measure(runs, digits)


def test_recipes():
    assert [recipe.name for recipe in fig13.FIG13.recipes] == RECIPES
    plain, distorted, noise = fig13.FIG13.recipes
    assert (plain, distorted) == (preset("paper"), preset("paper-distorted-measured"))
    assert noise == replace(plain, name="paper-noise", inverted_pixels=0.1)


def test_strengths_ascend_and_hold_what_is_asked_of_them():
    for disturbance in DISTURBANCES.values():
        assert list(disturbance.strengths) == sorted(set(disturbance.strengths))
        assert disturbance.none in disturbance.strengths
        assert list(disturbance.shown) == sorted(disturbance.shown)
    for claim in fig13.CLAIMS:
        assert set(claim.strengths) <= set(DISTURBANCES[claim.kind].strengths)


def test_curves_are_the_errors_of_disturbed_digits(values, runs, digits):
    assert values["digits"] == values["test_digits"] == 297
    assert values["seeds"] == dict.fromkeys(RECIPES, 2)
    curves = values["disturbances"]["rotation"]
    place = curves["strengths"].index(20.0)
    turned = rotated(digits.test_images, 20.0)
    errors = [
        100 * (scores(run.net, turned).argmin(1) != digits.test_labels).double().mean().item()
        for run in runs["paper"]
    ]
    curve = curves["error_percent"]["paper"]
    assert curve["mean"][place] == pytest.approx(sum(errors) / 2, abs=1e-4)
    assert curve["least"][place] == pytest.approx(min(errors), abs=1e-4)
    assert curve["greatest"][place] == pytest.approx(max(errors), abs=1e-4)


def test_curves_agree_where_nothing_is_disturbed(values):
    for name in RECIPES:
        undisturbed = {
            values["disturbances"][kind]["error_percent"][name]["mean"][
                disturbance.strengths.index(disturbance.none)
            ]
            for kind, disturbance in DISTURBANCES.items()
        }
        assert len(undisturbed) == 1


def test_claims_repeat_the_curves_and_say_what_is_cut(values):
    assert [claim["ink_lost_percent"] for claim in values["claims"]][4] == [0.0]
    doubled = values["claims"][1]
    assert doubled["strengths"] == [0.5, 2.0]
    assert doubled["ink_lost_percent"][0] == pytest.approx(0, abs=0.5)
    assert doubled["ink_lost_percent"][1] > 5
    curve = values["disturbances"]["size"]["error_percent"]["paper-noise"]
    assert doubled["error_percent"]["paper-noise"]["mean"] == [curve["mean"][0], curve["mean"][-1]]


def test_strengths_that_an_error_passes():
    points = [(0.0, 1.0), (1.0, 3.0), (2.0, 11.0), (3.0, 4.0)]
    assert fig13._first_passing(points, 5) == 1.25
    assert fig13._first_passing(points, 20) is None
    assert fig13._first_passing(points, 0.5) == 0.0
    errors = [20.0, 10.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 8.0, 8.0]
    assert fig13._reach("size", errors, 5) == pytest.approx([0.6042, 1.6846], abs=1e-4)
    assert fig13._reach("size", errors, 10) == [0.5612, None]


def test_many_digits_are_taken_evenly_and_few_seeds(runs, digits, monkeypatch):
    monkeypatch.setattr(fig13, "MOST_DIGITS", 100)
    monkeypatch.setattr(fig13, "MOST_SEEDS", 1)
    monkeypatch.setattr(fig13, "DISTURBANCES", _first_strengths())
    monkeypatch.setattr(fig13, "CLAIMS", ())
    values = fig13.measure(runs, digits)
    assert (values["digits"], values["seeds"]) == (99, dict.fromkeys(RECIPES, 1))
    wrong = scores(runs["paper"][0].net, digits.test_images).argmin(1) != digits.test_labels
    expected = 100 * wrong[::3].double().mean().item()
    assert values["disturbances"]["shift"]["error_percent"]["paper"]["mean"] == [
        pytest.approx(expected, abs=1e-4)
    ]


def _first_strengths():
    return {kind: replace(one, strengths=(one.none,)) for kind, one in DISTURBANCES.items()}


def test_section_is_built_from_the_values(values, digits):
    read = json.loads(json.dumps(values, allow_nan=False))
    assert read == values
    section = fig13.FIG13.present(read, digits)
    assert "UCI digits, not MNIST, all 297 test digits" in section.text[1]
    assert "2 plain, 2 trained with distortions and 2 trained with noise" in section.text[1]
    claims, reach = section.tables
    assert len(claims.rows) == 7 and len(reach.rows) == len(DISTURBANCES)
    assert all(len(row) == len(table.header) for table in section.tables for row in table.rows)
    assert [picture.name for picture in section.pictures] == ["fig13", "fig13_examples"]
    for picture in section.pictures:
        assert picture.figure.get_figwidth() == 5
        assert png(picture.figure).startswith(b"\x89PNG")


def test_verdict_follows_from_the_errors(values, digits):
    changed = copy.deepcopy(values)
    for claim, error in zip(changed["claims"], (4.0, 50.0, 9.0, 90.0, 10.0), strict=True):
        for curve in claim["error_percent"].values():
            curve["mean"] = [error] * len(claim["strengths"])
    text = fig13.present(changed, digits).text[2]
    assert (
        "Plain: within the bar a size range of a factor 2 (4.0 %), a vertical shift range of half "
        "the height (9.0 %) and a rotation of ±30 degrees (10.0 %); beyond it a factor 2 in size "
        "either way (50.0 %) and half the height in vertical shift either way (90.0 %)." in text
    )


def test_examples_are_read_by_the_network_that_is_named(values, runs, digits):
    examples = values["examples"]
    index = examples["index"]
    assert digits.test_labels[index] == examples["label"] == 4
    row = next(row for row in examples["rows"] if row["kind"] == "rotation")
    turned = rotated(digits.test_images[index : index + 1], DISTURBANCES["rotation"].shown[2])
    penalties = scores(runs["paper"][0].net, turned)[0]
    assert row["answers"][2]["digit"] == penalties.argmin()
    assert row["answers"][2]["penalty"] == pytest.approx(penalties.min().item(), abs=0.01)
    assert [(row["kind"], row["recipe"]) for row in examples["rows"][4:6]] == [
        ("noise", "paper"),
        ("noise", "paper-noise"),
    ]


def test_the_packaged_network_on_disturbed_mnist(mnist):
    net = load("lenet5-classic")
    images, labels = mnist.test_images[::10], mnist.test_labels[::10]
    before = images.clone()

    def error(kind, strength):
        disturbed = DISTURBANCES[kind].disturb(images, strength)
        return 100 * (scores(net, disturbed).argmin(1) != labels).double().mean().item()

    for kind, disturbance in DISTURBANCES.items():
        assert error(kind, disturbance.none) < 2
        assert error(kind, disturbance.strengths[-1]) > 5
    assert error("rotation", 10.0) < 4
    assert 8 < error("rotation", 30.0) < 35
    assert error("size", 0.8909) < 4 and error("size", 1.1225) < 4
    assert torch.equal(images, before)
