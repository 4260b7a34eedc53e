"""Any picture to the network's input: what is read, what is cleared, what is refused."""

import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from torch import Tensor

from benchmarks.pictures import (
    NO_DIGIT,
    ONE_DIGIT,
    grey,
    hard_photograph,
    lit,
    on_paper,
    pictures_of,
    slope,
)
from lenet1998 import load
from lenet1998.data import Dataset
from lenet1998.reading import pictures, predict
from lenet1998.reading.pictures import ImageError, NotOneDigit, read_picture

Pixels = npt.NDArray[Any]

BACKGROUND = torch.tensor(-0.1)


def four(side: int = 200, *, width: float = 0.07, box: tuple[float, ...] = (0.2, 0.2)) -> Pixels:
    """A drawn 4, ink 1 on 0, (side, side); half the side tall, from the corner `box` on."""
    large = Image.new("L", (4 * side, 4 * side))
    points = [(0.25, 0.0), (0.0, 0.32), (0.36, 0.30), (0.3, 0.12), (0.3, 0.5)]
    corners = [(4 * side * (x + box[0]), 4 * side * (y + box[1])) for x, y in points]
    pen = ImageDraw.Draw(large)
    pen.line(corners, fill=255, width=round(4 * side * width), joint="curve")
    return np.asarray(large.resize((side, side), Image.Resampling.LANCZOS)) / 255


def distance(one: Tensor, other: Tensor) -> float:
    """Mean difference in grey levels over the pixels with ink, at the best of nine places.

    A trace of ink can tip the rounding that centres the digit to the next pixel.
    """
    inked = max(int((image > BACKGROUND).sum()) for image in (one, other))
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    moved = (torch.roll(one, shift, dims=(2, 3)) for shift in shifts)
    return min(float((image - other).abs().sum()) for image in moved) * 200 / inked


@pytest.fixture(scope="module")
def reference() -> Tensor:
    return read_picture(on_paper(four()))


def png(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


# What comes out


def test_the_digit_is_normalised_as_nists_were(reference: Tensor) -> None:
    assert reference.shape == (1, 1, 32, 32) and reference.dtype == torch.float32
    assert reference.min() == BACKGROUND and reference.max() == torch.tensor(1.175)
    ink = (reference[0, 0] + 0.1).double()
    rows, columns = ink.any(1).nonzero().flatten(), ink.any(0).nonzero().flatten()
    assert max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 == 20
    index = torch.arange(32).double()
    for profile in (ink.sum(1), ink.sum(0)):
        assert abs(float((profile * index).sum() / profile.sum()) - 16) < 0.55
    assert ink[4:28, 4:28].count_nonzero() > 80


def test_mnist_images_stay_as_they_are(mnist: Dataset) -> None:
    for inputs in mnist.test_images[:1000].split(1):
        digit = (inputs[0, 0, 2:30, 2:30] * 200 + 20).round().to(torch.uint8).numpy()
        assert torch.equal(read_picture(digit), inputs)
        assert torch.equal(read_picture(Image.fromarray(255 - digit)), inputs)


def test_almost_normalised_images_are_normalised(mnist: Dataset) -> None:
    digit = (mnist.test_images[0, 0, 2:30, 2:30] * 200 + 20).round().to(torch.uint8).numpy()
    moved = np.roll(digit, 3, axis=1)
    assert distance(read_picture(moved), mnist.test_images[:1]) < 25
    assert read_picture(digit // 2).max() == torch.tensor(1.175)


def test_a_network_input_is_returned() -> None:
    inputs = torch.full((1, 32, 32), -0.1)
    inputs[0, 10:20, 15] = 1.175
    assert torch.equal(read_picture(inputs), inputs[None])
    assert torch.equal(read_picture(inputs[None].double()), inputs[None])


# Whatever holds the picture


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV"])
def test_modes(mode: str, reference: Tensor) -> None:
    image = Image.fromarray(on_paper(four())).convert("RGB").convert(mode)
    assert distance(read_picture(image), reference) < (25 if mode == "1" else 3)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
def test_deep_greys(dtype: str, reference: Tensor) -> None:
    image = Image.fromarray((1000 + 50 * on_paper(four()).astype(float)).astype(dtype))
    assert image.mode in ("I;16", "I", "F")
    assert distance(read_picture(image), reference) < 3


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tiff", "webp"])
def test_files(suffix: str, tmp_path: Path, reference: Tensor) -> None:
    file = tmp_path / f"four.{suffix}"
    Image.fromarray(on_paper(four())).save(file)
    assert distance(read_picture(file), reference) < 5
    assert torch.equal(read_picture(str(file)), read_picture(file))


def test_sixteen_bit_file(tmp_path: Path, reference: Tensor) -> None:
    Image.fromarray(on_paper(four()).astype(np.uint16) * 257).save(tmp_path / "four.png")
    assert distance(read_picture(tmp_path / "four.png"), reference) < 3


def test_arrays_and_tensors(reference: Tensor) -> None:
    grey = on_paper(four())
    colour = np.repeat(grey[..., None], 3, axis=2)
    opaque = np.dstack([colour, np.full_like(grey, 255)])
    planes = torch.from_numpy(colour).movedim(2, 0)
    for source in (
        grey,
        grey / 255,
        (grey / 255).astype(np.float32),
        grey.astype(np.int64),
        grey[..., None],
        colour,
        opaque,
        np.asfortranarray(colour),
        torch.from_numpy(grey),
        torch.from_numpy(grey)[None],
        planes,
        (planes / 255).requires_grad_(),
        (planes / 255).half(),
    ):
        assert distance(read_picture(source), reference) < 1
    for mask in (four() > 0.5, (four() > 0.5).astype(np.uint8)):
        assert distance(read_picture(mask), reference) < 25


def test_exif_turns_the_picture(tmp_path: Path, reference: Tensor) -> None:
    upright = Image.fromarray(on_paper(four()))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif)
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "as it is.jpg")
    assert distance(read_picture(tmp_path / "turned.jpg"), reference) < 5
    assert distance(read_picture(tmp_path / "as it is.jpg"), reference) > 50


