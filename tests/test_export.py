"""The networks in other runtimes, against PyTorch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lenet1998.models import LeNet5Classic, LeNet5Modern
from lenet1998.models.export import to_onnx

Network = LeNet5Classic | LeNet5Modern
OUTPUTS = {LeNet5Classic: "penalties", LeNet5Modern: "logits"}


@pytest.fixture(scope="module", params=OUTPUTS, ids=lambda network: network.__name__)
def net(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(0)
    made: Network = request.param()
    with torch.no_grad():
        for parameter in made.parameters():  # coefficients and biases that differ from map to map
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


@pytest.fixture(scope="module")
def file(net: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxscript")
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    to_onnx(net, path)
    return path


def images(count: int) -> Tensor:
    return torch.rand(count, 1, 32, 32) * 1.275 - 0.1


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_onnxruntime_gives_the_same_for_any_batch(net: Network, file: Path, count: int) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    batch = images(count)
    (found,) = session.run([OUTPUTS[type(net)]], {"images": batch.numpy()})
    with torch.no_grad():
        expected = net(batch).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_file_stands_alone(net: Network, file: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(file, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert shape[0].dim_param and [side.dim_value for side in shape[1:]] == [1, 32, 32]


def test_the_network_is_left_as_it_was(net: Network, file: Path) -> None:
    assert all(parameter.requires_grad for parameter in net.parameters())
    net(images(2)).sum().backward()


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_package_says_what_to_install(
    net: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install lenet1998\[onnx\]"):
        to_onnx(net, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_another_dtype_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    with pytest.raises(TypeError, match=r"float32 network, got torch\.float64"):
        to_onnx(LeNet5Classic().double(), tmp_path / "net.onnx")


WITHOUT_THE_PACKAGE = """
import sys, torch
sys.modules["lenet1998"] = None  # an import of it fails
batches = torch.load("batches.pt")
for network in sys.argv[1:]:
    read = torch.export.load(network + ".pt2").module()
    torch.save([read(batch) for batch in batches], network + ".pt")
"""


def test_torch_export_takes_any_batch_and_needs_no_code_of_ours(tmp_path: Path) -> None:
    batches = [images(count) for count in (1, 7)]
    torch.save(batches, tmp_path / "batches.pt")
    nets = {network.__name__: network() for network in OUTPUTS}
    for name, net in nets.items():
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(net, (images(2),), dynamic_shapes=shapes)
        torch.export.save(program, tmp_path / f"{name}.pt2")
    subprocess.run([sys.executable, "-c", WITHOUT_THE_PACKAGE, *nets], cwd=tmp_path, check=True)
    for name, net in nets.items():
        for batch, found in zip(batches, torch.load(tmp_path / f"{name}.pt"), strict=True):
            torch.testing.assert_close(found, net(batch), rtol=1e-5, atol=1e-5)
