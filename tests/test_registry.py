"""The trained networks of the package."""

import json

import pytest
import torch

import lenet1998
from lenet1998.data import load_dataset
from lenet1998.evaluation import evaluate
from lenet1998.learning import Recipe, train
from lenet1998.learning.seeds import MINIBATCH, minibatch_recipe
from lenet1998.models import registry
from lenet1998.models.weights import WeightsError


@pytest.mark.parametrize("name", registry.cards())
def test_packaged_network_has_the_error_that_its_card_states(name, mnist):
    card = registry.cards()[name]
    net = lenet1998.load(name)
    measured = evaluate(net, mnist.test_images, mnist.test_labels, mnist.name)
    # Sums are rounded in another order on other machines: a digit or two may change sides.
    assert measured.error_percent == pytest.approx(card.test_error_percent, abs=0.021)
    assert card.dataset == mnist.name
    assert not net.training


@pytest.mark.parametrize("name", registry.cards())
def test_recipe_on_the_card_can_be_read_back(name):
    card = registry.cards()[name]
    if name in MINIBATCH:
        assert minibatch_recipe(card.recipe) == MINIBATCH[name][1]
    else:
        assert Recipe.from_json(json.dumps(card.recipe)).seed == card.seed


def test_the_classic_network_is_there():
    assert isinstance(lenet1998.load("lenet5-classic"), lenet1998.LeNet5Classic)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="lenet5-classic"):
        lenet1998.load("lenet-6")


def test_added_network_is_loaded_and_a_changed_file_is_refused(tmp_path, monkeypatch):
    run = train(Recipe(), load_dataset("digits"), passes=1)
    registry.add("mine", run, "a test", tmp_path)
    monkeypatch.setattr(registry, "_folder", lambda: tmp_path)
    for ours, expected in zip(
        lenet1998.load("mine").parameters(), run.net.parameters(), strict=True
    ):
        assert torch.equal(ours, expected)
    assert registry.cards()["mine"].dataset == "UCI digits, not MNIST"
    file = tmp_path / "mine.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(WeightsError, match=r"mine\.safetensors"):
        lenet1998.load("mine")
