"""Other fields and other levels of the input, and what the experiment says of them."""

from dataclasses import replace

import msgspec
import pytest
import torch
from networks import randomised

from lenet1998 import catalogue
from lenet1998.data import load_digits_dataset
from lenet1998.data.field import BACKGROUND, INK
from lenet1998.evidence.inputs import INPUTS, ink_in_the_middle
from lenet1998.evidence.inside import states
from lenet1998.models import LeNet5Classic
from lenet1998.models.inputs import Field20, Field24, Field28
from lenet1998.runs.run import PassRecord, Run

SMALLER = {Field28: 42_720, Field24: 29_280, Field20: 19_680}


def seen_by_c3(net):
    """Per pixel of the image, how many of C3's receptive fields have it in their centre's cell."""
    image = torch.zeros(1, 1, 32, 32, requires_grad=True)
    maps = net.c3(net.s2(net.c1(net.prepare(image))))
    centres = []
    for row in range(maps.shape[-1]):
        (gradient,) = torch.autograd.grad(maps[0, 0, row, 0], image, retain_graph=True)
        rows = gradient[0, 0].abs().sum(1).nonzero().squeeze(1)
        centres.append((rows[0].item() + rows[-1].item() + 1) / 2)  # in edges of pixels
    return centres


@pytest.mark.parametrize(("kind", "square"), [(LeNet5Classic, 20), (Field28, 16), (Field24, 12)])
def test_centres_of_c3s_fields_cover_a_square_in_the_middle(kind, square):
    centres = seen_by_c3(randomised(kind()))
    first, last = centres[0] - 1, centres[-1] + 1  # half of the distance of two on either side
    assert (first + last) / 2 == 16 and last - first == square


@pytest.mark.parametrize(("kind", "parameters"), SMALLER.items())
def test_a_smaller_field_sees_the_middle_alone(kind, parameters):
    net, images = randomised(kind()), torch.rand(2, 1, 32, 32)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert states(net, images, "c5").shape == (2, 120, 1, 1)
    cut = (32 - net.SIDE) // 2
    framed = torch.full_like(images, BACKGROUND)
    inner = slice(cut, 32 - cut)
    framed[..., inner, inner] = images[..., inner, inner]
    assert torch.equal(net(framed), net(images))
    framed[..., cut, cut] += 1
    assert not torch.equal(net(framed), net(images))
    field = torch.rand(1, 1, 32, 40)
    crops = torch.cat([net(field[..., x : x + 32]) for x in (0, 4, 8)])
    torch.testing.assert_close(net.penalty_map(field)[0, :, 0].T, crops, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "paper", "ink"),
    [
        ("levels-unit", 0, 1),
        ("levels-symmetric", -1, 1),
        ("levels-inverted", INK, BACKGROUND),
        ("levels-standard", -0.364, 3.27),
    ],
)
def test_levels(name, paper, ink):
    net = randomised(catalogue.find(name).build())
    levels = torch.tensor([BACKGROUND, INK, (BACKGROUND + INK) / 2]).repeat_interleave(1024)
    images = levels.view(3, 1, 32, 32)
    expected = torch.tensor([paper, ink, (paper + ink) / 2])
    torch.testing.assert_close(net.prepare(images)[:, 0, 5, 5], expected)
    published = LeNet5Classic()
    published.load_state_dict(net.state_dict())
    torch.testing.assert_close(net(images), published(net.prepare(images)))


def test_standard_levels_have_mean_0_and_variance_1_on_mnist(mnist):
    seen = catalogue.find("levels-standard").build().prepare(mnist.training_images)
    assert seen.mean().item() == pytest.approx(0, abs=0.005)
    assert seen.var().item() == pytest.approx(1, abs=0.005)


def test_ink_in_the_middle():
    images = torch.full((2, 1, 32, 32), BACKGROUND)
    images[:, :, 15:17, 15:17] = INK
    images[1, :, 5:7, 15:17] = INK  # its lower row alone is within 20x20
    found = ink_in_the_middle(images, 20)
    assert (found.side, found.whole_percent) == (20, 50)
    assert found.ink_percent == pytest.approx(100 * 10 / 12, abs=1e-3)


@pytest.mark.parametrize(
    ("early", "holds"), [([3.0, 3.11], "yes"), ([2.0, 2.0], "not shown"), ([1.5, 1.59], "not here")]
)
def test_claims(early, holds):
    digits = replace(load_digits_dataset().first(150, 60), name="MNIST", is_papers=True)
    runs = {}
    for recipe in INPUTS.recipes:
        at = [2.0, 2.1] if recipe.name == "paper" else early
        runs[recipe.name] = [
            Run(
                recipe.build().eval(), replace(recipe, seed=seed), "MNIST", "fused",
                [PassRecord(number, 1e-4, 5.0, 0.1, at[seed]) for number in (1, 2, 3)],
            )
            for seed in (0, 1)
        ]  # fmt: skip
    values = INPUTS.measure(runs, digits)
    assert INPUTS.read(msgspec.json.decode(msgspec.json.encode(values))) == values
    section = INPUTS.present(values, digits)
    assert [claim.number for claim in section.claims] == [4, 5, 5]
    assert section.claims[-1].holds == holds
    effects = {row[0]: row[-1] for row in section.tables[1].rows}
    assert effects.pop("-0.1 and 1.175, as published") == "–"
    assert set(effects.values()) == {"not told apart"}  # none has learnt anything
    assert all(plot.png.startswith(b"\x89PNG") for plot in section.plots)
    for moments, verdict in {(0.03, 0.12): "in part", (0, 1): "yes", (1, 0.1): "not here"}.items():
        other = replace(values, levels=values.levels | {"paper": moments})
        assert INPUTS.present(other, digits).claims[1].holds == verdict
    elsewhere = INPUTS.present(values, replace(digits, is_papers=False))
    assert not elsewhere.claims and any("not to be set against" in text for text in elsewhere.text)
