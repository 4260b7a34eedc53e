"""Recipes: what is printed, what is checked, and where a network starts from."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lenet1998.data import Distortions
from lenet1998.learning import PRESETS, MinibatchRecipe, Recipe, initialise, preset
from lenet1998.learning.presets import from_values
from lenet1998.models import LeNet5Classic


def from_json(text):
    """A recipe of either kind."""
    return from_values(json.loads(text))


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "3", True, None])
def test_absurd_seeds_are_refused(seed):
    for name in ("paper", "modern"):
        with pytest.raises(ValueError, match=r"expected seed a whole number from 0 to 2\^64 - 1"):
            preset(name, seed=seed)


def test_seeds_of_numpy_and_the_largest():
    assert json.loads(preset("paper", seed=np.int64(3)).to_json())["seed"] == 3
    preset("paper", seed=2**64 - 1).build()


def test_a_bad_choice_of_a_distortion_is_named():
    with pytest.raises(
        ValueError, match="distortions: shear: Expected `float`, got `str`, got 'x'"
    ):
        Distortions(shear="x")


def test_the_printed_schedule():
    recipe = Recipe()
    printed = {1: 5e-4, 2: 5e-4, 3: 2e-4, 5: 2e-4, 6: 1e-4, 8: 1e-4, 9: 5e-5, 12: 5e-5}
    assert {number: recipe.eta(number) for number in printed} == printed
    assert {recipe.eta(number) for number in range(13, 40)} == {1e-5}


def test_the_literal_recipe_is_what_is_printed():
    literal = preset("paper-literal")
    assert (literal.init_bound, literal.init_power) == (2.4, 1.0)
    assert (literal.mu, literal.curvature_patterns, literal.order) == (0.02, 500, "constant")
    assert literal.penalty_scale == 1.0  # eq. 7 has no factor 1/2


@pytest.mark.parametrize("name", PRESETS)
def test_json_round_trip(name):
    changed = preset(name, seed=7, distortions=Distortions(inverse_scale=(0.8, 1.2)))
    for recipe in (PRESETS[name], changed):
        read = from_json(recipe.to_json())
        assert type(read) is type(recipe) and read == recipe
        assert type(recipe).from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"loss": "mse"}, "loss"),
        ({"order": "sorted"}, "order"),
        ({"output_curvature": "exact"}, "output_curvature"),
        ({"mu": 0.0}, "mu"),
        ({"init_bound": -1.0}, "init_bound"),
        ({"curvature_patterns": 0}, "curvature_patterns"),
        ({"distorted_copies": -1}, "distorted_copies"),
        ({"schedule": ((2, 1e-3),)}, "schedule"),
        ({"schedule": ((1, 1e-3), (1, 1e-4))}, "schedule"),
        ({"schedule": ()}, "schedule"),
        *(
            ({name: value}, f"expected {name} .*finite, got {value}")
            for name in ("init_bound", "init_power", "penalty_scale", "j", "mu", "coefficient")
            for value in (math.nan, math.inf)
        ),
        *(
            ({"schedule": ((1, 1e-3), (2, eta))}, f"eta of the schedule .*, got {eta!r}")
            for eta in (0.0, -0.1, math.nan, math.inf)
        ),
        *(
            ({name: value}, f"recipe: {name}: Expected .*, got {re.escape(repr(value))}")
            for name, value in (
                ("mu", "a"),
                ("mu", None),
                ("mu", 1j),
                ("mu", True),
                ("curvature_patterns", True),
                ("schedule", ((True, 1e-3),)),
                ("training_patterns", 1.5),
                ("curvature_patterns", 2.5),
                ("schedule", ((1, None),)),
                ("schedule", 3),
                ("characters", 5),
                ("fresh", 1),
            )
        ),
        ({"inverted_pixels": math.nan}, "inverted_pixels from 0 to 1, got nan"),
        ({"mu": 10**400}, "recipe: mu: Number out of range"),
        ({"mu": "\ud800"}, "recipe: mu: .*surrogates"),
        *(
            ({name: 1e308}, f"expected {name} .*1e30")
            for name in ("init_bound", "j", "coefficient")
        ),
        ({"init_power": -1e308}, "expected init_power from -10 to 10"),
        ({"rule": "lbfgs"}, "rule 'sdlm' or 'sgd' or 'adam', got 'lbfgs'"),
        ({"training_patterns": 0}, "training_patterns >= 1 or None, got 0"),
        ({"inverted_pixels": 1.1}, "inverted_pixels from 0 to 1, got 1.1"),
        ({"inverted_pixels": -0.1}, "inverted_pixels from 0 to 1, got -0.1"),
        ({"network": "lenet-6"}, "no network 'lenet-6': .*lenet5-classic.*full-c3"),
        *(
            ({"characters": bad}, "characters of ASCII 32 to 126, each once, or None")
            for bad in ("", "ABA", "é", "\x7f")
        ),
        ({"network": "lenet5-modern"}, "network that ends in penalties, got 'lenet5-modern'"),
    ],
)
def test_a_bad_choice_is_named(change, named):
    with pytest.raises(ValueError, match=named):
        Recipe(**change)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"optimiser": "adamw"}, "expected optimiser 'adam' or 'sgd', got 'adamw'"),
        ({"schedule": "step"}, "expected schedule 'constant' or 'cosine' or 'one-cycle'"),
        ({"rate": 0.0}, "expected rate > 0 and finite, got 0.0"),
        ({"rate": math.nan}, "expected rate > 0 and finite, got nan"),
        ({"batch_size": 0}, "expected batch_size > 0"),
        ({"passes": -1}, "expected passes > 0"),
        ({"weight_decay": -0.1}, "expected weight_decay >= 0"),
        ({"label_smoothing": 1.0}, "expected label_smoothing from 0 to below 1"),
        ({"passes": 1.5}, "passes: Expected `int`, got `float`, got 1.5"),
        ({"rate": True}, "rate: Expected `float`, got `bool`, got True"),
        ({"label_smoothing": -0.1}, "expected label_smoothing from 0 to below 1"),
        ({"network": "lenet-6"}, "no network 'lenet-6'"),
    ],
)
def test_a_bad_choice_of_today_is_named(change, named):
    with pytest.raises(ValueError, match=named):
        MinibatchRecipe(**change)


def test_the_ends_of_a_range_are_in_it():
    recipe = Recipe(characters=" A~", inverted_pixels=1)
    assert recipe.build().output.centres.shape == (3, 84) and Recipe(inverted_pixels=0).build()


def test_how_long_a_recipe_lasts():
    assert (MinibatchRecipe().passes, MinibatchRecipe().seed, Recipe().seed) == (10, 0, 0)
    assert preset("paper").passes == 20
    assert preset("paper").lasting(3) == preset("paper")  # its schedule has a rate for any pass
    assert preset("modern").lasting(3) == preset("modern", passes=3)


def test_choices_are_what_is_not_usual():
    assert preset("paper", seed=4).choices() == {}
    assert preset("authors-software").choices() == {"init_bound": 1.0, "penalty_scale": 0.5}
    tutorial = {"network": "tutorial-resized-input", "passes": 5, "flips": True}
    assert preset("tutorial-resized-input").choices() == tutorial


def test_a_tutorials_recipe_is_as_published():
    assert preset("tutorial-resized-input") == MinibatchRecipe(
        "tutorial-resized-input",
        network="tutorial-resized-input",
        optimiser="adam",
        rate=0.001,
        schedule="constant",
        batch_size=64,
        passes=5,
        flips=True,
    )


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="authors-software"):
        preset("papier")
    for read in (Recipe.from_json, from_json):
        with pytest.raises(ValueError, match=r"no field momentum: .*penalty_scale"):
            read('{"momentum": 0.9}')
    with pytest.raises(ValueError, match=r"no field mu: .*label_smoothing"):
        from_json('{"optimiser": "adam", "mu": 0.1}')


@pytest.mark.parametrize(
    "text", ["[1]", "3", "null", "{", '{"mu": "small"}', '{"mu": "\\ud800"}', "[" * 100_000]
)
def test_what_is_no_recipe_is_refused(text):
    for read in (Recipe.from_json, MinibatchRecipe.from_json):
        with pytest.raises(ValueError):
            read(text)


@pytest.mark.parametrize("name", ["modern", "tutorial-one-convolution"])
def test_todays_networks_start_from_the_seed_alone(name):
    def start(seed):
        state = preset(name, seed=seed).build().state_dict()
        return torch.cat([values.flatten().double() for values in state.values()])

    before = torch.get_rng_state()
    first = start(0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(start(0), first)
    assert not torch.equal(start(1), first)


def test_the_network_carries_the_scale_and_j_of_its_recipe():
    net = Recipe(penalty_scale=0.3, j=2.0).build()
    assert (net.penalty_scale, net.j, net.rubbish) == (0.3, 2.0, -2.0)
    images = torch.rand(2, 1, 32, 32)
    assert torch.equal(net.scores(images), -0.3 * net(images))


@given(st.integers(0, 2**31 - 1))
def test_start_depends_on_the_seed_alone(seed):
    first, second = LeNet5Classic(), LeNet5Classic()
    initialise(first, Recipe(seed=seed))
    torch.rand(3)
    initialise(second, replace(Recipe(seed=seed), mu=0.3, loss="mle"))
    for ours, same in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, same)


@pytest.mark.parametrize(("bound", "power"), [(1.2, 0.5), (2.4, 1.0)])
def test_start_follows_each_unit_s_own_fan_in(bound, power):
    net = LeNet5Classic()
    initialise(net, Recipe(init_bound=bound, init_power=power))

    def reaches(weights, fan_in):
        limit = bound / fan_in**power
        assert weights.abs().max() <= limit
        assert weights.abs().max() > 0.85 * limit
        assert abs(weights.mean()) < 0.35 * limit

    reaches(net.c1.weight, 25)
    reaches(net.c5.weight, 400)
    reaches(net.f6.weight, 120)
    for weights, row in zip(
        net.c3.weight.split([len(row) for row in net.c3.table]), net.c3.table, strict=True
    ):
        reaches(weights, 25 * len(row))
    for layer in (net.s2, net.s4):
        assert torch.equal(layer.coefficient, torch.full_like(layer.bias, bound / 4**power))
    for name in net.TRAINED_LAYERS:
        assert not net.get_submodule(name).bias.any()


def test_numbers_of_numpy_are_as_good_as_pythons():
    recipe = Recipe(
        mu=np.float32(0.5),
        j=np.int64(2),
        curvature_patterns=np.int32(30),
        schedule=((np.int64(1), np.float32(0.25)),),
    )
    assert recipe == Recipe(mu=0.5, j=2, curvature_patterns=30, schedule=((1, 0.25),))
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert [type(one) for one in (recipe.mu, recipe.j)] == [float, float]