def test_a_phones_second_picture_is_no_second_frame(tmp_path: Path, reference: Tensor) -> None:
    picture = Image.fromarray(on_paper(four()))
    picture.save(tmp_path / "four.jpg", "MPO", save_all=True, append_images=[picture])
    with Image.open(tmp_path / "four.jpg") as image:
        assert image.format == "MPO" and image.n_frames == 2
    assert distance(read_picture(tmp_path / "four.jpg"), reference) < 5


def test_the_callers_image_stays_open_and_unchanged(tmp_path: Path) -> None:
    Image.fromarray(on_paper(four())).save(tmp_path / "four.png")
    with Image.open(tmp_path / "four.png") as image:
        first = read_picture(image)
        assert image.size == (200, 200) and image.mode == "L"
        assert torch.equal(read_picture(image), first)


# Paper and ink


@pytest.mark.parametrize(
    ("paper", "pen"),
    [
        (0, 255),
        (255, 200),
        (90, 40),
        ((250, 245, 220), (30, 50, 160)),
        ((20, 60, 40), (240, 240, 220)),
        ((120, 120, 0), (230, 40, 90)),  # the same brightness
        ((255, 255, 255), (255, 230, 0)),
    ],
)
def test_any_ink_on_any_paper(paper: Any, pen: Any, reference: Tensor) -> None:
    assert distance(read_picture(on_paper(four(), paper, pen)), reference) < 8


@pytest.mark.parametrize("pen", [(0, 0, 0), (255, 255, 255), (20, 40, 200)])
def test_ink_on_transparent_ground(pen: tuple[int, ...], reference: Tensor) -> None:
    ink = four()
    pixels = np.dstack([np.full((*ink.shape, 3), pen), ink * 255]).round().astype(np.uint8)
    assert distance(read_picture(Image.fromarray(pixels, "RGBA")), reference) < 8


