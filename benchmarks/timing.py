"""Repeated timings side by side, in one process, so that they share the machine's mood."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numba
import torch
from numba.core.codegen import get_host_cpu_features

from benchmarks import peers


@dataclass(frozen=True)
class Timing:
    """Seconds of each repeat of one piece of work."""

    repeats: tuple[float, ...]

    @property
    def best(self) -> float:
        return min(self.repeats)

    @property
    def median(self) -> float:
        return sorted(self.repeats)[len(self.repeats) // 2]

    @property
    def spread_percent(self) -> float:
        """From the fastest to the slowest repeat, of the median."""
        return 100 * (max(self.repeats) - min(self.repeats)) / self.median

    def per(self, count: int) -> "Timing":
        return Timing(tuple(seconds / count for seconds in self.repeats))


def side_by_side(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, Timing]:
    """Time each piece of work `repeats` times, in turn: A B C A B C ..., after one warm-up each."""
    for work in works.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - started)
    return {name: Timing(tuple(taken)) for name, taken in seconds.items()}


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    return {
        "processor": model,
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "AVX-512": "+avx512f" in get_host_cpu_features(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": numba.__version__,
        "threads": torch.get_num_threads(),
        **{name: version(name) for name in peers.PACKAGES if peers.installed(name)},
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
