"""Today's training: batches in memory, and the usual tutorial script, epoch against epoch."""

from pathlib import Path

from benchmarks import tutorial_script
from benchmarks.timing import side_by_side
from lenet1998.data import Dataset
from lenet1998.learning import MinibatchRecipe
from lenet1998.learning.minibatch import MinibatchLearner

ADAM_64 = MinibatchRecipe("adam-64", passes=1)


def measure(dataset: Dataset, folder: Path, repeats: int) -> dict[str, object]:
    """Seconds per epoch of 60,000 digits, batch 64, Adam, on as many threads as PyTorch has."""
    net = ADAM_64.build()
    timings = side_by_side(
        {
            "ours": lambda: list(MinibatchLearner(net, ADAM_64, dataset).learn(1)),
            "tutorial": tutorial_script.tutorial_epoch(folder),
        },
        repeats,
    )
    return {
        **timings,
        "tutorial_to_ours": timings["tutorial"].median / timings["ours"].median,
    }
