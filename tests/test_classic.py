"""Section II.B, Fig. 2, Table I: LeNet-5 itself, and how it behaves as a PyTorch module."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from exact import with_random_parameters
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from lenet1998 import LeNet5Classic, codes
from lenet1998.models.classic import TABLE_I

# Typed from the paper once more: a row per S2 map, a column per C3 map, X where they connect.
TABLE_I_AS_PRINTED = """
X...XXX..XXXX.XX
XX...XXX..XXXX.X
XXX...XXX..X.XXX
.XXX..XXXX..X.XX
..XXX..XXXX.XX.X
...XXX..XXXX.XXX
"""

PARAMETERS_OF_LAYER = {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}

SHAPES = {
    "c1.weight": (6, 1, 5, 5),
    "c1.bias": (6,),
    "s2.coefficient": (6,),
    "s2.bias": (6,),
    "c3.weight": (60, 5, 5),
    "c3.bias": (16,),
    "s4.coefficient": (16,),
    "s4.bias": (16,),
    "c5.weight": (120, 16, 5, 5),
    "c5.bias": (120,),
    "f6.weight": (84, 120),
    "f6.bias": (84,),
}

STATES = {
    "c1": (6, 28, 28),
    "s2": (6, 14, 14),
    "c3": (16, 10, 10),
    "s4": (16, 5, 5),
    "c5": (120, 1, 1),
    "f6": (1, 1, 84),  # at the one position that C5's map has on a field of 32x32
}


@pytest.fixture
def net() -> LeNet5Classic:
    return LeNet5Classic()


def images_of(count: int, dtype: torch.dtype = torch.float32, side: int = 32) -> Tensor:
    """Noise on the paper's scale."""
    return torch.empty(count, 1, side, side, dtype=dtype).uniform_(-0.1, 1.175)


# Architecture


def test_table_i() -> None:
    columns = zip(*TABLE_I_AS_PRINTED.split(), strict=True)
    printed = (tuple(s2 for s2, cell in enumerate(column) if cell == "X") for column in columns)
    assert tuple(printed) == TABLE_I


def test_parameters_by_layer(net: LeNet5Classic) -> None:
    counted = {
        name: sum(p.numel() for p in layer.parameters())
        for name, layer in net.named_children()
        if any(True for _ in layer.parameters())
    }
    assert counted == PARAMETERS_OF_LAYER
    assert sum(p.numel() for p in net.parameters()) == 60_000
    assert sum(b.numel() for b in net.output.buffers()) == 840


def test_names_and_shapes_of_the_parameters(net: LeNet5Classic) -> None:
    assert {name: tuple(p.shape) for name, p in net.named_parameters()} == SHAPES
    assert set(net.state_dict()) == {*SHAPES, "output.centres"}
    assert torch.equal(net.output.centres, codes.centres("0123456789"))


def test_shapes_of_the_states(net: LeNet5Classic) -> None:
    seen = {}
    for name in STATES:
        net.get_submodule(name).register_forward_hook(
            lambda layer, inputs, output, name=name: seen.update({name: tuple(output.shape)})
        )
    net(images_of(2))
    assert seen == {name: (2, *shape) for name, shape in STATES.items()}


def test_the_network_as_plain_functions(net: LeNet5Classic) -> None:
    """The paper's description again: a masked dense C3, the average times four, all squashed."""
    with_random_parameters(net, std=0.2)
    p, images = dict(net.named_parameters()), images_of(3, torch.float64)

    def squash(a: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * a)

    def subsample(x: Tensor, layer: str) -> Tensor:
        total = 4 * F.avg_pool2d(x, 2)
        coefficient, bias = (
            p[f"{layer}.{name}"].view(-1, 1, 1) for name in ("coefficient", "bias")
        )
        return squash(coefficient * total + bias)

    c3 = torch.zeros(16, 6, 5, 5, dtype=torch.float64)
    connections = [(c3_map, s2_map) for c3_map, row in enumerate(TABLE_I) for s2_map in row]
    for kernel, (c3_map, s2_map) in zip(p["c3.weight"], connections, strict=True):
        c3[c3_map, s2_map] = kernel
    x = squash(F.conv2d(images, p["c1.weight"], p["c1.bias"]))
    x = squash(F.conv2d(subsample(x, "s2"), c3, p["c3.bias"]))
    x = squash(F.conv2d(subsample(x, "s4"), p["c5.weight"], p["c5.bias"]))
    x = squash(x.flatten(1) @ p["f6.weight"].T + p["f6.bias"])
    penalties = torch.stack([(x - code).square().sum(1) for code in net.output.centres], dim=1)
    assert torch.allclose(net.f6_state(images), x)
    assert torch.allclose(net(images), penalties)


