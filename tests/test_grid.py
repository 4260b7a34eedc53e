"""Grids: every combination, each under a name of its own."""

import pytest

from lenet1998.learning.grid import grid
from lenet1998.learning.recipe import preset


def test_every_combination_in_order():
    recipes = grid(["paper", "authors-software"], ["mu=0.05,0.1", "loss=mle,map"], range(2))
    assert [(one.name, one.seed) for one in recipes] == [
        (name + changes, seed)
        for name in ("paper", "authors-software")
        for changes in (",mu=0.05,loss=mle", ",mu=0.05", ",mu=0.1,loss=mle", ",mu=0.1")
        for seed in (0, 1)
    ]
    assert (recipes[0].mu, recipes[0].loss) == (0.05, "mle")
    assert recipes[2] == preset("paper", mu=0.05, name="paper,mu=0.05")


def test_a_recipe_that_nothing_changes_keeps_its_name():
    assert grid(["paper"], ["mu=0.07,0.070"], [3]) == [preset("paper", seed=3)]
    assert grid(["paper"], [], [0]) == [preset("paper")]


@pytest.mark.parametrize(
    ("setting", "field", "value", "name"),
    [
        ("mu=1", "mu", 1.0, "mu=1"),
        ("mu=1e-5", "mu", 1e-5, "mu=1e-05"),
        ("order=reshuffled", "order", "reshuffled", "order=reshuffled"),
        ("fresh=true", "fresh", True, "fresh=true"),
        ("training_patterns=500", "training_patterns", 500, "training_patterns=500"),
        ("coefficient=2", "coefficient", 2.0, "coefficient=2"),
        ("schedule=[[1,0.1],[4,0.2]]", "schedule", ((1, 0.1), (4, 0.2)), "schedule=1-0.1-4-0.2"),
    ],
)
def test_values_are_those_of_recipe_json(setting, field, value, name):
    (recipe,) = grid(["paper"], [setting], [0])
    assert getattr(recipe, field) == value
    assert type(getattr(recipe, field)) is type(value)
    assert recipe.name == f"paper,{name}"


def test_a_part_of_the_distortions_can_be_set():
    first, second = grid(["paper-distorted"], ['distortions={"shear":0.1},{"shear":0.2}'], [0])
    assert (first.distortions.shear, second.distortions.shear) == (0.1, 0.2)
    assert first.distortions.translation == preset("paper-distorted").distortions.translation
    assert second.name == "paper-distorted,distortions=shear-0.2"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["nu=1"], "nu.*curvature_patterns"),
        (["seed=3"], "seed"),
        (["name=mine"], "name"),
        (["mu"], "FIELD=VALUE"),
        (["mu="], "FIELD=VALUE"),
        (["mu=small"], 'mu a number, got "small"'),
        (["mu=-1"], "mu > 0"),
        (["mu=0.1", "mu=0.2"], "mu is set twice"),
        (["loss=mse"], "loss"),
        (["training_patterns=1.5"], "training_patterns a whole number or null"),
        (["fresh=1"], "fresh true or false"),
        (["curvature_patterns=true"], "curvature_patterns a whole number"),
        (["schedule=[2]"], "schedule"),
        (["schedule=[[1]]"], r"schedule \[\[first pass, eta\], ...\], got \[\[1\]\]"),
        (["schedule=[[1,2,3]]"], r"schedule \[\[first pass, eta\], ...\], got \[\[1, 2, 3\]\]"),
        (["schedule=[[1,null]]"], "eta .* got None"),
        (['schedule=[[1,0.1],["a",0.2]]'], r"recipe.json .* got schedule=.*'<' not supported"),
        (["j=NaN"], "j finite"),
        (["distortions=5"], "distortions an object"),
        (['distortions={"twist":1}'], "twist"),
        (['distortions={"inverse_scale":[1]}'], r"inverse_scale \(low, high\), .* got \(1,\)"),
        (['distortions={"inverse_scale":1}'], r"recipe.json .*inverse_scale.*not iterable"),
        (['distortions={"shear":null}'], r"recipe.json .*shear"),
    ],
)
def test_what_cannot_be_set_is_named(settings, named):
    with pytest.raises(ValueError, match=named):
        grid(["paper"], settings, [0])


def test_unknown_recipes_are_named():
    with pytest.raises(ValueError, match="authors-software"):
        grid(["papier"], [], [0])
