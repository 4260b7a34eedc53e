"""One task of many, such as a run, as it goes to a worker and comes back."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from threading import Thread
from traceback import format_exception_only

import torch

from lenet1998.data import Dataset, DatasetError, Source
from lenet1998.learning.recipe import TrainingRecipe
from lenet1998.models.saved import WEIGHTS
from lenet1998.runs.run import RunError, train

_GLANCE = 0.1  # seconds between a worker's looks at whether its study lives


@dataclass(frozen=True)
class Task(ABC):
    """What has still to be made, as it goes to a worker."""

    index: int
    source: Source
    dataset_name: str
    place: Path
    """Its folder, on this computer; `WEIGHTS` is the last of the files that it writes there."""

    @property
    def begun(self) -> bool:
        """Whether there is a state to go on from."""
        return (self.place / WEIGHTS).exists()

    @abstractmethod
    def make(self, dataset: Dataset) -> None:
        """Make it, in its folder.

        Raises:
            RunError, OSError, ValueError: it cannot be made.
        """


@dataclass(frozen=True)
class TrainingTask(Task):
    """A run of a study."""

    recipe: TrainingRecipe
    passes: int
    engine: str

    def make(self, dataset: Dataset) -> None:
        train(
            self.recipe,
            dataset,
            passes=self.passes,
            engine=self.engine,
            folder=self.place,
            resume=self.begun,
        )


@dataclass(frozen=True)
class Ended:
    """What a worker reports of a task."""

    index: int  # of the task
    error: str | None = None  # why nothing was made, if so
    # of what was made, by name, where the worker has not written them to the task's folder
    files: dict[str, bytes] = field(default_factory=dict)


def carry_out(task: Task) -> Ended:
    """Do a task in its folder; what a worker does."""
    threads = torch.get_num_threads()
    # The cores belong to the other runs. The last one left, which the caller's process makes, has
    # one thread too: a run must not depend on how many others there are.
    torch.set_num_threads(1)
    try:
        dataset = load(task.source)
        if dataset.name != task.dataset_name:
            raise RunError(f"the worker found {dataset.name}, not {task.dataset_name}")
        task.make(dataset)
    except (DatasetError, RunError, OSError, ValueError) as error:
        return Ended(task.index, str(error))
    # Whatever it is, a bug or too little memory, it ends this run alone: raised here it would end
    # the study, and name no run.
    except Exception as error:
        return Ended(task.index, " ".join("".join(format_exception_only(error)).split()))
    finally:
        torch.set_num_threads(threads)
    return Ended(task.index)


def carry_out_for(study: int, task: Task) -> Ended:
    """`carry_out` in a process of its own, which ends when the study's does.

    A study that is killed cannot stop its workers: they would train on, and hold the folders in
    which it is called again.

    Args:
        study: the process of the study, the parent of this one, or this one itself.
        task: to be done.
    """
    if os.getpid() != study:
        _end_with(study)
    return carry_out(task)


@cache  # once in a process
def _end_with(parent: int) -> None:
    def watch() -> None:
        while os.getppid() == parent:  # always so on Windows, which hands on no orphans
            time.sleep(_GLANCE)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


@lru_cache(maxsize=1)  # MNIST is 290 MB
def load(source: Source) -> Dataset:
    """A data set, kept for the next run of this process."""
    return source.load()
