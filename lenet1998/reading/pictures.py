"""Any picture of a digit as the network's input: read it, find the digit, normalise it."""

import io
import os
import stat
from collections.abc import Callable
from contextlib import nullcontext
from typing import IO, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn.functional import pad

from lenet1998.data.field import BACKGROUND, BOX, CENTRE, FIELD, IMAGE, INK
from lenet1998.data.normalisation import normalise_digit, to_network_input
from lenet1998.errors import in_words
from lenet1998.reading.digit import find_digit
from lenet1998.reading.ink import NoDigitError
from lenet1998.reading.line import find_line
from lenet1998.reading.marks import NotOneDigitError

__all__ = ["AnyPicture", "ImageError", "NotOneDigit", "NothingToRead", "read_line", "read_picture"]

_Encoded: TypeAlias = str | os.PathLike[str] | bytes | bytearray | IO[bytes]
AnyPicture: TypeAlias = _Encoded | Image.Image | npt.NDArray[np.generic] | Tensor
"""What `read_picture` takes."""

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP", "JPEG2000", "AVIF")
"""What is opened, whatever the name says: of Pillow's others one starts a program (EPS)."""

BESIDE = 14  # columns of background beside a line, so that an output has its first digit inside
_LARGEST = 2**28  # bytes that are taken from an open file, which may be a pipe without an end


class ImageError(ValueError):
    """A picture can't be read. The message is one line: which, why, and what to do."""


class NothingToRead(ImageError):
    """Nothing in a picture stands out from its background."""


class NotOneDigit(ImageError):
    """Something stands out in a picture, but not one digit.

    Attributes:
        reason: what it is instead, in words.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}; give a picture of one digit")
        self.reason = reason


def read_picture(source: AnyPicture) -> Tensor:
    """Find the digit in a picture and normalise it as NIST's were (section III.A).

    Photographs, scans and drawings of one digit, dark on light or light on dark, in any colours. A
    sheet on a darker table is cut out and turned upright; shadows, glare, frames, ruled lines and
    specks are cleared, strokes of a thin pen are thickened (see `lenet1998.reading.digit`), the
    digit is fitted into 20x20 pixels and centred by its mass. What is already so, as an MNIST image
    is, stays as it is.

    Args:
        source: a file's name, its bytes, or the file, open for reading bytes, of a raster format
            (`FORMATS`), turned as its EXIF data says; a `PIL.Image`, of any mode; an array (H, W),
            (H, W, 3) or (H, W, 4); or a tensor (H, W) or (1, 3 or 4, H, W). Values 0 to 255 or 0 to
            1, or true and false. A tensor that is a network's input already, (1, 32, 32) with a
            background of -0.1, is returned.

    Returns:
        `(1, 1, 32, 32)` float32, background -0.1, darkest ink 1.175.

    Raises:
        ImageError: the file is absent, damaged, no picture, animated or too large; the array has
            another shape or other values; or nothing stands out from the background.
        NotOneDigit: several marks stand out, each as large as a digit, or a blob. It is an
            `ImageError` too.
        TypeError: it is none of these.
    """
    if isinstance(source, Tensor) and _is_network_input(source):
        return source.detach().to("cpu", torch.float32).reshape(1, 1, *source.shape[-2:])
    name = _name(source)
    if isinstance(source, np.ndarray | Tensor):
        picture = _from_array(source, name)
    else:
        picture = _opened(source, name)
    try:
        digit = _if_normalised(picture)
        if digit is None:
            digit = normalise_digit(torch.from_numpy(find_digit(picture)))
    except NoDigitError:
        raise ImageError(
            f"{name}: no digit found, nothing stands out from the background; "
            "give a picture of one digit on plain paper"
        ) from None
    except NotOneDigitError as error:
        raise NotOneDigit(name, str(error)) from None
    return to_network_input(digit[None])


def read_line(source: AnyPicture) -> tuple[Tensor, Callable[[float], float]]:
    """Find the digits that stand side by side in a picture, as a field for the network.

    The picture is looked at as for one digit (see `lenet1998.reading.line.find_line`); the digits
    come out as high as MNIST's. A picture 32 pixels high in which they are so already stays as it
    is.

    Args:
        source: as for `read_picture`; a tensor `(1, 32, W)` with a background of -0.1 is a field.

    Returns:
        `(1, 1, 32, W)` float32 with 14 columns of background on either side of the ink, and where
        in the picture a column of it lies, in pixels from the left.

    Raises:
        ImageError: as `read_picture`.
        NothingToRead: nothing stands out. It is an `ImageError` too.
        TypeError: as `read_picture`.
    """
    name = _name(source)
    if isinstance(source, Tensor) and _is_network_input(source, or_wider=True):
        field = source.detach().to("cpu", torch.float32).reshape(FIELD, -1)
        return _with_margins((field - BACKGROUND) / (INK - BACKGROUND), name)
    if isinstance(source, np.ndarray | Tensor):
        picture = _from_array(source, name)
    else:
        picture = _opened(source, name)
    ink = _if_line(picture)
    if ink is not None:
        return _with_margins(torch.from_numpy(ink), name)
    try:
        line = find_line(picture)
    except NoDigitError:
        raise NothingToRead(f"{name}: nothing stands out from the background") from None
    field, column = _with_margins(torch.from_numpy(line.ink), name)
    return field, lambda x: line.x(column(x))


def _with_margins(ink: Tensor, name: str) -> tuple[Tensor, Callable[[float], float]]:
    """Ink `(32, W)`, 0 to 1, as a field, and where a column of it was."""
    columns = (ink > 0.01).any(0).nonzero()
    if not len(columns):
        raise NothingToRead(f"{name}: nothing stands out from the background")
    first, last = int(columns[0]), int(columns[-1]) + 1
    inked = pad(ink[:, first:last], (BESIDE, BESIDE + (last - first) % 2))
    return BACKGROUND + (INK - BACKGROUND) * inked[None, None], lambda x: x - BESIDE + first


def _if_line(picture: Image.Image) -> npt.NDArray[np.float32] | None:
    """The `(32, W)` ink of a picture whose digits are as MNIST's in height already, else None."""
    if picture.height != FIELD:
        return None
    ink = _plain_ink(picture)
    if ink is None or not 0.7 * BOX <= np.ptp(np.flatnonzero(ink.any(1))) < 1.35 * BOX:
        return None
    return (ink / 255).astype(np.float32)


