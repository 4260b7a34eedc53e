"""Section III.A: the digits, their levels and their normalisation; and every way to be without."""

import gzip
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lenet1998.data import (
    Dataset,
    DatasetError,
    load_dataset,
    load_digits_dataset,
    normalise_digit,
    to_network_input,
)
from lenet1998.data import mnist as mnist_files
from lenet1998.data import qmnist as qmnist_files
from lenet1998.data.loading import Source
from lenet1998.data.writers import by_series

TRAINING_IMAGES = "train-images-idx3-ubyte"
TRAINING_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

FETCH = "torchvision.datasets.mnist.download_and_extract_archive"  # its one way to the network


# Levels and padding


def test_levels_are_the_papers_and_exact() -> None:
    values = torch.arange(256, dtype=torch.uint8)
    levels = to_network_input(values.view(-1, 1, 1).expand(-1, 28, 28))[:, 0, 16, 16]
    assert torch.equal(levels, (0.005 * values.double() - 0.1).float())
    assert levels[0] == torch.tensor(-0.1) and levels[255] == torch.tensor(1.175)


def test_padding_is_two_background_pixels_and_not_a_resize() -> None:
    fields = to_network_input(torch.full((3, 28, 28), 255, dtype=torch.uint8))
    assert fields.shape == (3, 1, 32, 32) and fields.dtype == torch.float32
    inside = torch.zeros(32, 32, dtype=torch.bool)
    inside[2:30, 2:30] = True
    assert (fields[:, 0, inside] == torch.tensor(1.175)).all()
    assert (fields[:, 0, ~inside] == torch.tensor(-0.1)).all()


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(1, 28, 28),
        torch.zeros(28, 28, dtype=torch.uint8),
        torch.zeros(1, 32, 32, dtype=torch.uint8),
    ],
)
def test_network_input_refuses_anything_but_mnist_images(images: Tensor) -> None:
    with pytest.raises(ValueError, match="uint8"):
        to_network_input(images)


# Size normalisation


@st.composite
def blobs(draw: st.DrawFn) -> Tensor:
    """A random grey picture, at least one pixel of it inked."""
    height, width = draw(st.integers(1, 45)), draw(st.integers(1, 45))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    density = draw(st.floats(0.02, 1.0))
    blob = torch.randint(64, 256, (height, width), generator=generator, dtype=torch.uint8)
    blob[torch.rand(height, width, generator=generator) > density] = 0
    blob[height // 2, width // 2] = 255
    return blob


def bounding_box(image: Tensor) -> tuple[int, int, int, int]:
    """Top, left, height and width of the ink."""
    rows, columns = (image > 0).any(1).nonzero().flatten(), (image > 0).any(0).nonzero().flatten()
    top, left = int(rows[0]), int(columns[0])
    return top, left, int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left


def centre_of_mass(image: Tensor) -> tuple[float, float]:
    ink, index = image.double(), torch.arange(28).double()
    row, column = (ink.sum(1) * index).sum() / ink.sum(), (ink.sum(0) * index).sum() / ink.sum()
    return float(row), float(column)


@settings(deadline=None)
@given(blobs())
def test_normalised_digit_fits_its_box_and_is_centred(blob: Tensor) -> None:
    digit = normalise_digit(blob)
    assert digit.shape == (28, 28) and digit.dtype == torch.uint8
    assert digit.max() == 255
    top, left, height, width = bounding_box(digit)
    assert height <= 20 and width <= 20
    for centre, start, side in zip(
        centre_of_mass(digit), (top, left), (height, width), strict=True
    ):
        # Half a pixel, and the little that rounding to grey levels moves the centre by.
        at_the_border = start == 0 or start + side == 28
        assert abs(centre - 14) < 0.55 or at_the_border


@settings(deadline=None)
@given(blobs(), st.tuples(*[st.integers(0, 30)] * 4))
def test_place_in_the_picture_does_not_matter(blob: Tensor, margins: tuple[int, ...]) -> None:
    moved = torch.nn.functional.pad(blob, margins)
    assert torch.equal(normalise_digit(moved), normalise_digit(blob))


@settings(deadline=None)
@given(blobs())
def test_number_type_does_not_matter(blob: Tensor) -> None:
    assert torch.equal(normalise_digit(blob.double() / 256), normalise_digit(blob))
    assert torch.equal(normalise_digit(blob.float() * 2.0**100), normalise_digit(blob))


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(40, 10, (20, 5)), (3, 6, (10, 20)), (1, 300, (1, 20))]
)
def test_aspect_ratio_is_kept(height: int, width: int, expected: tuple[int, int]) -> None:
    digit = normalise_digit(torch.ones(height, width))
    assert bounding_box(digit)[2:] == expected


