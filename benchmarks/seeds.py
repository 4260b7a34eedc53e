"""Several seeds at once: one run on each core against one run alone."""

import os
import tempfile
import time
from pathlib import Path

from lenet1998.learning import Recipe, train_many


def measure(source: str, passes: int) -> dict[str, object]:
    """Seconds of one run and of as many runs as there are cores, each in a process of its own."""
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:

        def seconds(name: str, seeds: range) -> float:
            started = time.perf_counter()
            train_many(
                [Recipe(seed=seed) for seed in seeds], source, Path(folder, name), passes=passes
            )
            return time.perf_counter() - started

        seconds("warm-up", range(cores))
        alone, together = seconds("alone", range(1)), seconds("together", range(cores))
    return {
        "cores": cores,
        "passes": passes,
        "one_run_seconds": alone,
        "a_run_on_each_core_seconds": together,
        "together_to_alone": together / alone,
    }
