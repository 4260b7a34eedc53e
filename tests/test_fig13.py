"""Fig. 13: reading disturbed digits."""

import json
from dataclasses import replace

import msgspec
import pytest
import torch

from lenet1998.data import load_digits_dataset
from lenet1998.data.disturbances import DISTURBANCES, rotated
from lenet1998.evidence import facts, fig13
from lenet1998.evidence.fig13 import EXTENTS, FIG13, STRENGTHS
from lenet1998.evidence.fig13_examples import SHOWN
from lenet1998.learning import preset, train
from lenet1998.measures.answers import misread, scores
from lenet1998.models.saved import load

RECIPES = ["paper", "paper-distorted-measured", "paper-noise"]


@pytest.fixture(scope="module")
def digits():
    return load_digits_dataset()


@pytest.fixture(scope="module")
def runs(digits):
    part = digits.first(600, len(digits.test_labels))
    return {
        recipe.name: [train(replace(recipe, seed=seed), part, passes=2) for seed in (0, 1)]
        for recipe in FIG13.recipes
    }


@pytest.fixture(scope="module")
def values(runs, digits):
    return FIG13.measure(runs, digits)


def _error_percent(net, images, labels):
    return 100 * misread(net, images, labels).double().mean().item()


def test_recipes():
    assert [recipe.name for recipe in FIG13.recipes] == RECIPES
    plain, distorted, noise = FIG13.recipes
    assert (plain, distorted) == (preset("paper"), preset("paper-distorted-measured"))
    assert noise == replace(plain, name="paper-noise", inverted_pixels=0.1)


def test_strengths_ascend_and_hold_what_is_asked_of_them():
    assert list(STRENGTHS) == list(SHOWN)
    for kind, strengths in STRENGTHS.items():
        assert list(strengths) == sorted(set(strengths))
        assert DISTURBANCES[kind].none in strengths
        assert list(SHOWN[kind]) == sorted(SHOWN[kind])
    for extent in EXTENTS:
        assert set(extent.strengths) <= set(STRENGTHS[extent.kind])
    assert facts.INVERTED_PIXELS in STRENGTHS["noise"]


def test_curves_are_the_errors_of_disturbed_digits(values, runs, digits):
    assert values.digits == 297
    curves = values.disturbances["rotation"]
    turned = rotated(digits.test_images, 20.0)
    for name in RECIPES:
        errors = [_error_percent(run.net, turned, digits.test_labels) for run in runs[name]]
        assert curves.at(20.0, name).values == pytest.approx(errors, abs=1e-4)


def test_curves_agree_where_nothing_is_disturbed(values):
    for name in RECIPES:
        undisturbed = {
            curves.at(DISTURBANCES[kind].none, name) for kind, curves in values.disturbances.items()
        }
        assert len(undisturbed) == 1


def test_extents_repeat_the_curves_and_say_what_is_cut(values):
    assert values.ink_lost_percent[3] == (0.0,)
    doubled, (halved_lost, doubled_lost) = EXTENTS[1], values.ink_lost_percent[1]
    assert doubled.strengths == (0.5, 2.0)
    assert halved_lost == pytest.approx(0, abs=0.5)
    assert doubled_lost > 5
    curves = values.disturbances["size"]
    ends = [curves.at(0.5, "paper-noise"), curves.at(2.0, "paper-noise")]
    assert values.errors(doubled, "paper-noise") == ends
    of_seeds = curves.error_percent["paper-noise"]
    assert [at.values for at in ends] == [tuple(one[end] for one in of_seeds) for end in (0, -1)]


def test_strengths_that_an_error_passes():
    points = [(0.0, 1.0), (1.0, 3.0), (2.0, 11.0), (3.0, 4.0)]
    assert fig13.first_passing(points, 5) == 1.25
    assert fig13.first_passing(points, 20) is None
    assert fig13.first_passing(points, 0.5) == 0.0
    errors = (20.0, 10.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 8.0, 8.0)
    curves = fig13.Curves(STRENGTHS["size"], {"paper": (errors,)})
    assert curves.reach(1.0, "paper", 5) == pytest.approx((0.6042, 1.6846), abs=1e-4)
    assert curves.reach(1.0, "paper", 10) == (0.5612, None)


def test_many_digits_are_taken_evenly_and_few_seeds(runs, digits, monkeypatch):
    monkeypatch.setattr(fig13, "MOST_DIGITS", 100)
    monkeypatch.setattr(fig13, "MOST_SEEDS", 1)
    monkeypatch.setattr(fig13, "STRENGTHS", {"vertical shift": (0.0,)})
    monkeypatch.setattr(fig13, "EXTENTS", ())
    values = FIG13.measure(runs, digits)
    assert values.digits == 99
    expected = _error_percent(
        runs["paper"][0].net, digits.test_images[::3], digits.test_labels[::3]
    )
    errors = values.disturbances["vertical shift"].error_percent
    assert {name: len(of_seeds) for name, of_seeds in errors.items()} == dict.fromkeys(RECIPES, 1)
    assert errors["paper"] == ((pytest.approx(expected, abs=1e-4),),)