def test_scaling_down_is_anti_aliased() -> None:
    stripes = torch.zeros(80, 80)
    stripes[:, ::2] = 1  # half ink everywhere: any sampling without averaging gives stripes
    inside = normalise_digit(stripes)[6:22, 6:22]
    assert inside.min() > 0.9 * inside.max()


def test_box_stops_at_the_border() -> None:
    foot_and_hair = torch.zeros(20, 20)
    foot_and_hair[:, 10] = 1
    foot_and_hair[17:, :] = 1  # centre of mass at row 15.8: centring would need two rows more
    assert bounding_box(normalise_digit(foot_and_hair))[:3:2] == (0, 20)
    stem_and_hair = torch.zeros(20, 19)
    stem_and_hair[10, :] = 1
    stem_and_hair[:, :3] = 1  # centre of mass at column 3: centring would need two columns more
    assert bounding_box(normalise_digit(stem_and_hair))[1::2] == (9, 19)


@pytest.mark.parametrize(
    "image",
    [
        torch.zeros(8, 8),
        -torch.ones(8, 8),
        torch.full((8, 8), torch.nan),
        torch.full((8, 8), torch.inf),
        torch.ones(8),
        torch.ones(1, 8, 8),
        torch.ones(0, 8),
    ],
    ids=["blank", "negative", "nan", "infinite", "row", "three-dimensional", "empty"],
)
def test_picture_without_a_digit_is_refused(image: Tensor) -> None:
    with pytest.raises(ValueError, match="image"):
        normalise_digit(image)


def test_mnist_is_normalised_already(mnist: Dataset) -> None:
    """The paper's rule, applied to its own result, changes (next to) nothing."""
    images = grey_levels(mnist.training_images[:1000])
    again = torch.stack([normalise_digit(image) for image in images])
    change = (again.int() - images.int()).abs().amax((1, 2))
    assert (change <= 1).float().mean() > 0.995


def grey_levels(inputs: Tensor) -> Tensor:
    """The 28x28 uint8 images that `to_network_input` was given."""
    return (200 * inputs[:, 0, 2:30, 2:30] + 20).round().to(torch.uint8)


# The embedded digits


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_digits_dataset()


def test_digits_look_like_network_input(digits: Dataset) -> None:
    assert digits.name == "UCI digits, not MNIST"
    assert digits.training_images.shape == (1500, 1, 32, 32)
    assert digits.test_images.shape == (297, 1, 32, 32)
    for images in (digits.training_images, digits.test_images):
        assert images.dtype == torch.float32
        assert images.min() == torch.tensor(-0.1) and images.max() == torch.tensor(1.175)
    for labels in (digits.training_labels, digits.test_labels):
        assert labels.dtype == torch.int64
        share = labels.bincount(minlength=10) / len(labels)
        assert share.min() > 0.06 and share.max() < 0.14


def test_digits_are_the_same_every_time(digits: Dataset) -> None:
    again = load_dataset("digits")
    assert torch.equal(again.training_images, digits.training_images)
    assert torch.equal(again.test_labels, digits.test_labels)


def test_digits_split_is_disjoint(digits: Dataset) -> None:
    training = patterns(digits.training_images, digits.training_labels)
    test = patterns(digits.test_images, digits.test_labels)
    assert not training & test
    assert len(training | test) == 1797


