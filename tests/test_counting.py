"""Section II.B: what LeNet-5 holds and does, against the paper, by hand and by Jacobians."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from torch import nn
from torch.autograd.functional import jacobian
from torch.func import functional_call

from lenet1998.commands.summary import Summary, layer_table, summarise, summary
from lenet1998.evidence import facts
from lenet1998.layers import EuclideanRBF, Subsampling, TableConv2d
from lenet1998.measures.counting import (
    LayerCount,
    Units,
    count_layers,
    training_step_multiply_adds,
    units,
)
from lenet1998.models import LeNet5Classic
from lenet1998.report import terminal
from lenet1998.report.sections import Document, Outcome, Section

TABLES = st.lists(st.sets(st.integers(0, 3), min_size=1).map(sorted), min_size=1, max_size=4)


def plain_network() -> nn.Sequential:
    """For a field of 12: 4 maps 10x10, pooled to 5x5, 3 units."""
    return nn.Sequential(
        nn.Conv2d(1, 4, kernel_size=3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(100, 3)
    )


def with_dense_c3() -> LeNet5Classic:
    net = LeNet5Classic()
    net.c3 = nn.Conv2d(6, 16, kernel_size=5)
    return net


def printed(
    capsys: pytest.CaptureFixture[str], shown: Summary | Outcome, width: int = 100
) -> list[str]:
    if isinstance(shown, Summary):
        shown = Outcome(None, Document("", [Section(tables=[layer_table(shown)])]))
    terminal.show(shown, Console(force_terminal=True, color_system=None, width=width))
    return capsys.readouterr().out.splitlines()


# LeNet-5


def test_layers_of_lenet5() -> None:
    assert count_layers(LeNet5Classic()) == [
        # Name, kind, maps, size, fan-in, trainable, fixed, connections, multiply-adds.
        LayerCount("c1", "5x5 convolution", 6, (28, 28), (25, 25), 156, 0, 122_304, 117_600),
        LayerCount("s2", "2x2 subsampling", 6, (14, 14), (4, 4), 12, 0, 5_880, 4_704),
        LayerCount("c3", "5x5 conv. by table", 16, (10, 10), (75, 150), 1_516, 0, 151_600, 150_000),
        LayerCount("s4", "2x2 subsampling", 16, (5, 5), (4, 4), 32, 0, 2_000, 1_600),
        LayerCount("c5", "5x5 convolution", 120, (1, 1), (400, 400), 48_120, 0, 48_120, 48_000),
        LayerCount("f6", "full connection", 84, (1, 1), (120, 120), 10_164, 0, 10_164, 10_080),
        LayerCount("output", "Euclidean RBF", 10, (1, 1), (84, 84), 0, 840, 840, 840),
    ]


def test_lenet5_agrees_with_the_paper_everywhere() -> None:
    whole = summarise(LeNet5Classic())
    assert [row.count.name for row in whole.layers] == list(facts.LAYERS)
    for row in (*whole.layers, whole.total):
        assert row.parameters_agree is True and row.connections_agree is True
    assert (whole.total.count.trainable, whole.total.count.fixed) == (60_000, 840)
    assert whole.total.count.connections == 340_908


def test_the_papers_layers_add_up_to_its_totals() -> None:
    layers = facts.LAYERS.values()
    sums = facts.Counts(
        trainable=sum(layer.trainable for layer in layers),
        connections=sum(layer.connections for layer in layers),
        fixed=sum(layer.fixed for layer in layers),
    )
    assert sums == facts.NETWORK


def test_training_step_of_lenet5() -> None:
    above_c1 = 4_704 + 150_000 + 1_600 + 48_000 + 10_080
    forward, weights, inputs = 117_600 + above_c1 + 840, 117_600 + above_c1, above_c1 + 840
    assert training_step_multiply_adds(LeNet5Classic()) == forward + weights + inputs == 880_032


def test_more_classes_are_more_fixed_centres_and_no_longer_the_papers() -> None:
    whole = summarise(LeNet5Classic("0123456789AB"))
    output = whole.layers[-1]
    assert (output.count.fixed, output.count.connections) == (12 * 84, 12 * 84)
    assert output.parameters_agree is False and output.connections_agree is False
    assert whole.total.parameters_agree is False
    assert whole.total.count.trainable == 60_000


def test_frozen_weights_and_trainable_centres_change_sides() -> None:
    net = LeNet5Classic()
    net.f6.requires_grad_(False)
    net.output = EuclideanRBF(net.output.centres, trainable=True)
    f6, output = summarise(net).layers[-2:]
    assert (f6.count.trainable, f6.count.fixed, f6.parameters_agree) == (0, 10_164, False)
    assert (output.count.trainable, output.count.fixed, output.parameters_agree) == (840, 0, False)
    # F6's weights need no gradients now, the centres do.
    assert training_step_multiply_adds(net) == 880_032 - 10_080 + 840


def test_a_dense_c3_disagrees() -> None:
    whole = summarise(with_dense_c3())
    c3 = whole.layers[2]
    assert (c3.count.trainable, c3.count.connections) == (2_416, 241_600)
    assert c3.paper == facts.LAYERS["c3"]
    for row in (c3, whole.total):
        assert row.parameters_agree is False and row.connections_agree is False
    assert whole.total.count.trainable == 60_900
    assert all(row.parameters_agree for row in whole.layers if row is not c3)


# Any layer, against what really depends on what


def count_by_jacobian(layer: nn.Module, inputs: torch.Tensor) -> int:
    """Pairs of a unit and an input or bias that move it."""
    outputs_by_inputs = jacobian(lambda x: layer(x), inputs)
    count = int(torch.count_nonzero(outputs_by_inputs))
    if getattr(layer, "bias", None) is not None:
        of_bias = jacobian(lambda b: functional_call(layer, {"bias": b}, (inputs,)), layer.bias)
        count += int(torch.count_nonzero(of_bias))
    return count


def check_connections(layer: nn.Module, maps: int, side: int = 7) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, maps, 1), layer).double().eval()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    connections = count_layers(net, field=side)[1].connections
    inputs = torch.randn(1, maps, side, side, dtype=torch.float64)
    assert connections == count_by_jacobian(layer, inputs)


@settings(deadline=None, max_examples=25)
@given(TABLES, st.integers(1, 3))
def test_connections_of_any_table(table: list[list[int]], kernel_size: int) -> None:
    layer = TableConv2d(table, kernel_size)
    check_connections(layer, maps=layer.in_maps, side=5)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, kernel_size=(2, 3), stride=2),
        nn.Conv2d(4, 6, kernel_size=3, groups=2, bias=False),
        Subsampling(4),
        nn.AvgPool2d(2),
        nn.AvgPool2d((2, 3), stride=1),
        nn.BatchNorm2d(4),
        nn.BatchNorm2d(4, affine=False),
        nn.Linear(7, 3),
        nn.Linear(7, 3, bias=False),
        EuclideanRBF(torch.randn(3, 7)),
    ],
    ids=str,
)
def test_connections_of_any_layer(layer: nn.Module) -> None:
    check_connections(layer, maps=4)


def test_fan_in_of_a_table_is_that_of_the_layer() -> None:
    layer = TableConv2d([[0], [0, 1, 2], [1, 2]], kernel_size=3)
    counted = count_layers(nn.Sequential(nn.Conv2d(1, 3, 1), layer), field=5)[1]
    assert counted.fan_in == (min(layer.fan_in), max(layer.fan_in)) == (9, 27)
    assert counted.multiply_adds == 9 * (9 + 27 + 18)


# Other networks


def test_a_plain_network_counted_by_hand() -> None:
    convolution, pooling, linear = count_layers(plain_network(), field=12)
    assert (convolution.name, convolution.maps, convolution.size) == ("0", 4, (10, 10))
    assert (convolution.trainable, convolution.connections) == (4 * 10, 400 * 10)
    assert convolution.multiply_adds == 400 * 9
    assert (pooling.name, pooling.maps, pooling.size, pooling.fan_in) == ("2", 4, (5, 5), (4, 4))
    assert (pooling.trainable, pooling.connections, pooling.multiply_adds) == (0, 400, 0)
    assert (linear.name, linear.maps, linear.size) == ("4", 3, (1, 1))
    assert (linear.trainable, linear.connections, linear.multiply_adds) == (303, 303, 300)


@pytest.mark.parametrize(
    ("frozen", "weights", "inputs"),
    [((), 3_600 + 300, 300), ((0,), 300, 0), ((4,), 3_600, 300), ((0, 4), 0, 0)],
    ids=["all-learns", "linear-learns", "convolution-learns", "nothing-learns"],
)
def test_training_step_needs_only_the_gradients_of_what_learns(
    frozen: tuple[int, ...], weights: int, inputs: int
) -> None:
    net = plain_network()
    for index in frozen:
        net[index].requires_grad_(False)
    # torch.utils.flop_counter counts the same (its import takes too long for a test).
    assert training_step_multiply_adds(net, field=12) == 3_600 + 300 + weights + inputs


def test_a_layer_without_parameters_may_run_twice() -> None:
    pool = nn.AvgPool2d(2)
    layers = count_layers(nn.Sequential(pool, nn.Conv2d(1, 2, 3), pool), field=12)
    assert [(layer.maps, layer.size) for layer in layers] == [(1, (6, 6)), (2, (4, 4)), (2, (2, 2))]


def test_the_network_is_left_as_it_is() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    count_layers(net, field=3)  # one unit per map: no statistics of a batch to be had
    assert net.training and all(module.training for module in net)
    assert not any(module._forward_hooks for module in net.modules())
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


class Triple(nn.Module):
    """Another kind of layer: each unit sums three of its inputs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., :-2] + x[..., 1:-1] + x[..., 2:]


