"""Grids: every combination, each under a name of its own."""

import pytest

from lenet1998.learning import preset
from lenet1998.runs.grid import grid


def test_every_combination_in_order():
    recipes = grid(["paper", "authors-software"], ["mu=0.05,0.1", "loss=mle,map"], range(2))
    assert [(recipe.name, recipe.seed) for recipe in recipes] == [
        (name + changes, seed)
        for name in ("paper", "authors-software")
        for changes in (",mu=0.05,loss=mle", ",mu=0.05", ",mu=0.1,loss=mle", ",mu=0.1")
        for seed in (0, 1)
    ]
    assert (recipes[0].mu, recipes[0].loss) == (0.05, "mle")
    assert recipes[2] == preset("paper", mu=0.05, name="paper,mu=0.05")


def test_a_recipe_that_nothing_changes_keeps_its_name():
    assert grid(["paper"], ["mu=0.02,0.020"], [3]) == [preset("paper", seed=3)]
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
        (["mu=small"], r"cannot set mu=\"small\": Expected `float`, got `str` - at `\$\.mu`"),
        (["mu=-1"], "mu > 0"),
        (["mu=0.1", "mu=0.2"], "mu is set twice"),
        (["loss=mse"], "loss"),
        (["training_patterns=1.5"], r"`int \| null`, got `float` - at `\$\.training_patterns`"),
        (["fresh=1"], r"`bool`, got `int` - at `\$\.fresh`"),
        (["curvature_patterns=true"], r"`int`, got `bool` - at `\$\.curvature_patterns`"),
        (["schedule=[2]"], r"schedule=\[2\]: Expected `array`, got `int`"),
        (["schedule=[[1]]"], r"schedule=\[\[1\]\]: Expected `array` of length 2, got 1"),
        (["schedule=[[1,2,3]]"], r"schedule=\[\[1, 2, 3\]\]: Expected `array` of length 2, got 3"),
        (["schedule=[[1,null]]"], r"`float`, got `null` - at `\$\.schedule\[0\]\[1\]`"),
        (['schedule=[[1,0.1],["a",0.2]]'], r"`int`, got `str` - at `\$\.schedule\[1\]\[0\]`"),
        (["schedule=[[1,0.1],[1,0.2]]"], "schedule of .first pass, eta. from pass 1 on, ascending"),
        (["j=NaN"], "j below 1e30 and finite"),
        (["distortions=5"], r"`object`, got `int` - at `\$\.distortions`"),
        (['distortions={"twist":1}'], r"no field distortions\.twist"),
        (['distortions={"inverse_scale":[1]}'], r"length 2, got 1 - at .*inverse_scale`"),
        (
            ['distortions={"inverse_scale":[2,1]}'],
            r"inverse_scale \(low, high\), .* got \(2.0, 1.0\)",
        ),
        (['distortions={"inverse_scale":1}'], r"`array`, got `int` - at .*inverse_scale`"),
        (['distortions={"shear":null}'], r"`float`, got `null` - at .*shear`"),
        (["network=lenet5-modern"], "network that ends in penalties"),
        (["rate=0.1"], "no field rate"),
        (["order={}"], r"`str`, got `object` - at `\$\.order`"),
    ],
)
def test_what_cannot_be_set_is_named(settings, named):
    with pytest.raises(ValueError, match=named):
        grid(["paper"], settings, [0])


def test_recipes_of_today_have_grids_too():
    recipes = grid(["modern"], ["rate=0.001,0.003", "distortions=null"], [0, 1])
    assert [(recipe.name, recipe.seed) for recipe in recipes] == [
        (name, seed)
        for name in ("modern,rate=0.001,distortions=null", "modern,distortions=null")
        for seed in (0, 1)
    ]
    assert recipes[0] == preset("modern", rate=0.001, distortions=None, name=recipes[0].name)
    (changed,) = grid(["modern"], ['distortions={"shear":0.2}'], [0])
    assert changed.distortions.shear == 0.2
    assert changed.distortions.translation == preset("modern").distortions.translation
    with pytest.raises(ValueError, match="no field mu"):
        grid(["modern"], ["mu=0.1"], [0])


def test_unknown_recipes_are_named():
    with pytest.raises(ValueError, match="authors-software"):
        grid(["papier"], [], [0])