def patterns(images: Tensor, labels: Tensor) -> set[tuple[bytes, int]]:
    pairs = zip(images, labels.tolist(), strict=True)
    return {(image.numpy().tobytes(), label) for image, label in pairs}


# Validation split


def test_validation_split_shares_out_the_training_set(digits: Dataset) -> None:
    split = digits.with_validation_split(300)
    assert split.name == "UCI digits, not MNIST, validation split of 300 training patterns"
    kept = patterns(split.training_images, split.training_labels)
    held_out = patterns(split.test_images, split.test_labels)
    assert (len(kept), len(held_out)) == (1200, 300)
    assert kept | held_out == patterns(digits.training_images, digits.training_labels)


def test_validation_split_follows_its_seed(digits: Dataset) -> None:
    first = digits.with_validation_split(300, seed=1).test_images
    assert torch.equal(first, digits.with_validation_split(300, seed=1).test_images)
    assert not torch.equal(first, digits.with_validation_split(300, seed=2).test_images)


@pytest.mark.parametrize("count", [-1, 0, 1500])
def test_validation_split_leaves_no_part_empty(digits: Dataset, count: int) -> None:
    with pytest.raises(ValueError, match="1 to 1499"):
        digits.with_validation_split(count)


# What may be set against the paper


def test_the_embedded_digits_are_not_the_papers(digits: Dataset) -> None:
    for dataset in (digits, digits.first(100, 50), digits.with_validation_split(300)):
        assert not dataset.is_papers and not dataset.is_comparable


def test_part_of_mnist_is_not_the_papers(mnist: Dataset) -> None:
    assert mnist.first(60_000, 10_000) is mnist.first(10**6, 10**6) is mnist
    for part in (mnist.first(1000, 10_000), mnist.first(60_000, 1000)):
        assert not part.is_papers and not part.is_comparable
        assert not part.with_validation_split(100).is_papers
    assert mnist.first(1000, 200).name == "MNIST, the first 1,000 training and 200 test digits"


def test_digits_held_out_of_mnist_are_the_papers_but_not_its_test_digits(mnist: Dataset) -> None:
    assert mnist.is_papers and mnist.is_comparable and mnist.held_out == 0
    split = mnist.with_validation_split(10_000)
    assert split.is_papers and not split.is_comparable
    assert split.held_out == 10_000 == len(split.test_labels)
    assert not split.first(1000, 100).is_papers


def test_first_takes_the_first_of_both_parts(digits: Dataset) -> None:
    few = digits.first(40, 10**6)
    assert torch.equal(few.training_images, digits.training_images[:40])
    assert torch.equal(few.training_labels, digits.training_labels[:40])
    assert torch.equal(few.test_images, digits.test_images)
    assert few.name == "UCI digits, not MNIST, the first 40 training and 297 test digits"