def test_another_kind_of_layer_can_be_registered() -> None:
    @units.register
    def _(layer: Triple, output: torch.Tensor) -> Units:
        return Units("triple", (3,) * output.shape[1], output.shape[2:])

    (counted,) = count_layers(Triple(), field=5)
    assert (counted.kind, counted.size, counted.connections) == ("triple", (5, 3), 45)


# Refusals


def test_a_field_is_needed() -> None:
    with pytest.raises(ValueError, match=r"Sequential does not say how large.*pass field"):
        count_layers(plain_network())


def test_parameters_of_an_unknown_layer_are_not_passed_over() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.PReLU())
    with pytest.raises(ValueError, match=r"cannot count 1 \(PReLU\).*counted 0 times"):
        count_layers(net, field=5)


def test_parameters_are_not_counted_twice() -> None:
    layer = nn.Conv2d(1, 1, 3)
    with pytest.raises(ValueError, match=r"cannot count 0 \(Conv2d\).*counted 2 times"):
        count_layers(nn.Sequential(layer, layer), field=5)


# What is shown


def test_json() -> None:
    whole = json.loads(json.dumps(asdict(summarise(LeNet5Classic()))))
    assert whole["network"] == "LeNet5Classic"
    assert whole["layers"][2] == {
        "count": {
            "name": "c3",
            "kind": "5x5 conv. by table",
            "maps": 16,
            "size": [10, 10],
            "fan_in": [75, 150],
            "trainable": 1516,
            "fixed": 0,
            "connections": 151600,
            "multiply_adds": 150000,
        },
        "paper": {"trainable": 1516, "connections": 151600, "fixed": 0},
        "parameters_agree": True,
        "connections_agree": True,
    }
    assert whole["total"]["count"] == {
        "trainable": 60000,
        "fixed": 840,
        "connections": 340908,
        "multiply_adds": 332824,
    }
    assert whole["training_step_multiply_adds"] == 880_032
    assert "156,000" in whole["notes"][0] and "345,308" in whole["notes"][0]


