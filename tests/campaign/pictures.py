"""Pictures as files, bytes, open files and Pillow's images."""

import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from lenet1998.reading import ImageError, Reading, predict, read_picture

from .cases import Case, Rng, harmed, one_of

STROKES = {
    1: [[(0.5, 0.1), (0.46, 0.9)]],
    4: [[(0.5, 0.1), (0.2, 0.55), (0.75, 0.55)], [(0.66, 0.3), (0.6, 0.9)]],
    7: [[(0.2, 0.15), (0.8, 0.15), (0.4, 0.9)]],
    2: [[(0.2, 0.3), (0.4, 0.12), (0.7, 0.25), (0.65, 0.45), (0.2, 0.9), (0.8, 0.88)]],
}
"""Of a few digits, in a unit square."""

LOSSLESS: dict[str, tuple[dict[str, Any], ...]] = {
    "PNG": ({}, {"optimize": True}, {"compress_level": 0}),
    "BMP": ({},),
    "PPM": ({},),
    "GIF": ({}, {"interlace": 0}),
    "WEBP": ({"lossless": True},),
    "JPEG2000": ({},),
    "TIFF": ({}, *({"compression": f"tiff_{name}"} for name in ("lzw", "adobe_deflate"))),
}
LOSSY: dict[str, tuple[dict[str, Any], ...]] = {
    "JPEG": ({"quality": 92}, {"quality": 80, "progressive": True}),
    "WEBP": ({"quality": 90},),
}
SUFFIXES = {"JPEG": "jpg", "JPEG2000": "jp2", "TIFF": "tif"}


def drawn(rng: Rng, *, large: int = 160) -> Image.Image:
    """A digit, black on white, mode L, of 30 pixels or more, somewhere on its page."""
    side = int(rng.integers(40, large))
    page = Image.new("L", (int(side * rng.uniform(1, 2)), int(side * rng.uniform(1, 2))), 255)
    left, top = (int(rng.integers(0, extent - side + 1)) for extent in page.size)
    pen = ImageDraw.Draw(page)
    for stroke in STROKES[one_of(rng, STROKES)]:
        points = [(left + side * x, top + side * y) for x, y in stroke]
        pen.line(points, fill=0, width=round(side * rng.uniform(0.08, 0.12)), joint="curve")
    return page


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a file of this format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def handed(content: bytes, name: str, folder: Path, rng: Rng) -> tuple[Any, str]:
    """The bytes as a source of one kind or another, and how an error names it."""
    file = folder / name
    file.write_bytes(content)
    of_bytes = f"picture of {len(content)} bytes"
    return one_of(rng, (
        (file, str(file)), (str(file), str(file)), (content, of_bytes),
        (bytearray(content), of_bytes), (io.BytesIO(content), "open file"),
        (file.open("rb"), str(file)),
    ))  # fmt: skip


def is_input(inputs: Tensor) -> bool:
    """Whether this is what a network takes."""
    fits = inputs.shape == (1, 1, 32, 32) and inputs.dtype == torch.float32
    return bool(fits and inputs.min() >= -0.1 and inputs.max() <= 1.176)


def is_reading(reading: Reading) -> bool:
    """Whether this is a digit, or says why it is none."""
    return (reading.digit in range(10)) != (reading.reason is not None)


def _named(name: str) -> str:
    return "^" + "".join(f"[{sign}]" if sign not in "^\\" else f"\\{sign}" for sign in name) + ": "


def _kinds(rng: Rng, kinds: dict[str, tuple[dict[str, Any], ...]]) -> tuple[str, dict[str, Any]]:
    kind = one_of(rng, kinds)
    return kind, one_of(rng, kinds[kind])


