"""Files that are read back: IDX, networks, and the folders of runs."""

import gzip
import json
import shutil
import struct
import tempfile
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as tensors_of
from safetensors.torch import save
from torch import Tensor

from lenet1998.data import Dataset, DatasetError, load_dataset
from lenet1998.learning import MinibatchRecipe, train
from lenet1998.measures.answers import scores
from lenet1998.models import load, saved
from lenet1998.models.network import Network
from lenet1998.models.saved import WEIGHTS, WeightsError
from lenet1998.runs.run import METRICS, RECIPE, Run, RunError

from .arrays import digits
from .cases import EXTREME, Case, Rng, harmed, harmed_json, harmed_text, one_of

# IDX


@cache
def idx_files() -> dict[str, bytes]:
    """MNIST's four files, with a few random images each."""
    rng, files = np.random.default_rng(0), {}
    for part, count in (("train", 12), ("t10k", 5)):
        for kind, items in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            values = rng.integers(0, 256 if len(items) > 1 else 10, items).astype(np.uint8)
            header = struct.pack(f">{1 + len(items)}I", 0x800 + len(items), *items)
            files[f"{part}-{kind}-ubyte"] = header + values.tobytes()
    return files


def idx(rng: Rng, folder: Path) -> Case:
    """One of the four files harmed, plain or compressed; unharmed ones are read alike."""
    name, harm = one_of(rng, idx_files()), int(rng.integers(8))
    files = dict(idx_files())
    content = files.pop(name)
    numbers = [*struct.unpack(f">{1 + content[3]}I", content[: 4 + 4 * content[3]])]
    if harm in (0, 1):  # the header lies
        numbers[rng.integers(len(numbers))] = int(one_of(rng, EXTREME))
        header = struct.pack(f">{len(numbers)}I", *numbers)
        content = header + content[len(header) :]
    elif harm in (2, 3):
        content = harmed(content, rng, header=16)
    packed = gzip.compress(content, 1)
    if harm == 4:
        packed = harmed(packed, rng, header=18)
    elif harm == 5:
        packed = packed[: rng.integers(len(packed))]
    elif harm == 6 and rng.random() < 0.1:
        packed = gzip.compress(content + bytes(2**27), 1)
    for other, whole in files.items():
        (folder / other).write_bytes(whole)
    compressed = harm >= 4 or rng.random() < 0.3
    file = folder / (f"{name}.gz" if compressed else name)
    file.write_bytes(packed if compressed else content)

    def right(read: Dataset) -> bool:
        parts = (read.training_images, read.training_labels), (read.test_images, read.test_labels)
        fits = all(len(i) == len(x) and i.shape[1:] == (1, 32, 32) for i, x in parts)
        return fits and (harm < 7 or (read.name != "MNIST" and len(read.training_labels) == 12))

    def read() -> Dataset:
        return load_dataset(folder, announce=lambda _: None)

    errors = () if harm == 7 else (DatasetError,)
    return Case(f"{file.name}, harm {harm}", read, f"{folder}/(train|t10k)-", right, errors)


# Networks


@cache
def run_folders() -> dict[str, Path]:
    """A run of two passes by each kind of recipe."""
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    recipes = {"1998": "paper", "today": MinibatchRecipe(network="tutorial-max-pooling", passes=3)}
    for name, recipe in recipes.items():
        train(recipe, digits(), passes=2 if name == "1998" else 3, folder=folder / name)
    return {name: folder / name for name in recipes}


@cache
def straight(kind: str) -> dict[str, Tensor]:
    """What the run of this kind comes to in three passes."""
    if kind == "today":
        return dict(load(run_folders()[kind]).state_dict())
    return dict(train("paper", digits(), passes=3).net.state_dict())


