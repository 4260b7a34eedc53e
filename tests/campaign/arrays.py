"""Arrays and tensors in the place of a picture or of images, and labels beside them."""

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lenet1998 import load
from lenet1998.data import Dataset, load_digits_dataset, normalise_digit, to_network_input
from lenet1998.data.transforms import transforms
from lenet1998.learning import FusedTrainer, Recipe, ReferenceTrainer
from lenet1998.measures.answers import evaluate, misread, scores
from lenet1998.models import LeNet5Classic
from lenet1998.reading import predict

from .cases import Case, Rng, one_of
from .pictures import drawn, is_reading

SAYS = "expected|must|got|hold|no digit|run from|picture of|array of|tensor of"
"""What tells a line of ours: what was found, or what was expected."""

DTYPES = "?bBhHiIlLqQefdgFDSUOMm"


@cache
def network() -> LeNet5Classic:
    net = load("lenet5-classic")
    assert isinstance(net, LeNet5Classic)
    return net


@cache
def digits() -> Dataset:
    return load_digits_dataset().first(12, 6)


def _laid_out(values: Any, rng: Rng) -> Any:
    """The same values in another container or order of memory."""
    spread = np.zeros([2 * side for side in values.shape], values.dtype)
    spread[tuple(slice(None, None, 2) for _ in values.shape)] = values
    return one_of(rng, (
        lambda: values, lambda: np.asfortranarray(values), lambda: values[::-1].copy()[::-1],
        lambda: spread[tuple(slice(None, None, 2) for _ in values.shape)],
        lambda: np.frombuffer(values.tobytes(), values.dtype).reshape(values.shape),
        lambda: values.astype(values.dtype.newbyteorder()),
        lambda: torch.from_numpy(values), lambda: torch.from_numpy(values.T.copy()).T,
        lambda: torch.from_numpy(values).to(one_of(rng, (torch.int32, torch.float64))),
        lambda: torch.from_numpy(values.astype(np.float32)).requires_grad_(),
    ))()  # fmt: skip


def same_in_another_order(rng: Rng, folder: Path) -> Case:
    """The same values are read alike, however they lie in memory."""
    values = np.asarray(drawn(rng, large=80))
    right, laid = predict(values), _laid_out(values, rng)
    what = f"{values.shape} as {type(laid).__name__} {laid.dtype}"
    return Case(what, lambda: predict(laid), right=lambda answer: answer == right, errors=())


def _odd_values(rng: Rng, values: Any) -> Any:
    """One or two things done to an array that leave anything but an ordinary one."""
    for _ in range(rng.integers(1, 3)):
        match rng.integers(9):
            case 0:
                at = tuple(int(rng.integers(max(side, 1))) for side in values.shape)
                if values.size:
                    values = values.astype(np.float32)
                    values[at] = one_of(rng, (np.nan, np.inf, -np.inf, 1e38, -1, 256))
            case 1:
                values = values.astype(np.float64) * one_of(rng, (-1, 1e-9, 3, 255, 1e30, 1e300))
            case 2:
                with np.errstate(all="ignore"), suppress(ValueError):  # no date is -0.1
                    values = np.asarray(values, one_of(rng, DTYPES)) if values.size else values
            case 3:
                shape = (0,), (), (1,), (0, 5), (28,), (1, 1), (1, 28, 28), (2, 28, 28), (28, 28, 2)
                values = np.resize(values, one_of(rng, shape)) if values.size else values
            case 4:
                values = np.expand_dims(values, int(rng.integers(values.ndim + 1)))
            case 5:
                values = values[: int(rng.integers(3))] if values.ndim else values
            case 6:
                values = values.T
            case 7:
                one = np.asarray(values).ravel()[:1]  # a matrix's has two dimensions
                values = np.broadcast_to(one, (3,) * int(rng.integers(1, 7))) if one.size else one
            case 8:
                values = values.view(one_of(rng, (np.matrix, np.recarray, np.ndarray))) if (
                    values.ndim == 2) else values  # fmt: skip
    return values


def _as_given(rng: Rng, values: Any) -> Any:
    """An array as somebody may hand it over."""
    if rng.random() < 0.5 and values.dtype.kind in "buifc" and values.dtype.char not in "gGqQ":
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        return one_of(rng, (
            lambda: tensor, lambda: tensor.to(torch.float16), lambda: tensor.to(torch.bfloat16),
            lambda: tensor.to("meta"), lambda: tensor.double()[None].to_sparse(),
            lambda: tensor.to(torch.float8_e4m3fn) if not tensor.is_complex() else tensor,
            lambda: -tensor if tensor.dtype.is_signed else tensor,
        ))()  # fmt: skip
    return one_of(rng, (lambda: values, lambda: np.ma.masked_array(values), values.tolist))()


