"""Where runs are made, and how many at once."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BACKENDS", "Workers"]

BACKENDS = ("loky", "dask")
"""Of joblib: processes on this computer, or the workers of a Dask cluster."""


@dataclass(frozen=True)
class Workers:
    """What makes runs: a value that checks itself and travels as one.

    Attributes:
        jobs: runs at once; -1 for one on each core (of the cluster).
        backend: `"loky"`, processes on this computer, or `"dask"`, a cluster's workers. These need
            lenet1998 and the data, but none of this computer's folders: a run comes back only when
            it has ended, so a stop loses the passes that it has made.
        address: of the Dask scheduler, such as `tcp://HOST:PORT`.

    Raises:
        ValueError: for an unknown backend, `"dask"` without an address, an address without it, or
            a number of jobs that is neither positive nor -1.
    """

    jobs: int = -1
    backend: str = "loky"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(f"expected the backend {' or '.join(BACKENDS)}, got {self.backend!r}")
        if self.backend == "dask" and not self.address:
            raise ValueError("the backend dask needs its scheduler's address: tcp://HOST:PORT")
        if self.backend != "dask" and self.address:
            raise ValueError(
                f"the address {self.address} is for the backend dask, not {self.backend}"
            )
        if self.jobs < 1 and self.jobs != -1:
            raise ValueError(f"expected jobs >= 1, or -1 for one on each core, got {self.jobs}")
