"""Reading digits: the fused kernels, eager PyTorch, and today's variant of the network."""

import torch
from torch import Tensor

from benchmarks.timing import side_by_side
from lenet1998.kernels.packed import FusedReader
from lenet1998.learning import Recipe, initialise
from lenet1998.models import LeNet5Classic
from lenet1998.models.modern import LeNet5Modern

BATCHES = (1, 10, 100, 1000, 10_000)


def measure(images: Tensor, repeats: int) -> dict[str, object]:
    """Microseconds per digit of each way to read, by the size of the batch."""
    classic, modern = LeNet5Classic().eval(), LeNet5Modern().eval()
    initialise(classic, Recipe())
    reader = FusedReader(classic)
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

            timings = side_by_side(
                {"fused": many(reader.penalties), "eager": many(classic), "modern": many(modern)},
                repeats,
            )
            per_digit = {name: timing.per(calls * len(seen)) for name, timing in timings.items()}
            result[str(batch)] = {
                **per_digit,
                "eager_to_modern": per_digit["eager"].median / per_digit["modern"].median,
                "modern_to_fused": per_digit["modern"].median / per_digit["fused"].median,
            }
    return result
