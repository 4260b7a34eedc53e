"""Progress of a run, and of many, on the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lenet1998.runs.run import Run, Standing


@contextmanager
def pass_progress(console: Console, dataset_name: str) -> Iterator[Callable[[Standing], None]]:
    """A bar over the passes, and a line for each that has ended; yields `train`'s `on_progress`."""
    bar = Progress(
        TextColumn("pass {task.fields[at].pass_number}/{task.fields[at].passes}"),
        BarColumn(),
        TextColumn("{task.fields[at].patterns_per_second:,.0f} patterns/s"),
        TextColumn("running error {task.fields[at].online_training_error_percent:.2f} %"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("left"),
        console=console,
        transient=True,
    )
    console.print(f"Training on {dataset_name}")
    console.print("pass  training error, on line   test error")
    task = bar.add_task("", total=None, at=Standing(1, 1, 0, 0, 100.0, 0.0, None))

    def show(at: Standing) -> None:
        done = (at.pass_number - 1) * at.patterns_in_pass + at.patterns
        bar.update(task, total=at.passes * at.patterns_in_pass, completed=done, at=at)
        if (record := at.finished) is not None:
            bar.console.print(
                f"{record.number:4d}  {record.online_training_error_percent:20.2f} %"
                f"  {record.test_error_percent:9.2f} %"
            )

    with bar:
        yield show


@contextmanager
def picture_bar(console: Console, pictures: int) -> Iterator[Callable[[], None]]:
    """On a terminal a bar over the pictures; yields what is called when one is read."""
    bar = Progress(
        TextColumn("{task.completed}/{task.total} pictures"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
        redirect_stdout=False,  # it may lead elsewhere
        redirect_stderr=sys.stderr.isatty(),
        disable=not console.is_terminal or pictures == 1,
    )
    task = bar.add_task("", total=pictures)
    with bar:
        yield lambda: bar.advance(task)


class RunProgress:
    """A line for each run of `train_many` that has ended, and how long the others may take."""

    def __init__(self, console: Console, runs: int) -> None:
        self._console, self._runs, self._left = console, runs, runs
        self._ended, self._started = 0, time.monotonic()

    def found(self, run: Run) -> None:
        """A run that was there before; it says nothing of how long the others take."""
        self._started = time.monotonic()
        self._show(run, ", finished before")

    def ended(self, run: Run) -> None:
        """A run that has just ended."""
        self._ended += 1
        # Runs share the cores: what counts is how many end in a time, not how long one takes.
        seconds = (time.monotonic() - self._started) / self._ended * (self._left - 1)
        left = f"; about {timedelta(seconds=round(seconds))} left" if self._left > 1 else ""
        self._show(run, left)

    def _show(self, run: Run, more: str) -> None:
        self._left -= 1
        count = f"{self._runs - self._left:{len(str(self._runs))}d}/{self._runs}"
        self._console.print(f"{count}  {in_words(run)}{more}", soft_wrap=True)


def in_words(run: Run) -> str:
    """A run that has ended, in one line."""
    last = run.records[-1]
    return (
        f"{run.recipe.name}, seed {run.recipe.seed}: test error {last.test_error_percent:.2f} %, "
        f"training error on line {last.online_training_error_percent:.2f} %, {last.seconds:.0f} s"
    )