def odd_picture(rng: Rng, folder: Path) -> Case:
    """An array of another type, shape or scale is a picture, or is refused."""
    given = _as_given(rng, _odd_values(rng, np.asarray(drawn(rng, large=60))))
    what = f"{type(given).__name__} {getattr(given, 'shape', '')} {getattr(given, 'dtype', '')}"
    return Case(what, lambda: predict(given), SAYS, is_reading)


def odd_images(rng: Rng, folder: Path) -> Case:
    """Images of another type, shape or scale are refused, or give finite scores."""
    of = digits().test_images
    images = _as_given(rng, _odd_values(rng, of[: int(rng.integers(1, 5))].numpy()))
    # What another device, layout or a type without a least value comes to, PyTorch says.
    usual = [f"{kind}{bits}" for kind in ("float", "int") for bits in (16, 32, 64)]
    of_torch = isinstance(images, Tensor) and str(images.dtype).removeprefix("torch.") in (
        *usual,
        "uint8",
        "bool",
    )
    if not of_torch or images.is_meta or images.is_sparse:
        images = torch.zeros(one_of(rng, ((0,), (3, 32, 32), (3, 3, 32, 32), (2, 1, 31, 33))))
    uses = {
        "scores": lambda: scores(network(), images),
        "scores, unfused": lambda: scores(network(), images, fused=False),
        "predict": lambda: network().predict(images),
        "penalty_map": lambda: network().penalty_map(images),
        "to_network_input": lambda: to_network_input(images),
        "normalise_digit": lambda: normalise_digit(images),
        "transforms": lambda: transforms()(images),
    }
    use = one_of(rng, uses)

    def is_finite(answer: Tensor) -> bool:
        return use == "penalty_map" or bool(answer.isfinite().all())  # it checks no level

    what = f"{use} of {tuple(images.shape)} {images.dtype} {images.layout} {images.device}"
    return Case(what, uses[use], SAYS, is_finite)


ARRAYS = (*[same_in_another_order] * 2, *[odd_picture] * 4, *[odd_images] * 4)


def arrays(rng: Rng, folder: Path) -> Case:
    return one_of(rng, ARRAYS)(rng, folder)


def _odd_labels(rng: Rng, labels: Tensor) -> Any:
    at, whole = int(rng.integers(len(labels))), labels.clone()
    whole[at] = int(one_of(rng, (-1, 10, 255, 2**62, -(2**62))))
    dtype = one_of(rng, (torch.float32, torch.float64, torch.int32, torch.uint8, torch.bool))
    return one_of(rng, (
        whole, labels.to(dtype), labels[:-1], labels.repeat(2), labels[:0], labels[:, None],
        torch.eye(len(labels)).long(), labels.float() * torch.nan, labels.to(torch.complex64),
    ))  # fmt: skip


def labels(rng: Rng, folder: Path) -> Case:
    """Labels of any kind beside good images are refused, wherever they come in."""
    images, good = digits().training_images, digits().training_labels
    odd = _odd_labels(rng, good)
    kind = one_of(rng, (FusedTrainer, ReferenceTrainer))

    def learnt(given: Any) -> Tensor:
        trainer = kind(Recipe().build(), Recipe())
        trainer.set_curvature(trainer.estimate_curvature(images))
        return trainer.learn(images, given, torch.arange(len(images)), 1e-4).energies

    uses = {
        "Dataset": lambda given: Dataset("mine", images, given, images[:0], good[:0]),
        "evaluate": lambda given: evaluate(network(), images, given, "mine").misread,
        "misread": lambda given: misread(network(), images, given),
        kind.__name__: learnt,
    }
    use = one_of(rng, uses)
    if rng.random() < 0.2:  # the same labels in another order of memory
        laid = one_of(rng, (good.repeat_interleave(2)[::2], good[:, None].T[0], good.clone()))
        right = uses[use](good)

        def alike(answer: Any) -> bool:
            return use == "Dataset" or bool(torch.as_tensor(answer == right).all())

        return Case(f"{use} of good labels", lambda: uses[use](laid), right=alike, errors=())
    what = f"{use} of {tuple(odd.shape)} {odd.dtype} {odd.layout} {odd.device}"
    return Case(what, lambda: uses[use](odd), SAYS, lambda _: False)