def test_paper_with_transparent_corners(reference: Tensor) -> None:
    alpha = np.full((200, 200), 255, np.uint8)
    alpha[:25, :25] = alpha[-25:, -25:] = 0
    for pen, paper in ((0, 255), (255, 0)):
        grey = on_paper(four(), paper, pen)
        picture = Image.fromarray(np.dstack([grey, alpha]), "LA")
        assert distance(read_picture(picture), reference) < 8


def test_transparent_palette(reference: Tensor) -> None:
    picture = Image.fromarray(on_paper(four())).convert("P")
    again = Image.open(io.BytesIO(png(picture, transparency=255)))
    assert again.mode == "P" and again.has_transparency_data
    assert distance(read_picture(again), reference) < 8


@pytest.mark.parametrize("side", [40, 90, 700, 2500])
def test_any_size(side: int, reference: Tensor) -> None:
    assert distance(read_picture(on_paper(four(side))), reference) < 40


def test_any_place_on_a_large_page(reference: Tensor) -> None:
    page = np.full((1400, 1000), 255, np.uint8)
    page[1150:1350, 20:220] = on_paper(four())
    assert distance(read_picture(page), reference) < 10


@pytest.mark.parametrize(("paper", "pen"), [(255, 0), (0, 255)])
def test_a_digit_that_fills_the_picture(paper: int, pen: int, reference: Tensor) -> None:
    ink = four()
    rows, columns = np.flatnonzero(ink.max(1) > 0.1), np.flatnonzero(ink.max(0) > 0.1)
    cropped = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert distance(read_picture(on_paper(cropped, paper, pen)), reference) < 15


# What a photograph adds


def shadow(side: int) -> Pixels:
    """Its soft edge crosses the digit."""
    y, x = np.mgrid[0:side, 0:side] / side
    light: Pixels = 1 - 0.4 / (1 + np.exp((x + 0.3 * y - 0.55) / 0.015))
    return light


@pytest.mark.parametrize("light", [slope, shadow])
def test_uneven_light_is_cleared(light: Callable[[int], Pixels], reference: Tensor) -> None:
    paper = on_paper(four(400), (240, 235, 215), (40, 45, 70))
    assert distance(read_picture(lit(paper, light(400))), reference) < 40


def test_faint_ruled_lines_are_cleared(reference: Tensor) -> None:
    paper = np.full((400, 400, 3), (245, 245, 235), float)
    paper[30::45] = paper[31::45] = (190, 205, 235)
    ink = four(400)[..., None]
    picture = paper + ink * (np.array((30, 30, 120)) - paper)
    assert distance(read_picture(lit(picture, slope(400))), reference) < 20


def test_specks_are_cleared(reference: Tensor) -> None:
    picture = on_paper(four())
    for row, column in ((8, 150), (20, 20), (185, 60), (150, 190)):
        picture[row : row + 4, column : column + 4] = 0
    assert distance(read_picture(picture), reference) < 1


def test_a_digit_in_two_pieces_stays_whole() -> None:
    ink = four()
    ink[95:100] = 0  # between the bar and the foot
    cut, whole = read_picture(on_paper(ink)), read_picture(on_paper(four()))
    assert distance(cut, whole) < 25


def test_a_sheet_of_paper_on_a_table(reference: Tensor) -> None:
    table = Image.fromarray(lit(np.full((500, 600, 3), (90, 60, 40)), np.ones((500, 600))))
    sheet = Image.fromarray(on_paper(four(300), (240, 235, 225), (30, 40, 140)))
    table.paste(sheet, (140, 90))
    assert distance(read_picture(table.rotate(2, fillcolor=(90, 60, 40))), reference) < 25


@pytest.mark.parametrize("degrees", [-20, -7, 7, 15])
def test_a_turned_sheet_is_cut_out_and_set_upright(degrees: float, reference: Tensor) -> None:
    table = Image.fromarray(lit(np.full((500, 600, 3), (90, 60, 40)), np.ones((500, 600))))
    sheet = Image.fromarray(on_paper(four(300), (240, 235, 225), (30, 40, 140))).convert("RGBA")
    turned = sheet.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    table.paste(turned, (110, 40), turned)
    assert distance(read_picture(table), reference) < 40