@pytest.mark.parametrize("counts", [(0, 5), (5, 0), (-1, 5)])
def test_first_leaves_no_part_empty(digits: Dataset, counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1 digit of each part"):
        digits.first(*counts)


# Who wrote the digits


def test_writers_follow_their_digits(digits: Dataset) -> None:
    # A writer for each digit, whom its upper left pixel names.
    def named(count: int, first: int) -> tuple[Tensor, Tensor]:
        writers = torch.arange(first, first + count)
        images = torch.full((count, 1, 32, 32), -0.1)
        images[:, 0, 0, 0] = writers / 1000
        return images, writers

    (training, of_training), (test, of_test) = named(1500, 0), named(297, 2000)
    whole = replace(
        digits,
        training_images=training,
        test_images=test,
        training_writers=of_training,
        test_writers=of_test,
    )
    for part in (whole, whole.first(40, 20), whole.with_validation_split(300)):
        for images, writers in (
            (part.training_images, part.training_writers),
            (part.test_images, part.test_writers),
        ):
            assert torch.equal((1000 * images[:, 0, 0, 0]).round().long(), writers)
    for part in (digits, digits.first(40, 20), digits.with_validation_split(300)):
        assert part.training_writers is part.test_writers is None
    with pytest.raises(ValueError, match="a writer for each of 297 digits"):
        replace(digits, test_writers=of_test[1:])


# Finding MNIST


def idx(values: Tensor) -> bytes:
    return struct.pack(f">{1 + values.ndim}I", 0x0800 + values.ndim, *values.shape) + bytes(
        values.flatten().tolist()
    )


def write_mnist(raw: Path, training: int = 20, test: int = 10) -> Path:
    """Four small well-formed files; the number of training patterns tells two sets apart."""
    raw.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", training), ("t10k", test)):
        images = (torch.arange(count * 784) % 256).to(torch.uint8).view(count, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(torch.arange(count) % 10))
    return raw


class Machine:
    """A machine without MNIST and without a network, and the three places to put MNIST in."""

    def __init__(self, root: Path) -> None:
        self.named, self.work, self.cache = root / "named", root / "work", root / "cache"
        self.work.mkdir()
        self.announced: list[str] = []

    def load(self, source: str | Path) -> Dataset:
        return load_dataset(source, announce=self.announced.append)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    def no_network(url: str, *args: object, **kwargs: object) -> None:
        raise URLError("no network in tests")

    machine = Machine(tmp_path)
    monkeypatch.setattr(FETCH, no_network)
    monkeypatch.setattr(mnist_files, "user_cache_path", lambda name: machine.cache)
    monkeypatch.setenv("LENET1998_DATA", str(machine.named))
    monkeypatch.chdir(machine.work)
    return machine


@pytest.mark.parametrize("source", ["mnist", "auto"])
def test_search_order(machine: Machine, source: str) -> None:
    write_mnist(machine.cache / "MNIST" / "raw", training=11)
    assert len(machine.load(source).training_labels) == 11
    write_mnist(machine.work / "data" / "MNIST" / "raw", training=12)
    assert len(machine.load(source).training_labels) == 12
    write_mnist(machine.named / "MNIST" / "raw", training=13)
    assert len(machine.load(source).training_labels) == 13


def test_found_files_are_never_downloaded(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*args: object) -> Path:
        pytest.fail("the network was asked")

    monkeypatch.setattr(mnist_files, "_download", forbidden)
    write_mnist(machine.work / "data" / "MNIST" / "raw")
    for source in ("auto", "mnist", "data"):
        machine.load(source)


def test_auto_falls_back_loudly(machine: Machine) -> None:
    assert machine.load("auto").name == "UCI digits, not MNIST"
    warning = machine.announced[-1]
    assert "WARNING: this run does NOT use MNIST" in warning
    assert "no network in tests" in warning
    for folder in (machine.named, machine.work / "data", machine.cache):
        assert str(folder) in warning


def test_warnings_go_to_stderr_by_default(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    load_dataset("auto")
    printed = capsys.readouterr()
    assert "does NOT use MNIST" in printed.err
    assert printed.out == ""


def test_mnist_never_falls_back(machine: Machine) -> None:
    with pytest.raises(DatasetError) as caught:
        machine.load("mnist")
    message = str(caught.value)
    assert "\n" not in message
    for expected in (str(machine.named), str(machine.cache), "no network in tests", "--data DIR"):
        assert expected in message
    assert list(machine.cache.iterdir()) == []


def test_unset_variable_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LENET1998_DATA")
    with pytest.raises(DatasetError, match="LENET1998_DATA is not set"):
        machine.load("mnist")


def test_download_goes_to_the_cache_quietly(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def mirror(url: str, download_root: str, filename: str, md5: str) -> None:
        print("noise")
        name = filename.removesuffix(".gz")
        source = write_mnist(machine.work / "mirror") / name
        Path(download_root, name).write_bytes(source.read_bytes())

    monkeypatch.setattr(FETCH, mirror)
    machine.load("mnist")
    assert "downloading" in machine.announced[0]
    assert capsys.readouterr() == ("", "")
    found = sorted(file.name for file in machine.cache.rglob("*") if file.is_file())
    assert found == sorted([TRAINING_IMAGES, TRAINING_LABELS, TEST_IMAGES, TEST_LABELS])


def test_download_cut_off_leaves_nothing_to_find(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(url: str, download_root: str, filename: str, md5: str) -> None:
        Path(download_root, filename.removesuffix(".gz")).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(FETCH, cut_off)
    with pytest.raises(KeyboardInterrupt):
        machine.load("mnist")
    assert list(machine.cache.iterdir()) == []


# A folder given by name


@pytest.mark.parametrize("below", [".", "MNIST", "MNIST/raw"])
def test_folder_may_be_given_at_any_level(tmp_path: Path, below: str) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    dataset = load_dataset(tmp_path / below, announce=lambda message: None)
    assert dataset.training_images.shape == (20, 1, 32, 32)
    assert dataset.test_labels.tolist() == list(range(10))


def test_compressed_files_are_read(machine: Machine) -> None:
    raw = write_mnist(machine.named)
    plain = machine.load(machine.named)
    for file in list(raw.iterdir()):
        Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert torch.equal(machine.load(str(machine.named)).training_images, plain.training_images)


def test_other_data_in_mnists_layout_is_labelled(machine: Machine) -> None:
    write_mnist(machine.named)
    dataset = machine.load(machine.named)
    assert dataset.name == "MNIST layout, not the original files"
    assert not dataset.is_papers and not dataset.is_comparable
    assert TRAINING_IMAGES in machine.announced[0] and "not the original" in machine.announced[0]


def test_folder_without_mnist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"{tmp_path.name} does not hold MNIST: expected"):
        load_dataset(tmp_path)
    with pytest.raises(DatasetError, match="nowhere is not a folder"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="~nobody-of-this-name/x is not a folder"):
        load_dataset("~nobody-of-this-name/x")


# Damage


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def cut_to_nothing(file: Path) -> None:
    file.write_bytes(b"")


def lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


def replace_by_a_web_page(file: Path) -> None:
    file.write_bytes(b"<html><body>404 Not Found</body></html>")


def remove(file: Path) -> None:
    file.unlink()


def cut_compressed(file: Path) -> None:
    Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes())[:-12])
    file.unlink()


def compress_badly(file: Path) -> None:
    Path(f"{file}.gz").write_bytes(file.read_bytes())
    file.unlink()


@pytest.mark.parametrize("name", [TRAINING_IMAGES, TRAINING_LABELS, TEST_IMAGES, TEST_LABELS])
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (cut, "header promises"),
        (cut_to_nothing, "less than the header"),
        (lengthen, "header promises"),
        (replace_by_a_web_page, "magic number"),
        (remove, "missing"),
        (cut_compressed, "can't be read"),
        (compress_badly, "can't be read"),
    ],
)
def test_damage_names_the_file(
    tmp_path: Path, name: str, damage: Callable[[Path], None], expected: str
) -> None:
    damage(write_mnist(tmp_path / "MNIST" / "raw") / name)
    with pytest.raises(DatasetError, match=rf"{name}.*{expected}.*Replace it") as caught:
        load_dataset(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        (TRAINING_LABELS, torch.arange(19) % 10, "19 labels for 20 images"),
        (TRAINING_LABELS, torch.arange(20) % 11, "labels must be 0 to 9, one is 10"),
        (TEST_IMAGES, torch.zeros(10, 32, 32, dtype=torch.uint8), "must be 28x28, not 32x32"),
        (TEST_IMAGES, torch.zeros(0, 28, 28, dtype=torch.uint8), "no patterns"),
        (TEST_LABELS, torch.zeros(10, 28, 28, dtype=torch.uint8), "magic number 2049, not 2051"),
    ],
)
def test_files_that_make_no_sense(tmp_path: Path, name: str, values: Tensor, expected: str) -> None:
    (write_mnist(tmp_path) / name).write_bytes(idx(values))
    with pytest.raises(DatasetError, match=rf"{name} is damaged.*{expected}"):
        load_dataset(tmp_path)


