"""Progress of a run, and of many, on the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from lenet1998.learning.training import Progress as Standing
from lenet1998.learning.training import Run


@contextmanager
def pass_progress(console: Console, dataset_name: str) -> Iterator[Callable[[Standing], None]]:
    """A bar over the passes, and a line for each that has ended.

    Yields what `learning.train` takes as `on_progress`.
    """
    bar = Progress(
        TextColumn("pass {task.fields[number]}/{task.fields[passes]}"),
        BarColumn(),
        TextColumn("{task.fields[speed]:,.0f} patterns/s"),
        TextColumn("running error {task.fields[error]:.2f} %"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("left"),
        console=console,
        transient=True,
    )
    console.print(f"Training on {dataset_name}", highlight=False)
    console.print("pass  training error, on line   test error", highlight=False)
    task = bar.add_task("", total=None, number=1, passes=1, speed=0.0, error=100.0)

    def show(standing: Standing) -> None:
        done = (standing.pass_number - 1) * standing.patterns_in_pass + standing.patterns
        bar.update(
            task,
            total=standing.passes * standing.patterns_in_pass,
            completed=done,
            number=standing.pass_number,
            passes=standing.passes,
            speed=standing.patterns_per_second,
            error=standing.online_training_error_percent,
        )
        record = standing.finished
        if record is not None:
            bar.console.print(
                f"{record.number:4d}  {record.online_training_error_percent:20.2f} %"
                f"  {record.test_error_percent:9.2f} %",
                highlight=False,
            )

    with bar:
        yield show


class RunProgress:
    """A bar over the runs of a study, and a line for each that has ended.

    `found` and `ended` are what `learning.train_many` takes as `on_found` and `on_run`.
    """

    def __init__(self, console: Console, runs: int) -> None:
        self.bar = Progress(
            TextColumn("{task.completed}/{task.total} runs"),
            BarColumn(),
            TimeElapsedColumn(),
            _TimeLeft(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self.bar.add_task("", total=runs, ends=None)
        self._runs = runs
        self._found = self._ended = 0
        self._started = time.monotonic()

    def found(self, run: Run) -> None:
        """A run that was there before; it says nothing of how long the others take."""
        self._found += 1
        self._started = time.monotonic()
        self._show(run, ", finished before")

    def ended(self, run: Run) -> None:
        """A run that has just ended."""
        self._ended += 1
        left = self._runs - self._found - self._ended
        now = time.monotonic()
        # Runs share the cores: what counts is how many end in a time, not how long one takes.
        seconds = (now - self._started) / self._ended * left
        self.bar.update(self._task, ends=now + seconds)
        self._show(run, f"; {_about(seconds)}" if left else "")

    def _show(self, run: Run, more: str) -> None:
        done, last = self._found + self._ended, run.records[-1]
        self.bar.update(self._task, completed=done)
        self.bar.console.print(
            f"{done:{len(str(self._runs))}d}/{self._runs}  {run.recipe.name}, "
            f"seed {run.recipe.seed}: test error {last.test_error_percent:.2f} %, training error "
            f"on line {last.online_training_error_percent:.2f} %, {last.seconds:.0f} s{more}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


class _TimeLeft(ProgressColumn):
    """Time left, by the mean of the runs that have ended: rich's own looks at the last few only."""

    def render(self, task: Task) -> Text:
        ends = task.fields["ends"]
        return Text("" if ends is None else _about(max(0.0, ends - time.monotonic())))


def _about(seconds: float) -> str:
    return f"about {timedelta(seconds=round(seconds))} left"


@contextmanager
def run_progress(console: Console, runs: int) -> Iterator[RunProgress]:
    """The progress of so many runs, shown while they are made."""
    progress = RunProgress(console, runs)
    with progress.bar:
        yield progress
