"""Runs on the workers of a Dask cluster.

    dask scheduler                                         # on one machine; port 8786
    dask worker tcp://HOST:8786 --nworkers 16 --nthreads 1 # on each that trains, 16 its cores
    lenet1998 study --seeds 50 --backend dask --address tcp://HOST:8786

with `lenet1998[cluster]` on every machine, and the data on those that train.

Nothing but tasks and finished runs travels: a worker trains in a scratch folder of its own, and the
computer that asked writes the run that comes back. So no folder need be shared, and a worker that
was given up for lost, and still works, disturbs no file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from distributed import Client, Future, as_completed
from distributed.core import rpc

from lenet1998.models.saved import WEIGHTS
from lenet1998.runs.run import METRICS, RECIPE, RunError
from lenet1998.runs.task import Ended, Task, carry_out

_SECONDS = 5  # for the scheduler to answer
_WORKER_SECONDS = 10  # for the first worker to be there


def on_cluster(tasks: Sequence[Task], jobs: int, address: str) -> Iterator[Ended]:
    """The tasks' runs, in any order; each goes on after the last whole pass of its folder.

    Dask makes the runs of a lost worker again on another, until so many workers have died of one
    (its setting `distributed.scheduler.allowed-failures`, 3) that it gives the run up.

    Args:
        tasks: to be done.
        jobs: runs at once; -1 for as many as there are threads of workers, whenever they join.
        address: of the scheduler.

    Raises:
        RunError: if no scheduler answers, none of its workers is there, or it is lost.
    """
    waiting = iter(tasks)
    with _client(address) as client:
        try:
            client.wait_for_workers(1, _WORKER_SECONDS)
        except TimeoutError as error:
            raise RunError(
                f"the Dask scheduler at {address} has no workers: start some "
                f"(dask worker {address})"
            ) from error
        running: dict[Future, Task] = {}
        for task in islice(waiting, None if jobs < 1 else jobs):
            running[_sent(client, task)] = task
        ended = as_completed(list(running), loop=client.loop)
        for future in ended:
            task = running.pop(future)
            try:
                yield future.result()
            except CancelledError as error:
                raise RunError(
                    f"the Dask scheduler at {address} is lost: start it again; finished runs are "
                    "kept"
                ) from error
            except Exception as error:  # Dask's own: a run ends without one
                reason = " ".join(str(error).split())
                yield Ended(task.index, f"Dask gave it up: {reason}")
            for task in islice(waiting, 1):
                running[future := _sent(client, task)] = task
                ended.add(future)


def _sent(client: Client, task: Task) -> Future:
    return client.submit(_train_away, task, _files(task.place) if task.begun else {}, pure=False)


def _files(place: Path) -> dict[str, bytes]:
    """Of a run, by name."""
    files = (place / name for name in (RECIPE, METRICS, WEIGHTS))
    return {file.name: file.read_bytes() for file in files if file.exists()}


def _train_away(task: Task, files: Mapping[str, bytes]) -> Ended:
    try:
        with TemporaryDirectory() as scratch:
            place = Path(scratch)
            for name, content in files.items():
                (place / name).write_bytes(content)
            ended = carry_out(replace(task, place=place))
            return ended if ended.error is not None else replace(ended, files=_files(place))
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
    async with asyncio.timeout(_SECONDS), rpc(address) as remote:
        return str((await remote.identity())["type"])
