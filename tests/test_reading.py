"""Answers, penalties and probabilities, from any picture and from lists of files."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from rich.console import Console

from lenet1998 import LeNet5Classic, LeNet5Modern, load
from lenet1998.data import Dataset
from lenet1998.data.images import ImageError, read_picture
from lenet1998.reading import predict, predict_files, print_readings, show


def seven() -> Image.Image:
    image = Image.new("L", (120, 120), 255)
    ImageDraw.Draw(image).line([(30, 25), (85, 25), (55, 100)], fill=0, width=12, joint="curve")
    return image


@pytest.fixture(scope="module")
def net() -> LeNet5Classic:
    net = load("lenet5-classic")
    assert isinstance(net, LeNet5Classic)
    return net


@pytest.mark.parametrize("j", [0.3, 1.0, 8.0])
def test_the_reading_is_eq_9s(net: LeNet5Classic, j: float) -> None:
    reading = predict(seven(), net, j=j)
    penalties = net(read_picture(seven()))[0].tolist()
    assert reading.penalties == pytest.approx(penalties)
    likelihoods = [math.exp(-penalty / 2) for penalty in penalties]
    assert reading.digit == 7
    assert reading.probability == pytest.approx(
        likelihoods[7] / (sum(likelihoods) + math.exp(-j)), abs=1e-6
    )


def test_rubbish_wins_above_twice_j(net: LeNet5Classic) -> None:
    least = min(predict(seven(), net).penalties)
    assert predict(seven(), net, j=least / 2 * 1.01).digit == 7
    refused = predict(seven(), net, j=least / 2 * 0.99)
    assert refused.digit is None
    likelihoods = [math.exp(-penalty / 2) for penalty in refused.penalties]
    rubbish = math.exp(-least / 2 * 0.99)
    assert refused.probability == pytest.approx(rubbish / (sum(likelihoods) + rubbish), abs=1e-6)
    assert predict(seven(), net, j=math.inf).digit == 7


def test_a_scribble_is_no_digit(net: LeNet5Classic) -> None:
    image = Image.new("L", (120, 120), 255)
    pen = ImageDraw.Draw(image)
    for offset in range(20, 100, 20):
        pen.line([(20, offset), (100, 120 - offset)], fill=0, width=5)
        pen.line([(offset, 15), (130 - offset, 105)], fill=0, width=5)
    assert predict(image, net).digit is None


def test_the_packaged_network_is_the_default(net: LeNet5Classic) -> None:
    assert predict(seven()) == predict(seven(), net)


def test_mnist_digits_are_read_as_the_network_reads_them(
    mnist: Dataset, net: LeNet5Classic
) -> None:
    inputs = mnist.test_images[:20]
    with torch.no_grad():
        penalties = net(inputs)
    for image, row in zip(inputs, penalties, strict=True):
        grey = (image[0, 2:30, 2:30] * 200 + 20).round().to(torch.uint8)
        reading = predict(grey, net, j=math.inf)
        assert reading.digit == row.argmin()
        assert reading.penalties == pytest.approx(row.tolist(), rel=1e-4, abs=1e-4)


def test_a_network_of_float64_and_one_that_is_training() -> None:
    net = LeNet5Classic().double().train()
    assert len(predict(seven(), net).penalties) == 10
    assert net.training and all(parameter.grad is None for parameter in net.parameters())


def test_scores_are_not_penalties() -> None:
    with pytest.raises(TypeError, match="LeNet5Modern"):
        predict(seven(), LeNet5Modern())  # type: ignore[arg-type]


def test_errors_reach_the_caller(net: LeNet5Classic) -> None:
    with pytest.raises(ImageError, match="no digit found"):
        predict(np.zeros((28, 28)), net)


def test_a_file_that_fails_does_not_stop_the_others(tmp_path: Path, net: LeNet5Classic) -> None:
    seven().save(tmp_path / "seven.png")
    (tmp_path / "text.png").write_text("seven")
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    files = [tmp_path / name for name in ("none.png", "seven.png", "text.png", "blank.png")]
    rows = predict_files([*files, str(files[1])], net)
    assert [row["image"] for row in rows] == [str(file) for file in [*files, files[1]]]
    assert [row["digit"] for row in rows] == [None, 7, None, None, 7]
    for row, reason in zip(
        rows, ("no such file", "", "not a picture", "no digit found"), strict=False
    ):
        assert (row["error"] is None) == (reason == "") == (row["penalties"] is not None)
        assert row["error"] is None or (reason in row["error"] and row["image"] in row["error"])
    reading = predict(files[1], net)
    assert rows[1]["penalties"] == list(reading.penalties)
    assert rows[1]["probability"] == reading.probability
    assert json.loads(json.dumps(rows)) == rows
    assert set(rows[0]) == {"image", "digit", "penalties", "probability", "error"}


def test_not_a_digit_is_no_error(tmp_path: Path, net: LeNet5Classic) -> None:
    seven().save(tmp_path / "seven.png")
    (row,) = predict_files([tmp_path / "seven.png"], net, j=1e-9)
    assert row["digit"] is None and row["error"] is None and len(row["penalties"] or ()) == 10


def test_no_files() -> None:
    assert predict_files([]) == []


def test_shows_every_picture(tmp_path: Path) -> None:
    files = [tmp_path / folder / "seven.png" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        seven().save(file)
    written = show([str(file) for file in files], tmp_path / "drawn")
    names = ["seven-layers.png", "seven-2-layers.png"]
    assert written == [tmp_path / "drawn" / name for name in names]
    first, second = (path.read_bytes() for path in written)
    assert first == second
    with Image.open(written[0]) as image:
        assert image.width > 500


def test_prints_the_answer_the_probability_and_the_penalties(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seven().save(tmp_path / "seven.png")
    files = [tmp_path / "seven.png", tmp_path / "none.png"]
    for j, answer in ((1.0, "7"), (1e-9, "not a digit")):
        rows = predict_files(files, j=j)
        print_readings(rows, Console(width=200))
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{files[0]}: {answer} (probability {rows[0]['probability']:.1%})"
        assert len(lines) == 2 and [f"{digit}: " in lines[1] for digit in range(10)] == [True] * 10


def test_importing_stays_light() -> None:
    heavy = "{'scipy', 'matplotlib', 'numba', 'sklearn', 'PIL'}"
    code = f"import sys, lenet1998.reading; print({heavy} & sys.modules.keys())"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