def _bomb(header: bytes, mebibytes: int) -> bytes:
    """So many of zeros after a header, in a thousandth of them: a gzip file may have many parts."""
    part = gzip.compress(bytes(2**24))
    return gzip.compress(header) + mebibytes // 16 * part


def _header(count: int) -> bytes:
    return struct.pack(">4I", 0x803, count, 28, 28)


@pytest.mark.parametrize(
    ("content", "expected", "most"),
    [
        (_bomb(b"", 1024), "magic number", 2**22),
        (_bomb(_header(20), 1024), "promises 15696 bytes in all, it has more", 2**22),
        (_bomb(_header(80_000), 1024), "promises 62720016 bytes in all, it has more", 2**28),
        (_bomb(_header(2**30 // 784), 1024), "too many for .* compressed", 2**22),
        (_bomb(_header(2**32 - 1), 16), "too many for .* compressed", 2**22),
    ],
    ids=["no header", "few promised", "many promised", "1 GiB there", "3 TB promised"],
)
def test_a_small_file_takes_little_memory(
    tmp_path: Path, content: bytes, expected: str, most: int
) -> None:
    file = write_mnist(tmp_path) / TRAINING_IMAGES
    file.unlink()
    Path(f"{file}.gz").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=rf"{TRAINING_IMAGES}\.gz is damaged.*{expected}"):
            load_dataset(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def test_a_header_that_promises_3_tb_is_refused_by_the_files_size(tmp_path: Path) -> None:
    (write_mnist(tmp_path) / TRAINING_IMAGES).write_bytes(_header(2**32 - 1) + bytes(784))
    with pytest.raises(DatasetError, match=r"promises 3367254359296 bytes in all, it has 800\."):
        load_dataset(tmp_path)


def test_a_large_file_is_read_if_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist_files, "_SMALL", 0)
    images = torch.randint(256, (30, 28, 28), dtype=torch.uint8)
    (tmp_path / f"{TRAINING_IMAGES}.gz").write_bytes(gzip.compress(idx(images)))
    _, read = mnist_files.read_idx(tmp_path, TRAINING_IMAGES, (28, 28))
    assert torch.equal(read, images)


@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_damage_found_on_the_search_is_not_passed_over(machine: Machine, source: str) -> None:
    cut(write_mnist(machine.work / "data" / "MNIST" / "raw") / TEST_LABELS)
    write_mnist(machine.cache / "MNIST" / "raw")
    with pytest.raises(DatasetError, match=TEST_LABELS):
        machine.load(source)


# QMNIST

QMNIST_PARTS = {"train": 20, "test": 10}


def idx_of_integers(table: Tensor) -> bytes:
    return struct.pack(">3I", 0x0C02, *table.shape) + table.numpy().astype(">i4").tobytes()


def write_qmnist(raw: Path, columns: int = 8) -> Path:
    """Four small well-formed files; digit k was written by 2100 + k."""
    raw.mkdir(parents=True, exist_ok=True)
    for part, count in QMNIST_PARTS.items():
        images = (torch.arange(count * 784) % 251).to(torch.uint8).view(count, 28, 28)
        table = torch.full((count, columns), 70_000)
        table[:, 0], table[:, 2] = torch.arange(count) % 10, 2100 + torch.arange(count)
        (raw / f"qmnist-{part}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"qmnist-{part}-labels-idx2-int").write_bytes(idx_of_integers(table))
    return raw


def test_qmnist_is_read_as_torchvision_reads_it(machine: Machine) -> None:
    from torchvision.datasets import QMNIST

    raw = write_qmnist(machine.named / "QMNIST" / "raw")
    dataset = machine.load("qmnist")
    for part, images, labels, writers in (
        ("train", dataset.training_images, dataset.training_labels, dataset.training_writers),
        ("test", dataset.test_images, dataset.test_labels, dataset.test_writers),
    ):
        theirs = QMNIST(machine.named, what=part, compat=False)
        assert torch.equal(images, to_network_input(theirs.data))
        assert torch.equal(labels, theirs.targets[:, 0])
        assert torch.equal(writers, theirs.targets[:, 2])
    assert dataset.name == "QMNIST" and not dataset.is_papers and not dataset.is_comparable
    for file in list(raw.iterdir()):
        Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert torch.equal(machine.load("qmnist").test_images, dataset.test_images)


def test_parts_of_qmnists_test_digits(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    write_qmnist(machine.named)
    with pytest.raises(DatasetError, match=r"qmnist-test-labels.*no more than 10 digits"):
        machine.load("qmnist-test50k")
    monkeypatch.setattr(qmnist_files, "_OF_MNIST", 4)
    parts = [machine.load(place) for place in ("qmnist-test10k", "qmnist-test50k")]
    assert [part.test_labels.tolist() for part in parts] == [[*range(4)], [*range(4, 10)]]
    assert [part.test_writers[0].item() for part in parts] == [2100, 2104]
    assert len({part.name for part in (*parts, machine.load("qmnist"))}) == 3
    assert Source("qmnist-test50k").settled(parts[1]).place == "qmnist-test50k"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("labels-idx2-int", idx_of_integers(torch.zeros(20, 7)), "must be 8, not 7"),
        ("labels-idx2-int", idx_of_integers(torch.zeros(19, 8)), "19 labels for 20 images"),
        ("labels-idx2-int", idx_of_integers(torch.full((20, 8), -1)), "0 to 9, one is -1"),
        ("labels-idx2-int", idx_of_integers(torch.zeros(20, 8))[:-4], "header promises 652 bytes"),
        (
            "labels-idx2-int",
            idx(torch.zeros(20, 8, dtype=torch.uint8)),
            "magic number 3074, not 2050",
        ),
        ("images-idx3-ubyte", b"", "less than the header"),
    ],
)
def test_damage_to_qmnist_names_the_file(
    machine: Machine, name: str, content: bytes, expected: str
) -> None:
    (write_qmnist(machine.named) / f"qmnist-train-{name}").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"{name}.*{expected}.*QMNIST.*--data qmnist,"):
        machine.load("qmnist")


def test_qmnist_is_downloaded_or_missed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match=r"QMNIST was not found .*no network in tests"):
        machine.load("qmnist")
    assert list(machine.cache.iterdir()) == []
    mirror = write_qmnist(machine.work / "mirror")

    def fetch(url: str, download_root: str, md5: str) -> None:
        name = Path(url).stem
        Path(download_root, name).write_bytes((mirror / name).read_bytes())

    monkeypatch.setattr(FETCH, fetch)
    assert len(machine.load("qmnist").training_labels) == QMNIST_PARTS["train"]
    assert len(list((machine.cache / "QMNIST" / "raw").iterdir())) == 4


