"""LeNet-5's plan in today's terms."""

import pytest
import torch
import torch.nn.functional as F

from lenet1998.measures.counting import count_layers
from lenet1998.models import LeNet5Modern

PARAMETERS_OF_LAYER = {"c1": 156, "c3": 2_416, "c5": 48_120, "f6": 10_164, "output": 850}


@pytest.fixture
def net() -> LeNet5Modern:
    torch.manual_seed(0)
    return LeNet5Modern()


def test_maps_and_parameters_are_those_of_the_plan(net: LeNet5Modern) -> None:
    layers = count_layers(net)
    assert [(layer.name, layer.maps, layer.size) for layer in layers] == [
        ("c1", 6, (28, 28)),
        ("s2", 6, (14, 14)),
        ("c3", 16, (10, 10)),
        ("s4", 16, (5, 5)),
        ("c5", 120, (1, 1)),
        ("f6", 84, (1, 1)),
        ("output", 10, (1, 1)),
    ]
    trainable = {layer.name: layer.trainable for layer in layers if layer.trainable}
    assert trainable == PARAMETERS_OF_LAYER
    assert sum(p.numel() for p in net.parameters()) == 61_706


def test_forward_is_the_plan_written_out(net: LeNet5Modern) -> None:
    images = torch.randn(7, 1, 32, 32)
    x = F.max_pool2d(F.relu(F.conv2d(images, net.c1.weight, net.c1.bias)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, net.c3.weight, net.c3.bias)), 2)
    # C5 as in 1998: a convolution whose kernels cover their maps.
    x = F.relu(F.conv2d(x, net.c5.weight.view(120, 16, 5, 5), net.c5.bias)).squeeze((2, 3))
    x = F.relu(F.linear(x, net.f6.weight, net.f6.bias))
    expected = F.linear(x, net.output.weight, net.output.bias)
    torch.testing.assert_close(net(images), expected, atol=1e-6, rtol=1e-5)


def test_every_parameter_learns(net: LeNet5Modern) -> None:
    F.cross_entropy(net(torch.randn(20, 1, 32, 32)), torch.arange(20) % 10).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_prediction_is_the_largest_logit_and_does_not_depend_on_the_batch(
    net: LeNet5Modern,
) -> None:
    images = torch.rand(30, 1, 32, 32)
    answers = net.predict(images)
    assert answers.dtype == torch.int64 and answers.shape == (30,)
    assert answers.tolist() == [net.predict(image[None]).item() for image in images]
    logits = net(images)
    assert (logits.gather(1, answers[:, None]) >= logits).all()


@pytest.mark.parametrize("shape", [(2, 1, 28, 28), (2, 3, 32, 32), (1, 32, 32), (2, 1, 36, 32)])
def test_other_shapes_are_refused(net: LeNet5Modern, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected images of shape \(N, 1, 32, 32\)"):
        net(torch.zeros(shape))


def test_another_dtype_is_refused(net: LeNet5Modern) -> None:
    with pytest.raises(ValueError, match=r"dtype torch\.float32, got torch\.uint8"):
        net(torch.zeros(2, 1, 32, 32, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("level", "message"), [(255.0, "expected -0.1"), (float("nan"), "NaN or infinite")]
)
def test_prediction_refuses_other_levels(net: LeNet5Modern, level: float, message: str) -> None:
    images = torch.zeros(2, 1, 32, 32)
    images[1, 0, 5, 5] = level
    with pytest.raises(ValueError, match=message):
        net.predict(images)