@pytest.mark.parametrize(
    ("layer", "next_layer"),
    [("c1", "s2"), ("s2", "c3"), ("c3", "s4"), ("s4", "c5"), ("c5", "f6"), ("f6", "output")],
)
def test_mistake_missing_squash(net: LeNet5Classic, layer: str, next_layer: str) -> None:
    """However strong a layer's weighted sums are, what the next one sees is bounded."""
    seen = []
    net.get_submodule(layer).register_forward_hook(lambda layer, inputs, output: 1e4 * output)
    net.get_submodule(next_layer).register_forward_pre_hook(
        lambda layer, inputs: seen.append(inputs[0].abs().max().item())
    )
    net(images_of(2))
    assert seen == [pytest.approx(1.7159, rel=1e-6)]


def test_mistake_one_init_bound_for_every_layer(net: LeNet5Classic) -> None:
    """Uniform within 1/sqrt(fan-in), and C3's fan-in is that of its map in Table I."""
    bounds = {"c1": 25**-0.5, "c5": 400**-0.5, "f6": 120**-0.5}
    for name, bound in bounds.items():
        weight = net.get_parameter(f"{name}.weight")
        assert 0.8 * bound < weight.abs().max() <= bound
    kernels = net.c3.weight.split([len(row) for row in TABLE_I])
    for row, weight in zip(TABLE_I, kernels, strict=True):
        assert 0.8 < weight.abs().max() * (25 * len(row)) ** 0.5 <= 1


# Reading


@pytest.mark.parametrize("count", [0, 1, 7])
def test_mistake_squeeze_breaks_a_batch_of_one(net: LeNet5Classic, count: int) -> None:
    images = images_of(count)
    assert net.f6_state(images).shape == (count, 84)
    assert net(images).shape == (count, 10)
    assert net.penalty_map(images).shape == (count, 10, 1, 1)
    assert net.predict(images).shape == (count,)
    assert net.predict(images).dtype == torch.int64


def test_mistake_argmax_instead_of_argmin(net: LeNet5Classic) -> None:
    """A network that draws the code of a 3 reads a 3."""
    nn.init.zeros_(net.f6.weight)
    for digit, code in enumerate(codes.centres()):
        with torch.no_grad():
            net.f6.bias.copy_(1.5 * torch.atanh(code / 1.7159))
        assert torch.allclose(net.f6_state(images_of(1))[0], code, atol=1e-5)
        assert net(images_of(1))[0, digit] < 1e-6
        assert net.predict(images_of(2)).tolist() == [digit, digit]


def test_many_images_are_predicted_in_parts(
    net: LeNet5Classic, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, read, parts = images_of(1201), net.scores, []
    monkeypatch.setattr(net, "scores", lambda part: parts.append(len(part)) or read(part))
    assert torch.equal(net.predict(images), read(images).argmax(1))
    assert sum(parts) == 1201 and max(parts) <= 500


def test_penalties_are_distances_of_the_state(net: LeNet5Classic) -> None:
    net.double()
    images = images_of(3, torch.float64)
    penalties = net(images)
    assert penalties.dtype == torch.float64 and (penalties >= 0).all()
    assert torch.allclose(penalties, torch.cdist(net.f6_state(images), net.output.centres) ** 2)
    assert torch.equal(net.predict(images), penalties.argmin(1))
    assert torch.equal(net.scores(images), -0.5 * penalties) and net.rubbish == -1
    assert torch.equal(net.to_penalties(net.scores(images)), penalties)


def test_other_characters(net: LeNet5Classic) -> None:
    letters = LeNet5Classic("AB")
    assert letters(images_of(1)).shape == (1, 2)
    assert torch.equal(letters.output.centres, codes.centres("AB"))


@settings(max_examples=15)
@given(st.integers(32, 46), st.integers(32, 46))
def test_penalty_map_is_a_window_on_every_fourth_pixel(height: int, width: int) -> None:
    torch.manual_seed(0)
    net = LeNet5Classic().double()
    fields = torch.randn(2, 1, height, width, dtype=torch.float64)
    penalties = net.penalty_map(fields)
    assert penalties.shape == (2, 10, (height - 32) // 4 + 1, (width - 32) // 4 + 1)
    windows = fields.unfold(2, 32, 4).unfold(3, 32, 4)  # (N, 1, h, w, 32, 32)
    each = net(windows.reshape(-1, 1, 32, 32)).view(2, *penalties.shape[2:], 10)
    assert torch.allclose(penalties, each.permute(0, 3, 1, 2))


# What it refuses


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((32, 32), r"shape \(N, 1, 32, 32\), got \(32, 32\)"),
        ((1, 32, 32), r"got \(1, 32, 32\)"),
        ((1, 3, 32, 32), r"got \(1, 3, 32, 32\)"),
        ((1, 1, 36, 32), r"got \(1, 1, 36, 32\)"),
        (
            (1, 1, 28, 28),
            r"got \(1, 1, 28, 28\); data.to_network_input pads .* 2 pixels .* do not resize",
        ),
    ],
)
def test_images_of_another_shape(net: LeNet5Classic, shape: tuple[int, ...], message: str) -> None:
    for read in (net, net.f6_state, net.predict):
        with pytest.raises(ValueError, match=message):
            read(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 1, 31, 40), (1, 1, 40, 31), (1, 2, 40, 40), (1, 40, 40)])
