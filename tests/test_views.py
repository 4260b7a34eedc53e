"""The figures show the network's own numbers, and say what they show."""

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn

from lenet1998 import LeNet5Classic, codes, load
from lenet1998.data import Dataset
from lenet1998.report.views import MOST_DIGITS, first_layer_kernels, layer_maps, misread_digits


@pytest.fixture(scope="module")
def net() -> LeNet5Classic:
    net = load("lenet5-classic")
    assert isinstance(net, LeNet5Classic)
    return net


@pytest.fixture(scope="module")
def image() -> Tensor:
    """A rough 7."""
    image = torch.full((1, 1, 32, 32), -0.1)
    image[..., 7:10, 9:22] = 1.175
    for row in range(9, 26):
        image[..., row, 21 - (row - 9) // 2 - 2 : 21 - (row - 9) // 2 + 1] = 1.175
    return image


def drawn(figure: Figure) -> list[Tensor]:
    """Every picture in the figure, in the order of drawing."""
    return [torch.from_numpy(np.array(one.get_array())) for one in figure.axes[0].images]


def texts(figure: Figure) -> list[str]:
    return [text.get_text().strip() for text in figure.axes[0].texts]


def png(figure: Figure) -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file)
    return Image.open(file)


def test_layer_maps_draw_the_states(net: LeNet5Classic, image: Tensor) -> None:
    pictures = drawn(layer_maps(net, image))
    assert len(pictures) == 1 + 6 + 6 + 16 + 16 + 1 + 1 + 10
    with torch.no_grad():
        c1 = net.squash(net.c1(image))
        s2 = net.squash(net.s2(c1))
        c3 = net.squash(net.c3(s2))
        s4 = net.squash(net.s4(c3))
        c5 = net.squash(net.c5(s4))
        state = net.f6_state(image)
    expected = [image[0, 0], *c1[0], *s2[0], *c3[0], *s4[0], c5.view(1, 120), state.view(12, 7)]
    expected += [code.view(12, 7) for code in codes.centres()]
    for found, right in zip(pictures, expected, strict=True):
        torch.testing.assert_close(found, right)


def test_layer_maps_share_one_scale(net: LeNet5Classic, image: Tensor) -> None:
    images = layer_maps(net, image).axes[0].images
    assert {one.get_clim() for one in images} == {(-1.7159, 1.7159)}
    assert len({one.get_cmap().name for one in images}) == 1


def test_layer_maps_name_layers_penalties_and_answer(net: LeNet5Classic, image: Tensor) -> None:
    words = texts(layer_maps(net, image))
    assert {"Input", "C1", "S2", "C3", "S4", "C5", "F6", "Output"} <= set(words)
    with torch.no_grad():
        penalties = net(image)[0]
    assert f"reads {penalties.argmin()}" in words
    numbers = [f"{penalty:.1f}" for penalty in penalties.tolist()]
    assert [word for word in words if word in numbers] == numbers


def test_layer_maps_take_the_callers_verdict(net: LeNet5Classic, image: Tensor) -> None:
    words = texts(layer_maps(net, image, verdict="not a digit"))
    assert "not a digit" in words and not any(word.startswith("reads") for word in words)


def test_a_refused_image_has_no_winning_code(net: LeNet5Classic, image: Tensor) -> None:
    def boxes(verdict: str | None) -> int:
        patches = layer_maps(net, image, verdict=verdict).axes[0].patches
        return sum(patch.get_linewidth() > 1 for patch in patches)

    assert (boxes(None), boxes("not a digit")) == (1, 0)


def test_layer_maps_leave_the_network_as_it_was(image: Tensor) -> None:
    net = LeNet5Classic().train()
    layer_maps(net, image)
    assert net.training and not net.squash._forward_hooks
    with pytest.raises(ValueError, match="dtype"):
        layer_maps(net, image.double())
    assert not net.squash._forward_hooks


@pytest.mark.parametrize("count", [0, 2])
def test_layer_maps_take_one_image(net: LeNet5Classic, count: int) -> None:
    with pytest.raises(ValueError, match=f"one image at a time, got {count}"):
        layer_maps(net, torch.zeros(count, 1, 32, 32))


def test_first_kernels_are_c1s(net: LeNet5Classic) -> None:
    figure = first_layer_kernels(net)
    torch.testing.assert_close(torch.stack(drawn(figure)), net.c1.weight.detach()[:, 0])
    largest = float(net.c1.weight.detach().abs().max())
    for one in figure.axes[0].images:
        assert one.get_clim() == pytest.approx((-largest, largest))
    bias = nn.Module.state_dict(net)["c1.bias"]
    assert [word for word in texts(figure) if word.startswith("bias")] == [
        f"bias {value:+.2f}".replace("-", "−") for value in bias.tolist()
    ]


def dataset_of(name: str, images: Tensor, labels: Tensor) -> Dataset:
    return Dataset(name, images[:0], labels[:0], images, labels)


def test_misread_digits_are_the_chosen_ones() -> None:
    images = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 1, 32, 32) / 5
    digits = dataset_of("UCI digits, not MNIST", images, torch.tensor([4, 5, 6, 7, 8]))
    figure = misread_digits(digits, {4: 0, 1: 3})
    assert [float(picture[0, 0]) for picture in drawn(figure)] == pytest.approx([0.8, 0.2])
    assert texts(figure)[2:] == ["8→0", "5→3"]
    assert texts(figure)[:2] == ["UCI digits, not MNIST", "2 of 5 misread (label→answer)"]


def test_misread_digits_leave_out_the_padding_only() -> None:
    image = torch.arange(1024.0).view(1, 1, 32, 32) / 1024
    zero = torch.zeros(1, dtype=torch.int64)
    (picture,) = drawn(misread_digits(dataset_of("MNIST", image, zero), {0: 1}))
    assert torch.equal(picture, image[0, 0, 2:30, 2:30])


@pytest.mark.parametrize("count", [0, 1, 13, MOST_DIGITS, MOST_DIGITS + 40])
def test_many_misread_digits_are_counted_and_cut(count: int) -> None:
    images = torch.zeros(1, 1, 32, 32).expand(3000, 1, 32, 32)
    zero = torch.zeros(3000, dtype=torch.int64)
    figure = misread_digits(dataset_of("MNIST", images, zero), dict.fromkeys(range(count), 1))
    assert len(drawn(figure)) == min(count, MOST_DIGITS)
    part = f", the first {MOST_DIGITS} shown" if count > MOST_DIGITS else ""
    assert texts(figure)[1] == f"{count} of 3,000 misread{part} (label→answer)"


def test_figures_fit_a_narrow_page(net: LeNet5Classic, image: Tensor) -> None:
    for figure in (layer_maps(net, image), first_layer_kernels(net)):
        picture = png(figure)
        assert picture.width == 1000
        # Nothing runs out of the page: its rim is white.
        pixels = np.asarray(picture.convert("L"))
        for rim in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert (rim == 255).all()


def test_no_pyplot_keeps_the_figures() -> None:
    code = "import sys, lenet1998.report.views; print('matplotlib.pyplot' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