def test_a_blank_sheet_is_no_digit() -> None:
    table = np.full((500, 600, 3), (90, 60, 40))
    table[90:390, 140:440] = (240, 235, 225)
    assert "no digit found" in error_of(lit(table, np.ones((500, 600))))


def framed(ink: Pixels, *, open_to_the_right: bool = False) -> Pixels:
    inked = ink.copy()
    for inner, outer in ((24, 20), (-20, -24)):
        low, high = sorted((inner % len(ink), outer % len(ink)))
        inked[low:high, 20:] = inked[20:, low:high] = 1
    inked[-20:], inked[:, -20:] = 0, 0
    return inked[:, : -24 if open_to_the_right else None]


@pytest.mark.parametrize("cut", [False, True])
def test_a_frame_is_taken_away(cut: bool, reference: Tensor) -> None:
    picture = on_paper(framed(four(), open_to_the_right=cut))
    assert distance(read_picture(picture), reference) < 3


@pytest.mark.parametrize("rise", [0.0, 0.06])
@pytest.mark.parametrize("upright", [False, True])
def test_black_rules_are_taken_away(rise: float, upright: bool, reference: Tensor) -> None:
    y, x = np.mgrid[0:400, 0:400]
    off = (x + rise * y if upright else y + rise * x) % 67
    assert distance(read_picture(on_paper(np.maximum(four(400), off < 4))), reference) < 30


@pytest.mark.parametrize("angle", [10, 100, 200, 310])
def test_a_hard_shadow_is_cleared(angle: float, reference: Tensor) -> None:
    y, x = np.mgrid[-200:200, -200:200]
    side = np.cos(np.deg2rad(angle)) * x + np.sin(np.deg2rad(angle)) * y > 0
    paper = on_paper(four(400), (240, 235, 215), (40, 45, 70))
    assert distance(read_picture(lit(paper, np.where(side, 0.45, 1.0))), reference) < 40


@pytest.mark.parametrize("kind", [*ONE_DIGIT, *NO_DIGIT])
def test_hard_photographs(kind: str, mnist: Dataset) -> None:
    net = load("lenet5-classic")
    digits, labels = grey(mnist.training_images[:18]), mnist.training_labels
    wrong = 0
    for start in range(0, 18, 3):
        picture = hard_photograph(kind, digits[start : start + 3], seed=start)
        try:
            answer = predict(picture, net).digit
        except ImageError:
            answer = None
        assert answer is None or (kind in ONE_DIGIT and answer == labels[start])
        wrong += answer is None
    assert kind in NO_DIGIT or wrong <= 1


def test_a_straight_bold_1_is_no_sheet() -> None:
    picture = np.full((300, 300), 255, np.uint8)
    picture[30:270, 110:200] = 0
    inputs = read_picture(picture)[0, 0]
    assert (inputs[6:26, 13:19] > 1).all() and (inputs > 0).sum() <= 21 * 9


@pytest.mark.parametrize("width", [0.008, 0.015])
def test_a_thin_pen_is_thickened(width: float, reference: Tensor) -> None:
    inputs = read_picture(on_paper(four(600, width=width)))
    assert (inputs > 1).sum() > 20  # full ink, not a grey trace
    assert 0.3 < float((inputs + 0.1).sum() / (reference + 0.1).sum()) < 0.9


def test_thick_strokes_stay_thick() -> None:
    def inked(width: float) -> float:
        return float((read_picture(on_paper(four(width=width))) + 0.1).sum())

    assert inked(0.06) < 0.85 * inked(0.09)