def test_fields_of_another_shape(net: LeNet5Classic, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape \(N, 1, H >= 32, W >= 32\), got"):
        net.penalty_map(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float16, torch.float64])
def test_images_of_another_dtype(net: LeNet5Classic, dtype: torch.dtype) -> None:
    for read in (net, net.f6_state, net.predict, net.penalty_map):
        with pytest.raises(ValueError, match=rf"dtype torch.float32, got {dtype}.*-0.1 to 1.175"):
            read(torch.zeros(1, 1, 32, 32, dtype=dtype))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_predict_refuses_what_is_not_a_number(net: LeNet5Classic, value: float) -> None:
    images = images_of(2)
    images[1, 0, 3, 4] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        net.predict(images)
    assert net(images)[0].isfinite().all(), "a pass for training costs no check and mixes no images"


def test_mistake_levels_of_0_to_255(net: LeNet5Classic) -> None:
    images = 255 * torch.rand(1, 1, 32, 32)
    with pytest.raises(ValueError, match=r"levels run from .* expected -0.1 .* 1.175"):
        net.predict(images)
    assert net(images).isfinite().all()


# A module like any other


def test_state_dict_round_trip(net: LeNet5Classic) -> None:
    other, images = LeNet5Classic(), images_of(2)
    assert not torch.equal(other(images), net(images))
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(images), net(images))


def test_copies_are_equal_and_independent(net: LeNet5Classic) -> None:
    images = images_of(2)
    before = net(images)
    copies = (copy.deepcopy(net), pickle.loads(pickle.dumps(net)))
    nn.init.zeros_(net.f6.weight)
    for other in copies:
        assert torch.equal(other(images), before)


def test_vmap_over_images(net: LeNet5Classic) -> None:
    images = images_of(5)
    one_by_one = vmap(lambda image: net(image.unsqueeze(0)).squeeze(0))(images)
    assert torch.allclose(one_by_one, net(images), rtol=1e-4)


def test_vmap_over_an_ensemble() -> None:
    nets, images = [LeNet5Classic() for _ in range(3)], images_of(2)
    skeleton = copy.deepcopy(nets[0]).to("meta")
    penalties = vmap(lambda *state: functional_call(skeleton, state, (images,)))(
        *stack_module_state(nets)
    )
    assert torch.allclose(penalties, torch.stack([net(images) for net in nets]), rtol=1e-4)


def test_compiles_as_one_graph(net: LeNet5Classic) -> None:
    images = images_of(2)
    compiled = torch.compile(net, fullgraph=True, backend="eager")  # the graph, not the compiler
    assert torch.allclose(compiled(images), net(images), rtol=1e-4)


def test_autocast(net: LeNet5Classic) -> None:
    images = images_of(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        penalties = net(images)
    assert torch.allclose(penalties.float(), net(images), rtol=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_reads_the_same(net: LeNet5Classic) -> None:
    net.double()
    images = images_of(3, torch.float64)
    penalties = net(images)
    on_device = net.cuda()(images.cuda())
    assert on_device.is_cuda
    assert torch.allclose(on_device.cpu(), penalties)


@pytest.mark.parametrize("width", [32, 33, 34, 35, 36, 73])
def test_penalty_map_has_a_window_on_every_second_pixel_too(width: int) -> None:
    net = LeNet5Classic()
    field = torch.rand(2, 1, 36, width) - 0.1
    penalties = net.penalty_map(field, every=2)
    windows = [net.penalty_map(field[..., left : left + 32]) for left in range(0, width - 31, 2)]
    torch.testing.assert_close(penalties, torch.cat(windows, 3), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="every 4 or 2 pixels, got 3"):
        net.penalty_map(field, every=3)
