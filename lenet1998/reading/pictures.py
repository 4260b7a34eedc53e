"""Any picture of a digit as the network's input: read it, find the digit, normalise it."""

import os
import warnings
from contextlib import nullcontext
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from lenet1998.data.field import BOX, CENTRE, FIELD, IMAGE
from lenet1998.data.normalisation import normalise_digit, to_network_input
from lenet1998.reading.ink import NoDigitError, find_digit

__all__ = ["AnyPicture", "ImageError", "read_picture"]

AnyPicture: TypeAlias = str | os.PathLike[str] | Image.Image | npt.NDArray[np.generic] | Tensor
"""What `read_picture` takes."""


class ImageError(ValueError):
    """A picture can't be read. The message is one line: which, why, and what to do."""


def read_picture(source: AnyPicture) -> Tensor:
    """Find the digit in a picture and normalise it as NIST's were (section III.A).

    Photographs, scans and drawings of one digit, dark on light or light on dark, in any colours.
    Uneven light, faint ruled lines and specks are cleared, strokes of a thin pen are thickened (see
    `lenet1998.reading.ink`), the digit is fitted into 20x20 pixels and centred by its mass. What is
    already so, as an MNIST image is, stays as it is.

    Args:
        source: a file that Pillow reads, turned as its EXIF data says; a `PIL.Image`, of any mode;
            an array (H, W), (H, W, 3) or (H, W, 4); or a tensor (H, W) or (1, 3 or 4, H, W).
            Values 0 to 255 or 0 to 1, or true and false. A tensor that is a network's input
            already, (1, 32, 32) with a background of -0.1, is returned.

    Returns:
        `(1, 1, 32, 32)` float32, background -0.1, darkest ink 1.175.

    Raises:
        ImageError: the file is absent, damaged, no picture, animated or too large; the array has
            another shape or other values; or nothing stands out from the background.
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
    return to_network_input(digit[None])


def _name(source: AnyPicture) -> str:
    if isinstance(source, np.ndarray | Tensor):
        kind = "tensor" if isinstance(source, Tensor) else "array"
        return f"{kind} of shape {tuple(source.shape)}"
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or f"{source.width}x{source.height} image"
    return os.fspath(source)


def _is_network_input(tensor: Tensor) -> bool:
    """Levels below 0 occur in no picture."""
    one_field = tensor.shape[-2:] == (FIELD, FIELD) and tensor.numel() == FIELD**2
    return one_field and tensor.is_floating_point() and -0.2 < tensor.min().item() < 0


def _opened(file: str | os.PathLike[str] | Image.Image, name: str) -> Image.Image:
    """The picture in mode RGB, upright."""
    try:
        with warnings.catch_warnings():
            # Pillow only warns of a picture above its limit; one of a gigabyte is no photograph.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with nullcontext(file) if isinstance(file, Image.Image) else Image.open(file) as image:
                frames = getattr(image, "n_frames", 1)
                # An MPO's second picture belongs to the first: a phone's depth map or preview.
                if frames == 1 or image.format == "MPO":
                    return _to_rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{name}: a folder; give the pictures in it") from None
    except PermissionError:
        raise ImageError(f"{name}: no permission to read it") from None
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture that Pillow reads; give a PNG or JPEG") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        limit = (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise ImageError(f"{name}: more than {limit:.0f} million pixels; make it smaller") from None
    except Exception as error:  # a damaged file makes Pillow's decoders raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(
            f"{name}: damaged or cut off ({reason}); give an intact copy, as PNG or JPEG"
        ) from error
    raise ImageError(
        f"{name}: holds {frames} frames or pages; save the one with the digit by itself"
    )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits: their range is anybody's guess
        values = np.asarray(image).astype(np.float64)
        values -= values.min()
        image = Image.fromarray((values * (255 / max(values.max(), 1e-9))).astype(np.uint8))
    if image.has_transparency_data:
        return _on_paper(image.convert("RGBA"))
    return image.convert("RGB")


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
        values = values.detach().cpu()
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


def _if_normalised(picture: Image.Image) -> Tensor | None:
    """The `(28, 28)` uint8 ink of a picture that is as MNIST's are already, else None.

    Either polarity. MNIST's digits are 20 pixels long, a few 19; they are centred within half a
    pixel, and their darkest ink is 254 or 255.
    """
    red, green, blue = (np.asarray(band).astype(np.int16) for band in picture.split())
    if picture.size != (IMAGE, IMAGE) or (red != green).any() or (red != blue).any():
        return None
    background = red[0, 0]
    ink = np.abs(red - background)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if background not in (0, 255) or ink.max() < 254:
        return None
    length = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    index = np.arange(IMAGE)
    centre = np.array([ink.sum(1) @ index, ink.sum(0) @ index]) / ink.sum()
    if length not in (BOX - 1, BOX) or (np.abs(centre - CENTRE) > 0.6).any():
        return None
    return torch.from_numpy(ink.astype(np.uint8))
