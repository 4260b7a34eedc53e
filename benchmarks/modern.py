"""Today's training: batches in memory, and the usual tutorial script, epoch against epoch."""

from pathlib import Path

from benchmarks import tutorial_script
from benchmarks.timing import side_by_side
from lenet1998.data import Dataset
from lenet1998.learning import minibatch
from lenet1998.models.modern import LeNet5Modern

ADAM_64 = minibatch.MinibatchRecipe(
    optimiser="adam", rate=0.001, schedule="constant", batch_size=64, epochs=1
)


def measure(dataset: Dataset, folder: Path, repeats: int) -> dict[str, object]:
    """Seconds per epoch of 60,000 digits, batch 64, Adam, on as many threads as PyTorch has."""
    net = minibatch.build(LeNet5Modern, seed=0)
    # Both time an epoch of training; the one test digit keeps the test out of the comparison.
    untested = Dataset(
        dataset.name,
        dataset.training_images,
        dataset.training_labels,
        dataset.test_images[:1],
        dataset.test_labels[:1],
    )
    timings = side_by_side(
        {
            "ours": lambda: minibatch.train(net, untested, ADAM_64, seed=0),
            "tutorial": tutorial_script.tutorial_epoch(folder),
        },
        repeats,
    )
    return {
        **timings,
        "tutorial_to_ours": timings["tutorial"].median / timings["ours"].median,
    }
