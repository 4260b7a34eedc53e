"""What a network's bits owe to the processor: `uv run python -m tests.campaign.vectors`.

The recipe `paper` learns once for each processor that Numba, PyTorch and NumPy are told to compile
for or to keep to, in a process of its own, and is set beside what it learns as the machine is. The
processors are x86-64's levels (https://gitlab.com/x86-psABIs/x86-64-ABI): the first has 4 floats in
a register, v3 has 8 and multiplies and adds with one rounding (FMA), v4 has 16.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from lenet1998.data import load_dataset
from lenet1998.learning import preset, train
from lenet1998.measures.answers import scores

NATIVE = "native"
# PyTorch's kernels, NumPy's, oneDNN's and MKL's, as Numba's, for the same processor.
_V2 = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-AVX2,-AVX512F",  # of exp and the like
}
_V3 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"}
PROCESSORS = {
    NATIVE: {},
    "x86-64": {"NUMBA_CPU_NAME": "x86-64", **_V2},
    "sandybridge": {"NUMBA_CPU_NAME": "sandybridge", **_V2},  # v3's width without its FMA
    "x86-64-v3": {"NUMBA_CPU_NAME": "x86-64-v3", **_V3},
    "x86-64-v4": {"NUMBA_CPU_NAME": "x86-64-v4"},
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.vectors", description=__doc__)
    parser.add_argument("--data", default="mnist", help="as for load_dataset [mnist]")
    parser.add_argument("--patterns", type=int, help="learnt of the training set [all]")
    parser.add_argument("--engine", default="fused", help="fused or torch [fused]")
    parser.add_argument("--passes", type=int, nargs="+", default=[1, 20], help="ascending [1 20]")
    parser.add_argument("--processors", nargs="+", choices=PROCESSORS, default=[*PROCESSORS])
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write is not None:
        _learn(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted({NATIVE, *options.processors}, key=[*PROCESSORS].index):
            processor = PROCESSORS[name]
            place = Path(folder) / name
            environment = {"NUMBA_CACHE_DIR": str(place / "numba"), **processor}
            if processor:
                environment["NUMBA_CPU_FEATURES"] = ""  # those of the name, not this machine's
            command = [sys.executable, "-m", __spec__.name, *sys.argv[1:], "--write", str(place)]
            subprocess.run(command, env={**os.environ, **environment}, check=True)
            for passes in options.passes:
                _tell(name, passes, place, Path(folder) / NATIVE)


def _learn(options: argparse.Namespace) -> None:
    """After each number of passes the weights, the test digits' penalties and the log, as files."""
    torch.set_num_threads(1)
    dataset = load_dataset(options.data)
    if options.patterns is not None:
        dataset = dataset.first(options.patterns, len(dataset.test_labels))
    for passes in options.passes:
        run = train(
            preset("paper"), dataset, passes=passes, engine=options.engine,
            folder=options.write / "run", resume=passes != options.passes[0],
        )  # fmt: skip
        penalties = -scores(run.net, dataset.test_images, fused=options.engine == "fused")
        weights = torch.cat([parameter.detach().flatten() for parameter in run.net.parameters()])
        errors = [[at.online_training_error_percent, at.test_error_percent] for at in run.records]
        (options.write / f"{passes}.json").write_text(json.dumps(errors))
        np.savez(options.write / f"{passes}.npz", weights=weights, penalties=penalties)


def _tell(name: str, passes: int, place: Path, native: Path) -> None:
    ours, theirs = (np.load(folder / f"{passes}.npz") for folder in (place, native))
    print(f"{name}, after {passes} passes:", end=" ")
    if name != NATIVE:
        for what in ("weights", "penalties"):
            a, b = (values[what].astype(np.float64) for values in (ours, theirs))
            away = f"{abs(a - b).max():.2g}, relative {abs(a - b).max() / abs(b).max():.2g}"
            same = np.array_equal(ours[what], theirs[what])
            print(f"{what} {'the same bits' if same else f'differ by up to {away}'};", end=" ")
        answers = [values["penalties"].argmin(1) for values in (ours, theirs)]
        print(f"{(answers[0] != answers[1]).sum()} of {len(answers[0])} answers differ", end="; ")
    errors = json.loads((place / f"{passes}.json").read_text())
    print("errors, on line/test, %:", *(f"{a:.2f}/{b:.2f}" for a, b in errors), flush=True)


if __name__ == "__main__":
    main()
