"""The catalogue: every network, its recipe, and the way back from its class."""

from dataclasses import replace

import pytest
from torch import nn

from lenet1998.catalogue import COMPARED, NETWORKS, entry_of, find
from lenet1998.evidence import facts
from lenet1998.learning import PRESETS
from lenet1998.learning.presets import recipe_for
from lenet1998.models import Network


@pytest.mark.parametrize("name", NETWORKS)
def test_an_entry_says_what_can_be_built_and_trained(name: str) -> None:
    entry = find(name)
    net = entry.build()
    assert isinstance(net, Network) and type(net) is entry.kind
    assert entry_of(type(net)).kind is entry.kind
    assert type(entry.build(**net.arguments())) is entry.kind
    recipe = recipe_for(name)
    assert type(recipe.build()) is entry.kind
    # A variant is trained as LeNet-5 is, by its recipe but for the names.
    usual = PRESETS[entry.recipe]
    assert replace(recipe, name=usual.name, network=usual.network) == usual
    assert recipe.name in (usual.name, name)
    assert entry.words and "\n" not in entry.words


def test_every_class_is_found_back_by_its_first_entry() -> None:
    firsts = {entry.network: name for name, entry in reversed(NETWORKS.items())}
    assert {entry_of(find(name).kind).name for name in NETWORKS} == set(firsts.values())
    with pytest.raises(ValueError, match=r"Linear is no network of lenet1998\.catalogue"):
        entry_of(nn.Linear)


def test_published_errors_are_numbers_or_bars_of_the_paper() -> None:
    assert facts.published("lenet5-classic") == facts.TEST_ERROR
    assert facts.published("lenet5-classic-distorted") == facts.TEST_ERROR_DISTORTED
    for name, entry in NETWORKS.items():
        assert (facts.published(name) is None) == (entry.published is None)


def test_what_is_compared() -> None:
    assert COMPARED[0] == "lenet5-classic"
    assert set(COMPARED) == {name for name, entry in NETWORKS.items() if entry.compared}
    assert all(recipe.network in NETWORKS for recipe in PRESETS.values())


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no network 'lenet-6': expected one of lenet5-classic, "):
        find("lenet-6")