def test_enlarged_mnist_digits_are_read_as_before(mnist: Dataset) -> None:
    net = load("lenet5-classic")
    penalties = net(mnist.test_images[1000:1060])
    sure = penalties.min(1).values < 10  # others are a toss-up
    inputs, expected = mnist.test_images[1000:1060][sure], penalties.argmin(1)[sure]
    assert len(inputs) > 50
    digits = (inputs[:, 0, 2:30, 2:30] * 200 + 20).round().to(torch.uint8).numpy()
    read: dict[str, list[Tensor]] = {"scan": [], "drawing": [], "photograph": []}
    for seed, digit in enumerate(digits):
        for kind, picture in pictures_of(digit, seed).items():
            read[kind].append(read_picture(picture))
    for kind, found in read.items():
        answers = net(torch.cat(found)).argmin(1)
        assert torch.equal(answers, expected), kind


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tiff", "webp", "ppm", "jp2"])
def test_bytes_and_open_files(suffix: str, tmp_path: Path) -> None:
    file = whole_file(tmp_path, suffix)
    expected, content = read_picture(file), file.read_bytes()
    sources: list[Any] = [content, bytearray(content), io.BytesIO(content)]
    assert all(torch.equal(read_picture(source), expected) for source in sources)
    with file.open("rb") as opened:
        assert torch.equal(read_picture(opened), expected)
    with file.open("rb", buffering=0) as opened:
        assert torch.equal(read_picture(opened), expected)


# What is refused


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "TGA", "PCX", "SGI"])
def test_formats_that_are_not_listed_are_not_opened(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a program is started")

    file = tmp_path / "four.png"
    Image.fromarray(on_paper(four())).save(file, kind)
    for name in ("call", "check_call", "check_output", "Popen"):
        monkeypatch.setattr(subprocess, name, refuse)
    for source in (file, file.read_bytes()):
        assert "not a picture of pixels" in error_of(source)


def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "pipe what it gives to -" in error_of(tmp_path / "pipe.png")
    assert "not an ordinary file" in error_of("/dev/zero")


def test_open_files_that_hold_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/zero", "rb") as endless:
        monkeypatch.setattr(pictures, "_LARGEST", 2**22)
        assert "/dev/zero: more than 4 MB" in error_of(endless)
    file = tmp_path / "text.png"
    file.write_text("words")
    with file.open() as opened:
        assert 'open it with mode "rb"' in error_of(opened)
    for empty in (b"", io.BytesIO()):
        assert "nothing to read" in error_of(empty)


def test_system_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nnn: file name too long; give another name$"):
        read_picture(tmp_path / ("n" * 300))
    (tmp_path / "turns").symlink_to("turns")
    assert "give another name" in error_of(tmp_path / "turns")


@pytest.mark.parametrize("source", [None, 7, [["x"]]])
def test_what_is_no_source_at_all(source: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a file's name, bytes, .*, got "):
        read_picture(source)


def error_of(source: Any) -> str:
    with pytest.raises(ImageError) as caught:
        read_picture(source)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 250
    return message


def whole_file(tmp_path: Path, suffix: str = "png") -> Path:
    file = tmp_path / f"four.{suffix}"
    Image.fromarray(on_paper(four())).save(file)
    return file


def test_absent_files(tmp_path: Path) -> None:
    assert error_of(tmp_path / "none.png") == f"{tmp_path / 'none.png'}: no such file"
    assert "a folder" in error_of(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a picture\n", b"\x89PNG\r\n\x1a\n", bytes(5000)])
def test_files_that_are_no_pictures(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "four.png"
    file.write_bytes(content)
    assert error_of(file).startswith(f"{file}: ")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "webp", "tiff"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files(suffix: str, share: float, tmp_path: Path) -> None:
    file = whole_file(tmp_path, suffix)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    message = error_of(file)
    assert str(file) in message and ("cut off" in message or "not a picture" in message)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(["png", "jpg", "gif", "tiff"]))
def test_damaged_files_raise_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, suffix: str
) -> None:
    file = whole_file(tmp_path_factory.mktemp("damaged"), suffix)
    content = bytearray(file.read_bytes())
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=5)):
        content[place] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    try:
        assert read_picture(file).shape == (1, 1, 32, 32)
    except ImageError as error:
        assert str(error).startswith(f"{file}: ") and "\n" not in str(error)


@pytest.mark.parametrize("suffix", ["gif", "webp", "tiff", "png"])
def test_several_frames(suffix: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(on_paper(four(width=width))) for width in (0.05, 0.07, 0.09)]
    file = tmp_path / f"moving.{suffix}"
    frames[0].save(file, save_all=True, append_images=frames[1:])
    assert "holds 3 frames or pages" in error_of(file)


