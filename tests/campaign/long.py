"""Memory and speed of a process that goes on and on: `uv run python -m tests.campaign.long`.

It learns for 200 passes, then 50 runs in a row, each in a folder as `lenet1998 reproduce` does.
Memory that grows by more than 5 % from the first tenth to the last, or processor time that grows by
more than 15 % from the first quarter to the last (other programs disturb it), is exit status 1.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, median

from lenet1998.data import load_dataset
from lenet1998.learning import preset, train
from lenet1998.runs.run import Standing

WARM_UP = 10  # one in so many steps: code is compiled, memory has found its place
MEMORY, TIME = 1.05, 1.15  # the last may be so many times the first


class Meter:
    """Megabytes in memory after each step (of Linux), and the processor's seconds of each."""

    def __init__(self) -> None:
        self._memory: list[float] = []
        self._seconds: list[float] = []
        self._began = time.process_time()

    def step(self) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self._memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
        self._seconds.append(time.process_time() - self._began)
        self._began = time.process_time()

    def is_flat(self, name: str) -> bool:
        flat = True
        for what, values, middle, part, most in (
            ("MB", self._memory, mean, 10, MEMORY),
            ("s of processor", self._seconds, median, 4, TIME),
        ):
            warm = values[len(values) // WARM_UP :]
            few = max(1, len(warm) // part)
            first, last = middle(warm[:few]), middle(warm[-few:])
            ratio = f"{first:.4g} to {last:.4g} {what}, ratio {last / first:.3f}"
            print(f"{len(values)} {name}: {ratio} (at most {most})", flush=True)
            flat &= last <= most * first
        return flat


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.long", description=__doc__)
    parser.add_argument("--data", default="mnist", help="as for load_dataset [mnist]")
    parser.add_argument("--recipe", default="paper", help="a preset [paper]")
    parser.add_argument("--engine", help="of the recipe's [its first]")
    parser.add_argument("--passes", type=int, default=200, help="over 2,000 digits [200]")
    parser.add_argument("--runs", type=int, default=50, help="of one pass over 1,000 digits [50]")
    options = parser.parse_args()
    digits = load_dataset(options.data).first(2_000, 1_000)
    fewer, recipe = digits.first(1_000, 1_000), preset(options.recipe)
    with tempfile.TemporaryDirectory() as folder:
        passes, runs = Meter(), Meter()

        def after_pass(at: Standing) -> None:
            if at.finished is not None:
                passes.step()

        of_all = {"engine": options.engine, "on_progress": after_pass}
        train(recipe, digits, passes=options.passes, folder=f"{folder}/long", **of_all)
        flat = passes.is_flat("passes")
        for seed in range(options.runs):
            of_run = {"passes": 1, "engine": options.engine, "folder": f"{folder}/{seed}"}
            train(replace(recipe, seed=seed), fewer, **of_run)
            runs.step()
        flat &= runs.is_flat("runs")
    sys.exit(not flat)


if __name__ == "__main__":
    main()