def test_section_is_built_from_the_values(values, digits):
    read = FIG13.read(json.loads(msgspec.json.encode(values)))
    assert read == values
    section = FIG13.present(read, digits)
    assert "UCI digits, not MNIST, all 297 test digits" in section.text[1]
    assert "2 plain, 2 trained with distortions and 2 trained with noise" in section.text[1]
    assert "not to be set against the paper's" in section.text[-1]
    assert {conclusion.verdict for conclusion in section.conclusions} == {""}
    assert not section.claims
    extents, reach = section.tables
    assert len(extents.rows) == 6 and len(reach.rows) == len(STRENGTHS)
    lost = [f"{share:.1f}" for shares in values.ink_lost_percent for share in shares]
    assert [row[-1] for row in extents.rows] == lost
    assert all(len(row) == len(table.header) for table in section.tables for row in table.rows)
    assert [plot.name for plot in section.plots] == ["fig13", "fig13_examples"]
    for plot in section.plots:
        assert plot.figure.get_figwidth() == 5
        assert plot.png.startswith(b"\x89PNG")


def test_verdict_follows_from_the_errors(values, digits):
    mnist = replace(digits, name="MNIST", is_papers=True)
    errors = {
        "size": {0.5: 50.0, 0.7071: 4.0, 1.4142: 4.0, 2.0: 50.0},
        "vertical shift": {10.0: 90.0},
        "rotation": {30.0: 10.0},
    }
    changed = {
        kind: replace(
            curves,
            error_percent={
                name: (tuple(errors.get(kind, {}).get(at, 1.0) for at in curves.strengths),)
                for name in RECIPES
            },
        )
        for kind, curves in values.disturbances.items()
    }
    section = FIG13.present(replace(values, disturbances=changed), mnist)
    both = "(plain and trained with distortions)"
    assert (
        f"So read: a size range of a factor 2 {both} and a rotation of ±30 degrees {both}."
    ) in section.text[2]
    of_plain = [row[1].split()[0] for row in section.tables[0].rows]
    assert of_plain == ["4.0", "4.0", "50.0", "50.0", "90.0", "10.0"]
    verdicts = [conclusion.verdict for conclusion in section.conclusions]
    assert verdicts == ["holds", "not here", "not here", "holds"]
    assert [line.paper for line in section.conclusions] == ["read, if meant so"] * 2 + ["read"] * 2
    judged = [(claim.number, claim.holds) for claim in section.claims]
    assert judged == [(31, "in part"), (32, "yes")]
    reach = {row[0]: row[1] for row in section.tables[1].rows}
    assert reach["Size"] == "×0.56 to ×1.80"
    assert reach["Noise"] == "> 40 %"
    assert reach["Stroke width"] == "< −2 to > +3"


def test_a_verdict_names_the_only_network_that_reads(values, digits):
    perfect = ((0.0,) * len(STRENGTHS["rotation"]),)
    curves = values.disturbances["rotation"]
    errors = {**curves.error_percent, "paper-distorted-measured": perfect}
    disturbances = {**values.disturbances, "rotation": replace(curves, error_percent=errors)}
    mnist = replace(digits, name="MNIST", is_papers=True)
    *_, turned = FIG13.present(replace(values, disturbances=disturbances), mnist).conclusions
    assert turned.verdict == "holds, trained with distortions"


def test_examples_are_read_by_the_network_that_is_named(values, runs, digits):
    examples, (plain, _) = values.examples, runs["paper"]
    digit = digits.test_images[examples.index : examples.index + 1]
    assert digits.test_labels[examples.index] == 4
    row = next(row for row in examples.rows if row.kind == "rotation")
    penalties = plain.net.to_penalties(scores(plain.net, rotated(digit, SHOWN["rotation"][2])))[0]
    assert row.answers[2].digit == penalties.argmin()
    assert row.answers[2].penalty == pytest.approx(penalties.min().item(), abs=0.01)
    noisy = [(row.kind, row.recipe) for row in examples.rows[4:6]]
    assert noisy == [("noise", "paper"), ("noise", "paper-noise")]


def test_the_packaged_network_on_disturbed_mnist(mnist):
    net = load("lenet5-classic")
    images, labels = mnist.test_images[::10], mnist.test_labels[::10]
    before = images.clone()

    def error(kind, strength):
        return _error_percent(net, DISTURBANCES[kind].apply(images, strength), labels)

    for kind, strengths in STRENGTHS.items():
        assert error(kind, DISTURBANCES[kind].none) < 2
        assert error(kind, strengths[-1]) > 5
    assert error("rotation", 10.0) < 4
    assert 8 < error("rotation", 30.0) < 35
    assert error("size", 0.8909) < 4 and error("size", 1.1225) < 4
    assert torch.equal(images, before)