def test_json_of_a_network_that_is_not_in_the_paper() -> None:
    whole = json.loads(json.dumps(asdict(summarise(plain_network(), field=12))))
    for row in (*whole["layers"], whole["total"]):
        assert (row["paper"], row["parameters_agree"], row["connections_agree"]) == (None,) * 3
    assert whole["notes"] == []


@pytest.mark.parametrize("width", [100, 80])
def test_table_shows_every_figure_and_fits(capsys: pytest.CaptureFixture[str], width: int) -> None:
    whole = summarise(LeNet5Classic())
    lines = printed(capsys, summary(), width)
    assert max(map(len, lines)) <= width and "…" not in "".join(lines)
    for row in whole.layers:
        cells = next(line.split() for line in lines if line.startswith(row.count.name))
        assert cells.count("✓") == 2
        for number in (row.count.trainable, row.count.connections):
            assert cells.count(f"{number:,}") >= 2  # ours and the paper's
        assert f"{row.count.multiply_adds:,}" in cells
        assert (row.count.kind in " ".join(cells)) is (width == 100)
    total = next(" ".join(line.split()) for line in lines if line.startswith("total"))
    assert total == "total 60,000 60,000 ✓ 840 340,908 340,908 ✓ 332,824"
    assert "75–150" in next(line for line in lines if line.startswith("c3"))
    assert "345,308" in " ".join(lines)


def test_table_does_not_mark_what_disagrees(capsys: pytest.CaptureFixture[str]) -> None:
    whole = summarise(with_dense_c3())
    c3 = next(line for line in printed(capsys, whole) if line.startswith("c3"))
    assert "2,416" in c3 and "1,516" in c3 and "✓" not in c3
    # One figure that agrees keeps its mark.
    row = replace(whole.layers[2], connections_agree=True)
    lines = printed(capsys, replace(whole, layers=(row,)))
    assert next(line for line in lines if line.startswith("c3")).count("✓") == 1


def test_table_of_another_network_has_no_word_of_the_paper(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = printed(capsys, summarise(plain_network(), field=12), width=80)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "paper" not in text and "✓" not in text and "Fig." not in text
    assert "2x2 maximum pooling" in text and "4,703" in text
