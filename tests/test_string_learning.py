"""Learning from whole strings: the recipe, a run, and going on with it."""

import json
from pathlib import Path

import pytest
import torch

from lenet1998 import load
from lenet1998.data import Dataset, load_dataset
from lenet1998.learning import PRESETS, preset, train
from lenet1998.learning.presets import from_values
from lenet1998.learning.recipe import StringRecipe
from lenet1998.learning.strings import forward_loss, log_posteriors, spelt


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits").first(200, 20)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learnt nothing yet."""
    folder = tmp_path_factory.mktemp("start")
    preset("paper-strings").build().save_pretrained(folder)
    return folder


def recipe(start: Path, **changes: object) -> StringRecipe:
    return StringRecipe(
        start=str(start), passes=3, strings=48, batch_size=8, digits=(1, 3), **changes
    )


def test_the_loss_of_whole_strings_falls(digits: Dataset, start: Path) -> None:
    run = train(recipe(start, rate=0.004, gaps=(2, 6)), digits)
    losses = [record.online_loss for record in run.records]
    assert losses[-1] < 0.8 * losses[0]
    # The rubbish class plays no part unless it is asked to.
    assert run.net.j == 100 and load(start).j == 1


def test_a_run_goes_on_as_if_it_had_not_been_stopped(
    digits: Dataset, start: Path, tmp_path: Path
) -> None:
    how = recipe(start)
    straight = train(how, digits).net.state_dict()

    class Stop(Exception):
        pass

    def stop(standing) -> None:
        if standing.finished and standing.finished.number == 2:
            raise Stop

    with pytest.raises(Stop):
        train(how, digits, folder=tmp_path, on_progress=stop)
    resumed = train(how, digits, folder=tmp_path, resume=True)
    assert all(values.equal(straight[name]) for name, values in resumed.net.state_dict().items())
    assert resumed.recipe == how == from_values(json.loads(how.to_json()))


def test_the_best_labelling_spells_a_string() -> None:
    best = torch.tensor([[1, 1, 2, 0, 0, 2, 0], [2, 2, 2, 2, 2, 2, 2]])
    outputs = torch.nn.functional.one_hot(best, 3).double().log_softmax(-1)
    assert spelt(outputs) == [[1, 0, 0], []]


def test_outputs_are_probabilities_of_digits_and_gap(start: Path) -> None:
    net = load(start)
    fields = torch.rand(2, 1, 32, 60) - 0.1
    with torch.no_grad():
        penalties = net.penalty_map(fields, every=2)
        rows = log_posteriors(net, penalties)
    assert rows.shape == (2, 15, 11)
    torch.testing.assert_close(rows.exp().sum(-1), torch.ones(2, 15))
    weights = (-net.penalty_scale * penalties[:, :, 0]).exp()
    whole = weights.sum(1) + torch.tensor(-net.j).exp()
    torch.testing.assert_close(rows.exp()[..., 3], weights[:, 3] / whole)
    with pytest.raises(ValueError, match="expected a network whose last class is a blank"):
        log_posteriors(load("lenet5-classic"), penalties[:, :10])


def test_a_string_without_a_path_teaches_nothing() -> None:
    outputs = torch.randn(1, 2, 11, requires_grad=True)
    loss = forward_loss(outputs.log_softmax(-1), torch.tensor([[1, 2, 3]]))
    loss.sum().backward()
    assert loss.item() == 0 and outputs.grad is not None and not outputs.grad.any()


def test_the_recipe_says_what_is_wrong_with_it() -> None:
    for choice, words in (
        ({"every": 3}, "every 4 or 2"), ({"digits": (0, 2)}, "digits"), ({"rate": 0.0}, "rate"),
        ({"gaps": (3, 1)}, "gaps"), ({"disturbed": 2.0}, "disturbed"), ({"slant": -1.0}, "slant"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"recipe: expected {words}"):
            StringRecipe(**choice)
    assert isinstance(PRESETS["strings-global"], StringRecipe)