def test_huge_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = whole_file(tmp_path)
    for limit in (200 * 200 - 1, 200 * 200 // 3):  # Pillow warns of the first, refuses the second
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert "million pixels; make it smaller" in error_of(file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert read_picture(file).max() > 1


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    assert "no permission" in error_of(whole_file(tmp_path))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_pictures(level: int) -> None:
    for side in (1, 28, 300):
        assert "no digit found" in error_of(np.full((side, side), level, np.uint8))


@pytest.mark.parametrize("noise", [1, 4, 12])
@pytest.mark.parametrize("side", [28, 200, 800])
def test_noise_and_shading_are_no_digit(noise: float, side: int) -> None:
    paper = np.full((side, side, 3), (240, 230, 215))
    assert "no digit found" in error_of(lit(paper, slope(side), noise))


def not_one_digit(ink: Pixels) -> str:
    with pytest.raises(NotOneDigit) as caught:
        read_picture(on_paper(ink))
    assert caught.value.reason in str(caught.value) and "\n" not in str(caught.value)
    return caught.value.reason


def test_several_digits_are_no_digit() -> None:
    assert not_one_digit(np.hstack([four(), four()])).startswith("several marks")
    assert not_one_digit(np.vstack([four(), four()])).startswith("several marks")
    assert not_one_digit(np.hstack([four()[:, :150]] * 3)).startswith("several marks")


def test_a_second_digit_in_small_pieces_is_no_digit() -> None:
    whole, broken = four()[:, :150], four()[:, :150].copy()
    for at in range(0, 200, 25):
        broken[at : at + 6] = broken[:, at : at + 6] = 0
    assert not_one_digit(np.hstack([whole, broken, broken])).startswith("several marks, together")


def test_a_blob_is_no_digit() -> None:
    y, x = np.mgrid[-100:100, -100:100]
    for squeezed in (1.0, 0.7):
        assert not_one_digit(np.hypot(x, y / squeezed) < 50).startswith("a blob")


def test_nothing_but_transparency() -> None:
    assert "no digit found" in error_of(Image.new("RGBA", (50, 50)))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros(28), "expected an array"),
        (np.zeros((28, 28, 2)), "expected an array"),
        (np.zeros((0, 28)), "expected an array"),
        (np.zeros((2, 28, 28, 3)), "expected an array"),
        (torch.zeros(2, 28, 28), "expected an array"),
        (torch.zeros(32, 32, device="meta"), "expected a dense tensor"),
        (torch.zeros(28, 28).to_sparse(), "expected a dense tensor"),
        (np.full((28, 28), np.nan), "0 to 255"),
        (np.full((28, 28), np.inf), "0 to 255"),
        (np.full((28, 28), 256), "0 to 255"),
        (np.full((28, 28), -1.0), "0 to 255"),
        (np.zeros((28, 28), complex), "expected numbers"),
        (np.zeros((28, 28), object), "expected numbers"),
    ],
)
def test_arrays_that_are_no_pictures(array: Any, expected: str) -> None:
    message = error_of(array)
    assert expected in message and f"{tuple(array.shape)}" in message


def test_tensors_of_types_that_numpy_lacks(reference: Tensor) -> None:
    values = torch.from_numpy(on_paper(four()))
    assert distance(read_picture(values.to(torch.bfloat16)), reference) < 1


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([(), (3,), (4,)]),
    st.floats(0, 1),
    st.integers(0, 2**32),
)
def test_any_pixels_give_an_input_or_a_clear_error(
    size: tuple[int, int], channels: tuple[int, ...], density: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (*size, *channels), dtype=np.uint8)
    pixels[generator.random(size) > density] = 255
    try:
        inputs = read_picture(pixels)
    except ImageError:
        return
    assert inputs.shape == (1, 1, 32, 32)
    assert inputs.min() == BACKGROUND and inputs.max() == torch.tensor(1.175)
