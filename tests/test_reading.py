"""Answers, penalties and probabilities, from any picture and from lists of files."""

import io
import json
import math
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

from lenet1998 import LeNet5Classic, LeNet5Modern, load
from lenet1998.commands.predict import predict as command
from lenet1998.commands.predict import show
from lenet1998.data import Dataset
from lenet1998.models.tutorials import OneConvolutionNet
from lenet1998.reading import ImageError, Reading, predict, predict_files, read_picture
from lenet1998.reading.predict import DEFAULT_J, read_files

reading = import_module("lenet1998.reading.predict")


def seven() -> Image.Image:
    image = Image.new("L", (120, 120), 255)
    ImageDraw.Draw(image).line([(30, 25), (85, 25), (55, 100)], fill=0, width=12, joint="curve")
    return image


def scribble() -> Image.Image:
    image = Image.new("L", (120, 120), 255)
    pen = ImageDraw.Draw(image)
    for offset in range(20, 100, 20):
        pen.line([(20, offset), (100, 120 - offset)], fill=0, width=5)
        pen.line([(offset, 15), (130 - offset, 105)], fill=0, width=5)
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
    likelihoods = [math.exp(-net.penalty_scale * penalty) for penalty in penalties]
    assert reading.digit == 7
    assert reading.probability == pytest.approx(
        likelihoods[7] / (sum(likelihoods) + math.exp(-j)), abs=1e-6
    )


def test_rubbish_wins_above_j_on_the_scale_of_the_training(net: LeNet5Classic) -> None:
    least = net.penalty_scale * min(predict(seven(), net).penalties)
    assert predict(seven(), net, j=least * 1.01).digit == 7
    refused = predict(seven(), net, j=least * 0.99)
    assert refused.digit is None
    likelihoods = [math.exp(-net.penalty_scale * penalty) for penalty in refused.penalties]
    rubbish = math.exp(-least * 0.99)
    assert refused.probability == pytest.approx(rubbish / (sum(likelihoods) + rubbish), abs=1e-6)
    assert predict(seven(), net, j=math.inf).digit == 7


def test_a_scribble_is_no_digit(net: LeNet5Classic) -> None:
    reading = predict(scribble(), net)
    assert reading.digit is None and reading.reason == "not a digit"
    assert reading.best == np.argmin(reading.penalties)


def pair() -> Image.Image:
    image = Image.new("L", (240, 120), 255)
    for left in (0, 120):
        image.paste(seven(), (left, 0))
    return image


def test_of_several_marks_none_is_read(net: LeNet5Classic) -> None:
    reading = predict(pair(), net)
    assert reading.reason is not None and reading.reason.startswith("several marks")
    assert reading == Reading(None, None, None, reason=reading.reason)


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


def test_the_penalties_are_scaled_as_in_the_networks_training(net: LeNet5Classic) -> None:
    other = LeNet5Classic(penalty_scale=1.0, j=3.0)
    other.load_state_dict(net.state_dict())
    reading = predict(seven(), other, j=3.0)
    assert reading.penalties == pytest.approx(predict(seven(), net).penalties, rel=1e-4, abs=1e-4)
    likelihoods = [math.exp(-penalty) for penalty in reading.penalties]
    assert reading.probability == pytest.approx(
        likelihoods[7] / (sum(likelihoods) + math.exp(-3)), abs=1e-6
    )
    assert predict(seven(), other) == predict(seven(), other, j=2 * DEFAULT_J)
    assert predict(seven(), net) == predict(seven(), net, j=2 * net.penalty_scale * DEFAULT_J)


@pytest.mark.parametrize("j", [None, -20.0, math.inf])
def test_a_network_without_a_rubbish_class_gives_scores_and_refuses_nothing(
    j: float | None,
) -> None:
    net = LeNet5Modern()
    with torch.no_grad():
        scores = net(read_picture(scribble()))[0]
    reading = predict(scribble(), net, j=j)
    assert reading.digit == scores.argmax() and reading.penalties is None
    assert reading.probability == pytest.approx(scores.softmax(0).max().item())


def test_statistics_of_a_batch_neither_move_nor_are_read() -> None:
    net = OneConvolutionNet()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    reading = predict(seven(), net)
    assert net.training and all(
        torch.equal(net.state_dict()[name], before[name]) for name in before
    )
    assert predict(seven(), net.eval()) == reading


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
    keys = {"image", "digit", "penalties", "probability", "best", "reason", "error"}
    assert set(rows[0]) == keys


