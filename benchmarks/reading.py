"""Reading digits: the fused kernels, eager PyTorch, today's variant, and onnxruntime."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks import peers
from benchmarks.timing import side_by_side
from lenet1998.kernels.packed import FusedReader
from lenet1998.learning import Recipe, initialise
from lenet1998.models import LeNet5Classic
from lenet1998.models.modern import LeNet5Modern

BATCHES = (1, 10, 30, 100, 300, 1000, 10_000)


def measure(images: Tensor, repeats: int) -> dict[str, object]:
    """Seconds per digit of each way to read, by the size of the batch."""
    classic, modern = LeNet5Classic().eval(), LeNet5Modern().eval()
    initialise(classic, Recipe())
    ways: dict[str, Callable[[Tensor], object]] = {
        "fused": FusedReader(classic).penalties,
        "eager": classic,
        "modern": modern,
        **peers.readers(classic, images),
    }
    result: dict[str, object] = {}
    with torch.inference_mode():
        for batch in BATCHES:
            seen = images[:batch]
            calls = max(1, 2000 // batch)

            def many(read, seen=seen, calls=calls):
                def work() -> None:
                    for _ in range(calls):
                        read(seen)

                return work

            timings = side_by_side({name: many(read) for name, read in ways.items()}, repeats)
            result[str(batch)] = {
                name: timing.per(calls * len(seen)) for name, timing in timings.items()
            }
    return result
