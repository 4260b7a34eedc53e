"""Networks saved as a folder and read back."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lenet1998 import codes
from lenet1998.models import LeNet5Classic, LeNet5Modern
from lenet1998.models.pretrained import CONFIG, WEIGHTS, WeightsError, read_description

NETWORKS = (LeNet5Classic, LeNet5Modern)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 1, 32, 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    LeNet5Classic().save_pretrained(tmp_path / "net")
    return tmp_path / "net"


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_comes_back_bit_for_bit(
    network: type[LeNet5Classic | LeNet5Modern], tmp_path: Path, images: Tensor
) -> None:
    net = network()
    net.save_pretrained(tmp_path / "new" / "folder")
    back = network.from_pretrained(str(tmp_path / "new" / "folder"))
    assert type(back) is network and not back.training
    assert torch.equal(back(images), net(images))
    assert all(parameter.requires_grad for parameter in back.parameters())
    assert sorted(file.name for file in (tmp_path / "new" / "folder").iterdir()) == [
        CONFIG,
        WEIGHTS,
    ]


def test_dtype_and_memory_format_survive(tmp_path: Path, images: Tensor) -> None:
    net = LeNet5Modern().double().to(memory_format=torch.channels_last)
    net.save_pretrained(tmp_path)
    back = LeNet5Modern.from_pretrained(tmp_path)
    assert back.c3.weight.dtype == torch.float64
    torch.testing.assert_close(back(images.double()), net(images.double()), atol=0, rtol=1e-12)


def test_classes_other_than_the_digits_survive(tmp_path: Path) -> None:
    LeNet5Classic("LeNt-5").save_pretrained(tmp_path)
    back = LeNet5Classic.from_pretrained(tmp_path)
    assert back.characters == "LeNt-5"
    assert torch.equal(back.output.centres, codes.centres("LeNt-5"))


def test_description_is_kept_and_replaced_with_the_network(tmp_path: Path) -> None:
    net = LeNet5Classic()
    net.save_pretrained(tmp_path, {"dataset": "MNIST", "error": 0.95, "passes": [1, 2]})
    assert read_description(tmp_path) == {"dataset": "MNIST", "error": 0.95, "passes": [1, 2]}
    nn.init.zeros_(net.f6.bias.detach())
    net.save_pretrained(tmp_path)
    assert read_description(tmp_path) == {}
    assert not LeNet5Classic.from_pretrained(tmp_path).f6.bias.any()


@pytest.mark.parametrize("value", [torch.zeros(1), float("nan")])
def test_a_description_that_is_not_json_leaves_the_folder_as_it_was(
    folder: Path, value: object
) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises((TypeError, ValueError), match="JSON"):
        LeNet5Classic().save_pretrained(folder, {"value": value})
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_another_class_is_named(folder: Path) -> None:
    with pytest.raises(WeightsError, match="a LeNet5Classic, not a LeNet5Modern"):
        LeNet5Modern.from_pretrained(folder)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_missing_files_are_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=f"{name}: there is no such file"):
        LeNet5Classic.from_pretrained(folder)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
@pytest.mark.parametrize("kept", [0, 20, 100])
def test_cut_off_files_are_named(folder: Path, name: str, kept: int) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:kept])
    with pytest.raises(WeightsError, match=name):
        LeNet5Classic.from_pretrained(folder)


@pytest.mark.parametrize(
    "config",
    [
        [],
        {"network": "LeNet5Classic"},
        {"network": "LeNet5Classic", "arguments": {"characters": "é"}, "description": {}},
        {"network": "LeNet5Classic", "arguments": {"maps": 6}, "description": {}},
    ],
)
def test_a_configuration_of_something_else_is_named(folder: Path, config: object) -> None:
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=CONFIG):
        LeNet5Classic.from_pretrained(folder)


def test_parameters_that_do_not_fit_are_named(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    for change, reason in (
        ({"c1.weight": torch.zeros(6, 1, 3, 3)}, "c1.weight"),
        ({"c9.weight": torch.zeros(2)}, "c9.weight"),
        ({"f6.bias": torch.full((84,), torch.nan)}, "NaN or infinite values in f6.bias"),
    ):
        save_file({**tensors, **change}, folder / WEIGHTS)
        with pytest.raises(WeightsError, match=reason) as caught:
            LeNet5Classic.from_pretrained(folder)
        assert "\n" not in str(caught.value)


def test_nothing_is_unpickled(folder: Path) -> None:
    torch.save(LeNet5Classic().state_dict(), folder / WEIGHTS)
    with pytest.raises(WeightsError, match="not a safetensors file"):
        LeNet5Classic.from_pretrained(folder)