def _name(source: AnyPicture) -> str:
    if isinstance(source, np.ndarray | Tensor):
        kind = "tensor" if isinstance(source, Tensor) else "array"
        return f"{kind} of shape {tuple(source.shape)}"
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or f"{source.width}x{source.height} image"
    if isinstance(source, bytes | bytearray):
        return f"picture of {len(source)} bytes"
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if hasattr(source, "read"):
        return str(getattr(source, "name", "open file"))
    expected = "a file's name, bytes, an open file, a PIL image, an array or a tensor"
    raise TypeError(f"expected {expected} as picture, got {type(source).__name__}")


def _is_network_input(tensor: Tensor, *, or_wider: bool = False) -> bool:
    """Levels below 0 occur in no picture."""
    height, width = tensor.shape[-2:] if tensor.ndim > 1 else (0, 0)
    one_field = height == FIELD and tensor.numel() == height * width
    one_field = one_field and (width == FIELD or or_wider)
    one_field = one_field and tensor.layout == torch.strided and not tensor.is_meta
    return one_field and tensor.is_floating_point() and -0.2 < tensor.min().item() < 0


def _opened(source: _Encoded | Image.Image, name: str) -> Image.Image:
    """The picture in mode RGB, upright."""
    limit = Image.MAX_IMAGE_PIXELS
    try:
        with nullcontext(source) if isinstance(source, Image.Image) else _decoder(source) as image:
            # Pillow only warns of a picture above its limit; one of a gigabyte is no photograph.
            if limit is not None and image.width * image.height > limit:
                raise Image.DecompressionBombError
            frames = getattr(image, "n_frames", 1)
            # An MPO's second picture belongs to the first: a phone's depth map or preview.
            if frames == 1 or image.format == "MPO":
                return _to_rgb(ImageOps.exif_transpose(image))
        reason = f"holds {frames} frames or pages; save the one with the digit by itself"
    except FileNotFoundError:
        reason = "no such file"
    except IsADirectoryError:
        reason = "a folder; give the pictures in it"
    except PermissionError:
        reason = "no permission to read it"
    except UnidentifiedImageError:
        reason = "not a picture of pixels (such as PNG, JPEG, TIFF or WebP); give a PNG or JPEG"
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        reason = f"more than {(limit or 0) / 1e6:.0f} million pixels; make it smaller"
    except _NoPictureError as error:
        reason = str(error)
    except Exception as error:  # a damaged file makes Pillow's decoders raise anything
        if isinstance(error, OSError) and error.errno:
            raise ImageError(in_words(error, name)) from error
        why = " ".join(str(error).split()) or type(error).__name__
        reason = f"damaged or cut off ({why}); give an intact copy, as PNG or JPEG"
        raise ImageError(f"{name}: {reason}") from error
    raise ImageError(f"{name}: {reason}")


class _NoPictureError(Exception):
    """A source that cannot hold a picture; the message says why, and what to do."""