# The real thing


def test_mnist_is_the_papers(mnist: Dataset) -> None:
    assert mnist.name == "MNIST"
    assert mnist.training_images.shape == (60_000, 1, 32, 32)
    assert mnist.test_images.shape == (10_000, 1, 32, 32)
    assert mnist.training_labels.bincount().tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert mnist.test_labels.bincount().tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    # The text says mean about 0 and variance about 1; the levels it gives lead to these.
    assert mnist.training_images.mean().item() == pytest.approx(0.03, abs=0.005)
    assert mnist.training_images.var().item() == pytest.approx(0.12, abs=0.005)


def test_mnists_writers(mnist: Dataset) -> None:
    training, test = mnist.training_writers, mnist.test_writers
    assert training is not None and test is not None
    path = resources.files("lenet1998.data") / "mnist_writers.npz"
    with path.open("rb") as file, np.load(file) as held:
        for part, writers in (("training", training), ("test", test)):
            # Their numbers alone tell students, series 4, from employees.
            expected = torch.from_numpy(held[f"{part}_series"]) == 4
            assert torch.equal(by_series(writers)["students"], expected)
    assert (len(training.unique()), len(test.unique())) == (539, 297)
    assert not set(training.tolist()) & set(test.tolist())
    students = by_series(test)["students"]
    assert students[:5001].all() and not students[5001:].any()
    split = mnist.with_validation_split(10_000)
    assert split.test_writers is not None and len(split.test_writers) == 10_000
    assert mnist.first(10, 20).test_writers.tolist() == test[:20].tolist()