def test_not_a_digit_is_no_error(tmp_path: Path, net: LeNet5Classic) -> None:
    seven().save(tmp_path / "seven.png")
    (row,) = predict_files([tmp_path / "seven.png"], net, j=1e-9)
    assert row["digit"] is None and row["error"] is None and len(row["penalties"] or ()) == 10


def test_standard_input_is_read_when_its_turn_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    seven().save(tmp_path / "seven.png")
    seven().save(file, "PNG")
    rows = read_files([tmp_path / "seven.png", "-", "-"])
    monkeypatch.setattr(sys, "stdin", None)  # the first is not kept waiting
    assert next(rows)[0]["digit"] == 7
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.getvalue())))
    row, inputs = next(rows)
    assert (row["image"], row["digit"]) == ("-", 7)
    assert inputs is not None and torch.equal(inputs, read_picture(seven()))
    assert "nothing to read" in str(next(rows)[0]["error"])


def test_files_are_read_by_several_threads_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    side_by_side = threading.Barrier(2, timeout=60)

    def meet(name: str) -> ImageError:
        side_by_side.wait()
        return ImageError(name)

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(reading, "_input", meet)
    names = [str(number) for number in range(8)]
    assert [row["error"] for row in predict_files(names)] == names


def test_what_is_left_is_not_read_after_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def refuse(name: str) -> ImageError:
        seen.append(name)
        time.sleep(0.01)
        return ImageError(name)

    monkeypatch.setattr(reading, "_input", refuse)
    rows = read_files([str(number) for number in range(1000)])
    next(rows)
    rows.close()
    assert len(seen) < 500


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


def test_what_is_no_digit_is_drawn_without_a_winner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = []

    def drawn(net: LeNet5Classic, image: Tensor, *, verdict: str | None) -> Figure:
        verdicts.append(verdict)
        return Figure()

    monkeypatch.setattr("lenet1998.report.views.layer_maps", drawn)
    files = [tmp_path / "seven.png", tmp_path / "scribble.png"]
    seven().save(files[0])
    scribble().save(files[1])
    rows = command(files, folder=tmp_path / "drawn").values
    assert verdicts == [row["reason"] for row in rows] == [None, "not a digit"]


def test_layers_of_other_networks_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="the layers of a LeNet5Modern"):
        show([], tmp_path / "drawn", LeNet5Modern())
    assert not (tmp_path / "drawn").exists()


def test_the_command_tells_the_answer_the_probability_and_the_penalties(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("seven.png", "none.png", "scribble.png", "pair.png")]
    seven().save(files[0])
    scribble().save(files[2])
    pair().save(files[3])
    outcome = command(files)
    read, failed, refused, several = outcome.values
    assert outcome.values == predict_files(files) and failed["error"] is not None
    (section,) = outcome.document.sections
    lines = iter(section.text)
    nearest = f", {refused['best']} is the nearest"
    for row, answer, more in ((read, "7", ""), (refused, "not a digit", nearest)):
        said = f"{row['image']}: {answer} (probability {row['probability']:.1%}){more}"
        assert next(lines) == said
        penalties = next(lines)
        for digit, penalty in enumerate(row["penalties"]):
            assert f"{digit}: {penalty:.1f}" in penalties
    hint = "lenet1998 read reads numbers"
    assert list(lines) == [f"{files[3]}: {several['reason']}; {hint}"] and several["error"] is None


def test_the_command_takes_any_network_and_draws_what_was_read(tmp_path: Path) -> None:
    LeNet5Modern().save_pretrained(tmp_path / "modern")
    seven().save(tmp_path / "seven.png")
    outcome = command([tmp_path / "seven.png"], weights=str(tmp_path / "modern"))
    assert outcome.values[0]["penalties"] is None and len(outcome.document.sections[0].text) == 1
    pair().save(tmp_path / "pair.png")
    files = [tmp_path / f"{name}.png" for name in ("seven", "none", "pair")]
    command(files, folder=tmp_path / "drawn")
    assert [file.name for file in (tmp_path / "drawn").iterdir()] == ["seven-layers.png"]


def test_importing_stays_light() -> None:
    heavy = "{'matplotlib', 'numba', 'sklearn', 'torchvision', 'rich', 'jinja2'}"
    code = f"import sys, lenet1998.reading; print({heavy} & sys.modules.keys())"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