def rewritten(content: bytes, rng: Rng, *, signed: bool) -> bytes:
    """A saved network with another header or other tensors, and the checksum of these if signed."""
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    values, tensors = json.loads(metadata["lenet1998"]), dict(tensors_of(content))
    if rng.random() < 0.6:
        values = harmed_json(values, rng)
        if rng.random() < 0.5 and isinstance(values, dict):
            values["arguments"] = harmed_json(
                {"characters": "0123456789", "penalty_scale": 0.22, "j": 1.0}, rng
            )
    else:
        name = one_of(rng, tensors)
        tensor = tensors.pop(name)
        if tensor.is_floating_point() and tensor.numel():
            tensor.view(-1)[0] = one_of(rng, (torch.nan, torch.inf, 1e30, 0.0))
        odd = (tensor, tensor.double(), tensor[None], tensor.flatten()[:-1], torch.zeros(0))
        tensors[one_of(rng, (name, name, "x", "learner.x", ""))] = one_of(rng, odd)
    if signed:
        try:
            origin = saved.Origin(**{**values, "log": tuple(values["log"])})
            values = asdict(replace(origin, sha256=saved._digest(origin, tensors)))
        except (TypeError, KeyError, ValueError):
            pass
    return save(tensors, metadata={"lenet1998": json.dumps(values).encode("ascii").decode()})


def with_header(content: bytes, rng: Rng) -> bytes:
    """A saved network with another header or length of it."""
    length = int.from_bytes(content[:8], "little")
    header = harmed_text(json.loads(content[8 : 8 + length]), rng).encode(errors="replace")
    claimed = len(header)
    if rng.random() < 0.3:
        claimed = one_of(rng, (0, 2**31, 2**63, 2**64 - 1, claimed - 1, claimed + 1))
    return max(claimed, 0).to_bytes(8, "little") + header + content[8 + length :]


def weights(rng: Rng, folder: Path) -> Case:
    """A saved network harmed in any way is refused, or still what it was."""
    whole = (one_of(rng, run_folders().values()) / WEIGHTS).read_bytes()
    how = int(rng.integers(6))
    signed = how == 5
    content = (
        harmed(whole, rng, header=2000) if how < 3
        else with_header(whole, rng) if how == 3
        else rewritten(whole, rng, signed=signed)
    )  # fmt: skip
    file = folder / WEIGHTS
    file.write_bytes(content)
    source = one_of(rng, (file, folder))

    def read() -> tuple[Network, Tensor]:
        net = load(source)
        saved.read_origin(source)
        return net, scores(net, digits().test_images[:, :, :, :])

    def right(answer: tuple[Network, Tensor]) -> bool:
        net, outputs = answer
        before = tensors_of(whole)
        same = all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
        # What is signed is another network, and may be any.
        return signed or (same and bool(outputs.isfinite().all()))

    what = f"{'signed ' * signed}weights, harm {how}, of {len(content)} bytes"
    return Case(what, read, f"{folder}", right, (WeightsError,))


# Runs


def runs(rng: Rng, folder: Path) -> Case:
    """A run whose files are harmed goes on to what it would have come to, or says why not."""
    kind = one_of(rng, run_folders())
    place = folder / "run"
    shutil.copytree(run_folders()[kind], place)
    name = one_of(rng, (RECIPE, METRICS, METRICS, WEIGHTS, WEIGHTS, WEIGHTS))
    file = place / name
    content, signed = file.read_bytes(), False
    if name == WEIGHTS:
        signed = rng.random() < 0.7
        content = rewritten(content, rng, signed=signed) if signed else harmed(content, rng, 2000)
    elif name == RECIPE and rng.random() < 0.5:
        content = harmed_text(json.loads(content), rng).encode(errors="replace")
    else:
        content = harmed(content, rng, header=300)
        if rng.random() < 0.3:
            content = content.replace(b"1", one_of(rng, (b"nan", b"inf", b"-1", b"1e999", b"\0")))
    file.write_bytes(content)
    recipe: Any = "paper" if kind == "1998" else MinibatchRecipe(
        network="tutorial-max-pooling", passes=3
    )  # fmt: skip

    def go_on() -> Run:
        return train(recipe, digits(), passes=3, folder=place, resume=True)

    def right(run: Run) -> bool:
        of, as_before = straight(kind), run.net.state_dict()
        same = all(torch.equal(tensor, of[name]) for name, tensor in as_before.items())
        return len(run.records) == 3 and (signed or same)

    return Case(
        f"{kind}, {'signed ' * signed}{name}", go_on, f"{place}|diverged", right, (RunError,)
    )