def same_in_another_file(rng: Rng, folder: Path) -> Case:
    """An unharmed picture in another container, mode or turn is read as its PNG is."""
    image = drawn(rng)
    right = read_picture(encoded(image, "PNG"))
    lossy = rng.random() < 0.25
    kind, options = _kinds(rng, LOSSY if lossy else LOSSLESS)
    modes = {"PNG": ("L", "RGB", "RGBA", "LA", "P", "I;16"), "TIFF": ("L", "RGB", "I;16", "F", "P")}
    mode = one_of(rng, modes.get(kind, ("L", "RGB")))
    held = image.convert("L") if mode in ("I;16", "F") else image.convert(mode)
    if mode in ("I;16", "F"):
        scale, kept = (257, np.uint16) if mode == "I;16" else (1 / 255, np.float32)
        held = Image.fromarray((np.asarray(image, np.float64) * scale).astype(kept))
    turn = 1
    if kind in ("JPEG", "TIFF", "WEBP", "PNG") and mode in ("L", "RGB") and rng.random() < 0.3:
        turn = int(rng.integers(2, 9))
        back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpose that the tag undoes
        held = held.transpose(Image.Transpose(back[turn]))
        exif = Image.Exif()
        exif[0x0112] = turn
        options = {**options, "exif": exif}
    suffix = SUFFIXES.get(kind, kind.lower()) if rng.random() < 0.7 else one_of(rng, ("png", "txt"))
    source, name = handed(encoded(held, kind, **options), f"digit.{suffix}", folder, rng)

    def as_before(inputs: Tensor) -> bool:
        if lossy:  # the same answer; grey levels differ
            ours, theirs = (predict(one, j=float("inf")).digit for one in (inputs, right))
            return ours == theirs
        return torch.equal(inputs, right)

    what = f"{kind} {mode} {options} turned {turn} as {type(source).__name__}, .{suffix}"
    return Case(what, lambda: read_picture(source), _named(name), as_before, errors=())


def harmed_file(rng: Rng, folder: Path) -> Case:
    """A file of any format with some bytes changed, cut off or put in."""
    kind, options = _kinds(rng, {**LOSSLESS, **LOSSY, "AVIF": ({},)})
    mode = one_of(rng, ("L", "RGB", "RGBA", "P") if kind in ("PNG", "TIFF", "WEBP") else ("L",))
    held = drawn(rng, large=90).convert(mode)
    if rng.random() < 0.2 and kind in ("PNG", "TIFF", "WEBP", "GIF"):
        options = {**options, "save_all": True, "append_images": [held.rotate(90)]}
    content = harmed(encoded(held, kind, **options), rng, header=one_of(rng, (16, 64, 300)))
    if kind == "PNG" and rng.random() < 0.7:
        content = with_checksums(content)
    source, name = handed(content, f"digit.{SUFFIXES.get(kind, kind.lower())}", folder, rng)
    what = f"harmed {kind} {mode}, {len(content)} bytes, as {type(source).__name__}"
    return Case(what, lambda: predict(source), _named(name), is_reading, (ImageError,))


