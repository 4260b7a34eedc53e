"""The page of `lenet1998 demo` on MNIST's digits, redrawn as strokes at any place and size.

`uv run python -m benchmarks.demo` prints how many of the first 1,000 test digits it misreads: as
they are, redrawn in the middle of its paper, and redrawn at random places and sizes; how many
numbers of five of them it reads, redrawn on its wide paper; and how long it takes. It also takes
the picture of the page that the README shows, `demo.png`. Needs MNIST and a Chromium, as the
page's tests do.
"""

import argparse
import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from lenet1998.data import load_dataset
from lenet1998.demo.page import LINE_ASPECT, PEN, mnist_digits, page

PICTURE = Path(__file__).with_name("demo.png")

GRID = 4095
"""Of the page's paper."""
ENLARGED = 4
"""Pixels of a skeleton in one of MNIST's."""

Mask = npt.NDArray[np.bool_]
Strokes = list[list[list[int]]]


def skeleton(mask: Mask) -> Mask:
    """Strokes thinned to one pixel, as Zhang and Suen do (1984)."""
    mask = np.pad(mask, 1)
    changed = True
    while changed:
        changed = False
        for first, second in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            # The eight neighbours from above, clockwise.
            ways = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
            around = np.stack([np.roll(mask, way, (0, 1)) for way in ways])
            rises = (~around & np.roll(around, -1, 0)).sum(0)
            count = around.sum(0)
            gone = mask & (count >= 2) & (count <= 6) & (rises == 1)
            for three in (first, second):
                gone &= ~around[list(three)].all(0)
            mask &= ~gone
            changed |= bool(gone.any())
    return mask[1:-1, 1:-1]


def strokes_of(image: npt.NDArray[np.uint8]) -> Strokes:
    """An MNIST digit, (28, 28), as short strokes along the middle of its ink.

    On a grid that its 28x28 fill.
    """
    large = ndimage.zoom(image / 255, ENLARGED, order=1, grid_mode=True, mode="grid-constant")
    thin = skeleton(large > 0.5)
    scale = GRID / (ENLARGED * len(image))

    def point(row: int, column: int) -> list[int]:
        return [round((column + 0.5) * scale), round((row + 0.5) * scale)]

    pixels = {(int(row), int(column)) for row, column in np.argwhere(thin)}
    strokes = [
        [point(row, column), point(row + down, column + right)]
        for row, column in sorted(pixels)
        for down, right in ((0, 1), (1, -1), (1, 0), (1, 1))
        if (row + down, column + right) in pixels
        # A diagonal between pixels that a third joins already is no stroke.
        and not (down and right and {(row, column + right), (row + down, column)} & pixels)
    ]
    return strokes or [[point(row, column)] for row, column in pixels]


def placed(strokes: Strokes, generator: np.random.Generator) -> Strokes:
    """The same as large as a fifth of the paper or up to all of it, anywhere on it."""
    points = np.concatenate([np.array(stroke) for stroke in strokes])
    low, extent = points.min(0), max(np.ptp(points, axis=0).max(), 1)
    size = generator.uniform(0.2, 1) * GRID / extent
    corner = generator.uniform(0, 1, 2) * (GRID - size * np.ptp(points, axis=0))
    return [
        (corner + size * (np.array(stroke) - low)).round().astype(int).tolist()
        for stroke in strokes
    ]


def in_a_row(drawn: list[Strokes], gaps: npt.NDArray[np.int64]) -> Strokes:
    """Digits of `strokes_of` side by side on the wide paper, so many of MNIST's pixels apart."""
    pixel = GRID / 28
    strokes: Strokes = []
    right = 0.0
    for digit, gap in zip(drawn, gaps, strict=True):
        points = np.concatenate([np.array(stroke) for stroke in digit])
        move = right - points[:, 0].min()
        strokes += [[[round(x + move), y] for x, y in stroke] for stroke in digit]
        right = points[:, 0].max() + move + (gap + PEN) * pixel
    shrink = 0.9 * GRID / max(right, LINE_ASPECT * GRID)
    return [[[round(value * shrink) + 100 for value in point] for point in s] for s in strokes]


