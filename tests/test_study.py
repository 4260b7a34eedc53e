"""Many runs at once: each as if alone, none repeated, none lost."""

import pytest
import torch

from lenet1998.data import load_dataset
from lenet1998.learning import Recipe, RunError, train, train_many
from lenet1998.learning.study import run_folder
from lenet1998.learning.training import STATE


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    ended = []
    recipes = [Recipe(seed=seed) for seed in (4, 5)]
    runs = train_many(recipes, "digits", folder, passes=2, jobs=2, on_run=ended.append)
    return folder, recipes, runs, ended


def test_runs_come_in_the_order_of_their_recipes(study):
    _, recipes, runs, ended = study
    assert [run.recipe for run in runs] == recipes
    assert {run.recipe.seed for run in ended} == {4, 5}
    assert all(len(run.records) == 2 for run in runs)


def test_each_run_has_the_bits_that_it_has_alone(study):
    _, recipes, runs, _ = study
    alone = train(recipes[1], load_dataset("digits"), passes=2)
    for ours, same in zip(runs[1].net.parameters(), alone.net.parameters(), strict=True):
        assert torch.equal(ours, same)


def test_a_second_call_repeats_nothing_and_goes_on(study):
    folder, recipes, _, _ = study
    states = [run_folder(folder, recipe) / STATE for recipe in recipes]
    written = [state.stat().st_mtime_ns for state in states]
    train_many(recipes, "digits", folder, passes=2, jobs=2)
    assert [state.stat().st_mtime_ns for state in states] == written
    longer = train_many(recipes[:1], "digits", folder, passes=3)[0]
    alone = train(recipes[0], load_dataset("digits"), passes=3)
    for ours, same in zip(longer.net.parameters(), alone.net.parameters(), strict=True):
        assert torch.equal(ours, same)


def test_clashes_are_named(study):
    folder, _, _, _ = study
    with pytest.raises(ValueError, match="same name and seed"):
        train_many([Recipe(), Recipe(mu=0.1)], "digits", folder)
    with pytest.raises(RunError, match="mu"):
        train_many([Recipe(seed=5, mu=0.1)], "digits", folder, passes=2)
    with pytest.raises(RunError, match="more than 1 passes"):
        train_many([Recipe(seed=5)], "digits", folder, passes=1)
