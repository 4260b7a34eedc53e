"""The notebooks run from the first cell to the last, on MNIST or on the embedded digits.

What they show is kept in them; `notebooks/execute.py` writes it.
"""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lenet1998.commands.paper import experiments
from lenet1998.data.digits import NAME as DIGITS
from lenet1998.data.mnist import NAME as MNIST
from lenet1998.data.mnist import VARIABLE, raw_folder, search_folders

pytest.importorskip("ipykernel", reason="needs ipykernel to execute notebooks")
notebooks = pytest.importorskip("notebooks.execute", reason="needs nbclient to execute notebooks")
nbformat = pytest.importorskip("nbformat", reason="needs nbformat to read notebooks")

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = notebooks.NOTEBOOKS
RESULTS = REPOSITORY / "notebooks" / "5_results.ipynb"
QUESTIONS = REPOSITORY / "notebooks" / "6_questions.ipynb"
PATIENCE = 600  # seconds for one notebook: some ten times what it takes, kernels compiled or not
OF_A_MACHINE = re.compile(r"(?<![\w.])/(home|root|tmp|Users|usr|var|work)/|[A-Z]:\\|0x[0-9a-f]{8}")

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
    return notebooks.execute(file, folder, PATIENCE)


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
    assert_was_run(stored := nbformat.read(RESULTS, as_version=4))
    of_stored, _ = outputs_of(stored)
    kept = "\n".join(output.get("data", {}).get("text/markdown", "") for output in of_stored)
    lines = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(lines) > 30 and not set(lines) - set(kept.splitlines()), "results.json is newer"


def assert_was_run(notebook: Any) -> None:
    """Every cell once, in their order."""
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def bytes_of_pictures(notebook: Any) -> int:
    return sum(len(data["image/png"]) for data in notebooks.pictures(notebook))


@of_each
def test_is_stored_as_it_was_run(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert not any(cell.metadata for cell in notebook.cells)
    assert_was_run(notebook)
    assert bytes_of_pictures(notebook) < notebooks.LIMIT
    outputs, _ = outputs_of(notebook)
    kinds = {output.get("name", output.output_type) for output in outputs}
    assert kinds <= {"stdout", "display_data", "execute_result"}
    shown = [output.get("text", output.get("data", {}).get("text/plain", "")) for output in outputs]
    shown += [output.get("data", {}).get("text/markdown", "") for output in outputs]
    assert not OF_A_MACHINE.search("\n".join(shown))


@of_each
def test_ends_with_three_exercises(file: Path) -> None:
    source = nbformat.read(file, as_version=4).cells[-1].source
    assert source.startswith("## Exercises")
    assert re.findall(r"^(\d)\. ", source, re.MULTILINE) == ["1", "2", "3"]


def test_each_question_has_a_short_answer_and_code_that_shows_it() -> None:
    _, _, *answers, _ = nbformat.read(QUESTIONS, as_version=4).cells
    for text, code in zip(answers[::2], answers[1::2], strict=True):
        question, _, answer = text.source.partition("\n\n")
        assert re.fullmatch(r"## .*\?", question) and code.cell_type == "code", question
        assert len(answer) <= 500, f"{question}: more than five lines of 100 characters"
        assert len(code.source.splitlines()) <= 15, question


def test_what_is_kept_is_light_and_says_nothing_of_the_machine() -> None:
    def picture(width: int) -> str:
        content = io.BytesIO()
        Image.effect_noise((width, width), 80).convert("RGB").save(content, "PNG")
        return base64.b64encode(content.getvalue()).decode()

    v4 = nbformat.v4
    outputs = [
        v4.new_output("stream", name="stderr", text="compiling in /home/me"),
        v4.new_output("stream", name="stdout", text="a line"),
        *(v4.new_output("display_data", {"image/png": picture(side)}) for side in (900, 900, 50)),
    ]
    notebook = v4.new_notebook(cells=[v4.new_code_cell("1", outputs=outputs)])
    notebook.metadata.language_info = {"name": "python", "version": "3.11.7"}
    text = notebooks.as_kept(notebook)
    kept = nbformat.reads(text, as_version=4)
    assert 0 < bytes_of_pictures(kept) < notebooks.LIMIT < bytes_of_pictures(notebook)
    assert kept.metadata.language_info == {"name": "python"}
    assert [output.get("text") for output in kept.cells[0].outputs] == ["a line", None, None, None]
    pictures = [output.data["image/png"] for output in kept.cells[0].outputs[1:]]
    widths = [Image.open(io.BytesIO(base64.b64decode(png))).width for png in pictures]
    assert widths[0] == widths[1] in dict(notebooks.SIZES) and widths[2] == 50
    notebook.cells[0].outputs *= 10
    with pytest.raises(ValueError, match="bytes of pictures, expected fewer"):
        notebooks.as_kept(notebook)