READ_NUMBERS = """(drawings) => drawings.map((strokes) => {
  const { line, fieldOfNumber, readNumber, pen, sizes } = lenet1998;
  const { digits } = readNumber(line.network, fieldOfNumber(strokes, pen, sizes), sizes);
  return digits.map(({ digit }) => digit).join("");
})"""


def share_of_numbers(tab: Any, drawn: list[Strokes], labels: npt.NDArray[np.int64]) -> float:
    """Percent that is read right of numbers of five digits, each 2 to 6 pixels from the next."""
    generator = np.random.default_rng(1)
    numbers = [range(at, at + 5) for at in range(0, len(drawn) - 4, 5)]
    rows = [in_a_row([drawn[at] for at in which], generator.integers(2, 7, 5)) for which in numbers]
    read = [
        text
        for at in range(0, len(rows), 50)
        for text in tab.evaluate(READ_NUMBERS, rows[at : at + 50])
    ]
    right = ["".join(str(labels[at]) for at in which) for which in numbers]
    return 100 * float(np.mean([one == other for one, other in zip(read, right, strict=True)]))


TIMES = """() => {
  const { networks, inputOf, read, example, line } = lenet1998;
  const times = (work) => {
    const all = Array.from({ length: 100 }, () => {
      const start = performance.now();
      work();
      return performance.now() - start;
    }).sort((one, other) => one - other);
    return [all[0], all[50]];
  };
  const drawing = { strokes: example(8), pixels: null };
  const input = inputOf(drawing);
  return {
    "input from strokes": times(() => inputOf(drawing)),
    "one network's forward pass": times(() => read(networks[0], input)),
    [`a number of ${line.reading.digits.length} digits`]: times(() => line.read()),
  };
}"""


READ = """(drawings) => drawings.map(({ strokes, pixels }) => lenet1998.networks.map((network) =>
  lenet1998.read(network, lenet1998.inputOf({ strokes, pixels })).best))"""


def answers(tab: Any, drawings: list[dict[str, Any]]) -> npt.NDArray[np.int64]:
    """What each network of the page reads, (N, networks)."""
    parts: Iterator[list[Any]] = (drawings[at : at + 100] for at in range(0, len(drawings), 100))
    return np.concatenate([np.array(tab.evaluate(READ, part)) for part in parts])


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    parser.add_argument("--digits", type=int, default=1000)
    count = parser.parse_args().digits
    images, dataset = mnist_digits(), load_dataset("mnist")
    assert images is not None
    labels = dataset.test_labels[:count].numpy()[:, None]
    generator = np.random.default_rng(0)
    drawn = [strokes_of(image) for image in images[:count].numpy()]
    drawings: dict[str, list[dict[str, Any]]] = {
        "as they are": [
            {"strokes": [], "pixels": image.flatten().tolist()} for image in images[:count]
        ],
        "redrawn in the middle": [{"strokes": strokes} for strokes in drawn],
        "redrawn anywhere": [{"strokes": placed(strokes, generator)} for strokes in drawn],
    }
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder, "page.html")
        file.write_text(page(digits=images))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        tab = browser.new_page(viewport={"width": 1568, "height": 1290})
        tab.goto(file.as_uri())
        tab.click("#examples button >> nth=3")
        tab.hover("#c3 canvas", position={"x": 80, "y": 80})
        picture = Image.open(io.BytesIO(tab.screenshot()))
        picture.quantize(256, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
        names = tab.evaluate("lenet1998.networks.map(({ name }) => name)")
        for what, these in drawings.items():
            wrong = 100 * (answers(tab, these) != labels).mean(0)
            errors = (f"{name} {one:.1f} %" for name, one in zip(names, wrong, strict=True))
            print(f"{what}: {', '.join(errors)}")
        share = share_of_numbers(tab, drawn, labels[:, 0])
        print(f"numbers of five, redrawn: {share:.1f} % read right")
        tab.click("#line-examples button >> nth=1")
        for what, (least, median) in tab.evaluate(TIMES).items():
            print(f"{what}: {least:.1f} ms at best, median {median:.1f} ms")
        browser.close()


if __name__ == "__main__":
    main()
