"""Recipes: what is printed, what is checked, and where a network starts from."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lenet1998.data import Distortions
from lenet1998.learning import PRESETS, Recipe, initialise, preset
from lenet1998.models import LeNet5Classic


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
    recipe = preset(name, seed=7, distortions=Distortions(inverse_scale=(0.8, 1.2)))
    assert Recipe.from_json(recipe.to_json()) == recipe


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
            for eta in (0, -0.1, math.nan, math.inf, None, "a")
        ),
    ],
)
def test_a_bad_choice_is_named(change, named):
    with pytest.raises(ValueError, match=named):
        Recipe(**change)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="authors-software"):
        preset("papier")
    with pytest.raises(ValueError, match="penalty_scale"):  # among the fields there are
        Recipe.from_json('{"momentum": 0.9}')


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
