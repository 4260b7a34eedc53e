"""The notebooks run from the first cell to the last, on MNIST or on the embedded digits."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from lenet1998.commands.paper import experiments
from lenet1998.data.digits import NAME as DIGITS
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.data.mnist import VARIABLE, raw_folder, search_folders

pytest.importorskip("ipykernel", reason="needs ipykernel to execute notebooks")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient to execute notebooks")
nbformat = pytest.importorskip("nbformat", reason="needs nbformat to read notebooks")

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
RESULTS = REPOSITORY / "notebooks" / "5_results.ipynb"
PATIENCE = 300  # seconds for one notebook: some ten times what it takes, kernels compiled or not

of_each = pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)


def mnist_folder() -> Path | None:
    """As the fixture `mnist` and `load_dataset` look for it; the network is never asked."""
    folders = [*search_folders(), REPOSITORY.parent / "shared" / "mnist"]
    return next((folder for folder in folders if raw_folder(folder)), None)


def execute(file: Path, folder: Path, mnist: Path | None, patch: pytest.MonkeyPatch) -> Any:
    """The notebook, run in a folder, where there is no network."""
    patch.setenv(VARIABLE, str(mnist or folder))
    patch.setenv("OMP_NUM_THREADS", "1")
    for scheme in ("http", "https"):  # a port that nobody answers: no download
        patch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    notebook = nbformat.read(file, as_version=4)
    client = nbclient.NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    asyncio.run(asyncio.wait_for(client.async_execute(), PATIENCE))
    return notebook


def outputs_of(notebook: Any) -> tuple[list[Any], str]:
    """All outputs, and what was printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return outputs, "".join(output.text for output in outputs if output.get("name") == "stdout")


def test_notebooks_are_numbered_in_order() -> None:
    assert [file.stem[0] for file in NOTEBOOKS] == [str(i + 1) for i in range(len(NOTEBOOKS))]


@of_each
def test_runs_to_the_end(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist = mnist_folder()
    notebook = execute(file, tmp_path, mnist, monkeypatch)
    outputs, printed = outputs_of(notebook)
    if any("load_dataset(" in cell.source for cell in notebook.cells):
        assert (MNIST if mnist else DIGITS) in printed
        assert (DIGITS in printed) == (mnist is None)
    assert sum("image/png" in output.get("data", ()) for output in outputs) >= 3
    complaints = [output.text for output in outputs if output.get("name") == "stderr"]
    assert mnist is None or not complaints, complaints
    assert not list(tmp_path.iterdir()), "a notebook leaves files behind"


def test_results_show_every_experiment() -> None:
    source = "".join(cell.source for cell in nbformat.read(RESULTS, as_version=4).cells)
    assert re.findall(r'show\("(.+?)"\)', source) == list(experiments())


def test_results_without_mnist_say_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # nor is MNIST where it was once downloaded
    outputs, printed = outputs_of(execute(RESULTS, tmp_path, None, monkeypatch))
    assert "MNIST is not here" in printed and "fig08" in printed
    shown = "".join(output.get("data", {}).get("text/markdown", "") for output in outputs)
    for name, experiment in experiments().items():
        assert (f"### {experiment.title}" in shown) == (name not in printed)


@of_each
def test_is_stored_without_outputs(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert not cell.metadata
        if cell.cell_type == "code":
            assert cell.execution_count is None
            assert not cell.outputs