def with_checksums(png: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what they hold, so that a decoder goes on."""
    at, parts = 8, [png[:8]]
    while at + 12 <= len(png):
        length = min(int.from_bytes(png[at : at + 4], "big"), len(png) - at - 12)
        body = png[at + 4 : at + 8 + length]
        parts.append(length.to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big"))
        at += 12 + length
    return b"".join(parts)


def of_size(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG that claims these sizes and holds one black row; `with_checksums` is not needed."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((depth, colour, 0, 0, 0))
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(bytes(100)), b"IEND": b""}
    body = b"".join(bytes(4) + name + data + bytes(4) for name, data in chunks.items())
    lengths = iter(len(data) for data in chunks.values())
    at, whole = 0, b"\x89PNG\r\n\x1a\n"
    for length in lengths:
        whole += length.to_bytes(4, "big") + body[at + 4 : at + 12 + length]
        at += 12 + length
    return with_checksums(whole)


def odd_size(rng: Rng, folder: Path) -> Case:
    """From 1x1 to sizes that are only claimed."""
    sides = (1, 1, 2, 3, 27, 28, 29, 33, 500, 3000)
    width, height = one_of(rng, sides), one_of(rng, sides)
    if rng.random() < 0.3:
        claimed = (0, 1, 9000, 2**15, 2**20, 2**31 - 1, 2**32 - 1)
        width, height = one_of(rng, claimed), one_of(rng, claimed)
        content = of_size(width, height, one_of(rng, (1, 2, 8, 16, 3)), one_of(rng, (0, 2, 3, 6)))
    else:
        image = Image.new("L", (width, height), 255)
        ends = [tuple(rng.integers(-5, (width + 5, height + 5)).tolist()) for _ in range(4)]
        ImageDraw.Draw(image).line(
            ends, fill=int(rng.integers(256)), width=int(rng.integers(1, 40))
        )
        content = encoded(image, one_of(rng, ("PNG", "BMP", "TIFF", "WEBP")))
    source, name = handed(content, "digit.png", folder, rng)
    what = f"{width}x{height}, {len(content)} bytes"
    return Case(what, lambda: predict(source), _named(name), is_reading, (ImageError,))


def frames(rng: Rng, folder: Path) -> Case:
    """Pictures of several frames or pages are refused, whatever the name says."""
    kind = one_of(rng, ("GIF", "WEBP", "TIFF", "PNG"))
    pages = [drawn(rng, large=60).resize((60, 60)) for _ in range(rng.integers(2, 5))]
    content = encoded(pages[0], kind, save_all=True, append_images=pages[1:])
    source, name = handed(content, "digit.png", folder, rng)
    named = _named(name) + f"holds {len(pages)} frames"
    what = f"{kind} of {len(pages)} frames"
    return Case(what, lambda: predict(source), named, lambda _: False, (ImageError,))


def no_file(rng: Rng, folder: Path) -> Case:
    """What is no file of pixels: folders, pipes, devices, loops, programs, texts, odd names."""
    made = dict(_places(folder))
    place = one_of(rng, made)
    named = "" if place in ("", ".") or "\0" in place else _named(place)
    act = lambda: predict(one_of(rng, (str, Path, os.fsencode))(place))  # noqa: E731
    # A name as bytes is taken for the picture itself.
    named = named and f"{named}|picture of"
    return Case(f"{made[place]}: {place[-60:]!r}", act, named, lambda _: False, (ImageError,))


def _places(folder: Path) -> Iterator[tuple[str, str]]:
    yield str(folder), "folder"
    yield str(folder / "absent.png"), "absent"
    for name, make in {"pipe": os.mkfifo, "loop": lambda at: os.symlink(at, at)}.items():
        make(folder / name)
        yield str(folder / name), name
    os.symlink(folder / "nowhere", folder / "dangling")
    yield str(folder / "dangling"), "dangling link"
    yield str(folder / "loop" / "x.png"), "below a loop"
    contents = {
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>', "pdf": b"%PDF-1.7\n%%EOF",
        "empty": b"", "zeros": bytes(999), "text": "seven\né".encode(), "ico": bytes((0, 0, 1, 0)),
        "pickle": b"\x80\x04N.", "xbm": b"#define a_width 9\n#define a_height 9\n",
    }  # fmt: skip
    for name, content in contents.items():
        file = folder / f"{name}.png"
        file.write_bytes(content)
        yield str(file), name
    yield str(folder / "text.png" / "below"), "below a file"
    for name in ("/dev/zero", "/dev/null", "/dev/stdin", "/proc/self/mem", "", ".", "a\0b"):
        yield name, "special"
    yield str(folder / ("x" * 300)), "long name"
    yield "/".join(["x" * 200] * 40), "long path"
    for name in ("\x1b[31m.png", "[red].png", "\udce9.png", "☃.png", " .png"):
        yield str(folder / name), "odd name"


CASES = (
    *[same_in_another_file] * 6, *[harmed_file] * 10, *[odd_size] * 3, frames, no_file,
)  # fmt: skip


def pictures(rng: Rng, folder: Path) -> Case:
    return one_of(rng, CASES)(rng, folder)