def _decoder(source: _Encoded) -> Image.Image:
    """The picture, not yet decoded, of an ordinary file or of what an open one still holds."""
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]  # older Pillows have no AVIF
    if isinstance(source, str | os.PathLike):
        mode = os.stat(source).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):  # a FIFO could keep us waiting for ever
            raise _NoPictureError("not an ordinary file; pipe what it gives to -, standard input")
        return Image.open(source, formats=formats)
    content = bytearray()
    if isinstance(source, bytes | bytearray):
        content += source
    else:
        while part := source.read(2**20):
            if isinstance(part, str):
                raise _NoPictureError('open for reading text; open it with mode "rb"')
            content += part
            if len(content) > _LARGEST:
                raise _NoPictureError(f"more than {_LARGEST >> 20} MB; make the picture smaller")
    if not content:
        raise _NoPictureError("nothing to read in it")
    return Image.open(io.BytesIO(content), formats=formats)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits: their range is anybody's guess
        values = np.asarray(image).astype(np.float64)
        values -= values.min()
        image = Image.fromarray((values * (255 / max(values.max(), 1e-9))).astype(np.uint8))
    if image.has_transparency_data:
        return _on_paper(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_paper(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on an opaque background that its ink stands out from.

    What is mostly opaque shows paper, so the gaps in it become paper too. Otherwise only the ink is
    opaque, and it is laid on white or, if it is light, on black.
    """
    sample = image.resize([min(side, 256) for side in image.size], Image.Resampling.NEAREST)
    pixels = np.asarray(sample).reshape(-1, 4)
    opaque = pixels[pixels[:, 3] > 127, :3]
    colour = np.median(opaque, axis=0) if len(opaque) else np.zeros(3)
    if len(opaque) < len(pixels) / 2:
        colour = np.full(3, 255 if colour.mean() < 128 else 0)
    page = Image.new("RGB", image.size, tuple(int(level) for level in colour))
    page.paste(image, mask=image.getchannel("A"))
    return page


def _from_array(source: npt.NDArray[np.generic] | Tensor, name: str) -> Image.Image:
    """An array or tensor as a picture in mode RGB."""
    values = source
    if isinstance(values, Tensor):
        if values.is_meta or values.layout != torch.strided:
            raise ImageError(f"{name}: expected a dense tensor with values")
        values = values.detach().cpu()
        if values.is_floating_point():  # NumPy has no bfloat16
            values = values.to(torch.float32)
        values = (values.movedim(0, -1) if values.ndim == 3 else values).numpy()
    channels = values.shape[2] if values.ndim == 3 else 1
    if values.ndim not in (2, 3) or channels not in (1, 3, 4) or not values.size:
        raise ImageError(
            f"{name}: expected an array (H, W), (H, W, 3) or (H, W, 4), "
            "or a tensor (H, W), (1, H, W), (3, H, W) or (4, H, W)"
        )
    if values.dtype.kind not in "buif":
        raise ImageError(f"{name}: expected numbers, got {values.dtype}")
    values = values.astype(np.float32)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):  # NaN fails this too
        raise ImageError(f"{name}: expected values 0 to 255 or 0 to 1, got {low:g} to {high:g}")
    levels = (values * (255 if high <= 1 else 1)).round().astype(np.uint8)
    return _to_rgb(Image.fromarray(levels.squeeze(2) if values.shape[2:] == (1,) else levels))


def _plain_ink(picture: Image.Image) -> npt.NDArray[np.int16] | None:
    """The ink of a grey picture whose background is white or black, and ink the other; else None.

    Shape: mode RGB -> `(H, W)`, 0 to 254 or 255.
    """
    red, green, blue = (np.asarray(band).astype(np.int16) for band in picture.split())
    if (red != green).any() or (red != blue).any() or red[0, 0] not in (0, 255):
        return None
    ink: npt.NDArray[np.int16] = np.abs(red - red[0, 0])
    return ink if ink.max() >= 254 else None


def _if_normalised(picture: Image.Image) -> Tensor | None:
    """The `(28, 28)` uint8 ink of a picture that is as MNIST's are already, else None.

    Either polarity. MNIST's digits are 20 pixels long, a few 19; they are centred within half a
    pixel, and their darkest ink is 254 or 255.
    """
    ink = _plain_ink(picture) if picture.size == (IMAGE, IMAGE) else None
    if ink is None:
        return None
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    length = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    index = np.arange(IMAGE)
    centre = np.array([ink.sum(1) @ index, ink.sum(0) @ index]) / ink.sum()
    if length not in (BOX - 1, BOX) or (np.abs(centre - CENTRE) > 0.6).any():
        return None
    return torch.from_numpy(ink.astype(np.uint8))
