"""The networks that tutorials call LeNet-5."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision import transforms

from lenet1998 import catalogue
from lenet1998.data import to_network_input
from lenet1998.measures.counting import count_layers
from lenet1998.models import LeNet5Modern
from lenet1998.models.tutorials import (
    AveragePoolingNet,
    MaxPoolingNet,
    OneConvolutionNet,
    ResizedInputNet,
    TutorialNetwork,
)


@pytest.fixture
def pixels() -> Tensor:
    """`(20, 28, 28)` uint8: smooth grey, for a resize of noise would only test rounding."""
    coarse = torch.rand(20, 1, 7, 7, generator=torch.Generator().manual_seed(1))
    smooth = F.interpolate(coarse, (28, 28), mode="bicubic").clamp(0, 1)
    return (255 * smooth[:, 0]).round().to(torch.uint8)


def as_the_tutorial_does(pixels: Tensor, *steps: object) -> Tensor:
    transform = transforms.Compose(steps)
    return torch.stack([transform(Image.fromarray(np.asarray(image))) for image in pixels])


@pytest.mark.parametrize(
    ("network", "maps", "parameters"),
    [
        (AveragePoolingNet, [6, 6, 16, 16, 120, 84, 10], 44_426),
        (OneConvolutionNet, [32, 32, 32, 70, 30, 10], 442_446),
        (MaxPoolingNet, [6, 6, 16, 16, 120, 84, 10], 61_706),
        (ResizedInputNet, [6, 6, 16, 16, 120, 84, 10], 61_706),
    ],
)
def test_maps_and_parameters(
    network: type[TutorialNetwork], maps: list[int], parameters: int
) -> None:
    layers = count_layers(network())
    assert [layer.maps for layer in layers] == maps
    assert sum(layer.trainable for layer in layers) == parameters


@pytest.mark.parametrize(
    "network", [AveragePoolingNet, OneConvolutionNet, MaxPoolingNet, ResizedInputNet]
)
def test_the_contract_of_all_networks(network: type[TutorialNetwork]) -> None:
    net = network().eval()
    images = torch.rand(6, 1, 32, 32)
    scores = net(images)
    assert scores.shape == (6, 10)
    assert torch.equal(net.scores(images), scores) and net.rubbish == -float("inf")
    assert torch.equal(net.predict(images), scores.argmax(1))
    torch.testing.assert_close(net(images[:1]), scores[:1])
    with pytest.raises(ValueError, match="do not resize"):
        net(torch.zeros(2, 1, 28, 28))
    with pytest.raises(ValueError, match="dtype"):
        net(torch.zeros(2, 1, 32, 32, dtype=torch.float64))
    with pytest.raises(ValueError, match="levels"):
        net.predict(255 * images)


@pytest.mark.parametrize("network", [AveragePoolingNet, OneConvolutionNet])
def test_unpadded_input_is_the_tutorials(network: type[TutorialNetwork], pixels: Tensor) -> None:
    expected = as_the_tutorial_does(pixels, transforms.ToTensor())
    torch.testing.assert_close(network().prepare(to_network_input(pixels)), expected)


def test_resized_input_is_the_tutorials(pixels: Tensor) -> None:
    expected = as_the_tutorial_does(
        pixels,
        transforms.Resize((32, 32)),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    )
    prepared = ResizedInputNet().prepare(to_network_input(pixels))
    # The tutorial's picture is rounded to whole grey values, twice: after each of two directions.
    torch.testing.assert_close(prepared, expected, atol=1.01 / 255 / 0.3081, rtol=0)


def test_max_pooling_net_computes_what_the_modern_network_does() -> None:
    modern, tutorial = LeNet5Modern(), MaxPoolingNet()
    tutorial.load_state_dict(
        dict(zip(tutorial.state_dict(), modern.state_dict().values(), strict=True))
    )
    images = torch.randn(5, 1, 32, 32)
    torch.testing.assert_close(tutorial(images), modern(images))


def test_resized_input_net_has_no_activation_after_its_second_convolution() -> None:
    net = ResizedInputNet()
    second = next(
        i for i, layer in enumerate(net.layers) if getattr(layer, "out_channels", 0) == 16
    )
    flat = net.layers[: second + 3](net.prepare(torch.rand(4, 1, 32, 32)))
    assert flat.shape == (4, 400)
    assert (flat < 0).any()


def test_a_second_log_softmax_changes_neither_loss_nor_gradient() -> None:
    torch.manual_seed(0)
    net = ResizedInputNet()
    images, labels = torch.rand(8, 1, 32, 32), torch.arange(8)
    once = net.layers[:-1](net.prepare(images))
    of_once = torch.autograd.grad(F.cross_entropy(once, labels), net.layers[0].weight)
    twice = F.cross_entropy(net(images), labels)
    torch.testing.assert_close(twice, F.cross_entropy(once, labels))
    torch.testing.assert_close(torch.autograd.grad(twice, net.layers[0].weight), of_once)


def test_published_errors_are_those_of_the_sources() -> None:
    tutorials = [
        entry for name, entry in catalogue.NETWORKS.items() if name.startswith("tutorial-")
    ]
    assert [(entry.kind, entry.published) for entry in tutorials] == [
        (AveragePoolingNet, pytest.approx(100 - 98.72)),
        (OneConvolutionNet, pytest.approx(100 - 98.69)),
        (MaxPoolingNet, None),
        (ResizedInputNet, pytest.approx(100 - 97.72)),
        (ResizedInputNet, None),  # not mirrored, as its source has it not
    ]
