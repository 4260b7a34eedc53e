"""Runs on the workers of a Dask cluster, by way of joblib's backend for it.

Nothing but tasks and finished runs travels: a worker trains in a scratch folder of its own, and the
computer that asked writes the run that comes back. So no folder need be shared, and a worker that
was given up for lost, and still works, disturbs no file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distributed import Client
from distributed.core import rpc
from joblib import Parallel, delayed, parallel_config
from joblib._dask import DaskDistributedBackend

from lenet1998.learning.study import Ended, Task, train_task
from lenet1998.learning.training import STATE, RunError

_SECONDS = 5  # for the scheduler to answer
_WORKER_SECONDS = 10  # for the first worker to be there


class _Backend(DaskDistributedBackend):  # type: ignore[misc]
    """joblib's, with two gaps closed.

    joblib 1.6 is never told of a task that Dask itself gives up, and waits for ever; and where the
    cluster has a single core at the start it works in the calling process.
    """

    def submit(self, func: Any, callback: Callable[[list[Ended]], None]) -> Any:
        submitted = super().submit(func, callback)
        ((_, (task, _), _),) = func.items

        def tell(future: Future[list[Ended]]) -> None:
            reason = future.exception()
            if reason is not None:
                callback([Ended(task.index, f"Dask gave it up: {' '.join(str(reason).split())}")])

        submitted.add_done_callback(tell)
        return submitted

    def effective_n_jobs(self, n_jobs: int) -> int:
        return max(2, int(super().effective_n_jobs(n_jobs)))


def on_cluster(tasks: Sequence[Task], jobs: int, address: str) -> Iterator[Ended]:
    """The tasks' runs, in any order.

    Dask makes the runs of a lost worker again on another, until so many workers have died of one
    (its setting `distributed.scheduler.allowed-failures`, 3) that it gives the run up.

    Args:
        tasks: each goes on after the last whole pass of its folder.
        jobs: runs at once; -1 for as many as there are threads of workers, whenever they join.
        address: of the scheduler.

    Raises:
        RunError: if no scheduler answers, none of its workers is there, or it is lost.
    """
    with _client(address) as client:
        backend = _Backend(client=client, wait_for_workers_timeout=_WORKER_SECONDS)
        with parallel_config(backend=backend):
            workers = Parallel(
                return_as="generator_unordered",
                batch_size=1,
                pre_dispatch="all" if jobs < 1 else jobs,
            )
        try:
            yield from workers(
                delayed(_train_away)(task, (task.place / STATE).read_bytes() if task.begun else b"")
                for task in tasks
            )
        except TimeoutError as error:
            raise RunError(
                f"the Dask scheduler at {address} has no workers: start some "
                f"(dask worker {address})"
            ) from error
        except CancelledError as error:
            raise RunError(
                f"the Dask scheduler at {address} is lost: start it again; finished runs are kept"
            ) from error


def _train_away(task: Task, state: bytes) -> Ended:
    try:
        with TemporaryDirectory() as scratch:
            place = Path(scratch)
            if state:
                (place / STATE).write_bytes(state)
            ended = train_task(replace(task, place=place))
            if ended.error is not None:
                return ended
            return replace(ended, files={file.name: file.read_bytes() for file in place.iterdir()})
    except OSError as error:  # of the scratch folder: a full disk, a place that it may not write to
        return Ended(task.index, f"on the worker: {error}")


@contextmanager
def _client(address: str) -> Iterator[Client]:
    # Asked before the client is made: one that cannot connect takes long to give up and to vanish.
    try:
        with ThreadPoolExecutor(1) as aside:  # a notebook's own thread has its event loop already
            kind = aside.submit(asyncio.run, _kind(address)).result()
    except Exception as error:  # what answers may be anything
        raise RunError(
            f"no Dask scheduler answers at {address} ({str(error) or type(error).__name__}): "
            "start one (dask scheduler), or correct the address"
        ) from error
    if kind != "Scheduler":
        raise RunError(f"at {address} is a Dask {kind.lower()}: give its scheduler's address")
    log = logging.getLogger("distributed.client")
    level = log.level
    log.setLevel(logging.CRITICAL)  # a lost scheduler is told of in one line, not by its traceback
    try:
        with Client(address, set_as_default=False) as client:
            yield client
    finally:
        log.setLevel(level)


async def _kind(address: str) -> str:
    async with asyncio.timeout(_SECONDS), rpc(address) as there:
        return str((await there.identity())["type"])
