"""Run the notebooks and keep what they show, light enough to be read on the web.

    uv run python notebooks/execute.py [FILE ...]

All of them take some minutes. Needs MNIST, and a quiet machine: some print how long things take.
"""

import asyncio
import base64
import copy
import io
import sys
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat
from nbformat import NotebookNode
from PIL import Image

NOTEBOOKS = sorted(Path(__file__).parent.glob("*.ipynb"))
LIMIT = 300_000  # bytes of a notebook's pictures
# Widths in pixels and colours of them: the first with which they are below that.
SIZES = ((640, 64), (560, 32), (480, 32), (420, 32), (360, 32), (360, 24), (320, 16))


def execute(file: Path, folder: Path, patience: float | None = None) -> NotebookNode:
    """A notebook, run to its end in a folder.

    Raises:
        CellExecutionError: a cell fails.
        TimeoutError: it takes more seconds than patience.
    """
    client = nbclient.NotebookClient(
        nbformat.read(file, as_version=4),
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    asyncio.run(asyncio.wait_for(client.async_execute(), patience))
    return client.nb


def as_kept(notebook: NotebookNode) -> str:
    """A notebook's file: small pictures, nothing of the machine, nothing said on standard error.

    Raises:
        ValueError: its pictures are not below the limit when they are smallest.
    """
    light = copy.deepcopy(notebook)
    light.metadata.language_info = NotebookNode(name="python")
    cells = [cell for cell in light.cells if cell.cell_type == "code"]
    for cell in cells:
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            if "metadata" in output:
                output.metadata = NotebookNode()  # the size at which to show a picture
    shown = pictures(light)
    originals = [data["image/png"] for data in shown]
    for width, colours in SIZES:
        for data, png in zip(shown, originals, strict=True):
            data["image/png"] = _lighter(png, width, colours)
        if (size := sum(len(data["image/png"]) for data in shown)) < LIMIT:
            text: str = nbformat.writes(light).rstrip("\n") + "\n"
            return text
    raise ValueError(f"{size:,} bytes of pictures, expected fewer than {LIMIT:,}: show less")


def pictures(notebook: NotebookNode) -> list[NotebookNode]:
    """The outputs' data that hold a picture."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    shown = (output.get("data", {}) for output in outputs)
    return [data for data in shown if "image/png" in data]


def _lighter(png: str, width: int, colours: int) -> str:
    """A picture in base64, no wider than that and of no more colours."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    if picture.width > width:
        height = round(picture.height * width / picture.width)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    # Maximal coverage, not the median cut: that would make thin lines of any colour grey.
    few = picture.quantize(colours, Image.Quantize.MAXCOVERAGE, 3, dither=Image.Dither.NONE)
    few.save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()


def main() -> None:
    for file in map(Path, sys.argv[1:] or NOTEBOOKS):
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            text = as_kept(execute(file.resolve(), Path(folder)))
        file.write_text(text, encoding="utf-8")
        print(f"{file.name}: {len(text.encode()):,} bytes, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
